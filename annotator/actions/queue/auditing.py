"""The audit stream: which items of the secret order are kept for honest numbers, and for what."""

from __future__ import annotations

import math

from django.db import connection, transaction
from django.db.models import Count

from annotator import jobs
from annotator.actions.verdicts import verdicts
from annotator.models import Item, Part, Policy, Project, Verdict, VerdictState

# Shares of the audit items, whatever their number.
SHARES: dict[Part, float] = {Part.EVALUATION: 0.6, Part.CALIBRATION: 0.25, Part.SEED: 0.15}
# Parts that did not teach a teacher of this kind what to say, those kept for figures last: students
# learn from the seed, and a committee learns from all but the evaluation whom to believe.
UNTAUGHT = (Part.CALIBRATION, Part.SEED, Part.EVALUATION)
FAIR_PARTS: dict[str, tuple[Part, ...]] = {
    "student": (Part.CALIBRATION, Part.EVALUATION),
    "committee": (Part.EVALUATION,),
}
LARGEST_DEFAULT = 400
POOL_SHARE = 0.2
# Audit evaluation answers below which no audit figure is shown.
FEWEST_TO_SHOW = 50
# Audit items that have so many evaluation items among them.
FEWEST_ITEMS = math.ceil(FEWEST_TO_SHOW / SHARES[Part.EVALUATION])


def size(project: Project) -> int:
    """How many items are kept: as the lead set it, else a fifth of the pool, 400 at most."""
    pool = project.present_count
    wanted = project.audit_size or min(LARGEST_DEFAULT, math.ceil(pool * POOL_SHARE))
    return min(wanted, pool) if project.audit_share > 0 else 0


def recut(project: Project) -> None:
    """Set the cutoff of the secret order again, after the pool or the settings changed."""
    # Whoever changed them waited for an import, which counted its items after they read the project.
    project.refresh_from_db(fields=["item_count", "removed_count", "audit_share", "audit_size"])
    count = size(project)
    cutoff = 0.0
    if count:
        order = Item.objects.filter(project=project).present().order_by("order_key")
        cutoff = order.values_list("order_key", flat=True)[count - 1]
    Project.objects.filter(pk=project.pk).update(audit_cutoff=cutoff)
    project.audit_cutoff = cutoff
    _draw_answered(project)
    if Policy.objects.filter(pk=project.pk, enabled=True).exists():
        # No word of a teacher decides what is of the sample from now on.
        with transaction.atomic():
            jobs.enqueue("route", project=project, key=f"route:{project.pk}")


def _draw_answered(project: Project) -> None:
    """Draw the kept items that people answered before the sample was enlarged.

    Leaving them out would bias the figures: they are just those that selection found interesting.
    """
    answered = Item.objects.filter(
        project=project, order_key__lte=project.audit_cutoff, answers__gt=0, part=""
    )
    counts = _counts(project)
    drawn: dict[Part, list[int]] = {part: [] for part in SHARES}
    for pk in answered.present().order_by("order_key").values_list("pk", flat=True):
        part = _furthest_behind(counts)
        counts[part] = counts.get(part, 0) + 1
        drawn[part].append(pk)
    for part, items in drawn.items():
        Item.objects.filter(pk__in=items, part="").update(part=part)


def fair_parts(plugin: str) -> tuple[Part, ...]:
    """Which parts tell how good such a teacher is."""
    return FAIR_PARTS.get(plugin, UNTAUGHT)


def tied(project: Project) -> int:
    """Drawn items on which people disagree: figures lack them until a reviewer decided, and flatter."""
    drawn = Verdict.objects.filter(project=project, state=VerdictState.TIE)
    return drawn.filter(item__part__gt="", item__answers__gt=0).count()


def is_turn(share: float, served: int) -> bool:
    """Whether the item after `served` others belongs to the audit stream; the first one does."""
    return share > 0 and math.ceil((served + 1) * share) > math.ceil(served * share)


def draw(project: Project, item: Item) -> Part:
    """Cut a first-time audit item into the part that is furthest behind its share."""
    if item.part:
        return Part(item.part)
    part = _furthest_behind(_counts(project))
    Item.objects.filter(pk=item.pk, part="").update(part=part)
    item.part = part
    return part


def _counts(project: Project) -> dict[str, int]:
    drawn = Item.objects.filter(project=project).exclude(part="")
    return dict(drawn.values_list("part").annotate(Count("id")))


def _furthest_behind(counts: dict[str, int]) -> Part:
    drawn = sum(counts.values()) + 1
    return max(SHARES, key=lambda part: SHARES[part] * drawn - counts.get(part, 0))


def untrainable_items() -> str:
    """SQL condition on item `i`: an evaluation or calibration item or a content duplicate of one."""
    return """EXISTS (
        SELECT 1 FROM annotator_item held
        WHERE held.project_id = i.project_id AND held.content_hash = i.content_hash
          AND held.part IN ('evaluation', 'calibration')
    )"""


def answered(project: Project, part: Part) -> list[tuple[int, list[int]]]:
    """(item number, verdict label ids) of the part's items that people have decided.

    Only up to the first item of the secret order that was not drawn yet: as far as that, the drawn
    items are a uniform sample of the whole pool, also when imports joined it later. Answers to
    questions about single labels have no part in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.number, v.labels, i.id, EXISTS (
                SELECT 1 FROM annotator_annotation a
                WHERE a.item_id = i.id AND a.question_id IS NOT NULL)
            FROM annotator_item i JOIN annotator_verdict v ON v.item_id = i.id
            WHERE i.project_id = %s AND i.part = %s AND i.answers > 0 AND v.state = 'decided'
              AND i.order_key < coalesce((
                  SELECT min(waiting.order_key) FROM annotator_item waiting
                  WHERE waiting.project_id = %s AND waiting.part = ''
                    AND waiting.removed_at IS NULL), 'infinity')
            ORDER BY i.order_key
            """,
            [project.pk, part, project.pk],
        )
        rows = cursor.fetchall()
    asked = [item for _, _, item, questions in rows if questions]
    whole = verdicts.by_whole_answers(project, asked) if asked else {}
    return [
        (number, whole.get(item, []) if questions else labels)
        for number, labels, item, questions in rows
        if item in whole or not questions
    ]
