"""Teachers in a project of rankings: their orders are suggested, measured, learnt from, and decide nothing."""

import io
import json

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.figures import ordered
from annotator.actions.imports import recordings
from annotator.actions.queue import auditing
from annotator.actions.routing import policies
from annotator.actions.students import distilling, taught_orders
from annotator.actions.teachers import (
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
    Item,
    Project,
    RecordedAnswer,
    StudentVersion,
    Teacher,
    TeacherAnswer,
    Verdict,
)
from annotator.web import scores
from learning.teachers.types import LabelText, TeacherSchema
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_ordering import project, rank, truth
from tests.annotator.teaching import teacher_on, work_off
from tests.llm import plays
from tests.llm.loopback import Loopback

__all__ = ["project"]

pytestmark = pytest.mark.django_db(transaction=True)

GRADES = {"cheap": 0, "low": 0, "tasty": 1, "pizza": 1, "train": 2, "delay": 2}
PAGES = {"teachers": "", "teacher": "teacher", "teacher_prompt": "teacher", "scorecard": "voice",
         "annotators": "", "routing": "", "agreement": "", "recording_new": ""}  # fmt: skip


def grade(text):
    return next(worth for word, worth in GRADES.items() if word in text)


def by_the_rule(request, worth=grade):
    """What a model says that knows the rule of the house."""
    entries = []
    for key, (_, shown) in plays.lists_of(request).items():
        found = [worth(text) for text in shown]
        order = [
            [str(place) for place, own in enumerate(found, 1) if own == one]
            for one in sorted(set(found))
        ]
        entries.append({"item": key, "order": order})
    return json.dumps({"answers": entries})


@pytest.fixture
def taught(cast, project):
    with Loopback(plays.says(by_the_rule)) as server:
        yield teacher_on(server, cast, project=project, items=0)


def test_a_trial_shows_orders_and_a_run_enters_them_as_suggestions(taught, cast, client):
    project, teacher = taught
    tried = work_off(teacher_runs.try_on(project, teacher, None))
    assert (tried.state, tried.answered) == ("done", 5)
    assert not Annotation.objects.exists()
    run = work_off(teacher_runs.start_run(project, teacher, None, 60))
    said = Annotation.objects.filter(annotator=teacher.voice).select_related("item")
    assert said.count() == run.answered > 30
    assert all(row.value == {"order": truth(row.item)} for row in said)
    row = TeacherAnswer.objects.filter(run=run).first()
    assert row.value["steady"] == 1.0
    assert row.confidence == 1.0
    assert not Verdict.objects.exists()
    project.audit_share = 0
    project.save()
    voice = assigning.voice_of(project, cast.ana)
    (lease,) = assigning.lease(project, voice, 1)
    assert lease.suggestion == {"order": truth(lease.item)}, "it can be sent back as it is"
    client.force_login(cast.lea)
    page = client.get(reverse("teacher_run", args=[project.pk, tried.pk])).content.decode()
    assert "two sequences agree: tau 1.00" in page
    assert client.get(reverse("label", args=[project.pk])).status_code == 200


def test_orders_are_held_against_people_on_the_random_sample(taught, cast, client, monkeypatch):
    project, teacher = taught
    monkeypatch.setattr(ordered, "FEWEST", 4)
    rank(project, cast.ana, 30)
    work()
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    now = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
    score = ordered.score(project, teacher, now)
    assert score.shared >= 4
    assert score.tau.value == score.exact.value == score.steady.value == 1
    assert score.tau.low < 0.95, "few items do not tell so much"
    assert ordered.score(project, teacher, "other").shared == 0
    assert ordered.score(project, teacher, "other").stale == score.shared
    found = teacher_figures.figures(project)[teacher.pk]
    assert (found.same, found.pairs) == (None, 1.0)
    on_the_page = scores.agreement(project)
    assert set(on_the_page) == {teacher.voice_id}, "nobody else answered what ana did"
    assert on_the_page[teacher.voice_id].share == found.pairs
    monkeypatch.setattr(ordered, "LATEST_OF_VOICE", 2)
    assert teacher_figures.figures(project)[teacher.pk].shared == 2
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert "Kendall’s tau on" in page
    assert "agree with tau 1.00" in page


def test_what_only_knows_labels_says_so_and_every_page_opens(taught, client, cast):
    project, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    with pytest.raises(ConflictError, match="none of orders yet"):
        qualifying.start(project, teacher, None)
    with pytest.raises(InvalidError, match="No policy weighs orders"):
        policies.change_policy(project, None, teacher=teacher, enabled=True)
    prompts.change(teacher, None, instructions="Cheap first.")
    with pytest.raises(ConflictError, match="no comparison of orders"):
        prompt_trials.start(teacher, [1, 2], None)
    job = jobs.enqueue("calibrate", project=project)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert "not calibrated" in job.result["why"]
    client.force_login(cast.lea)
    for name, more in PAGES.items():
        found = [teacher.voice_id] if more == "voice" else [teacher.pk] if more else []
        page = client.get(reverse(name, args=[project.pk, *found]))
        assert page.status_code == 200, name
        assert "Ask how sure it is" not in page.content.decode(), "two sequences tell it"
        assert "Labels offered" not in page.content.decode()
    page = client.get(reverse("routing", args=[project.pk])).content.decode()
    assert "No policy weighs orders yet" in page
    assert "Save the policy" not in page, "what would be refused is not offered"


def test_the_price_foretold_is_that_of_all_sequences_and_windows(taught):
    project, teacher = taught
    number = project.items.first().number
    twice = foretelling.estimate(teacher, [number])
    teacher.params = {**teacher.params, "passes": 4}
    often = foretelling.estimate(teacher, [number])
    assert often.low == pytest.approx(2 * twice.low)
    teacher.params = {**teacher.params, "window": 2}
    in_pairs = foretelling.estimate(teacher, [number])
    assert in_pairs.low == often.low, "what is known for sure is one prompt for each sequence"
    assert in_pairs.high > 1.2 * often.high
    written = prompts.written(teacher, number)
    assert "Candidate 1:" in written.user
    assert "Items to order:" in written.user
    schema = lending.schema_of(project)
    now, before = (identity.fingerprint(teacher, told, schema) for told in (teacher.params, {}))
    assert now != before
    labels = TeacherSchema(labels=(LabelText(id=1, name="Refund"),))
    of_labels = {**teacher.params, "passes": 2}
    assert identity.fingerprint(teacher, of_labels, labels) == identity.fingerprint(
        teacher, teacher.params, labels
    ), "a teacher of labels that was set up before there were passes stays the one it was"


def test_the_encoder_alone_orders_by_likeness(cast, project):
    teacher = teachers.create_teacher(project, cast.lea, name="Alike", plugin="zero-shot")
    run = work_off(teacher_runs.start_run(project, teacher, None, 5))
    assert (run.state, run.answered + run.abstained) == ("done", 5)
    assert {kind for kind, _ in teachers.offered(project)} == {"zero-shot", "openai"}


def test_a_teacher_teaches_the_ranker_once_it_is_surely_better(cast, project, client, monkeypatch):
    monkeypatch.setattr(auditing, "FEWEST_TO_SHOW", 3)
    monkeypatch.setattr(distilling, "FEWEST_ROWS", 5)
    monkeypatch.setattr(taught_orders, "BOUGHT_ALPHA", 0.5)
    Project.objects.filter(pk=project.pk).update(audit_share=0.6)
    project = Project.objects.get(pk=project.pk)
    rank(project, cast.ana, 30)
    work()
    assert newest().beside == {}
    model = {"worth": len}
    with Loopback(plays.says(lambda asked: by_the_rule(asked, **model))) as server:
        _, teacher = teacher_on(server, cast, project=project, items=0)
        work_off(teacher_runs.start_run(project, teacher, None, 60, pool="audited"))
        work()
        guessed = newest()
        assert guessed.beside["better"]["difference"] < 0
        assert "rows" not in guessed.beside
        model["worth"] = grade
        teachers.change_teacher(teacher, None, params={"temperature": 0.5})
        work_off(teacher_runs.start_run(project, teacher, None, 60))
        work_off(teacher_runs.start_run(project, teacher, None, 60, pool="audited"))
    work()
    version = newest()
    assert version.number > guessed.number, "a run that is over is learnt from"
    assert version.beside["voice"] == {"teacher": teacher.pk, "name": "Fake"}
    assert version.beside["better"]["p_better"] <= 0.05
    assert version.beside["rows"] >= 5
    assert version.beside["weight"] == 1.0
    assert version.beside["bought"]["p_better"] <= 0.5
    assert version.trained_on == guessed.trained_on, "no figure counts what a teacher said"
    client.force_login(cast.lea)
    for url in (
        reverse("students", args=[project.pk]),
        reverse("student", args=[project.pk, version.number]),
    ):
        assert "soft rows of Fake (weight 1)" in client.get(url).content.decode()
    monkeypatch.setattr(taught_orders, "BOUGHT_ALPHA", 0.0)
    jobs.execute(jobs.enqueue("train", project=project).pk)
    assert newest().beside["bought"]
    assert "rows" not in newest().beside, "what may be chance is not kept"
    Project.objects.filter(pk=project.pk).update(soft_rows=False)
    jobs.execute(jobs.enqueue("train", project=Project.objects.get(pk=project.pk)).pk)
    assert newest().beside == {}


def newest():
    return StudentVersion.objects.order_by("-number")[0]


def test_a_file_of_orders_becomes_a_teacher(project, cast, client):
    first, second, third = Item.objects.filter(project=project).order_by("number")[:3]
    rows = [
        {"number": first.number, "ranking": [[str(one) for one in each] for each in truth(first)]},
        {"number": second.number, "ranking": " > ".join(map(str, range(1, 7)))},
        {"number": third.number, "ranking": None},
        {"number": third.number + 1, "ranking": "best first"},
        {"number": third.number + 2, "ranking": [["a"], [2]]},
        {"number": third.number + 3, "ranking": [1] * 2_000},
    ]
    file = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    look = recordings.look(recording)
    assert look.mapping.order == "ranking"
    assert "is no order" in look.problems[0].message
    assert "whole numbers" in look.problems[1].message
    assert len(look.problems) == 3
    with pytest.raises(InvalidError, match="holds the order"):
        recordings.begin(recording, AnswerMapping(number="number", label="ranking"))
    with pytest.raises(InvalidError, match="your own id, or its number"):
        recordings.begin(recording, AnswerMapping(text="number", order="ranking"))
    with pytest.raises(InvalidError, match="are orders of candidates"):
        recordings.begin(recording, AnswerMapping(number="number", label="a", order="ranking"))
    client.force_login(cast.lea)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "Order of candidates" in page
    assert "Marked spans" not in page
    assert "Item, by text" not in page, "a text may be asked about several lists"
    recording = recordings.begin(recording, look.mapping, bad_rows="skip")
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["silent"]) == ("done", 1)
    assert RecordedAnswer.objects.get(item=first).order == truth(first)
    teacher = Teacher.objects.get(recording=recording)
    run = work_off(teacher_runs.start_run(project, teacher, None, 50))
    answers = {row.item_id: row for row in TeacherAnswer.objects.filter(run=run)}
    if first.pk in answers:  # unless it is drawn for the audit
        assert answers[first.pk].value["order"] == truth(first)
    if second.pk in answers and len(second.candidates) != 6:
        assert "candidates once" in answers[second.pk].abstained
