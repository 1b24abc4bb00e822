"""Layouts: many vectors to places on a plane, so that what is alike lies together.

A layout is drawn once and then stands: what is imported later is placed among what is there.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learning.registry import Entry, Registry
from learning.types import Bools, Floats, Report, no_report, require


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Places of n items, and what is needed to place more beside them.

    xy: (n, 2) float32 in 0 … 1; NaN for an item that has no place.
    mean, axes: (d,) and (c, d), the coordinates in which nearness is looked up: (v - mean) @ axes.T.
    landmarks: (m,) rows of the items among which all others are placed.
    """

    xy: NDArray[np.float32]
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    landmarks: NDArray[np.int64]

    def __post_init__(self) -> None:
        require(self.xy.ndim == 2 and self.xy.shape[1] == 2, "Places must have shape (n, 2).")
        require(
            self.axes.ndim == 2 and self.axes.shape[1] == len(self.mean),
            "Axes must have the dimensions of the mean.",
        )


class Layout(Protocol):
    """How places are found."""

    def draw(
        self,
        vectors: Floats,
        eligible: Bools,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> Drawn:
        """Places for the eligible of (n, d) vectors, a memory map maybe; a row of zeros gets none.

        The same vectors and generator give the same places. Raises NotEnoughDataError where no item
        is left.
        """
        ...


LAYOUTS: Registry[Layout] = Registry(
    "layout",
    {
        "tsne": Entry("Neighbours together (t-SNE)", "learning.layouts.tsne:LandmarkTsne"),
        "pca": Entry("Largest differences (principal components)", "learning.layouts.pca:Pca"),
    },
)
