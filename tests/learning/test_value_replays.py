"""The replayed loop where answers are values: what strategies and students are told, and what is measured."""

from typing import Any

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.rankers.head import OrderHead
from learning.rankers.replay import KnownLists
from learning.rankers.types import Lists
from learning.replayed import ValueReplay, taught_task
from learning.selection.margin import Margin
from learning.selection.mixed import Mixed
from learning.selection.random import Random
from learning.simulation import Loop, Schedule, full_figures, simulate
from learning.spans import value_of
from learning.taggers.head import TokenHead
from learning.taggers.pool import text_blocks
from learning.taggers.replay import KnownTexts
from learning.taggers.types import Words
from learning.tasks.ranking import Ranking
from learning.tasks.spans import Spans
from tests.contracts.test_taggers import lesson
from tests.learning.test_simulation import Watching

SCHEDULE = Schedule(start=5, batch=5, budget=20)


def texts(count: int, seed: int) -> KnownTexts:
    """In a store whose every other text is of somebody else."""
    data = lesson(2 * count or 2, seed)
    rows = np.arange(0, 2 * count, 2)
    return KnownTexts(
        words=data.words,
        rows=rows,
        values=[value_of(data.spans[row]) for row in rows],
        labels=data.labels,
    )


def marked(pool: int = 60, test: int = 40) -> ValueReplay:
    return ValueReplay(
        pool=texts(pool, 0),
        test=texts(test, 1),
        encodings=np.eye(pool, 8, dtype=np.float32),
        label_names=("refund", "parcel", "nothing"),
    )


def lists(count: int, seed: int) -> KnownLists:
    """Candidates are better the more they are like what is asked in their second place."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(4 * count, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = []
    for row in range(count):
        order = np.argsort(-vectors[4 * row + 1 : 4 * row + 4, 1]) + 1
        values.append({"order": [[int(one)] for one in order]})
    return KnownLists(
        lists=Lists(starts=np.arange(0, 4 * count + 1, 4), vectors=vectors.astype(np.float32)),
        rows=np.arange(count),
        values=values,
    )


def ranked() -> ValueReplay:
    return ValueReplay(
        pool=lists(60, 0),
        test=lists(40, 1),
        encodings=np.eye(60, 8, dtype=np.float32),
        label_names=(),
    )


def loop(strategy: Any, **parts: Any) -> Loop:
    return Loop(
        **{
            "task": Spans(),
            "student": TokenHead(),
            "cold_start": Random(),
            "strategy": strategy,
            **parts,
        }
    )


def curve(replay: ValueReplay, of: Loop, schedule: Schedule = SCHEDULE) -> list[Any]:
    return list(simulate(replay, of, schedule, np.random.default_rng(0)))


def test_a_tagger_learns_more_from_round_to_round_up_to_what_all_spans_give() -> None:
    points = curve(marked(), loop(Random()))
    full = full_figures(marked(), loop(Random()), np.random.default_rng(0))
    assert [point.labels for point in points] == [5, 10, 15, 20]
    assert points[0].score < points[-1].score
    assert full["score"] == full["metrics"]["span_f1"] > 0.95
    assert full["accuracy"] == full["metrics"]["exact_items"]


def test_equal_seeds_begin_with_the_same_texts_and_the_same_tagger() -> None:
    one, other = curve(marked(), loop(Margin())), curve(marked(), loop(Random()))
    assert one[0].score == other[0].score
    assert [point.score for point in one] == [p.score for p in curve(marked(), loop(Margin()))]


def test_a_strategy_sees_the_doubt_in_spans_and_labels_of_marked_texts_alone() -> None:
    watching = Watching(Mixed())
    replay = marked()
    curve(replay, loop(watching))
    for pool, labelled in zip(watching.shown, watching.labelled, strict=True):
        given = replay.pool.present(np.flatnonzero(labelled))
        np.testing.assert_array_equal(pool.answers, given)
        assert pool.probabilities.shape == (60, 3)
        assert pool.margins.shape == (60,)
        assert pool.doubted == "the spans"


def test_the_tagger_is_given_the_words_of_the_chosen_texts_with_their_spans() -> None:
    heard = []

    class Listening(TokenHead):
        def fit(self, data: Any, *rest: Any) -> Any:
            heard.append(data)
            return super().fit(data, *rest)

    watching = Watching(Random())
    curve(marked(), loop(watching, cold_start=watching, student=Listening()))
    whole, rows = lesson(120, 0), np.sort(watching.picked[0]) * 2
    assert heard[0].spans == [whole.spans[row] for row in rows]
    np.testing.assert_array_equal(heard[0].words.vectors, whole.words.subset(rows).vectors)


def test_a_ranker_is_replayed_by_the_order_of_each_two_candidates() -> None:
    of = loop(Margin(), task=Ranking(), student=OrderHead())
    points = curve(ranked(), of, Schedule(start=10, batch=20, budget=50))
    full = full_figures(ranked(), of, np.random.default_rng(0))
    assert full["score"] == full["metrics"]["tau"] > 0.8
    assert points[0].score < points[-1].score <= full["score"]
    assert points[-1].accuracy == points[-1].metrics["exact"]


def test_what_report_raises_ends_the_replay_between_two_blocks() -> None:
    class EnoughError(Exception):
        pass

    def report(done: int, total: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        list(simulate(marked(), loop(Random()), SCHEDULE, np.random.default_rng(0), report))


def test_without_items_to_test_on_nothing_is_replayed() -> None:
    with pytest.raises(NotEnoughDataError, match="items to test on"):
        marked(test=0)


def test_blocks_hold_about_so_many_words_and_a_longer_text_is_one() -> None:
    starts = np.array([0, 3, 6, 106, 109, 112])
    assert list(text_blocks(starts, 10)) == [slice(0, 2), slice(2, 3), slice(3, 5)]
    empty = Words(starts=np.array([0]), edges=np.zeros((0, 2), int), vectors=np.zeros((0, 4)))
    assert list(text_blocks(empty.starts)) == []


def test_a_value_in_columns_is_without_labels_that_have_none() -> None:
    value = value_of([(0, 3, 70), (4, 6, 71), (8, 9, 72)])
    assert Spans().in_columns(value, {72: 0, 70: 1}) == value_of([(0, 3, 1), (8, 9, 0)])
    assert Ranking().in_columns({"order": [[2], [1]]}, {}) == {"order": [[2], [1]]}


def test_only_types_with_a_student_of_their_values_are_taught() -> None:
    assert taught_task("spans").reads == "words"
    assert taught_task("ranking").reads == "lists"
    for name in ("single", "form", "boxes", "text"):
        with pytest.raises(ShapeError, match=f"No student learns from the values of {name}"):
            taught_task(name)
