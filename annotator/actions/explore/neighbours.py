"""The items most like an item: exact cosine over the memory-mapped matrix, in bounded time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.models import Item, Project, Verdict, VerdictState

BLOCK = 8_192
LONGEST_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """(item number, cosine −1…1) pairs, nearest first, out of the first `seen` of `rows` items."""

    pairs: list[tuple[int, float]]
    seen: int
    rows: int

    @property
    def whole(self) -> bool:
        return self.seen >= self.rows


def nearest(project: Project, item: Item, count: int, *, labelled: bool = False) -> Nearest | None:
    """The `count` nearest items, only those with a label if asked; None while it has no vector."""
    from learning.errors import DamagedFileError

    encoding = current_encoding(project)
    if encoding is None:
        return None
    try:
        matrix = open_matrix(encoding).view()
    except DamagedFileError:
        return None  # nothing is shown that might be wrong; `doctor` names the damaged file
    if item.number >= len(matrix):
        return None
    rows = _labelled_numbers(project, len(matrix)) if labelled else None
    return _scan(matrix, item.number, count, rows)


def _labelled_numbers(project: Project, below: int) -> Any:
    import numpy as np

    decided = Verdict.objects.filter(project=project, state=VerdictState.DECIDED)
    numbers = decided.filter(item__number__lt=below, item__removed_at=None)
    return np.sort(
        np.fromiter(numbers.values_list("item__number", flat=True).iterator(), dtype=np.int64)
    )


def _scan(matrix: Any, number: int, count: int, among: Any) -> Nearest:
    """Block by block, so that memory stays small and the time can end it."""
    import numpy as np

    query = np.asarray(matrix[number], dtype=np.float32)
    rows = len(matrix) if among is None else len(among)
    ends_at = time.monotonic() + LONGEST_SECONDS
    best_scores, best_rows = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
    seen = 0
    for start in range(0, rows, BLOCK):
        place = (
            np.arange(start, min(start + BLOCK, rows))
            if among is None
            else among[start : start + BLOCK]
        )
        block = matrix[start : start + BLOCK] if among is None else matrix[place]
        scores = np.asarray(block, dtype=np.float32) @ query
        scores[place == number] = -np.inf
        best_scores = np.concatenate([best_scores, scores])
        best_rows = np.concatenate([best_rows, place])
        kept = np.argsort(-best_scores, kind="stable")[:count]
        best_scores, best_rows = best_scores[kept], best_rows[kept]
        seen = min(start + BLOCK, rows)
        if time.monotonic() > ends_at:
            break
    pairs = [
        (int(row), round(float(score), 4))
        for row, score in zip(best_rows, best_scores, strict=True)
        if np.isfinite(score)
    ]
    return Nearest(pairs=pairs, seen=seen, rows=rows)
