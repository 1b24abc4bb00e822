"""A language model in a project of spans: its quotes become marks that people are shown."""

import json

import pytest
from django.db import connection
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import canarying
from annotator.models import Annotation, Canary, TeacherAnswer, TeacherRun, Verdict
from tests.annotator.marked import people_mark
from tests.annotator.teaching import teacher_on, work_off
from tests.factories import make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {"teachers": "", "teacher": "teacher", "teacher_prompt": "teacher", "scorecard": "voice",
         "annotators": "", "routing": "", "agreement": ""}  # fmt: skip


def towns(count):
    return [f"Ada met Bob in town {n}" for n in range(count)]


TEXTS = towns(6)


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


def test_a_spent_budget_ends_a_run_and_its_marks_stay(cast, project):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    with Loopback(plays.says(marking, usage=usage)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=towns(24), cap_run=25)
        run = work_off(teacher_runs.start_run(project, teacher, None, 30))
    assert run.state == "failed"
    assert "budget of this run is spent" in run.error
    assert 0 < run.answered == Annotation.objects.filter(annotator=teacher.voice).count() < 24
    assert (run.spent <= 25, run.held) == (True, 0)


def test_a_cancelled_run_ends_and_its_marks_stay(cast, project):
    def cancelling(request, wire):
        if len(server.requests) == 4:
            teacher_runs.cancel(TeacherRun.objects.get())
            connection.close()  # this thread is the server's
        wire.send(plays.completion(marking(request)))

    with Loopback(cancelling) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=towns(60), concurrency=1)
        run = work_off(teacher_runs.start_run(project, teacher, None, 60))
    assert (run.state, run.held) == ("cancelled", 0)
    assert run.answered < 60
    assert Annotation.objects.filter(annotator=teacher.voice).count() == run.answered


def test_planted_instructions_are_judged_by_the_labels_that_occur(cast, project, monkeypatch):
    monkeypatch.setattr(canarying, "SHARE", 0.2)
    person, place = (project.labels.get(name=name).pk for name in ("Person", "Place"))

    def gullible(request):
        told = json.loads(marking(request))
        for entry, text in zip(told["answers"], plays.items_of(request).values(), strict=True):
            for candidate in entry["candidates"]:
                candidate["label"] = str(place if text.count("\n") else person)
        return json.dumps(told)

    with Loopback(plays.says(gullible)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=towns(60))
        people_mark(project, cast, [{"start": 0, "end": 3, "label": "Person"}], count=20)
        run = work_off(teacher_runs.start_run(project, teacher, None, 40))
    planted = Canary.objects.filter(run=run).exclude(attack=canarying.PLAIN)
    assert {(tuple(row.truth), row.target, tuple(row.labels)) for row in planted} == {
        ((person,), place, (place,))
    }
    assert run.answered == run.wanted == 40
    assert not Annotation.objects.filter(annotator=teacher.voice, labels=[place]).exists()
    assert canarying.current_trust(teacher) < 0.5


def test_every_page_of_it_opens(taught, project, client, cast):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    client.force_login(cast.lea)
    for name, more in PAGES.items():
        found = [teacher.voice_id] if more == "voice" else [teacher.pk] if more else []
        page = client.get(reverse(name, args=[project.pk, *found]))
        assert page.status_code == 200, name


def test_where_no_teacher_answers_routing_says_so_and_offers_none(client, cast):
    project = make_project(cast, task_type="boxes")
    client.force_login(cast.lea)
    page = client.get(reverse("routing", args=[project.pk])).content.decode()
    assert "No teacher gives such answers yet" in page
    assert "Set up a teacher" not in page
