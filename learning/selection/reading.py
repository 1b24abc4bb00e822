"""What strategies read of a pool, with the refusals when it is missing or holds no numbers.

Values are checked where they are read, not in a pass of their own: a matrix of a million rows is
checked by the score that it gives anyway.
"""

import numpy as np
from numpy.typing import NDArray

from learning.errors import NeedsStudentError, NotEnoughDataError, ShapeError
from learning.halves import single
from learning.types import Floats, Pool, Selection

LONGEST_NAME = 48  # characters; a reason of 300 names three labels at most

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]


def wanted(n: int, candidates: Rows) -> int:
    """How many rows to pick: n, never below 0 nor above what there is."""
    return min(max(n, 0), len(candidates))


def nothing() -> Selection:
    """The selection of no rows."""
    return Selection(rows=np.empty(0, dtype=np.int64), probabilities=np.empty(0), reasons=[])


def probabilities_of(pool: Pool, who: str) -> Floats:
    """(n, k) of the student. Raises NeedsStudentError in the name of `who` without one."""
    if pool.probabilities is None:
        raise NeedsStudentError(f"{who} needs a student's probabilities; there is no student yet.")
    return pool.probabilities


def encodings_of(pool: Pool, who: str) -> Floats:
    """(n, d). Raises NotEnoughDataError in the name of `who` without them."""
    if pool.encodings is None:
        raise NotEnoughDataError(f"{who} needs encodings; there are none yet.")
    return pool.encodings


def answers_of(pool: Pool, who: str) -> tuple[Rows, Matrix]:
    """(l,) the labelled rows and (l, k) their answers. Raises NotEnoughDataError without any."""
    if pool.answers is None or len(pool.answers) == 0:
        raise NotEnoughDataError(f"{who} needs the answers of labelled items; there are none yet.")
    return np.flatnonzero(pool.labelled).astype(np.int64), finite(pool.answers, "answers")


def labels_of(pool: Pool) -> int:
    """How many label columns there are, as far as the pool tells; 0 when it does not."""
    if pool.label_names:
        return len(pool.label_names)
    if pool.answers is not None:
        return int(pool.answers.shape[1])
    if pool.probabilities is not None and pool.columns is None:
        return int(pool.probabilities.shape[1])
    return 0 if pool.columns is None else int(pool.columns.max(initial=-1)) + 1


def points_of(encodings: Floats, rows: Rows | slice) -> Matrix:
    """(m, d) some rows in float32, not to be written to. Raises ShapeError when one is not a number."""
    return finite(encodings[rows], "encodings")


def beliefs_of(probabilities: Floats, rows: Rows | slice | int) -> Matrix:
    """(m, k) some rows in float32, not to be written to. Raises ShapeError when one is not a number."""
    return finite(probabilities[rows], "student's probabilities")


def finite(values: Floats, name: str) -> Matrix:
    """The values in float32. Raises ShapeError when one of them is not a number."""
    read = single(values)
    with np.errstate(invalid="ignore"):
        total = read.sum(dtype=np.float64)  # not finite as soon as one value is not
    if not np.isfinite(total):
        raise ShapeError(f"The {name} must be finite numbers; some are not.")
    return read


def dense(pool: Pool, beliefs: Matrix, rows: Rows) -> Matrix:
    """(m, k) over all label columns, from the kept ones of these rows; the others get 0."""
    if pool.columns is None:
        return beliefs
    full = np.zeros((len(rows), labels_of(pool)), dtype=np.float32)
    np.put_along_axis(full, np.asarray(pool.columns[rows], dtype=np.int64), beliefs, axis=1)
    return full


def label_name(pool: Pool, column: int) -> str:
    """What people call a label column, cut where a reason would have no place left for its numbers."""
    name = pool.label_names[column] if pool.label_names else f"label {column}"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def likeliest(pool: Pool, row: int, count: int) -> list[str]:
    """The likeliest labels of a row as "Refund 41 %", likeliest first."""
    if pool.probabilities is None:
        return []
    p = beliefs_of(pool.probabilities, row)
    places = np.argsort(-p, kind="stable")[:count]
    columns = places if pool.columns is None else pool.columns[row][places]
    return [
        f"{label_name(pool, int(column))} {percent(p[place])}"
        for column, place in zip(columns, places, strict=True)
    ]


def percent(share: float) -> str:
    """0.413 -> "41 %"."""
    return f"{100 * share:.0f} %"
