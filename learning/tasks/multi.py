"""Multi-label: an answer names any number of labels, none included."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning import metrics
from learning.consensus import CONSENSUS, OF_GRADES
from learning.consensus.agreement import Distance, jaccard
from learning.errors import ShapeError
from learning.selection import ASKED, GRADED, HEARD, MEASURED, STRATEGIES
from learning.tasks.columns import Columns
from learning.tasks.labels import LabelsAlone
from learning.types import Bools, Floats, require


@dataclass(frozen=True, kw_only=True)
class Multi(LabelsAlone):
    """Any number of labels per item, compared by Jaccard distance. Source: Jaccard 1912."""

    multi_label: ClassVar[bool] = True
    measure: ClassVar[str] = "jaccard"
    headline: ClassVar[str] = "micro_f1"
    strategies: ClassVar[tuple[str, ...]] = tuple(
        name for name in STRATEGIES if name not in ASKED | GRADED | HEARD | MEASURED
    )
    consensus: ClassVar[tuple[str, ...]] = tuple(
        name for name in CONSENSUS if name not in OF_GRADES
    )
    conformal: ClassVar[tuple[str, ...]] = ("inner-outer", "label-powerset")

    def encode(self, answers: Sequence[Sequence[int]], columns: Columns) -> NDArray[np.float32]:
        """(n, k) ones and zeros; archived labels are left out of the answers."""
        for answer in answers:
            if len(set(answer)) != len(answer):
                raise ShapeError("A multi-label answer names each label once at most.")
        return columns.hot(answers)

    def usable(self, targets: Floats) -> Bools:
        """(n,) bool, all True: an answer without labels says something too."""
        return np.ones(len(targets), dtype=np.bool_)

    def known(self, targets: Floats, columns: Columns) -> Bools:
        """(n, k) bool for TrainingData: archived columns are not known and get no probability."""
        return np.tile(columns.active, (len(targets), 1))

    def decode(self, probabilities: Floats, columns: Columns) -> list[list[int]]:
        """The labels of each row with probability 0.5 or more that are not archived."""
        chosen = self.chosen(np.where(columns.active, probabilities, 0)) & columns.active  # (n, k)
        return [[columns.label_ids[column] for column in np.flatnonzero(row)] for row in chosen]

    def correct(self, truth: Floats, predicted: Floats) -> Bools:
        """(n,) bool: exactly the true labels are predicted."""
        return np.asarray(((truth >= 0.5) == (predicted >= 0.5)).all(axis=1), dtype=np.bool_)

    def chosen(self, probabilities: Floats) -> Bools:
        """(n, k) bool: the labels with probability 0.5 or more."""
        return np.asarray(probabilities >= 0.5, dtype=np.bool_)

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """exact_match, micro_f1, macro_f1, hamming_loss and calibration_error."""
        require(truth.shape == predicted.shape, "Truth and prediction differ in shape.")
        t, p = truth >= 0.5, self.chosen(predicted)
        micro, macro = metrics.micro_macro_f1(t, p)
        confidence = np.where(p, predicted, 1 - predicted)
        return {
            "n": float(len(t)),
            "exact_match": float(np.mean((t == p).all(axis=1))),
            "micro_f1": micro,
            "macro_f1": macro,
            "hamming_loss": float(np.mean(t != p)),
            "calibration_error": metrics.calibration_error(confidence.ravel(), (t == p).ravel()),
        }

    def mended(self, given: Sequence[int], label: int, said: Floats, columns: Columns) -> list[int]:
        """The answer with one label the other way round: given where it was not, and not where it was."""
        others = [each for each in given if each != label]
        return others if label in given else [*others, label]

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """Disagreement of two answers: 1 - |common| / |either|; two empty answers agree (0)."""
        return jaccard(frozenset(a), frozenset(b))

    def apart(self, columns: Columns) -> Distance:
        """Answers are sets of labels that may have some in common."""
        return jaccard
