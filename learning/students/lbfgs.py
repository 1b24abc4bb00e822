"""Limited-memory BFGS on float32 arrays, small enough to read."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Objective = Callable[[Vector], tuple[float, Vector]]
Step = tuple[Vector, Vector, float]

SHORTEST = 1e-6  # a line search gives up below


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """Where the search ended: the point, its value, and how many evaluations it took."""

    point: Vector
    value: float
    evaluations: int


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A point with its value and gradient."""

    point: Vector
    value: float
    gradient: Vector

    @property
    def steepness(self) -> float:
        return float(np.abs(self.gradient).max(initial=0.0))


def minimise(
    objective: Objective,
    start: Vector,
    *,
    evaluations: int,
    tolerance: float,
    after_step: Callable[[int], None],
    memory: int = 10,
) -> Minimum:
    """Minimise a smooth convex function given by value and gradient.

    Ends when the largest gradient entry is below `tolerance` times its size at the start (at
    least `tolerance` itself), when a step changes the value by less than float32 can show, or
    after `evaluations`. `after_step(used)` may raise to end it. Source: Nocedal 1980; the line
    search backtracks to Armijo's condition and pairs without curvature are dropped.
    """
    used = 0

    def look(point: Vector) -> _Place:
        nonlocal used
        value, gradient = objective(point)
        used += 1
        after_step(used)
        return _Place(point=point, value=value, gradient=gradient)

    here = look(start.astype(np.float32))
    goal = tolerance * max(1.0, here.steepness)
    steps: deque[Step] = deque(maxlen=memory)
    while used < evaluations and here.steepness > goal:
        there = _downhill(look, here, steps)
        if there is None:
            break
        moved, bent = there.point - here.point, there.gradient - here.gradient
        curvature = float(moved @ bent)
        if curvature > 1e-10:
            steps.append((moved, bent, 1 / curvature))
        gain, here = here.value - there.value, there
        if gain <= 1e-7 * max(1.0, abs(here.value)):
            break
    return Minimum(point=here.point, value=here.value, evaluations=used)


def _downhill(look: Callable[[Vector], _Place], here: _Place, steps: deque[Step]) -> _Place | None:
    """A place that is enough lower, or None when not even the shortest step finds one."""
    direction = -_two_loops(here.gradient, steps)
    slope = float(here.gradient @ direction)
    if slope >= 0:  # rounding spoilt the memory: start again along the gradient
        steps.clear()
        direction, slope = -here.gradient, -float(here.gradient @ here.gradient)
    length = 1.0 if steps else min(1.0, 1.0 / float(np.linalg.norm(here.gradient)))
    while length >= SHORTEST:
        there = look(here.point + np.float32(length) * direction)
        if there.value <= here.value + 1e-4 * length * slope:
            return there
        length /= 2
    return None


def _two_loops(gradient: Vector, steps: deque[Step]) -> Vector:
    """The inverse Hessian's estimate applied to the gradient."""
    q = gradient.copy()
    shares = []
    for moved, bent, scale in reversed(steps):
        share = np.float32(scale * float(moved @ q))
        shares.append(share)
        q -= share * bent
    if steps:
        moved, bent, scale = steps[-1]
        q *= np.float32(1 / (scale * float(bent @ bent)))
    for (moved, bent, scale), share in zip(steps, reversed(shares), strict=True):
        q += moved * (share - np.float32(scale * float(bent @ q)))
    return q
