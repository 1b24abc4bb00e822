"""Who is asked about what next under a policy: what goes to people and why, what the teacher gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from annotator.actions.routing import budgeting
from annotator.actions.teachers import budgets, teacher_runs
from annotator.actions.trust import qualifying
from annotator.errors import ConflictError
from annotator.models import (
    Policy,
    Routing,
    TeacherRun,
    TeacherRunKind,
    TeacherRunState,
    VerdictSource,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.routing.candidates import Sight
    from learning.routing.types import FittedRouter, Shares
    from learning.types import Pool, Selection

# Items of one run of the policy's making: few, so that the next ones profit from what was learned.
BATCH = 200
# Fewer than these are not taken back from people: each routing would make a run of a few.
FEWEST_BACK = 20
# What is put to people first; the strategy's own picks follow.
MOST_FIRST = 1_000
RETRY_SECONDS = 900
DAY_CAUSE = "for today"
UNTESTED = "Test it on its scorecard, or let the policy do without."
# What picks for the teacher, and what it is compared with.
PICKS, OTHERWISE = "rad", "margin"


@dataclass(kw_only=True)
class Plan:
    """What a routing found, as it grows. `due` are numbers that the teacher is asked about next,
    `numbers` those that go to people first, each with its reason."""

    position: int
    seed: int = 0
    due: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    router: str = ""
    curve: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def hindrance(policy: Policy) -> str:
    """Why the teacher is not asked now, "" when it may be."""
    teacher = policy.teacher
    if teacher is None:
        return "The policy has no teacher. Choose one."
    try:
        teacher_runs.check_ready(teacher)
    except ConflictError as refusal:
        return str(refusal.detail)
    standing = qualifying.state(teacher)
    if not (policy.unqualified or standing.may_label):
        return f"{standing.sentence} {UNTESTED}"
    labelling = TeacherRun.objects.filter(teacher=teacher, kind=TeacherRunKind.LABEL)
    runs = labelling.filter(created_at__gte=policy.resumed_at)
    last = runs.order_by("-pk").first()
    if last is None or last.is_live:
        return ""
    if last.state == TeacherRunState.CANCELLED:
        return f"Run {last.pk} was cancelled. {last.error}".strip()
    return _failure(last) if last.state == TeacherRunState.FAILED else ""


def _failure(run: TeacherRun) -> str:
    """Its cause while it still holds: money until a cap is changed or the day is over, the rest for
    some minutes."""
    ended_at = run.finished_at or run.created_at
    if run.error.startswith(teacher_runs.BUDGET_CAUSE):
        over = DAY_CAUSE in run.error and timezone.localdate(ended_at) < budgets.today()
    else:
        over = ended_at < timezone.now() - timedelta(seconds=RETRY_SECONDS)
    return "" if over else run.error or f"Run {run.pk} failed."


def send_to_people(
    policy: Policy, sight: Sight, fitted: FittedRouter, plan: Plan, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows that people label, as many as their share of the pool leaves: those of greatest benefit;
    with the loop, where answers are labels, those where student and teacher together are in doubt."""
    project = policy.project
    done = budgeting.answered(project)
    left = max(round(policy.human_share * project.present_count) - done, 0)
    rows = sight.open_rows()
    rows = rows[~_decided(policy, sight, rows)]
    named = policy.router or sight.of_marks  # the loop's opinion is one of labels
    choose = _by_benefit if named else _by_doubt
    chosen, reasons = choose(sight, fitted, rows, left, rng)
    plan.numbers = [int(number) for number in sight.numbers[chosen[: len(reasons)]]]
    plan.reasons = [why[:300] for why in reasons]
    plan.facts["people"] = {"done": done, "left": left}
    return chosen


Chosen = tuple["NDArray[np.int64]", list[str]]


def _by_benefit(
    sight: Sight,
    fitted: FittedRouter,
    rows: NDArray[np.int64],
    left: int,
    rng: np.random.Generator,
) -> Chosen:
    from learning.routing.types import first

    benefit = fitted.benefit(sight.items)
    chosen = rows[first(benefit[rows], left, rng)]
    return chosen, fitted.reasons(sight.items, chosen[:MOST_FIRST])


def _by_doubt(
    sight: Sight,
    _: FittedRouter,
    rows: NDArray[np.int64],
    left: int,
    rng: np.random.Generator,
) -> Chosen:
    """The loop's: each answer puts an item right and teaches the student most about the others."""
    import numpy as np

    from learning.routing.loop import LoopPolicy

    eligible = np.zeros(len(sight.numbers), dtype=np.bool_)
    eligible[rows] = True
    voices, loop = sight.voices(), LoopPolicy()
    wanted = min(left, MOST_FIRST)
    found = loop.ask(voices, loop.opinion(voices), wanted, rng, eligible)
    heard = sight.items.answered[found.rows]
    who = np.where(heard, "of student and teacher together", "of the student")
    told = zip(who.tolist(), found.reasons, strict=True)
    return found.rows, [f"sent to a person because, in the opinion {w}, {why}" for w, why in told]


def doubt_of_seed(policy: Policy, sight: Sight) -> Shares | None:
    """(s,) how much the loop's opinion of each seed item is in doubt: the order in which people would
    get them. None where the router orders them."""
    from learning.routing.loop import LoopPolicy
    from learning.scores import margins

    if policy.router or sight.of_marks:
        return None
    said = LoopPolicy().opinion(sight.voices()).probabilities[: len(sight.drawn)]
    return 1 - margins(said, multi_label=sight.items.multi_label).astype("float64")


def _decided(policy: Policy, sight: Sight, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(m,) bool, which of these rows a word of the teacher decided."""
    import numpy as np

    decided = policy.project.verdicts.filter(source=VerdictSource.TEACHER)
    numbers = np.array(list(decided.values_list("item__number", flat=True)), dtype=np.int64)
    return np.isin(sight.numbers[rows], numbers)


def pick_for_teacher(
    policy: Policy,
    sight: Sight,
    fitted: FittedRouter,
    people: NDArray[np.int64],
    plan: Plan,
    rng: np.random.Generator,
) -> None:
    """Put after the drawn items what the teacher is asked about next, none of what people get.

    How often it would be wrong on them is kept, beside what the smallest margins would give.
    """
    import numpy as np

    rows = sight.unasked_rows()
    rows = rows[~np.isin(rows, people)]
    rows = rows[~np.isin(sight.numbers[rows], plan.due)]
    if _stay_with_people(policy, sight.numbers[rows].tolist(), plan) or not len(rows):
        return
    wrong = fitted.wrong(sight.items)
    pool = _pool(policy, sight, rows)
    picked = {name: _picked(name, pool, rows, rng) for name in (PICKS, OTHERWISE)}
    plan.facts["wrong"] = {name: round(float(wrong[r].mean()), 4) for name, r in picked.items()}
    plan.due += [int(number) for number in sight.numbers[picked[PICKS]]]


def _stay_with_people(policy: Policy, numbers: list[int], plan: Plan) -> bool:
    """Whether all that is left for the teacher is a few items that people were sent; they keep them
    while they are sent any."""
    kept = Routing.objects.filter(pk=policy.pk, teacher=policy.teacher).first()
    before = {} if kept is None else dict(zip(kept.numbers, kept.reasons, strict=True))
    few = len(numbers) < FEWEST_BACK and set(numbers) <= set(before)
    if not few or not plan.facts["people"]["left"]:
        return False
    plan.numbers += numbers
    plan.reasons += [before[number] for number in numbers]
    return True


def _pool(policy: Policy, sight: Sight, rows: NDArray[np.int64]) -> Pool:
    """What may be put to the teacher, as a strategy sees it; its error is the most it may be."""
    import numpy as np

    from learning.types import Pool

    eligible = np.zeros(len(sight.numbers), dtype=np.bool_)
    eligible[rows] = True
    return Pool(
        eligible=eligible,
        labelled=np.zeros_like(eligible),
        probabilities=sight.items.student,
        encodings=sight.items.encodings,
        label_names=sight.items.label_names,
        multi_label=policy.project.multi_label,
        teacher_error=sight.seed().teacher_error().high,
    )


def _picked(
    name: str, pool: Pool, rows: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows that a strategy would put to the teacher; before there is a student, random ones."""
    import numpy as np

    from learning.selection import STRATEGIES

    if pool.probabilities is None:
        return np.asarray(rng.permutation(rows)[:BATCH])
    chosen: Selection = STRATEGIES[name]().select(pool, BATCH, rng)
    return chosen.rows
