"""How likely all marks of an answer are right, from what is known of the answer and its item."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from learning.routing.error_model import Model, told_by
from learning.routing.features import measured
from learning.routing.memory import Memory
from learning.routing.regression import Logistic
from learning.routing.types import Candidates, Seed, Shares

READ = ("confidence", "agreement", "student", "student_margin", "marks", "length")
"""Of `FEATURES`: how sure the teacher says it is, other teachers, a tagger's marks and how sure that is,
how many marks there are, how long the text is. None looks at other items."""

_NONE = np.empty(0)
NO_MEMORY = Memory(
    base=0.5,
    label_rates=_NONE,
    wrong=_NONE,
    weights=_NONE,
    encodings=None,
    centres=None,
    group_rates=_NONE,
)


@dataclass(frozen=True, kw_only=True)
class MarkReading:
    """model: of P(a mark is wrong or missing), fitted on `answers` audited answers."""

    model: Model
    answers: int

    def right(self, items: Candidates) -> Shares:
        """(n,) how likely every mark is right and none is missing, 0 … 1."""
        return 1 - self.model.predict(measured(self.model.names, items, NO_MEMORY))

    def to_json(self) -> dict[str, Any]:
        """For a row; `from_json` reads it again."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "MarkReading":
        """What `to_json` gave, also after a way through a database."""
        model = dict(kept["model"])
        for name in ("logistic", "calibration"):
            found = model[name]
            model[name] = Logistic(
                **{n: tuple(found[n]) for n in ("centre", "scale", "slopes")},
                intercept=found["intercept"],
            )
        for name in ("names", "usual"):
            model[name] = tuple(model[name])
        return cls(model=Model(**model), answers=kept["answers"])


def read_marks(seed: Seed, rng: np.random.Generator, fewest: int = 30) -> MarkReading:
    """Fit on audited answers, each with whether all of it is right. The strength of the regression and
    the calibration of its figures rest on folds that it has not seen. Source: Platt 1999; own features.

    Raises NotEnoughDataError below `fewest` answers.
    """
    return MarkReading(model=told_by(READ, seed, rng, fewest), answers=seed.rows)
