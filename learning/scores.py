"""Doubt from probabilities: margin, confidence, entropy, variance; float32, before anything is rounded.

All of them read the table once, in blocks that stay in the processor's cache, so that a memory map
is never copied whole. A value that is not a number makes the score of its row not a number.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats, Ints, row_blocks

BLOCK_ENTRIES = 1 << 19  # floats of a block: 2 MiB
STRIP_ROWS = 512  # rows transposed at a time, so that source and target stay in the cache
TINY = np.float32(1e-30)  # p log p is 0 at 0


@np.errstate(invalid="ignore", divide="ignore")
def margins(probabilities: Floats, *, multi_label: bool) -> NDArray[np.float32]:
    """(n, k) -> (n,): 0 undecided … 1 sure.

    Single label: the difference of the two largest probabilities. Multi-label: the smallest
    |2p - 1| over the labels, so one undecided label is enough. Source: Scheffer et al. 2001
    (margin); Brinker 2006 (the multi-label form).
    """
    if multi_label:
        result = np.empty(len(probabilities), dtype=np.float32)
        for block, p in _blocks(probabilities):
            result[block] = np.abs(2 * p - 1).min(axis=1, initial=1.0)
        return result
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), dtype=np.float32)
    first, second = two_largest(probabilities)
    return np.subtract(first, second, out=first)


@np.errstate(invalid="ignore", divide="ignore")
def confidences(probabilities: Floats, *, multi_label: bool) -> NDArray[np.float32]:
    """(n, k) -> (n,): how likely the likeliest whole answer is, 0 … 1.

    Single label: the largest probability. Multi-label: the product of max(p, 1 - p) over the
    labels, as if they were independent. Source: Culotta, McCallum 2005.
    """
    result = np.empty(len(probabilities), dtype=np.float32)
    for block, p in _blocks(probabilities):
        if multi_label:
            result[block] = np.exp(np.log(np.maximum(p, 1 - p)).sum(axis=1))
        else:
            result[block] = p.max(axis=1, initial=0.0)
    return result


@np.errstate(invalid="ignore", divide="ignore")
def entropies(probabilities: Floats, *, multi_label: bool) -> NDArray[np.float32]:
    """(n, k) -> (n,) in nats, larger is more doubtful; multi-label: mean over the labels.

    Source: Shannon 1948.
    """
    labels = probabilities.shape[1]
    result = np.empty(len(probabilities), dtype=np.float32)
    for block, p in _blocks(probabilities):
        result[block] = _entropy(p)
        if multi_label and labels:
            result[block] = (result[block] + _entropy(1 - p)) / labels
    return result


@np.errstate(invalid="ignore")
def grade_moments(
    probabilities: Floats, columns: Ints | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, k) -> (n,) the expected grade, and (n,) its variance, from 0 on, in steps of the scale.

    Grade 0 is the lowest, column 0. With kept `columns` (n, t) both are of the kept grades alone.
    Source: textbook, the first two moments of a discrete distribution.
    """
    labels = probabilities.shape[1]
    middle = np.float32((labels - 1) / 2)  # counted from there, so that little cancels out
    steps = np.arange(labels, dtype=np.float32) - middle
    powers = np.stack([np.ones_like(steps), steps, steps * steps], axis=1)
    mean = np.empty(len(probabilities), dtype=np.float32)
    variance = np.empty(len(probabilities), dtype=np.float32)
    for block, p in _blocks(probabilities):
        if columns is None:
            whole, first, second = (p @ powers).T
        else:
            at = np.asarray(columns[block], dtype=np.float64) - middle
            whole = p.sum(axis=1)
            first, second = (p * at).sum(axis=1), (p * at * at).sum(axis=1)
        whole = np.where(whole == 0, 1, whole)
        mean[block] = first / whole
        variance[block] = np.maximum(second / whole - mean[block] ** 2, 0)
    return mean + middle, variance


def two_largest(probabilities: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n,) the largest and (n,) the second largest entry of each row of (n, k), k >= 2.

    Running maxima over the columns of transposed blocks: each step works on whole vectors, where
    sorting or partitioning works row by row.
    """
    rows, columns = probabilities.shape
    size = min(max(STRIP_ROWS, BLOCK_ENTRIES // columns), max(1, rows))
    table = np.empty((columns, size), dtype=np.float32)
    smaller = np.empty(size, dtype=np.float32)
    first, second = np.empty(rows, dtype=np.float32), np.empty(rows, dtype=np.float32)
    for block in row_blocks(rows, size):
        p = probabilities[block]
        for strip in row_blocks(len(p), STRIP_ROWS):
            table[:, strip] = p[strip].T
        high, low, rest = first[block], second[block], smaller[: len(p)]
        np.maximum(table[0, : len(p)], table[1, : len(p)], out=high)
        np.minimum(table[0, : len(p)], table[1, : len(p)], out=low)
        for column in table[2:, : len(p)]:
            np.minimum(high, column, out=rest)
            np.maximum(high, column, out=high)
            np.maximum(low, rest, out=low)
    return first, second


def _blocks(probabilities: Floats) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    size = max(1, BLOCK_ENTRIES // max(1, probabilities.shape[1]))
    for block in row_blocks(len(probabilities), size):
        yield block, np.asarray(probabilities[block], dtype=np.float32)


def _entropy(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """(b, k) -> (b,) -Σ p log p."""
    logs = np.maximum(p, TINY)
    np.log(logs, out=logs)
    return np.asarray(-np.einsum("nk,nk->n", p, logs), dtype=np.float32)
