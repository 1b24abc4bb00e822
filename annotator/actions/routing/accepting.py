"""Which words of a teacher are verdicts: made so under the policy, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.routing import doubling
from annotator.actions.verdicts import verdicts
from annotator.models import Acceptance, Pick, Policy, Project

CHUNK = 2_000


@dataclass(frozen=True, kw_only=True)
class Word:
    """A standing, sealed answer of the teacher's and how likely right it is held to be."""

    annotation: int
    p_right: float


def bring_in_line(run: jobs.Run, wanted: Mapping[int, Word]) -> dict[str, int]:
    """Let just these words (item -> word) be accepted; verdicts follow, in small transactions.

    One that stands keeps the probability with which it was accepted. Returns how many were
    accepted and how many ended.
    """
    project = run.project
    before = standing(project)
    over = [item for item, word in before.items() if _is_other(wanted.get(item), word)]
    fresh = [item for item, word in wanted.items() if _is_other(before.get(item), word)]
    changed = sorted({*over, *fresh})
    for start in range(0, len(changed), CHUNK):
        chunk = changed[start : start + CHUNK]
        run.progress(start, len(changed), "Writing verdicts of the teacher's answers")
        with run.fence():
            _lock(project)
            _end(project, chunk)
            accepted = {item: wanted[item] for item in chunk if item in wanted}
            _accept(project, accepted)
            verdicts.decide(project, chunk)
            _leave_queue(project, list(accepted))
    return {"accepted": len(fresh), "ended": len(over)}


def standing(project: Project) -> dict[int, Word]:
    """Item -> the word that is accepted now."""
    rows = Acceptance.objects.filter(project=project, ended_at=None)
    return {
        item: Word(annotation=annotation, p_right=p_right)
        for item, annotation, p_right in rows.values_list("item", "annotation", "p_right")
    }


def fitting(policy: Policy) -> dict[int, Word]:
    """Those of them that the policy, as it is now, would accept for what was known of them then."""
    rows = Acceptance.objects.filter(
        project=policy.project_id,
        ended_at=None,
        p_right__gte=policy.confidence,
        annotation__annotator__teacher=policy.teacher_id,
    )
    return {
        item: Word(annotation=annotation, p_right=p_right)
        for item, annotation, p_right in rows.values_list("item", "annotation", "p_right")
    }


def _is_other(one: Word | None, word: Word) -> bool:
    return one is None or one.annotation != word.annotation


def _lock(project: Project) -> None:
    """Part this from a snapshot that freezes what is accepted: it is in or out by the clock."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _end(project: Project, items: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotator_acceptance SET ended_at = clock_timestamp() "
            "WHERE project_id = %s AND ended_at IS NULL AND item_id = ANY(%s)",
            [project.pk, items],
        )


def _accept(project: Project, words: Mapping[int, Word]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotator_acceptance
                (project_id, item_id, annotation_id, p_right, accepted_at)
            SELECT %s, word.item, word.annotation, word.p_right, clock_timestamp()
            FROM unnest(%s::bigint[], %s::bigint[], %s::float8[])
                AS word(item, annotation, p_right)
            """,
            [
                project.pk,
                list(words),
                [word.annotation for word in words.values()],
                [word.p_right for word in words.values()],
            ],
        )


def _leave_queue(project: Project, items: list[int]) -> None:
    """Free places of decided items, but for those that a person is to answer all the same."""
    free = Pick.objects.filter(project=project, item__in=items).exclude(leased_until__gte=Now())
    free = free.exclude(item__number__in=doubling.waiting(project))
    locked = free.select_for_update(skip_locked=True, of=("self",))
    Pick.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).delete()
