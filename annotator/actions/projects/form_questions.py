"""The questions of a form: add, rename, order, and say after which answers one is asked.

Answers refer to labels, and which questions were asked follows from them. So once there is an answer the
questions keep their order, their kinds and their conditions: another one would read it otherwise. While a
teacher is asked they stay too, since its answers are to the questions that it was told.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from annotator.actions.projects import projects, schema
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    FormQuestion,
    ItemKind,
    Label,
    Project,
    Suggestion,
    TeacherRun,
    TeacherRunKind,
)
from learning.tasks import TASKS

KINDS = ("single", "rating", "multi", "preference", "spans", FormQuestion.WRITTEN)
# Kinds whose answers nobody makes up: they are written, or fixed.
WITHOUT_CHOICES = ("preference", FormQuestion.WRITTEN)
MOST_QUESTIONS = 30


def is_answered(project: Project) -> bool:
    """Whether somebody or some file has answered, so that no question may be asked otherwise any more."""
    return (
        Annotation.objects.filter(project=project).exists()
        or Suggestion.objects.filter(project=project).exists()
    )


def run_under_way(project: Project) -> TeacherRun | None:
    """The run of a teacher that answers the form now, so that no question may be asked otherwise yet."""
    live = TeacherRun.objects.live().listed().filter(project=project, kind=TeacherRunKind.LABEL)
    return live.select_related("teacher__voice").order_by("pk").first()


def add_question(
    project: Project,
    name: str,
    *,
    key: str = "",
    kind: str = "single",
    labels: Sequence[tuple[str, str]] = (),
    only_if: Sequence[int] = (),
    optional: bool = False,
    edits: bool = False,
) -> FormQuestion:
    """Add a question at the end, with labels as (name, description); optional, edits: see `Question`.

    key: what its columns in exports are called after; made of its name where none is given. Raises InvalidError or ConflictError with what stands in the way.
    """
    with transaction.atomic():
        # Parts two people who change one form at once.
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _check_changeable(project)
        others = FormQuestion.objects.filter(project=project)
        if others.count() >= MOST_QUESTIONS:
            raise ConflictError(f"A form has {MOST_QUESTIONS} questions at most.")
        last = others.aggregate(last=Max("position"))["last"]
        question = FormQuestion(
            project=project,
            name=_checked_name(name, others),
            kind=_checked_kind(kind, project.item_kind),
            position=0 if last is None else last + 1,
            optional=optional,
            edits=edits,
        )
        _check_writing(question)
        taken = set(others.values_list("key", flat=True))
        question.key = schema.free_key(key or schema.slug(question.name), taken)
        question.only_if = _checked_condition(question, only_if)
        question.save()
        _begin_answers(question)
        add_answers(question, labels)
    return question


def add_answers(question: FormQuestion, labels: Sequence[tuple[str, str]]) -> list[Label]:
    """Give a question more labels, at any time: a grade above the highest, others at the end."""
    question.refresh_from_db(fields=["name", "kind"])
    if labels and question.writes:
        raise InvalidError(
            f"“{question.name}” is answered with a text: it has no answers to choose.",
            field="answers",
        )
    if labels and question.brings_answers:
        raise InvalidError(
            f"“{question.name}” compares two texts: its answers are fixed, and can be renamed.",
            field="answers",
        )
    entries = [(path_of(question, name), "", about, "") for name, about in labels]
    return schema.add_labels(question.project, entries) if entries else []


def _begin_answers(question: FormQuestion) -> None:
    """Give a question the answers that its kind brings."""
    own = TASKS[question.kind].begins_with
    entries = [(path_of(question, name), key, "", "") for name, key, _ in own]
    if entries:
        schema.add_labels(question.project, entries)


def change_question(
    question: FormQuestion,
    *,
    name: str | None = None,
    kind: str | None = None,
    only_if: Sequence[int] | None = None,
    optional: bool | None = None,
    edits: bool | None = None,
) -> FormQuestion:
    """Rename a question at any time; ask it otherwise while nothing is answered yet."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=question.project_id)
        question = FormQuestion.objects.get(pk=question.pk)
        was = _asked(question)
        if kind is not None and kind != question.kind:
            _check_own_answers(question, kind)
            question.kind = _checked_kind(kind, project.item_kind)
            _check_labels_fit(question)
        question.optional = question.optional if optional is None else optional
        question.edits = question.edits if edits is None else edits
        _check_writing(question)
        if only_if is not None and set(only_if) != set(question.only_if):
            question.only_if = _checked_condition(question, only_if)
        if _asked(question) != was:
            _check_changeable(project)
        if name is not None:
            others = FormQuestion.objects.filter(project=project).exclude(pk=question.pk)
            question.name = _checked_name(name, others)
        question.save()
        _carry(question)
    return question


def move_question(question: FormQuestion, *, up: bool) -> None:
    """Ask a question one place earlier or later. Raises ConflictError where a condition forbids it."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=question.project_id)
        _check_changeable(project)
        questions = list(FormQuestion.objects.filter(project=project))
        at = next(place for place, one in enumerate(questions) if one.pk == question.pk)
        to = at - 1 if up else at + 1
        if not 0 <= to < len(questions):
            return
        questions[at], questions[to] = questions[to], questions[at]
        for place, one in enumerate(questions):
            one.position = place
        first, second = sorted((questions[at], questions[to]), key=lambda one: one.position)
        if first.only_if and _owner(first.only_if) == second.pk:
            raise ConflictError(f"“{first.name}” is asked after an answer to “{second.name}”.")
        FormQuestion.objects.bulk_update(questions, ["position"])


def remove_question(question: FormQuestion) -> None:
    """Take a question and its labels away while nothing is answered yet."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=question.project_id)
        _check_changeable(project)
        own = set(question.labels.values_list("pk", flat=True))
        for other in FormQuestion.objects.filter(project=project).exclude(pk=question.pk):
            if own & set(other.only_if):
                raise ConflictError(
                    f"“{other.name}” is asked after an answer to it. Change that first."
                )
        question.delete()
        _close_gaps(project)


def _close_gaps(project: Project) -> None:
    """Number the columns of the labels that are left without a gap: arrays have none. Nothing is answered."""
    for column, label in enumerate(Label.objects.filter(project=project).order_by("column")):
        if label.column != column:
            Label.objects.filter(pk=label.pk).update(column=column)


def path_of(question: FormQuestion, name: str) -> str:
    """What a label that answers a question is called wherever it stands alone."""
    part = " ".join(name.split())
    if Label.BELOW.strip() in part:
        raise InvalidError(
            f"An answer's name has no “{Label.BELOW.strip()}” in it: “{part[:80]}”.", field="name"
        )
    return f"{question.name}{Label.BELOW}{part}" if part else ""


def _carry(question: FormQuestion) -> None:
    """Let the names of its labels begin with the name that the question has now."""
    labels = list(question.labels.all())
    for label in labels:
        label.name = path_of(question, label.part)
        if len(label.name) > Label.LONGEST_NAME:
            raise InvalidError("With that name some answers' names are too long.", field="name")
    Label.objects.bulk_update(labels, ["name"])


def _check_changeable(project: Project) -> None:
    if not project.has_questions:
        raise ConflictError("The answers of this project are not a form: they have one question.")
    if is_answered(project):
        raise ConflictError(
            "Items are answered already, and their answers would be read otherwise. Questions and "
            "labels can be renamed and labels added; for other questions make a new project."
        )
    if run := run_under_way(project):
        raise ConflictError(
            f"{run.teacher.name} is answering the form in its run {run.pk}, and its answers are to the "
            "questions as they are. Stop that run first, or wait for its end."
        )


def _checked_name(name: str, others: object) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise InvalidError("A question needs a name.", field="name")
    if len(clean) > FormQuestion.LONGEST_NAME:
        raise InvalidError(
            f"A question's name has {FormQuestion.LONGEST_NAME} characters at most.", field="name"
        )
    if Label.BELOW.strip() in clean:
        raise InvalidError(f"A question's name has no “{Label.BELOW.strip()}” in it.", field="name")
    if any(one.name.casefold() == clean.casefold() for one in others):  # type: ignore[attr-defined]
        raise ConflictError(f"There is a question “{clean}” already.", field="name")
    return clean


def _asked(question: FormQuestion) -> tuple[object, ...]:
    """How it is asked, but for its name."""
    return (question.kind, list(question.only_if), question.optional, question.edits)


def _check_labels_fit(question: FormQuestion) -> None:
    if question.writes and question.labels.exists():
        raise ConflictError(
            f"“{question.name}” has answers to choose, so it cannot take a text. Add another question.",
            field="kind",
        )


def _check_own_answers(question: FormQuestion, kind: str) -> None:
    """Raise ConflictError for a question that would have to change its answers for those of another kind."""
    if any(TASKS[one].begins_with for one in {question.kind, kind} & set(KINDS)):
        raise ConflictError(
            "A question about the better of two texts has answers of its own: it cannot become another "
            f"one, nor “{question.name}” such a one. Add a question instead.",
            field="kind",
        )


def _check_writing(question: FormQuestion) -> None:
    """Raise InvalidError for what only a text can be, and of items with two texts alone."""
    if not question.writes and (question.optional or question.edits):
        raise InvalidError(
            "Only a question that takes a text may be left empty, or edit the second text.",
            field="optional" if question.optional else "edits",
        )
    if question.edits and question.project.item_kind != ItemKind.PAIR:
        raise InvalidError(
            f"“{question.name}” edits the second text, and items have one here.", field="edits"
        )


def fits(project: Project, kind: str) -> bool:
    """Whether items like the project's can be asked a question of this kind."""
    return project.item_kind in TASKS[kind].item_kinds


def _checked_kind(kind: str, item_kind: str) -> str:
    """A kind of question that such items can be asked."""
    if kind not in KINDS:
        raise InvalidError(f"A question takes one of: {', '.join(KINDS)}.", field="kind")
    projects.check_shape(kind, item_kind)
    return kind


def check_items(project: Project) -> None:
    """Raise InvalidError where a question cannot be asked of items as they are now."""
    for one in FormQuestion.objects.filter(project=project):
        one.project = project
        projects.check_shape(one.kind, project.item_kind)
        _check_writing(one)


def _checked_condition(question: FormQuestion, only_if: Sequence[int]) -> list[int]:
    """The labels of a condition, all of one earlier question."""
    wanted = sorted(set(only_if))
    if not wanted:
        return []
    labels = Label.objects.filter(project_id=question.project_id, archived_at=None, pk__in=wanted)
    owners = {label.form_question for label in labels.select_related("form_question")}
    earlier = next(iter(owners), None)
    if len(labels) != len(wanted) or len(owners) != 1 or earlier is None:
        raise InvalidError("A condition names answers to one earlier question.", field="only_if")
    if earlier.pk == question.pk or earlier.position >= question.position:
        raise InvalidError(
            f"“{question.name}” can only wait for a question that is asked before it.",
            field="only_if",
        )
    return wanted


def _owner(labels: Sequence[int]) -> int | None:
    owner = Label.objects.filter(pk__in=labels).values_list("form_question", flat=True)
    return owner.first()
