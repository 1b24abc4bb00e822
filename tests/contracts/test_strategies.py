"""What every selection strategy promises."""

from dataclasses import replace

import numpy as np
import pytest

from learning.selection import STRATEGIES
from tests.contracts.plugins import a_pool

every = pytest.mark.parametrize("name", STRATEGIES)


@every
def test_picks_distinct_candidates_with_reason_and_probability(name: str) -> None:
    pool = a_pool()
    picked = STRATEGIES.create(name).select(pool, 20, np.random.default_rng(3))
    assert picked.rows.dtype == np.int64
    assert len(set(picked.rows.tolist())) == 20
    assert set(picked.rows) <= set(pool.candidates())
    assert ((picked.probabilities > 0) & (picked.probabilities <= 1)).all()
    assert all(any(c.isdigit() for c in reason) for reason in picked.reasons)


@every
def test_same_generator_same_picks(name: str) -> None:
    first, second = (
        STRATEGIES.create(name).select(a_pool(), 15, np.random.default_rng(8)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert first.reasons == second.reasons


@every
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_never_picks_more_than_there_are(name: str, n: int) -> None:
    pool = a_pool()
    picked = STRATEGIES.create(name).select(pool, n, np.random.default_rng(0))
    assert len(picked.rows) == min(n, len(pool.candidates()))


@every
def test_an_exhausted_pool_gives_nothing(name: str) -> None:
    pool = replace(a_pool(), eligible=np.zeros(90, dtype=bool))
    assert len(STRATEGIES.create(name).select(pool, 5, np.random.default_rng(0)).rows) == 0


@every
def test_leaves_the_pool_alone(name: str) -> None:
    pool, same = a_pool(), a_pool()
    for field in ("probabilities", "encodings", "eligible", "labelled"):
        getattr(pool, field).setflags(write=False)
    STRATEGIES.create(name).select(pool, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(pool.probabilities, same.probabilities)


@every
def test_copes_with_items_that_are_all_the_same(name: str) -> None:
    pool = a_pool()
    same = replace(
        pool,
        probabilities=np.full((90, 3), 1 / 3, dtype=np.float32),
        encodings=np.ones((90, 8), dtype=np.float16),
    )
    picked = STRATEGIES.create(name).select(same, 12, np.random.default_rng(0))
    assert len(set(picked.rows.tolist())) == 12
