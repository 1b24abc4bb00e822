"""Which orders look wrong: what `suspecting` does with labels, where answers rank candidates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection

from annotator import jobs
from annotator.actions.encoders import reading_lists
from annotator.actions.projects.schema import columns_of
from annotator.actions.review.suspecting import FEWEST, ByOne, Population
from annotator.actions.students import ordering
from annotator.models import Encoding, Item

if TYPE_CHECKING:
    import numpy as np

    from learning.rankers.doubts import Reversed

# Lists that are compared at most: more are drawn at random among all.
MOST_LISTS = 3_000
DETECTOR, TOLD, LONGEST = "orders", 3, 60
AGREES = "a student that has not seen this answer finds no two candidates the other way round"

_DECIDED = """
SELECT i.id, i.number, v.labels, i.content_hash, v.source, v.value::text
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.state = 'decided' AND v.value IS NOT NULL AND i.number < %s
  AND i.removed_at IS NULL
ORDER BY i.number
"""


@dataclass(frozen=True, kw_only=True)
class OrderSuspicion(ByOne):
    """What a ranker makes of the orders of a population; as `suspecting.Suspicion`.

    places: of each item the pairs that the ranker has the other way round, the surest first.
    """

    detector: ClassVar[str] = DETECTOR

    places: list[list[Reversed]]

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row its most doubtful pairs, in sentences with how likely the answer has them right."""
        items = [int(self.population.items[row]) for row in rows]
        texts = dict(Item.objects.filter(pk__in=items).values_list("pk", "candidates"))
        return [
            [
                {
                    "detector": DETECTOR,
                    "score": round(pair.chance, 4),
                    "words": sentence(pair, texts[item]),
                }
                for pair in self.places[row][:TOLD]
            ]
            or [{"detector": DETECTOR, "score": 1.0, "words": AGREES}]
            for row, item in zip(rows, items, strict=True)
        ]

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """Orders name no labels."""
        return [[] for _ in rows]


def look(run: jobs.Run, encoding: Encoding, rng: np.random.Generator) -> OrderSuspicion | None:
    """Compare every decided order with rankers that have not learnt from it; None when too few."""
    import numpy as np

    from learning.rankers.doubts import reversed_pairs, scores_of
    from learning.rankers.types import Ranked, places_of

    project = run.project
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk, encoding.rows])
        rows = cursor.fetchall()
    if len(rows) > MOST_LISTS:
        kept = np.sort(rng.choice(len(rows), MOST_LISTS, replace=False))
        rows = [rows[place] for place in kept.tolist()]
    if len(rows) < FEWEST:
        return None
    population = Population.of(project, columns_of(project), rows)
    lists = reading_lists.read(run, encoding).subset(population.numbers)
    data = Ranked(lists=lists, places=[places_of(json.loads(row[5])["order"]) for row in rows])
    said = ordering.out_of_fold(
        run, ordering.PLAN.plugin(), data, population.groups, rng, "Comparing orders"
    )
    if said is None:
        return None  # all are one list, or all candidates equal: there is nothing to compare with
    utilities = [one.utilities(0) for one in said]
    return OrderSuspicion(
        population=population,
        places=[
            reversed_pairs(places, own) for places, own in zip(data.places, utilities, strict=True)
        ],
        scores=scores_of(data.places, utilities),
    )


def sentence(pair: Reversed, candidates: Sequence[str]) -> str:
    """What is in doubt about two candidates, for a reviewer."""

    def quoted(number: int) -> str:
        words = " ".join(candidates[number - 1].split())
        return f"“{words if len(words) <= LONGEST else f'{words[: LONGEST - 1]}…'}”"

    return (
        f"{quoted(pair.above)} stands above {quoted(pair.below)}; a student that has not seen this answer "
        f"has them the other way round ({round(100 * (1 - pair.chance))} %)"
    )
