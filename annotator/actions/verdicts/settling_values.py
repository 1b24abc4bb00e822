"""Verdicts where answers are values: what `verdicts` does with labels, done by the project's task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.verdicts import weighing
from annotator.actions.verdicts.votes import (
    Derived,
    Vote,
    belief,
    derived,
    final_word,
    settled,
)
from annotator.actions.verdicts.weighing import Learnt
from annotator.models import Project, VerdictSource, VerdictState

if TYPE_CHECKING:
    from learning.spans import Span
    from learning.tasks import Task
    from learning.tasks.values import Given
    from learning.types import Consensus

_VALUES = """
SELECT e.position, a.value::text FROM annotator_ledgerentry e
JOIN annotator_annotation a ON a.id = e.annotation_id
WHERE e.project_id = %s AND e.position = ANY(%s) AND a.value IS NOT NULL
"""


def derive(
    project: Project, items: Iterable[Sequence[Vote]], learnt: Learnt | None = None
) -> list[Derived]:
    """As `verdicts.derive`, of a project whose answers are values."""
    said = with_values(project, list(items))
    words = [(votes, final_word(votes)) for votes in said]
    finals = [
        settled(votes, word, belief(votes, word), word.labels)
        for votes, word in words
        if word is not None
    ]
    return finals + _agreed(project, [votes for votes, word in words if word is None], learnt)


def given(votes: Iterable[Vote]) -> list[Given]:
    """Votes as the task reads them; a word that an item is bad has no value."""
    from learning.tasks.values import Given

    return [
        Given(annotator=vote.annotator, value=vote.value, weight=vote.weight)
        for vote in votes
        if vote.value is not None
    ]


def with_values(project: Project, items: Sequence[Sequence[Vote]]) -> list[list[Vote]]:
    """The votes with the values that their answers have beside their labels."""
    positions = [vote.position for votes in items for vote in votes]
    with connection.cursor() as cursor:
        cursor.execute(_VALUES, [project.pk, positions])
        values = {position: json.loads(value) for position, value in cursor.fetchall()}
    return [[vote._replace(value=values.get(vote.position)) for vote in votes] for votes in items]


def _agreed(
    project: Project, items: Sequence[Sequence[Vote]], learnt: Learnt | None
) -> list[Derived]:
    from learning.tasks.values import value_task

    if not items:
        return []
    if learnt is None:
        learnt = weighing.learnt(project, [vote.annotator for votes in items for vote in votes])
    task = value_task(project.task_type)
    found = task.settle(learnt.consensus(), [given(votes) for votes in items], learnt.skills)
    return [
        derived(
            votes,
            labels=task.labels_of(agreed.value),
            value=agreed.value,
            soft={label: round(share, 6) for label, share in agreed.shares.items()},
            known=None,
            state=VerdictState.TIE if agreed.tied else VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
        )
        for votes, agreed in zip(items, found, strict=True)
    ]


def marks_of(task: Task, votes: Iterable[Vote]) -> list[list[Span]] | None:
    """What each vote marks beside its labels; None where labels are the whole answer."""
    from learning.spans import spans_of

    return [spans_of(vote.value or {"spans": []}) for vote in votes] if task.marking else None


def texts_of(task: Task, votes: Iterable[Vote]) -> list[dict[str, Any]] | None:
    """What each vote writes beside its labels, by question; None where nothing is written."""
    return [(vote.value or {}).get("texts", {}) for vote in votes] if task.writing else None


def value_in(consensus: Consensus, row: int) -> dict[str, Any] | None:
    """What an item has beside its labels by a verdict on them; None where it has only those."""
    from learning.spans import value_of

    found: dict[str, Any] = {}
    if consensus.marks is not None:
        found |= value_of(consensus.marks[row])
    if consensus.texts is not None:
        found["texts"] = dict(consensus.texts[row])
    return found or None


def value_text(value: Any) -> str | None:
    """As the database takes it."""
    return None if value is None else json.dumps(value)
