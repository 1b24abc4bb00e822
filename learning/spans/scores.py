"""How alike two sets of spans are, and how well predicted spans meet the true ones."""

from collections.abc import Sequence

import numpy as np

from learning.matching import one_to_one
from learning.metrics import wilson
from learning.spans import Span
from learning.types import require


def overlap(a: Span, b: Span) -> float:
    """Common characters by all characters of two spans, 0 apart … 1 equal; labels do not matter.
    Source: Jaccard 1912.
    """
    common = min(a.end, b.end) - max(a.start, b.start)
    return common / (a.end - a.start + b.end - b.start - common) if common > 0 else 0.0


def paired(a: Sequence[Span], b: Sequence[Span]) -> list[tuple[int, int, float]]:
    """Places of spans of equal label that overlap, each span once, with their overlap, best first."""
    return one_to_one(
        (at, to, overlap(one, other))
        for at, one in enumerate(a)
        for to, other in enumerate(b)
        if one.label == other.label and one.start < other.end and other.start < one.end
    )


def exact_f1(a: Sequence[Span], b: Sequence[Span]) -> float:
    """2 |common| / (|a| + |b|), spans equal in both edges and label; 1 where both are empty."""
    total = len(set(a)) + len(set(b))
    return 2 * len(set(a) & set(b)) / total if total else 1.0


def near_f1(a: Sequence[Span], b: Sequence[Span]) -> float:
    """The same, but a pair of equal label counts by its overlap: edges that differ cost a part."""
    total = len(a) + len(b)
    return 2 * sum(share for _, _, share in paired(a, b)) / total if total else 1.0


def counts(truth: Sequence[Sequence[Span]], said: Sequence[Sequence[Span]]) -> np.ndarray:
    """(n, 3) of each item: spans said that are true, spans said, true spans."""
    require(len(truth) == len(said), "Truth and prediction differ in the number of items.")
    rows = [
        (len(set(true) & set(told)), len(set(told)), len(set(true)))
        for true, told in zip(truth, said, strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def near_counts(truth: Sequence[Sequence[Span]], said: Sequence[Sequence[Span]]) -> np.ndarray:
    """(n, 3) as `counts`, but a pair of equal label counts by its overlap, 0 … 1, for a right one."""
    table = counts(truth, said).astype(np.float64)
    for row, (true, told) in enumerate(zip(truth, said, strict=True)):
        table[row, 0] = sum(share for _, _, share in paired(sorted(set(true)), sorted(set(told))))
    return table


def micro_f1(table: np.ndarray, times: np.ndarray | None = None) -> float:
    """F1 of all spans together from `counts` or `near_counts`; 1 where there is nothing to find and
    nothing said. times: (n,) how many items each row stands for, one by default.
    """
    weights = np.ones(len(table)) if times is None else times
    right, said, true = (float(column) for column in weights @ table)
    return 2 * right / (said + true) if said + true else 1.0


def f1_interval(
    table: np.ndarray,
    rng: np.random.Generator,
    resamples: int = 1000,
    confidence: float = 0.95,
    times: np.ndarray | None = None,
) -> tuple[float, float]:
    """The interval of `micro_f1` by drawing items again, since the spans of one hang together; never
    narrower than that of a share of so many items, which few or perfect ones would belie.
    """
    if len(table) == 0:
        return 0.0, 1.0
    weights = np.ones(len(table), dtype=np.int64) if times is None else times
    n = int(weights.sum())
    drawn = rng.multinomial(n, weights / n, resamples) @ table  # (r, 3)
    right, both = drawn[:, 0], drawn[:, 1] + drawn[:, 2]
    f1 = np.where(both > 0, 2 * right / np.maximum(both, 1), 1.0)
    tail = (1 - confidence) / 2
    low, high = (float(edge) for edge in np.quantile(f1, [tail, 1 - tail]))
    least, most = wilson(round(micro_f1(table, weights) * n), n, confidence)
    return min(low, least), max(high, most)


def metrics(truth: Sequence[Sequence[Span]], said: Sequence[Sequence[Span]]) -> dict[str, float]:
    """span_f1, span_precision, span_recall over all spans; near_f1, their mean per item with edges
    that may differ in part; exact_items, the share of items without any difference.
    """
    table = counts(truth, said)
    right, told, true = (float(column) for column in table.sum(axis=0))
    near = [near_f1(one, other) for one, other in zip(truth, said, strict=True)]
    same = [set(one) == set(other) for one, other in zip(truth, said, strict=True)]
    return {
        "n": float(len(table)),
        "span_f1": micro_f1(table),
        "span_precision": right / told if told else float(true == 0),
        "span_recall": right / true if true else float(told == 0),
        "near_f1": float(np.mean(near)) if near else 1.0,
        "exact_items": float(np.mean(same)) if same else 1.0,
    }
