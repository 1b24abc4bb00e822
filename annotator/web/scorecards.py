"""Annotators: a card for every voice, and its scorecard in sections.

A section is a template and a function that gives it what it shows, or None where it has nothing to
say of this voice. Another one is a row of SECTIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.actions.figures import ordered, scorecards, sides, worded
from annotator.actions.queue import auditing
from annotator.actions.trust import teacher_figures, testing
from annotator.actions.verdicts import alarming
from annotator.errors import NotFoundError
from annotator.models import Annotator, Can, Label, Project, Teacher
from annotator.web import estimates, measures, reliabilities, scores, trials
from annotator.web.pages import allowed, page, project_for

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Confusions that are told in words, and labels up to which all are shown as a table.
TOLD, MOST_IN_TABLE = 8, 12


@require_GET
@login_required
def annotators(request: HttpRequest, project_id: int) -> HttpResponse:
    """One card per voice, imports included."""
    project = project_for(request, project_id, Can.SEE)
    agreement, known = scores.agreement(project), scorecards.scores(project)
    speeds = measures.speeds(project)
    total = sum(each.answers for each in speeds)
    teachers = Teacher.objects.filter(project=project).select_related(
        "voice", "endpoint", "project"
    )
    tested = project.task.weighed  # else no policy weighs what they say, and no test tells of it
    standings = {each.voice_id: trials.standing(each) for each in teachers} if tested else {}
    swayed = sides.effects(project)
    cards = [
        {
            "speed": each,
            "work": each.answers / total if total else 0.0,
            "agreement": agreement.get(each.annotator_id),
            "score": known.get(each.annotator_id),
            "standing": standings.get(each.annotator_id),
            "order": swayed.get(each.annotator_id),
        }
        for each in speeds
    ]
    context = {
        "cards": cards,
        "alarms": alarming.of(project) if allowed(project, Can.REVIEW) else [],
        "tab": "scores",
        "may_manage": allowed(project, Can.MANAGE),
    }
    return page(request, "people/annotators.html", project, "annotators", context)


@dataclass(frozen=True)
class Subject:
    """Whose scorecard it is, with what several sections need; read when the first one asks."""

    project: Project
    voice: Annotator
    may_manage: bool

    @cached_property
    def score(self) -> scorecards.Score:
        return scorecards.score(self.project, self.voice)

    @cached_property
    def teacher(self) -> Teacher | None:
        rows = Teacher.objects.filter(voice=self.voice)
        return rows.select_related("voice", "endpoint", "project").first()

    @cached_property
    def fingerprint(self) -> str | None:
        """Of a teacher's settings as they are now."""
        known = scorecards.taught(self.project).get(self.voice.pk)
        return None if known is None else known.fingerprint

    @cached_property
    def labels(self) -> dict[int, Label]:
        return Label.objects.filter(project=self.project).in_bulk()


@dataclass(frozen=True, kw_only=True)
class Section:
    template: str
    build: Callable[[Subject], dict[str, Any] | None]


def _accuracy(subject: Subject) -> dict[str, Any] | None:
    if not subject.project.task.has_labels:
        return None
    score = subject.score
    found = score.accuracy
    return {
        "score": score,
        "reach": _reach(subject),
        "share": None if found is None else estimates.Share(**asdict(found)),
        "marks": score.marks,
        "teacher": subject.teacher,
        "may_ask": subject.may_manage and subject.teacher is not None,
        "fewest": scorecards.FEWEST,
    }


def _reach(subject: Subject) -> auditing.Reach:
    """How much of what it answered in the parts that are fair to it counts."""
    teacher = subject.teacher
    parts = auditing.SHARES if teacher is None else auditing.fair_parts(teacher.plugin)
    return auditing.reach(subject.project, *parts, wanted=scorecards.FEWEST, voice=subject.voice)


def _orders(subject: Subject) -> dict[str, Any] | None:
    """How a teacher's orders meet those that people decided on; None for who gives none."""
    teacher, project = subject.teacher, subject.project
    if teacher is None or not project.task.ranked or subject.fingerprint is None:
        return None
    return {
        "score": ordered.score(project, teacher, subject.fingerprint),
        "teacher": teacher,
        "fewest": ordered.FEWEST,
        "may_ask": subject.may_manage,
    }


def _texts(subject: Subject) -> dict[str, Any] | None:
    """How near a teacher's texts come to those that people decided on; None for who writes none."""
    teacher, project = subject.teacher, subject.project
    if teacher is None or not project.task.written or subject.fingerprint is None:
        return None
    return {
        "score": worded.score(project, teacher, subject.fingerprint),
        "teacher": teacher,
        "fewest": worded.FEWEST,
        "compared": worded.COMPARED,
        "may_ask": subject.may_manage,
    }


def _sides(subject: Subject) -> dict[str, Any] | None:
    """Whether the place where a text is shown sways the voice; None where places do not matter or are not kept."""
    project, voice, teacher = subject.project, subject.voice, subject.teacher
    if not project.task.sides:
        return None
    if teacher is None:
        order = sides.effects(project, voice).get(voice.pk)
        return None if order is None else {"order": order}
    if teacher.plugin not in testing.PROMPTED or subject.fingerprint is None:
        return None
    return {
        "asked": sides.asked_both_ways(teacher, subject.fingerprint),
        "once": teacher.params.get("passes", 2) == 1,
    }


def _work(subject: Subject) -> dict[str, Any] | None:
    """What the answers took: time, money, how many of all there are."""
    speeds = measures.speeds(subject.project)
    mine = next((each for each in speeds if each.annotator_id == subject.voice.pk), None)
    found: dict[str, Any] = {"speed": mine, "teacher": subject.teacher}
    if mine is not None:
        found["work"] = mine.answers / sum(each.answers for each in speeds)
    if subject.teacher is not None:
        none = teacher_figures.Costs()
        costs = teacher_figures.costs(subject.project).get(subject.teacher.pk, none)
        found |= {"costs": costs, "right": _per_right(costs, subject.score.accuracy)}
        found["silent"] = _silent(costs)
    return found if mine is not None or subject.teacher is not None else None


def _per_right(costs: teacher_figures.Costs, accuracy: Estimate | None) -> dict[str, Any] | None:
    """Money for a right answer: the interval of the accuracy makes that of the price."""
    if accuracy is None or accuracy.value is None or costs.per_answer is None:
        return None
    return {
        "value": costs.per_right(accuracy.value),
        "low": costs.per_right(accuracy.high),
        "high": costs.per_right(accuracy.low),
    }


def _silent(costs: teacher_figures.Costs) -> estimates.Share | None:
    from learning.metrics import wilson

    asked = costs.answered + costs.silent
    if not asked:
        return None
    low, high = wilson(costs.silent, asked)
    return estimates.Share(value=costs.silent / asked, low=low, high=high, n=asked)


def _by_label(subject: Subject) -> dict[str, Any] | None:
    rows = [
        estimates.LabelRow(
            name=subject.labels[each.label].name,
            hue=subject.labels[each.label].colour % 12,
            recall=estimates.Share(**asdict(each.recall)),
            precision=estimates.Share(**asdict(each.precision)),
        )
        for each in subject.score.labels
    ]
    rows.sort(key=estimates.badness)
    return {"quality": estimates.listed(rows), "score": subject.score} if rows else None


def _confusions(subject: Subject) -> dict[str, Any] | None:
    if subject.score.accuracy is None:
        return None
    return confused(subject.project, subject.score, subject.labels)


def confused(project: Project, score: scorecards.Score, labels: dict[int, Label]) -> dict[str, Any]:
    """The commonest in words, and all of them as a table where the labels are few."""

    def name(label: int | None) -> str:
        return "" if label is None else labels[label].name

    told = [
        {"truth": name(each.truth), "said": name(each.said), "count": each.count, "of": each.of}
        for each in score.confusions[:TOLD]
    ]
    more = len(score.confusions) - len(told)
    return {"told": told, "more": more, "table": _table(project, score, labels), "score": score}


def _table(
    project: Project, score: scorecards.Score, labels: dict[int, Label]
) -> dict[str, Any] | None:
    """Rows: what is true; columns: what was said. None for several labels or too many of them."""
    live = [each.label for each in score.labels]
    if project.multi_label or not 1 < len(live) <= MOST_IN_TABLE:
        return None
    wrong = {(each.truth, each.said): each.count for each in score.confusions}
    right = {each.label: round((each.recall.value or 0.0) * each.recall.n) for each in score.labels}
    return {
        "heads": [labels[label] for label in live],
        "rows": [
            {
                "label": labels[truth],
                "cells": [
                    {
                        "count": right[truth] if truth == said else wrong.get((truth, said), 0),
                        "right": truth == said,
                    }
                    for said in live
                ],
            }
            for truth in live
        ],
    }


SECTIONS: tuple[Section, ...] = (
    Section(template="people/sections/accuracy.html", build=_accuracy),
    Section(template="people/sections/orders.html", build=_orders),
    Section(template="people/sections/texts.html", build=_texts),
    Section(template="people/sections/sides.html", build=_sides),
    Section(template="people/sections/work.html", build=_work),
    Section(template="people/sections/labels.html", build=_by_label),
    Section(template="people/sections/confusions.html", build=_confusions),
    Section(template="people/sections/qualification.html", build=trials.qualification),
    Section(template="people/sections/calibration.html", build=reliabilities.section),
    Section(template="people/sections/canaries.html", build=trials.canaries),
    Section(template="people/sections/drift.html", build=trials.drift),
)


@require_GET
@never_cache
@login_required
def scorecard(request: HttpRequest, project_id: int, annotator_id: int) -> HttpResponse:
    """Everything that is known of one voice."""
    project = project_for(request, project_id, Can.SEE)
    rows = Annotator.objects.for_user(request.user).filter(project=project, pk=annotator_id)
    voice = rows.first()
    if voice is None:
        raise NotFoundError("There is no such annotator in this project.")
    subject = Subject(project, voice, may_manage=allowed(project, Can.MANAGE))
    built = [(section.template, section.build(subject)) for section in SECTIONS]
    context = {
        "voice": voice,
        "teacher": subject.teacher,
        "sections": [(template, data) for template, data in built if data is not None],
        "may_manage": subject.may_manage,
        "tab": "scores",
    }
    return page(request, "people/scorecard.html", project, "annotators", context)
