"""Boxes of several voices, as Review asks about them."""

from annotator.models import Label
from annotator.web.boxed import BoxPart, things

CAT, DOG = Label(pk=1, name="Cat"), Label(pk=2, name="Dog")
ANA = BoxPart((10, 10, 40, 40), CAT)
BEN = BoxPart((12, 10, 40, 40), CAT)


def test_one_thing_that_two_drew_is_asked_about_once_and_between_theirs():
    alone = BoxPart((70, 70, 20, 20), DOG)
    found = things([("Ana", [ANA]), ("Ben", [BEN, alone])], [])
    assert [each.place for each in found] == ["b11000-10000-40000-40000", alone.place]
    assert [each.voices for each in found] == [("Ana", "Ben"), ("Ben",)]


def test_what_is_decided_stands_under_its_own_name_though_nobody_drew_it_so():
    had = BoxPart((10.5, 10, 40, 40), CAT)
    (found,) = things([("Ana", [ANA]), ("Ben", [BEN])], [had])
    assert (found.key, found.voices) == (had.key, ("Ana", "Ben"))
    (kept,) = things([("Ana", [])], [had])
    assert (kept.key, kept.voices) == (had.key, ())


def test_each_label_that_a_thing_was_given_is_asked_about():
    found = things([("Ana", [ANA]), ("Ben", [BoxPart(BEN.sides, DOG)])], [])
    assert [(each.label.name, each.voices) for each in found] == [
        ("Cat", ("Ana",)),
        ("Dog", ("Ben",)),
    ]
