"""The layout that only turns and flattens: principal components."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ParameterError
from learning.layouts import Drawn
from learning.layouts.places import components, filled, some, unit_square
from learning.types import Bools, Floats, Report, no_report, row_blocks


@dataclass(frozen=True, kw_only=True)
class Pca:
    """Show items along the two directions in which they differ most. Source: Pearson 1901; Hotelling
    1933.

    landmarks: items at most among which later ones are placed.
    """

    landmarks: int = 5_000

    def __post_init__(self) -> None:
        if self.landmarks < 1:
            raise ParameterError("A layout needs at least one landmark.")

    def draw(
        self,
        vectors: Floats,
        eligible: Bools,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> Drawn:
        """(n, 2) places in 0 … 1; see `Layout`."""
        rows = filled(vectors, eligible)
        mean, axes = components(vectors, rows, 50, rng)
        flat = np.zeros((len(rows), 2), dtype=np.float32)
        used = axes[:2]
        for block in row_blocks(len(rows)):
            report(block.start, len(rows))
            given = np.asarray(vectors[rows[block]], dtype=np.float32)
            flat[block, : len(used)] = (given - mean) @ used.T
        xy = np.full((len(vectors), 2), np.nan, dtype=np.float32)
        xy[rows] = unit_square(flat, flat)
        report(len(rows), len(rows))
        return Drawn(xy=xy, mean=mean, axes=axes, landmarks=some(rows, self.landmarks, rng))
