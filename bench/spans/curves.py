"""How many marked texts a strategy needs: F1 on the test split as the texts are chosen in rounds."""

from __future__ import annotations

import numpy as np

from bench.spans.sets import Texts, texts_of
from learning.selection import STRATEGIES
from learning.spans.scores import counts, micro_f1
from learning.taggers import FittedTagger
from learning.taggers.head import FittedTokenHead, TokenHead
from learning.taggers.types import Tagged
from learning.types import Pool, no_report

FIRST, ROUND, LAST = 100, 100, 1_000


def curve(train: Texts, test: Texts, strategy: str, seed: int) -> dict[int, float]:
    """Marked texts -> F1 of spans, from FIRST texts drawn at random on."""
    rng = np.random.default_rng(seed)
    n = train.marked.words.texts
    chosen = rng.permutation(n)[:FIRST]
    found: dict[int, float] = {}
    fitted: FittedTokenHead | None = None
    while True:
        fitted = TokenHead().fit(train.marked.subset(np.sort(chosen)), rng, no_report, fitted)
        found[len(chosen)] = f1_of(fitted, test)
        if len(chosen) >= LAST:
            return found
        said = fitted.tag(train.marked.words)
        picks = STRATEGIES.create(strategy).select(_pool(train, chosen, said), ROUND, rng).rows
        chosen = np.concatenate([chosen, picks])


def f1_of(fitted: FittedTagger, test: Texts) -> float:
    """F1 of the spans of all texts together."""
    said = fitted.tag(test.marked.words, test.marked.texts)
    told = [[span for span, _ in said.spans(at)] for at in range(test.marked.words.texts)]
    return micro_f1(counts(test.marked.spans, told))


def _pool(train: Texts, chosen: np.ndarray, said: Tagged) -> Pool:
    n = train.marked.words.texts
    labelled = np.zeros(n, dtype=np.bool_)
    labelled[chosen] = True
    answers = np.zeros((n, len(train.labels)), dtype=np.float32)
    for at, spans in enumerate(train.marked.spans):
        answers[at, [span.label for span in spans]] = 1
    return Pool(
        eligible=~labelled,
        labelled=labelled,
        probabilities=said.present,
        margins=said.margins,
        encodings=train.encodings,
        label_names=train.labels,
        multi_label=True,
        answers=answers[labelled],
        doubted="the spans",
    )


def needed(active: dict[int, float], goal: float) -> float:
    """Texts after which a curve is at the goal, between two rounds in a line; infinite if it never is."""
    before: tuple[int, float] | None = None
    for texts, f1 in sorted(active.items()):
        if f1 >= goal:
            if before is None or f1 == before[1]:
                return float(texts)
            share = (goal - before[1]) / (f1 - before[1])
            return before[0] + share * (texts - before[0])
        before = (texts, f1)
    return float("inf")


def mean(curves: list[dict[int, float]]) -> dict[int, float]:
    """Their mean, round by round."""
    return {texts: float(np.mean([one[texts] for one in curves])) for texts in curves[0]}


def sets(name: str) -> tuple[Texts, Texts]:
    """Training and test split."""
    train = texts_of(name, "train")
    return train, texts_of(name, "test", train.labels)
