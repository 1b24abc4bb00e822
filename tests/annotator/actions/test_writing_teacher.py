"""Teachers in a project of texts: what they write is suggested, compared, and decides nothing."""

import io
import json
from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.figures import worded
from annotator.actions.imports import recordings
from annotator.actions.projects import projects, redacting
from annotator.actions.queue import auditing
from annotator.actions.routing import policies
from annotator.actions.teachers import (
    annotating,
    demonstrating,
    disagreeing,
    endpoints,
    foretelling,
    identity,
    lending,
    prompt_trials,
    prompts,
    teacher_runs,
    teachers,
)
from annotator.actions.trust import qualifying, teacher_figures
from annotator.errors import ConflictError, InvalidError
from annotator.formats.answers import AnswerMapping
from annotator.models import (
    Annotation,
    Assignment,
    Item,
    Job,
    Pick,
    Project,
    RecordedAnswer,
    Role,
    Teacher,
    TeacherAnswer,
    TeacherCache,
    User,
    Verdict,
)
from annotator.web import scores
from learning.teachers.openai import OpenAITeacher
from learning.teachers.types import LabelText, TeacherSchema
from tests.annotator.actions.test_loop import work
from tests.annotator.teaching import teacher_on, work_off
from tests.annotator.web.helpers import encode
from tests.factories import join, make_items
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {"teachers": "", "teacher": "teacher", "teacher_prompt": "teacher", "scorecard": "voice",
         "annotators": "", "routing": "", "agreement": "", "explore": ""}  # fmt: skip


WORDS = ("a cat", "an ox", "tea", "rain", "a hat")


def shouted(texts):
    return texts[-1].upper()


@pytest.fixture
def project(cast):
    made = projects.create_project(
        cast.lea, "Corrections", task_type="text", item_kind="pair", audit_share=0
    )
    join(made, cast.ana, Role.ANNOTATOR)
    make_items(made, [f"What is {WORDS[n % 5]}? {n}" for n in range(30)])
    Item.objects.filter(project=made).update(text_b="teh draft")
    encode(made, np.eye(30, dtype=np.float32)[:, :30])
    return Project.objects.get(pk=made.pk)


@pytest.fixture
def taught(cast, project):
    with Loopback(plays.written(shouted)) as server:
        yield teacher_on(server, cast, project=project, items=0, params={"reason": True})


def audited(project, share):
    """The project, with a random sample of its items."""
    Project.objects.filter(pk=project.pk).update(audit_share=share)
    found = Project.objects.get(pk=project.pk)
    auditing.recut(found)
    return Project.objects.get(pk=project.pk)


def write(project, user, count, make=lambda lease: lease.item.text_b.upper()):
    """This person's next texts."""
    voice = assigning.voice_of(project, user)
    for _ in range(count):
        leases = assigning.lease(project, voice, 1)
        if not leases:
            break
        value = {"text": make(leases[0])}
        labeling.submit(
            project, voice, uuid=uuid4(), assignment_id=leases[0].pk, value=value, seconds=1.0
        )


def test_a_trial_shows_texts_and_a_run_enters_them_as_suggestions(taught, cast, client):
    project, teacher = taught
    tried = work_off(teacher_runs.try_on(project, teacher, None))
    assert (tried.state, tried.answered) == ("done", 5)
    assert not Annotation.objects.exists()
    run = work_off(teacher_runs.start_run(project, teacher, None, 60))
    assert run.answered == 30
    said = Annotation.objects.filter(annotator=teacher.voice)
    assert {row.value["text"] for row in said} == {"TEH DRAFT"}
    assert [row.reason for row in said].count("It is due.") == 25, "the cache keeps no reasons"
    row = TeacherAnswer.objects.filter(run=run).first()
    assert row.value == {"text": "TEH DRAFT", "apart": None}
    assert row.confidence == 0.9
    work()
    assert not Verdict.objects.exists(), "a suggestion decides nothing"
    voice = assigning.voice_of(project, cast.ana)
    (lease,) = assigning.lease(project, voice, 1)
    assert lease.suggestion == {"text": "TEH DRAFT"}, "it can be sent back as it is"
    stored = labeling.submit(
        project,
        voice,
        uuid=uuid4(),
        assignment_id=lease.pk,
        value=lease.suggestion,
        seconds=1.0,
    )
    assert stored.value == {"text": "TEH DRAFT", "edits": 8}
    assert stored.blind is False
    client.force_login(cast.lea)
    for one in (tried, run):
        page = client.get(reverse("teacher_run", args=[project.pk, one.pk])).content.decode()
        assert "TEH DRAFT" in page
        assert "no label" not in page
    url = reverse("api_teacher_run", args=[project.pk, tried.pk])
    assert client.get(url).json()["answers"][0]["value"] == {"text": "TEH DRAFT"}


def test_nothing_is_suggested_where_an_answer_is_to_be_blind(taught, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    project = audited(project, 1)
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    assert lease.stream == "audit"
    assert lease.suggestion == []


def test_items_on_which_teachers_disagree_are_asked_about_first(taught, cast):
    project, teacher = taught
    project.strategy = "disagreement"
    project.save()
    assert "disagreement" in project.strategies
    jobs.enqueue("refill", project=project)
    work()
    reasons = set(Pick.objects.values_list("reason", flat=True))
    assert all(reason.endswith("no item has two texts") for reason in reasons), reasons
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    words = {"a cat": "TEH DRAFT", "tea": "teh draft", "rain": "TEH DRAFT!"}

    def other(texts):
        return next((said for word, said in words.items() if word in texts[0]), None)

    with Loopback(plays.written(other)) as server:
        second = second_on(server, cast, project)
        run = work_off(teacher_runs.start_run(project, second, None, 60))
    assert (run.answered, run.abstained) == (18, 12)
    rows = TeacherAnswer.objects.filter(run=run, abstained="").select_related("item")
    told = {word: row.value["apart"] for row in rows for word in words if word in row.item.text}
    assert told == {"a cat": 0.0, "tea": 0.8889, "rain": 0.1}
    far = disagreeing.apart(project, 30)
    assert np.isnan(far).sum() == 12
    work()
    first = Pick.objects.order_by("rank").select_related("item")[:6]
    assert all("tea" in pick.item.text for pick in first)
    assert first[0].reason == "two teachers' texts differ in 89 % of their characters"
    last = Pick.objects.order_by("-rank")[0]
    assert last.reason.endswith("fewer than two teachers wrote about it")


def second_on(server, cast, project):
    endpoint = endpoints.register(User.objects.get(username="ada"), "Second", server.base_url)
    return teachers.create_teacher(
        project,
        cast.lea,
        name="Second",
        plugin="openai",
        endpoint=endpoint,
        key="sk-2",
        cap_run=1_000,
        params={"model": "other"},
    )


def test_two_runs_that_enter_at_once_see_each_other(taught, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    row = TeacherAnswer.objects.filter(annotation__isnull=False)[0]
    row.run.teacher.voice_id = None  # as another voice sees it
    row.value = {"text": "TEH DRAFTS"}
    disagreeing.note(row.run, [row])
    assert row.value["apart"] == 0.1


def test_solved_examples_are_texts_of_people_alone(taught, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    write(project, cast.ana, 3, lambda lease: f"Ana on {lease.item.number}")
    work()
    schema = lending.schema_of(project)
    params = {**teacher.params, "demonstrations": 8}
    asked = next(n for n in range(30) if not Verdict.objects.filter(item__number=n).exists())
    (item,) = lending.items_of(project, [asked])
    lent, facts = demonstrating.means_of(project, schema, params, [asked])
    assert facts["solved"] == 3
    shown = lent["show"]([item])
    assert {one.text for one in shown} == {f"Ana on {one.item.number}" for one in shown}
    prompts.change(teacher, None, demonstrations=8, instructions="Shout.")
    server_saw = work_off(teacher_runs.try_on(project, teacher, None))
    assert server_saw.state == "done"


def test_texts_are_held_against_people_on_the_random_sample(taught, cast, client, monkeypatch):
    project, teacher = taught
    monkeypatch.setattr(worded, "FEWEST", 4)
    project = audited(project, 0.5)
    write(project, cast.ana, 20, lambda lease: "TEH DRAFT" if lease.item.number % 2 else "TEH DRAF")
    work()
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    now = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
    score = worded.score(project, teacher, now)
    assert score.shared >= 4
    assert 0.88 < score.near.value <= 1
    assert score.near.low < 0.9 < score.near.high
    assert score.exact.value < 1
    assert worded.score(project, teacher, "other").shared == 0
    assert worded.score(project, teacher, "other").stale == score.shared
    found = teacher_figures.figures(project)[teacher.pk]
    assert found.same is None
    assert found.near == pytest.approx(score.near.value, abs=0.1)
    assert scores.agreement(project)[teacher.voice_id].share == found.near
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert "near to what people wrote" in page
    page = client.get(reverse("teachers", args=[project.pk])).content.decode()
    assert "by the share that needs no edit" in page


def test_what_only_knows_labels_says_so_and_every_page_opens(taught, client, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    with pytest.raises(ConflictError, match="none of texts yet"):
        qualifying.start(project, teacher, None)
    with pytest.raises(InvalidError, match="No policy weighs texts"):
        policies.change_policy(project, None, teacher=teacher, enabled=True)
    prompts.change(teacher, None, instructions="Shout.")
    with pytest.raises(ConflictError, match="no comparison of texts"):
        prompt_trials.start(teacher, [1, 2], None)
    with pytest.raises(InvalidError, match="labels of whole items"):
        teachers.create_teacher(project, cast.lea, name="Alike", plugin="zero-shot")
    job = jobs.enqueue("calibrate", project=project)
    jobs.execute(job.pk)
    assert "not calibrated" in Job.objects.get(pk=job.pk).result["why"]
    client.force_login(cast.lea)
    for name, more in PAGES.items():
        found = [teacher.voice_id] if more == "voice" else [teacher.pk] if more else []
        page = client.get(reverse(name, args=[project.pk, *found]))
        assert page.status_code == 200, name
        assert "Labels offered" not in page.content.decode()
    assert client.get(reverse("label", args=[project.pk])).status_code == 200


def test_the_price_foretold_covers_the_longest_text(taught):
    project, teacher = taught
    number = project.items.first().number
    usual = foretelling.estimate(teacher, [number])
    most = OpenAITeacher().text_tokens * teacher.params["price_out"] / 1e6
    assert usual.high > most
    teacher.params = {**teacher.params, "text_tokens": 20_000}
    assert foretelling.estimate(teacher, [number]).high > 10 * most
    written = prompts.written(teacher, number)
    assert "Draft:" in written.user
    schema = lending.schema_of(project)
    assert identity.fingerprint(teacher, teacher.params, schema) != identity.fingerprint(
        teacher, {**teacher.params, "text_tokens": 10}, schema
    )
    labels = TeacherSchema(labels=(LabelText(id=1, name="Refund"),))
    before = {name: each for name, each in teacher.params.items() if name != "text_tokens"}
    assert identity.fingerprint(teacher, before, labels) == identity.fingerprint(
        teacher, teacher.params, labels
    ), "a teacher of labels that was set up before there were texts stays the one it was"


def test_redacting_an_item_blanks_what_teachers_wrote_about_it(taught, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    voice = assigning.voice_of(project, cast.ana)
    (lease,) = assigning.lease(project, voice, 1)
    assert TeacherCache.objects.filter(answer__text="TEH DRAFT").exists()
    redacting.redact_item(lease.item, "lea")
    assert TeacherAnswer.objects.get(item=lease.item).value == {"text": "", "apart": None}
    assert Annotation.objects.get(item=lease.item).value == {"text": ""}
    assert Assignment.objects.get(pk=lease.pk).suggestion == []
    assert not TeacherCache.objects.filter(answer__text="TEH DRAFT").exists()


def test_what_is_answered_of_an_item_that_was_redacted_meanwhile_is_not_kept(taught, monkeypatch):
    project, teacher = taught
    gone, late = [], annotating.Desk.write

    def redact_first(desk):
        if desk.waiting and not gone:
            gone.append(Item.objects.get(project=project, number=desk.waiting[0].number))
            redacting.redact_item(gone[0], "lea")
        late(desk)

    monkeypatch.setattr(annotating.Desk, "write", redact_first)
    run = work_off(teacher_runs.start_run(project, teacher, None, 60))
    row = TeacherAnswer.objects.get(run=run, item=gone[0])
    assert (row.value, row.labels, row.abstained) == (None, [], annotating.GONE)
    assert not Annotation.objects.filter(item=gone[0]).exists()
    assert run.answered == 29


def test_a_text_that_only_a_killed_worker_kept_is_forgotten_with_the_next_redaction(taught):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 60))
    first, second = project.items.order_by("number")[:2]
    TeacherCache.objects.update(answer={"text": "about the second"})
    TeacherAnswer.objects.filter(item=second).update(value={"text": "about the second"})
    stray = TeacherCache.objects.first()
    stray.answer = {"text": "whose this is nobody wrote down"}
    stray.save()
    redacting.redact_item(first, "lea")
    assert not TeacherCache.objects.filter(pk=stray.pk).exists()
    assert TeacherCache.objects.filter(answer__text="about the second").exists()


def test_a_file_of_texts_becomes_a_teacher(project, cast, client):
    rows = [
        {"number": 0, "answer": "A cat.\r\n", "model": "m"},
        {"number": 1, "answer": " ", "model": "m"},
        {"number": 2, "answer": "x" * 20_001, "model": "m"},
        {"number": 3, "answer": ["a", "list"], "model": "m"},
        {"number": 4, "answer": 5, "model": "m"},
    ]
    file = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    look = recordings.look(recording)
    assert (look.mapping.written, look.mapping.number) == ("answer", "number")
    assert "20,000 characters" in look.problems[0].message
    assert len(look.problems) == 2
    with pytest.raises(InvalidError, match="holds the text"):
        recordings.begin(recording, AnswerMapping(number="number", label="answer"))
    with pytest.raises(InvalidError, match="Answers are texts here"):
        recordings.begin(recording, AnswerMapping(number="number", label="a", written="answer"))
    client.force_login(cast.lea)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "Text that was written" in page
    assert "Order of candidates" not in page
    assert "kept as a person’s is" in page
    page = client.get(reverse("recording_new", args=[project.pk])).content.decode()
    assert "the text that was written" in page
    recording = recordings.begin(recording, look.mapping, bad_rows="skip")
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["silent"]) == ("done", 1)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "hold no text" in page
    teacher = Teacher.objects.get(recording=recording)
    run = work_off(teacher_runs.start_run(project, teacher, None, 50))
    said = TeacherAnswer.objects.filter(run=run, abstained="").order_by("item__number")
    assert [row.value["text"] for row in said] == ["A cat.\n", "5"]
    silent = TeacherAnswer.objects.get(run=run, item__number=1)
    assert silent.abstained == "The recorded answer is no text."
    (item,) = Item.objects.filter(project=project, number=0)
    redacting.redact_item(item, "lea")
    assert RecordedAnswer.objects.get(item=item).written == ""
