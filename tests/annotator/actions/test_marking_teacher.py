"""A language model in a project of spans: its quotes become marks that people are shown."""

import json

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.actions.routing import policies
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import qualifying
from annotator.errors import ConflictError, InvalidError
from annotator.models import Annotation, TeacherAnswer, Verdict
from tests.annotator.teaching import teacher_on, work_off
from tests.factories import make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {"teachers": "", "teacher": "teacher", "teacher_prompt": "teacher", "scorecard": "voice",
         "annotators": "", "routing": "", "agreement": ""}  # fmt: skip
TEXTS = [f"Ada met Bob in town {n}" for n in range(6)]


def marking(request):
    """Ada is marked, Bob rejected, and somebody who is not there is quoted."""
    label = plays.label_ids(request)[0]

    def candidate(quote, verdict):
        said = {"before": "", "quote": quote, "label": label, "verdict": verdict}
        return said | {"confidence": 0.8}

    told = [candidate("Ada", True), candidate("Bob", False), candidate("Eve", True)]
    entries = [{"item": key, "candidates": told} for key in plays.items_of(request)]
    return json.dumps({"answers": entries})


@pytest.fixture
def project(cast):
    return make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)


@pytest.fixture
def taught(cast, project):
    with Loopback(plays.says(marking)) as server:
        yield teacher_on(server, cast, project=project, texts=TEXTS)


def test_a_trial_shows_marks_and_counts_lost_quotes(taught, project, client, cast):
    _, teacher = taught
    run = work_off(teacher_runs.try_on(project, teacher, None))
    person = project.labels.get(name="Person").pk
    answers = TeacherAnswer.objects.filter(run=run)
    assert [row.value for row in answers] == [
        {"spans": [{"start": 0, "end": 3, "label": person, "probability": 0.8}]}
    ] * 5
    assert {(row.dropped, tuple(row.labels)) for row in answers} == {(1, (person,))}
    assert not Annotation.objects.exists()
    client.force_login(cast.lea)
    page = client.get(reverse("teacher_run", args=[project.pk, run.pk]))
    assert "“Ada”" in page.content.decode()
    assert "1 quote not found in the text" in page.content.decode()


def test_a_run_enters_marks_and_people_are_shown_them_as_suggestions(taught, project, cast):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    person = project.labels.get(name="Person").pk
    said = Annotation.objects.filter(annotator=teacher.voice)
    assert said.count() == 6
    assert all(row.value == {"spans": [{"start": 0, "end": 3, "label": person}]} for row in said)
    assert not Verdict.objects.exists()
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    assert lease.suggestion["spans"][0] == {
        "start": 0, "end": 3, "label": person, "probability": 0.8,
    }  # fmt: skip


def test_a_further_voice_is_shown_none_of_them(taught, project, cast):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    project.items.update(answers=1, extra_voices=1)
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    assert lease.suggestion == []


def test_an_answer_none_of_whose_quotes_is_there_is_none(cast, project):
    def lost(request):
        told = json.loads(marking(request))
        for entry in told["answers"]:
            entry["candidates"] = entry["candidates"][2:]
        return json.dumps(told)

    with Loopback(plays.says(lost)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        work_off(teacher_runs.start_run(project, teacher, None, 10))
    answers = TeacherAnswer.objects.all()
    assert {(bool(row.abstained), row.dropped) for row in answers} == {(True, 1)}
    assert not Annotation.objects.exists()


def test_what_only_knows_labels_says_so(taught, project, client, cast):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    with pytest.raises(ConflictError, match="none of spans yet"):
        qualifying.start(project, teacher, None)
    with pytest.raises(InvalidError, match="No policy weighs marked spans"):
        policies.change_policy(project, None, teacher=teacher, enabled=True)
    client.force_login(cast.lea)
    for name, more in PAGES.items():
        found = [teacher.voice_id] if more == "voice" else [teacher.pk] if more else []
        page = client.get(reverse(name, args=[project.pk, *found]))
        assert page.status_code == 200, name
