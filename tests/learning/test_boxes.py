"""Boxes: their arithmetic, what is refused, and what several voices amount to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.audit.box_doubts import doubts, score_of
from learning.boxes import Box, boxes_of, f1, iou, metrics, overlaps, value_of
from learning.consensus import CONSENSUS
from learning.consensus.box_candidates import BoxAnswer, candidates_of
from learning.errors import ShapeError
from learning.tasks import Content
from learning.tasks.boxes import Boxes
from learning.tasks.values import Given

IMAGE = Content("")
shares = st.floats(0, 0.5)
sizes = st.floats(0.01, 0.5)
boxes = st.builds(Box, shares, shares, sizes, sizes, st.integers(1, 3))
values = st.lists(boxes, max_size=6).map(value_of)


def read(*found, labels=(1, 2, 3)):
    names = ("x", "y", "w", "h", "label")
    return Boxes().read(
        {"boxes": [dict(zip(names, one, strict=True)) for one in found]}, IMAGE, labels
    )


@given(values)
def test_a_value_that_was_read_reads_as_itself(value):
    assert Boxes().read(value, IMAGE, {1, 2, 3}) == value
    assert value_of(boxes_of(value)) == value


@given(boxes, boxes)
def test_overlap_is_a_share_that_does_not_depend_on_the_order(a, b):
    assert iou(a, a) == 1
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert iou(a, b) == pytest.approx(iou(b, a))


@given(st.lists(boxes, max_size=90), st.lists(boxes, max_size=9), st.floats(0.05, 1))
def test_all_that_overlap_are_found_and_no_others(a, b, least):
    wanted = {(i, j): iou(x, y) for i, x in enumerate(a) for j, y in enumerate(b)}
    found = {(at, to): share for at, to, share in overlaps(a, b, least)}
    clear = {pair for pair, share in wanted.items() if abs(share - least) > 1e-9}
    assert found.keys() & clear == {pair for pair in clear if wanted[pair] >= least}
    assert all(share == pytest.approx(wanted[pair]) for pair, share in found.items())


def test_a_thousand_boxes_of_five_voices_are_grouped_by_what_they_mark():
    base = [Box(x / 40, y / 25, 0.02, 0.03, 1) for x in range(40) for y in range(25)]
    moved = [
        BoxAnswer(annotator=voice, boxes=[box._replace(x=box.x + 0.001 * voice) for box in base])
        for voice in range(5)
    ]
    groups = candidates_of(
        moved
    )  # all pairs one by one, or each join over all marks, takes minutes
    assert len(groups) == 1_000
    assert all(len(marks) == 5 for marks in groups)


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_f1_is_1_of_equal_answers_and_symmetric(a, b):
    assert f1(a, a) == 1
    assert f1(a, b) == pytest.approx(f1(b, a))


def test_half_of_the_union_counts_and_less_does_not():
    whole = Box(0, 0, 0.4, 0.4, 1)
    assert f1([whole], [Box(0, 0, 0.4, 0.2, 1)]) == 1
    assert f1([whole], [Box(0, 0, 0.4, 0.19, 1)]) == 0
    assert f1([whole], [Box(0, 0, 0.4, 0.4, 2)]) == 0


def test_figures_count_what_is_missing_and_what_is_too_much():
    truth = [[Box(0, 0, 0.2, 0.2, 1), Box(0.5, 0.5, 0.2, 0.2, 1)], []]
    said = [[Box(0, 0, 0.2, 0.2, 1)], [Box(0, 0, 1, 1, 1)]]
    told = metrics(truth, said)
    assert (told["box_precision"], told["box_recall"], told["mean_iou"]) == (0.5, 0.5, 1)
    assert told["exact_items"] == 0


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((0.5, 0, 0.6, 0.1, 1), "Box 1 reaches over the edge"),
        ((0, 0, 0, 0.1, 1), "Box 1 is empty"),
        ((0, 0, 12, 0.1, 1), "w must be a share of the picture"),
        ((0, float("nan"), 0.1, 0.1, 1), "y must be a share"),
        ((0, 10**400, 0.1, 0.1, 1), "y must be a share"),
        ((0, True, 0.1, 0.1, 1), "y must be a share"),
        ((0, 0, 0.1, 0.1, 9), "the label 9"),
    ],
)
def test_a_box_that_cannot_be_is_refused_by_its_number(box, sentence):
    with pytest.raises(ShapeError, match=sentence):
        read(box)


def test_a_hair_over_the_edge_is_cut_off():
    assert read((0.5, -0.0005, 0.5004, 0.5, 1))["boxes"] == [
        {"x": 0.5, "y": 0.0, "w": 0.5, "h": 0.4995, "label": 1}
    ]


def settled(*answers, weights=()):
    given = [
        Given(voice, read(*found), weights[voice] if weights else 1.0)
        for voice, found in enumerate(answers)
    ]
    return Boxes().settle(CONSENSUS.create("weighted-majority"), [given])[0]


def test_edges_are_the_weighted_mean_of_those_who_drew_them():
    found = settled([(0.1, 0.1, 0.4, 0.4, 1)], [(0.2, 0.1, 0.4, 0.4, 1)], weights=(3.0, 1.0))
    assert not found.tied
    assert found.value["boxes"] == [{"x": 0.125, "y": 0.1, "w": 0.4, "h": 0.4, "label": 1}]


def test_what_most_drew_is_there_and_what_one_of_three_drew_is_not():
    both, alone = (0.1, 0.1, 0.3, 0.3, 1), (0.6, 0.6, 0.3, 0.3, 2)
    found = settled([both], [both, alone], [both])
    assert found.value == read(both)
    assert found.shares[2] < 0.5
    assert not found.tied


def test_another_label_on_the_same_thing_is_a_tie_for_a_reviewer():
    assert settled([(0.1, 0.1, 0.3, 0.3, 1)], [(0.12, 0.1, 0.3, 0.3, 2)]).tied
    assert settled([(0.1, 0.1, 0.3, 0.3, 1)], []).tied
    assert not settled([], []).tied


class TestDoubts:
    def faults(self, *answers):
        return [[(one.fault, one.box.label) for one in places] for places in doubts(answers)]

    def test_two_labels_or_two_boxes_on_one_rectangle_and_slivers_are_told(self):
        cat = Box(0.1, 0.1, 0.4, 0.4, 1)
        found = self.faults(
            [cat, cat._replace(x=0.11, label=2)],
            [cat, cat._replace(x=0.11)],
            [cat, Box(0.7, 0.1, 0.2, 0.003, 2)],
            [cat, cat._replace(x=0.3, label=2)],
            [],
        )
        assert found == [[("contradiction", 1)], [("doubled", 1)], [("sliver", 2)], [], []]

    def test_the_nearer_the_rectangles_the_surer_is_the_fault(self):
        cat = Box(0.1, 0.1, 0.4, 0.4, 1)
        answers = [[cat, cat._replace(x=0.1 + by, label=2)] for by in (0, 0.01, 0.02, 0.2)]
        scores = [score_of(places) for places in doubts(answers)]
        assert scores == sorted(scores)
        assert (scores[0], scores[-1]) == (0, 1)

    def test_labels_that_are_on_one_rectangle_as_a_rule_are_no_contradiction(self):
        cat = Box(0.1, 0.1, 0.4, 0.4, 1)
        both = [[cat, cat._replace(label=2)] for _ in range(6)]
        assert self.faults(*both, [cat, cat._replace(label=3)]) == [[]] * 6 + [
            [("contradiction", 1)]
        ]

    def test_a_size_that_the_label_never_has_is_told(self):
        usual = [[Box(0.1, 0.1, 0.1 + 0.001 * n, 0.1, 1)] for n in range(30)]
        assert self.faults(*usual, [Box(0, 0, 0.9, 0.9, 1)], [Box(0, 0, 0.9, 0.9, 2)]) == (
            [[]] * 30 + [[("size", 1)], []]
        )

    @given(st.lists(st.lists(boxes, max_size=6), max_size=6))
    def test_scores_are_shares_and_what_is_told_is_doubted(self, answers):
        assert all(0 <= one.score <= 0.5 + 1e-9 for places in doubts(answers) for one in places)
