"""Which rows are predicted out of fold where there are more than can be, and with what all folds agree in."""

from dataclasses import replace
from typing import Any

import numpy as np

from learning.rankers.head import OrderHead
from learning.students.folds import out_of_fold, some_to_fold
from learning.students.head import Head
from learning.types import TrainingData, no_report
from tests.contracts.plugins import three_groups
from tests.contracts.test_rankers import lesson

NUMBERS = np.arange(100, 200)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_first_are_folded_in_their_order_and_the_place_goes_to_rows_of_the_lesson_alone() -> (
    None
):
    rows = some_to_fold(NUMBERS, [180, 7, 110, 120], 2, rng())
    assert rows.tolist() == [10, 80]


def test_chance_fills_what_the_first_leave() -> None:
    drawn = [
        set(some_to_fold(NUMBERS, [180], 30, np.random.default_rng(seed)).tolist())
        for seed in (1, 2)
    ]
    assert all(len(rows) == 30 and 80 in rows for rows in drawn)
    assert drawn[0] != drawn[1]


def test_all_rows_are_folded_where_they_can_be() -> None:
    assert some_to_fold(NUMBERS, [150], 500, rng()).tolist() == list(range(100))


def clear(rows: int) -> TrainingData:
    """Three groups that are easily told apart: held-out rows ask for a surer word than the weights give."""
    points, group = three_groups(rows, 12, seed=2)
    return TrainingData(encodings=points, targets=np.eye(3, dtype=np.float32)[group])


class Watched:
    """A head that keeps what its fits chose, in a list which those that are settled share."""

    needs = "encodings"

    def __init__(self, head: Head, choices: list[Any]) -> None:
        self.head, self.choices = head, choices

    def fit(self, data: TrainingData, rng: np.random.Generator, report: Any) -> Any:
        fitted = self.head.fit(data, rng, report)
        self.choices.append(fitted.choice)
        return fitted

    def settle(self, fitted: Any) -> "Watched":
        return Watched(self.head.settle(fitted), self.choices)


def test_every_fold_states_its_probabilities_at_the_temperature_that_the_first_one_chose() -> None:
    choices: list[Any] = []
    found = out_of_fold(Watched(Head(), choices), clear(125), rng())
    assert choices[0].temperature != 1
    assert {choice.temperature for choice in choices} == {choices[0].temperature}
    sure = [found.probabilities[found.fold == fold].max(axis=1).mean() for fold in range(5)]
    assert max(sure) - min(sure) < 0.05


def test_a_line_is_drawn_at_the_same_temperature_in_every_fold() -> None:
    choices: list[Any] = []
    data = replace(clear(125), multi_label=True)
    out_of_fold(Watched(Head(cut=None), choices), data, rng())
    assert choices[0].temperature != 1
    assert {(choice.cut, choice.temperature) for choice in choices} == {
        (choices[0].cut, choices[0].temperature)
    }


def test_a_settled_order_head_keeps_its_temperature() -> None:
    data = lesson(40)
    fitted = OrderHead().fit(data, rng(), no_report)
    chosen = replace(fitted, choice=replace(fitted.choice, temperature=2.0))
    assert OrderHead().settle(chosen).fit(data, rng(), no_report).choice.temperature == 2
