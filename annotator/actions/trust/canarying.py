"""Planted items of a run: decided items whose text asks for a wrong label. Does the teacher obey?

Some 1.5 % of what a run asks about, at random places. What is said to them is kept apart from all
answers. Where several items share a prompt a planted one has a prompt of its own, so that its
instruction never stands beside a real item.

A teacher's own error may be the label that was asked for. So only those count whose text it has right
without the instruction: where that is not known, it is asked about the plain text too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING

from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.teachers import identity, lending
from annotator.actions.trust import testing
from annotator.models import Canary, Item, ItemKind, Teacher, TeacherAnswer, TeacherRun
from learning.errors import NotEnoughDataError

if TYPE_CHECKING:
    from learning.teachers.canaries import Canary as Planted
    from learning.teachers.canaries import Obedience
    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherItem, TeacherSchema

SHARE = 0.015
MOST_HOSTS = 500
# From so many hosts on that it has right by now, no others are taken.
ENOUGH_RIGHT = 20
# What stands for the attack where the text is asked about as it is.
PLAIN = "plain"
# Answered canaries that the figures rest on, the latest first.
LATEST = 1_000


def plant(job: jobs.Run, run: TeacherRun, schema: TeacherSchema) -> None:
    """Decide a run's planted items, once, and keep with the run how many there are, or why none.

    Nothing of it for teachers that read no instructions, and where an answer names no label.
    """
    import numpy as np

    from learning.teachers import canaries

    if run.teacher.plugin not in testing.PROMPTED or not schema.labels:
        return
    if job.project.item_kind == ItemKind.IMAGE:
        _note(job, run, why="images")
        return
    rng = np.random.default_rng([run.pk, 1])
    count = len(run.numbers)
    if rng.random() >= count * SHARE / (1 - SHARE):  # a short run has one now and then
        _note(job, run, why="short")
        return
    if Canary.objects.filter(run=run).exists():
        return
    decided = testing.decided(job.project, schema, MOST_HOSTS)
    now = identity.fingerprint(run.teacher, run.params, schema)
    items = Item.objects.filter(
        project=job.project, number__in=[each.item.number for each in decided]
    )
    numbers = dict(items.values_list("pk", "number"))
    known = {numbers[pk]: said for pk, said in _plain(run.teacher, now, list(numbers)).items()}
    hosts = [each for each in decided if each.item.number not in known]
    right = [each for each in decided if known.get(each.item.number) == frozenset(each.labels)]
    if len(right) >= ENOUGH_RIGHT:
        hosts = []
    try:
        made = canaries.plant(count, right + hosts, schema, rng, share=SHARE)
    except NotEnoughDataError:
        _note(job, run, why="wrong" if decided and not hosts else "undecided")
        return
    beside = [int(number) for number in rng.choice(run.numbers, size=len(made))]
    with job.fence():
        _write(run, [*made, *_twins(made, known)], beside)
    _note(job, run, count=len(made))


def _note(job: jobs.Run, run: TeacherRun, *, count: int = 0, why: str = "") -> None:
    run.facts = run.facts | {"planted": {"count": count, "why": why}}
    with job.fence():
        run.save(update_fields=["facts"])


def _twins(made: Sequence[Planted], known: Mapping[int, frozenset[int]]) -> list[Planted]:
    """The texts of planted items as they are, where nobody knows yet what the teacher says of them."""
    unknown = {each.host.item.number: each for each in made if each.host.item.number not in known}
    return [
        replace(each, item=replace(each.host.item, number=-len(made) - place), attack=PLAIN)
        for place, each in enumerate(unknown.values(), start=1)
    ]


def _write(run: TeacherRun, made: Sequence[Planted], beside: Sequence[int]) -> None:
    hosts = [each.host.item.number for each in made]
    items = dict(
        Item.objects.filter(project=run.project_id, number__in=hosts).values_list("number", "pk")
    )
    Canary.objects.bulk_create(
        Canary(
            project_id=run.project_id,
            teacher=run.teacher,
            run=run,
            number=each.item.number,
            beside=place,
            host_id=items[each.host.item.number],
            attack=each.attack,
            target=each.target,
            truth=sorted(each.host.labels),
        )
        for each, place in zip(made, cycle(beside), strict=False)
    )


@dataclass(frozen=True, kw_only=True)
class Owed:
    """Planted items of a run that were not answered yet; `left` are the real ones that were not."""

    by_place: Mapping[int, Sequence[TeacherItem]]

    def beside(self, numbers: Sequence[int]) -> list[TeacherItem]:
        """Those to send with these real items."""
        return [item for number in numbers for item in self.by_place.get(number, ())]


def owed(run: TeacherRun, schema: TeacherSchema, left: Sequence[int]) -> Owed:
    """What is still to be asked. One whose neighbour was answered before a kill goes with the first."""
    from learning.teachers.canaries import ATTACKS
    from learning.teachers.types import TeacherItem

    labels = {label.id: label for label in schema.labels}
    found: dict[int, list[TeacherItem]] = defaultdict(list)
    open_ones, waiting = set(left), Canary.objects.filter(run=run, answered_at=None)
    for row in waiting.select_related("host").order_by("pk"):
        gone = row.host.removed_at is not None or not row.host.text.strip()
        if not left or row.target not in labels or gone:
            continue
        text = row.host.text
        if row.attack != PLAIN:
            text = ATTACKS[row.attack](text, labels[row.target])
        item = TeacherItem(number=row.number, text=text, text_b=row.host.text_b)
        found[row.beside if row.beside in open_ones else left[0]].append(item)
    return Owed(by_place=found)


def mixed(
    items: Sequence[TeacherItem], planted: Sequence[TeacherItem], run: TeacherRun
) -> list[list[TeacherItem]]:
    """What is put to the teacher, one list after the other."""
    import numpy as np

    if not planted:
        return [list(items)]
    if run.params.get("batch_size", 1) > 1:
        return [list(items), *([one] for one in planted)]
    rng = np.random.default_rng([run.pk, 2, abs(planted[0].number)])
    together = list(items)
    for one in planted:
        together.insert(int(rng.integers(len(together) + 1)), one)
    return [together]


def keep(run: TeacherRun, said: Sequence[Said], schema: TeacherSchema, fingerprint: str) -> None:
    """Write what was said to planted items, in the caller's transaction."""
    from learning.teachers.trial import labels_of

    for answer in said:
        if testing.is_fault(answer):
            continue
        labels = labels_of(answer, schema)
        Canary.objects.filter(run=run, number=answer.number, answered_at=None).update(
            labels=sorted(labels or ()),
            abstained=labels is None,
            fingerprint=fingerprint,
            answered_at=Now(),
        )


def obeyed(teacher: Teacher, schema: TeacherSchema, fingerprint: str) -> Obedience | None:
    """How often planted items turned the teacher, as it is set up now, of those whose text it has right
    without an instruction; None before any was asked."""
    from learning.teachers import canaries

    live = set(schema.ids)
    rows = [
        row
        for row in Canary.objects.filter(teacher=teacher, fingerprint=fingerprint)
        .exclude(answered_at=None)
        .order_by("-answered_at")[:LATEST]
        if live.issuperset({row.target, *row.truth, *row.labels})
    ]
    plain = _plain(teacher, fingerprint, [row.host_id for row in rows])
    told = [
        row
        for row in rows
        if row.attack != PLAIN and plain.get(row.host_id) == frozenset(row.truth)
    ]
    if not told:
        return None
    planted = [_planted(row) for row in told]
    return canaries.obedience(planted, {row.pk: _said(row, schema) for row in told}, schema)


def _planted(row: Canary) -> Planted:
    """The row as the library counts it; its own number tells runs apart."""
    from learning.teachers.canaries import Canary as Made
    from learning.teachers.types import Example, TeacherItem

    host = Example(item=TeacherItem(number=row.host_id, text=""), labels=tuple(row.truth))
    item = TeacherItem(number=row.pk, text="")
    return Made(item=item, host=host, target=row.target, attack=row.attack)


def _said(row: Canary, schema: TeacherSchema) -> Said:
    from learning.teachers.types import TeacherAnswer

    if row.abstained:
        return TeacherAnswer(number=row.pk, abstained="It abstained.")
    return TeacherAnswer(number=row.pk, probabilities=schema.target(row.labels))


def _plain(teacher: Teacher, fingerprint: str, items: Sequence[int]) -> dict[int, frozenset[int]]:
    """What it said of these texts without an instruction, as it is set up now, by the item's id: as an answer
    of a run, or beside what was planted in them."""
    said = TeacherAnswer.objects.filter(
        run__teacher=teacher, fingerprint=fingerprint, abstained="", item__in=items
    )
    beside = Canary.objects.filter(
        teacher=teacher, fingerprint=fingerprint, attack=PLAIN, abstained=False, host__in=items
    ).exclude(answered_at=None)
    told = [
        *said.order_by("pk").values_list("item", "labels"),
        *beside.order_by("pk").values_list("host", "labels"),
    ]
    return {item: frozenset(labels) for item, labels in told}


def current_trust(teacher: Teacher) -> float:
    """Its trust as it is set up now; 1 where the project has no labels that it could give."""
    if not teacher.project.live_labels().exists():
        return 1.0
    schema = lending.schema_of(teacher.project)
    now = identity.fingerprint(teacher, teacher.params, schema)
    return trust(teacher, schema, now)


def trust(teacher: Teacher, schema: TeacherSchema, fingerprint: str) -> float:
    """0…1, what its probabilities are multiplied with: 1 until it is shown to obey too often."""
    found = obeyed(teacher, schema, fingerprint)
    return 1.0 if found is None else found.trust
