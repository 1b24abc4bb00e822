"""Rating: an answer is one grade of an ordered scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from learning import metrics
from learning.consensus import CONSENSUS
from learning.consensus.agreement import Grades
from learning.selection import ASKED, HEARD, LABELWISE, MEASURED, STRATEGIES
from learning.tasks.columns import Columns
from learning.tasks.single import Single
from learning.types import Floats


@dataclass(frozen=True, kw_only=True)
class Rating(Single):
    """One grade per item, compared by the steps between grades. Source: Krippendorff 2011 (ordinal).

    The labels are the grades, the lowest in column 0; an archived grade keeps its step.
    """

    ordered: ClassVar[bool] = True
    measure: ClassVar[str] = "ordinal"
    headline: ClassVar[str] = "quadratic_kappa"
    strategies: ClassVar[tuple[str, ...]] = tuple(
        name for name in STRATEGIES if name not in ASKED | HEARD | LABELWISE | MEASURED
    )
    consensus: ClassVar[tuple[str, ...]] = tuple(CONSENSUS)

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """What `Single` tells, and quadratic_kappa (1 best, 0 as by chance), mean_absolute_error in
        grades (0 best) and within_one, the share that is one grade off at most.
        """
        found = super().metrics(truth, predicted, columns)
        t, p = truth.argmax(axis=1), predicted.argmax(axis=1)
        steps = np.abs(t - p)
        return found | {
            "quadratic_kappa": metrics.quadratic_kappa(t, p),
            "mean_absolute_error": float(steps.mean()),
            "within_one": float(np.mean(steps <= 1)),
        }

    def distance(self, a: Sequence[int], b: Sequence[int], columns: Columns) -> float:
        """Steps between two grades as a share of the whole scale."""
        steps = abs(columns.column(a[0]) - columns.column(b[0]))
        return steps / max(len(columns) - 1, 1)

    def apart(self, columns: Columns) -> Grades:
        """Grades are as far apart as there are answers between them."""
        return Grades(places={label: place for place, label in enumerate(columns.label_ids)})
