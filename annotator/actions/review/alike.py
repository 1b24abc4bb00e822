"""Near-identical cases that wait for the same decision: settled by one key, taken back by one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid5

from annotator.actions.explore.neighbours import nearest
from annotator.models import (
    Annotation,
    AnnotationKind,
    Flag,
    FlagKind,
    FlagState,
    Item,
    Part,
    Project,
    Shape,
    Stream,
)

# Cosine from which two items are one for a reviewer, and how many are offered at once.
NEARLY_SAME = 0.98
MOST = 20


def near_identical(project: Project, item: Item, among: Sequence[int] | None = None) -> list[Item]:
    """Items nearly the same as this one, flagged with the same label in question.

    Never one that chance drew, nor one of the audit sample: those are read one by one. `among`
    narrows them to items that somebody chose.
    """
    if (among is not None and not among) or project.shape != Shape.LABELS or project.task.valued:
        return []  # a value is of its own text: it fits no other, however alike
    found = nearest(project, item, MOST, labelled=True)
    numbers = [number for number, cosine in found.pairs if cosine >= NEARLY_SAME] if found else []
    doubted = Flag.objects.filter(item=item).by_machines().order_by("-pk").first()
    if not numbers or doubted is None:
        return []
    same = Flag.objects.filter(
        project=project,
        state=FlagState.OPEN,
        kind=FlagKind.DETECTOR,
        probability=None,
        labels=doubted.labels,
    )
    items = Item.objects.present().filter(
        project=project,
        number__in=numbers,
        flags__in=same,
        order_key__gt=project.audit_cutoff,
        verdict__labels=doubted.labels,
    )
    chosen = items.exclude(part__in=[Part.EVALUATION, Part.CALIBRATION])
    if among is not None:
        chosen = chosen.filter(pk__in=among)
    return list(chosen.order_by("number"))


def copy_of(said: Annotation, item: Item) -> Annotation:
    """The same word about another item, marked so that both are taken back together."""
    return Annotation(
        uuid=uuid5(said.uuid, str(item.pk)),
        project=said.project,
        item=item,
        annotator=said.annotator,
        labels=said.labels,
        outcome=said.outcome,
        reason=_mark(said),
    )


def written_with(word: Annotation) -> list[Annotation]:
    """The words about near-identical items that were written with this one and still stand."""
    others = Annotation.objects.filter(
        annotator=word.annotator_id, stream=Stream.REVIEW, reason=_mark(word), successor=None
    )
    return list(others.exclude(kind=AnnotationKind.RETRACTION))


def _mark(word: Annotation) -> str:
    return f"Near-identical to another case ({word.uuid})"
