"""How far voices agree on answers that have parts: what `agreeing` measures on labels, on the values' parts."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.verdicts.agreeing_spans import FEWEST_COMMON, MOST_PAIRS, VALUES
from annotator.models import Project

if TYPE_CHECKING:
    import numpy as np

    from learning.consensus.value_agreement import Facets

# Different things said that are compared, every two of them, and their letters, whose square is the
# work; the latest items come first.
MOST_DIFFERENT, MOST_LETTERS = 300, 60_000


def figures(project: Project, items: Sequence[int], rng: np.random.Generator) -> dict[str, Any]:
    """Alpha over the parts of values and how close answers are: of all, and by pair."""
    from learning.consensus.value_agreement import closeness, facet_alpha
    from learning.tasks.values import parted_task

    task = parted_task(project.task_type)
    said = _few(_read(project, items))
    every = [list(by_voice.values()) for by_voice in said]
    return {
        "distance": task.measure,
        "alpha": asdict(facet_alpha(every, task.facets_apart, rng)),
        "masi": None,
        "closeness": asdict(closeness(every, task.facets_apart, rng)),
        "labels": [],
        "pairs": [
            {"one": a, "other": b, **asdict(closeness(both, task.facets_apart, rng))}
            for (a, b), both in _pairs(said)
        ],
        "over_time": [],
    }


def _read(project: Project, items: Sequence[int]) -> list[dict[int, Facets]]:
    """The parts that each voice said, of each item with several voices, in the order of the items."""
    from learning.tasks.values import parted_task

    task = parted_task(project.task_type)
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [list(items)])
        rows = cursor.fetchall()
    found: dict[int, dict[int, Facets]] = {item: {} for item in items}
    for item, voice, value in rows:
        found[item][voice] = task.facets(json.loads(value))
    return [by_voice for by_voice in found.values() if len(by_voice) > 1]


def _few(said: Sequence[dict[int, Facets]]) -> list[dict[int, Facets]]:
    """The latest items, as long as every two different things said can be compared."""
    kept: list[dict[int, Facets]] = []
    different: set[Any] = set()
    for by_voice in reversed(said):
        different |= {one for facets in by_voice.values() for one in facets.values()}
        if too_many(different, first=not kept):
            break
        kept.append(by_voice)
    return kept


def too_many(different: Collection[Any], *, first: bool) -> bool:
    """Whether so many different things cannot be compared, every two of them; one item always can."""
    letters = sum(len(str(one)) for one in different)
    return not first and (len(different) > MOST_DIFFERENT or letters > MOST_LETTERS)


def _pairs(
    said: Sequence[dict[int, Facets]],
) -> list[tuple[tuple[int, int], list[list[Facets]]]]:
    """Two voices on the items that both answered, most items first."""
    common: dict[tuple[int, int], list[list[Facets]]] = {}
    for by_voice in said:
        for a, b in combinations(sorted(by_voice), 2):
            common.setdefault((a, b), []).append([by_voice[a], by_voice[b]])
    enough = [each for each in common.items() if len(each[1]) >= FEWEST_COMMON]
    return sorted(enough, key=lambda each: (-len(each[1]), each[0]))[:MOST_PAIRS]
