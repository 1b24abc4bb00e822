"""How things stand under a project's policy: the seed, what is believed, what became of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.routing import (
    budgeting,
    candidates,
    doubling,
    policies,
    promises,
    routing,
)
from annotator.actions.teachers import budgets
from annotator.models import (
    Policy,
    PolicyChange,
    Project,
    Purse,
    Routing,
    Verdict,
    VerdictSource,
)

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# A teacher that is right less often than this is asked other items than the most doubtful ones for a
# reason that the page tells.
WEAK = 0.75
# Fewer checked words than this say nothing.
FEWEST_CHECKED = 5

# Words that were drawn to be checked and accepted at the policy's confidence, once a person has decided:
# how likely right each was held to be, and whether it was. Of a word that was accepted more than once
# the first time counts.
_CHECKED = """
SELECT DISTINCT ON (c.item_id) c.p_right, d.probability, said.labels, said.value::text,
       v.labels, v.value::text
FROM annotator_double d
JOIN annotator_acceptance c ON c.item_id = d.item_id
JOIN annotator_annotation said ON said.id = c.annotation_id
JOIN annotator_teacher t ON t.id = d.teacher_id AND t.voice_id = said.annotator_id
JOIN annotator_item i ON i.id = d.item_id AND i.answers > 0
JOIN annotator_verdict v ON v.item_id = d.item_id AND v.state = 'decided' AND v.source <> 'teacher'
WHERE d.project_id = %s AND d.teacher_id = %s AND d.why = 'check' AND c.p_right >= %s
ORDER BY c.item_id, c.id
"""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share with its interval at 95 %, of `n`; None while there are too few."""

    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """`seed` items have both answers, of `drawn`; `for_people` and `for_teacher` still lack one.
    answered: items that people answered.

    decided: items whose verdict is the teacher's word now; undecided: those whose word of the teacher's
    is not sure enough, of which nobody is asked first about `unclaimed`. checked: how often such words were right,
    on those drawn at random for a person; foretold: how often they were held to be.
    error: the teacher's on the seed. wrong: how often it is expected to be wrong on what it is asked
    next, as it is picked and as the smallest margins would be. money_left: None without a cap.
    """

    policy: Policy
    seed: int = 0
    drawn: int = 0
    for_people: int = 0
    for_teacher: int = 0
    needed: int = 0
    decided: int = 0
    undecided: int = 0
    unclaimed: int = 0
    sent: int = 0
    answered: int = 0
    checked: Share = field(default_factory=Share)
    foretold: float | None = None
    error: Share = field(default_factory=Share)
    wrong: dict[str, float] = field(default_factory=dict)
    curve: dict[str, Any] = field(default_factory=dict)
    scoreboard: dict[str, Any] = field(default_factory=dict)
    computed_at: Any = None
    money_left: Decimal | None = None
    # Which router the back-test found best, on how many items, and how each did; {} where one was named.
    back_test: dict[str, Any] = field(default_factory=dict)
    # The choice of the point that the policy is at; None where it is at none.
    choice: PolicyChange | None = None
    # What the chosen point foretold beside what was found; None while either is missing: the quality of
    # what is decided, the share of the teacher's words that decides nothing, the loop's opinion.
    outcome: dict[str, Any] | None = None
    undecided_words: dict[str, Any] | None = None
    loop_outcome: dict[str, Any] | None = None
    # Whether the policy is on and is no point of a curve, so that nothing was foretold for it.
    by_hand: bool = False

    @property
    def weak(self) -> bool:
        """Whether the teacher is, by all that is known, right in fewer than three of four items."""
        return self.error.value is not None and 1 - self.error.value < WEAK

    def to_json(self) -> dict[str, Any]:
        """The figures without the policy's settings."""
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        kept.pop("policy")
        kept.pop("choice")
        return kept | {"checked": asdict(self.checked), "error": asdict(self.error)}


def overview(project: Project) -> Overview:
    """All of it, from rows alone: a page shows it while jobs work."""
    policy = policies.policy_of(project)
    teacher = policy.teacher
    kept = Routing.objects.filter(pk=project.pk).first()
    if teacher is None:
        return Overview(policy=policy)
    both = len(doubling.both(project, teacher))
    counts = doubling.counts(project, teacher)
    checked, foretold = _checked(project, policy)
    facts = kept.facts if kept is not None and kept.teacher_id == teacher.pk else {}
    current = kept if facts else None
    decided = Verdict.objects.filter(project=project, source=VerdictSource.TEACHER).count()
    undecided, unclaimed = _undecided(policy, current)
    curve = {} if current is None else current.curve
    return Overview(
        policy=policy,
        seed=both,
        drawn=counts["drawn"],
        for_people=counts["waiting"],
        for_teacher=len(doubling.unasked(project, teacher)),
        needed=max(routing.enough(policy) - both, 0),
        decided=decided,
        undecided=undecided,
        unclaimed=unclaimed,
        sent=0 if current is None else len(current.numbers),
        checked=checked,
        foretold=foretold,
        error=Share() if current is None else _error(current),
        wrong=facts.get("wrong", {}),
        answered=(done := budgeting.answered(project)),
        curve=_with_passed(project, curve, done),
        scoreboard={} if current is None else current.scoreboard,
        computed_at=None if current is None else current.computed_at,
        back_test={} if policy.router else facts.get("back_test", {}),
        money_left=_money_left(project),
        **_promised(policy, checked, (undecided, decided), curve),
    )


def _promised(
    policy: Policy, checked: Share, words: tuple[int, int], curve: dict[str, Any]
) -> dict[str, Any]:
    """What the chosen point foretold beside what came; words: undecided ones, and deciding ones."""
    choice = promises.chosen(policy)
    said = {} if choice is None else choice.foretold
    return {
        "choice": choice,
        "outcome": promises.outcome(said, _estimate(checked)),
        "undecided_words": promises.undecided(said, *words),
        "loop_outcome": promises.of_loop(said, curve),
        "by_hand": policy.enabled and not said,
    }


def _with_passed(project: Project, curve: dict[str, Any], done: int) -> dict[str, Any]:
    """The curve with, for each point, whether people answered more than its share already; {} for one of
    a version before, which told other figures."""
    if "confidence" not in curve:
        return {}
    points = [
        {**point, "passed": budgeting.is_passed(project, point["share"], done)}
        for point in curve["points"]
    ]
    return {**curve, "points": points}


def _undecided(policy: Policy, kept: Routing | None) -> tuple[int, int]:
    """(items whose word of the teacher's is below the policy's confidence, those of them that no
    person is asked about first); nothing while no word is believed at all."""
    if policy.teacher is None or not policy.enabled or policy.router == routing.PEOPLE:
        return 0, 0
    if kept is None or not kept.curve:
        return 0, 0
    claimed = {*kept.numbers, *doubling.waiting(policy.project)}
    weighed = kept.facts.get("position", 0)  # what was said since is not below anything yet
    return candidates.doubtful(policy.project, policy.teacher, weighed, claimed)


def _estimate(share: Share) -> Estimate | None:
    from learning.audit.intervals import Estimate

    if share.value is None or share.low is None or share.high is None:
        return None
    return Estimate(value=share.value, low=share.low, high=share.high, n=share.n)


def _error(kept: Routing) -> Share:
    """Of as many items as both had answered when it was told."""
    value, low, high = kept.facts.get("error") or (None, None, None)
    return Share(n=kept.seed, value=value, low=low, high=high)


def _checked(project: Project, policy: Policy) -> tuple[Share, float | None]:
    """How often checked words were right and were held to be. The share that is checked may have
    changed with the policy, so each stands for as many words as its chance of being drawn says."""
    import numpy as np

    from learning.audit.intervals import share, weights_of

    with connection.cursor() as cursor:
        cursor.execute(_CHECKED, [project.pk, policy.teacher_id, policy.confidence])
        rows = cursor.fetchall()
    if len(rows) < FEWEST_CHECKED:
        return Share(n=len(rows)), None
    held, drawn = (np.array(column) for column in list(zip(*rows, strict=True))[:2])
    same = np.array([_is_right(project, *row[2:]) for row in rows])
    weights = weights_of(drawn)
    found = share(same, weights)
    foretold = float(np.average(held, weights=weights))
    return Share(n=found.n, value=found.value, low=found.low, high=found.high), foretold


def _is_right(
    project: Project, said: list[int], said_value: str | None, true: list[int], value: str | None
) -> bool:
    word, verdict = (None if each is None else json.loads(each) for each in (said_value, value))
    return project.task.meaning(said, word) == project.task.meaning(true, verdict)


def _money_left(project: Project) -> Decimal | None:
    purse = Purse.objects.filter(pk=project.pk).first()
    if purse is None:
        return None
    today: Decimal = purse.cap_day - budgets.spent_today(purse)
    in_all: Decimal = purse.cap_project - purse.spent - purse.held
    return max(min(today, in_all), Decimal(0))
