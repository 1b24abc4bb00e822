"""Votes on whether something that a voice marked is there: the one question of spans and boxes."""

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from learning.types import Votes


class Voice(Protocol):
    """Who marks on an item, with which weight."""

    @property
    def annotator(self) -> int: ...

    @property
    def weight(self) -> float: ...


class Presence:
    """Collects candidates, then gives the votes on them: one column, "is it there?"."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, bool, float]] = []
        self._settled: list[bool] = []
        self._there: list[bool] = []

    def ask(self, voices: Sequence[Voice], found: Collection[int], *, settled: bool) -> None:
        """One candidate: the item's voices, and the places of those who marked it; the place behind the
        last voice stands for the truth, which is known where it is `settled`.
        """
        question = len(self._there)
        for place, voice in enumerate(voices):
            self._rows.append((question, voice.annotator, place in found, voice.weight))
        self._there.append(len(voices) in found)
        self._settled.append(settled)

    def votes(self, *, with_truth: bool) -> Votes:
        """All of them, an item of the votes for each candidate in the order of asking."""
        return Votes(
            items=len(self._there),
            item=np.array([row[0] for row in self._rows], dtype=np.int64),
            annotator=np.array([row[1] for row in self._rows], dtype=np.int64),
            answers=np.array([[row[2]] for row in self._rows], dtype=np.float64).reshape(-1, 1),
            weights=np.array([row[3] for row in self._rows], dtype=np.float64),
            multi_label=True,
            truth=np.array(self._there, dtype=np.bool_).reshape(-1, 1) if with_truth else None,
            settled=np.array(self._settled, dtype=np.bool_) if with_truth else None,
        )
