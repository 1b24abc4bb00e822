"""Recorded marks of a real model, and of one made to err: what routing gives where answers mark spans."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.vectors import datasets_folder, read_rows
from bench.routing.sets import with_neighbours
from bench.spans import sets
from learning.audit.reliability import reliability
from learning.routing import ROUTERS
from learning.routing.marks import read_marks
from learning.routing.types import Candidates, Seed, first
from learning.spans import Span
from learning.spans.scores import counts, exact_f1, micro_f1
from learning.students.folds import assign_folds
from learning.taggers.head import TokenHead
from learning.taggers.types import Marked, Tagged, Words
from learning.types import no_report

NCBI = "ncbi_disease_gpt"
RUNS = ("gpt-3.5 few-shot", "gpt-3.5 one-shot", "gpt-3.5 zero-shot")
MADE = ("wnut17", "restaurant8k")
NAMES = (NCBI, *MADE)
MADE_ROWS = 1_500
SEED_ITEMS = 100
FOLDS = 5
SHARES = tuple(round(0.1 * tenth, 1) for tenth in range(2, 11))
WAYS = ("random", "threshold", "error_model", "oracle")

Marks = Sequence[Sequence[Span]]


@dataclass(frozen=True, kw_only=True)
class MarkedSet:
    """truth, said: spans of each text, by column; items: what is known without a student."""

    name: str
    words: Words
    truth: Marks
    said: Marks
    items: Candidates

    @property
    def rows(self) -> int:
        """How many texts there are."""
        return len(self.truth)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether all marks of a text are right, and none is missing."""
        same = [set(a) == set(b) for a, b in zip(self.truth, self.said, strict=True)]
        return np.array(same) & self.items.answered


def load(name: str) -> MarkedSet:
    """A set by name; its words and vectors are read once and kept."""
    return _recorded() if name == NCBI else _made(name)


def _recorded() -> MarkedSet:
    """The few-shot run is the teacher, the two others are voices that agree or not."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    rows = read_rows(folder, NCBI, "dev")
    texts, truth = zip(*[_spans(row, row["spans"]) for row in rows], strict=True)
    words, vectors = sets.read_texts(f"{NCBI}-dev", list(texts))
    runs = [[_said(row, model) for row in rows] for model in RUNS]
    said = [marks or [] for marks in runs[0]]
    answered = np.array([marks is not None for marks in runs[0]])
    items = Candidates(
        teacher=np.array([[float(bool(marks))] for marks in said]),
        answered=answered,
        disagreement=1 - _agreement(said, runs[1:]),
        encodings=np.asarray(vectors, dtype=np.float32),
        lengths=np.array([len(text) for text in texts]),
        marks=np.array([len(marks) for marks in said]),
        label_names=("Disease",),
        multi_label=True,
    )
    return MarkedSet(name=NCBI, words=words, truth=truth, said=said, items=with_neighbours(items))


def _spans(row: dict[str, Any], spans: Sequence[dict[str, Any]]) -> tuple[str, list[Span]]:
    text, found = sets.row_of({"tokens": row["tokens"], "spans": spans})
    return text, sorted(Span(start, end, 0) for start, end, _ in found)


def _said(row: dict[str, Any], model: str) -> list[Span] | None:
    """What a run marked, None where it has nothing on the sentence."""
    own = [one for one in row["llm"] if one["model"] == model]
    return _spans(row, own[0]["spans"])[1] if own else None


def _agreement(said: Marks, others: Sequence[Sequence[Sequence[Span] | None]]) -> NDArray[Any]:
    """(n,) the mean F1 of the marks with those of the other voices; not a number where none spoke."""
    found = np.full(len(said), np.nan)
    for at, marks in enumerate(said):
        theirs = [exact_f1(marks, other[at] or []) for other in others if other[at] is not None]
        found[at] = np.mean(theirs) if theirs else np.nan
    return found


def _made(name: str) -> MarkedSet:
    """A teacher that drops, moves and relabels marks, and says with noise how sure it is of each text."""
    data = sets.texts_of(name, "train")
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(len(data.marked.spans))[:MADE_ROWS])
    marked = data.marked.subset(rows)
    truth = [sorted(spans) for spans in marked.spans]
    doubt = rng.beta(1, 2, size=len(rows))  # of the whole text: its marks err together
    said = [
        _erring(spans, marked.words.of(at), chance, marked.labels, rng)
        for at, (spans, chance) in enumerate(zip(truth, doubt, strict=True))
    ]
    stated = np.clip(1 - doubt + 0.2 * rng.normal(size=len(rows)), 0.05, 0.99)
    present = np.zeros((len(rows), marked.labels), dtype=np.float32)
    for at, marks in enumerate(said):
        present[at, [span.label for span in marks]] = 1
    items = Candidates(
        teacher=present,
        answered=np.ones(len(rows), dtype=np.bool_),
        confidence=stated,
        encodings=np.asarray(data.encodings[rows], dtype=np.float32),
        lengths=np.array([len(text) for text in marked.texts or ()]),
        marks=np.array([len(marks) for marks in said]),
        label_names=data.labels,
        multi_label=True,
    )
    return MarkedSet(
        name=name, words=marked.words, truth=truth, said=said, items=with_neighbours(items)
    )


def _erring(
    spans: Sequence[Span], edges: NDArray[Any], chance: float, labels: int, rng: np.random.Generator
) -> list[Span]:
    """The true marks, each with this chance lost, a word too long, or of another label; and with half
    of it one that is not there."""
    found: set[Span] = set()
    for span in spans:
        if rng.random() >= chance:
            found.add(span)
            continue
        kind = rng.integers(3)
        later = [int(end) for start, end in edges if start >= span.end]
        if kind == 1 and later:
            found.add(span._replace(end=later[0]))
        elif kind == 2 and labels > 1:
            found.add(span._replace(label=int((span.label + rng.integers(1, labels)) % labels)))
    if len(edges) and rng.random() < chance / 2:
        start, end = edges[rng.integers(len(edges))]
        found.add(Span(int(start), int(end), int(rng.integers(labels))))
    return sorted(found)


def replayed(data: MarkedSet, seed: int) -> dict[str, list[float]]:
    """Way -> share of texts that are right at SHARES of them marked by people; the same for `f1:way`,
    the F1 of all spans. The seed is part of every budget."""
    rng = np.random.default_rng([seed, 1])
    rows = np.sort(rng.permutation(data.rows)[:SEED_ITEMS])
    items = with_tagger(data, rows, seed)
    found: dict[str, list[float]] = {}
    for way in WAYS:
        order = _order(data, items, rows, way, seed)
        for share in SHARES:
            people = np.zeros(data.rows, dtype=np.bool_)
            people[order[: round(share * data.rows)]] = True
            found.setdefault(way, []).append(float((data.right | people).mean()))
            found.setdefault(f"f1:{way}", []).append(_f1(data, people))
    return found


def _f1(data: MarkedSet, people: NDArray[np.bool_]) -> float:
    said = [t if p else s for t, s, p in zip(data.truth, data.said, people, strict=True)]
    return micro_f1(counts(data.truth, said))


def _order(
    data: MarkedSet, items: Candidates, rows: NDArray[np.int64], way: str, seed: int
) -> NDArray[np.int64]:
    """The seed first, then by what a way holds a person's answer to be worth."""
    if way == "random":
        benefit = np.zeros(data.rows)
    elif way == "oracle":
        benefit = (~data.right).astype(np.float64)
    else:
        fitted = ROUTERS.create(way).fit(
            seed_of(data, items, rows), np.random.default_rng([seed, 4]), no_report
        )
        benefit = np.where(items.answered, fitted.benefit(items), np.inf)
    ranked = first(benefit, data.rows, np.random.default_rng([seed, 5]))
    return np.concatenate([rows, ranked[~np.isin(ranked, rows)]])


def seed_of(data: MarkedSet, items: Candidates, rows: NDArray[np.int64]) -> Seed:
    """What both marked."""
    learn = rows[items.answered[rows]]
    present = np.zeros((len(learn), items.labels), dtype=np.float32)
    for at, row in enumerate(learn):
        present[at, [span.label for span in data.truth[row]]] = 1
    return Seed(items=items.subset(learn), truth=present, right=data.right[learn])


def with_tagger(data: MarkedSet, rows: NDArray[np.int64], seed: int) -> Candidates:
    """The items with what a tagger of the seed says, out of fold on the seed."""
    lesson = Marked(
        words=data.words.subset(rows),
        spans=[data.truth[row] for row in rows],
        labels=data.items.labels,
    )
    rng = np.random.default_rng([seed, 2])
    met, sure, present = _heard(TokenHead().fit(lesson, rng, no_report).tag(data.words), data.said)
    fold = assign_folds(np.arange(len(rows)), FOLDS, rng)
    for number in range(FOLDS):
        ask = np.flatnonzero(fold == number)
        fitted = TokenHead().fit(lesson.subset(np.flatnonzero(fold != number)), rng, no_report)
        told = fitted.tag(lesson.words.subset(ask))
        at = rows[ask]
        met[at], sure[at], present[at] = _heard(told, [data.said[row] for row in at])
    return replace(data.items, met=met, sure=sure, student=present)


def _heard(tagged: Tagged, said: Marks) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    marks = [[span for span, _ in tagged.spans(at)] for at in range(tagged.texts)]
    met = np.array([exact_f1(a, b) for a, b in zip(said, marks, strict=True)])
    sure = np.clip(tagged.margins.astype(np.float64), 0, 1)
    return met, sure, np.clip(tagged.present, 0, 1).copy()


def read(data: MarkedSet, seed: int) -> dict[str, float]:
    """How well it is told that all marks of a text are right, on texts that fitted nothing: the mean gap
    to how often they are, as stated and as read, and the area under the ROC curve. 100 texts teach the
    tagger, 100 others the reading.
    """
    order = np.random.default_rng([seed, 6]).permutation(data.rows)
    items = with_tagger(data, np.sort(order[:SEED_ITEMS]), seed)
    learn = order[SEED_ITEMS : 2 * SEED_ITEMS]
    rest = order[2 * SEED_ITEMS :]
    rest = rest[items.answered[rest]]
    reading = read_marks(seed_of(data, items, learn), np.random.default_rng(seed))
    said, right = reading.right(items.subset(rest)), data.right[rest]
    stated = np.ones(len(rest)) if items.confidence is None else items.confidence[rest]
    return {
        "before": float(reliability(stated, right).error),
        "after": float(reliability(said, right).error),
        "auc_before": _auc(stated, right),
        "auc": _auc(said, right),
    }


def _auc(said: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """How often a right one is held to be likelier right than a wrong one; 0.5 is chance."""
    good, bad = said[right], said[~right]
    ahead = (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean()
    return float(ahead)
