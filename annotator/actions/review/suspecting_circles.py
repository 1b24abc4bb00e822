"""Which answers about the better of two texts go round in a circle with others, beside what detectors say of
their labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator import jobs
from annotator.actions.desk.beside import texts_beside
from annotator.actions.review.suspecting import TOLD, Population, Suspicion
from annotator.models import Item, Project
from learning.errors import ShapeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.circles import Circle

DETECTOR, LONGEST = "circles", 40

_TEXTS = """
SELECT i.id, md5(i.text), md5(i.text_b), i.meta::text FROM annotator_item i
WHERE i.project_id = %s AND i.id = ANY(%s)
"""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One question about the better of two texts, "" where there is no other; its sides as label ids.

    won: (n,) 0 where the first text is better, 1 the second, -1 none; found: of each answer the circle that
    speaks most against it.
    """

    question: str
    sides: tuple[int, int]
    won: NDArray[np.int64]
    found: list[Circle | None]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(n,): what its circle leaves of an answer, 1 without any."""
        import numpy as np

        return np.array([1.0 if one is None else one.score for one in self.found])


@dataclass(frozen=True, kw_only=True)
class CircleSuspicion:
    """As `suspecting.Suspicion`; an answer is as doubtful as the worst of its comparisons."""

    labels: Suspicion
    comparisons: list[Comparison]

    @property
    def population(self) -> Population:
        return self.labels.population

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(n,): an answer is as doubtful as its label, or as its circle makes it."""
        import numpy as np

        return np.minimum(self.labels.scores, self._round)

    @cached_property
    def _round(self) -> NDArray[np.float64]:
        import numpy as np

        return np.asarray(np.min([one.scores for one in self.comparisons], axis=0))

    def _worst(self, row: int) -> tuple[Comparison, Circle] | None:
        """The comparison whose circle speaks most against an answer; None where it is in none."""
        worst = min(self.comparisons, key=lambda one: one.scores[row])
        circle = worst.found[row]
        return None if circle is None else (worst, circle)

    def each(self, row: int) -> dict[str, float]:
        """What every detector says of one answer."""
        return self.labels.each(row) | {DETECTOR: round(float(self._round[row]), 6)}

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row its circle with the items that close it, and what detectors say."""
        circles = {row: one for row in rows if (one := self._worst(row)) is not None}
        known = self._known(
            {*circles, *(other for _, one in circles.values() for other in one.others)}
        )
        found = self.labels.told(rows)
        for place, row in enumerate(rows):
            if row in circles:
                said = self._circle(row, *circles[row], known)
                found[place] = [said, *found[place]][:TOLD]
        return found

    def _circle(
        self, row: int, where: Comparison, one: Circle, known: dict[int, Item]
    ) -> dict[str, Any]:
        pairs = [self._ordered(each, where, known) for each in (row, *one.others)]
        others = [known[int(self.population.items[other])] for other in one.others]
        names = [_short(f"#{item.external_id or item.number}") for item in others]
        numbered = zip(others, names, strict=True)
        asked = f"{where.question}: " if where.question else ""
        return {
            "detector": DETECTOR,
            "score": round(one.score, 4),
            "words": asked + sentence(one, pairs, names),
            "others": [{"number": item.number, "name": name} for item, name in numbered],
        }

    def _ordered(self, row: int, where: Comparison, known: dict[int, Item]) -> tuple[str, str]:
        """The better text of an item and the other one."""
        item = known[int(self.population.items[row])]
        first, second = _short(item.text), _short(item.text_b)
        return (second, first) if where.won[row] else (first, second)

    def _known(self, rows: set[int]) -> dict[int, Item]:
        return Item.objects.in_bulk([int(self.population.items[row]) for row in rows])

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """The other text where a circle is what speaks against the answer; else as the student has it."""
        return [
            (self._turned(row) if self._round[row] <= self.labels.scores[row] else None) or instead
            for row, instead in zip(rows, self.labels.suggested(rows), strict=True)
        ]

    def _turned(self, row: int) -> list[int] | None:
        """The answer with the other text, where it is in a circle; None where that is no whole answer."""
        worst = self._worst(row)
        if worst is None:
            return None
        comparison, _ = worst
        was, instead = comparison.sides[:: -1 if comparison.won[row] else 1]
        turned = [instead if each == was else each for each in self.population.labels[row]]
        try:
            self.population.task.check(turned)
        except ShapeError:
            return None
        return turned


def checked(run: jobs.Run, labels: Suspicion) -> CircleSuspicion:
    """What detectors say of the labels, with the circles that the answers go round in."""
    population = labels.population
    texts = _texts(run.project, population)
    task, ids = population.task, population.columns.label_ids
    names = [one.name for one in task.questions if one.sided] or [""]
    return CircleSuspicion(
        labels=labels,
        comparisons=[
            _compared(run, population, texts, name, (ids[first], ids[second]))
            for name, (first, second) in zip(names, task.sides, strict=True)
        ],
    )


def _compared(
    run: jobs.Run,
    population: Population,
    texts: tuple[NDArray[np.int64], NDArray[np.int64]],
    question: str,
    sides: tuple[int, int],
) -> Comparison:
    import numpy as np

    from learning.audit.circles import circles

    place = {label: column for column, label in enumerate(sides)}
    won = np.array(
        [next((place[one] for one in given if one in place), -1) for given in population.labels],
        dtype=np.int64,
    )
    return Comparison(
        question=question,
        sides=sides,
        won=won,
        found=circles(
            *texts,
            np.where(won == 0, 1, np.where(won == 1, -1, 0)),
            population.reviewed,
            lambda _done, _total: run.progress(99, 100, "Looking for circles"),
        ),
    )


def _texts(project: Project, population: Population) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) numbers of the first and of the second texts, equal for texts that are the same to the letter and
    are read with the same: an answer to another question is another text.
    """
    import numpy as np

    items = population.items.tolist()
    with connection.cursor() as cursor:
        cursor.execute(_TEXTS, [project.pk, items])
        texts = {pk: (one, other, _beside(meta)) for pk, one, other, meta in cursor.fetchall()}
    both = [f"{texts[item][side]} {texts[item][2]}" for side in (0, 1) for item in items]
    numbers = np.unique(np.array(both), return_inverse=True)[1].astype(np.int64)
    return numbers[: len(items)], numbers[len(items) :]


def _beside(meta: str) -> str:
    """A digest of what an item is read with; empty where that is nothing."""
    beside = texts_beside(json.loads(meta))
    return sha256(json.dumps(beside).encode()).hexdigest() if beside else ""


def _short(text: str) -> str:
    told = " ".join(text.split())
    return told if len(told) <= LONGEST else f"{told[:LONGEST].rstrip()}…"


def sentence(one: Circle, pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    """How the answers go round, for a reviewer; pairs: the better text and the other of each."""
    here, *rest = [f"“{better}” over “{worse}”" for better, worse in pairs]
    others = " and ".join(f"{said} in {name}" for said, name in zip(rest, names, strict=True))
    if one.is_even:
        weighed = "nothing else tells which of them is wrong"
    else:
        chance = "less than 1 %" if one.score < 0.01 else f"{100 * one.score:.0f} %"
        weighed = f"by all other answers this one has a chance of {chance}"
    more = f"; so it is in {one.circles} circles" if one.circles > 1 else ""
    return f"{here} here, but {others}: {weighed}{more}"
