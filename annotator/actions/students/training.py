"""Train a student from the verdicts, let the better one serve, and refill the queue."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders import naming, reading_lists, reading_words
from annotator.actions.encoders.encoding import (
    behind,
    current_encoding,
    failed_lately,
    matrix_of,
    open_matrix,
    students_folder,
    wish_encoding,
)
from annotator.actions.imports import differing
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import choosing, queueing
from annotator.actions.review import flagging
from annotator.actions.students import (
    background,
    conforming,
    fitting,
    form_tagging,
    lessons,
    marked_lessons,
    ordering,
    pools,
    promoting,
    recipes,
    tagging,
    twins,
    version_files,
)
from annotator.models import (
    Encoding,
    Project,
    Shape,
    StudentVersion,
)

if TYPE_CHECKING:
    from learning.students.predictions import Predictions

HEAD = fitting.Plan(kind="head")


def run_train(run: jobs.Run) -> dict[str, Any]:
    """Train the quick student on the project's vectors, and on a former encoder's while one that reads them
    serves: it goes on learning until it is beaten."""
    project = run.project
    if not run.params.get("serving"):
        recipes.wish_serving(project)
        return _train(run, current_encoding(project))
    former = recipes.former_encoder(project)
    encoding = None if former is None else matrix_of(project, *former)
    if encoding is None or encoding.rows < project.item_count:
        if former is not None and not failed_lately(project):
            wish_encoding(project)  # it asks for this run again when the matrix is full
        return {"trained": False, "why": "No former encoder has a vector of every item."}
    return _train(run, encoding)


def _train(run: jobs.Run, encoding: Encoding | None) -> dict[str, Any]:
    """Train the quick student and refill the queue; without enough labels only refill it."""
    project = run.project
    if not project.task.students and flagging.has_detector(project):
        flagging.wish(
            project
        )  # answers are compared with each other, whether or not they are encoded
    if encoding is None or encoding.rows == 0:
        wish_encoding(project)
        return {"trained": False, "why": "The items are not encoded yet."}
    if not project.task.students:
        chosen = _refill(run, project, encoding, None)
        return {"trained": False, "why": "No student learns from such answers.", "picks": chosen}
    if project.shape != Shape.LABELS:
        return (_train_ranker if project.shape == Shape.RANKING else _train_tagger)(run, encoding)
    lags = naming.behind(project, encoding) or behind(project, encoding)
    if lags and not failed_lately(project):
        # It trains again when the labels' names, or texts apart, are encoded.
        wish_encoding(project)
    lesson = lessons.gather(project, encoding)
    if lesson is None:
        chosen = _refill(run, project, encoding, None)
        differing.wish(project)
        return {"trained": False, "why": "Two different labels are needed.", "picks": chosen}
    also = partial(form_tagging.learn, run, encoding) if project.task.marking else None
    version, predictions = fitting.learn(run, project, encoding, lesson, head_of(project), also)
    knowledge = _knowledge(project, encoding, predictions, version)
    serving = Project.objects.select_related("current_student").get(pk=project.pk)
    if serving.current_student == version:
        _refill(run, project, encoding, knowledge)
    elif pools.catch_up(run, serving, encoding):
        _refill(run, project, encoding, knowledge_of(serving, encoding))
    promoting.reconsider(run)
    version_files.forget_old(project)
    flagging.wish(project)
    background.wish(project, len(lesson.numbers))
    return twins.told(run, version)


def head_of(project: Project) -> fitting.Plan:
    """The quick student, as the project wants it."""
    return replace(HEAD, ways=recipes.ways_of(project))


def _train_tagger(run: jobs.Run, encoding: Encoding) -> dict[str, Any]:
    """The same where answers mark spans."""
    from learning.errors import ParameterError

    project = run.project
    try:
        words = reading_words.read(run, encoding)
    except ParameterError as refusal:
        return {
            "trained": False,
            "why": str(refusal),
            "picks": _refill(run, project, encoding, None),
        }
    lesson = marked_lessons.gather(project, words)
    if lesson is None:
        chosen = _refill(run, project, encoding, None)
        return {"trained": False, "why": "Two texts, one with a span, are needed.", "picks": chosen}
    version, predictions, tagged = tagging.learn(run, encoding, words, lesson)
    known = replace(_knowledge(project, encoding, predictions, version), tagged=tagged)
    return _followed(run, encoding, version, known)


def _train_ranker(run: jobs.Run, encoding: Encoding) -> dict[str, Any]:
    """The same where answers are orders of candidates."""
    project = run.project
    lists = reading_lists.read(run, encoding)
    lesson = ordering.gather(project, lists)
    if lesson is None:
        chosen = _refill(run, project, encoding, None)
        told = "Two orders are needed, one in which a candidate is better than another."
        return {"trained": False, "why": told, "picks": chosen}
    version, predictions, ordered = ordering.learn(run, encoding, lists, lesson)
    known = replace(_knowledge(project, encoding, predictions, version), ordered=ordered)
    return _followed(run, encoding, version, known)


def _followed(
    run: jobs.Run, encoding: Encoding, version: StudentVersion, known: choosing.Knowledge
) -> dict[str, Any]:
    """What comes after a new version of a student whose answers are more than labels."""
    project = run.project
    if Project.objects.filter(pk=project.pk, current_student=version).exists():
        _refill(run, project, encoding, known)
    else:
        serving = Project.objects.select_related("current_student").get(pk=project.pk)
        if pools.catch_up(run, serving, encoding):
            _refill(run, project, encoding, knowledge_of(serving, encoding))
    promoting.reconsider(run)
    version_files.forget_old(project)
    flagging.wish(project)
    background.wish(project, version.trained_on)
    return twins.told(run, version)


def run_refill(run: jobs.Run) -> dict[str, Any]:
    """Choose the queue anew with the current student's word, after a promotion by hand."""
    project = run.project
    encoding = current_encoding(project)
    if encoding is None or encoding.rows == 0:
        return {"picks": 0}
    pools.catch_up(run, project, encoding)
    if project.current_student is not None and not pools.is_whole(project.current_student):
        return {"picks": 0, "why": "The student reads the items first."}
    knowledge = knowledge_of(project, encoding)
    if project.current_student is not None and knowledge is not None:
        sets = conforming.follow(run, project.current_student, knowledge.predictions)
        knowledge = replace(knowledge, sets=sets)
    return {"picks": _refill(run, project, encoding, knowledge)}


def knowledge_of(project: Project, encoding: Encoding) -> choosing.Knowledge | None:
    """The current student's predictions beside the matrix, or None while there is no student."""
    from learning.students.predictions import read_predictions

    current = project.current_student
    if current is None:
        return None
    pool = students_folder(project.pk) / current.folder / "pool"
    predictions = read_predictions(pool)
    known = _knowledge(project, encoding, predictions, current)
    if project.shape == Shape.LABELS:
        return known
    if project.shape == Shape.RANKING:
        from learning.rankers.pool import read_ordered

        return replace(known, ordered=read_ordered(pool, predictions))
    from learning.taggers.pool import read_tagged

    return replace(known, tagged=read_tagged(pool, predictions))


def _knowledge(
    project: Project, encoding: Encoding, predictions: Predictions, version: StudentVersion
) -> choosing.Knowledge:
    from learning.parts import fitting as fitting_parts

    return choosing.Knowledge(
        encodings=open_matrix(encoding).view(),
        predictions=predictions,
        label_ids=tuple(version.label_ids),
        learnt=lessons.read(project, encoding.rows, columns_of(project)),
        sets=conforming.ready(version),
        parts=fitting_parts(project.task.parts, predictions.labels),
        marked=form_tagging.said_by(version, project) if version.folder else {},
    )


def _refill(
    run: jobs.Run, project: Project, encoding: Encoding, knowledge: choosing.Knowledge | None
) -> int:
    import numpy as np

    known = knowledge or choosing.Knowledge(encodings=open_matrix(encoding).view())
    rng = np.random.default_rng(secrets.randbits(64))
    selection = choosing.choose(project, known, rng)
    return queueing.replace_queue(project, selection, known, run)
