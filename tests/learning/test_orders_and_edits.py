"""How far texts and orders are apart, and which order contradicts least."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.consensus import CONSENSUS
from learning.consensus.orders import settled_order
from learning.edits import apart, edits
from learning.errors import ShapeError
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.ranking import Ranking
from learning.tasks.text import FreeText
from learning.tasks.values import Given

texts = st.text(alphabet="ab\u0301👍 ", max_size=12)


@st.composite
def orders(draw, fewest=2, most=20):
    numbers = draw(st.permutations(range(1, draw(st.integers(fewest, most)) + 1)))
    cuts = draw(st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers)))
    order: list[list[int]] = []
    for number, is_tied in zip(numbers, cuts, strict=True):
        if order and is_tied:
            order[-1].append(number)
        else:
            order.append([number])
    return {"order": [sorted(each) for each in order]}


def content(value):
    return Content("query", candidates=["c"] * sum(map(len, value["order"])))


def by_table(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for x, a in enumerate(one, 1):
        before, row[0] = row[0], x
        for y, b in enumerate(other, 1):
            before, row[y] = row[y], min(row[y] + 1, row[y - 1] + 1, before + (a != b))
    return row[-1]


@given(texts, texts)
def test_edits_are_those_of_the_whole_table(one, other):
    assert edits(one, other) == edits(other, one) == by_table(one, other)
    assert 0 <= apart(one, other) <= 1


def test_white_space_and_the_spelling_of_accents_are_no_edits():
    assert apart("Cafe\u0301  au\nlait", " Caf\u00e9 au lait") == 0


@given(orders())
def test_an_order_is_read_back_from_its_spelling_and_stands_alone(value):
    task = Ranking()
    read = task.read(task.unspell(task.spell(value)), content(value), ())
    assert read == value
    (alone,) = task.settle(CONSENSUS.create("majority"), [[Given(1, value)]])
    assert alone.value == value
    assert not alone.tied


@given(st.data(), orders(most=6))
def test_orders_are_apart_as_a_distance_is(data, one):
    numbers = data.draw(st.permutations([number for each in one["order"] for number in each]))
    other = {"order": [[number] for number in numbers]}
    task, none = Ranking(), Columns(label_ids=())
    assert task.distance(one, one, none) == 0
    assert task.distance(one, other, none) == task.distance(other, one, none) <= 1
    backwards = {"order": other["order"][::-1]}
    assert task.distance(other, backwards, none) == 1


def test_no_order_contradicts_less_than_the_settled_one():
    rng = np.random.default_rng(5)
    for k in (2, 4, 6):
        above = rng.random((k, k))
        above = np.triu(above, 1) + np.tril(1 - above.T, -1)  # nobody finds a tie
        found = [one for group in settled_order(above) for one in group]

        def contradicted(order, above=above):
            return sum(above[b, a] for x, a in enumerate(order) for b in order[x + 1 :])

        least = min(map(contradicted, permutations(range(k))))
        assert contradicted(found) == pytest.approx(least)


def test_twenty_candidates_are_ordered_by_what_most_voices_say():
    rng = np.random.default_rng(2)
    task, truth = Ranking(), list(range(1, 21))
    voices = []
    for voice in range(9):
        noisy = sorted(truth, key=lambda number: number + rng.normal(0, 2))
        voices.append(Given(voice, {"order": [[number] for number in noisy]}))
    (found,) = task.settle(CONSENSUS.create("majority"), [voices])
    sure = {"order": [[number] for number in truth]}
    each = [task.distance(one.value, sure, Columns(label_ids=())) for one in voices]
    assert task.distance(found.value, sure, Columns(label_ids=())) < min(each)


@pytest.mark.parametrize("words", ["", "1 >", "one > two", "[[1], {}]", "[1"])
def test_what_is_no_order_is_refused(words):
    with pytest.raises(ShapeError):
        Ranking().read(Ranking().unspell(words), Content("q", candidates=("a", "b")), ())


def test_a_heavier_voice_wins_and_equal_ones_that_differ_do_not_decide():
    def said(*texts):
        return [Given(at, {"text": text}, weight) for at, (text, weight) in enumerate(texts)]

    method = CONSENSUS.create("weighted-majority")
    heavy, even = FreeText().settle(
        method, [said(("AAAA", 1), ("BBBB", 3)), said(("AAAA", 1), ("BBBB", 1))]
    )
    assert (heavy.value, heavy.tied) == ({"text": "BBBB"}, False)
    assert even.tied
