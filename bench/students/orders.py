"""Orders of candidates: teachers that need no answer, the ranker that people taught, and the one that a
teacher taught too.

cranfield: a query with eight abstracts, up to four that were judged relevant, the others drawn from the
twenty most alike by their words; people put the relevant ones first. No language model has ordered them,
so that one is scripted: it errs on an abstract by a normal draw of standard deviation 1 where relevance
counts 1.5, anew in each prompt by a third of that, favours what it is shown early, and is asked through
`learning.teachers.listwise`.

gwsd_gpt: six sentences by how far each holds that the climate warms, by the mean of eight people's votes.
The model is a recorded one, GPT: by its label and how sure it said it was.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, kept
from bench.learning.vectors import datasets_folder, read_rows
from bench.students.sets import encode
from learning.rankers.head import OrderHead
from learning.rankers.scores import right_pairs
from learning.rankers.types import Lists, Ranked, places_of
from learning.teachers.listwise import Listwise
from learning.teachers.types import TeacherAnswer, TeacherItem
from learning.types import no_report

SETS = ("cranfield", "gwsd_gpt")
SIZES = (5, 10, 20, 40, 80)
SEEDS = {"quick": range(10, 15), "full": range(10, 20)}  # 0 … 5 were seen in development
LIST, RELEVANT, ALIKE = 8, 4, 20
SENTENCES, LISTED = 2_100, 6
TEST = 100
RELEVANCE, AGAIN, FIRST = 1.5, 0.3, 0.1
LEAST_WEIGHT = 0.3  # as in the application
CODE = ("learning/rankers/", "learning/teachers/listwise.py", "bench/students/orders.py")
WAYS = ("people", "likeness", "model")
ASKED = "How far does the sentence hold that the climate warms and people cause it?"
VOTES = {"disagrees": 0.0, "neutral": 0.5, "agrees": 1.0}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The lists: vectors of what is asked and of candidates, of each list how good they are by people,
    0 … 1, and where a model was recorded, how good by it.
    """

    lists: Lists
    worth: list[NDArray[np.float64]]
    recorded: list[NDArray[np.float64]] | None = None

    def likeness(self, at: int) -> NDArray[np.float64]:
        """(m,) cosines of what is asked and each candidate."""
        rows = self.lists.vectors[int(self.lists.starts[at]) : int(self.lists.starts[at + 1])]
        return np.asarray(rows[1:] @ rows[0], dtype=np.float64)


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the tables, and tell what a model's orders add to people's."""
    return [_table(name, grid) for name in SETS]


def _table(name: str, grid: str) -> Figure:
    code = code_hash(*CODE)
    cells = [
        kept(f"students/orders/{name}-{seed}", code, partial(_cell, name, seed))
        for seed in SEEDS[grid]
    ]
    print(f"\n{name}\n\n| teacher | tau | nDCG | two sequences agree, tau |")
    print("| --- | --- | --- | --- |")
    for teacher in cells[0]["teachers"]:
        found = [cell["teachers"][teacher] for cell in cells]
        steady = [one["steady"] for one in found if one["steady"] is not None]
        told = f"{np.mean(steady):.3f}" if steady else "–"
        print(f"| {teacher} | {_mean(found, 'tau')} | {_mean(found, 'ndcg')} | {told} |")
    print("\n| orders of people | " + " | ".join(f"{way}: tau, nDCG" for way in WAYS) + " |")
    print("| --- " * (len(WAYS) + 1) + "|")
    gains = []
    for size in SIZES:
        rows = {way: [cell["students"][f"{way} {size}"] for cell in cells] for way in WAYS}
        told = " | ".join(f"{_mean(rows[w], 'tau')}, {_mean(rows[w], 'ndcg')}" for w in WAYS)
        print(f"| {size} | {told} |", flush=True)
        pairs = zip(rows["model"], rows["people"], strict=True)
        gains += [taught["tau"] - alone["tau"] for taught, alone in pairs]
    gain = round(float(np.mean(gains)), 4)
    return Figure(name=f"students.orders.{name}.tau_gain", value=gain, unit="tau")


def _mean(found: Sequence[dict[str, float]], name: str) -> str:
    values = [one[name] for one in found]
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def _cell(name: str, seed: int) -> dict[str, Any]:
    judged = JUDGED[name]()
    order = np.random.default_rng(seed).permutation(judged.lists.lists)
    test, pool = order[:TEST], order[TEST:]
    said = {"likeness": {at: judged.likeness(at) for at in order.tolist()}}
    teachers = {"likeness": _scores(judged, test, said["likeness"])}
    if judged.recorded is not None:
        said["model"] = {at: judged.recorded[at] for at in order.tolist()}
        teachers["model"] = _scores(judged, test, said["model"])
    else:
        once, twice = ({at: _asked(judged, at, seed, n) for at in order.tolist()} for n in (1, 2))
        said["model"] = _utilities(twice)
        teachers["model, one sequence"] = _scores(judged, test, _utilities(once))
        steady = float(np.mean([twice[at].steady or 0.0 for at in test]))
        teachers["model, two"] = {**_scores(judged, test, said["model"]), "steady": steady}
    students = {}
    for size in SIZES:
        for way in WAYS:
            data = _lesson(judged, pool, size, said.get(way))
            fitted = OrderHead().fit(data, np.random.default_rng(seed), no_report)
            told = fitted.order(judged.lists.subset(test))
            own = {int(at): told.utilities(place) for place, at in enumerate(test)}
            students[f"{way} {size}"] = _scores(judged, test, own)
    return {"teachers": teachers, "students": students}


def _lesson(
    judged: Judged, pool: NDArray[np.int64], size: int, taught: dict[int, NDArray[Any]] | None
) -> Ranked:
    """So many orders of people, and a teacher's of the rest of the pool."""
    people, rest = pool[:size], pool[size:]
    places = [_places(judged.worth[at]) for at in people]
    if taught is None:
        return Ranked(lists=judged.lists.subset(people), places=places)
    weight = _weight(judged, pool, taught)
    return Ranked(
        lists=judged.lists.subset(pool),
        places=[*places, *(_places(taught[int(at)]) for at in rest)],
        weights=np.concatenate([np.ones(size), np.full(len(rest), weight)]),
    )


def _weight(judged: Judged, pool: NDArray[np.int64], taught: dict[int, NDArray[Any]]) -> float:
    """The share of pairs that stand as people say, as the application takes it from the random sample; here
    from the lists that nobody is tested on.
    """
    truth = [{"order": _groups(judged.worth[at])} for at in pool]
    said = [{"order": _groups(taught[int(at)])} for at in pool]
    right = right_pairs(truth, said)
    return max(float((right[:, 0] / right[:, 1]).mean()), LEAST_WEIGHT)


def _places(worth: NDArray[Any]) -> NDArray[np.int64]:
    """(m,) the place of each candidate, 0 the best, equal where they are worth the same."""
    places: NDArray[np.int64] = np.unique(-worth, return_inverse=True)[1].astype(np.int64)
    return places


def _groups(worth: NDArray[Any]) -> list[list[int]]:
    return [(np.flatnonzero(worth == one) + 1).tolist() for one in np.unique(worth)[::-1]]


def _asked(judged: Judged, at: int, seed: int, passes: int) -> TeacherAnswer:
    """What the scripted model says of a list in so many sequences."""
    noise = np.random.default_rng([seed, at, 1]).normal(size=LIST)
    rng = np.random.default_rng([seed, at, 2])
    worth = RELEVANCE * judged.worth[at] + noise

    def ask(item: TeacherItem) -> TeacherAnswer:
        shown = np.array([int(text) for text in item.candidates])
        seen = worth[shown] + AGAIN * rng.normal(size=len(shown))
        seen = seen - FIRST * np.arange(len(shown))
        order = tuple((int(one) + 1,) for one in np.argsort(-seen, kind="stable"))
        nothing = np.zeros(0, dtype=np.float32)
        return TeacherAnswer(number=item.number, probabilities=nothing, order=order)

    numbers = tuple(str(one) for one in range(LIST))
    item = TeacherItem(number=at, text=f"query {at}", candidates=numbers)
    return Listwise(passes=passes, window=LIST).answer(item, ask)


def _utilities(answers: dict[int, TeacherAnswer]) -> dict[int, NDArray[Any]]:
    return {at: -places_of(one.order or ()) for at, one in answers.items()}


def _scores(
    judged: Judged, test: NDArray[np.int64], utility: dict[int, NDArray[Any]]
) -> dict[str, Any]:
    """tau over the pairs that people put in order, ties counting nothing; nDCG of the whole list."""
    taus, gains = [], []
    for at in test.tolist():
        own, worth = np.asarray(utility[at], dtype=np.float64), judged.worth[at]
        true = np.sign(worth[:, None] - worth[None])
        same = true * np.sign(own[:, None] - own[None])
        taus.append(float(same[true > 0].mean()) if (true > 0).any() else 0.0)
        discount = 1 / np.log2(np.arange(len(own)) + 2)
        best = float(np.sort(worth)[::-1] @ discount)
        found = float(worth[np.argsort(-own, kind="stable")] @ discount)
        gains.append(found / best if best else 1.0)
    return {"tau": float(np.mean(taus)), "ndcg": float(np.mean(gains)), "steady": None}


@cache
def _cranfield() -> Judged:
    folder = _folder()
    documents, queries, pairs = (_read(folder, name) for name in ("docs", "queries", "qrels"))
    place = {row["id"]: at for at, row in enumerate(documents)}
    texts = [row["text"] or row["title"] for row in documents]
    grades: dict[str, dict[int, int]] = {}
    for row in pairs:
        grades.setdefault(row["query"], {})[place[row["doc"]]] = row["label"]
    alike = _Words(texts)
    rng = np.random.default_rng(0)
    chosen: list[list[int]] = []
    worth = []
    for query in queries:
        known = grades.get(query["id"], {})
        good = rng.permutation([at for at, grade in known.items() if grade > 0])[:RELEVANT]
        near = [at for at in alike.nearest(query["text"]) if at not in known][:ALIKE]
        other = rng.permutation(near)[: LIST - len(good)]
        mixed = rng.permutation(np.concatenate([good, other]).astype(np.int64))
        chosen.append(mixed.tolist())
        worth.append(np.isin(mixed, good).astype(np.float64))
    vectors, asked = encode(texts), encode([query["text"] for query in queries])
    rows = [np.concatenate([asked[at][None], vectors[own]]) for at, own in enumerate(chosen)]
    starts = np.arange(len(rows) + 1, dtype=np.int64) * (LIST + 1)
    return Judged(lists=Lists(starts=starts, vectors=np.concatenate(rows)), worth=worth)


@cache
def _climate() -> Judged:
    rows = [
        row
        for row in read_rows(_folder(), "gwsd_gpt", "train")
        if row.get("llm") and not row["meta"].get("screening_item")
    ]
    drawn = np.random.default_rng(0).permutation(len(rows))[: SENTENCES // LISTED * LISTED]
    drawn = drawn[: len(drawn) // LISTED * LISTED].reshape(-1, LISTED)
    votes = np.array([np.mean([VOTES[one["label"]] for one in row["annotations"]]) for row in rows])
    said = np.array([_stance(row["llm"][0]) for row in rows])
    vectors, asked = encode([row["text"] for row in rows]), encode([ASKED])
    parts = [np.concatenate([asked, vectors[own]]) for own in drawn]
    starts = np.arange(len(parts) + 1, dtype=np.int64) * (LISTED + 1)
    return Judged(
        lists=Lists(starts=starts, vectors=np.concatenate(parts)),
        worth=[votes[own] for own in drawn],
        recorded=[said[own] for own in drawn],
    )


def _stance(said: dict[str, Any]) -> float:
    """-1 … 1: the label that it gave by how sure it said it was."""
    sure = float(said.get("confidence") or 0.5)
    return sure if said["label"] == "agrees" else -sure


def _folder() -> Path:
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    return folder


def _read(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / "cranfield" / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


class _Words:
    """Texts by their words, weighed by how rare these are."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.counts = [Counter(_words(text)) for text in texts]
        there = Counter(word for count in self.counts for word in count)
        self.rarity = {word: float(np.log(len(texts) / n)) for word, n in there.items()}
        squares = [
            sum((n * self.rarity[word]) ** 2 for word, n in count.items()) for count in self.counts
        ]
        self.lengths = [float(np.sqrt(one)) or 1.0 for one in squares]

    def nearest(self, text: str) -> list[int]:
        words = set(_words(text))
        alike = [
            sum(count[word] * self.rarity[word] ** 2 for word in words if word in count) / length
            for count, length in zip(self.counts, self.lengths, strict=True)
        ]
        return [int(one) for one in np.argsort(-np.array(alike), kind="stable")]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


JUDGED: dict[str, Callable[[], Judged]] = {"cranfield": _cranfield, "gwsd_gpt": _climate}
