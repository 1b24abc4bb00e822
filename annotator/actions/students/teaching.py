"""What a person asks of the students: a fine-tuning now, a word on a typed text or another image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, matrix_folder, students_folder
from annotator.actions.students import background, fitting, lessons, twins
from annotator.actions.students.recipes import registry_of
from annotator.errors import ConflictError, InvalidError
from annotator.models import ItemKind, Job, JobState, Label, Project, Shape, StudentVersion, User
from annotator.runtime import modelclient

if TYPE_CHECKING:
    from annotator.runtime.modelclient import Items
    from learning.audit.occlusion import Piece

TEXTS_AT_MOST = 512
LONGEST_TEXT = 20_000
# Each is one more text for the model process, which people wait for.
MOST_PIECES = 40
# What fine-tuning makes: of labels, of spans, of images.
TUNED = ("finetune", "token-finetune", "image-finetune")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A marked stretch of a text, in code points, with its label and its probability, 0…1."""

    start: int
    end: int
    label: int
    probability: float


@dataclass(frozen=True, kw_only=True)
class Guess:
    """The probability, 0…1, of each label for one text or image, likeliest first. Where answers mark spans it is
    that the label is marked somewhere, and `marks` says where, in the order of the text; None elsewhere."""

    labels: list[tuple[int, float]]
    marks: list[Mark] | None = None


def start_training(
    project: Project, kind: str, params: dict[str, Any], user: User | None = None
) -> Job:
    """Ask for a student of a kind; a head that waits already is the answer too.

    Raises InvalidError for a kind or parameters that there are not, ConflictError while another
    student than a head waits already.
    """
    if kind not in background.QUICK:
        return _start_another(project, kind, params, user)
    if params:
        raise InvalidError("A head chooses its own parameters.", field="params")
    with transaction.atomic():
        key = f"train:{project.pk}"
        job = jobs.enqueue("train", project=project, key=key, started_by=user)
        return job or Job.objects.get(key=key, state=JobState.QUEUED)


def start_finetune(
    project: Project, user: User | None, params: dict[str, Any] | None = None, kind: str = ""
) -> Job:
    """Ask for a fine-tuned transformer, or another dear student. Raises ConflictError while one waits already."""
    return start_training(project, kind or tuned_kind(project) or TUNED[0], params or {}, user)


def tuned_kind(project: Project) -> str | None:
    """Which student a fine-tuning makes in this project; None where nothing is fine-tuned."""
    kinds = {each.kind for each in background.recipes_of(project)}
    return next((kind for kind in TUNED if kind in kinds), None)


def _left_out(text: str) -> tuple[list[Piece], list[str]]:
    """The pieces of a text, and the text without each; of two texts each by itself, so that they stay two."""
    from learning.audit.occlusion import Piece, pieces, without
    from learning.encoders.apart import BETWEEN, together

    if BETWEEN not in text:
        found = pieces(text, MOST_PIECES)
        return found, without(text, found)
    first, second = text.split(BETWEEN, 1)
    of_first, of_second = (pieces(side, MOST_PIECES // 2) for side in (first, second))
    behind = len(first) + len(BETWEEN)
    moved = [Piece(start=each.start + behind, end=each.end + behind) for each in of_second]
    shorter = [together(each, second) for each in without(first, of_first)]
    shorter += [together(first, each) for each in without(second, of_second)]
    return of_first + moved, shorter


def kinds_of(project: Project) -> list[tuple[str, str]]:
    """Students that are trained by hand, with their names; a fine-tuned one first."""
    kinds = [each.kind for each in background.recipes_of(project)]
    kinds.sort(key=lambda kind: kind not in TUNED)
    return [(kind, registry_of(kind).entry(kind).label) for kind in kinds]


def _start_another(project: Project, kind: str, params: dict[str, Any], user: User | None) -> Job:
    kinds = [each.kind for each in background.recipes_of(project)]
    if kind in TUNED and tuned_kind(project) is None:
        told = "No student of forms is fine-tuned yet." if project.has_questions else ""
        raise InvalidError(told or "No student of this project is fine-tuned.")
    if kind not in kinds:
        raise InvalidError(f"A student is one of {', '.join(['head', *kinds])}.", field="kind")
    plan = fitting.Plan(kind=kind, params=params).plain()
    _refuse_twins(project, plan)
    with transaction.atomic():
        job = jobs.enqueue(
            "finetune",
            project=project,
            params={"kind": kind, "student": plan.params},
            key=f"finetune:{project.pk}",
            started_by=user,
        )
    if job is None:
        raise ConflictError("A training waits already; it will learn from every answer so far.")
    return job


def _refuse_twins(project: Project, plan: fitting.Plan) -> None:
    """Raise ConflictError for what is there already. The lesson is read only where it could be."""
    encoding = current_encoding(project)
    if (
        project.shape != Shape.LABELS
        or encoding is None
        or not twins.newest_of(project, plan, encoding)
    ):
        return
    lesson = lessons.gather(project, encoding)
    if lesson is None:
        return
    digest = lessons.digest_of(project, encoding, lesson, plan.ways)
    twin = twins.twin_of(project, plan, encoding, digest)
    if twin is not None:
        raise ConflictError(
            f"Student {twin.number} is that already: it learned from just these answers in the same way. "
            "Label more, or choose other parameters."
        )


def why_silent(project: Project) -> str:
    """Why no student of a project has a word on what is no item of it, and what to do; "" where they have one."""
    if not project.task.students:
        return "No student learns from answers of this type: people answer what is imported."
    if project.shape not in (Shape.LABELS, Shape.SPANS):
        return (
            "Students of rankings put the candidates of their project's items in order, no others yet. "
            "Import what is to be ordered."
        )
    return ""


def asked(project: Project, version: StudentVersion | None = None) -> StudentVersion:
    """The version named, or the current one. Raises ConflictError where it can say nothing."""
    if told := why_silent(project):
        raise ConflictError(told)
    student = version or project.current_student
    if student is None or not student.folder:
        raise ConflictError("There is no student to ask yet, or its files were removed.")
    return student


def refuse_others(project: Project, *, images: bool) -> None:
    """Raise InvalidError for images where items are texts, and for texts where they are images; ConflictError where
    neither is heard."""
    if told := why_silent(project):
        raise ConflictError(told)
    if images != (project.item_kind == ItemKind.IMAGE):
        are, given = ("texts", "images") if images else ("images", "texts")
        raise InvalidError(f"The items of this project are {are}: ask about {are}.", field=given)


def refuse_half_pairs(project: Project, texts: list[str]) -> None:
    """Raise InvalidError for a text that is no pair where items are pairs."""
    from learning.encoders.apart import parted

    if project.item_kind != ItemKind.PAIR:
        return
    for number, text in enumerate(texts):
        if not all(part.strip() for part in parted(text) or ("",)):
            raise InvalidError(
                f"Items have two texts here, and text {number} (from 0) is one: put a line break between the two.",
                field="texts",
            )


def pair_of(text: str, text_b: str) -> str:
    """Two texts as students read them."""
    from learning.encoders.apart import kept_apart

    return kept_apart(text, text_b)


def predict(
    project: Project, items: Items, version: StudentVersion | None = None, top: int = 0
) -> list[Guess]:
    """A student's word on texts, or on images as `looked_at.shown` gives them, by the warm model process; the
    current student's if none is named.

    `top` limits the labels of each item to the likeliest ones, 0 does not. Raises ConflictError while there
    is no student, InvalidError for texts where items are images or the other way, UnavailableError while the
    model process starts or is busy.
    """
    student = asked(project, version)
    refuse_others(project, images=not isinstance(items[0], str))
    try:
        said = _said(student, items)
    except InvalidError as refusal:
        if StudentVersion.objects.filter(pk=student.pk, folder=student.folder).exists():
            raise
        told = f"Student {student.number} was deleted, or its files were removed, just now."
        raise ConflictError(told) from refusal
    live = set(Label.objects.filter(project=project, archived_at=None).values_list("pk", flat=True))
    return [_guess(student.label_ids, shares, marks, live, top) for shares, marks in said]


def _said(student: StudentVersion, items: Any) -> list[tuple[list[float], list[Any] | None]]:
    """Of each item (k,) probabilities, and what is marked; None where answers mark nothing."""
    encoding = student.encoding
    if encoding is None:
        raise ConflictError("The encoding that this student read is gone. Train again.")
    fitted = matrix_folder(student.project_id) / encoding.fingerprint
    folder = students_folder(student.project_id) / student.folder
    wish: dict[str, Any] = {
        "student": str(folder.relative_to(settings.DATA_DIR)),
        "encoder": encoding.encoder,
        "params": encoding.params,
        "folder": str(fitted.relative_to(settings.DATA_DIR)) if fitted.is_dir() else None,
    }
    if student.project.shape == Shape.SPANS:
        return [(each["present"], each["spans"]) for each in modelclient.mark(items, **wish)]
    return [(row, None) for row in modelclient.predict(items, **wish).tolist()]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Stretches of a text with how far each pushed the label, in log odds; between them lies what is
    no word. `whole` is the label's probability for the whole text."""

    label: int
    whole: float
    parts: list[tuple[str, float | None]]


def evidence(project: Project, text: str, version: StudentVersion | None = None) -> Evidence:
    """Which words pushed the likeliest label: each is left out in turn, and the student asked again.

    At most MOST_PIECES pieces are left out; a longer text is cut into so many. Raises as `predict`.
    """
    from learning.audit.occlusion import pushes
    from learning.encoders.apart import as_one

    if project.shape == Shape.SPANS:
        raise InvalidError("No words are left out to see why others are marked: marks are words.")
    found, shorter = _left_out(text)
    if len(found) < 2:
        raise InvalidError("Type at least two words: of one alone nothing can be left out.")
    whole, *others = predict(project, [text, *shorter], version)
    label, likely = whole.labels[0]
    moved = pushes(likely, [dict(each.labels).get(label, 0.0) for each in others])
    parts: list[tuple[str, float | None]] = []
    at = 0
    for piece, push in zip(found, moved, strict=True):
        parts += [(text[at : piece.start], None), (text[piece.start : piece.end], push)]
        at = piece.end
    parts.append((text[at:], None))
    parts = [(as_one(said), push) for said, push in parts if said]
    return Evidence(label=label, whole=likely, parts=parts)


def _guess(
    label_ids: list[int], shares: list[float], marked: list[Any] | None, live: set[int], top: int
) -> Guess:
    pairs = [(pk, round(p, 6)) for pk, p in zip(label_ids, shares, strict=True) if pk in live]
    pairs.sort(key=lambda pair: -pair[1])
    marks = [
        Mark(start=start, end=end, label=label_ids[column], probability=share)
        for start, end, column, share in marked or ()
        if label_ids[column] in live
    ]
    return Guess(labels=pairs[:top] if top else pairs, marks=None if marked is None else marks)
