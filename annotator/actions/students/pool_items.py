"""What students read that read a project's items, texts or images, without holding them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from annotator.actions.imports.media import media_folder
from annotator.models import Item, ItemKind, Project

if TYPE_CHECKING:
    from learning.image_files import ImageFiles


class PoolItems(Sequence[Any]):
    """A project's items as a sequence that is read block by block, each block by `read`."""

    def __init__(self, project: Project, read: Callable[[QuerySet[Item]], Sequence[Any]]) -> None:
        self.project = project
        self.rows = count_of(project)
        self._read = read

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, int):
            return self[place : place + 1][0]
        return self._read(_of(self.project, place))


def pool_of(project: Project) -> PoolItems:
    """All items of a project, as a student takes them that reads items."""
    image = project.item_kind == ItemKind.IMAGE
    return PoolItems(project, images_of if image else texts_of)


def count_of(project: Project) -> int:
    """How many items a project has just now."""
    return int(Project.objects.values_list("item_count", flat=True).get(pk=project.pk))


def texts_of(items: QuerySet[Item]) -> list[str]:
    """By number, the texts of items."""
    from learning.encoders.apart import kept_apart

    rows = items.order_by("number").values_list("text", "text_b")
    return [kept_apart(text, text_b) for text, text_b in rows]


def images_of(items: QuerySet[Item]) -> ImageFiles:
    """By number, the images of items, none of them read yet; one that was redacted is blank, also where that is
    after this and before it is read."""
    from learning.image_files import ImageFiles

    rows = list(items.order_by("number").values_list("project_id", "number", "image"))
    return ImageFiles(
        paths=tuple(str(media_folder(pk) / image) if image else "" for pk, _, image in rows),
        names=tuple(f"Item {number}" for _, number, _ in rows),
        was_redacted=_was_redacted,
    )


def _was_redacted(path: str) -> bool:
    """Whether no item has the image of a file any more, as after a redaction."""
    project_id, name = Path(path).parts[-2:]
    return not Item.objects.filter(project_id=int(project_id), image=name).exists()


def _of(project: Project, place: slice) -> QuerySet[Item]:
    return Item.objects.filter(project=project, number__gte=place.start, number__lt=place.stop)
