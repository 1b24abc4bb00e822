"""The router that predicts what a mix of people's and a teacher's labels makes of the student."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from learning.errors import NotEnoughDataError, ParameterError
from learning.routing.error_model import ErrorModel, FittedErrorModel
from learning.routing.tags import Tags, knapsack, mixes
from learning.routing.types import Candidates, Seed, Shares, decided, need_seed, sentences
from learning.students.folds import assign_folds
from learning.students.head import Head
from learning.types import Bools, Ints, Report, TrainingData, no_report

FEWEST = 60
STRENGTH = 30.0
TOLD = 5


@dataclass(frozen=True, kw_only=True)
class Ppm:
    """Train the student on many mixes of people's and the teacher's answers to the seed, regress its
    accuracy on how many items of each kind went to people, and send people those that raise it
    most. Source: Miranda et al. 2025 (HyPER, hybrid preferences), with a student and its accuracy
    on seed items that it did not learn from in place of the reward model and its benchmark.

    candidates: mixes that are tried. bins: cuts of each number. folds: a mix is judged on items of
    the seed that were set apart.
    quadratic: with squares and products of the counts, as published; linear without.
    """

    candidates: int = 200
    bins: int = 3
    folds: int = 2
    quadratic: bool = True

    def __post_init__(self) -> None:
        if self.candidates < 3 or self.bins < 2 or self.folds < 2:
            raise ParameterError("A performance model needs 3 mixes, 2 bins and 2 folds at least.")

    def fit(self, seed: Seed, rng: np.random.Generator, report: Report) -> "FittedPpm":
        """Raises NotEnoughDataError below 60 seed items, or without encodings."""
        need_seed(seed, FEWEST, "The performance model")
        if seed.items.encodings is None:
            raise NotEnoughDataError("The performance model needs encodings; there are none yet.")
        errors = ErrorModel().fit(seed, rng, no_report)
        tags = Tags.of(seed, errors.memory, self.bins)
        table = tags.table(seed.items)
        tried = mixes(table, self.candidates, rng)
        fold = assign_folds(np.arange(seed.rows), self.folds, rng)
        scores = np.empty(len(tried))
        for place, mix in enumerate(tried):
            report(place, len(tried))
            scores[place] = _score(seed, mix, fold)
        report(len(tried), len(tried))
        model = Performance.of(_shares(tried, table), scores, quadratic=self.quadratic)
        most = float(np.abs(model.gains(table)).max(initial=0.0))
        return FittedPpm(
            tags=tags, model=model, errors=errors, most=most, n=seed.rows, mixes=len(tried)
        )


def _shares(mixes: Bools, table: Bools) -> Shares:
    """(c, t) the share of all items that have the tag and go to people. Shares and no counts, so
    that a model of the seed holds for sets of another size.
    """
    return np.asarray(mixes.astype(np.float64) @ table / len(table))


def _score(seed: Seed, mix: Bools, fold: Ints) -> float:
    """The weighted accuracy of students that learned from this mix, on items set apart."""
    truth = np.asarray(seed.truth, dtype=np.float32)
    multi = seed.items.multi_label
    labels = np.where(mix[:, None], truth, seed.items.said().astype(np.float32))
    encodings = np.asarray(seed.items.encodings)
    right = np.zeros(seed.rows, dtype=np.bool_)
    for f in range(int(fold.max()) + 1):
        learn, ask = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        data = TrainingData(
            targets=labels[learn],
            encodings=encodings[learn],
            multi_label=multi,
            paired=seed.items.paired,
            sided=seed.items.sided,
        )
        head = Head(strength=STRENGTH).fit(data, np.random.default_rng(0), no_report)
        said = decided(head.predict(encodings[ask]), multi_label=multi)
        right[ask] = (said == (truth[ask] >= 0.5)).all(axis=1)
    return float(np.average(right, weights=seed.weights))


@dataclass(frozen=True, kw_only=True)
class Performance:
    """score = intercept + v · linear + v · quadratic · v for shares v (t,) of items by tag."""

    intercept: float
    linear: Shares
    quadratic: Shares

    @classmethod
    def of(cls, shares: Shares, scores: Shares, *, quadratic: bool) -> "Performance":
        """Ordinary least squares; the smallest coefficients where several fit as well.

        shares: (c, t); scores: (c,).
        """
        t = shares.shape[1]
        one, other = np.triu_indices(t)
        columns = [np.ones((len(shares), 1)), shares]
        if quadratic:
            columns.append(shares[:, one] * shares[:, other])
        found, *_ = np.linalg.lstsq(np.concatenate(columns, axis=1), scores, rcond=None)
        products = np.zeros((t, t))
        if quadratic:
            products[one, other] = found[1 + t :]
        linear = np.asarray(found[1 : 1 + t], dtype=np.float64)
        return cls(intercept=float(found[0]), linear=linear, quadratic=products)

    def predict(self, shares: Shares) -> Shares:
        """(c, t) -> (c,) the student's expected accuracy."""
        curved = np.einsum("ct,tu,cu->c", shares, self.quadratic, shares)
        return np.asarray(self.intercept + shares @ self.linear + curved)

    def gains(self, table: Bools, of: int | None = None) -> Shares:
        """(n,) by how much the score rises when an item alone goes to a person, of `of` items;
        0 for an item without tags, below 0 where the teacher's answer is the better lesson.
        """
        shares = table.astype(np.float64) / (of or max(1, len(table)))
        return np.asarray(self.predict(shares) - self.intercept)


@dataclass(frozen=True, kw_only=True)
class FittedPpm:
    """errors: how likely the teacher is wrong, which the performance model itself does not say;
    most: the largest gain of a seed item, by which gains are told.
    """

    tags: Tags
    model: Performance
    errors: FittedErrorModel
    most: float
    n: int
    mixes: int

    def wrong(self, items: Candidates) -> Shares:
        """(n,) by an error model of the same seed."""
        return self.errors.wrong(items)

    def benefit(self, items: Candidates) -> Shares:
        """(n,) gains, as shares of the largest of a seed item; a person where above 0."""
        gains = self.model.gains(self.tags.table(items), self.n)
        return gains / self.most if self.most > 0 else gains

    def simulate(
        self, items: Candidates, budget: int, rng: np.random.Generator, draws: int = 500
    ) -> Bools:
        """(n,) who goes to people: the best by prediction of so many random mixes of this budget."""
        table = self.tags.table(items)
        tried = np.stack([knapsack(table, budget, rng) for _ in range(draws)])
        return np.asarray(tried[int(self.model.predict(_shares(tried, table)).argmax())])

    def reasons(self, items: Candidates, rows: Ints) -> list[str]:
        """The gain and the tag that speaks most for it, with P(wrong)."""
        picked = items.subset(rows)
        table, names = self.tags.table(picked), self.tags.names
        worth = self.model.linear + np.diag(self.model.quadratic) / self.n
        because = []
        for row, gain, p in zip(table, self.benefit(picked), self.wrong(picked), strict=True):
            tags = np.flatnonzero(row)
            best = names[tags[worth[tags].argmax()]] if len(tags) else "none"
            because.append(
                f"the student would gain {gain:.2f} of what any item can add (most by: {best}); "
                f"the teacher is wrong here with a chance of {100 * p:.0f} %"
            )
        return sentences(items, rows, because)

    def told(self) -> dict[str, Any]:
        """The tags that gain most and least by people, and how many mixes it rests on."""
        worth = self.model.gains(np.eye(len(self.tags.names), dtype=np.bool_), self.n)
        scale = float(np.abs(worth).max(initial=0.0)) or 1.0
        order = np.argsort(-worth, kind="stable")
        named = {self.tags.names[place]: float(worth[place] / scale) for place in order}
        listed = list(named.items())
        return {
            "most": dict(listed[:TOLD]),
            "least": dict(listed[-TOLD:]),
            "mixes": self.mixes,
            "auc": self.errors.seen.auc,
            "seed_items": self.n,
        }
