"""From sealed annotations to the label an item has now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from annotator.actions.projects.schema import columns_of
from annotator.actions.verdicts import settling_values, telling, weighing
from annotator.actions.verdicts.votes import (
    Derived,
    Vote,
    belief,
    by_teacher,
    counting,
    derived,
    final_word,
    settled,
)
from annotator.actions.verdicts.weighing import Learnt
from annotator.models import Outcome, Project, Shape, Verdict, VerdictSource, VerdictState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.tasks import Columns, Task
    from learning.types import Consensus

CHUNK = 5_000
VERDICT_LOCK = 7_003
# Labels that are believed in less are not kept: with many labels each gets a crumb.
KEPT_BELIEF = 0.02

# What teachers say is kept beside the votes and never counted as one; see `_ACCEPTED`.
# LIMIT and OFFSET keep the planner at one index probe per row: for a large chunk it would read the
# whole ledger instead, and again for the next one.
_STANDING = """
SELECT a.item_id, a.annotator_id, a.labels, a.stream, v.weight, v.truth, e.position, a.question_id,
       a.outcome
FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id
CROSS JOIN LATERAL (
    SELECT position FROM annotator_ledgerentry
    WHERE annotation_id = a.id AND position IS NOT NULL OFFSET 0) e
WHERE a.item_id = ANY(%s) AND (a.kind = 'answer' OR a.outcome = 'bad') AND a.stream <> 'gold'
  AND v.kind <> 'teacher'
  AND (SELECT le.position FROM annotator_annotation later
       JOIN annotator_ledgerentry le ON le.annotation_id = later.id
       WHERE later.previous_id = a.id LIMIT 1) IS NULL
ORDER BY a.item_id, e.position
"""
# A word that the project's policy accepts, for items that have no vote.
_ACCEPTED = """
SELECT c.item_id, a.labels, e.position, a.value::text
FROM annotator_acceptance c
JOIN annotator_annotation a ON a.id = c.annotation_id AND a.kind = 'answer'
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
WHERE c.item_id = ANY(%s) AND c.ended_at IS NULL
  AND (SELECT le.position FROM annotator_annotation later
       JOIN annotator_ledgerentry le ON le.annotation_id = later.id
       WHERE later.previous_id = a.id LIMIT 1) IS NULL
ORDER BY c.item_id
"""
_WRITE = """
INSERT INTO annotator_verdict
    (item_id, project_id, labels, value, soft, known, state, source, voices, position, decided_at)
SELECT v.item, %s, v.labels::bigint[], v.value::jsonb, v.soft::jsonb, v.known::bigint[], v.state,
       v.source, v.voices, v.position, now()
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::int[], %s::bigint[])
    AS v(item, labels, value, soft, known, state, source, voices, position)
ORDER BY v.item
ON CONFLICT (item_id) DO UPDATE SET
    labels = excluded.labels, value = excluded.value, soft = excluded.soft, known = excluded.known,
    state = excluded.state, source = excluded.source, voices = excluded.voices,
    position = excluded.position, decided_at = excluded.decided_at
"""


def decide(project: Project, item_ids: Iterable[int]) -> int:
    """Derive the verdicts of these items anew. Returns how many verdicts were written.

    A reviewer's word is final, then a label imported as truth, then the consensus of the votes;
    a tie waits for review. Without any vote, what the policy accepts of a teacher is the verdict. An
    item whose every answer was taken back has none.
    """
    written = 0
    for chunk in _chunks(item_ids):
        with transaction.atomic(), connection.cursor() as cursor:
            # Parts two workers that would derive the same verdicts from different positions.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [VERDICT_LOCK, project.pk])
            with telling.changes(project, chunk):
                written += _decide_chunk(project, chunk)
    return written


def by_whole_answers(project: Project, item_ids: Sequence[int]) -> dict[int, list[int]]:
    """Item -> the labels that its whole answers alone decide; items that they leave tied are not in.

    For figures, in which answers to questions never have a part.
    """
    votes: dict[int, list[Vote]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [list(item_ids)])
        for vote in starmap(Vote, cursor.fetchall()):
            if vote.question is None:
                votes[vote.item].append(vote)
    found = derive(project, votes.values())
    return {one.item: one.labels for one in found if one.state == VerdictState.DECIDED}


def without(project: Project, item_ids: Sequence[int], stream: str) -> dict[int, list[int]]:
    """Item -> the labels that its votes would decide without those of a stream; ties are not in."""
    votes: dict[int, list[Vote]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [list(item_ids)])
        for vote in starmap(Vote, cursor.fetchall()):
            if vote.stream != stream:
                votes[vote.item].append(vote)
    found = derive(project, votes.values())
    return {one.item: one.labels for one in found if one.state == VerdictState.DECIDED}


def _chunks(item_ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(set(item_ids))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def _decide_chunk(project: Project, item_ids: list[int]) -> int:
    votes: dict[int, list[Vote]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [item_ids])
        for row in cursor.fetchall():
            votes[row[0]].append(Vote(*row))
    silent = [pk for pk in item_ids if pk not in votes]
    accepted = _accepted(silent)
    heard = {one.item for one in accepted}
    Verdict.objects.filter(item_id__in=[pk for pk in silent if pk not in heard]).delete()
    found = derive(project, votes.values()) + accepted
    if found:
        _write(project, found)
    return len(found)


def _accepted(item_ids: list[int]) -> list[Derived]:
    if not item_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ACCEPTED, [item_ids])
        return [by_teacher(*row) for row in cursor.fetchall()]


def _write(project: Project, found: list[Derived]) -> None:
    columns: list[Any] = [
        [one.item for one in found],
        [_array(one.labels) for one in found],
        [settling_values.value_text(one.value) for one in found],
        [json.dumps(one.soft) for one in found],
        [None if one.known is None else _array(one.known) for one in found],
        [str(one.state) for one in found],
        [str(one.source) for one in found],
        [one.voices for one in found],
        [one.position for one in found],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [project.pk, *columns])


def _array(ids: Iterable[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def derive(
    project: Project,
    items: Iterable[Sequence[Vote]],
    learnt: Learnt | None = None,
    task: Task | None = None,
) -> list[Derived]:
    """Derive what each item's votes amount to; finals first, then what consensus says.

    `items` holds the votes of one item each, in the order of their positions. What only answers to
    questions are known of is partial. `learnt` is what the project has learnt by now unless given, and
    `task` what it asks by now.
    """
    if project.shape != Shape.LABELS:
        return settling_values.derive(project, items, learnt)
    task = task or project.task
    if task.valued:
        items = settling_values.with_values(project, list(items))
    finals: list[Derived] = []
    open_questions: list[Sequence[Vote]] = []
    for said in map(counting, items):
        word = final_word(said)
        if word is None:
            open_questions.append(said)
        else:
            finals.append(_final(task, said, word))
    return finals + _by_consensus(project, task, open_questions, learnt)


def _final(task: Task, votes: Sequence[Vote], word: Vote) -> Derived:
    soft = belief(votes, word)
    divided = word.outcome == Outcome.AMBIGUOUS
    return settled(votes, word, soft, _likeliest(task, soft, word) if divided else word.labels)


def _likeliest(task: Task, soft: dict[int, float], word: Vote) -> list[int]:
    """The labels that stand for a divided item; the reviewer's own one decides between equals."""
    if task.has_questions:
        return word.labels  # shares of several answers make no whole one
    if task.multi_label:
        return [label for label, share in soft.items() if share >= 0.5]
    return [max(soft, key=lambda label: (soft[label], label in word.labels))]


def _by_consensus(
    project: Project, task: Task, items: Sequence[Sequence[Vote]], learnt: Learnt | None
) -> list[Derived]:
    if not items:
        return []
    import numpy as np

    from learning.types import Votes

    columns = columns_of(project, with_archived=True)
    flat = [(row, vote) for row, votes in enumerate(items) for vote in votes]
    if learnt is None:
        learnt = weighing.learnt(project, [vote.annotator for _, vote in flat])
    consensus = task.agree(
        learnt.consensus(),
        Votes(
            items=len(items),
            item=np.array([row for row, _ in flat], dtype=np.int64),
            annotator=np.array([vote.annotator for _, vote in flat], dtype=np.int64),
            answers=columns.hot([vote.labels for _, vote in flat]),
            weights=np.array([vote.weight for _, vote in flat], dtype=np.float64),
            known=known_of([vote.question for _, vote in flat], columns),
            multi_label=project.multi_label,
            probabilities=None
            if learnt.words is None
            else learnt.words.about([votes[0].item for votes in items], len(columns)),
            marks=settling_values.marks_of(task, [vote for _, vote in flat]),
            texts=settling_values.texts_of(task, [vote for _, vote in flat]),
        ),
        learnt.skills,
    )
    return _told(items, consensus, columns)


def _told(items: Sequence[Sequence[Vote]], consensus: Consensus, columns: Columns) -> list[Derived]:
    """The verdicts of a consensus, labels by id."""
    import numpy as np

    ids = columns.label_ids
    labels: list[list[int]] = [[] for _ in items]
    for row, column in zip(*map(np.ndarray.tolist, np.nonzero(consensus.answers)), strict=True):
        labels[row].append(ids[column])
    soft: list[dict[int, float]] = [{} for _ in items]
    rows, places = np.nonzero(consensus.shares > KEPT_BELIEF)
    shares = consensus.shares[rows, places].tolist()
    for row, column, share in zip(rows.tolist(), places.tolist(), shares, strict=True):
        soft[row][ids[column]] = round(share, 6)
    return [
        _agreed(
            votes,
            labels=labels[row],
            value=settling_values.value_in(consensus, row),
            soft=soft[row],
            tied=bool(consensus.tied[row]),
        )
        for row, votes in enumerate(items)
    ]


def known_of(questions: Sequence[int | None], columns: Columns) -> NDArray[np.bool_] | None:
    """(v, k) bool, the labels that each vote speaks about; None where all speak about all."""
    import numpy as np

    asked = [(row, question) for row, question in enumerate(questions) if question is not None]
    if not asked:
        return None
    known = np.ones((len(questions), len(columns)), dtype=np.bool_)
    for row, question in asked:
        known[row] = False
        known[row, columns.column(question)] = True
    return known


def _agreed(votes: Sequence[Vote], *, tied: bool, **values: Any) -> Derived:
    questions = [vote.question for vote in votes]
    known = None if None in questions else sorted({q for q in questions if q is not None})
    whole = VerdictState.DECIDED if known is None else VerdictState.PARTIAL
    return derived(
        votes,
        known=known,
        state=VerdictState.TIE if tied else whole,
        source=VerdictSource.CONSENSUS,
        **values,
    )
