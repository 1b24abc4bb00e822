"""The student that is there within a second: a linear head on frozen encodings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.storage import load_folder, save_folder
from learning.students.lbfgs import minimise
from learning.types import Floats, Report, TrainingData, require, row_blocks

FREE_BIAS = np.float32(1e-3)  # the bias is all but unpenalised; a label never seen stays finite


@dataclass(frozen=True, kw_only=True)
class Head:
    """Softmax or one-vs-rest regression on frozen encodings, warm-started.
    Source: Cox 1958; fitted by L-BFGS, Nocedal 1980.

    strength: C, the weight of the labels against the L2 penalty; larger trusts labels more.
    evaluations: looks at the data at most.
    tolerance: ends when the gradient has shrunk to this share.
    """

    needs: ClassVar[Literal["encodings", "texts"]] = "encodings"

    strength: float = 30.0
    evaluations: int = 200
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.strength <= 0 or self.evaluations < 1 or self.tolerance <= 0:
            raise ParameterError("A head needs strength, evaluations and tolerance above 0.")

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedHead":
        """Minimise C · Σ weight · cross-entropy + |W|² / 2 by L-BFGS in float32.

        Convex, so neither the generator nor `start` changes the answer beyond the tolerance;
        `start` only makes it faster. Raises NotEnoughDataError for no rows.
        """
        if data.encodings is None:
            raise ShapeError("A head learns from encodings; the data has none.")
        if data.rows == 0:
            raise NotEnoughDataError("A head needs at least one labelled item.")
        problem = _Problem.of(data, self.strength)
        report(0, self.evaluations)
        found = minimise(
            problem.loss,
            problem.begin(start),
            evaluations=self.evaluations,
            tolerance=self.tolerance,
            after_step=lambda used: report(used, self.evaluations),
        )
        report(self.evaluations, self.evaluations)
        table = found.point.reshape(problem.d + 1, problem.k)
        return FittedHead(
            weights=table[:-1].copy(),
            bias=table[-1].copy(),
            active=problem.active,
            multi_label=data.multi_label,
        )

    @classmethod
    def load(cls, folder: Path) -> "FittedHead":
        """The head that `FittedHead.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        return FittedHead(
            weights=arrays["weights"],
            bias=arrays["bias"],
            active=arrays["active"].astype(np.bool_),
            multi_label=bool(manifest["multi_label"]),
        )


@dataclass(frozen=True, kw_only=True)
class FittedHead:
    """A linear map and its label columns.

    weights: (d, k) float32; bias: (k,) float32; active: (k,) bool, False where no probability goes.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    active: NDArray[np.bool_]
    multi_label: bool

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.bias)

    def predict(self, items: Floats | Sequence[str]) -> NDArray[np.float32]:
        """(n, d) encodings -> (n, k) float32, read block by block so a memmap is never copied."""
        if not isinstance(items, np.ndarray):
            raise ShapeError("A head predicts from encodings, not from texts.")
        require(
            items.ndim == 2 and items.shape[1] == len(self.weights),
            f"Encodings must have shape (n, {len(self.weights)}), not {items.shape}.",
        )
        result = np.empty((len(items), self.labels), dtype=np.float32)
        for block in row_blocks(len(items)):
            logits = np.asarray(items[block], dtype=np.float32) @ self.weights + self.bias
            if self.multi_label:
                result[block] = _sigmoid(logits) * self.active
            else:
                logits[:, ~self.active] = -np.inf
                result[block] = _softmax(logits)
        return result

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.students.load` reads them."""
        arrays: dict[str, NDArray[Any]] = {
            "weights": self.weights,
            "bias": self.bias,
            "active": self.active.astype(np.uint8),
        }
        save_folder(folder, arrays, {"student": "head", "multi_label": self.multi_label})


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """One fit: x (n, d), y (n, k), row weights times C (n, 1), masks."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None
    active: NDArray[np.bool_]
    multi_label: bool

    @classmethod
    def of(cls, data: TrainingData, strength: float) -> "_Problem":
        known = data.known
        active = np.ones(data.labels, dtype=np.bool_)
        if known is not None:
            active = np.asarray(known.any(axis=0), dtype=np.bool_)
        if not active.any():
            raise NotEnoughDataError("Every label is archived: there is nothing to learn.")
        weights = np.ones(data.rows) if data.weights is None else data.weights
        return cls(
            x=np.asarray(data.encodings, dtype=np.float32),
            y=np.asarray(data.targets, dtype=np.float32),
            scale=(strength * np.asarray(weights, dtype=np.float32))[:, None],
            hidden=None if known is None or known.all() else ~known,
            active=active,
            multi_label=data.multi_label,
        )

    @property
    def d(self) -> int:
        return int(self.x.shape[1])

    @property
    def k(self) -> int:
        return int(self.y.shape[1])

    def begin(self, start: "FittedHead | None") -> NDArray[np.float32]:
        """The former head's map, with zeros for labels added since; all zeros without one."""
        table = np.zeros((self.d + 1, self.k), dtype=np.float32)
        if start is not None and len(start.weights) == self.d and start.labels <= self.k:
            table[:-1, : start.labels] = start.weights
            table[-1, : start.labels] = start.bias
        return table.ravel()

    def loss(self, point: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        table = point.reshape(self.d + 1, self.k)
        weights, bias = table[:-1], table[-1]
        logits = self.x @ weights + bias  # (n, k)
        cost, error = self._binary(logits) if self.multi_label else self._softmax(logits)
        error *= self.scale
        gradient = np.empty_like(table)
        np.matmul(self.x.T, error, out=gradient[:-1])
        gradient[:-1] += weights
        gradient[-1] = error.sum(axis=0) + FREE_BIAS * bias
        penalty = 0.5 * (_square(weights) + float(FREE_BIAS) * _square(bias))
        return float((cost * self.scale[:, 0]).sum(dtype=np.float64)) + penalty, gradient.ravel()

    def _softmax(
        self, logits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n,) cross-entropy and (n, k) its gradient by the logits."""
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
        cost = np.maximum(logits, 0) - logits * self.y + np.log1p(np.exp(-np.abs(logits)))
        error = _sigmoid(logits) - self.y
        if self.hidden is not None:
            cost[self.hidden] = 0
            error[self.hidden] = 0
        return cost.sum(axis=1), error


def _square(values: NDArray[np.float32]) -> float:
    flat = values.ravel()
    return float(flat @ flat)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * logits))
    return result


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
