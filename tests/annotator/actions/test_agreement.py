"""How far voices agree, as Annotators tells it."""

import uuid

import pytest

from annotator.actions.verdicts import agreeing
from annotator.models import Annotation, Skill
from learning.consensus.agreement import answers_of, krippendorff
from tests.annotator.crowds import crowd, learn, say, voices_of
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    return make_project(cast, training_paused=True)


def test_figures_are_those_of_the_library_and_name_every_pair(project):
    make_items(project, 60)
    voices = voices_of(project, "good", "sound", "fair", "poor")
    crowd(project, voices, 60)
    teacher = project.annotators.create(kind="teacher", name="model")
    label = project.labels.first().pk
    say(project, [(number, teacher, label) for number in range(30)])
    learn(project)
    figures = agreeing.kept(project)
    votes = Annotation.objects.exclude(annotator=teacher)
    expected = krippendorff(
        answers_of(list(votes.values_list("item_id", "annotator_id", "labels")))
    )
    assert figures["alpha"]["value"] == pytest.approx(expected.value)
    assert figures["alpha"]["low"] < figures["alpha"]["value"] < figures["alpha"]["high"]
    assert figures["needed"] == 0
    assert {label["id"] for label in figures["labels"]} == set(
        project.labels.values_list("pk", flat=True)
    )
    pairs = {(pair["one"], pair["other"]): pair["items"] for pair in figures["pairs"]}
    assert len(pairs) == 10
    assert pairs[voices[0].pk, teacher.pk] == 30, "teachers are compared, though they don't vote"
    assert [point["end"] for point in figures["over_time"]] == [20, 40, 60]


def test_too_few_are_said_to_be_too_few(project):
    make_items(project, 5)
    one, other = voices_of(project, "one", "other")
    label = project.labels.first().pk
    say(project, [(n, voice, label) for n in range(3) for voice in (one, other)])
    learn(project)
    figures = agreeing.kept(project)
    assert figures["needed"] == 7
    assert figures["alpha"]["low"] is None
    assert figures["pairs"] == figures["over_time"] == []


def test_nothing_was_answered_twice(project):
    assert agreeing.kept(project) == {}
    assert agreeing.summary(project) is None


def test_several_labels_are_compared_by_their_distance(cast):
    project = make_project(cast, task_type="multi", training_paused=True)
    make_items(project, 30)
    one, other = voices_of(project, "one", "other")
    a, b, c = project.labels.order_by("column").values_list("pk", flat=True)
    numbers = dict(project.items.values_list("number", "pk"))
    for number, pk in numbers.items():
        for voice, labels in ((one, [a, b]), (other, [a, b] if number % 2 else [a, c])):
            fields = {"project": project, "item_id": pk, "annotator": voice}
            Annotation.objects.create(uuid=uuid.uuid4(), labels=labels, **fields)
    learn(project)
    figures = agreeing.kept(project)
    assert figures["distance"] == "jaccard"
    assert figures["masi"]["value"] is not None
    skill = Skill.objects.get(annotator=one)
    assert skill.votes == 30, "whole answers, not labels"
    assert skill.accuracy is not None
    assert skill.accuracy > 0.7
