"""Which boxes look wrong: what `suspecting` does with labels, where answers are boxes and no student learns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection

from annotator.actions.projects.schema import columns_of
from annotator.actions.review.suspecting import FEWEST, ByOne, Population
from annotator.models import Label, Project

if TYPE_CHECKING:
    from learning.audit.box_doubts import BoxDoubt
    from learning.boxes import Box

DETECTOR, TOLD = "boxes", 4
NOTHING = (
    "no box is on another, none is a sliver, and all have a size that is usual for their labels"
)

_DECIDED = """
SELECT i.id, i.number, v.labels, i.content_hash, v.source, v.value::text
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.state = 'decided' AND v.value IS NOT NULL AND i.removed_at IS NULL
ORDER BY i.number
"""


@dataclass(frozen=True, kw_only=True)
class BoxSuspicion(ByOne):
    """What the boxes of a population look like beside each other; as `suspecting.Suspicion`.

    places: of each item the boxes that may be wrong, the most doubtful first.
    """

    detector: ClassVar[str] = DETECTOR

    places: list[list[BoxDoubt]]
    names: dict[int, str]

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row its most doubtful boxes, in sentences with their scores."""
        return [
            [
                {
                    "detector": DETECTOR,
                    "score": round(place.score, 4),
                    "words": sentence(place, self.names),
                }
                for place in self.places[row][:TOLD]
            ]
            or [{"detector": DETECTOR, "score": 1.0, "words": NOTHING}]
            for row in rows
        ]

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """No other labels are suggested: which of two boxes is right is for the reviewer to say."""
        return [list(self.population.labels[row]) for row in rows]


def look(project: Project) -> BoxSuspicion | None:
    """Compare every decided answer's boxes with each other and with those of their labels; None when too few."""
    import numpy as np

    from learning.audit.box_doubts import doubts, score_of
    from learning.boxes import boxes_of

    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk])
        rows = cursor.fetchall()
    boxes = [boxes_of(json.loads(row[5])) for row in rows]
    if len(rows) < FEWEST or not any(boxes):
        return None
    places = doubts(boxes)
    return BoxSuspicion(
        population=Population.of(project, columns_of(project), rows),
        places=places,
        scores=np.array([score_of(one) for one in places]),
        names=dict(Label.objects.filter(project=project).values_list("pk", "name")),
    )


def sentence(place: BoxDoubt, names: dict[int, str]) -> str:
    """What is in doubt about a box, for a reviewer."""
    from learning.audit.box_doubts import BoxFault

    told = f"{names[place.box.label]} ({where(place.box)})"
    if place.fault == BoxFault.SLIVER:
        return f"{told} is a sliver: hardly anything can be in it"
    if place.fault == BoxFault.SIZE or place.other is None:
        return f"{told} is far from the size that {names[place.box.label]} usually has here"
    if place.fault == BoxFault.DOUBLED:
        return f"{told} is boxed twice"
    return f"{told} and {names[place.other.label]} are on nearly the same rectangle"


def where(box: Box) -> str:
    """Where a box is, as the label page says it."""
    x, y, w, h = (round(100 * side) for side in box[:4])
    return f"{x} % right, {y} % down, {w} × {h} %"
