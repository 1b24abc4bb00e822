"""The router that predicts where the teacher is wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from learning.errors import ParameterError
from learning.routing.features import FEATURES, measured, scaled
from learning.routing.folds import dealt
from learning.routing.memory import Memory
from learning.routing.regression import Logistic, fit_logistic, sigmoid
from learning.routing.types import Candidates, Seed, Shares, need_seed, sentences
from learning.types import Bools, Ints, Report, row_blocks

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
CALIBRATION_STRENGTH = 1.0
TOLD = 2  # features named in a reason
EVEN = 1e-12


@dataclass(frozen=True, kw_only=True)
class ErrorModel:
    """Predict P(the teacher is wrong) from its confidence and margin, other voices, the student,
    neighbours, predicted label, group and length, by logistic regression on double-labelled items.
    Source: own (Madras et al. 2018, learning to defer; the features as measured for the project).

    fewest: seed items below which it refuses. folds: the regression's strength and the calibration
    of its figures rest on predictions for items that it has not seen.
    The slopes are pulled to those that are likely before any data (`Feature.usual`), as far as the
    folds say. Items without an answer of the teacher are judged by a second model, from what is
    known without one.
    """

    fewest: int = 30
    folds: int = 5

    def __post_init__(self) -> None:
        if self.fewest < 10 or self.folds < 2:
            raise ParameterError("An error model needs at least 10 seed items and 2 folds.")

    def fit(self, seed: Seed, rng: np.random.Generator, report: Report) -> "FittedErrorModel":
        """Raises NotEnoughDataError below `fewest` items."""
        need_seed(seed, self.fewest, "The error model")
        fold = dealt(seed, self.folds, rng)
        memory = Memory.of(seed, rng)
        # What an item's own answer says of it must not be among its features.
        rates = [Memory.of(seed.subset(np.flatnonzero(fold != f)), rng) for f in range(self.folds)]
        models = []
        for place, blind in enumerate((False, True)):
            report(place, 2)
            names = tuple(name for name in FEATURES if not (blind and FEATURES[name].teacher))
            models.append(_fitted(names, seed, fold, rates))
        report(2, 2)
        return FittedErrorModel(seen=models[0], blind=models[1], memory=memory, n=seed.rows)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A regression over some features, and how well it told wrong from right out of fold.

    usual: (f,) what stands in for a missing value; calibration: from log-odds to log-odds;
    auc: how often a wrong item was ranked before a right one, 0 … 1, 0.5 is chance; None where the
    seed has only one kind. strength: of the data against the penalty, chosen out of fold.
    """

    names: tuple[str, ...]
    usual: tuple[float, ...]
    logistic: Logistic
    calibration: Logistic
    auc: float | None
    strength: float

    def predict(self, raw: Shares) -> Shares:
        """(n, f) raw features -> (n,) P(wrong), calibrated."""
        return self.calibration.predict(self._score(raw)[:, None])

    def order(self, raw: Shares) -> Shares:
        """(n, f) raw features -> (n,) P(wrong) before calibration."""
        return sigmoid(self._score(raw))

    def _score(self, raw: Shares) -> Shares:
        return self.logistic.log_odds(scaled(self.names, raw, np.array(self.usual)))

    def because(self, raw: Shares) -> list[str]:
        """For each row the features that speak most for an error, in words with their values."""
        parts = self.logistic.parts(scaled(self.names, raw, np.array(self.usual)))
        told = []
        for row, values in zip(parts, raw, strict=True):
            order = np.argsort(-row, kind="stable")[:TOLD]
            speak = [int(f) for f in order if row[f] > EVEN and np.isfinite(values[f])]
            words = [FEATURES[self.names[f]].words.format(values[f]) for f in speak]
            told.append(", and ".join(words).replace("%", " %"))
        return told


def told_by(
    names: tuple[str, ...], seed: Seed, rng: np.random.Generator, fewest: int = 30, folds: int = 5
) -> Model:
    """What these features alone tell of a teacher's errors; none of them may look at other items, so
    that a row can keep the model. Raises NotEnoughDataError below `fewest` items.
    """
    need_seed(seed, fewest, "A model of errors")
    memory = Memory.of(seed, rng)
    return _fitted(names, seed, dealt(seed, folds, rng), [memory] * folds)


def _fitted(names: tuple[str, ...], seed: Seed, fold: Ints, rates: list[Memory]) -> Model:
    raw = np.empty((seed.rows, len(names)))
    for f, memory in enumerate(rates):
        rows = np.flatnonzero(fold == f)
        raw[rows] = measured(names, seed.items.subset(rows), memory)
    known = np.isfinite(raw).mean(axis=0) >= 0.5
    names = tuple(name for name, keep in zip(names, known, strict=True) if keep)
    raw = raw[:, known]
    usual = np.nanmean(raw, axis=0)
    x, wrong, weights = scaled(names, raw, usual), seed.wrong, seed.weights
    home = np.array([FEATURES[name].usual for name in names])
    unseen = {c: _out_of_fold(x, seed, fold, c, home) for c in STRENGTHS}
    strength = _smallest_good(unseen, wrong, weights)
    calibration = _calibrated(unseen[strength], wrong, weights)
    return Model(
        names=names,
        usual=tuple(usual.tolist()),
        logistic=fit_logistic(x, wrong, weights, strength, home),
        calibration=calibration,
        auc=_auc(unseen[strength], wrong, weights),
        strength=strength,
    )


def _out_of_fold(x: Shares, seed: Seed, fold: Ints, strength: float, home: Shares) -> Shares:
    """(s,) log-odds of each row by a regression that has not seen it."""
    score = np.empty(seed.rows)
    for f in range(int(fold.max()) + 1):
        learn, ask = fold != f, fold == f
        model = fit_logistic(x[learn], seed.wrong[learn], seed.weights[learn], strength, home)
        score[ask] = model.log_odds(x[ask])
    return score


def _smallest_good(unseen: dict[float, Shares], wrong: Bools, weights: Shares) -> float:
    """The smallest strength that is not worse than the best by more than a standard error of their
    difference. Source: Breiman et al. 1984 (one standard error)."""
    costs = {c: weights * (np.logaddexp(0, score) - wrong * score) for c, score in unseen.items()}
    best = min(costs, key=lambda c: float(costs[c].sum()))
    for strength in sorted(costs):
        worse = costs[strength] - costs[best]
        if worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)):
            return strength
    return best


def _calibrated(score: Shares, wrong: Bools, weights: Shares) -> Logistic:
    """From log-odds to log-odds, as they are unless the items say otherwise. It never turns the
    order round: without any signal all items get the base rate."""
    as_it_is = np.sqrt(
        np.average(np.square(score - np.average(score, weights=weights)), weights=weights)
    )
    found = fit_logistic(score[:, None], wrong, weights, CALIBRATION_STRENGTH, np.array([as_it_is]))
    return replace(found, slopes=(max(found.slopes[0], 0.0),))


def _auc(score: Shares, wrong: Bools, weights: Shares) -> float | None:
    bad, good = np.flatnonzero(wrong), np.flatnonzero(~wrong)
    if not len(bad) or not len(good):
        return None
    above = (score[bad][:, None] > score[good]) + 0.5 * (score[bad][:, None] == score[good])
    pairs = weights[bad][:, None] * weights[good]
    return float((pairs * above).sum() / pairs.sum())


@dataclass(frozen=True, kw_only=True)
class FittedErrorModel:
    """seen: for items with an answer; blind: for the others; n: seed items."""

    seen: Model
    blind: Model
    memory: Memory
    n: int

    def wrong(self, items: Candidates) -> Shares:
        """(n,) calibrated on items that the model had not seen."""
        return self._in_blocks(items, Model.predict)

    def benefit(self, items: Candidates) -> Shares:
        """(n,) how likely a person's answer puts an error right, before calibration: where the seed
        shows no signal the chances are all the same, and what is likely beforehand orders them."""
        return self._in_blocks(items, Model.order)

    def reasons(self, items: Candidates, rows: Ints) -> list[str]:
        """P(wrong) and the features that speak most for it."""
        picked = items.subset(rows)
        wrong = self.wrong(picked)
        seen = self.seen.because(measured(self.seen.names, picked, self.memory))
        blind = self.blind.because(measured(self.blind.names, picked, self.memory))
        because = []
        for p, answered, with_it, without in zip(wrong, picked.answered, seen, blind, strict=True):
            said = with_it if answered else without
            chance = f"the teacher is wrong here with a chance of {100 * p:.0f} %"
            because.append(f"{chance}: {said}" if said else chance)
        return sentences(items, rows, because)

    def told(self) -> dict[str, Any]:
        """Slopes by feature, in log-odds by a standard deviation, and how well they tell."""
        return {
            "slopes": dict(zip(self.seen.names, self.seen.logistic.slopes, strict=True)),
            "auc": self.seen.auc,
            "strength": self.seen.strength,
            "auc_without_an_answer": self.blind.auc,
            "error": self.memory.base,
            "seed_items": self.n,
        }

    def _in_blocks(self, items: Candidates, use: Callable[[Model, Shares], Shares]) -> Shares:
        found = np.empty(items.rows)
        for block in row_blocks(items.rows):
            part = items.subset(np.arange(items.rows)[block])
            seen = use(self.seen, measured(self.seen.names, part, self.memory))
            blind = use(self.blind, measured(self.blind.names, part, self.memory))
            found[block] = np.where(part.answered, seen, blind)
        return found
