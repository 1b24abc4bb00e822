"""Selection by how far apart the grades lie that the student holds for likely."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ParameterError, ShapeError
from learning.scores import grade_moments
from learning.selection.kmeans import kmeans
from learning.selection.margin import smallest
from learning.selection.margin_diverse import in_turns
from learning.selection.reading import (
    Matrix,
    Rows,
    encodings_of,
    finite,
    label_name,
    labels_of,
    nothing,
    percent,
    points_of,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection

LEAST_WEIGHT = np.float32(1e-3)


@dataclass(frozen=True, kw_only=True)
class ExpectedVariance:
    """Keep the items whose grade has the largest variance by the student's probabilities, between 1
    and 5 more than between 3 and 4; group them by k-means weighted by it, and take the item nearest
    each centre. Source: Settles 2012 (variance as uncertainty about a number); Zhdanov 2019 (the groups).

    Columns are the grades, the lowest first; one that is archived keeps its step.

    factor: how many times the wanted number are kept; larger is more diverse and less in doubt.
    most: kept at most, however many are wanted; but never fewer than are wanted.
    groups: centres at most; when more items are wanted, each group gives its next in doubt.
    rounds: k-means rounds at most.
    Cost: one pass over the probabilities, then factor x n x n x d for one batch.
    """

    factor: float = 5.0
    most: int = 20_000
    groups: int = 500
    rounds: int = 10

    def __post_init__(self) -> None:
        if self.factor < 1 or min(self.most, self.groups, self.rounds) < 1:
            raise ParameterError(
                "Expected variance needs factor, most, groups and rounds from 1 on."
            )

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows; one item of every group before any group gives a second.

        With kept columns the variance is that of the kept grades. Raises NeedsStudentError without
        probabilities, NotEnoughDataError without encodings, ShapeError when something is not a
        number, or where an item has several labels.
        """
        if pool.multi_label:
            raise ShapeError("The variance of the grade needs one grade an item, not any number.")
        probabilities = probabilities_of(pool, "The variance of the grade")
        encodings = encodings_of(pool, "The variance of the grade")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        means, variances = grade_moments(probabilities, pool.columns)
        spread = finite(variances[candidates], "student's probabilities")
        keep = max(take, min(int(self.factor * take), self.most, len(candidates)))
        kept = np.sort(smallest(-spread, keep, rng)[0])
        points = points_of(encodings, candidates[kept])
        weights = np.maximum(spread[kept], LEAST_WEIGHT)
        centres = kmeans(points, min(take, self.groups), self.rounds, rng, weights)
        places, _, _ = in_turns(points, centres, -spread[kept], take)
        rows = candidates[kept[places]]
        return Selection(
            rows=rows,
            probabilities=np.ones(take),
            reasons=_reasons(pool, probabilities, rows, means, np.sqrt(variances)),
        )


def _reasons(
    pool: Pool, probabilities: Floats, rows: Rows, means: Matrix, deviations: Matrix
) -> list[str]:
    """(m,) rows, and (n,) expected grades and deviations of the pool, in steps -> m sentences."""
    scale = _numbers(pool)
    found = []
    for row in rows.tolist():
        mean, deviation = float(means[row]), float(deviations[row])
        if scale is None:
            said = f"about {label_name(pool, round(mean))}, ± {deviation:.1f} grades"
        else:
            lowest, step = scale
            said = f"{lowest + step * mean:.1f} ± {abs(step) * deviation:.1f}"
        place = int(probabilities[row].argmax())
        column = place if pool.columns is None else int(pool.columns[row, place])
        likely = percent(probabilities[row, place])
        found.append(f"the student says {said}; likeliest is {label_name(pool, column)}, {likely}")
    return found


def _numbers(pool: Pool) -> tuple[float, float] | None:
    """The lowest grade and the step, where grades are called by evenly spaced numbers."""
    try:
        grades = np.array([float(name) for name in pool.label_names])
    except ValueError:
        return None
    if labels_of(pool) != len(grades) or len(grades) < 2 or not np.isfinite(grades).all():
        return None
    steps = np.diff(grades)
    return (float(grades[0]), float(steps[0])) if np.allclose(steps, steps[0]) else None
