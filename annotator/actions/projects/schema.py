"""The label schema: add, rename, reorder, archive at any time; no answer is ever lost."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, LiteralString

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from annotator.actions.projects import codebook, paths
from annotator.errors import ConflictError, InvalidError
from annotator.models import FormQuestion, ItemKind, Label, Project, Shape, User
from annotator.models.statements import run_prepared
from learning.errors import LearningError

if TYPE_CHECKING:
    from learning.tasks import Columns, Task

COLOURS = 12
# The shape of answers that are labels and nothing more.
LONGEST_NAME = Label.LONGEST_NAME
HOTKEYS = "1234567890abdegilmnopqrstuvxyz"
# Letters that the desk itself uses where answers are boxes, or items two texts.
BOX_KEYS, PAIR_KEYS = frozenset("n"), frozenset("d")
DIGITS = frozenset("0123456789")
_FORM_LABELS = 100  # a form is one page, which lists them all
_KEEP_ORDER = "These labels keep their order: the answers given so far rely on it."


_LIVE_LABELS: LiteralString = """
SELECT id FROM annotator_label
WHERE project_id = %(project)s AND archived_at IS NULL AND id = ANY(%(labels)s::bigint[])
ORDER BY "column"
"""


def columns_of(project: Project, *, with_archived: bool = False) -> Columns:
    """The project's labels as array columns; archived ones are masked unless asked for."""
    from learning.tasks import Columns

    labels = list(Label.objects.filter(project=project).order_by("column"))
    archived = () if with_archived else (x.pk for x in labels if x.archived_at is not None)
    nested = labels if project.task.nested else ()
    return Columns(
        label_ids=tuple(label.pk for label in labels),
        archived=frozenset(archived),
        parents={label.pk: label.parent_id for label in nested if label.parent_id},
    )


def sides_of(project: Project) -> list[tuple[int, int]]:
    """The two labels of each comparison of an item's texts: its own first text is better, its second one."""
    sides = project.task.sides
    if not sides:
        return []
    ids = dict(Label.objects.filter(project=project).values_list("column", "pk"))
    return [(ids[first], ids[second]) for first, second in sides]


def check_labels(project: Project, labels: Sequence[int], task: Task | None = None) -> list[int]:
    """The answer's label ids in schema order. Raises InvalidError with what is wrong.

    task: the project's, where the caller has read what the answer has beside its labels.
    """
    wanted = set(labels)
    if project.shape != Shape.LABELS:
        raise InvalidError("Labels alone answer nothing in this project.", field="labels")
    if task is None and project.has_questions and project.task.valued:
        does = "mark the text" if project.task.marking else "are answered with a text"
        raise InvalidError(
            f"Labels alone are no whole answers here: some of the questions {does}.",
            field="labels",
        )
    if not project.multi_label and len(wanted) != 1:
        raise InvalidError(f"Choose exactly one label: {len(wanted)} were given.", field="labels")
    rows = run_prepared(_LIVE_LABELS, {"project": project.pk, "labels": list(wanted)})
    known = [pk for (pk,) in rows]
    if len(known) != len(wanted):
        strangers = ", ".join(str(pk) for pk in sorted(wanted - set(known)))
        raise InvalidError(
            f"Label {strangers} is not in this project's schema, or was archived meanwhile. "
            "Reload the page and choose again; nothing was stored.",
            field="labels",
        )
    try:
        (task or project.task).check(known)
    except LearningError as refusal:
        raise InvalidError(str(refusal), field="labels") from refusal
    return known


def check_answer(
    project: Project, labels: Sequence[int], question: int | None, task: Task | None = None
) -> list[int]:
    """As `check_labels`, of an answer to the question about one label where there is one."""
    if question is None:
        return check_labels(project, labels, task)
    if not set(labels) <= {question}:
        raise InvalidError("An answer about one label names that label, or none.", field="labels")
    if not project.multi_label:
        raise InvalidError("Items of this project have one label each.", field="question")
    if not project.asks_labels:
        raise InvalidError("No question about one label is asked here.", field="question")
    asked = check_labels(project, [question])
    return asked if labels else []


def add_label(
    project: Project,
    name: str,
    *,
    key: str = "",
    description: str = "",
    hotkey: str = "",
    parent: Label | None = None,
) -> Label:
    """Add a label at the end of the schema. Raises ConflictError when the name is taken."""
    return add_labels(project, [(name, key, description, hotkey)], parent=parent)[0]


def _check_open(project: Project) -> None:
    """Raise ConflictError where answers name no labels, or those that their type brings."""
    if not project.task.has_labels:
        raise ConflictError("Answers of this type of project name no labels.")
    if project.task.begins_with and Label.objects.filter(project=project).exists():
        raise ConflictError(
            "The answers of this type of project are fixed: rename or archive them."
        )


def add_labels(
    project: Project,
    entries: Sequence[tuple[str, str, str, str]],
    *,
    parent: Label | None = None,
) -> list[Label]:
    """Add labels given as (name, key, description, hotkey); empty keys are made from the names.

    Where labels are grades, the first is the lowest, and one named by a digit has it as its key. In a
    tree names are paths, and branches that are missing are added too; in a form they begin with the
    name of the question.
    """
    _check_open(project)
    with transaction.atomic():
        # Parts two people who add a label at once: columns are given out one by one.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        known = list(Label.objects.filter(project=project))
        names = {label.name.casefold() for label in known if label.archived_at is None}
        keys = {label.key for label in known}
        hotkeys = {label.hotkey for label in known if label.archived_at is None}
        hotkeys |= _desk_keys(project)
        column = max((label.column for label in known), default=-1) + 1
        position = max((label.position for label in known), default=-1) + 1
        fresh: list[Label] = []
        wished = entries
        if project.task.nested:
            wished = [(paths.below(parent, one[0]), *one[1:]) for one in entries]
            entries = paths.with_branches(wished, names)
        questions, entries = _answering(project, entries, len(known))
        for offset, (name, key, description, hotkey) in enumerate(entries):
            clean = _checked_name(name, names)
            names.add(clean.casefold())
            wanted = hotkey or (clean if project.task.ordered and clean in DIGITS else "")
            chosen = wanted if wanted and wanted not in hotkeys else _free_hotkey(hotkeys)
            hotkeys.add(chosen)
            fresh.append(
                Label(
                    project=project,
                    column=column + offset,
                    key=free_key(key or slug(clean), keys),
                    name=clean,
                    description=description.strip(),
                    hotkey=chosen,
                    colour=(column + offset) % COLOURS,
                    parent=parent,
                    form_question=questions[offset],
                    position=position + offset,
                )
            )
            keys.add(fresh[-1].key)
        Label.objects.bulk_create(fresh)
        return paths.attach(fresh, known, wished) if project.task.nested else fresh


def _answering(
    project: Project, entries: Sequence[tuple[str, str, str, str]], known: int
) -> tuple[list[FormQuestion | None], Sequence[tuple[str, str, str, str]]]:
    """The question of a form that each entry answers, and the entries named after them; None for each
    where labels answer one question. `known` is how many labels the project has.
    """
    if not project.has_questions:
        return [None] * len(entries), entries
    if known + len(entries) > _FORM_LABELS:
        raise ConflictError(f"A form has {_FORM_LABELS} labels at most.")
    questions = {one.name.casefold(): one for one in FormQuestion.objects.filter(project=project)}
    answered = [_answered(one[0], questions) for one in entries]
    for question in {each for each, _ in answered}:
        if question.brings_answers and question.labels.exists():
            raise ConflictError(
                f"“{question.name}” compares two texts: its answers are fixed, and can be renamed.",
                field="name",
            )
    named = [(path, *one[1:]) for (_, path), one in zip(answered, entries, strict=True)]
    return [question for question, _ in answered], named


def _answered(name: str, questions: dict[str, FormQuestion]) -> tuple[FormQuestion, str]:
    """The question that a label answers, by its name, which is given back in its one form.

    Raises InvalidError for a name that begins with no question's.
    """
    asked, _, part = paths.cleaned(name).partition(Label.BELOW)
    question = questions.get(asked.casefold())
    if question is None or not part or Label.BELOW in part:
        raise InvalidError(
            f"Say which question “{name[:80]}” answers: Question{Label.BELOW}answer.", field="name"
        )
    return question, f"{question.name}{Label.BELOW}{part}"


def begin_labels(project: Project) -> list[Label]:
    """Give a new project the labels that its type of answers begins with."""
    own = project.task.begins_with
    entries = [(name, key, "", hotkey) for name, key, hotkey in own]
    return add_labels(project, entries) if entries else []


def slug(name: str) -> str:
    """A key made from a name: lower case ASCII where that is possible, else the name itself."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return (short or re.sub(r"\s+", "-", name.strip()))[:90]


def _checked_name(name: str, taken: set[str]) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise InvalidError("A label needs a name.", field="name")
    if len(clean) > LONGEST_NAME:
        raise InvalidError(f"A label's name has {LONGEST_NAME} characters at most.", field="name")
    if clean.casefold() in taken:
        raise ConflictError(f"There is a label named “{clean}” already.", field="name")
    return clean


def free_key(wanted: str, taken: set[str]) -> str:
    """The key itself, or with the first number that none of the others has."""
    key, number = wanted[:90], 2
    while key in taken:
        key = f"{wanted[:90]}-{number}"
        number += 1
    return key


def _free_hotkey(taken: set[str]) -> str:
    return next((key for key in HOTKEYS if key not in taken), "")


def _desk_keys(project: Project) -> frozenset[str]:
    """Keys that no label can have, since they do something else on the label page."""
    of_boxes = BOX_KEYS if project.shape == Shape.BOXES else frozenset()
    return of_boxes | (PAIR_KEYS if project.item_kind == ItemKind.PAIR else frozenset())


def change_label(
    label: Label,
    *,
    name: str,
    description: str,
    hotkey: str,
    colour: int | None = None,
    by: User | None = None,
    means_else: bool = False,
) -> Label:
    """Rename or describe a label. Answers refer to its id, so none is touched.

    What it said before stays in the codebook's history; where it `means_else` now, the items that have
    it wait for a second look.
    """
    others = Label.objects.filter(project_id=label.project_id, archived_at=None).exclude(
        pk=label.pk
    )
    nested = label.project.task.nested
    is_path = nested or label.form_question_id is not None
    wanted = paths.renamed(label, name) if is_path else name
    label.name = _checked_name(wanted, {other.name.casefold() for other in others})
    if hotkey != label.hotkey and hotkey in _desk_keys(label.project):
        raise ConflictError(f"The label page itself uses the key “{hotkey}”.", field="hotkey")
    if hotkey and others.filter(hotkey=hotkey).exists():
        raise ConflictError(f"The key “{hotkey}” belongs to another label.", field="hotkey")
    label.description, label.hotkey = description.strip(), hotkey[:1]
    if colour is not None:
        label.colour = colour % COLOURS
    with transaction.atomic():
        # Parts two leads who change one label at once: each leaves in the history what it replaced.
        was = Label.objects.select_for_update(no_key=True).get(pk=label.pk)
        label.save(update_fields=["name", "description", "hotkey", "colour"])
        if nested and label.name != was.name:
            paths.carry(label, was.name)
        codebook.note_label(label, was, by=by, means_else=means_else)
    return label


def reorder_labels(project: Project, label_ids: Sequence[int]) -> None:
    """Show the labels in this order; labels not named follow in their former order.

    Raises ConflictError where it would move grades: their order is what answers mean.
    """
    if project.task.ordered or project.task.sided or project.task.nested:
        raise ConflictError(_KEEP_ORDER)
    with transaction.atomic():
        labels = {
            label.pk: label for label in Label.objects.select_for_update().filter(project=project)
        }
        named = [labels.pop(pk) for pk in label_ids if pk in labels]
        rest = sorted(labels.values(), key=lambda label: (label.position, label.pk))
        _check_scales(project, [*named, *rest])
        for position, label in enumerate([*named, *rest]):
            label.position = position
        Label.objects.bulk_update([*named, *rest], ["position"])


def _check_scales(project: Project, wanted: Sequence[Label]) -> None:
    """Raise ConflictError for an order in which a form's question has other grades or sides."""
    for question in FormQuestion.objects.filter(project=project):
        own = [label for label in wanted if label.form_question_id == question.pk]
        scale = sorted(own, key=lambda label: (label.position, label.pk))
        if own and own[0].keeps_place and own != scale:
            raise ConflictError(_KEEP_ORDER)


def move_label(label: Label, *, up: bool) -> None:
    """Change places with the label before, or after it; the first and the last stay where they are.
    In a form its neighbours are those that answer the same question.

    Raises ConflictError where labels keep their order.
    """
    with transaction.atomic():
        # Parts two people who move labels at once.
        project = Project.objects.select_for_update(no_key=True).get(pk=label.project_id)
        if label.keeps_place:
            raise ConflictError(_KEEP_ORDER)
        neighbours = project.live_labels().filter(form_question=label.form_question_id)
        label.refresh_from_db(fields=["position"])
        here = Q(position=label.position)
        if up:
            there = Q(position__lt=label.position) | (here & Q(pk__lt=label.pk))
            other = neighbours.filter(there).order_by("-position", "-pk").first()
        else:
            there = Q(position__gt=label.position) | (here & Q(pk__gt=label.pk))
            other = neighbours.filter(there).first()
        if other is None:
            return
        if other.position == label.position:  # only their numbers had parted them
            _part(project)
            label.refresh_from_db(fields=["position"])
            other.refresh_from_db(fields=["position"])
        label.position, other.position = other.position, label.position
        Label.objects.bulk_update([label, other], ["position"])


def _part(project: Project) -> None:
    """Give each label a position of its own, in the order that they have."""
    labels = list(project.live_labels())
    for place, each in enumerate(labels):
        each.position = place
    Label.objects.bulk_update(labels, ["position"], batch_size=1000)


def archive_label(label: Label) -> None:
    """Take a label off the screen. Its answers stay in the ledger and in exports of the ledger.

    Raises ConflictError for a side, without which two texts cannot be compared, and for an answer
    that a question of a form waits for.
    """
    if any(label.pk in sides for sides in sides_of(label.project)):
        raise ConflictError(f"Without “{label.name}” the two texts cannot be compared.")
    waiting = FormQuestion.objects.filter(
        project_id=label.project_id, only_if__contains=[label.pk]
    ).first()
    if waiting is not None:
        raise ConflictError(
            f"“{waiting.name}” is asked after this answer: nobody could be asked it any more."
        )
    Label.objects.filter(pk=label.pk, archived_at=None).update(archived_at=Now())


def restore_label(label: Label) -> None:
    """Put an archived label back at the end of the schema, one that cannot be moved in its place."""
    last = Label.objects.filter(project_id=label.project_id).aggregate(last=Max("position"))["last"]
    if Label.objects.filter(
        project_id=label.project_id, archived_at=None, name__iexact=label.name
    ).exists():
        raise ConflictError(f"There is another label named “{label.name}” by now.", field="name")
    place = label.position if label.keeps_place else last + 1
    Label.objects.filter(pk=label.pk).update(archived_at=None, position=place)
