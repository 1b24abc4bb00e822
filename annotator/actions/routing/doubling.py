"""Items that both a person and the policy's teacher answer, drawn at random, each with how likely
that was: what everything that is known of the teacher rests on.

Three draws. The seed part of the audit sample, once people answered it; a uniform draw from the rest
of the pool while that is too small, and from what joined the pool since; and a share of what the teacher
answers, for as long as it does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.crypto import salted_hmac

from annotator.actions.routing import strata
from annotator.models import (
    Annotation,
    Double,
    Drawn,
    Item,
    Part,
    Policy,
    Project,
    Teacher,
    TeacherAnswer,
    TeacherRunKind,
)

if TYPE_CHECKING:
    import numpy as np

# What is kept for figures teaches no router either, also when it was drawn before it was kept.
KEPT = (Part.EVALUATION, Part.CALIBRATION)
# Draws are looked up so many at a time.
CHUNK = 2_000
# A teacher that gives up on most of the seed is asked about so many times its size.
MOST_DRAWN = 3

# Doubles that a person decided and the teacher answered, with the standing word of either. What
# people said is the verdict; a teacher's own acceptance never is.
_BOTH = """
SELECT i.id, i.number, d.probability, d.why, v.labels, said.id, said.labels,
       t.probabilities::text,
       CASE WHEN said.value IS NULL THEN coalesce(t.p_right, t.confidence) ELSE t.confidence END,
       said.value::text, v.value::text
FROM annotator_double d
JOIN annotator_item i ON i.id = d.item_id AND i.removed_at IS NULL AND i.answers > 0
    AND i.part NOT IN ('evaluation', 'calibration')
JOIN annotator_verdict v ON v.item_id = i.id AND v.state = 'decided' AND v.source <> 'teacher'
JOIN annotator_teacher teacher ON teacher.id = d.teacher_id
JOIN annotator_annotation said ON said.item_id = i.id AND said.annotator_id = teacher.voice_id
    AND said.kind = 'answer'
JOIN annotator_teacheranswer t ON t.annotation_id = said.id
WHERE d.project_id = %s AND d.teacher_id = %s
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = said.id)
ORDER BY i.number
"""


class Both(NamedTuple):
    """An item that both have answered: how likely and why it was drawn, what people decided, and the
    teacher's annotation with its labels, its probabilities by label id, its confidence and, where
    labels are not all of an answer, its value; right: whether it said what people decided."""

    item: int
    number: int
    probability: float
    why: str
    truth: list[int]
    annotation: int
    labels: list[int]
    chances: dict[str, float]
    confidence: float | None
    value: Any
    right: bool


def draw_seed(project: Project, policy: Policy, rng: np.random.Generator) -> int:
    """Draw what the seed still lacks, and of what joined the pool since it was drawn from as many as
    their share of a seed. Returns how many items were drawn."""
    teacher = policy.teacher
    if teacher is None:
        return 0
    before = strata.draws(project, teacher)
    drawn = _draw_audit(project, teacher)
    drawn += _draw_joined(project, policy, teacher, before, rng)
    seed = Double.objects.filter(project=project, teacher=teacher).exclude(why=Drawn.CHECK)
    seed = seed.exclude(item__part__in=KEPT)
    have = seed.count()
    # Where the teacher gave up, others are drawn; not for ever, nor where it answered later.
    silent = seed.filter(Exists(_abstained(teacher))).exclude(Exists(_said(teacher)))
    missing = policy.seed_size - have + silent.count()
    most = MOST_DRAWN * policy.seed_size - have
    drawn += _draw_random(project, teacher, min(missing, most), rng)
    strata.weigh(project, teacher)
    return drawn


def _draw_joined(
    project: Project,
    policy: Policy,
    teacher: Teacher,
    before: list[datetime],
    rng: np.random.Generator,
) -> int:
    """From what joined the pool after the last draw: else nothing would be known of it."""
    late = strata.joined(project, teacher, before)
    if not late.items:
        return 0
    wanted = round(policy.seed_size * late.items / max(project.present_count, 1)) - late.drawn
    return _draw_random(project, teacher, wanted, rng, since=before[-1])


def _draw_audit(project: Project, teacher: Teacher) -> int:
    """The seed items of the audit sample that people have answered: a uniform sample of the pool."""
    seed = Item.objects.present().filter(project=project, part=Part.SEED, answers__gt=0)
    fresh = list(_undrawn(seed, teacher).values_list("pk", flat=True))
    return _write(project, teacher, fresh, Drawn.AUDIT)


def _draw_random(
    project: Project,
    teacher: Teacher,
    count: int,
    rng: np.random.Generator,
    since: datetime | None = None,
) -> int:
    """Uniformly from the items outside of the audit sample, whether people answered them or not; from
    those alone that came after `since`, if it is given."""
    frame = _undrawn(
        Item.objects.present().filter(
            project=project, part=Part.NONE, order_key__gt=project.audit_cutoff
        ),
        teacher,
    ).exclude(text="", text_b="", image="")
    if since is not None:
        frame = frame.filter(created_at__gte=since)
    taken: list[int] = []
    order = rng.permutation(project.item_count) if count > 0 else ()
    for start in range(0, len(order), CHUNK):
        if len(taken) >= count:
            break
        numbers = [int(number) for number in order[start : start + CHUNK]]
        known = dict(frame.filter(number__in=numbers).values_list("number", "pk"))
        taken += [known[number] for number in numbers if number in known]
    return _write(project, teacher, taken[: max(count, 0)], Drawn.RANDOM)


def draw_checks(project: Project, policy: Policy) -> int:
    """Let each item that the teacher answered since the last call be drawn by the policy's share.

    However often it answers an item, and is taken off the policy and back, the item has one chance.
    """
    teacher = policy.teacher
    if teacher is None:
        return 0
    answers = TeacherAnswer.objects.filter(
        project=project, run__teacher=teacher, run__kind=TeacherRunKind.LABEL
    ).filter(pk__gt=policy.considered, abstained="")
    answers = answers.exclude(item__part__in=KEPT)
    rows = list(answers.order_by("pk").values_list("pk", "item"))
    if not rows:
        return 0
    known = set(
        Double.objects.filter(teacher=teacher, item__in=[item for _, item in rows]).values_list(
            "item", flat=True
        )
    )
    drawn = {item for _, item in rows if _die(teacher, item) < policy.double_share} - known
    count = _write(project, teacher, sorted(drawn), Drawn.CHECK, policy.double_share)
    Policy.objects.filter(pk=policy.pk).update(considered=rows[-1][0])
    policy.considered = rows[-1][0]
    return count


def _die(teacher: Teacher, item: int) -> float:
    """Uniform over [0, 1), the same for ever, and nobody's to foretell."""
    thrown = salted_hmac("annotator.check", f"{teacher.pk} {item}", algorithm="sha256").digest()
    return float(int.from_bytes(thrown[:6])) / 2**48


def _undrawn(rows: QuerySet[Item], teacher: Teacher) -> QuerySet[Item]:
    drawn = Double.objects.filter(item=OuterRef("pk"), teacher=teacher)
    return rows.exclude(Exists(drawn))


def _write(
    project: Project,
    teacher: Teacher,
    items: list[int],
    why: Drawn,
    probability: float = 1.0,  # until it is weighed, in the same transaction
) -> int:
    made = Double.objects.bulk_create(
        (
            Double(project=project, teacher=teacher, item_id=item, why=why, probability=probability)
            for item in items
        ),
        ignore_conflicts=True,
    )
    return len(made)


def unasked(project: Project, teacher: Teacher) -> list[int]:
    """Numbers of the drawn items that the teacher was not asked about yet."""
    rows = Double.objects.filter(project=project, teacher=teacher, item__removed_at=None)
    rows = rows.exclude(Exists(_said(teacher))).exclude(Exists(_gave_up(teacher)))
    return list(rows.order_by("pk").values_list("item__number", flat=True))


def _said(teacher: Teacher) -> QuerySet[Annotation]:
    """Of an item: what the teacher answered."""
    return Annotation.objects.filter(item=OuterRef("item"), annotator=teacher.voice_id)


def _gave_up(teacher: Teacher) -> QuerySet[TeacherAnswer]:
    """Of an item: answers in which the teacher could not tell."""
    return _abstained(teacher).exclude(model="", tokens_in=0)


def _abstained(teacher: Teacher) -> QuerySet[TeacherAnswer]:
    """Of an item: answers in which nothing was said, for whatever cause."""
    asked = TeacherAnswer.objects.filter(
        item=OuterRef("item"), run__teacher=teacher, run__kind=TeacherRunKind.LABEL
    )
    return asked.exclude(abstained="")


def waiting(project: Project) -> dict[int, float]:
    """Number -> draw probability of the drawn items that no person has answered yet.

    They are shown to people without any suggestion: the answer has to be a person's own.
    """
    policy = Policy.objects.filter(pk=project.pk).exclude(teacher=None).first()
    if policy is None:
        return {}
    rows = Double.objects.filter(
        project=project,
        teacher=policy.teacher_id,
        item__answers=0,
        item__open=True,
        item__removed_at=None,
    )
    return dict(rows.order_by("pk").values_list("item__number", "probability"))


def silent(project: Project, teacher: Teacher) -> int:
    """On how many of the drawn items the teacher had no answer, by its own word."""
    rows = Double.objects.filter(project=project, teacher=teacher, item__removed_at=None)
    return rows.filter(Exists(_gave_up(teacher))).exclude(Exists(_said(teacher))).count()


def counts(project: Project, teacher: Teacher) -> dict[str, int]:
    """How many items were drawn, and how many of them wait for a person."""
    rows = Double.objects.filter(project=project, teacher=teacher, item__removed_at=None)
    found = rows.aggregate(drawn=Count("pk"), waiting=Count("pk", filter=Q(item__answers=0)))
    return {name: int(count) for name, count in found.items()}


def both(project: Project, teacher: Teacher) -> list[Both]:
    """The drawn items that both have answered, by number."""
    with connection.cursor() as cursor:
        cursor.execute(_BOTH, [project.pk, teacher.pk])
        rows = cursor.fetchall()
    return [_read(project, row) for row in rows]


def _read(project: Project, row: Sequence[Any]) -> Both:
    truth, labels = row[4], row[6]
    said, decided = (None if each is None else json.loads(each) for each in row[9:])
    meaning = project.task.meaning
    right = meaning(labels, said) == meaning(truth, decided)
    return Both._make([*row[:7], json.loads(row[7]), row[8], said, right])
