"""How many marked texts a strategy needs: F1 on the test split as the texts are chosen in rounds, replayed
as a project's are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.spans.sets import Texts, texts_of
from learning.comparison import labels_to
from learning.replayed import ValueReplay
from learning.selection import STRATEGIES
from learning.simulation import CurvePoint, Loop, Schedule, simulate
from learning.spans import value_of
from learning.spans.scores import counts, micro_f1
from learning.taggers import FittedTagger
from learning.taggers.head import TokenHead
from learning.taggers.replay import KnownTexts
from learning.tasks.spans import Spans
from learning.types import Pool, Selection

FIRST, ROUND, LAST = 100, 100, 1_000


@dataclass(frozen=True, kw_only=True)
class Permuted:
    """The first texts of a permutation, with which the figures in the docs began."""

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """n rows of all."""
        rows = rng.permutation(pool.rows)[:n].astype(np.int64)
        return Selection(rows=rows, probabilities=np.ones(n), reasons=["first"] * n)


def curve(train: Texts, test: Texts, strategy: str, seed: int) -> dict[int, float]:
    """Marked texts -> F1 of spans, from FIRST texts drawn at random on."""
    schedule = Schedule(start=FIRST, batch=ROUND, budget=LAST)
    points = replay_of(train, known(test), strategy, schedule, seed)
    return {point.labels: point.score for point in points}


def replay_of(
    train: Texts, test: KnownTexts, strategy: str, schedule: Schedule, seed: int
) -> Iterator[CurvePoint]:
    """The points of one seed, by the head on word vectors."""
    replay = ValueReplay(
        pool=known(train), test=test, encodings=train.encodings, label_names=train.labels
    )
    loop = Loop(
        task=Spans(),
        student=TokenHead(),
        cold_start=Permuted(),
        strategy=STRATEGIES.create(strategy),
    )
    return simulate(replay, loop, schedule, np.random.default_rng(seed))


def known(texts: Texts) -> KnownTexts:
    """The texts as a replay reads them."""
    return KnownTexts(
        words=texts.marked.words,
        rows=np.arange(texts.marked.words.texts),
        values=[value_of(spans) for spans in texts.marked.spans],
        labels=len(texts.labels),
        texts=texts.marked.texts,
    )


def f1_of(fitted: FittedTagger, test: Texts) -> float:
    """F1 of the spans of all texts together."""
    said = fitted.tag(test.marked.words, test.marked.texts)
    told = [[span for span, _ in said.spans(at)] for at in range(test.marked.words.texts)]
    return micro_f1(counts(test.marked.spans, told))


def needed(active: dict[int, float], goal: float) -> float:
    """Texts after which a curve is at the goal, between two rounds in a line; infinite if it never is."""
    found = labels_to(list(active), list(active.values()), goal)
    return float("inf") if found is None else found


def mean(curves: list[dict[int, float]]) -> dict[int, float]:
    """Their mean, round by round."""
    return {texts: float(np.mean([one[texts] for one in curves])) for texts in curves[0]}


def sets(name: str) -> tuple[Texts, Texts]:
    """Training and test split."""
    train = texts_of(name, "train")
    return train, texts_of(name, "test", train.labels)
