"""Gold items: answers that are known, mixed in unseen, to tell how well people answer.

What people say of a gold item is never a vote on it and never teaches a student: its label was
decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from annotator.actions.projects.schema import check_labels
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotator,
    GoldItem,
    Item,
    Project,
    Shape,
    User,
    Verdict,
    VerdictSource,
    VerdictState,
)

MOST_AT_ONCE = 1_000
LONGEST_NOTE = 2_000
KNOWN = (VerdictSource.REVIEWER, VerdictSource.TRUTH)

# A person's first answer counts, not what they changed it to; beside it what was known.
_FIRST_ANSWERS = """
SELECT DISTINCT ON (a.annotator_id, a.item_id)
       a.annotator_id, i.number, a.labels, g.labels
FROM annotator_annotation a
JOIN annotator_golditem g ON g.item_id = a.item_id
JOIN annotator_item i ON i.id = a.item_id
WHERE a.project_id = %(project)s AND a.stream = 'gold' AND a.kind = 'answer'
  AND (%(annotator)s::bigint IS NULL OR a.annotator_id = %(annotator)s)
ORDER BY a.annotator_id, a.item_id, a.id
"""


@dataclass(frozen=True)
class Miss:
    """A gold item that somebody answered otherwise."""

    number: int
    said: list[int]
    known: list[int]


@dataclass
class Score:
    """A person's gold answers: exactly the known labels count as right."""

    asked: int = 0
    right: int = 0
    misses: list[Miss] = field(default_factory=list)


def candidates(project: Project, source: str | None = None) -> QuerySet[Item]:
    """Items whose answer a reviewer or an imported truth decided, and which are not gold yet."""
    decided = Verdict.objects.filter(
        project=project, state=VerdictState.DECIDED, source__in=[source] if source else KNOWN
    )
    kept = Item.objects.filter(project=project, pk__in=decided.values("pk")).present()
    return kept.exclude(gold__ended_at=None, gold__isnull=False).order_by("number")


def add(
    project: Project, user: User | None, items: Sequence[Item], *, note: str = ""
) -> list[GoldItem]:
    """Make items gold with the labels that their verdicts have now.

    Raises InvalidError for one whose answer nobody with the right to has decided.
    """
    if not 0 < len(items) <= MOST_AT_ONCE:
        raise InvalidError(f"Choose 1 to {MOST_AT_ONCE:,} items.", field="items")
    if project.shape != Shape.LABELS:
        raise InvalidError("Gold items are for answers that are labels; here answers are more.")
    task = project.task
    if task.writing and len(task.writing) == len(task.questions):
        raise InvalidError("Gold items compare labels; this form asks for texts alone.")
    verdicts = Verdict.objects.decided().filter(project=project, source__in=KNOWN)
    known = dict(
        verdicts.filter(item__in=[item.pk for item in items]).values_list("item", "labels")
    )
    for item in items:
        if item.pk not in known or item.project_id != project.pk:
            raise InvalidError(
                f"The answer to #{item.number} is not known: a reviewer decides it first, or it "
                "comes with a file as truth.",
                field="items",
            )
        # Of an answer that is written to beside its labels, these are compared.
        check_labels(project, known[item.pk], None if task.marking else task)
    made = []
    with transaction.atomic():
        for item in items:
            gold, _ = GoldItem.objects.update_or_create(
                project=project,
                item=item,
                defaults={
                    "labels": known[item.pk],
                    "note": note.replace("\x00", "")[:LONGEST_NOTE],
                    "created_by": user,
                    "ended_at": None,
                },
            )
            made.append(gold)
    return made


def add_some(project: Project, user: User | None, count: int, source: str) -> list[GoldItem]:
    """Make so many items gold, drawn by the secret order from those a source decided."""
    if source not in KNOWN:
        raise InvalidError(f"“{source}” decides no item.", field="source")
    if not 0 < count <= MOST_AT_ONCE:
        raise InvalidError(f"Choose 1 to {MOST_AT_ONCE:,} items.", field="count")
    live = list(project.live_labels().values_list("pk", flat=True))
    fitting = candidates(project, source).filter(verdict__labels__contained_by=live)
    items = list(fitting.order_by("-order_key")[:count])
    if not items:
        raise ConflictError("No further item has an answer of this source.")
    return add(project, user, items)


def end(gold: GoldItem) -> None:
    """Ask it no more; what was answered stays in the figures."""
    GoldItem.objects.filter(pk=gold.pk, ended_at=None).update(ended_at=Now())


def scores(project: Project, annotator: Annotator | None = None) -> dict[int, Score]:
    """By voice: how many gold items they answered, how many right, and the misses."""
    voice = None if annotator is None else annotator.pk
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_ANSWERS, {"project": project.pk, "annotator": voice})
        rows = cursor.fetchall()
    found: dict[int, Score] = {}
    for who, number, said, known in rows:
        score = found.setdefault(who, Score())
        score.asked += 1
        if set(said) == set(known):
            score.right += 1
        else:
            score.misses.append(Miss(number=number, said=said, known=known))
    return found
