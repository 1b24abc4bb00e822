"""Learn what the voices of a project are like from items with several answers, away from people.

A job reads them, fits the consensus method, measures agreement, and lets verdicts follow when the
skills have moved. Between two fits a new answer is weighed with the skills that are stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.projects import adapting
from annotator.actions.projects.schema import columns_of
from annotator.actions.verdicts import agreeing, hearing, listening
from annotator.actions.verdicts.hearing import Words
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.actions.verdicts.verdicts import known_of
from annotator.models import (
    ConsensusFit,
    Job,
    Project,
    Shape,
    Skill,
    Verdict,
    VerdictSource,
    VerdictState,
)

if TYPE_CHECKING:
    from learning.consensus.skills import Skills, Voice
    from learning.types import Votes

# A burst of answers is learnt from once.
WAIT_SECONDS = 5.0
# Items with something to compare below which no skill is learnt, and how many more of them, or by
# what share more, make it worth to learn anew.
FEWEST, MORE, MORE_SHARE = 20, 5, 0.05
# Items that are read at most, the latest decided first.
MOST_ITEMS = 20_000
# Verdicts follow when a voice's accuracy has moved by this much.
MOVED = 0.02

_COMPARABLE = """
SELECT count(*) FROM annotator_verdict
WHERE project_id = %s AND (voices > 1 OR source IN ('reviewer', 'truth'))
"""
_VOTES = """
SELECT v.item_id, a.annotator_id, a.labels, a.question_id, a.stream, o.weight, o.truth,
       v.source, v.labels, v.soft::text, v.state, a.value::text, v.value::text
FROM (SELECT * FROM annotator_verdict
      WHERE project_id = %(project)s AND state <> 'bad' AND (voices > 1 OR source IN ('reviewer', 'truth'))
      ORDER BY position DESC LIMIT %(most)s) v
JOIN annotator_annotation a ON a.item_id = v.item_id AND a.kind = 'answer'
JOIN annotator_annotator o ON o.id = a.annotator_id AND o.kind <> 'teacher'
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position <= %(position)s
WHERE NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY v.item_id, e.position
"""


class Said(NamedTuple):
    """A standing answer beside the verdict on its item."""

    item: int
    annotator: int
    labels: list[int]
    question: int | None
    stream: str
    weight: float
    truth: bool
    source: str
    verdict: list[int]
    soft: str
    state: str
    value: str | None = None
    verdict_value: str | None = None

    @property
    def final(self) -> bool:
        """Whether it is itself what settles the item."""
        return self.truth or self.stream == "review"

    @property
    def settles(self) -> bool:
        """Whether the item's verdict is known for sure, not a distribution."""
        sure = self.source in {VerdictSource.REVIEWER, VerdictSource.TRUTH}
        crisp = set(json.loads(self.soft).values()) <= {1}
        return sure and crisp and self.state == VerdictState.DECIDED


def wish(project: Project) -> None:
    """Ask that skills and agreement be computed anew; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue(
            "skills",
            project=project,
            key=f"skills:{project.pk}",
            due_in_seconds=WAIT_SECONDS,
        )


def start(project: Project) -> Job:
    """Ask for it at once, however little has come since the last time."""
    with transaction.atomic():
        job = jobs.enqueue("skills", project=project, params={"anew": True})
    if job is None:
        raise AssertionError("Only a job with a key can be there already.")
    job.refresh_from_db()
    return job


def wish_after(project: Project, items: Sequence[int]) -> None:
    """Ask for it when one of these items, just decided, has something to compare."""
    settled = Q(source__in=[VerdictSource.REVIEWER, VerdictSource.TRUTH])
    touched = Verdict.objects.filter(pk__in=items).filter(settled | Q(voices__gt=1))
    if touched.exists():
        wish(project)


def run_skills(run: jobs.Run) -> dict[str, Any]:
    """Learn skills and measure agreement, if enough has come since the last time."""
    project = run.project
    position, items = sealed_position(project), _comparable(project)
    before = ConsensusFit.objects.filter(project=project).first()
    anew = bool(run.params.get("anew"))
    if before is not None and not anew and not _worth_it(project, before, items):
        return {"learnt": False, "why": "Too little has come since the last time."}
    run.progress(0, 3, "Reading what was answered more than once")
    said = _read(project, position)
    run.progress(1, 3, "Learning what the voices are like")
    words = _words(run, project) if items >= FEWEST else None
    found = fit(project, said, words) if items >= FEWEST else None
    name = hearing.keep(project, words) if words is not None else ""
    run.progress(2, 3, "Measuring agreement")
    figures = agreeing.figures(project)
    with run.fence():
        moved = _publish(project, before, found, name, position, items, figures)
        if moved:
            adapting.wish(project, "consensus")
    hearing.forget(project)
    return {"learnt": found is not None, "items": items, "verdicts_follow": moved}


def _comparable(project: Project) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARABLE, [project.pk])
        return int(cursor.fetchone()[0])


def _worth_it(project: Project, before: ConsensusFit, items: int) -> bool:
    if before.items >= FEWEST and before.method != _method(project):
        return True
    if _weighed_otherwise(before):
        return True
    return abs(items - before.items) >= max(MORE, MORE_SHARE * before.items)


def _weighed_otherwise(fit: ConsensusFit) -> bool:
    """Whether it was learnt when weights counted by another rule than now."""
    from learning.consensus.skills import has_relative_weights

    return bool(fit.method) and not has_relative_weights(fit.model)


def _method(project: Project) -> str:
    """The method that would be fitted; empty for one that learns nothing."""
    from learning.consensus import LEARNING

    return project.consensus if project.consensus in LEARNING else ""


def _read(project: Project, position: int) -> list[Said]:
    values = {"project": project.pk, "position": position, "most": MOST_ITEMS}
    with connection.cursor() as cursor:
        cursor.execute(_VOTES, values)
        return [Said._make(row) for row in cursor.fetchall()]


def _words(run: jobs.Run, project: Project) -> Words | None:
    """What students say, for a method that hears one; they speak of labels, not of values."""
    from learning.consensus import WITH_STUDENT

    if project.shape != Shape.LABELS:
        return None
    return listening.listen(run, project) if project.consensus in WITH_STUDENT else None


def fit(project: Project, said: Sequence[Said], words: Words | None = None) -> Skills | None:
    """What these answers tell about the voices; None for a method that learns nothing."""
    from learning.consensus import CONSENSUS

    if not _method(project):
        return None
    votes = (
        _votes(project, said, words) if project.shape == Shape.LABELS else _on_values(project, said)
    )
    return CONSENSUS[project.consensus]().fit(votes) if len(votes.item) else None


def _votes(project: Project, said: Sequence[Said], words: Words | None) -> Votes:
    """The answers as arrays; what settles an item is its truth and no vote on it."""
    import numpy as np

    from learning.types import Votes

    columns = columns_of(project, with_archived=True)
    place = {pk: row for row, pk in enumerate(dict.fromkeys(one.item for one in said))}
    truth = np.zeros((len(place), len(columns)), dtype=np.bool_)
    settled = np.zeros(len(place), dtype=np.bool_)
    for one in said:
        if one.settles:
            settled[place[one.item]] = True
            truth[place[one.item]] = columns.hot([one.verdict])[0] > 0
    votes = [one for one in said if not one.final]
    return Votes(
        items=len(place),
        item=np.array([place[one.item] for one in votes], dtype=np.int64),
        annotator=np.array([one.annotator for one in votes], dtype=np.int64),
        answers=columns.hot([one.labels for one in votes]),
        weights=np.array([one.weight for one in votes], dtype=np.float64),
        known=known_of([one.question for one in votes], columns),
        multi_label=project.multi_label,
        truth=truth,
        settled=settled,
        probabilities=words.about(list(place), len(columns)) if words is not None else None,
    )


def _on_values(project: Project, said: Sequence[Said]) -> Votes:
    """The same of answers that have values: the task says what they are votes on."""
    from learning.tasks.values import Given, value_task

    given: dict[int, list[Given]] = {one.item: [] for one in said}
    truth: dict[int, Any] = dict.fromkeys(given)
    for one in said:
        if one.settles and one.verdict_value is not None:
            truth[one.item] = json.loads(one.verdict_value)
        if not one.final and one.value is not None:
            voice = Given(one.annotator, json.loads(one.value), one.weight)
            given[one.item].append(voice)
    return value_task(project.task_type).votes(list(given.values()), list(truth.values()))


def _publish(
    project: Project,
    before: ConsensusFit | None,
    found: Skills | None,
    words: str,
    position: int,
    items: int,
    figures: dict[str, Any],
) -> bool:
    """Store the fit in the caller's transaction. Returns whether verdicts should follow it."""
    method = _method(project) if found is not None else ""
    old = dict(Skill.objects.filter(project=project).values_list("annotator", "accuracy"))
    ConsensusFit.objects.update_or_create(
        project=project,
        defaults={
            "method": method,
            "position": position,
            "items": items,
            "model": found.to_json() | {"words": words} if found is not None else {},
            "agreement": figures,
            "fitted_at": Now(),
        },
    )
    Skill.objects.filter(project=project).delete()
    voices = found.voices if found is not None else {}
    fresh = [_skill(project, pk, voice) for pk, voice in voices.items()]
    Skill.objects.bulk_create(fresh)
    if method != (before.method if before is not None else ""):
        return True
    if before is not None and _weighed_otherwise(before):
        return True
    # A student's word has moved with its lesson.
    return bool(words) or (
        bool(method)
        and any(
            abs((one.accuracy or 0.0) - (old.get(one.annotator_id) or 0.0)) > MOVED for one in fresh
        )
    )


def _skill(project: Project, annotator: int, voice: Voice) -> Skill:
    from learning.audit.intervals import wilson_share
    from learning.consensus.skills import voice_to_json

    votes = float(voice.votes.sum())
    # A label that was not chosen is an answer too; the number told is that of whole answers.
    whole = votes / (len(voice.votes) if project.multi_label else 1)
    telling = voice.telling * (whole / votes if votes else 0.0)
    low, high = wilson_share(voice.accuracy, telling)
    return Skill(
        annotator_id=annotator,
        project=project,
        accuracy=voice.accuracy if votes else None,
        low=low if votes else None,
        high=high if votes else None,
        votes=round(whole),
        record=voice_to_json(voice),
    )
