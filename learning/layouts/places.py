"""What layouts share: coordinates to compare in, landmarks, and a place among the nearest of them."""

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.layouts import Drawn
from learning.types import Bools, Floats, Report, no_report, require, row_blocks

SAMPLE = 20_000  # rows that principal components are learnt from
NEAREST = 3  # more of them pull items between groups that have nothing in common
SHARPNESS = 3.0
BLOCK_ENTRIES = 1 << 22  # distances at a time: 16 MiB


def filled(vectors: Floats, eligible: Bools) -> NDArray[np.int64]:
    """Rows that are eligible and not all zeros. Raises NotEnoughDataError where none is left."""
    require(
        vectors.ndim == 2 and eligible.shape == (len(vectors),),
        "Vectors must have shape (n, d), and eligible (n,).",
    )
    there = np.array(eligible, dtype=np.bool_)
    for block in row_blocks(len(vectors)):
        there[block] &= np.any(vectors[block] != 0, axis=1)
    rows = np.flatnonzero(there)
    if not len(rows):
        raise NotEnoughDataError("No item has a vector yet, so there is nothing to draw.")
    return rows


def components(
    vectors: Floats, rows: NDArray[np.int64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(d,) mean and (c, d) the `count` directions of the largest spread, from a sample of the rows.

    Each direction's largest entry is positive, so that two drawings of the same items agree.
    """
    kept = some(rows, SAMPLE, rng)
    table = np.asarray(vectors[kept], dtype=np.float32)
    mean = table.mean(axis=0)
    centred = table - mean
    _, found = np.linalg.eigh((centred.T @ centred).astype(np.float64))  # ascending
    axes = found[:, ::-1][:, : min(count, table.shape[1])].T
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return mean, np.ascontiguousarray(axes * signs[:, None], dtype=np.float32)


def some(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `most` of the rows, drawn at random, in ascending order."""
    if len(rows) <= most:
        return rows
    return np.sort(rng.choice(rows, size=most, replace=False))


def unit_square(points: NDArray[np.floating], among: NDArray[np.floating]) -> NDArray[np.float32]:
    """Shift and scale (n, 2) points so that those `among` which they are meant fill 0 … 1, both axes
    by the same factor: a distance means the same in every direction.
    """
    low, high = among.min(axis=0), among.max(axis=0)
    span = float((high - low).max())
    if span <= 0:
        return np.full(points.shape, 0.5, dtype=np.float32)
    moved = (points - (low + high) / 2) / span + 0.5
    return np.asarray(np.clip(moved, 0, 1), dtype=np.float32)


def place(
    drawn: Drawn, vectors: Floats, rows: NDArray[np.int64], report: Report = no_report
) -> NDArray[np.float32]:
    """(r, 2) places for some rows of (n, d) vectors, the items of which the layout was drawn among
    them: the mean of the nearest landmarks' places, the nearest weighing most.

    A landmark that lost its vector or its place since (it was redacted) is not looked at. A row of
    zeros has no place: NaN.
    """
    known = drawn.landmarks[np.isfinite(drawn.xy[drawn.landmarks]).all(axis=1)]
    own = np.asarray(vectors[known], dtype=np.float32)
    kept = np.any(own != 0, axis=1)
    known, own = known[kept], own[kept]
    found = np.full((len(rows), 2), np.nan, dtype=np.float32)
    if not len(known):
        return found
    anchors = (own - drawn.mean) @ drawn.axes.T
    lengths = np.einsum("md,md->m", anchors, anchors)
    for block in row_blocks(len(rows), max(1, min(8192, BLOCK_ENTRIES // len(known)))):
        report(block.start, len(rows))
        given = np.asarray(vectors[rows[block]], dtype=np.float32)
        points = (given - drawn.mean) @ drawn.axes.T
        squares = lengths - 2 * (points @ anchors.T)
        squares += np.einsum("nd,nd->n", points, points)[:, None]
        places = _among_nearest(np.maximum(squares, 0), drawn.xy[known])
        places[~np.any(given != 0, axis=1)] = np.nan
        found[block] = places
    report(len(rows), max(len(rows), 1))
    return found


def _among_nearest(
    squares: NDArray[np.float32], places: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(b, m) squared distances to landmarks, (m, 2) their places -> (b, 2)."""
    count = min(NEAREST, squares.shape[1])
    near = np.argpartition(squares, count - 1, axis=1)[:, :count]
    distances = np.sqrt(np.take_along_axis(squares, near, axis=1))
    beyond = distances - distances.min(axis=1, keepdims=True)
    weights = np.exp(-SHARPNESS * beyond / (distances.mean(axis=1, keepdims=True) + 1e-6))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("bk,bkd->bd", weights, places[near]), dtype=np.float32)
