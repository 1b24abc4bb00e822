"""What review found, and how many wrong labels are left, from the cases that chance drew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from annotator.actions.review import cases, flagging, suspecting
from annotator.actions.review.suspecting import WRONG
from annotator.models import (
    Flag,
    FlagKind,
    FlagState,
    Job,
    Outcome,
    Project,
    Verdict,
    VerdictState,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.remaining import Remaining

# Fewer drawn cases than this say next to nothing.
FEWEST_DRAWN = 10


@dataclass(frozen=True, kw_only=True)
class Found:
    """Machines' cases that reviewers settled, in that order; `drawn` are those of chance alone."""

    settled: int
    errors: int
    ambiguous: int
    bad: int
    drawn: int
    drawn_errors: int
    # (cases settled, share of the flagged ones among them that were wrong)
    curve: list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All numbers of the Review page; `look` is the last look at the labels, None before it."""

    project: Project
    found: Found
    waiting: int
    look: Job | None
    remaining: Remaining | None

    @cached_property
    def precision(self) -> dict[str, float] | None:
        """What share of the next flagged cases is expected to be wrong; found when it is asked for."""
        return suspecting.expected(self.project)

    @property
    def enough(self) -> bool:
        """Whether the remaining error rate rests on enough drawn cases to be shown."""
        return self.remaining is not None and self.remaining.drawn >= FEWEST_DRAWN

    @property
    def more(self) -> int | None:
        """How many more drawn cases would halve the interval; None while that cannot be told."""
        return self.remaining.more_to_halve() if self.remaining and self.enough else None

    def to_json(self) -> dict[str, Any]:
        """As the API tells it; shares 0…1."""
        left = self.remaining if self.enough else None
        return {
            "waiting": self.waiting,
            "settled": self.found.settled,
            "errors_found": self.found.errors,
            "bad_items": self.found.bad,
            "ambiguous": self.found.ambiguous,
            "labels": None if self.remaining is None else self.remaining.labels,
            "drawn": 0 if self.remaining is None else self.remaining.drawn,
            "needed": FEWEST_DRAWN,
            "remaining": left.rate if left else None,
            "remaining_low": left.low if left else None,
            "remaining_high": left.high if left else None,
            "more_to_halve": self.more,
            "precision_next": self.precision,
            "looked_at": self.look.finished_at if self.look else None,
        }


def figures(project: Project, most: int | None = None) -> Figures:
    """Count what was settled and estimate what is left, as of now; what waits no further than `most`."""
    settled = list(
        Flag.objects.filter(project=project, state=FlagState.SETTLED)
        .by_machines()
        .exclude(outcome="")
        .only("item_id", "kind", "outcome", "score", "probability")
        .order_by("settled_at", "pk")
    )
    look = flagging.last_look(project)
    return Figures(
        project=project,
        found=_found(settled),
        waiting=cases.count(project, most),
        look=look,
        remaining=None if look is None else _remaining(project, look, settled),
    )


def _found(settled: list[Flag]) -> Found:
    outcomes = [flag.outcome for flag in settled]
    flagged = [flag.outcome in WRONG for flag in settled if flag.kind == FlagKind.DETECTOR]
    chance = [flag.outcome in WRONG for flag in settled if flag.probability is not None]
    right_so_far, curve = 0, []
    for place, wrong in enumerate(flagged, start=1):
        right_so_far += wrong
        curve.append((place, right_so_far / place))
    return Found(
        settled=len(settled),
        errors=sum(outcome in WRONG for outcome in outcomes),
        ambiguous=outcomes.count(Outcome.AMBIGUOUS),
        bad=outcomes.count(Outcome.BAD),
        drawn=len(chance),
        drawn_errors=sum(chance),
        curve=curve,
    )


def _remaining(project: Project, look: Job, settled: list[Flag]) -> Remaining | None:
    """Over the labels of the last look, each with the score it had before somebody reviewed it.

    None when the scores are gone; the next look brings them back.
    """
    import numpy as np

    from learning.audit.remaining import remaining, strata_of
    from learning.errors import DamagedFileError
    from learning.storage import load_folder

    try:
        arrays, _ = load_folder(flagging.scores_folder(project, look.result["scores"]))
    except DamagedFileError:
        return None
    gone = _bad_since(project, settled, arrays["items"])
    items = np.append(arrays["items"], np.array(list(gone), dtype=np.int64))
    scores = np.append(arrays["scores"], list(gone.values())).astype(np.float64)
    reviewed = Verdict.objects.filter(project=project, source="reviewer")
    words = list(reviewed.values_list("item_id", flat=True))
    wanted = np.array([*words, *(flag.item_id for flag in settled)], dtype=np.int64)
    rows = np.flatnonzero(np.isin(items, wanted))
    place = dict(zip(items[rows].tolist(), rows.tolist(), strict=True))
    picked, drawn, wrong = (np.zeros(len(items), dtype=np.bool_) for _ in range(3))
    for item in words:
        if item in place:
            picked[place[item]] = True
    found = 0
    for flag in settled:
        row = place.get(flag.item_id)
        if row is None:
            continue
        scores[row] = flag.score
        drawn[row] = flag.probability is not None
        picked[row] = not drawn[row]
        wrong[row] = flag.outcome in WRONG
    found = int(wrong.sum())
    # Below the first score that nobody has reviewed yet nothing is left: what was drawn there would
    # have been picked anyway, and tells nothing of the labels above.
    unseen = ~(picked | drawn)
    reached = scores < (scores[unseen].min() if unseen.any() else np.inf)
    picked, drawn = picked | (drawn & reached), drawn & ~reached
    return remaining(strata_of(scores, picked, drawn, wrong), len(items), found)


def _bad_since(
    project: Project, settled: list[Flag], looked_at: NDArray[np.int64]
) -> dict[int, float]:
    """Item -> score of what reviewers found bad before the last look, which therefore passed it over.

    Their cases count on: without them, bad items nobody has met would seem rarer with each look.
    """
    bad = Verdict.objects.filter(project=project, state=VerdictState.BAD, item__removed_at=None)
    import numpy as np

    found = np.array(bad.values_list("item_id", flat=True), dtype=np.int64)
    still = set(found[~np.isin(found, looked_at)].tolist())
    return {
        flag.item_id: flag.score or 0.0
        for flag in settled
        if flag.outcome == Outcome.BAD and flag.item_id in still
    }
