"""Detector: how far an item is from what its label means."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.errors import ParameterError

Doubles = NDArray[np.float64]
ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Prototypes:
    """A label is doubtful when another label's prototype, made without the item, is nearer.
    Source: Qin et al. 2024 (CAPro), of which this is the step from anchors to prototypes.

    Anchors of a label are the items most like its definition where it has one, whatever they are
    labelled; without one, the items labelled so, least typical ones left out. Their mean is the
    prototype, made anew for each fold from the others.

    anchors: items most like a definition. typical: the share of the labelled items that is kept.
    sharpness: of the odds, per unit of cosine.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"encodings"})

    anchors: int = 50
    typical: float = 0.7
    sharpness: float = 10.0

    def __post_init__(self) -> None:
        if self.anchors < 1 or not 0 < self.typical <= 1 or self.sharpness <= 0:
            raise ParameterError("Prototypes need anchors, a share in 0 … 1 and a sharpness.")

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) the odds of the label's prototype against the nearest other one, as a share."""
        alike = self._cosines(evidence)
        apart = evidence.own(alike) - evidence.rival(alike)[1]
        return np.asarray(1 / (1 + np.exp(-self.sharpness * apart)))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """Likeness to the label's prototype and to the nearest other one."""
        alike = self._cosines(evidence)
        own, (other, most) = evidence.own(alike), evidence.rival(alike)
        return [
            f"likeness {own[row]:.2f} to a typical {evidence.name(int(evidence.given[row]))}, "
            f"{most[row]:.2f} to a typical {evidence.name(int(other[row]))}"
            for row in rows
        ]

    def _cosines(self, evidence: Evidence) -> Doubles:
        """(n, k) cosine of each item, centred, with the prototype of each label."""
        assert evidence.encodings is not None  # noqa: S101 - `needs` says so
        points = _unit(np.asarray(evidence.encodings, dtype=np.float64))
        centre = points.mean(axis=0)
        points = _unit(points - centre)
        cosines = np.zeros(evidence.labels.shape)
        fold = evidence.held_out.fold
        for number in range(int(fold.max(initial=-1)) + 1):
            others, rows = fold != number, fold == number
            if evidence.definitions is None:
                made = self._of_labels(points[others], evidence.given[others], evidence.columns)
            else:
                meanings = _unit(_unit(np.asarray(evidence.definitions, np.float64)) - centre)
                made = self._of_definitions(points[others], meanings)
            cosines[rows] = points[rows] @ made.T
        return cosines

    def _of_definitions(self, points: Doubles, meanings: Doubles) -> Doubles:
        count = min(self.anchors, len(points))
        alike = meanings @ points.T  # (k, n)
        top = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        return _unit(points[top].mean(axis=1))

    def _of_labels(self, points: Doubles, given: NDArray[np.int64], labels: int) -> Doubles:
        kept = np.ones(len(points), dtype=np.bool_)
        made = _means(points, given, labels)
        for _ in range(ROUNDS):
            alike = np.einsum("nd,nd->n", points, made[given])
            for label in range(labels):
                rows = np.flatnonzero(given == label)
                if len(rows):
                    kept[rows] = alike[rows] >= np.quantile(alike[rows], 1 - self.typical)
            made = _means(points[kept], given[kept], labels)
        return made


def _means(points: Doubles, given: NDArray[np.int64], labels: int) -> Doubles:
    """(k, d) unit means; zeros for a label without items."""
    hot = np.zeros((labels, len(points)))
    hot[given, np.arange(len(points))] = 1
    return _unit(hot @ points)


def _unit(vectors: Doubles) -> Doubles:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))
