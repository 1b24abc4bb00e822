"""Which router to use: the one that does best on seed items that it had not learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from learning.errors import NotEnoughDataError
from learning.routing.crossfit import Order, cross_fitted
from learning.routing.types import Router, Seed, Shares
from learning.types import Report, no_report

DRAWS = 2_000
SIMPLEST = "threshold"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """area: mean quality over all human shares, 0 … 1; low, high: the interval of its difference
    from the simplest router's, paired by item; None for that router itself. refused: why it was
    not tried, "" where it was.
    """

    router: str
    area: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str = ""


def back_test(
    routers: Mapping[str, Router],
    seed: Seed,
    rng: np.random.Generator,
    report: Report = no_report,
) -> list[Standing]:
    """How the routers did, the best first; those that refused last.

    Intervals are 95 % of a Bayesian bootstrap over items (Rubin 1981): they tell what the draw of
    the seed does to a difference.
    """
    orders: dict[str, Order] = {}
    refused: dict[str, str] = {}
    for place, (name, router) in enumerate(routers.items()):
        report(place, len(routers))
        beat = partial(_beat, report, place, len(routers))
        try:
            orders[name] = cross_fitted(router, seed, rng, beat)
        except NotEnoughDataError as refusal:
            refused[name] = str(refusal)
    report(len(routers), len(routers))
    counts = rng.exponential(size=(DRAWS, seed.rows))
    areas = {name: order.resampled_areas(counts) for name, order in orders.items()}
    found = [_standing(name, orders[name], areas) for name in orders]
    found.sort(key=lambda one: (-(one.area or 0), one.router))
    return found + [Standing(router=name, refused=why) for name, why in refused.items()]


def _beat(report: Report, place: int, total: int, _done: int, _total: int) -> None:
    report(place, total)


def _standing(name: str, order: Order, areas: Mapping[str, Shares]) -> Standing:
    if name == SIMPLEST or SIMPLEST not in areas:
        return Standing(router=name, area=order.area())
    difference = areas[name] - areas[SIMPLEST]
    low, high = np.quantile(difference, [0.025, 0.975])
    return Standing(
        router=name,
        area=order.area(),
        difference=float(difference.mean()),
        low=float(low),
        high=float(high),
    )


def best(standings: list[Standing], simplest: str = SIMPLEST) -> str:
    """The router of the largest area; the simplest where nothing was tried."""
    tried = [one for one in standings if one.area is not None]
    return max(tried, key=lambda one: one.area or 0.0).router if tried else simplest
