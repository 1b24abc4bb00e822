"""Comparing encoders on labels: fair draws, and an order that knows what is luck."""

import numpy as np
import pytest

from learning.encoders.probing import MOST_TESTED, Probe, ranked
from learning.errors import NotEnoughDataError
from learning.tasks import TASKS
from learning.types import TrainingData
from tests.contracts.plugins import three_groups


def test_draws_part_no_content_and_give_each_label_its_share() -> None:
    targets = np.eye(4, dtype=np.float32)[np.arange(200) % 4]
    targets[:, 3], targets[3, 3] = 0, 1  # a label of one item, which nothing can be learnt of
    targets[3::4, 0] += 1 - targets[3::4, 3]
    groups = np.arange(200) // 2 * 2 + np.arange(200) % 2 * (np.arange(200) < 100)
    draws = Probe(per_label=8, draws=3).draw(targets, groups, np.random.default_rng(0))
    assert len({tuple(draw.learn) for draw in draws}) == 3
    for draw in draws:
        assert not set(groups[draw.learn]) & set(groups[draw.test])
        assert set(draw.learn) | set(draw.test) == set(range(200))
        counts = targets[draw.learn].sum(axis=0)
        assert (counts[:3] >= 8).all()


def test_rare_labels_keep_half_for_the_test_and_too_few_are_refused() -> None:
    targets = np.eye(2, dtype=np.float32)[(np.arange(60) < 6).astype(int)]
    (draw,) = Probe(draws=1).draw(targets, np.arange(60), np.random.default_rng(0))
    assert targets[draw.learn].sum(axis=0).tolist() == [8, 3]
    with pytest.raises(NotEnoughDataError, match="two labels"):
        Probe().draw(targets[:, :1], np.arange(60), np.random.default_rng(0))
    with pytest.raises(NotEnoughDataError, match="left to test on"):
        Probe().draw(targets[:20], np.arange(20), np.random.default_rng(0))
    assert MOST_TESTED > 1_000


@pytest.mark.parametrize("multi", [False, True])
def test_the_better_vectors_win_and_equal_ones_are_luck(multi: bool) -> None:
    points, group = three_groups(240, 8)
    targets = np.eye(3, dtype=np.float32)[group]
    noisy = points + np.random.default_rng(1).normal(size=points.shape).astype(np.float32)
    task = TASKS["multi" if multi else "single"]()
    probe = Probe(draws=5)
    draws = probe.draw(targets, np.arange(240), np.random.default_rng(2))

    def score(vectors: np.ndarray) -> list[float]:
        data = TrainingData(targets=targets, encodings=vectors, multi_label=multi)
        return probe.score(data, task, draws, np.random.default_rng(3))

    turned = points[:, ::-1].copy()
    places = ranked({"noisy": score(noisy), "clean": score(points), "turned": score(turned)})
    assert [place.name for place in places][-1] == "noisy"
    assert places[-1].clearly_behind
    assert not places[1].clearly_behind
    assert places[0].behind.value == 0
