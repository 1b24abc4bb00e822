"""The objective of a linear head: cross-entropy with soft targets, weights and unknown labels."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learning.encoders.apart import evened, meeting, widened
from learning.errors import NotEnoughDataError
from learning.students.balance import label_weights
from learning.students.strength import USUAL_OWN
from learning.types import FAINT, TrainingData

if TYPE_CHECKING:
    from learning.students.head import FittedHead

GRADED = 0.5  # of what weights of grades may vary, the share along the scale
FREE_BIAS = np.float32(1e-3)  # the bias is all but unpenalised; a label never seen stays finite
LOG_FAINT = np.float32(np.log(FAINT))


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fit: x (n, d), y (n, k), weight (n,), hidden (n, k) where a label is not known.

    younger: (n, k) where a label was added after the answer: FAINT of a no; None where none was.
    named: (d, k) what the labels are called, less their mean; None where that is not told.
    centre: (d, k) the map that the penalty pulls towards; None for zero.
    stiffness: (k, k) what the penalty weighs products of two labels' weights by; None for the identity.
    present: (k,) what a present label counts beside an absent one, with several labels; None for 1.
    sided: only maps by which two texts that change places exchange columns 0 and 1 are looked for. That is what
        learning every row once more, with its texts and columns exchanged, comes to, at no cost.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None
    active: NDArray[np.bool_]
    multi_label: bool
    younger: NDArray[np.bool_] | None = None
    named: NDArray[np.float32] | None = None
    centre: NDArray[np.float32] | None = None
    stiffness: NDArray[np.float32] | None = None
    present: NDArray[np.float32] | None = None
    sided: bool = False

    @classmethod
    def of(cls, data: TrainingData, *, balanced: bool = False, own: float = USUAL_OWN) -> "Problem":
        """The data as a problem; `balanced` counts rare labels more, see `label_weights`. own: of paired data,
        see `learning.encoders.apart.meeting`.
        """
        known = data.known
        active = np.ones(data.labels, dtype=np.bool_)
        if known is not None:
            active = np.asarray(known.any(axis=0), dtype=np.bool_)
        if not active.any():
            raise NotEnoughDataError("Every label is archived: there is nothing to learn.")
        weights = np.ones(data.rows) if data.weights is None else data.weights
        plain = cls(
            x=_read(data, own),
            y=np.asarray(data.targets, dtype=np.float32),
            weight=np.asarray(weights, dtype=np.float32),
            hidden=_hidden(data),
            active=active,
            multi_label=data.multi_label,
            younger=data.younger,
            named=_named(data, active, own),
            stiffness=graded(data.labels) if data.ordered and data.labels > 2 else None,
            sided=data.sided and data.paired,
        )
        return plain._balanced(label_weights(data)) if balanced else plain

    def _balanced(self, weights: NDArray[np.float32]) -> "Problem":
        """(k,) weights of present labels; with one label each an item takes that of its label."""
        if self.multi_label:
            return replace(self, present=weights)
        heavier = self.y * weights
        total = heavier.sum(axis=1)
        return replace(self, y=heavier / total[:, None], weight=self.weight * total)

    def towards(self, scale: float) -> "Problem":
        """The same problem with the labels' names, so many times their length, as the centre."""
        if self.named is None or scale == 0:
            return replace(self, centre=None)
        return replace(self, centre=np.float32(scale) * self.named)

    @property
    def d(self) -> int:
        return int(self.x.shape[-1])

    @property
    def k(self) -> int:
        return int(self.y.shape[1])

    def begin(self, start: "FittedHead | None") -> NDArray[np.float32]:
        """The former head's map, with the centre for labels added since; the centre without one."""
        table = np.zeros((self.d + 1, self.k), dtype=np.float32)
        if self.centre is not None:
            table[:-1] = self.centre
        if start is not None and len(start.weights) == self.d and start.labels <= self.k:
            table[:-1, : start.labels] = start.weights
            table[-1, : start.labels] = start.bias
        return table.ravel()

    def subset(self, rows: NDArray[np.int64]) -> "Problem":
        """The same problem on these rows only."""
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            weight=self.weight[rows],
            hidden=None if self.hidden is None else self.hidden[rows],
            younger=None if self.younger is None else self.younger[rows],
        )

    def table(self, point: NDArray[np.float32]) -> NDArray[np.float32]:
        """(d + 1, k) the map that a flat `point` stands for; its last row is the bias."""
        table = point.reshape(self.d + 1, self.k)
        return evened(table) if self.sided else table

    def logits(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, k) of a map (d + 1, k) whose last row is the bias."""
        result: NDArray[np.float32] = self.x @ table[:-1] + table[-1]
        return result

    def gather(self, error: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the gradient by the map (d, k) that the gradient by the logits (n, k) comes to."""
        np.matmul(self.x.T, error, out=out)

    def costs(
        self, point: NDArray[np.float32], temperatures: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(t,) the summed cross-entropy of `point` with its logits times each temperature."""
        logits = self.logits(self.table(point))
        each = self._binary if self.multi_label else self._softmax
        return np.array(
            [float(each(np.float32(t) * logits)[0] @ self.weight) for t in temperatures]
        )

    def loss(
        self, strength: float, point: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32]]:
        """Value and gradient of C · Σ weight · cross-entropy + |W - centre|² / 2 at a flat `point`."""
        table = self.table(point)
        weights, bias = table[:-1], table[-1]
        logits = self.logits(table)  # (n, k)
        cost, error = self._binary(logits) if self.multi_label else self._softmax(logits)
        scale = np.float32(strength) * self.weight  # (n,)
        error *= scale[:, None]
        gradient = np.empty_like(table)
        self.gather(error, gradient[:-1])
        away = weights if self.centre is None else weights - self.centre
        pull: NDArray[np.float32] = away
        if self.stiffness is not None:
            pull = np.matmul(away, self.stiffness)
        gradient[:-1] += pull
        gradient[-1] = error.sum(axis=0) + FREE_BIAS * bias
        penalty = 0.5 * (_product(away, pull) + float(FREE_BIAS) * _product(bias, bias))
        if self.sided:
            gradient = evened(gradient)
        return float((cost * scale).sum(dtype=np.float64)) + penalty, gradient.ravel()

    def _softmax(
        self, logits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n,) cross-entropy and (n, k) its gradient by the logits."""
        if self.younger is not None:
            logits[self.younger] += LOG_FAINT
        if self.hidden is not None:
            logits[self.hidden] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        if self.hidden is not None:
            logits[self.hidden] = 0  # their targets are 0 and must not meet an infinity
        cost = np.log(total[:, 0]) - np.einsum("nk,nk->n", self.y, logits)
        p -= self.y
        return cost, p

    def _binary(
        self, logits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n,) summed binary cross-entropy and (n, k) its gradient by the logits."""
        small = np.log1p(np.exp(-np.abs(logits)))
        cost = np.maximum(logits, 0) - logits * self.y + small
        error = sigmoid(logits) - self.y
        if self.present is not None:
            more = (self.present - 1) * self.y
            cost += more * (np.maximum(-logits, 0) + small)
            error += more * (sigmoid(logits) - 1)
        if self.younger is not None:
            cost[self.younger] *= FAINT
            error[self.younger] *= FAINT
        if self.hidden is not None:
            cost[self.hidden] = 0
            error[self.hidden] = 0
        return cost.sum(axis=1), error


@dataclass(frozen=True, kw_only=True)
class OwnVectors(Problem):
    """The same where each label reads vectors of its own: x is (n, k, d)."""

    @classmethod
    def beside(cls, plain: Problem, x: NDArray[np.float32]) -> "OwnVectors":
        """A problem with other vectors."""
        kept = {each.name: getattr(plain, each.name) for each in fields(plain)}
        return cls(**{**kept, "x": x})

    def logits(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, k), each label's by its own vectors."""
        rows = np.ascontiguousarray(table[:-1].T)
        result: NDArray[np.float32] = np.einsum("nkd,kd->nk", self.x, rows) + table[-1]
        return result

    def gather(self, error: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """As of every problem."""
        out[:] = np.einsum("nkd,nk->kd", self.x, error).T


def _read(data: TrainingData, own: float) -> NDArray[np.float32]:
    """(n, d) what is learnt from: the encodings, or what those of two texts have in common too."""
    encodings = np.asarray(data.encodings, dtype=np.float32)
    return meeting(encodings, own) if data.paired else encodings


def _hidden(data: TrainingData) -> NDArray[np.bool_] | None:
    """(n, k) where nothing is known; None where all is.

    Of a label that nobody has given yet, answers that are older than it tell nothing at all, if it has
    a name to be found by: even a faint no of each would leave it no chance.
    """
    hidden = np.zeros(data.targets.shape, dtype=np.bool_) if data.known is None else ~data.known
    if data.younger is not None and data.label_vectors is not None and not data.multi_label:
        fresh = ~data.targets.any(axis=0) & np.asarray(data.label_vectors).any(axis=1)
        hidden = hidden | (data.younger & fresh)
    return hidden if hidden.any() else None


def _named(data: TrainingData, active: NDArray[np.bool_], own: float) -> NDArray[np.float32] | None:
    """(d, k) label vectors less the mean of those that say something; zeros where one does not."""
    if data.label_vectors is None:
        return None
    vectors = np.asarray(data.label_vectors, dtype=np.float32)
    told = active & vectors.any(axis=1)
    if not told.any():
        return None
    centred = np.where(told[:, None], vectors - vectors[told].mean(axis=0), np.float32(0))
    return np.ascontiguousarray(widened(centred.T, own) if data.paired else centred.T)


def graded(grades: int, share: float = GRADED) -> NDArray[np.float32]:
    """(k, k) stiffness under which weights most easily grow evenly from the lowest grade to the highest.

    It is the inverse of a covariance of trace k, of which `share` (0 … below 1) lies along the scale: at 0
    grades are mere labels, near 1 the head is the adjacent-categories model, whose weights are those of
    one line times the grade. Source: Goodman 1979; Anderson 1984.
    """
    steps = np.arange(grades) - (grades - 1) / 2
    line = np.outer(steps, steps) / (steps @ steps)  # (k, k), a projection
    others = 1 - share
    along = 1 / (others + share * grades) - 1 / others
    return np.asarray(np.eye(grades) / others + along * line, dtype=np.float32)


def _product(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one.ravel() @ other.ravel())


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * logits))
    return result


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
