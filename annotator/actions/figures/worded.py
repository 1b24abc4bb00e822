"""How near teachers' texts come to those that people decided on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.actions.figures import ordered
from annotator.models import Annotator, Project, Teacher

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Items of the random sample below which no figure is shown.
FEWEST = ordered.FEWEST
# Characters of a text that are compared on a scorecard: a pair takes some milliseconds.
COMPARED = 1_000
# Of each voice and of all together, and characters that are compared then: a page of all takes two seconds at most.
LATEST_OF_VOICE, LATEST_OF_ALL, BEGINNING = 100, 1_000, 500


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
    # A redacted item's text is empty on both sides, and tells nothing.
    pairs = [(truth[number], value) for number, value in said.items() if truth[number]["text"]]
    if len(pairs) < FEWEST:
        return TextScore(shared=len(pairs), stale=stale)
    near = [_near(true, told, COMPARED) for true, told in pairs]
    same = [plain(true["text"]) == plain(told["text"]) for true, told in pairs]
    return TextScore(
        shared=len(pairs),
        stale=stale,
        near=_estimate(near),
        exact=share(np.array(same)),
    )


def agreement(project: Project) -> dict[int, Estimate]:
    """Per voice, how near the beginnings of its texts come to the verdict's, on items that others answered too,
    the latest ones of each voice."""
    voices = Annotator.objects.filter(project=project).count()
    most = min(LATEST_OF_VOICE, LATEST_OF_ALL // max(voices, 1))
    found = ordered.against_verdicts(project, most)
    return {
        voice: _estimate(near)
        for voice, pairs in found.items()
        if (near := [_near(true, told, BEGINNING) for true, told in pairs if true["text"]])
    }


def _near(true: Any, told: Any, most: int) -> float:
    from learning.edits import apart

    return 1 - apart(true["text"][:most], told["text"][:most])


def _estimate(near: Sequence[float]) -> Estimate:
    from learning.audit.intervals import Estimate

    found = ordered.mean([2 * each - 1 for each in near])
    low, high = ((edge + 1) / 2 for edge in (found.low, found.high))
    return Estimate(value=(found.value + 1) / 2, low=low, high=high, n=found.n)
