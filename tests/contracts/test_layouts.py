"""What every layout promises."""

import numpy as np
import pytest

from learning.errors import NotEnoughDataError
from learning.layouts import LAYOUTS
from learning.layouts.places import place
from tests.contracts.plugins import three_groups

every = pytest.mark.parametrize("name", LAYOUTS)


def draw(name: str, points: np.ndarray, seed: int = 0, eligible: np.ndarray | None = None):
    allowed = np.ones(len(points), dtype=bool) if eligible is None else eligible
    return LAYOUTS.create(name).draw(
        points.astype(np.float16), allowed, np.random.default_rng(seed)
    )


@every
def test_every_item_gets_a_place_in_the_square(name: str) -> None:
    drawn = draw(name, three_groups(90, 8)[0])
    assert drawn.xy.shape == (90, 2)
    assert drawn.xy.dtype == np.float32
    assert drawn.xy.min() >= 0
    assert drawn.xy.max() <= 1
    assert np.ptp(drawn.xy, axis=0).max() == pytest.approx(1, abs=1e-5)


@every
def test_same_vectors_and_seed_same_places(name: str) -> None:
    points = three_groups(60, 8)[0]
    np.testing.assert_array_equal(draw(name, points).xy, draw(name, points).xy)


@every
def test_groups_lie_apart(name: str) -> None:
    points, group = three_groups(120, 16, seed=4)
    xy = draw(name, points).xy
    distances = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(axis=1)] == group).mean() > 0.9


@every
def test_who_is_not_eligible_or_has_no_vector_has_no_place(name: str) -> None:
    points = three_groups(60, 8)[0]
    points[5] = 0
    eligible = np.ones(60, dtype=bool)
    eligible[7] = False
    drawn = draw(name, points, eligible=eligible)
    assert np.flatnonzero(~np.isfinite(drawn.xy).all(axis=1)).tolist() == [5, 7]
    assert not {5, 7} & set(drawn.landmarks.tolist())


@every
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 9])
def test_few_items_have_places_too(name: str, rows: int) -> None:
    assert np.isfinite(draw(name, three_groups(rows, 8)[0]).xy).all()


@every
def test_copies_of_one_item_have_places(name: str) -> None:
    assert np.isfinite(draw(name, np.tile(three_groups(1, 8)[0], (20, 1))).xy).all()


@every
def test_without_any_vector_it_says_so(name: str) -> None:
    with pytest.raises(NotEnoughDataError, match="nothing to draw"):
        draw(name, np.zeros((4, 8)))


@every
def test_more_items_than_landmarks_and_what_comes_later_lie_with_their_group(name: str) -> None:
    points, group = three_groups(400, 16, seed=2)
    vectors = points.astype(np.float16)
    drawn = LAYOUTS.create(name, {"landmarks": 60}).draw(
        vectors[:300], np.ones(300, dtype=bool), np.random.default_rng(1)
    )
    assert len(drawn.landmarks) == 60
    later = place(drawn, vectors, np.arange(300, 400))
    marks = drawn.xy[drawn.landmarks]
    for xy, own in ((drawn.xy, group[:300]), (later, group[300:])):
        near = np.linalg.norm(xy[:, None] - marks[None], axis=2).argmin(axis=1)
        assert (group[drawn.landmarks][near] == own).mean() > 0.9


@every
def test_it_tells_how_far_it_is_and_hears_a_cancel(name: str) -> None:
    told: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        told.append((done, total))

    points = three_groups(60, 8)[0]
    layout = LAYOUTS.create(name)
    layout.draw(points, np.ones(60, dtype=bool), np.random.default_rng(0), report)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]

    def cancel(*_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        layout.draw(points, np.ones(60, dtype=bool), np.random.default_rng(0), cancel)
