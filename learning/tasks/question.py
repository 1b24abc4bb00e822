"""A question of a form: what an answer to it may be, and after which answers it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.types import Part


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, with labels of its own.

    key: its name in files; name: in words; kind: the task type of its answers, one whose answers are
    labels and no questions themselves, spans of the text, or a text that is written.
    labels: ids of all its labels, archived ones too, and columns: the column of each.
    live: those that may be given now.
    after: ids of labels of one earlier question; it is asked where one of them is given. Empty: always.
    optional: a text may be left empty; edits: it begins with the item's second text.
    """

    key: str
    name: str
    kind: str
    labels: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    live: frozenset[int] = frozenset()
    after: tuple[int, ...] = ()
    optional: bool = False
    edits: bool = False

    @property
    def marks(self) -> bool:
        """Whether its answer is places of the text."""
        return self.kind == "spans"

    @property
    def sided(self) -> bool:
        """Whether it asks which of two texts is better: its first two labels are their sides."""
        return self.kind == "preference"

    @property
    def writes(self) -> bool:
        """Whether its answer is a text."""
        return self.kind == "text"

    def known(self, part: Part) -> list[int]:
        """The labels of the part's columns, in their order; others are younger than what is known, and
        may be listed before them.
        """
        there = set(part.columns)
        given = zip(self.labels, self.columns, strict=True)
        return [label for label, column in given if column in there]

    def otherwise(
        self, part: Part, given: Sequence[int], label: int, said: NDArray[np.floating]
    ) -> list[int]:
        """Another answer than the one with this label: the likeliest that is left, by (its columns,) shares."""
        if part.several:
            return [each for each in given if each != label] + ([] if label in given else [label])
        chance = dict(zip(self.known(part), said.tolist(), strict=True))
        left = [each for each in self.labels if each in self.live and each not in given]
        return [max(left, key=lambda each: chance.get(each, 0.0))] if left else list(given)
