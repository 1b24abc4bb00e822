"""Single label: every answer names exactly one label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning import metrics
from learning.consensus import CONSENSUS, OF_GRADES
from learning.consensus.agreement import Distance, Grades, nominal
from learning.errors import ShapeError
from learning.selection import ASKED, GRADED, HEARD, LABELWISE, MEASURED, STRATEGIES
from learning.tasks.columns import Columns
from learning.tasks.labels import LabelsAlone
from learning.types import Bools, Floats, require


@dataclass(frozen=True, kw_only=True)
class Single(LabelsAlone):
    """One label per item, compared by equality. Source: multinomial classification, textbook."""

    multi_label: ClassVar[bool] = False
    measure: ClassVar[str] = "nominal"
    headline: ClassVar[str] = "accuracy"
    strategies: ClassVar[tuple[str, ...]] = tuple(
        name for name in STRATEGIES if name not in LABELWISE | ASKED | GRADED | HEARD | MEASURED
    )
    consensus: ClassVar[tuple[str, ...]] = tuple(
        name for name in CONSENSUS if name not in OF_GRADES
    )
    conformal: ClassVar[tuple[str, ...]] = ("lac", "aps", "raps", "class-conditional")

    def encode(self, answers: Sequence[Sequence[int]], columns: Columns) -> NDArray[np.float32]:
        """(n, k) one-hot; an answer with an archived label becomes a row of zeros (see usable)."""
        for answer in answers:
            if len(answer) != 1:
                raise ShapeError(f"A single-label answer names one label, not {len(answer)}.")
        return columns.hot(answers)

    def usable(self, targets: Floats) -> Bools:
        """(n,) bool: rows that still name a label and so can be learnt from."""
        return np.asarray(targets.sum(axis=1) > 0.5, dtype=np.bool_)

    def known(self, targets: Floats, columns: Columns) -> Bools:
        """(n, k) bool for TrainingData: archived columns are not known and get no probability."""
        return np.tile(columns.active, (len(targets), 1))

    def decode(self, probabilities: Floats, columns: Columns) -> list[list[int]]:
        """The most likely label of each row that is not archived."""
        if not columns.active.any():
            raise ShapeError("Every label is archived: there is none to decide for.")
        masked = np.where(columns.active, probabilities, -1.0)  # (n, k)
        return [[columns.label_ids[column]] for column in masked.argmax(axis=1)]

    def chosen(self, probabilities: Floats) -> Bools:
        """(n, k) bool: the likeliest label."""
        best = np.asarray(probabilities).argmax(axis=1)
        return np.asarray(best[:, None] == np.arange(probabilities.shape[1]), dtype=np.bool_)

    def mended(self, given: Sequence[int], label: int, said: Floats, columns: Columns) -> list[int]:
        """The likeliest of the other labels, by (k,) probabilities."""
        others = np.where(np.array(columns.label_ids) == label, -1.0, said)
        return [columns.label_ids[int(others.argmax())]]

    def correct(self, truth: Floats, predicted: Floats) -> Bools:
        """(n,) bool: the most likely label is the true one."""
        return np.asarray(truth.argmax(axis=1) == predicted.argmax(axis=1), dtype=np.bool_)

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """accuracy, macro_f1 and calibration_error of (n, k) probabilities against the truth."""
        require(truth.shape == predicted.shape, "Truth and prediction differ in shape.")
        t, p = truth.argmax(axis=1), predicted.argmax(axis=1)
        return {
            "n": float(len(t)),
            "accuracy": metrics.accuracy(t, p),
            "macro_f1": metrics.macro_f1(t, p, truth.shape[1]),
            "calibration_error": metrics.calibration_error(predicted.max(axis=1), t == p),
        }

    def distance(self, a: Sequence[int], b: Sequence[int], columns: Columns) -> float:
        """Disagreement of two answers: 0 equal, 1 different."""
        return 0.0 if list(a) == list(b) else 1.0

    def apart(self, columns: Columns) -> Distance | Grades:
        """Answers are equal or not."""
        return nominal
