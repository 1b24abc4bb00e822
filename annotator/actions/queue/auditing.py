"""The audit stream: which items of the secret order are kept for honest numbers, and for what."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Min

from annotator import jobs
from annotator.actions.verdicts import verdicts
from annotator.models import (
    Annotator,
    AnnotatorKind,
    Item,
    Part,
    Policy,
    Project,
    Verdict,
    VerdictState,
)

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
    return [(one.number, one.labels) for one in _decided(project, [part]) if one.counts]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How much of the sample that people decided counts by now.

    answered: decided items; usable: those that count. first: items that joined between them, which
    have to be answered before `wanted` count, or as many as can; missing: answers still lacking then.
    """

    answered: int
    usable: int
    first: int
    missing: int

    @property
    def told(self) -> str:
        """Why answers do not count, in sentences; nothing where no item has to be answered first."""
        if not self.first:
            return ""
        told = (
            f"New items joined the random sample’s range: {self.first:,} of them "
            f"{'has' if self.first == 1 else 'have'} to be answered first. "
            f"Until then {self.usable:,} of {self.answered:,} answers count."
        )
        if not self.missing:
            return told
        return f"{told} A figure takes {self.missing:,} new answer{'' if self.missing == 1 else 's'} in all."


def reach(
    project: Project,
    *parts: Part,
    wanted: int = FEWEST_TO_SHOW,
    voice: Annotator | None = None,
) -> Reach:
    """How much of these parts counts (of the evaluation, if none is named), or of what a voice can be
    compared on.

    The stream serves the smallest keys first, so just what is undrawn below the `wanted`-th waits.
    """
    rows = _decided(project, parts or [Part.EVALUATION], voice)
    usable, counted, first = sum(one.counts for one in rows), min(len(rows), wanted), 0
    if usable < counted:
        keys, cutoff = [one.key for one in rows[:wanted]], project.audit_cutoff
        undrawn = Item.objects.filter(project=project, part="").present()
        # What waits beyond the cutoff is served to nobody.
        never = undrawn.filter(order_key__gt=cutoff).aggregate(first=Min("order_key"))["first"]
        counted = len(keys) if never is None else bisect_left(keys, never)
        if usable < counted:
            reached = undrawn.filter(order_key__lt=keys[counted - 1], order_key__lte=cutoff)
            first = reached.count()
    return Reach(answered=len(rows), usable=usable, first=first, missing=wanted - counted)


def source(project: Project) -> str:
    """Where answers to the random sample come from, in a sentence."""
    if project.audit_share <= 0:
        return "People are served none of it now: give it a share in Settings, under Audit."
    share = f"{100 * project.audit_share:.3g}\u202f%"
    return (
        f"{share} of what people are served to label is of it: label on, or raise that share in "
        "Settings, under Audit."
    )


class _Decided(NamedTuple):
    number: int
    labels: list[int]
    key: float
    counts: bool


def _decided(
    project: Project, parts: Sequence[Part], voice: Annotator | None = None
) -> list[_Decided]:
    """What people decided of these parts, in the secret order; of a voice what it can be compared on:
    it answered too, and a person is not the only one.
    """
    others = int(voice is not None and voice.kind == AnnotatorKind.PERSON)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.number, v.labels, i.order_key, i.order_key < coalesce((
                    SELECT min(waiting.order_key) FROM annotator_item waiting
                    WHERE waiting.project_id = %s AND waiting.part = ''
                      AND waiting.removed_at IS NULL), 'infinity'),
                i.id, EXISTS (
                    SELECT 1 FROM annotator_annotation a
                    WHERE a.item_id = i.id AND a.question_id IS NOT NULL)
            FROM annotator_item i JOIN annotator_verdict v ON v.item_id = i.id
            WHERE i.project_id = %s AND i.part = ANY(%s) AND i.answers > %s AND v.state = 'decided'
              AND (%s::bigint IS NULL OR EXISTS (
                  SELECT 1 FROM annotator_annotation said
                  WHERE said.item_id = i.id AND said.annotator_id = %s AND said.kind = 'answer'))
            ORDER BY i.order_key
            """,
            [project.pk, project.pk, list(parts), others, *[voice.pk if voice else None] * 2],
        )
        rows = cursor.fetchall()
    asked = [item for *_, item, questions in rows if questions]
    whole = verdicts.by_whole_answers(project, asked) if asked else {}
    return [
        _Decided(number, whole.get(item, []) if questions else labels, key, counts)
        for number, labels, key, counts, item, questions in rows
        if item in whole or not questions
    ]
