"""How near teachers' texts come to those that people decided on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.actions.figures import ordered
from annotator.models import Project, Teacher

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Items of the random sample below which no figure is shown.
FEWEST = ordered.FEWEST
# Of each voice, and characters of a text that are compared: a pair takes some milliseconds.
LATEST_OF_VOICE, COMPARED = 100, 1_000


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """A teacher's texts on the drawn items. `shared` of them can be compared, `missing` more are needed;
    `stale` more were answered with earlier settings.

    near: 1 the same texts … 0 nothing in common, the mean of 1 minus the share of edits; exact: texts that
    are the same but for white space. Both None while too few are shared.
    """

    shared: int
    stale: int
    near: Estimate | None = None
    exact: Estimate | None = None

    @property
    def missing(self) -> int:
        return max(FEWEST - self.shared, 0)


def score(project: Project, teacher: Teacher, fingerprint: str) -> TextScore:
    """How near a teacher, by its settings of this print, comes to people on the drawn items."""
    import numpy as np

    from learning.audit.intervals import share
    from learning.edits import plain

    truth = ordered.decided(project, teacher)
    said, stale = ordered.said_now(teacher, fingerprint, list(truth))
    pairs = [(truth[number], value) for number, value in said.items()]
    if len(pairs) < FEWEST:
        return TextScore(shared=len(pairs), stale=stale)
    near = [_near(true, told) for true, told in pairs]
    same = [plain(true["text"]) == plain(told["text"]) for true, told in pairs]
    return TextScore(
        shared=len(pairs),
        stale=stale,
        near=_estimate(near),
        exact=share(np.array(same)),
    )


def agreement(project: Project) -> dict[int, Estimate]:
    """Per voice, how near its texts come to the verdict, on items that others answered too, the latest ones
    of each voice."""
    found = ordered.against_verdicts(project, LATEST_OF_VOICE)
    return {
        voice: _estimate([_near(true, told) for true, told in pairs])
        for voice, pairs in found.items()
    }


def _near(true: Any, told: Any) -> float:
    from learning.edits import apart

    return 1 - apart(true["text"][:COMPARED], told["text"][:COMPARED])


def _estimate(near: Sequence[float]) -> Estimate:
    from learning.audit.intervals import Estimate

    found = ordered.mean([2 * each - 1 for each in near])
    low, high = ((edge + 1) / 2 for edge in (found.low, found.high))
    return Estimate(value=(found.value + 1) / 2, low=low, high=high, n=found.n)
