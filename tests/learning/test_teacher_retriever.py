"""Learning which examples help a teacher."""

import math

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.teachers.retriever import Retriever, Rewards, ranked_loss


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def stub(n: int = 240, *, hidden: bool = True, seed: int = 0) -> Rewards:
    """Half of the dimensions say what helps, the others are noise; or nothing says what helps."""
    rng = np.random.default_rng(seed)
    d, g = 16, 6
    queries, candidates = unit(rng.normal(size=(n, d))), unit(rng.normal(size=(n, g, d)))
    helps = np.einsum("nd,ngd->ng", queries[:, : d // 2], candidates[:, :, : d // 2])
    rewards = 4 * helps if hidden else rng.normal(size=(n, g))
    return Rewards(queries=queries, candidates=candidates, rewards=rewards)


def test_it_learns_what_helps_and_proves_it_on_items_that_did_not_teach() -> None:
    learned = Retriever().fit(stub(600), np.random.default_rng(0))
    assert learned.better
    assert learned.held_out == 150
    fresh = stub(seed=5)
    near = np.einsum("nd,ngd->ng", fresh.queries, fresh.candidates).argmax(axis=1)
    moved = np.einsum("nd,ngd->ng", learned.move(fresh.queries), fresh.candidates).argmax(axis=1)
    rows = np.arange(len(near))
    assert fresh.rewards[rows, moved].mean() > fresh.rewards[rows, near].mean() + 0.1


def test_without_anything_to_learn_it_does_not_claim_to_be_better() -> None:
    claims = [
        Retriever().fit(stub(120, hidden=False, seed=s), np.random.default_rng(s)).better
        for s in range(8)
    ]
    assert sum(claims) <= 2


def test_the_loss_is_that_of_a_hand_worked_batch_of_two_by_three() -> None:
    scores = np.zeros((2, 2, 3))
    scores[0, 0] = [1.0, 0.0, 2.0]
    rewards = np.log([[0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    e = math.e
    first = (
        0.5 * (math.log(e + 1 + e**2 + 3) - 1)
        + 0.3 * math.log(1 + e**2 + 3)
        + 0.2 * (math.log(e**2 + 3) - 2)
    )
    second = (math.log(6) + math.log(5) + math.log(4)) / 3
    loss, _ = ranked_loss(scores, rewards)
    assert loss == pytest.approx(first + second)


def test_equal_rewards_weigh_all_candidates_alike() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 1, 4))
    one, _ = ranked_loss(scores, np.zeros((1, 4)))
    two, _ = ranked_loss(scores, np.full((1, 4), 7.0))
    assert one == pytest.approx(two)
    ranks = [np.logaddexp.reduce(scores[0, 0, r:]) - scores[0, 0, r] for r in range(4)]
    assert one == pytest.approx(np.mean(ranks))


def test_the_slope_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    scores, rewards = rng.normal(size=(3, 3, 4)), rng.normal(size=(3, 4))
    _, slope = ranked_loss(scores, rewards)
    for place in np.ndindex(scores.shape):
        up, down = scores.copy(), scores.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        rise = (ranked_loss(up, rewards)[0] - ranked_loss(down, rewards)[0]) / 2e-5
        assert slope[place] == pytest.approx(rise, abs=1e-6)


def test_the_whole_slope_is_that_of_the_objective() -> None:
    given, retriever = stub(10), Retriever(temperature=0.5, sharpness=1.0)
    rng = np.random.default_rng(2)
    point = (np.eye(16) + 0.1 * rng.normal(size=(16, 16))).astype(np.float32).ravel()
    _, slope = retriever._objective(point, given)
    for place in rng.integers(0, 256, size=12):
        step = np.zeros(256, dtype=np.float32)
        step[place] = 1e-2
        rise = (
            retriever._objective(point + step, given)[0]
            - retriever._objective(point - step, given)[0]
        )
        assert slope[place] == pytest.approx(rise / 2e-2, abs=2e-3)


def test_large_scores_do_not_overflow() -> None:
    loss, slope = ranked_loss(
        np.array([[[900.0, -900.0], [800.0, 0.0]]] * 2), np.array([[0.0, 1.0]] * 2)
    )
    assert math.isfinite(loss)
    assert np.isfinite(slope).all()


def test_the_same_generator_gives_the_same_map_and_too_little_is_refused() -> None:
    one, two = (Retriever().fit(stub(80), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.matrix, two.matrix)
    with pytest.raises(NotEnoughDataError, match="at least 60"):
        Retriever().fit(stub(59), np.random.default_rng(0))
    with pytest.raises(ParameterError):
        Retriever(pull=0.0)
    with pytest.raises(ShapeError, match="no choice"):
        Rewards(queries=np.ones((1, 2)), candidates=np.ones((1, 1, 2)), rewards=np.ones((1, 1)))
