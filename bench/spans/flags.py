"""How well wrong spans are found: one in ten is spoilt, and taggers that have not seen the text judge it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.spans.tuned import PYTHON
from learning.audit.planted_spans import planted, spoilt, weighed
from learning.audit.span_doubts import Doubt, doubts, score_of
from learning.spans import Span
from learning.spans.tags import tags_of
from learning.students.folds import assign_folds
from learning.taggers.head import TokenHead
from learning.taggers.types import Marked
from learning.types import no_report

SHARE, FOLDS = 0.1, 5
WORKER = Path(__file__).with_name("cleanlab_worker.py")


def spoil(data: Marked, rng: np.random.Generator) -> tuple[list[list[Span]], NDArray[np.bool_]]:
    """Answers in which SHARE of the spans have another label, a moved edge, or are gone; and which."""
    answers, wrong = [], np.zeros(data.words.texts, dtype=np.bool_)
    for at, spans in enumerate(data.spans):
        kept: list[Span] = []
        for span in spans:
            made = spoilt(span, data.words.of(at), data.labels, rng)
            if rng.random() >= SHARE or made == span:
                kept.append(span)
                continue
            wrong[at] = True
            kept += [made] if made is not None else []
        answers.append(sorted(kept))
    return answers, wrong


def precision(data: Marked, seed: int) -> dict[str, float]:
    """Average precision of our scores as "ours", and of each of cleanlab's (Wang, Mueller 2022) by its name where it is installed."""
    rng = np.random.default_rng(seed)
    answers, wrong = spoil(data, rng)
    marked = Marked(words=data.words, spans=answers, labels=data.labels)
    fold = assign_folds(np.arange(data.words.texts), FOLDS, rng)
    places: list[list[Doubt]] = [[] for _ in answers]
    errors: list[Doubt] = []
    tokens = np.empty((len(data.words.edges), 1 + 2 * data.labels))
    for number in range(FOLDS):
        ask = np.flatnonzero(fold == number)
        learn = marked.subset(np.flatnonzero(fold != number))
        part = marked.subset(ask)
        found = TokenHead(reach=0.0).fit(learn, rng, no_report).read(part.words)
        own = doubts(found, part.words, part.spans)
        errors += planted(found, part.words, part.spans, data.labels, rng)
        for at, row in enumerate(ask.tolist()):
            places[row] = own[at]
            tokens[_words(data, row)] = _shares(found.scores[_words(part, at)])
    scores = {
        "ours": np.array([score_of(own) for own in weighed(places, errors)]),
        "the tagger alone": np.array([score_of(own) for own in places]),
        **_cleanlab(marked, tokens),
    }
    return {name: average_precision(one, wrong) for name, one in scores.items()}


def _words(data: Marked, text: int) -> slice:
    return slice(int(data.words.starts[text]), int(data.words.starts[text + 1]))


def _shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    plain = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(plain / plain.sum(axis=1, keepdims=True))


def _cleanlab(marked: Marked, probabilities: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    if not PYTHON.exists():
        return {}
    tags = [tags_of(spans, marked.words.of(at)) for at, spans in enumerate(marked.spans)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.npz"
        np.savez(
            path,
            counts=np.diff(marked.words.starts),
            tags=np.concatenate(tags),
            probabilities=probabilities,
        )
        subprocess.run([str(PYTHON), str(WORKER), str(path)], check=True)  # noqa: S603 - ours
        with np.load(f"{path}.scores.npz", allow_pickle=False) as found:
            return {name: found[name] for name in found.files}


def average_precision(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Mean precision at each wrong text, the lowest scores first."""
    found = wrong[np.argsort(scores, kind="stable")]
    return float((np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean())
