"""The loop's budget curve, from the audit alone, at the budgets that are then replayed."""

import numpy as np

from bench.routing import loops
from bench.routing.sets import RoutingSet
from learning.routing.curve import Work
from learning.routing.foretell import loop_curve


def points(data: RoutingSet, seed: int) -> list[dict[str, float]]:
    """What is expected at loops.BUDGETS of all items, of which the audit is a part."""
    desk = loops.Desk.open(data, loops.AUDIT, seed, held_out=False)
    heard = loops.voices(desk, desk.student(None), seed, routed=False)
    waiting = data.rows - loops.AUDIT
    shares = [(share * data.rows - loops.AUDIT) / waiting for share in loops.BUDGETS]
    curve = loop_curve(
        heard,
        Work(items=waiting, person_seconds=0.0),
        desk.head,
        np.random.default_rng([seed, 8]),
        shares=shares,
    )
    done = loops.AUDIT / data.rows  # people's answers on the audit are right already
    return [
        {name: done + (1 - done) * float(getattr(point.quality, name)) for name in KEYS}
        for point in curve
    ]


KEYS = ("value", "low", "high")
