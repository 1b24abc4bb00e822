"""Bench of students: `make bench ONLY=students GRID=quick|full`.

Every cell is filed, so that a run which is stopped goes on where it was.
"""

from bench.figures import Figure, conclude
from bench.learning.vectors import datasets_folder
from bench.students import (
    distilled,
    efficiency,
    few,
    grades,
    heads,
    images,
    many,
    orders,
    sides,
    warm,
)


def run(grid: str) -> list[Figure]:
    """Measure what is not filed yet, print the tables, return the figures."""
    if datasets_folder() is None:
        print("SKIPPED students: DATASETS names no folder with data sets.")
        return conclude("students", grid, [])
    found = heads.figures(grid) + grades.figures(grid) + efficiency.figures(grid)
    found += few.figures(grid) + distilled.figures(grid) + warm.figures(grid)
    found += orders.figures(grid) + sides.figures(grid) + many.figures(grid) + images.figures(grid)
    return conclude("students", grid, found)
