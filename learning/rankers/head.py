"""The ranker that is there within seconds: a linear head on frozen vectors of what is asked and candidates."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.bounds import Count, Rate, Scale, Weight, refuse_outside
from learning.errors import NotEnoughDataError
from learning.rankers import davidson
from learning.rankers.plackett_luce import Orders
from learning.rankers.types import Lists, Ordered, Ranked
from learning.storage import load_folder, save_folder
from learning.students.lbfgs import minimise
from learning.students.strength import SCALES, TEMPERATURES, Choice, Grid, Rows, choose
from learning.types import Report, require, row_blocks

# Against the L2 penalty: an order of many says more than a label, so less of it is enough.
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FEW = 0.3
BLOCK_LISTS = 512


@dataclass(frozen=True, kw_only=True)
class OrderHead:
    """Utilities of candidates, linear in how they and what is asked meet, so that the orders given are
    likely; drawn to the cosine of the two. Source: Plackett 1975, Luce 1959; Chang et al. 2008 (the
    prior); how far to trust answers and the cosine is chosen on held-out lists.

    Of what is asked q and a candidate c, unit vectors, the head reads √d q * c and c; the cosine is the sum
    of the first over √d. Two candidates are equally good where Davidson's model finds that likelier than
    either order.

    strength: C, the weight of the orders against the L2 penalty. None chooses it, and a temperature.
    prior_scale: the penalty pulls the utility to so many times the cosine. None chooses it.
    temperature: what utilities are multiplied by. None takes the one that is chosen with the strength or the
        scale, 1 where both are given.
    evaluations: looks at the data at most; tolerance: ends when the gradient has shrunk to this share.
    most_lists: of more than these a random sample is learnt from.
    """

    needs: ClassVar[Literal["lists"]] = "lists"

    strength: Weight | None = None
    prior_scale: Scale | None = None
    evaluations: Count = 100
    tolerance: Rate = 1e-3
    most_lists: Count = 3_000
    temperature: Weight | None = None

    def __post_init__(self) -> None:
        refuse_outside(self)

    def fit(
        self,
        data: Ranked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedOrderHead":
        """Minimise C · Σ weight · -log likelihood of the orders + |w - prior|² / 2 by L-BFGS.

        Convex: `start` does not change the answer beyond the tolerance; the generator draws the lists
        on which strength and scale are chosen. Raises NotEnoughDataError without two candidates that
        differ in place.
        """
        if not any(len(set(places.tolist())) > 1 for places in data.places):
            raise NotEnoughDataError(
                "An order head needs a list whose candidates are not all equal."
            )
        if data.lists.lists > self.most_lists:
            data = data.subset(
                np.sort(rng.choice(data.lists.lists, self.most_lists, replace=False))
            )
        report(0, self.evaluations)
        problem = _Problem.of(data)
        former = start.weights if isinstance(start, FittedOrderHead) else None
        choice = self._choice(problem, rng, report, former)
        if self.temperature is not None:
            choice = replace(choice, temperature=self.temperature)
        weights = self._solve(problem, choice.strength, choice.scale or 0.0, former, report)
        report(self.evaluations, self.evaluations)
        utility = np.float32(choice.temperature) * (problem.x @ weights)
        return FittedOrderHead(
            weights=weights, log_tie=davidson.tie_of(*_pairs(data, utility)), choice=choice
        )

    def settle(self, fitted: "FittedOrderHead") -> "OrderHead":
        """The same head with the strength, the scale and the temperature that `fitted` chose."""
        choice = fitted.choice
        return replace(
            self,
            strength=choice.strength,
            prior_scale=choice.scale,
            temperature=choice.temperature,
        )

    def _choice(
        self,
        problem: "_Problem",
        rng: np.random.Generator,
        report: Report,
        former: NDArray[np.float32] | None,
    ) -> Choice:
        grid = Grid(
            strengths=STRENGTHS if self.strength is None else (self.strength,),
            scales=SCALES if self.prior_scale is None else (self.prior_scale,),
            begin=FEW,
            few=FEW,
        )
        if len(grid.strengths) == len(grid.scales) == 1:
            return grid.usual

        def beat(_done: int, _total: int) -> None:
            report(0, self.evaluations)

        def cost(learn: Rows, ask: Rows, strength: float, scale: float) -> NDArray[np.float64]:
            weights = self._solve(problem.subset(learn), strength, scale, former, beat)
            return problem.subset(ask).costs(weights, TEMPERATURES)

        return choose(problem.lists, cost, rng, grid)

    def _solve(
        self,
        problem: "_Problem",
        strength: float,
        scale: float,
        former: NDArray[np.float32] | None,
        report: Report,
    ) -> NDArray[np.float32]:
        centre = prior(problem.x.shape[1] // 2, scale)
        begin = former if former is not None and len(former) == len(centre) else centre
        return minimise(
            lambda point: problem.loss(strength, centre, point),
            begin,
            evaluations=self.evaluations,
            tolerance=self.tolerance,
            after_step=lambda used: report(min(used, self.evaluations), self.evaluations),
        ).point

    @classmethod
    def load(cls, folder: Path) -> "FittedOrderHead":
        """The head that `FittedOrderHead.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        return FittedOrderHead(
            weights=arrays["weights"],
            log_tie=float(manifest["log_tie"]),
            choice=Choice(**manifest["choice"]),
        )


@dataclass(frozen=True, kw_only=True)
class FittedOrderHead:
    """weights: (2 d,) float32 of √d q * c and of c; log_tie: see `davidson`; choice: strength,
    temperature and scale of the fit.
    """

    weights: NDArray[np.float32]
    log_tie: float
    choice: Choice

    def order(self, lists: Lists) -> Ordered:
        """What it says of lists; vectors are read block by block."""
        require(
            lists.vectors.shape[1] * 2 == len(self.weights),
            f"Vectors must have {len(self.weights) // 2} dimensions, not {lists.vectors.shape[1]}.",
        )
        utility = np.float32(self.choice.temperature) * np.concatenate(
            [
                features(lists.block(block)) @ self.weights
                for block in row_blocks(lists.lists, BLOCK_LISTS)
            ]
            or [np.zeros(0, dtype=np.float32)]
        )
        starts = np.concatenate([[0], np.cumsum(lists.counts)]).astype(np.int64)
        return Ordered(
            starts=starts,
            utility=utility.astype(np.float32),
            width=davidson.width_of(self.log_tie),
            margins=davidson.margins_of(utility, starts, self.log_tie),
        )

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.rankers.load` reads them."""
        manifest = {
            "student": "order-head",
            "log_tie": self.log_tie,
            "choice": asdict(self.choice),
        }
        save_folder(folder, {"weights": self.weights}, manifest)


def features(lists: Lists) -> NDArray[np.float32]:
    """(M, 2 d) float32 of all candidates: √d q * c, whose entries are of the size of those of c, and c."""
    counts = lists.counts
    home = np.repeat(np.asarray(lists.starts)[:-1], counts)
    own = np.arange(len(home)) + np.repeat(np.arange(len(counts)), counts) + 1
    asked = np.asarray(lists.vectors[home], dtype=np.float32)
    candidate = np.asarray(lists.vectors[own], dtype=np.float32)
    root = np.float32(np.sqrt(asked.shape[1]))
    return np.concatenate([root * asked * candidate, candidate], axis=1)


def prior(dimensions: int, scale: float) -> NDArray[np.float32]:
    """(2 d,) the map that says so many times the cosine of what is asked and a candidate."""
    weights = np.zeros(2 * dimensions, dtype=np.float32)
    weights[:dimensions] = scale / np.sqrt(dimensions)
    return weights


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """One fit: x (M, 2 d) the features of the candidates, and the orders of them."""

    x: NDArray[np.float32]
    orders: Orders
    data: Ranked

    @classmethod
    def of(cls, data: Ranked) -> "_Problem":
        return cls(x=features(data.lists), orders=Orders.of(data), data=data)

    @property
    def lists(self) -> int:
        return self.data.lists.lists

    def subset(self, lists: Rows) -> "_Problem":
        return _Problem.of(self.data.subset(lists))

    def costs(
        self, weights: NDArray[np.float32], temperatures: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(t,) the summed cost with the utilities times each temperature."""
        utility = self.x @ weights
        return np.array(
            [
                float(self.orders.cost(np.float32(t) * utility)[0] @ self.orders.weight)
                for t in temperatures
            ]
        )

    def loss(
        self, strength: float, centre: NDArray[np.float32], point: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32]]:
        """Value and gradient at `point`."""
        cost, slope = self.orders.cost(self.x @ point)
        away = point - centre
        value = strength * float(cost @ self.orders.weight) + 0.5 * float(away @ away)
        gradient = np.float32(strength) * (self.x.T @ slope.astype(np.float32)) + away
        return value, gradient


def _pairs(
    data: Ranked, utility: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(p,) differences in utility of each two candidates of a list, and which of them is the better."""
    differences, outcomes, start = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], 0
    for places in data.places:
        one, other = np.triu_indices(len(places), 1)
        own = utility[start : start + len(places)].astype(np.float64)
        differences.append(own[one] - own[other])
        outcomes.append(np.sign(places[other] - places[one]))
        start += len(places)
    return np.concatenate(differences), np.concatenate(outcomes)
