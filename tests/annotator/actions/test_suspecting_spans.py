"""What reviewers are told of spans that look wrong."""

import numpy as np
import pytest

from annotator.actions.projects.schema import columns_of
from annotator.actions.review.suspecting import Population
from annotator.actions.review.suspecting_spans import NOTHING, SpanSuspicion
from learning.audit.span_doubts import Doubt, Fault
from learning.spans import Span
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

PERSON, PLACE = 0, 1
ANA, ROME, BO = Span(0, 3, PERSON), Span(14, 18, PLACE), Span(8, 10, PERSON)


def place(score, fault, given, instead, said=None):
    traits = (0.0,) * (2 if given is None else 5)
    return Doubt(
        fault=fault, given=given, instead=instead, score=score, said=said or score, traits=traits
    )


@pytest.fixture
def suspicion(cast):
    """Of one answer, from its places."""
    project = make_project(cast, labels=("Person", "Place"), task_type="spans")
    (item,) = make_items(project, ["Ana met Bo in Rome"])
    columns = columns_of(project)

    def of(*places):
        occur = sorted({columns.label_ids[one.given.label] for one in places if one.given})
        row = (item.pk, item.number, occur, bytes(32), "people")
        return SpanSuspicion(
            population=Population.of(project, columns, [row]),
            places=[sorted(places, key=lambda one: one.score)],
            scores=np.array([min(one.score for one in places)]),
            names=("Person", "Place"),
        )

    return of


def words(suspicion):
    (told,) = suspicion.told([0])
    return [one["words"] for one in told]


def labels(suspicion):
    (found,) = suspicion.suggested([0])
    return [suspicion.names[suspicion.population.columns.column(pk)] for pk in found]


def test_where_the_student_says_otherwise_stands_before_where_it_agrees(suspicion) -> None:
    told = words(
        suspicion(
            place(0.1, None, ANA, ANA),
            place(0.2, None, ROME, ROME),
            place(0.3, Fault.SPURIOUS, BO, None),
            place(0.4, Fault.MISSING, None, Span(4, 7, PLACE)),
        )
    )
    assert ["agrees" in one for one in told] == [False, False, True, True]
    assert told[0].startswith("“Bo” as Person is marked")
    assert told[1].startswith("nothing is marked")
    assert told[2].startswith("“Ana”")


def test_agreement_leaves_room_for_what_is_in_question(suspicion) -> None:
    agreed = [
        place(0.01 * at, None, Span(at, at + 1, PERSON), Span(at, at + 1, PERSON))
        for at in range(6)
    ]
    told = words(suspicion(*agreed, place(0.9, Fault.LABEL, ROME, ROME._replace(label=PERSON))))
    assert "marks “Rome” as Person" in told[0]
    assert len(told) == 4


def test_a_place_where_nothing_is_marked_is_told_only_if_the_student_doubts_that(suspicion) -> None:
    bare = place(0.2, Fault.MISSING, None, BO, said=0.9)
    assert words(suspicion(bare)) == [NOTHING]
    assert labels(suspicion(bare)) == []


def test_labels_are_suggested_as_they_would_occur(suspicion) -> None:
    other = place(0.3, Fault.LABEL, ROME, ROME._replace(label=PERSON))
    assert labels(suspicion(other)) == ["Person"]
    assert labels(suspicion(other, place(0.9, None, Span(4, 7, PLACE), Span(4, 7, PLACE)))) == [
        "Person",
        "Place",
    ]
    assert labels(suspicion(place(0.3, Fault.SPURIOUS, BO, None))) == []
    assert labels(suspicion(place(0.1, None, ANA, ANA), other)) == ["Person"]
    assert labels(suspicion(place(0.3, Fault.MISSING, None, BO))) == ["Person"]


def test_edges_that_differ_in_spaces_alone_are_told_as_such(suspicion) -> None:
    (told,) = words(suspicion(place(0.3, Fault.EDGE, ANA._replace(end=ANA.end + 1), ANA)))
    assert told.startswith("“Ana” as Person is marked")
    assert "other spaces" in told
