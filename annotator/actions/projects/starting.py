"""From a looked-at file to a project that can be labelled: its shape, its first labels, its import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from django.db import transaction

from annotator.actions.imports import importing, looking, whole_forms
from annotator.actions.projects import copying, form_questions, projects, schema
from annotator.errors import ConflictError, InvalidError
from annotator.formats import ON_IMAGES, FormatError
from annotator.formats.mapping import Mapping
from annotator.formats.own_forms import AskedQuestion
from annotator.formats.preview import SAMPLE_ROWS, Preview, given_in, looks_written, preview
from annotator.formats.sides import side_of, speak_of_sides
from annotator.formats.written import COLUMN
from annotator.models import FormQuestion, ImportBatch, ItemKind, Label, Project, User
from learning.tasks import TASKS

# Formats in which labels have a place of their own, whatever the columns.
BRINGING = {
    *(
        "label-studio",
        "doccano",
        "prodigy",
        "argilla",
        "spacy",
        "docbin",
        "conll",
        "tokens",
        "boxes",
    ),
}


def kind_of(found: Preview) -> ItemKind:
    """What the items of a file are, as its guessed mapping has it."""
    if found.mapping.image:
        return ItemKind.IMAGE
    return _kind(found.mapping)


def _kind(mapping: Mapping) -> ItemKind:
    if mapping.candidates:
        return ItemKind.LIST
    return ItemKind.PAIR if mapping.text_b else ItemKind.TEXT


def task_type_of(found: Preview) -> str:
    """What an item's answer is, as the rows looked at have it."""
    given = [each for record in found.rows for each in given_in(record, found.mapping)]
    if found.mapping.candidates:
        return "ranking"
    if found.mapping.answers:
        return "form"
    if any(each.spans for each in given):
        return "spans"
    if any(each.boxes for each in given):
        return "boxes"
    if any(each.words is not None for each in given):
        return "text"
    if found.mapping.separator or any(len(each.labels) > 1 for each in given):
        return "multi"
    return _of_labels({name for each in given for name in each.labels}, found.mapping)


def _of_labels(names: set[str], mapping: Mapping) -> str:
    """Which type of answer names labels like these: sides of two texts, paths of a tree, or any."""
    if _compare(names, mapping):
        return "preference"
    paths = sum(Label.BELOW in name for name in names)
    return "hierarchy" if names and 2 * paths >= len(names) else "single"


def _compare(names: set[str], mapping: Mapping) -> bool:
    """Whether labels are called as the sides of two texts are."""
    sides = {name for name, _, _ in TASKS["preference"].begins_with}
    told = names <= sides or speak_of_sides(names - sides, mapping.text, mapping.text_b)
    return bool(names and mapping.text_b and told)


def open_project(
    owner: User, file: BinaryIO, *, file_name: str, name: str = "", like: Project | None = None
) -> ImportBatch:
    """Make a project around an uploaded file, set up like another one where that is named, and keep the
    file. Nothing is imported yet.

    Raises InvalidError for a file that nothing can be made of; then there is no project either.
    """
    try:
        found = preview(file, file_name, n=SAMPLE_ROWS, makes_form=True)
    except FormatError as error:
        raise InvalidError(str(error), field="file") from error
    if found.format == ON_IMAGES:
        told = "The file names images that are not in it. Put both into one zip, or upload it to a project of them."
        raise InvalidError(told, field="file")
    file.seek(0)
    with transaction.atomic():
        called, kind = name or _named_after(file_name), kind_of(found)
        if like is None:
            project = projects.create_project(
                owner, called, item_kind=kind, task_type=task_type_of(found)
            )
        else:
            kind = ItemKind(copying.kind_like(like, kind))
            project = copying.create_like(like, owner, called, item_kind=kind)
        return importing.receive(project, file, owner, name=file_name)


def begin(
    batch: ImportBatch,
    mapping: Mapping,
    options: importing.Options,
    user: User,
    *,
    task_type: str = "",
    labels: list[tuple[str, str]] | None = None,
) -> ImportBatch:
    """Add the typed labels, shape a project that has no items yet, and enqueue the import."""
    project = batch.project
    with transaction.atomic():
        _shape(project, mapping, task_type or project.task_type)
        if not project.task.has_labels:
            return importing.begin(batch, mapping, options, user)
        if project.has_questions:
            mapping = _ask_questions(batch, mapping, options, labels or [])
        known = {label.name.casefold() for label in project.live_labels()}
        own = _comparing(project)
        fresh = [
            (name, about)
            for name, about in labels or []
            if name.casefold() not in known and _question_of(name) not in own
        ]
        if fresh:
            schema.add_labels(project, [(name, "", about, "") for name, about in fresh])
        if project.task.ordered and not project.live_labels().exists():
            raise InvalidError(
                "Type the grades, the lowest first: a file tells their names and not their order.",
                field="labels",
            )
        labelled = project.live_labels().exists() or project.task.writing
        if not labelled and not _brings_labels(batch, mapping):
            raise InvalidError(
                "Nothing can be answered without labels: type them, or choose the column that "
                "holds them.",
                field="labels",
            )
        return importing.begin(batch, mapping, options, user)


def _comparing(project: Project) -> frozenset[str]:
    """The questions whose answers are their own, as `_question_of` has them: what is typed adds none."""
    questions = FormQuestion.objects.filter(project=project)
    return frozenset(_question_of(one.name) for one in questions if one.brings_answers)


def _question_of(name: str) -> str:
    return name.partition(Label.BELOW.strip())[0].strip().casefold()


def _ask_questions(
    batch: ImportBatch,
    mapping: Mapping,
    options: importing.Options,
    labels: list[tuple[str, str]],
) -> Mapping:
    """Add the questions that the typed answers and the chosen columns name and the form lacks.

    A column of labels that do not say which question they answer, answers one that is called like it.
    """
    project = batch.project
    found = looking.look(
        batch, format=options.format, reader=options.reader, mapping=mapping, n=SAMPLE_ROWS
    )
    _ask_again(project, found.asked, mapping)
    below = Label.BELOW.strip()
    if mapping.label and found.labels and not any(below in name for name, _ in found.labels):
        mapping = replace(mapping, label="", answers=(mapping.label, *mapping.answers))
    known = whole_forms.Questions(project)
    typed = dict.fromkeys(name.partition(below)[0].strip() for name, _ in labels)
    for name in [*typed, *(each for each in mapping.answers if each not in typed)]:
        if known.named(name) is None:
            writes = name in mapping.answers and looks_written(found.rows, name)
            kind = "text" if writes else _kind_of(found, mapping, name)
            # A column called as our own exports call theirs has a word that is no part of the question.
            called = name if name in typed else name.removeprefix(COLUMN)
            form_questions.add_question(project, called, kind=kind, optional=writes)
    if not project.form_questions.exists():
        raise InvalidError(
            "A form needs questions: type them with their answers, “Question > answer”, one a line, or "
            "choose the columns that answer them.",
            field="labels",
        )
    return mapping


def _ask_again(project: Project, asked: Sequence[AskedQuestion], mapping: Mapping) -> None:
    """Add the questions of our own export, each with its answers and after which it is asked; of those whose
    columns are chosen, or of all that the chosen labels answer.
    """
    made: dict[str, FormQuestion] = {}
    for one in asked:
        if one.column not in mapping.answers and (not mapping.label or one.kind == "text"):
            continue
        waits_for, after = one.after or ("", ())
        labels = made[waits_for].labels.all() if waits_for in made else ()
        compares = one.kind == "single" and _compare(set(one.answers), mapping)
        made[one.column] = question = form_questions.add_question(
            project,
            one.name,
            key=one.key,
            kind="preference" if compares else one.kind,
            labels=[] if compares else [(name, "") for name in one.answers],
            only_if=[label.pk for label in labels if label.part in after],
            optional=one.optional,
            edits=one.edits,
        )
        if compares:
            _rename_sides(question, one.answers, mapping)


def _rename_sides(question: FormQuestion, names: Sequence[str], mapping: Mapping) -> None:
    """Let the answers to a comparison be called as a file calls them."""
    called = {side_of(name, mapping.text, mapping.text_b): name for name in names}
    labels = list(question.labels.select_related("form_question", "project"))
    for label in labels:
        if label.begun_as in called:
            label.name = form_questions.path_of(question, called[label.begun_as])
    Label.objects.bulk_update(labels, ["name"])


def _kind_of(found: Preview, mapping: Mapping, question: str) -> str:
    """What a question takes, by the sample's answers to it: places, several labels, a side, or one."""
    below = Label.BELOW.strip()
    for record in found.rows:
        for given in given_in(record, mapping):
            if any(name.partition(below)[0].strip() == question for *_, name in given.spans or ()):
                return "spans"
    answers = _answers_to(question, found, mapping)
    if any(len(each) > 1 for each in answers):
        return "multi"
    return "preference" if _compare(set().union(*answers), mapping) else "single"


def _answers_to(question: str, found: Preview, mapping: Mapping) -> list[set[str]]:
    """What each of the sample's answers says to a question."""
    below = Label.BELOW.strip()
    given = [each.labels for record in found.rows for each in given_in(record, mapping)]
    parted = [[name.partition(below) for name in names] for names in given]
    return [
        {part.strip() for asked, _, part in names if asked.strip() == question} for names in parted
    ]


def _shape(project: Project, mapping: Mapping, task_type: str) -> None:
    """Let the first file decide what the items are and what an answer to one is."""
    kind = project.item_kind
    if kind != ItemKind.IMAGE:
        kind = _kind(mapping)
    if (kind, task_type) == (project.item_kind, project.task_type):
        return
    # Parts this from another import of the same project, which may just have brought items.
    fixed = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if fixed.item_count or fixed.annotations.exists():
        raise ConflictError("The project has items, so what they are can no longer change.")
    projects.check_shape(task_type, kind)
    project.item_kind, project.task_type = kind, task_type
    if project.task.begins_with and project.labels.exists():
        raise ConflictError("The project has labels already; answers of this type bring their own.")
    if project.has_questions and project.labels.exists():
        raise ConflictError("The project has labels already; those of a form answer its questions.")
    if not project.has_questions and project.form_questions.exists():
        raise ConflictError("The project has questions already, so its answers are forms.")
    form_questions.check_items(project)
    if not project.task.has_labels and project.labels.exists():
        raise ConflictError("The project has labels already; answers of this type name none.")
    projects.fit(project)
    project.save(update_fields=["item_kind", "task_type", "strategy", "consensus"])
    schema.begin_labels(project)


def _brings_labels(batch: ImportBatch, mapping: Mapping) -> bool:
    return bool(mapping.label or mapping.answers or mapping.voices) or batch.format in BRINGING


def _named_after(file_name: str) -> str:
    stem = file_name.rsplit("/", 1)[-1].split(".", 1)[0]
    return " ".join(stem.replace("_", " ").replace("-", " ").split()).capitalize() or "New project"
