"""Shape and range mistakes are refused with a sentence, at the public side."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import ShapeError
from learning.types import Selection, TrainingData, Votes, row_blocks
from tests.contracts.plugins import a_pool, lesson


@pytest.mark.parametrize(
    "wrong",
    [
        {"labelled": np.zeros(3, dtype=bool)},
        {"eligible": np.zeros(90)},
        {"probabilities": np.zeros((89, 3), dtype=np.float32)},
        {"encodings": np.zeros(90, dtype=np.float16)},
        {"margins": np.zeros((90, 1), dtype=np.float32)},
        {"label_names": ("only one",)},
        {"columns": np.zeros((90, 2), dtype=np.int32)},
    ],
)
def test_a_pool_that_does_not_fit(wrong: dict) -> None:
    with pytest.raises(ShapeError):
        replace(a_pool(), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": np.full((60, 4), 0.5, dtype=np.float32)},
        {"targets": np.full((60, 4), np.nan, dtype=np.float32)},
        {"targets": np.full((60, 4), -0.1, dtype=np.float32)},
        {"weights": np.zeros(60, dtype=np.float32)},
        {"known": np.zeros((60, 4), dtype=bool)},
        {"known": np.ones((60, 3), dtype=bool)},
        {"texts": ["one"]},
        {"images": [b"one"]},
        {"encodings": None, "texts": None, "images": None},
    ],
)
def test_training_data_that_does_not_fit(wrong: dict) -> None:
    with pytest.raises(ShapeError):
        replace(lesson(), **wrong)


def test_a_subset_keeps_rows_together() -> None:
    data = replace(lesson(), weights=np.arange(1, 61, dtype=np.float32))
    part = data.subset(np.array([5, 2]))
    assert part.texts == [data.texts[5], data.texts[2]]
    assert part.weights.tolist() == [6, 3]
    np.testing.assert_array_equal(part.targets, data.targets[[5, 2]])
    assert isinstance(part, TrainingData)
    assert (part.rows, part.labels) == (2, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": np.array([1, 1])},
        {"probabilities": np.array([0.5, 0.0])},
        {"probabilities": np.array([0.5, 1.5])},
        {"probabilities": np.array([0.5])},
        {"reasons": ["one"]},
    ],
)
def test_a_selection_that_lies(wrong: dict) -> None:
    right = Selection(rows=np.array([1, 2]), probabilities=np.array([1.0, 0.5]), reasons=["a", "b"])
    with pytest.raises(ShapeError):
        replace(right, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"item": np.array([0, 5])},
        {"item": np.array([0, -1])},
        {"annotator": np.array([1])},
        {"answers": np.zeros(2)},
        {"weights": np.array([1.0, 0.0])},
    ],
)
def test_votes_that_do_not_fit(wrong: dict) -> None:
    right = Votes(items=2, item=np.array([0, 1]), annotator=np.array([1, 1]), answers=np.eye(2))
    with pytest.raises(ShapeError):
        replace(right, **wrong)


def test_blocks_cover_every_row_once() -> None:
    rows = np.concatenate([np.arange(10)[block] for block in row_blocks(10, 3)])
    assert rows.tolist() == list(range(10))
    assert list(row_blocks(0)) == []
