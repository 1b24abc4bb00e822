"""The stable place of each label in the arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.types import Bools, require


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Label ids by column. A column is never given to another label; an archived one is masked.

    label_ids: the label at column 0, 1, … k - 1.
    archived: ids of labels that are no longer used.
    parents: label -> the one right above it, of those that are below another in a tree.
    """

    label_ids: tuple[int, ...]
    archived: frozenset[int] = frozenset()
    parents: Mapping[int, int] = field(default_factory=dict)
    _place: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        place = {label: column for column, label in enumerate(self.label_ids)}
        require(len(place) == len(self.label_ids), "A label must not have two columns.")
        require(self.archived <= set(place), "An archived label must keep its column.")
        object.__setattr__(self, "_place", place)

    def __len__(self) -> int:
        return len(self.label_ids)

    @property
    def active(self) -> Bools:
        """(k,) bool, False for archived columns."""
        return np.array([label not in self.archived for label in self.label_ids], dtype=np.bool_)

    def line(self, label: int) -> tuple[int, ...]:
        """The labels from the top of the tree down to this one, itself the last."""
        found = [label]
        while (above := self.parents.get(found[-1])) is not None and above not in found:
            found.append(above)
        return tuple(reversed(found))

    def column(self, label: int) -> int:
        """The column of a label id; raises ShapeError for an id without one."""
        try:
            return self._place[label]
        except KeyError:
            raise ShapeError(f"Label {label} has no column.") from None

    def hot(self, answers: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, k) ones where an answer names a label; archived columns stay 0."""
        table = np.zeros((len(answers), len(self)), dtype=np.float32)
        for row, answer in enumerate(answers):
            for label in answer:
                table[row, self.column(label)] = 1
        table[:, ~self.active] = 0
        return table
