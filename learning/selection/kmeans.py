"""k-means in numpy, on a sample that fits in memory and a matrix that need not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.selection.reading import points_of
from learning.types import BLOCK_ROWS, Floats, Ints, row_blocks

SEEDING_ROWS = 6_000
BLOCK_ENTRIES = 1 << 20  # distances at a time: 4 MiB


def kmeans(
    points: NDArray[np.float32],
    k: int,
    rounds: int,
    rng: np.random.Generator,
    weights: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """(n, d) points -> (k, d) centres, k <= n, by Lloyd's rounds after k-means++ seeding.

    weights: (n,) above 0, how much each point draws centres to itself; None for all 1.
    Stops early when no point changes its group. A group that loses all points restarts at the
    point farthest from its centre. Source: Lloyd 1982; Arthur, Vassilvitskii 2007.
    """
    centres = _seed(points, k, rng, weights)
    squares = np.einsum("nd,nd->n", points, points)
    before = np.full(len(points), -1)
    for _ in range(rounds):
        group, distance = assign(points, centres, squares)
        if np.array_equal(group, before):
            break
        before = group
        centres = _means(points, group, distance, k, weights)
    return centres


def assign(
    points: NDArray[np.float32], centres: NDArray[np.float32], squares: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n,) the nearest centre of each point and (n,) the squared distance to it."""
    group = np.empty(len(points), dtype=np.int64)
    nearest = np.empty(len(points), dtype=np.float32)
    lengths = np.einsum("kd,kd->k", centres, centres)
    for block in row_blocks(len(points), max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // len(centres)))):
        half = points[block] @ centres.T - lengths / 2  # (b, k), largest where nearest
        group[block] = half.argmax(axis=1)
        best = np.take_along_axis(half, group[block][:, None], axis=1)[:, 0]
        nearest[block] = np.maximum(squares[block] - 2 * best, 0)
    return group, nearest


def nearest_squared(
    points: NDArray[np.float32], others: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) squared distances of points (n, d) with squared lengths (n,) to the nearest of others."""
    nearest = np.empty(len(points), dtype=np.float32)
    lengths = np.einsum("kd,kd->k", others, others) / 2
    for block in row_blocks(len(points), max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // len(others)))):
        half = points[block] @ others.T
        half -= lengths
        nearest[block] = np.maximum(squares[block] - 2 * half.max(axis=1), 0)
    return nearest


def _means(
    points: NDArray[np.float32],
    group: NDArray[np.int64],
    distance: NDArray[np.float32],
    k: int,
    weights: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    size = np.bincount(group, minlength=k)
    order = np.argsort(group, kind="stable")
    full = np.flatnonzero(size)
    starts = np.concatenate([[0], np.cumsum(size[full])[:-1]])
    centres = np.empty((k, points.shape[1]), dtype=np.float32)
    sorted_points, total = points[order], size.astype(np.float64)
    if weights is not None:
        sorted_points *= weights[order][:, None]
        total = np.asarray(np.bincount(group, weights, minlength=k), dtype=np.float64)
    centres[full] = np.add.reduceat(sorted_points, starts, axis=0) / total[full][:, None]
    empty = np.flatnonzero(size == 0)
    centres[empty] = points[np.argsort(-distance, kind="stable")[: len(empty)]]
    return centres


def _seed(
    points: NDArray[np.float32],
    k: int,
    rng: np.random.Generator,
    weights: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """k-means++ on at most max(SEEDING_ROWS, 4 k) of the points; of a few random ones each time
    the best is taken, which is worth 0.04 accuracy after the cold start (banking77).
    """
    size = min(len(points), max(SEEDING_ROWS, 4 * k))
    if size < len(points):
        kept = np.sort(rng.choice(len(points), size=size, replace=False))
        points, weights = points[kept], None if weights is None else weights[kept]
    mass = np.ones(size, dtype=np.float32) if weights is None else weights
    squares = np.einsum("nd,nd->n", points, points)
    chosen = [int(rng.integers(size))]
    distance = _squared_distance(points, squares, chosen)[0]
    while len(chosen) < k:
        total = np.cumsum(distance * mass, dtype=np.float64)
        if total[-1] <= 0:  # only copies of chosen points are left
            rest = np.setdiff1d(np.arange(size), chosen)
            chosen += rng.choice(rest, size=k - len(chosen), replace=False).tolist()
            break
        drawn = np.searchsorted(total, rng.random(2 + int(np.log(k))) * total[-1], "right")
        tried = np.minimum(drawn, size - 1)
        nearer = np.minimum(distance, _squared_distance(points, squares, tried))  # (trials, n)
        best = int((nearer @ mass).argmin())
        chosen.append(int(tried[best]))
        distance = nearer[best]
        distance[chosen] = 0
    return points[chosen].copy()


def _squared_distance(
    points: NDArray[np.float32], squares: NDArray[np.float32], rows: Sequence[int] | Ints
) -> NDArray[np.float32]:
    """(r, n) squared distances of some of the points to all."""
    cross = points[rows] @ points.T
    return np.maximum(squares[rows][:, None] - 2 * cross + squares, 0)


def coverage_order(centres: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.int64]:
    """(k,) the centres in an order in which every beginning stands well for the points.

    Each next centre is the one that brings the points most nearer. Source: greedy k-medoids,
    Kaufman, Rousseeuw 1987.
    """
    away = (
        np.einsum("kd,kd->k", centres, centres)[:, None]
        - 2 * (centres @ points.T)
        + np.einsum("nd,nd->n", points, points)
    )  # (k, n)
    current = np.full(len(points), away.max(initial=0.0) + 1, dtype=np.float32)
    left = np.arange(len(centres))
    order = []
    while len(left):
        gain = np.maximum(current - away[left], 0).sum(axis=1)
        best = int(left[gain.argmax()])
        order.append(best)
        current = np.minimum(current, away[best])
        left = left[left != best]
    return np.array(order, dtype=np.int64)


def nearest_rows(
    encodings: Floats, candidates: NDArray[np.int64], centres: NDArray[np.float32], keep: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """(k, keep) the candidate rows nearest to each centre with (k, keep) their squared distances,
    nearest first, and (k,) how many candidates are in each centre's group.

    The matrix is read block by block. Needs keep <= len(candidates).
    """
    k = len(centres)
    lengths = np.einsum("kd,kd->k", centres, centres)
    best = np.empty((k, 0), dtype=np.float32)
    rows = np.empty((k, 0), dtype=np.int64)
    sizes = np.zeros(k, dtype=np.int64)
    for block in row_blocks(len(candidates)):
        these = candidates[block]
        points = points_of(encodings, these)
        squares = np.einsum("nd,nd->n", points, points)
        distance = squares[:, None] - 2 * (points @ centres.T) + lengths  # (b, k)
        sizes += np.bincount(distance.argmin(axis=1), minlength=k)
        best = np.concatenate([best, distance.T], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(these, (k, len(these)))], axis=1)
        if best.shape[1] > keep:
            near = np.argpartition(best, keep - 1, axis=1)[:, :keep]
            best = np.take_along_axis(best, near, axis=1)
            rows = np.take_along_axis(rows, near, axis=1)
    order = np.argsort(best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    return np.take_along_axis(rows, order, axis=1), best, sizes
