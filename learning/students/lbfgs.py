"""Limited-memory BFGS on float32 arrays, small enough to read."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Objective = Callable[[Vector], tuple[float, Vector]]
Step = tuple[Vector, Vector, float]


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """Where the search ended: the point, its value, and how many evaluations it took."""

    point: Vector
    value: float
    evaluations: int


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
    point = start.astype(np.float32)
    value, gradient = objective(point)
    goal = tolerance * max(1.0, float(np.abs(gradient).max(initial=0.0)))
    steps: deque[Step] = deque(maxlen=memory)
    used = 1
    while used < evaluations and float(np.abs(gradient).max(initial=0.0)) > goal:
        direction = -_two_loops(gradient, steps)
        slope = float(gradient @ direction)
        if slope >= 0:  # rounding spoilt the memory: start again along the gradient
            steps.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        length = 1.0 if steps else min(1.0, 1.0 / float(np.linalg.norm(gradient)))
        while True:
            fresh_point = point + np.float32(length) * direction
            fresh_value, fresh_gradient = objective(fresh_point)
            used += 1
            after_step(used)
            if fresh_value <= value + 1e-4 * length * slope or used >= evaluations:
                break
            length /= 2
            if length < 1e-6:
                return Minimum(point=point, value=value, evaluations=used)
        if fresh_value > value:
            break
        moved, bent = fresh_point - point, fresh_gradient - gradient
        curvature = float(moved @ bent)
        if curvature > 1e-10:
            steps.append((moved, bent, 1 / curvature))
        gain = value - fresh_value
        point, value, gradient = fresh_point, fresh_value, fresh_gradient
        if gain <= 1e-7 * max(1.0, abs(value)):
            break
    return Minimum(point=point, value=value, evaluations=used)


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
