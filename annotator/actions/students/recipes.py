"""What makes two versions one student, fitted anew: its kind, its parameters, and whose vectors it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet

from annotator import jobs
from annotator.models import ItemKind, Project, StudentVersion

if TYPE_CHECKING:
    from learning.registry import Registry


def registry_of(kind: str) -> Registry[Any]:
    """Where a kind is registered: those that mark spans are taggers, those that order are rankers."""
    from learning.rankers import RANKERS
    from learning.students import STUDENTS
    from learning.taggers import TAGGERS

    registries: tuple[Registry[Any], ...] = (TAGGERS, RANKERS)
    return next((each for each in registries if kind in each), STUDENTS)


def fits(project: Project, kind: str) -> bool:
    """Whether a kind reads what the items of a project are, or their vectors."""
    needs = registry_of(kind)[kind].needs
    if project.item_kind == ItemKind.IMAGE:
        return needs in ("encodings", "images")
    return bool(needs != "images")


def reads_items(kind: str) -> bool:
    """Whether a kind reads the items themselves, texts or images, and no vectors."""
    known = registry_of(kind)
    return kind in known and known[kind].needs in ("texts", "images")


def encoder_of(version: StudentVersion) -> tuple[str, dict[str, Any]] | None:
    """The encoder whose vectors it reads, with its parameters; None for one that reads texts or images.

    Not the matrix: one encoder's vectors stay one recipe when they are written anew.
    """
    encoding = version.encoding
    if encoding is None or reads_items(version.kind):
        return None
    return encoding.encoder, encoding.params


def ways_of(project: Project) -> dict[str, Any]:
    """How the project's heads learn, by their parameters, as its settings say. It is no part of their recipe, so
    that what is chosen there holds from the next training on and need not win a test first.
    """
    ways: dict[str, Any] = {}
    if project.heads_draw_by_f1:
        ways["cut"] = None
    if project.balanced:
        ways["class_weights"] = "balanced"
    return ways


def same(one: StudentVersion, other: StudentVersion) -> bool:
    """Whether they differ only in what they learned from."""
    alike = (one.kind, one.params) == (other.kind, other.params)
    return alike and encoder_of(one) == encoder_of(other)


def like(version: StudentVersion) -> QuerySet[StudentVersion]:
    """All versions of its recipe, those included of which nobody knows any more what they read."""
    recipe = Q(project=version.project_id, kind=version.kind, params=version.params)
    if read := encoder_of(version):
        encoder, params = read
        recipe &= Q(encoding=None) | Q(encoding__encoder=encoder, encoding__params=params)
    return StudentVersion.objects.filter(recipe)


def former_encoder(project: Project) -> tuple[str, dict[str, Any]] | None:
    """The encoder whose vectors the serving student reads, where the project names another by now."""
    serving = project.current_student
    read = None if serving is None else encoder_of(serving)
    return None if read == (project.encoder, project.encoder_params) else read


def wish_serving(project: Project) -> None:
    """Ask that the student which serves learns on by a former encoder; nothing where it reads the present one."""
    if former_encoder(project) is None:
        return
    with transaction.atomic():
        key = f"train:{project.pk}:serving"
        jobs.enqueue("train", project=project, params={"serving": True}, key=key)
