"""Several curves in one chart: every curve tells itself apart, and nothing leaves the plot."""

import itertools
import re

import pytest

from annotator.web.overlays import (
    MARKS,
    NARROW,
    WIDE,
    Line,
    Place,
    chart,
    mark,
    marked,
    spread,
)


def line(name, *scores, width=0.0, **options):
    places = [
        Place(
            x=20 * (n + 1), y=y, low=y - width if width else None, high=y + width if width else None
        )
        for n, y in enumerate(scores)
    ]
    return Line(name=name, short=name[:6], places=places, **options)


def drawn(lines, **options):
    return chart(lines, description="Accuracy by labels", measure="accuracy", **options)


def numbers(path):
    found = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path)]
    return found[::2], found[1::2]


def test_nothing_is_no_chart():
    assert drawn([]) is None


@pytest.mark.parametrize("count", [1, 2, 6, 14])
def test_neighbours_in_the_list_differ_in_colour_dash_and_mark(count):
    made = drawn([line(f"strategy {n}", 0.3, 0.5 + n / 100, 0.6 + n / 50) for n in range(count)])
    for size in (made.wide, made.narrow):
        looks = [(one.hue, one.dash, one.marks[0][:40]) for one in size.lines]
        assert len(set(looks)) == count
        assert len({one.hue for one in size.lines}) == min(count, 12)


@pytest.mark.parametrize("count", [1, 3, 14, 30])
def test_names_at_the_ends_never_lie_on_one_another(count):
    made = drawn([line(f"strategy {n}", 0.5, 0.9) for n in range(count)])
    for size in (made.wide, made.narrow):
        places = sorted(one.label_y for one in size.lines)
        assert all(b - a >= 14 for a, b in itertools.pairwise(places))
        assert size.top <= places[0] <= places[-1] <= size.bottom


def test_little_room_takes_the_short_name():
    made = drawn([line("Smallest margin", 0.5, 0.6)])
    assert made.wide.lines[0].label == "Smallest margin"
    assert made.narrow.lines[0].label == "Smalle"
    assert (made.wide.width, made.narrow.width) == (WIDE.width, NARROW.width)


def test_a_band_wider_than_the_curves_is_cut_at_the_edge():
    made = drawn([line("a", 0.5, 0.6, 0.65, width=0.6), line("b", 0.5, 0.55, 0.6)], full=0.7)
    one, other = made.wide.lines
    _, ys = numbers(one.band)
    assert min(ys) >= made.wide.top
    assert max(ys) <= made.wide.bottom
    assert other.band == ""
    assert drawn([line("a", 0.5, 0.6, width=0.1, banded=False)]).wide.lines[0].band == ""


def test_the_axis_spans_what_the_curves_do():
    fine = drawn([line("a", 0.90, 0.93)])
    assert fine.wide.y_ticks[0].text == "88\u202f%"
    broad = drawn([line("a", 0.05, 0.93)], full=0.95)
    assert broad.wide.y_ticks[0].text == "0\u202f%"
    assert broad.wide.y_ticks[-1].text == "100\u202f%"
    assert broad.wide.full.text == "all labels 95.0\u202f%"
    assert broad.wide.y_ticks[-1].at <= broad.wide.full.at <= broad.wide.y_ticks[0].at


def test_one_point_is_a_mark_without_a_line():
    made = drawn([line("a", 0.5)])
    assert made.wide.lines[0].line == ""
    assert len(made.wide.lines[0].marks) == 1


def test_curves_of_different_steps_share_a_table():
    sparse = Line(name="b", short="b", places=[Place(x=20, y=0.5), Place(x=60, y=0.7)])
    made = drawn([line("a", 0.4, 0.5, 0.6), sparse])
    assert [row.x for row in made.rows] == [20, 40, 60]
    assert made.rows[1].places[1] is None
    assert made.rows[2].places[1].y == 0.7


def test_marks_are_few_and_the_last_point_always_has_one():
    for points in (1, 2, 6, 7, 40, 200):
        for number in range(6):
            places = marked(points, number)
            assert places[-1] == points - 1
            assert len(places) <= 8
            assert len(set(places)) == len(places)


@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_lies_around_its_point(kind):
    path = mark(kind, 100, 50)
    assert path.startswith("M")
    assert path.endswith("Z")
    if kind != "circle":
        xs, ys = numbers(path)
        assert max(abs(x - 100) for x in xs) < 6
        assert max(abs(y - 50) for y in ys) < 6


def test_places_are_moved_no_more_than_is_needed():
    assert spread([10, 50], 12, 0, 100) == [10, 50]
    assert spread([50, 50], 12, 0, 100) == [50, 62]
    assert spread([95, 99], 12, 0, 100) == [88, 100]
