"""The loop's budget curve, from the audit alone, at the budgets that are then replayed."""

import numpy as np

from bench.routing import loops
from bench.routing.sets import RoutingSet
from learning.errors import NotEnoughDataError
from learning.routing.curve import Work
from learning.routing.foretell import loop_curve


def points(data: RoutingSet, seed: int) -> list[dict[str, float]]:
    """What is expected at loops.BUDGETS of all items, of which the audit is a part; nothing where
    the audit is too small for that many labels.
    """
    desk = loops.Desk.open(data, loops.AUDIT, seed, held_out=False)
    heard = loops.voices(desk, desk.student(None), seed, routed=False)
    waiting = data.rows - loops.AUDIT
    shares = [(share * data.rows - loops.AUDIT) / waiting for share in loops.BUDGETS]
    work, rng = Work(items=waiting, person_seconds=0.0), np.random.default_rng([seed, 8])
    try:
        curve = loop_curve(heard, work, desk.head, rng, shares=shares)
    except NotEnoughDataError as refusal:
        print(f"{data.name}: {refusal}")
        return []
    done = loops.AUDIT / data.rows  # people's answers on the audit are right already
    return [
        {name: done + (1 - done) * float(getattr(point.quality, name)) for name in KEYS}
        for point in curve
    ]


KEYS = ("value", "low", "high")
