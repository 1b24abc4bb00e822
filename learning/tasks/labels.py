"""Task types whose answers are labels and nothing else."""

from collections.abc import Collection
from typing import Any, ClassVar

from learning.errors import ShapeError
from learning.tasks.content import Content
from learning.teachers import TEACHERS


class LabelsAlone:
    """What `Task` asks about values, where an answer has none."""

    shape: ClassVar[str] = "labels"
    teachers: ClassVar[tuple[str, ...]] = tuple(TEACHERS)
    quoted: ClassVar[bool] = False
    has_labels: ClassVar[bool] = True
    spelled: ClassVar[bool] = False
    tracked: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = False
    sided: ClassVar[bool] = False
    drawn: ClassVar[bool] = False
    nested: ClassVar[bool] = False
    item_kinds: ClassVar[frozenset[str]] = frozenset({"text", "pair", "image"})
    begins_with: ClassVar[tuple[tuple[str, str, str], ...]] = ()

    def read(
        self, value: object, content: Content, labels: Collection[int]
    ) -> dict[str, Any] | None:
        """None; raises ShapeError for a value."""
        if value is not None:
            raise ShapeError("Answers of this project are labels: leave `value` out.")
        return None

    def labels_of(self, value: Any) -> list[int]:
        """There is no value that could name labels: raises ShapeError."""
        raise ShapeError("Answers of this project are labels: there is no value to read.")
