"""Answers in a tree: as deep as belief holds, and compared by steps."""

import numpy as np
import pytest

from learning.tasks import Columns
from learning.tasks.hierarchy import Hierarchy
from learning.tasks.tree import Tree

# 1 animal, 2 bird and 3 fish below it, 4 owl below bird, 5 plant
TREE = Columns(label_ids=(1, 2, 3, 4, 5), parents={2: 1, 3: 1, 4: 2})


def test_a_branch_holds_what_its_leaves_hold() -> None:
    each = np.array([[0.1, 0.2, 0.3, 0.3, 0.1]])
    np.testing.assert_allclose(Tree(TREE).mass(each), [[0.9, 0.5, 0.3, 0.3, 0.1]])


@pytest.mark.parametrize(
    ("each", "decided"),
    [
        ([0.0, 0.1, 0.1, 0.7, 0.1], 4),  # sure to the end
        ([0.0, 0.3, 0.3, 0.3, 0.1], 2),  # an animal, a bird rather, an owl hardly
        ([0.1, 0.1, 0.35, 0.3, 0.15], 1),  # which animal is open
        ([0.3, 0.1, 0.05, 0.0, 0.55], 5),
    ],
)
def test_it_stops_where_no_branch_holds_half(each: list[float], decided: int) -> None:
    assert Hierarchy(stop=0.5).decode(np.array([each]), TREE) == [[decided]]


def test_of_the_top_one_is_taken_however_little_it_holds() -> None:
    tops = Columns(label_ids=(1, 2, 3))
    assert Hierarchy(stop=0.5).decode(np.array([[0.3, 0.4, 0.3]]), tops) == [[2]]


def test_an_archived_branch_is_gone_through_and_never_decided() -> None:
    columns = Columns(label_ids=TREE.label_ids, parents=TREE.parents, archived=frozenset({2}))
    assert Hierarchy(stop=0.5).decode(np.array([[0.0, 0.0, 0.2, 0.7, 0.1]]), columns) == [[4]]
    assert Hierarchy(stop=0.5).decode(np.array([[0.3, 0.0, 0.1, 0.45, 0.15]]), columns) != [[2]]


@pytest.mark.parametrize(
    ("a", "b", "distance"), [(4, 4, 0), (2, 4, 0.2), (3, 4, 0.6), (1, 5, 1), (4, 5, 1)]
)
def test_distance_is_by_steps(a: int, b: int, distance: float) -> None:
    task = Hierarchy()
    assert task.distance([a], [b], TREE) == pytest.approx(distance)
    assert task.apart(TREE)(frozenset({a}), frozenset({b})) == pytest.approx(distance)


def test_a_wrong_leaf_of_the_right_branch_counts_in_part() -> None:
    truth, near, far = (np.eye(5)[[column]] for column in (3, 2, 4))
    told = [
        Hierarchy().metrics(truth, said, TREE)["hierarchical_f1"] for said in (truth, near, far)
    ]
    assert told == pytest.approx([1, 0.4, 0])
    assert "hierarchical_f1" not in Hierarchy().metrics(truth, near)
