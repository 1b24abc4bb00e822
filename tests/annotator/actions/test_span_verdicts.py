"""From spans that people marked to the spans that an item has."""

from uuid import uuid4

import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.review import reviewing
from annotator.actions.verdicts import agreeing, settling, skills
from annotator.actions.verdicts.sealing import position
from annotator.models import Outcome, Project, Role, Verdict, VerdictSource, VerdictState
from tests.factories import join, make_items, make_project

pytestmark = pytest.mark.django_db

TEXT = "Ada Lovelace met Charles Babbage in London."


@pytest.fixture
def project(cast):
    made = make_project(
        cast, labels=("Person", "Place"), task_type="spans", audit_share=0, overlap=3
    )
    join(made, cast.cleo, Role.ANNOTATOR)
    make_items(made, [TEXT])
    return Project.objects.get(pk=made.pk)


@pytest.fixture
def labels(project):
    return dict(project.labels.values_list("name", "pk"))


@pytest.fixture
def marked(labels):
    def value(*found):
        spans = [
            {
                "start": TEXT.index(words),
                "end": TEXT.index(words) + len(words),
                "label": labels[name],
            }
            for words, name in found
        ]
        return {"spans": sorted(spans, key=lambda one: one["start"])}

    return value


def say(project, *words):
    """Each (person, value) on the next item that they are given."""
    for user, value in words:
        voice = voice_of(project, user)
        (lease,) = assigning.lease(project, voice, 1)
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
    settling.settle_now(project)


ADA, LONDON = ("Ada Lovelace", "Person"), ("London", "Place")


def test_one_voice_decides_and_nothing_marked_is_a_verdict(cast, project, labels, marked):
    say(project, (cast.ana, marked()))
    verdict = Verdict.objects.get()
    assert (verdict.value, verdict.labels, verdict.soft) == ({"spans": []}, [], {})
    assert (verdict.state, verdict.source) == (VerdictState.DECIDED, VerdictSource.CONSENSUS)
    say(project, (cast.ben, marked(ADA)), (cast.cleo, marked(ADA)))
    verdict = Verdict.objects.get()
    assert verdict.value == marked(ADA)
    assert verdict.labels == [labels["Person"]]
    assert verdict.voices == 3
    assert verdict.soft == {str(labels["Person"]): pytest.approx(2 / 3, abs=1e-5)}


def test_two_voices_that_differ_wait_for_a_reviewer_whose_word_is_final(cast, project, marked):
    say(project, (cast.ana, marked(ADA, LONDON)), (cast.cleo, marked(("Ada", "Person"), LONDON)))
    verdict = Verdict.objects.get()
    assert verdict.state == VerdictState.TIE
    reviewing.settle(project, cast.ben, uuid=uuid4(), item=verdict.item, value=marked(LONDON))
    settling.settle_now(project)
    verdict = Verdict.objects.get()
    assert (verdict.value, verdict.state) == (marked(LONDON), VerdictState.DECIDED)
    assert verdict.source == VerdictSource.REVIEWER
    reviewing.settle(project, cast.ben, uuid=uuid4(), item=verdict.item, outcome=Outcome.BAD)
    settling.settle_now(project)
    assert Verdict.objects.get().state == VerdictState.BAD


def test_voices_learn_their_weight_from_what_they_mark(cast, project, marked, monkeypatch):
    make_items(project, [TEXT.replace("Ada", f"Ada{number}") for number in range(7)])
    project = Project.objects.get(pk=project.pk)
    monkeypatch.setattr(skills, "FEWEST", 5)
    for _ in range(8):
        both, careless = marked(ADA, LONDON), marked(ADA, ("met", "Place"))
        say(project, (cast.ana, both), (cast.ben, both), (cast.cleo, careless))
    told = agreeing.figures(project)
    assert told["alpha"]["items"] == 8
    assert told["spans"]["exact"]["value"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert 0 < told["alpha"]["value"] < 1
    assert [one["items"] for one in told["pairs"]] == [8, 8, 8]
    assert [one["value"] for one in told["labels"]] == [1, pytest.approx(1 / 3)]
    found = skills.fit(project, skills._read(project, position(project)))
    assert found is not None
    people = dict(
        zip(
            (cast.ana, cast.cleo),
            (voice_of(project, u).pk for u in (cast.ana, cast.cleo)),
            strict=True,
        )
    )
    assert found.voices[people[cast.ana]].accuracy > found.voices[people[cast.cleo]].accuracy
