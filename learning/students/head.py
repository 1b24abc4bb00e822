"""The student that is there within a second: a linear head on frozen encodings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.bounds import Count, Rate, Scale, Weight, Within, refuse_outside
from learning.encoders.apart import meeting
from learning.errors import NotEnoughDataError, ShapeError
from learning.storage import load_folder, save_folder
from learning.students.decision import HALF, best_cut, tilted
from learning.students.lbfgs import minimise
from learning.students.parted import PartedHead, fit_parts, opened
from learning.students.regression import Problem, sigmoid, softmax
from learning.students.strength import (
    FEWEST_ROWS,
    OWNS,
    SCALES,
    STRENGTHS,
    TEMPERATURES,
    TOWARDS,
    USUAL_OWN,
    Choice,
    Grid,
    Rows,
    choose,
    splits,
)
from learning.types import Floats, Report, TrainingData, require, row_blocks

# Rows on which it is chosen how much the own vectors of two texts count.
MOST_COMPARED = 1_500


@dataclass(frozen=True, kw_only=True)
class Head:
    """Softmax, ordinal or one-vs-rest regression on frozen encodings, warm-started, its weights drawn to
    what the labels are called. Source: Cox 1958; Chang et al. 2008 (the prior); L-BFGS, Nocedal 1980;
    grades (`TrainingData.ordered`): Goodman 1979, see `regression.graded`.

    strength: C, the weight of the labels against the L2 penalty; larger trusts labels more. None
        chooses it, with a temperature for the probabilities, on held-out rows.
    temperature: what logits are multiplied by. None takes the one that is chosen with the strength or
        the scale, 1 where both are given.
    prior_scale: the penalty pulls the weights to so many times the label vectors less their mean,
        where the data has label vectors; 0 pulls to zero. None chooses it on held-out rows.
    class_weights: "balanced" lets rare labels count more.
    own: of two texts (`TrainingData.paired`), how much their own vectors are of what they have in common,
        see `learning.encoders.apart.meeting`. None chooses it too, where a strength is chosen.
    cut: with several labels an item, the probability from which on a label is to be given: where it is not a half,
        logits are moved so that a half means it. None takes that of the best F1, by what held-out rows are
        told to be (`learning.students.decision`); a probability then says which side of it a label is on, and
        is no share any more.
    evaluations: looks at the data at most.
    tolerance: ends when the gradient has shrunk to this share.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "encodings"

    strength: Weight | None = None
    evaluations: Count = 200
    tolerance: Rate = 1e-3
    prior_scale: Scale | None = None
    class_weights: Literal["none", "balanced"] = "none"
    own: Weight | None = None
    cut: Annotated[float, Within(0, 1, above=True, below=True)] | None = HALF
    temperature: Weight | None = None

    def __post_init__(self) -> None:
        refuse_outside(self)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedHead | PartedHead":
        """Minimise C · Σ weight · cross-entropy + |W - centre|² / 2 by L-BFGS in float32.

        Convex: at a given strength and scale neither the generator nor `start` changes the answer beyond
        the tolerance; `start` makes it faster. The generator draws the rows on which a strength
        is chosen; the choice of `start` is kept until there are a quarter more rows.
        Of a form each question has a head of its own. Raises NotEnoughDataError for no rows.
        """
        if data.encodings is None:
            raise ShapeError("A head learns from encodings; the data has none.")
        if data.rows == 0:
            raise NotEnoughDataError("A head needs at least one labelled item.")
        if data.parts:
            return fit_parts(
                lambda lesson, former, told: self.fit_one(lesson, rng, told, former),
                data,
                report,
                start,
            )
        return self.fit_one(data, rng, report, start)

    def fit_one(
        self, data: TrainingData, rng: np.random.Generator, report: Report, start: Any = None
    ) -> "FittedHead":
        """As `fit`, of labels that answer one question."""
        former = start if isinstance(start, FittedHead) else None
        report(0, self.evaluations)
        own = self._own(data, rng, report, former)
        problem = Problem.of(data, balanced=self.class_weights == "balanced", own=own)
        choice = self._choice(problem, self._grid(problem), rng, report, former)
        choice = self._completed(problem, choice, rng, report)
        fitted = self._fitted(problem, choice, report, former)
        return replace(fitted, own=own if data.paired else None)

    def _own(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        former: "FittedHead | None",
    ) -> float:
        """How much texts' own vectors count: what held-out rows of a sample cost least by."""
        ways = self._ways(data, former)
        if len(ways) == 1:
            return ways[0]
        if data.rows > MOST_COMPARED:
            data = data.subset(np.sort(rng.choice(data.rows, MOST_COMPARED, replace=False)))
        seed, costs = int(rng.integers(2**62)), []
        for own in ways:
            problem = Problem.of(data, balanced=self.class_weights == "balanced", own=own)
            drawn = np.random.default_rng(seed)  # the same rows are held out
            choice = self._choice(problem, self._grid(problem), drawn, report, None)
            if choice.cost is None:
                return USUAL_OWN  # too few rows to choose by
            costs.append(choice.cost)
        return ways[int(np.argmin(costs))]

    def _ways(self, data: TrainingData, former: "FittedHead | None") -> tuple[float, ...]:
        """How much texts' own vectors may count: what was given, or chosen already, is no choice."""
        if not data.paired:
            return (USUAL_OWN,)
        if former is not None and former.own is not None:
            named = data.label_vectors is not None
            if former.choice.holds_for(data.rows, named=named):
                return (former.own,)
        if self.own is not None:
            return (self.own,)
        return OWNS if self.strength is None else (USUAL_OWN,)

    def fit_towards(
        self,
        taught: "FittedHead",
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        grid: Grid = TOWARDS,
    ) -> "FittedHead":
        """As `fit`, but the weights are pulled to those of `taught`, a head of the same columns, instead
        of to the label vectors; how strongly is chosen from `grid` on held-out rows of `data`.

        Source: Chang et al. 2008 (the prior). Raises ShapeError where the columns or dimensions differ.
        """
        problem = Problem.of(
            data, balanced=self.class_weights == "balanced", own=taught.own or USUAL_OWN
        )
        require(
            taught.weights.shape == (problem.d, problem.k),
            f"The taught head has weights {taught.weights.shape}, not {(problem.d, problem.k)}.",
        )
        problem = replace(problem, named=taught.weights)
        report(0, self.evaluations)
        choice = self._choice(problem, grid, rng, report, taught)
        choice = self._completed(problem, choice, rng, report)
        return replace(self._fitted(problem, choice, report, taught), own=taught.own)

    def _fitted(
        self, problem: Problem, choice: Choice, report: Report, former: "FittedHead | None"
    ) -> "FittedHead":
        problem = problem.towards(choice.scale or 0.0)
        point = self._solve(problem, choice.strength, problem.begin(former), self.tolerance, report)
        report(self.evaluations, self.evaluations)
        table = problem.table(point)
        return FittedHead(
            weights=table[:-1].copy(),
            bias=table[-1].copy(),
            active=problem.active,
            multi_label=problem.multi_label,
            choice=choice,
        )

    def settle(self, fitted: "FittedHead | PartedHead") -> "Head":
        """The same head with all that `fitted` chose: strength, scale, temperature, own vectors' weight and
        cut; of a form each question goes on choosing for itself.
        """
        if isinstance(fitted, PartedHead):
            return self
        choice = fitted.choice
        scale = self.prior_scale if choice.scale is None else choice.scale
        own = self.own if fitted.own is None else fitted.own
        cut = choice.cut if self.cut is None else self.cut
        return replace(
            self,
            strength=choice.strength,
            prior_scale=scale,
            own=own,
            cut=cut,
            temperature=choice.temperature,
        )

    def _choice(
        self,
        problem: Problem,
        grid: Grid,
        rng: np.random.Generator,
        report: Report,
        former: "FittedHead | None",
    ) -> Choice:
        if len(grid.strengths) == len(grid.scales) == 1:
            return grid.usual
        rows = len(problem.x)
        if former is not None and former.choice.holds_for(rows, named=problem.named is not None):
            return former.choice
        points: dict[int, NDArray[np.float32]] = {}

        def beat(_done: int, _total: int) -> None:
            report(0, self.evaluations)  # a cancel passes through; progress begins after this

        def cost(learn: Rows, ask: Rows, strength: float, scale: float) -> NDArray[np.float64]:
            whole = problem.towards(scale)
            part, begin = whole.subset(learn), points.get(int(ask[0]), whole.begin(former))
            point = self._solve(part, strength, begin, 10 * self.tolerance, beat)
            points[int(ask[0])] = point  # the next place begins where this one ended
            return problem.subset(ask).costs(point, TEMPERATURES)

        return choose(rows, cost, rng, grid, int((problem.y > 0).any(axis=0).sum()))

    def _completed(
        self, problem: Problem, choice: Choice, rng: np.random.Generator, report: Report
    ) -> Choice:
        """The choice with a temperature that was given, and with the probability at it from which on a label
        is given; few rows leave that at a half.
        """
        if self.temperature is not None:
            choice = replace(choice, temperature=self.temperature)
        if self.cut is not None:
            return replace(choice, cut=self.cut)
        rows = len(problem.x)
        if not problem.multi_label or rows < FEWEST_ROWS:
            return replace(choice, cut=HALF)

        def beat(_done: int, _total: int) -> None:
            report(0, self.evaluations)

        whole, told = problem.towards(choice.scale or 0.0), []
        for learn, ask in splits(rows, rng):
            part = whole.subset(learn)
            point = self._solve(part, choice.strength, part.begin(None), 10 * self.tolerance, beat)
            table = problem.table(point)
            logits = problem.x[ask] @ table[:-1] + table[-1]
            told.append(sigmoid(np.float32(choice.temperature) * logits)[:, problem.active])
        return replace(choice, cut=best_cut(np.vstack(told)))

    def _grid(self, problem: Problem) -> Grid:
        """What is left to choose between: what was given is no choice."""
        scales: tuple[float | None, ...] = (None,)
        if problem.named is not None:
            scales = SCALES if self.prior_scale is None else (self.prior_scale,)
        return Grid(
            strengths=STRENGTHS if self.strength is None else (self.strength,), scales=scales
        )

    def _solve(
        self,
        problem: Problem,
        strength: float,
        begin: NDArray[np.float32],
        tolerance: float,
        report: Report,
    ) -> NDArray[np.float32]:
        return minimise(
            partial(problem.loss, strength),
            begin,
            evaluations=self.evaluations,
            tolerance=tolerance,
            after_step=lambda used: report(min(used, self.evaluations), self.evaluations),
        ).point

    @classmethod
    def load(cls, folder: Path) -> "FittedHead | PartedHead":
        """The head that `FittedHead.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        if "parts" in manifest:
            return opened(arrays, manifest)
        return FittedHead(
            weights=arrays["weights"],
            bias=arrays["bias"],
            active=arrays["active"].astype(np.bool_),
            multi_label=bool(manifest["multi_label"]),
            choice=Choice(**manifest["choice"]),
            own=manifest.get("own"),
        )


@dataclass(frozen=True, kw_only=True)
class FittedHead:
    """A linear map and its label columns.

    weights: (d, k) float32; bias: (k,) float32; active: (k,) bool, False where no probability goes;
    choice: strength and temperature of the fit; own: it reads (n, d / 2) encodings of two texts side by
    side, by `learning.encoders.apart.meeting`; None where it reads those of one.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    active: NDArray[np.bool_]
    multi_label: bool
    choice: Choice
    own: float | None = None

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.bias)

    def part(self, columns: Sequence[int]) -> "FittedHead":
        """The same with these of its label columns only, in this order."""
        kept = list(columns)
        return replace(
            self, weights=self.weights[:, kept], bias=self.bias[kept], active=self.active[kept]
        )

    def predict(self, items: Floats | Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
        """(n, d) encodings -> (n, k) float32, read block by block so a memmap is never copied."""
        if not isinstance(items, np.ndarray):
            raise ShapeError("A head predicts from encodings, not from texts.")
        width = len(self.weights) // (1 if self.own is None else 2)
        require(
            items.ndim == 2 and items.shape[1] == width,
            f"Encodings must have shape (n, {width}), not {items.shape}.",
        )
        result = np.empty((len(items), self.labels), dtype=np.float32)
        for block in row_blocks(len(items)):
            logits = self._read(items[block]) @ self.weights + self.bias
            logits *= np.float32(self.choice.temperature)
            if self.multi_label:
                result[block] = sigmoid(tilted(logits, self.choice.cut)) * self.active
            else:
                logits[:, ~self.active] = -np.inf
                result[block] = softmax(logits)
        return result

    def _read(self, rows: Floats) -> NDArray[np.float32]:
        if self.own is None:
            return np.asarray(rows, dtype=np.float32)
        return meeting(rows, self.own)

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.students.load` reads them."""
        arrays: dict[str, NDArray[Any]] = {
            "weights": self.weights,
            "bias": self.bias,
            "active": self.active.astype(np.uint8),
        }
        manifest = {
            "student": "head",
            "multi_label": self.multi_label,
            "choice": asdict(self.choice),
            "own": self.own,
        }
        save_folder(folder, arrays, manifest)
