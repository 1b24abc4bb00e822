"""Conformal methods: for each item the few labels that hold, with a stated coverage.

Calibrated on items drawn uniformly that the student never learned from. Over items drawn in the same
way, the truth lies in the set at least as often as promised, however wrong the student is; items that
selection chose are harder, and for those nothing is promised.
"""

from typing import ClassVar, Protocol

import numpy as np

from learning.audit.conformal.calibrated import Calibrated, LabelSets, Sample
from learning.registry import Entry, Registry
from learning.types import Bools, Floats


class ConformalMethod(Protocol):
    """What a conformal method does."""

    multi_label: ClassVar[bool]

    def calibrate(
        self, sample: Sample, coverage: float, rng: np.random.Generator
    ) -> Calibrated: ...

    def sets(
        self, calibrated: Calibrated, probabilities: Floats, rng: np.random.Generator
    ) -> LabelSets: ...

    def holds(self, calibrated: Calibrated, sample: Sample, rng: np.random.Generator) -> Bools: ...


CONFORMAL: Registry[ConformalMethod] = Registry(
    "conformal method",
    {
        "lac": Entry("Least ambiguous sets", "learning.audit.conformal.lac:LeastAmbiguous"),
        "aps": Entry("Adaptive sets", "learning.audit.conformal.adaptive:Adaptive"),
        "raps": Entry(
            "Adaptive sets, kept short", "learning.audit.conformal.adaptive:RegularisedAdaptive"
        ),
        "class-conditional": Entry(
            "Coverage for each label", "learning.audit.conformal.conditional:ClassConditional"
        ),
        "inner-outer": Entry(
            "Labels surely there, and those that may be",
            "learning.audit.conformal.inner_outer:InnerOuter",
        ),
        "label-powerset": Entry(
            "Whole label sets", "learning.audit.conformal.powerset:LabelPowerset"
        ),
    },
)
