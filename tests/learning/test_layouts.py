"""Maps: places, regions and their words, outlines, and the file that holds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.errors import DamagedFileError
from learning.layouts import LAYOUTS, Drawn
from learning.layouts.areas import inside
from learning.layouts.places import place
from learning.layouts.regions import count_for, name, part, region_of, words_of
from learning.layouts.stored import GRID, NOWHERE, StoredMap, load, save
from tests.contracts.plugins import three_groups

corner = st.tuples(st.integers(0, 12), st.integers(0, 12))


def beyond(x: int, y: int, outline: list[tuple[int, int]]) -> bool:
    """The even-odd rule in exact fractions, a point at a time."""
    from fractions import Fraction

    odd = False
    for (ax, ay), (bx, by) in zip(outline, outline[1:] + outline[:1], strict=True):
        if (ay > y) != (by > y):
            crosses = ax + Fraction((y - ay) * (bx - ax), by - ay)
            odd ^= x < crosses
    return odd


@settings(max_examples=200, deadline=None)
@given(outline=st.lists(corner, min_size=3, max_size=9))
def test_what_lies_inside_is_what_exact_fractions_say(outline) -> None:
    places = np.array([(x, y) for x in range(13) for y in range(13)], dtype=np.uint16)
    found = inside(places, outline)
    assert found.tolist() == [beyond(int(x), int(y), outline) for x, y in places]


def test_nowhere_lies_in_nothing() -> None:
    everything = [(0, 0), (NOWHERE + 1, 0), (NOWHERE + 1, NOWHERE + 1), (0, NOWHERE + 1)]
    places = np.array([[NOWHERE, NOWHERE], [5, 5]], dtype=np.uint16)
    assert inside(places, everything).tolist() == [False, True]


def test_a_redacted_landmark_pulls_nothing_towards_it() -> None:
    points, _ = three_groups(60, 8)
    drawn = LAYOUTS.create("pca").draw(points, np.ones(60, dtype=bool), np.random.default_rng(0))
    drawn.xy[3] = np.nan
    points[4] = 0
    later = np.concatenate([points, points[3:5] + 0.001])
    found = place(drawn, later, np.array([60, 61]))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found[1] - drawn.xy[4]) > 1e-3


def test_regions_hold_every_place_and_no_more_than_there_are() -> None:
    xy = np.random.default_rng(0).random((500, 2)).astype(np.float32)
    centres = part(xy, count_for(500), np.random.default_rng(0))
    assert len(centres) == count_for(500)
    xy[3] = np.nan
    regions = region_of(xy, centres)
    assert regions[3] == -1
    assert set(regions[np.isfinite(xy).all(axis=1)]) == set(range(len(centres)))
    alike = np.full((20, 2), 0.5, dtype=np.float32)
    assert len(part(alike, 5, np.random.default_rng(0))) == 1


def test_a_region_is_named_by_what_sets_it_apart_not_by_what_all_say() -> None:
    texts = ["the parcel is late"] * 5 + ["the refund is late"] * 5 + ["the password"] * 5
    named = name(texts, np.repeat([0, 1, 2], 5), 3)
    assert [words[0] for words in named] == ["parcel", "refund", "password"]
    assert not any("the" in words for words in named)


def test_how_people_write_names_no_region_beside_what_they_write_about() -> None:
    asked = ["what capital"] * 3 + ["what else"] * 2
    others = ["what parcel", "what parcel", "what parcel", "parcel capital", "parcel"]
    texts = [*asked, *others, *["refund"] * 5]
    assert name(texts, np.repeat([0, 1, 2], 5), 3)[0] == ["capital"]
    alike = ["what now"] * 4 + ["what"] * 4
    assert name(alike, np.repeat([0, 1], 4), 2)[0] == ["now"]
    assert name(["what what"] * 5 + ["no"], np.array([0] * 5 + [1]), 2)[0] == ["what"]


def test_a_word_of_one_text_names_nothing() -> None:
    texts = ["parcel of Mrs Winterbottom"] + ["parcel late"] * 5 + ["refund twice"] * 6
    assert "winterbottom" not in name(texts, np.array([0] * 6 + [1] * 6), 2)[0]


def test_words_are_letters_of_any_script_and_two_spellings_count_once() -> None:
    assert words_of("Où est 42 l'Équipe_?") == {"où", "est", "l'équipe"}
    texts = ["refund refunded"] * 5 + ["parcel"] * 5
    assert len(name(texts, np.repeat([0, 1], 5), 2)[0]) == 1


@pytest.fixture
def stored() -> StoredMap:
    xy = np.array([[0, 0], [1, 1], [0.5, 0.25], [np.nan, np.nan]], dtype=np.float32)
    drawn = Drawn(
        xy=xy,
        mean=np.zeros(3, dtype=np.float32),
        axes=np.eye(2, 3, dtype=np.float32),
        landmarks=np.array([0, 1]),
    )
    centres = np.array([[0, 0], [1, 1]], dtype=np.float32)
    return StoredMap(
        name="0a1b2c3d",
        drawn=drawn,
        regions=region_of(xy, centres),
        centres=centres,
        words=[["refund", "twice"], ["parcel"]],
        drawn_rows=4,
        facts={"layout": "pca"},
    )


def test_a_map_comes_back_from_disk_the_same(stored, tmp_path) -> None:
    save(tmp_path / "a.map", stored)
    again = load(tmp_path / "a.map")
    np.testing.assert_array_equal(again.drawn.xy, stored.drawn.xy)
    np.testing.assert_array_equal(again.regions, stored.regions)
    assert (again.name, again.words, again.drawn_rows) == (stored.name, stored.words, 4)
    assert dict(again.facts) == {"layout": "pca"}


@pytest.mark.parametrize("at", [10, -3])
def test_a_changed_map_is_refused(stored, tmp_path, at) -> None:
    path = tmp_path / "a.map"
    save(path, stored)
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        load(path)


def test_places_on_the_grid_leave_its_edge_free(stored) -> None:
    grid = stored.on_grid()
    assert grid[0].tolist() == [1, 1]
    assert grid[1].tolist() == [GRID - 1, GRID - 1]
    assert grid[3].tolist() == [NOWHERE, NOWHERE]


def test_forgetting_takes_the_place_and_the_words_of_its_region_alone(stored) -> None:
    left = stored.without(0, {"refund", "parcel"})
    assert left.words == [["twice"], ["parcel"]]
    assert not np.isfinite(left.drawn.xy[0]).any()
    assert left.regions[0] == -1
    assert np.isfinite(stored.drawn.xy[0]).all()
