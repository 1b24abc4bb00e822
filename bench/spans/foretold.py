"""What more marked texts would bring, foretold from 120 drawn ones, against what came."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.advice.backtest import TARGETS, Outcome, outcomes
from bench.figures import Figure
from bench.spans.sets import Texts
from learning.selection import STRATEGIES
from learning.spans.scores import counts
from learning.taggers.head import FittedTokenHead, TokenHead
from learning.taggers.types import Tagged
from learning.types import Pool, no_report

ROUND, LAST = 50, 1_050
DRAWS = 6  # audit samples per replay
FORESEEN_AT = 300


@dataclass(frozen=True, kw_only=True)
class Marking:
    """labels: (v,) texts that each version learned from; right, whole: (v, t) of the test texts, whose
    sums make the F1 of spans; kinds: how many labels there are."""

    labels: NDArray[np.int64]
    right: NDArray[np.float64]
    whole: NDArray[np.float64]
    kinds: int


def replayed(train: Texts, test: Texts, strategy: str, seed: int) -> Marking:
    """Versions every ROUND texts, from ROUND texts drawn at random on."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(train.marked.words.texts)[:ROUND]
    fitted: FittedTokenHead | None = None
    labels, tables = [], []
    while True:
        fitted = TokenHead().fit(train.marked.subset(np.sort(chosen)), rng, no_report, fitted)
        labels.append(len(chosen))
        tables.append(_table(fitted, test))
        if len(chosen) >= LAST:
            break
        pool = _pool(train, chosen, fitted.tag(train.marked.words))
        picks = STRATEGIES.create(strategy).select(pool, ROUND, rng).rows
        chosen = np.concatenate([chosen, picks])
    table = np.stack(tables).astype(np.float64)  # (v, t, 3)
    return Marking(
        labels=np.array(labels),
        right=2 * table[..., 0],
        whole=table[..., 1] + table[..., 2],
        kinds=len(train.labels),
    )


def _pool(train: Texts, chosen: np.ndarray, said: Tagged) -> Pool:
    """What strategies choose from when these texts are marked and a student said so much of all."""
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


def _table(fitted: FittedTokenHead, test: Texts) -> NDArray[np.int64]:
    said = fitted.tag(test.marked.words, test.marked.texts)
    told = [[span for span, _ in said.spans(at)] for at in range(test.marked.words.texts)]
    return counts(test.marked.spans, told)


def checks(run: Marking, seed: int) -> Iterator[Outcome]:
    """What was foretold at several numbers of texts, on several samples, and what came."""
    for draw in range(DRAWS):
        yield from outcomes(run, np.random.default_rng([seed, draw]))


def figures(name: str, train: Texts, test: Texts, seeds: int) -> list[Figure]:
    """How often what came lay in the interval: of F1 as foretold at FORESEEN_AT texts with its median width,
    and of the gain by the next hundred with its mean error."""
    found = [
        outcome
        for seed in range(seeds)
        for strategy in ("random", "mixed")
        for outcome in checks(replayed(train, test, strategy, seed), seed)
    ]
    told = []
    for target in TARGETS:
        there = [each for each in found if each.at == FORESEEN_AT and target in each.forecasts]
        held = float(np.mean([each.forecast_holds(target) for each in there]))
        width = float(np.median([each.forecasts[target].width for each in there]))
        told += [
            _figure(f"{name} F1 at {target} held", held, op=">=", target=88),
            _figure(f"{name} F1 at {target} width", width, op="<=", target=25),
        ]
    held = float(np.mean([each.advice.low <= each.gain <= each.advice.high for each in found]))
    bias = float(np.mean([each.advice.gain - each.gain for each in found]))
    return [
        *told,
        _figure(f"{name} gain held", held, op=">=", target=90),
        _figure(f"{name} gain bias", abs(bias), op="<=", target=1),
    ]


def _figure(name: str, share: float, op: Literal["<=", ">="], target: float) -> Figure:
    return Figure(name=f"spans {name}", value=round(100 * share, 1), unit="%", op=op, target=target)
