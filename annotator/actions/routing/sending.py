"""What the people's queue begins with under a policy: items that routing sends to a person, and those
that both a person and the teacher answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.actions.routing import doubling
from annotator.models import Project, Routing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.types import Pool, Selection

# Every so many-th place is a double label's.
DOUBLE_EVERY = 4
DOUBLE_REASON = "Drawn at random, to compare a person's answer with the teacher's"


def first(project: Project, pool: Pool, but: NDArray[np.int64]) -> Selection:
    """The routed items that may still be chosen, with the waiting double labels strewn in; none of
    `but`. Double labels are asked for even where the teacher's word decided the item."""
    import numpy as np

    from learning.types import Selection

    taken = set(but.tolist())
    doubles = {
        number: chance
        for number, chance in doubling.waiting(project).items()
        if number < pool.rows and number not in taken
    }
    kept = Routing.objects.filter(pk=project.pk).values_list("numbers", "reasons").first()
    places = [
        (number, why, 1.0)
        for number, why in zip(*(kept or ([], [])), strict=True)
        if number < pool.rows and pool.eligible[number] and number not in {*taken, *doubles}
    ]
    drawn = [(number, DOUBLE_REASON, chance) for number, chance in doubles.items()]
    mixed = _strewn(places, drawn)
    return Selection(
        rows=np.array([number for number, _, _ in mixed], dtype=np.int64),
        probabilities=np.array([chance for _, _, chance in mixed], dtype=np.float64),
        reasons=[why for _, why, _ in mixed],
    )


Place = tuple[int, str, float]


def _strewn(places: list[Place], drawn: list[Place]) -> list[Place]:
    mixed: list[Place] = []
    step = DOUBLE_EVERY - 1
    while places or drawn:
        mixed += [*places[:step], *drawn[:1]]
        places, drawn = places[step:], drawn[1:]
    return mixed
