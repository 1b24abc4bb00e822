"""Orders of a list from several prompts, and teachers of orders that need no endpoint."""

import math

import numpy as np
import pytest

from learning.errors import ShapeError
from learning.teachers import TEACHERS
from learning.teachers.asking import ask
from learning.teachers.listwise import reads, sequences, settle, windowed
from learning.teachers.types import Means, TeacherAnswer, TeacherItem, TeacherSchema
from tests.contracts.teaching import WordHash

SCHEMA = TeacherSchema(labels=(), multi_label=True, ranked=True)
ITEM = TeacherItem(
    number=3, text="refund money back", candidates=("parcel late", "refund money", "money please")
)


@pytest.mark.parametrize(
    ("count", "window"), [(1, 2), (5, 2), (20, 20), (20, 8), (23, 6), (40, 20)]
)
def test_windows_give_the_whole_order_of_an_exact_ranker_in_the_reads_foretold(count, window):
    asked = []

    def rank(part):
        asked.append(len(part))
        return sorted(part)

    items = np.random.default_rng(count).permutation(count).tolist()
    assert windowed(items, window, rank) == sorted(items)
    step = window // 2
    lengths = [count]
    while lengths[-1] > window:
        lengths.append(lengths[-1] - step)
    foretold = sum(1 + max(math.ceil((n - window) / step), 0) for n in lengths)
    assert len(asked) == foretold == reads(count, window)
    assert max(asked) <= window


def test_sequences_are_the_same_for_the_same_texts_and_each_second_one_is_the_reverse():
    item = TeacherItem(number=1, text="?", candidates=tuple("abcdefgh"))
    first, second, third = sequences(item, 3)
    assert second == first[::-1]
    assert third not in (first, second)
    assert sorted(third) == list(range(1, 9))
    assert [first, second, third] == list(sequences(item, 3))


def test_passes_that_differ_settle_on_what_they_share():
    assert settle([((1,), (2,), (3,))]) == ((1,), (2,), (3,))
    assert settle([((1,), (2,), (3,)), ((1,), (3,), (2,))]) == ((1,), (2, 3))


def test_zero_shot_orders_by_likeness_to_what_is_asked():
    teacher = TEACHERS.create("zero-shot").ready(Means(encoder=WordHash()))
    blank = TeacherItem(number=4, text=" ", candidates=("a", "b"))
    alone = TeacherItem(number=5, text="a", candidates=("a",))
    same = TeacherItem(number=6, text="money", candidates=("parcel", "money", "money"))
    found = {one.number: one for one in ask(teacher, [ITEM, blank, alone, same], SCHEMA)}
    assert found[3].order == ((2,), (3,), (1,))
    assert 0.5 <= found[3].confidence <= 1
    assert found[4].abstained
    assert found[5].abstained
    assert found[6].order == ((2, 3), (1,)), "the same text is equally good"


def test_recorded_orders_come_back_and_what_is_none_abstains():
    orders = [[[2], [1, 3]], [2, 3, 1], [[1], [2]], None, "2 > 1", [[1], [2], [2]]]
    records = [{"number": n, "order": order, "confidence": 0.7} for n, order in enumerate(orders)]
    teacher = TEACHERS.create("recorded").ready(Means(records=records))
    items = [TeacherItem(number=n, text="?", candidates=("a", "b", "c")) for n in range(7)]
    found = {one.number: one for one in ask(teacher, items, SCHEMA)}
    assert found[0].order == ((2,), (1, 3))
    assert found[0].confidence == 0.7
    assert found[1].order == ((2,), (3,), (1,))
    assert all(found[n].abstained and found[n].order is None for n in range(2, 7))


def test_an_order_that_does_not_fit_its_item_is_found_out():
    class Loose:
        def annotate(self, items, schema, examples, report):
            nothing = np.zeros(0, dtype=np.float32)
            yield TeacherAnswer(number=3, probabilities=nothing, order=((1,), (2,)))

    with pytest.raises(ShapeError, match="3 candidates once"):
        list(ask(Loose(), [ITEM], SCHEMA))
    with pytest.raises(ShapeError, match="no labels"):
        TeacherSchema(labels=(), ranked=True)
