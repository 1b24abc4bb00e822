"""Detector: what all detectors say together, as a probability that reviews calibrate."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.belief import Belief
from learning.audit.detectors.evidence import Evidence
from learning.audit.detectors.odds import log_odds
from learning.types import Floats, require

Doubles = NDArray[np.float64]

PRIOR = Path(__file__).with_name("prior.json")
# The order of the weights, behind the intercept's; a detector more means a prior anew.
PARTS = (
    "blend",
    "judges",
    "confident-learning",
    "self-confidence",
    "normalised-margin",
    "neighbours",
    "near-duplicates",
    "training-dynamics",
    "data-importance",
    "prototypes",
    "ensemble",
    "cleaned-student",
)
EDGE = 1e-9
MOST, MOST_BLEND = 6.0, 20.0  # log-odds beyond which a part says no more
TOLD = 2  # parts that are quoted


@dataclass(frozen=True, kw_only=True)
class Combined:
    """Log-odds of all detectors, weighed by a small model that this project's reviews teach.
    Source: own; logistic regression on detectors (Brodley, Friedl 1999 combine by votes), MacKay 1992.

    learnt: a belief as `Belief.to_json` gives it, None for the prior.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    learnt: dict[str, Any] | None = None

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) how likely the label is right, 0 … 1, calibrated as far as reviews tell."""
        return 1 - self.belief.chance(features(_said(evidence)))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """What the parts say that speak most against the label."""
        from learning.audit.detectors import DETECTORS

        said = _said(evidence)
        names = [name for name in said if name != "near-duplicates" or np.any(said[name] < 1)]
        scores = np.stack([said[name][rows] for name in names])
        quoted = {name: DETECTORS.create(name).words(evidence, rows) for name in names}
        worst = np.argsort(scores, axis=0, kind="stable")[:TOLD]
        return [
            "; ".join(quoted[names[int(part)]][place] for part in worst[:, place])
            for place in range(len(rows))
        ]

    @property
    def belief(self) -> Belief:
        """What is held of the weights."""
        return prior() if self.learnt is None else Belief.from_json(self.learnt)


def features(said: Mapping[str, Floats]) -> Doubles:
    """(n, 1 + parts) what a belief weighs, from the scores (n,) of single detectors by name.

    Parts that were not asked, or have no score for a label (NaN), say nothing: 0. Names that are no
    part are left alone, so the scores kept with a flag can be passed as they are.
    """
    sizes = {len(scores) for name, scores in said.items() if name in PARTS}
    require(len(sizes) == 1, "All detectors must score the same labels, and one at least.")
    table = np.zeros((sizes.pop(), 1 + len(PARTS)))
    table[:, 0] = 1
    for column, name in enumerate(PARTS, start=1):
        if name in said:
            most = MOST_BLEND if name == "blend" else MOST
            against = -log_odds(np.asarray(said[name], dtype=np.float64), EDGE)
            table[:, column] = np.clip(np.nan_to_num(against), -most, most)
    return table


@cache
def prior() -> Belief:
    """What development data tell of the weights; `prior.json` says which data."""
    kept = json.loads(PRIOR.read_text())
    require(list(kept["parts"]) == list(PARTS), f"{PRIOR.name} is of other detectors.")
    return Belief(
        mean=np.array(kept["mean"], dtype=np.float64),
        covariance=np.diag(np.square(np.array(kept["deviation"], dtype=np.float64))),
    )


def _said(evidence: Evidence) -> dict[str, Doubles]:
    """Every part's scores (n,) for which there is evidence."""
    from learning.audit.detectors import DETECTORS
    from learning.audit.detectors.scoring import applies

    parts = [DETECTORS.create(name) for name in PARTS]
    return {
        name: part.score(evidence)
        for name, part in zip(PARTS, parts, strict=True)
        if applies(part, evidence)
    }
