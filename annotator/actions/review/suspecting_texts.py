"""Which texts look wrong: what `suspecting` does with labels, where answers are written and no student learns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection

from annotator import jobs
from annotator.actions.projects.schema import columns_of
from annotator.actions.review.suspecting import FEWEST, ByOne, Population
from annotator.actions.verdicts.agreeing_spans import VALUES

if TYPE_CHECKING:
    import numpy as np

    from learning.audit.text_doubts import TextDoubt

DETECTOR = "voices"
ALONE = "nobody else wrote about this item"
# Letters times letters that are compared, about a minute; beyond it texts are drawn at random among all.
MOST_WORK = 60_000_000_000

_DECIDED = """
SELECT i.id, i.number, v.labels, i.content_hash, v.source, v.value::text
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.state = 'decided' AND v.value IS NOT NULL AND i.removed_at IS NULL
ORDER BY i.number
"""


@dataclass(frozen=True, kw_only=True)
class TextSuspicion(ByOne):
    """What the voices' texts say of those of a population; as `suspecting.Suspicion`."""

    detector: ClassVar[str] = DETECTOR

    doubts: list[TextDoubt]

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row what speaks against its text, in a sentence with its score."""
        return [
            [
                {
                    "detector": DETECTOR,
                    "score": round(float(self.scores[row]), 4),
                    "words": sentence(self.doubts[row]),
                }
            ]
            for row in rows
        ]

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """Texts name no labels; the voices' own stand beside the case."""
        return [[] for _ in rows]


def look(run: jobs.Run, rng: np.random.Generator) -> TextSuspicion | None:
    """Compare every decided text with what each voice wrote; None when too few are decided."""
    import numpy as np

    from learning.audit.text_doubts import doubts

    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [run.project.pk])
        rows = cursor.fetchall()
    if len(rows) < FEWEST:
        return None
    decided = [str(json.loads(row[5])["text"]) for row in rows]
    said = _written([row[0] for row in rows])
    kept = _affordable(decided, said, rng)
    found = doubts(
        [decided[row] for row in kept],
        [said[row] for row in kept],
        lambda at, of: run.progress(at, of, "Comparing texts"),
    )
    return TextSuspicion(
        population=Population.of(run.project, columns_of(run.project), [rows[row] for row in kept]),
        doubts=found,
        scores=np.array([one.score for one in found]),
    )


def _written(items: Sequence[int]) -> list[list[str]]:
    """Of each item what every voice wrote that stands."""
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [list(items)])
        found: dict[int, list[str]] = {item: [] for item in items}
        for item, _, value in cursor.fetchall():
            found[item].append(str(json.loads(value)["text"]))
    return list(found.values())


def _affordable(
    decided: Sequence[str], said: Sequence[Sequence[str]], rng: np.random.Generator
) -> list[int]:
    """Rows in their order, all of them unless comparing them takes too long; then some, by chance."""
    import numpy as np

    from learning.audit.text_doubts import work

    cost = np.array([work(text, texts) for text, texts in zip(decided, said, strict=True)])
    turn = rng.permutation(len(cost))
    within = np.cumsum(cost[turn]) <= max(MOST_WORK, int(cost[turn[0]]))
    return sorted(turn[within].tolist())


def sentence(doubt: TextDoubt) -> str:
    """How far what was decided is from what others wrote, for a reviewer."""
    if doubt.voices < 2:
        return ALONE
    if not doubt.other:
        return f"all {doubt.voices} voices wrote the same"
    return (
        f"{doubt.other} of {doubt.voices} voices wrote otherwise; from another voice's text to this one it "
        f"takes {round(100 * doubt.far)} % edits on average, where {round(100 * doubt.usual)} % is usual here"
    )
