"""What teachers may spend: held back before each call, settled after it, never above a cap.

Caps hold for a run, for a day of the project and for the project as a whole. The project's purse is
locked while one call's money is held back or settled, so two calls never see the same rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.errors import InvalidError
from annotator.models import Policy, Project, Purse, Spending, SpendingState, TeacherRun
from learning.errors import BudgetSpentError

PLACES = Decimal("0.000000001")
MOST = Decimal(100_000_000)
CAPS = ("cap_day", "cap_project")

AnyT = TypeVar("AnyT")
Through = Callable[[Callable[[], AnyT]], AnyT]


def purse_of(project: Project) -> Purse:
    """The project's purse, made with the first teacher."""
    purse, _ = Purse.objects.get_or_create(project=project)
    return purse


def amount(value: Any, name: str) -> Decimal:
    """A checked cap or price. Raises InvalidError for what is no amount."""
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        raise InvalidError("Enter an amount of money as a number.", field=name) from None
    if not found.is_finite() or not 0 <= found <= MOST:
        raise InvalidError(f"An amount lies between 0 and {MOST:,}.", field=name)
    return found.quantize(PLACES)


def change_caps(project: Project, **caps: Any) -> Purse:
    """Set what the project's teachers may spend a day and in all."""
    purse = purse_of(project)
    wanted = {name: amount(value, name) for name, value in caps.items() if name in CAPS}
    if len(wanted) != len(caps):
        raise InvalidError(f"There is a cap for: {', '.join(CAPS)}.")
    with transaction.atomic():
        Purse.objects.filter(pk=purse.pk).update(**wanted)
        # A policy that waits for money looks again.
        if Policy.objects.filter(pk=project.pk, enabled=True).update(resumed_at=Now()):
            jobs.enqueue("route", project=project, key=f"route:{project.pk}")
    purse.refresh_from_db()
    return purse


def spent_today(purse: Purse) -> Decimal:
    """What calls of today cost, those under way at their worst."""
    return purse.day_spent + purse.day_held if purse.day == today() else Decimal(0)


def today() -> date:
    return timezone.localdate()


@dataclass(frozen=True, kw_only=True)
class RunBudget:
    """A run's way to the purse, as the library asks for it.

    through: runs a function where the database may be used; calls are made by threads of their own.
    """

    run: TeacherRun
    attempt: int
    through: Through[Any]

    def reserve(self, amount: float) -> Hashable:
        """Hold back the most that a call can cost; raises BudgetSpentError when it is not there."""
        found: int = self.through(lambda: reserve(self.run, self.attempt, amount))
        return found

    def settle(self, reservation: Hashable, spent: float) -> None:
        """End a reservation with what the call cost."""
        self.through(lambda: settle(int(str(reservation)), spent))


def reserve(run: TeacherRun, attempt: int, wanted: float) -> int:
    """The number of a fresh reservation. Raises BudgetSpentError, naming the cap that refused."""
    held = Decimal(repr(wanted)).quantize(PLACES, rounding=ROUND_UP)
    with transaction.atomic():
        purse = _locked(run.project_id)
        row = TeacherRun.objects.only("cap", "spent", "held").get(pk=run.pk)
        rests = {
            "of this run": row.cap - row.spent - row.held,
            "of the project for today": purse.cap_day - purse.day_spent - purse.day_held,
            "of the project": purse.cap_project - purse.spent - purse.held,
        }
        for name, rest in rests.items():
            if held > rest:
                raise BudgetSpentError(
                    f"The budget {name} is spent: a call may cost {_told(held)}, and "
                    f"{_told(max(rest, Decimal(0)))} are left."
                )
        Purse.objects.filter(pk=purse.pk).update(
            held=F("held") + held, day_held=F("day_held") + held
        )
        TeacherRun.objects.filter(pk=run.pk).update(held=F("held") + held)
        made = Spending.objects.create(
            project_id=run.project_id,
            run=run,
            job=run.job_id or 0,
            attempt=attempt,
            day=purse.day or today(),
            amount=held,
        )
    return made.pk


def settle(spending_id: int, spent: float | Decimal) -> None:
    """End a reservation once; what it cost is never taken above what was held back."""
    with transaction.atomic():
        # Which project's purse that is never changes; its lock comes before the row's.
        project = Spending.objects.values_list("project_id", flat=True).get(pk=spending_id)
        purse = _locked(project)
        row = Spending.objects.get(pk=spending_id)
        if row.state != SpendingState.HELD:
            return
        told = Decimal(repr(spent)) if isinstance(spent, float) else Decimal(spent)
        cost = min(max(told, Decimal(0)).quantize(PLACES, rounding=ROUND_UP), row.amount)
        Spending.objects.filter(pk=row.pk).update(
            state=SpendingState.SETTLED, spent=cost, settled_at=Now()
        )
        changes: dict[str, Any] = {"held": F("held") - row.amount, "spent": F("spent") + cost}
        TeacherRun.objects.filter(pk=row.run_id).update(**changes)
        if row.day == purse.day:
            changes["day_held"] = F("day_held") - row.amount
            changes["day_spent"] = F("day_spent") + cost
        Purse.objects.filter(pk=purse.pk).update(**changes)


def settle_left_behind(run: TeacherRun, job: int = 0, attempt: int = 0) -> int:
    """Count what a killed worker held back at its worst: nobody knows which calls went out.

    With `job` and `attempt` only what others than this attempt left. Returns how many there were.
    """
    held = Spending.objects.filter(run=run, state=SpendingState.HELD)
    left = held.exclude(job=job, attempt=attempt).values_list("pk", "amount")
    for pk, amount in list(left):
        settle(pk, amount)
    return len(left)


def _locked(project_id: int) -> Purse:
    """The purse, locked, with the day of now: a new day begins with nothing spent."""
    purse = Purse.objects.select_for_update(no_key=True).get(pk=project_id)
    if purse.day is None or purse.day < today():
        purse.day, purse.day_spent, purse.day_held = today(), Decimal(0), Decimal(0)
        purse.save(update_fields=["day", "day_spent", "day_held"])
    return purse


def _told(money: Decimal) -> str:
    return f"{money.normalize():f}" if money < 1 else f"{money:.2f}"
