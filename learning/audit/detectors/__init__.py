"""Detectors: which labels look wrong."""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.registry import Entry, Registry


class Detector(Protocol):
    """What a detector does, for evidence on one answer an item.

    Evidence with several labels is asked label by label: `learning.audit.detectors.scoring` does that.
    `needs` names what the evidence must hold besides labels and held-out probabilities.
    """

    needs: ClassVar[frozenset[str]]

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) 0 the label is surely wrong … 1 surely right."""
        ...

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """What speaks for or against the label of each of these rows, with its numbers."""
        ...


DETECTORS: Registry[Detector] = Registry(
    "detector",
    {
        "combined": Entry("All together (default)", "learning.audit.detectors.combined:Combined"),
        "confident-learning": Entry(
            "Confident learning", "learning.audit.detectors.confident_learning:ConfidentLearning"
        ),
        "self-confidence": Entry(
            "Self-confidence", "learning.audit.detectors.self_confidence:SelfConfidence"
        ),
        "normalised-margin": Entry(
            "Normalised margin", "learning.audit.detectors.normalised_margin:NormalisedMargin"
        ),
        "neighbours": Entry(
            "Disagreement of neighbours", "learning.audit.detectors.neighbours:Neighbours"
        ),
        "near-duplicates": Entry(
            "Contradicting near-duplicates",
            "learning.audit.detectors.near_duplicates:NearDuplicates",
        ),
        "training-dynamics": Entry(
            "Training dynamics (area under the margin)",
            "learning.audit.detectors.training_dynamics:TrainingDynamics",
        ),
        "data-importance": Entry(
            "Data importance", "learning.audit.detectors.data_importance:DataImportance"
        ),
        "prototypes": Entry(
            "Distance from prototypes", "learning.audit.detectors.prototypes:Prototypes"
        ),
        "ensemble": Entry("Ensemble of students", "learning.audit.detectors.ensemble:Ensemble"),
        "cleaned-student": Entry(
            "Student without doubtful labels",
            "learning.audit.detectors.cleaned_student:CleanedStudent",
        ),
        "blend": Entry("Blend of students and neighbours", "learning.audit.detectors.blend:Blend"),
        "judges": Entry("Teachers as blind judges", "learning.audit.detectors.judges:Judges"),
    },
)
