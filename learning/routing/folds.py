"""How seed items are dealt to folds."""

import numpy as np

from learning.routing.types import Seed
from learning.types import Ints


def dealt(seed: Seed, folds: int, rng: np.random.Generator) -> Ints:
    """(s,) the fold of each item: the wrong and the right answers of each label are dealt evenly.

    Dealt by chance alone, a fold with more errors leaves fewer to the others, and what these tell of
    the teacher's error then speaks against it (by label, near by, in all). Source: Kohavi 1995
    (stratified folds).
    """
    order = np.lexsort((rng.permutation(seed.rows), seed.wrong, *seed.items.said().T))
    fold = np.empty(seed.rows, dtype=np.int64)
    fold[order] = np.arange(seed.rows) % folds
    return fold
