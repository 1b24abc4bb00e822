"""The texts of a project for students that read them, without holding them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from annotator.models import Item, Project


class PoolTexts(Sequence[str]):
    """The project's texts as a sequence that is read block by block."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.rows = Project.objects.values_list("item_count", flat=True).get(pk=project.pk)

    def __len__(self) -> int:
        return int(self.rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        from learning.encoders.apart import kept_apart

        if isinstance(place, int):
            return self[place : place + 1][0]
        items = Item.objects.filter(
            project=self.project, number__gte=place.start, number__lt=place.stop
        )
        texts = items.order_by("number").values_list("text", "text_b")
        return [kept_apart(text, text_b) for text, text_b in texts]
