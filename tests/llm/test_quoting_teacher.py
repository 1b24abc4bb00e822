"""A language model that marks spans by quoting them, over real HTTP."""

import json

from learning.spans import Span
from learning.teachers.asking import ask
from learning.teachers.limits import MemoryCache
from learning.teachers.types import LabelText, TeacherItem, TeacherSchema
from tests.llm import plays
from tests.llm.loopback import Loopback

SCHEMA = TeacherSchema(
    labels=(LabelText(id=11, name="thing"), LabelText(id=12, name="number")),
    multi_label=True,
    quoted=True,
)
ITEM = TeacherItem(number=100, text="Where is parcel 100? Which parcel?")


def quoting(*candidates, drop=()):
    """A play that gives these candidates for each item, without some fields."""

    def content(request):
        told = [{k: v for k, v in one.items() if k not in drop} for one in candidates]
        entries = [{"item": key, "candidates": told} for key in plays.items_of(request)]
        return json.dumps({"answers": entries})

    return plays.says(content)


PARCEL = {"before": "is", "quote": "parcel", "label": "11", "verdict": True, "confidence": 0.8}
NUMBER = {"before": "", "quote": "100", "label": "12", "verdict": True, "confidence": 0.9}
INVENTED = {"before": "", "quote": "letter", "label": "11", "verdict": True, "confidence": 0.9}
MARKED = ((Span(9, 15, 0), 0.8), (Span(16, 19, 1), 0.9))


def test_marks_what_is_found_and_counts_what_is_not(teach):
    with Loopback(quoting(PARCEL, NUMBER, INVENTED)) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert answer.spans == MARKED
    assert (answer.dropped, answer.confidence, answer.flags) == (1, 0.8, ())
    assert len(server.requests) == 1


def test_an_answer_of_another_form_is_repaired_once_and_then_no_answer(teach):
    bad = quoting(PARCEL, drop=["verdict"])
    with Loopback([bad, quoting(PARCEL, NUMBER)]) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert (answer.spans, answer.flags) == (MARKED, ("repaired",))
    with Loopback(bad) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert answer.spans is None
    assert answer.abstained
    assert len(server.requests) == 2


def test_what_was_marked_before_is_not_asked_again(teach, connect):
    with Loopback(quoting(PARCEL, NUMBER, INVENTED)) as server:
        line = connect(server, cache=MemoryCache())
        (first,) = ask(teach(server, line), [ITEM], SCHEMA)
        (again,) = ask(teach(server, line), [ITEM], SCHEMA)
    assert (again.spans, again.dropped, again.flags) == (first.spans, first.dropped, ("cached",))
    assert len(server.requests) == 1
