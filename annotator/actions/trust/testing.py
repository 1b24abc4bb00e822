"""Asking a teacher about gold items: what tests of all kinds share.

A fault on the way to the model says nothing about the model, so it is asked again, and when that
does not help the test ends with the cause; nothing of it is kept then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from annotator import jobs
from annotator.actions.queue import auditing
from annotator.actions.teachers import lending, teacher_runs
from annotator.errors import ConflictError
from annotator.models import (
    Item,
    Project,
    Teacher,
    TeacherRun,
    Verdict,
    VerdictSource,
    VerdictState,
)

if TYPE_CHECKING:
    from learning.spans import Span
    from learning.teachers.types import Example, TeacherItem, TeacherSchema
    from learning.teachers.types import Teacher as Ready
    from learning.teachers.types import TeacherAnswer as Said

# Kinds that read an instruction, so that a text may give one, and whose maker may change them.
PROMPTED = ("openai", "local")
BUDGET_CAUSE = "The budget "
TRIES = 3
COUNT_SECONDS = 0.5


class Switch(Protocol):
    """Whether somebody switched the teacher off."""

    def is_off(self) -> bool:
        """Looks at nothing."""

    def look(self) -> None:
        """Raises CancelledError when it is off."""


def gold(teacher: Teacher, schema: TeacherSchema, most: int) -> list[Example]:
    """Items of the audit sample that people decided and this teacher did not learn from, at most so
    many, those kept for figures last."""
    known = _answered(teacher, schema)
    here = Item.objects.present().filter(project=teacher.project, number__in=list(known))
    can = set(teacher_runs.answerable(teacher, here).values_list("number", flat=True))
    chosen = [number for number in known if number in can][:most]
    return _examples(teacher.project, {number: known[number] for number in chosen}, schema)


def gold_of(teacher: Teacher, schema: TeacherSchema, numbers: Sequence[int]) -> list[Example]:
    """Those of these items that are gold items still, in this order."""
    known = _answered(teacher, schema)
    still = {number: known[number] for number in numbers if number in known}
    return _examples(teacher.project, still, schema)


def decided(project: Project, schema: TeacherSchema, most: int) -> list[Example]:
    """Items that people decided, drawn or chosen, at most so many: their labels are known, and no figure
    of the pool may rest on them."""
    live = frozenset(schema.ids)
    rows = Verdict.objects.filter(
        project=project,
        state=VerdictState.DECIDED,
        source__in=(VerdictSource.CONSENSUS, VerdictSource.REVIEWER),
        item__answers__gt=0,
        item__removed_at=None,
    )
    told = rows.order_by("item__order_key").values_list("item__number", "labels")
    known = ((number, labels) for number, labels in told.iterator() if live.issuperset(labels))
    return _examples(project, dict(islice(known, most)), schema)


def _answered(teacher: Teacher, schema: TeacherSchema) -> dict[int, list[int]]:
    live = frozenset(schema.ids)
    return {
        number: labels
        for part in auditing.fair_parts(teacher.plugin)
        for number, labels in auditing.answered(teacher.project, part)
        if live.issuperset(labels)
    }


def _examples(
    project: Project, known: Mapping[int, Sequence[int]], schema: TeacherSchema
) -> list[Example]:
    from learning.teachers.types import Example

    marks = _marks(project, list(known)) if schema.quoted else dict.fromkeys(known, ())
    return [
        Example(item=item, labels=tuple(known[item.number]), spans=marks[item.number])
        for item in lending.items_of(project, list(known))
        if (item.image is not None or item.whole.strip()) and item.number in marks
    ]


def _marks(project: Project, numbers: list[int]) -> dict[int, tuple[Span, ...]]:
    """What people marked in these items."""
    from learning.spans import spans_of

    rows = Verdict.objects.filter(project=project, item__number__in=numbers, value__isnull=False)
    told = rows.values_list("item__number", "value")
    return {number: tuple(spans_of(value)) for number, value in told if value is not None}


@dataclass(kw_only=True)
class Bench:
    """A test under way: tells how far it is, and ends when somebody stops it."""

    job: jobs.Run
    run: TeacherRun
    switch: Switch
    ended: bool = False
    models: set[str] = field(default_factory=set)
    _counted_at: float = 0.0

    def is_off(self) -> bool:
        """Asked in every wait of every call."""
        return self.ended or self.switch.is_off()

    def report(self, done: int, total: int) -> None:
        """Tell how far it is; what it raises ends the calls under way."""
        try:
            self.switch.look()
            self.check_model()
            self.job.progress(done, total, "Asking about gold items")
            if time.monotonic() - self._counted_at >= COUNT_SECONDS or done == total:
                self._counted_at = time.monotonic()
                TeacherRun.objects.filter(pk=self.run.pk).update(answered=done)
        except BaseException:
            self.ended = True
            raise

    def check_model(self) -> None:
        """Raise ConflictError when the model changed meanwhile: the answers are of two of them."""
        if len(self.models) > 1:
            raise ConflictError(
                f"The model changed while it was tested: it called itself "
                f"{', '.join(sorted(self.models))}. Nothing was kept; start again."
            )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A teacher whose answers a test hears; `heard` keeps them by item number."""

    teacher: Ready
    bench: Bench
    heard: dict[int, Said] = field(default_factory=dict)

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Any,
    ) -> Iterator[Said]:
        """As the teacher's own, without faults of the way to it."""
        left = list(items)
        for tries_left in reversed(range(TRIES)):
            again = []
            by_number = {item.number: item for item in left}
            for answer in self.teacher.annotate(left, schema, examples, report):
                if is_fault(answer):
                    self._refuse(answer, tries_left)
                    again.append(by_number[answer.number])
                    continue
                if answer.model:
                    self.bench.models.add(answer.model)
                self.heard[answer.number] = answer
                yield answer
            if not again:
                return
            left = again

    def _refuse(self, answer: Said, tries_left: int) -> None:
        if not tries_left or BUDGET_CAUSE in answer.abstained or self.bench.is_off():
            self.bench.ended = True
            raise ConflictError(f"{answer.abstained} Nothing was kept of this test.")


def is_fault(answer: Said) -> bool:
    """No answer because of the way to the model, not because of the item."""
    from learning.teachers.types import FAULT

    return bool(answer.abstained) and FAULT in answer.flags
