"""Task types whose answers name no label: their projects have none."""

from typing import Any, ClassVar

from learning.tasks.multi import Multi


class Wordless(Multi):
    """What `Task` asks about labels where there are none; by default nothing learns from such answers."""

    has_labels: ClassVar[bool] = False
    spelled: ClassVar[bool] = True
    teachers: ClassVar[tuple[str, ...]] = ()
    students: ClassVar[tuple[str, ...]] = ()
    strategies: ClassVar[tuple[str, ...]] = ("representatives", "random", "probcover", "typiclust")
    consensus: ClassVar[tuple[str, ...]] = ("weighted-majority", "majority")
    conformal: ClassVar[tuple[str, ...]] = ()

    def labels_of(self, value: Any) -> list[int]:
        """None."""
        return []
