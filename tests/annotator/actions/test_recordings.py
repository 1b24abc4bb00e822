"""Answers made elsewhere: a file becomes teachers, whole or not at all."""

import io

import pytest

from annotator import jobs
from annotator.actions.imports import recording_rows, recordings
from annotator.actions.imports.uploads import folder
from annotator.actions.instance import sweeping
from annotator.actions.projects import redacting
from annotator.actions.teachers import teacher_runs, teachers
from annotator.errors import ConflictError, InvalidError
from annotator.formats.answers import AnswerMapping
from annotator.models import (
    Annotation,
    Item,
    Job,
    JobState,
    RecordedAnswer,
    Recording,
    Teacher,
    TeacherAnswer,
)
from tests.annotator.teaching import work_off
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

FILE = (
    "text,prediction,confidence,model,cost\n"
    "ticket number 0,billing,0.9,gpt,0.002\n"
    "ticket number 1,Delivery,0.6,gpt,0.002\n"
    "ticket number 2,Weather,0.8,gpt,0.002\n"
    "ticket number 3,,,gpt,\n"
    "ticket  number 0,Login,0.7,llama,\n"
)
BAD = FILE + (
    "ticket number 99,Login,0.7,gpt,\n"
    "ticket number 4,Login,7,gpt,\n"
    "ticket number 1,Login,0.7,gpt,\n"
)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, 6)
    return made


def receive(project, content=FILE, name="gpt.csv"):
    return recordings.receive(project, io.BytesIO(content.encode()), None, name=name)


def read(project, content=FILE, **options):
    recording = receive(project, content)
    mapping = options.pop("mapping", None) or recordings.look(recording).mapping
    recording = recordings.begin(recording, mapping, None, **options)
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    return recording


def test_a_look_changes_nothing_and_says_what_is_there(project):
    found = recordings.look(receive(project))
    assert (found.mapping.text, found.mapping.label, found.mapping.money) == (
        "text",
        "prediction",
        "cost",
    )
    assert found.models == [("gpt", 4), ("llama", 1)]
    assert ("Weather", 1, False) in found.labels
    assert ("billing", 1, True) in found.labels, "a name is the same whatever its case"
    assert not RecordedAnswer.objects.exists()


def test_each_model_becomes_a_teacher_that_answers_from_the_file(project):
    recording = read(project, name="Elsewhere")
    assert recording.state == "done"
    assert {each.name for each in Teacher.objects.all()} == {"Elsewhere gpt", "Elsewhere llama"}
    assert (recording.report["answers"], recording.report["silent"]) == (5, 1)
    assert recording.report["unknown"] == [["Weather", 1, 4, "prediction"]]
    assert not list(folder().iterdir()), "the file is not needed any more"
    gpt = teachers.named(project, "Elsewhere gpt")
    assert sorted(teacher_runs.drawn(project, gpt, 50)) == [0, 1, 2, 3], "nothing else is asked"
    run = work_off(teacher_runs.start_run(project, gpt, None, 50))
    assert (run.state, run.answered, run.abstained, run.spent) == ("done", 2, 2, 0)
    rows = {row.item.number: row for row in TeacherAnswer.objects.select_related("item")}
    billing = project.labels.get(name="Billing").pk
    assert rows[0].labels == [billing]
    assert rows[0].confidence == pytest.approx(0.9)
    assert float(rows[0].money) == 0.002
    assert "Weather" in rows[2].abstained
    assert Annotation.objects.filter(annotator=gpt.voice).count() == 2
    with pytest.raises(ConflictError, match="no item left"):
        teacher_runs.start_run(project, gpt, None, 50)


def test_a_distribution_may_leave_out_what_has_nothing(project):
    content = '{"number": 0, "probabilities": {"Billing": 0.7, "Login": 0.3}, "model": "m"}\n'
    recording = receive(project, content, "gpt.jsonl")
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.execute(recording.job_id)
    run = work_off(teacher_runs.start_run(project, Teacher.objects.get(), None, 5))
    row = TeacherAnswer.objects.get(run=run)
    ids = {label.name: str(label.pk) for label in project.labels.all()}
    assert row.probabilities == {ids["Billing"]: 0.7, ids["Login"]: 0.3}


def test_bad_rows_are_named_and_a_person_decides(project):
    recording = read(project, BAD)
    assert recording.state == "needs_decision"
    report = recording.report
    assert (report["rows"], report["bad_rows"], report["good_rows"]) == (8, 3, 5)
    named = {(row, column) for row, column, _ in report["problems"]}
    assert named == {(7, "text"), (8, "confidence"), (9, "text")}
    assert any("Row 3" in told for _, _, told in report["problems"]), "the double is told"
    assert not RecordedAnswer.objects.exists()
    assert not Teacher.objects.exists()
    recording = recordings.decide(recording, "rest")
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["bad_rows"]) == ("done", 3)
    assert RecordedAnswer.objects.count() == 5


def test_nothing_stays_of_a_file_that_is_let_go(project):
    recording = recordings.decide(read(project, BAD), "discard")
    assert recording.state == "discarded"
    assert not list(folder().iterdir())
    with pytest.raises(ConflictError):
        recordings.begin(recording, AnswerMapping(text="text", label="prediction"))


def test_a_file_about_other_items_is_refused(project):
    recording = read(project, "text,label\nsomething else,Billing\n", bad_rows="skip")
    assert recording.state == "failed"
    assert "No row" in recording.report["refused"]
    assert recording.report["problems"] == [[2, "text", "The project has no such item."]]


def test_an_id_of_two_items_is_refused(project):
    Item.objects.filter(number__in=[0, 1]).update(external_id="same")
    mapping = AnswerMapping(id="id", label="label")
    recording = read(project, "id,label\nsame,Billing\n", mapping=mapping, bad_rows="skip")
    assert "2 items" in recording.report["problems"][0][2]


def test_what_is_missing_is_said_before_anything_is_read(cast, project):
    with pytest.raises(InvalidError, match="tells the item"):
        recordings.begin(receive(project), AnswerMapping(label="prediction"))
    with pytest.raises(InvalidError, match="uploading"):
        teachers.create_teacher(project, None, name="A", plugin="recorded")
    with pytest.raises(ConflictError, match="no labels"):
        receive(make_project(cast, labels=()))


def test_a_killed_worker_s_successor_begins_anew(project, monkeypatch):
    monkeypatch.setattr(recording_rows, "LOT", 2)
    recording = receive(project)
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    whole, lots = RecordedAnswer.objects.bulk_create, []

    def dies_at_the_second(rows):
        lots.append(rows)
        if len(lots) == 2:
            raise MemoryError
        return whole(rows)

    with monkeypatch.context() as patch:
        patch.setattr(RecordedAnswer.objects, "bulk_create", dies_at_the_second)
        with pytest.raises(MemoryError):
            jobs.execute(recording.job_id)
    assert RecordedAnswer.objects.count() == 2
    assert not Teacher.objects.exists(), "no teacher answers from half a file"
    Job.objects.filter(pk=recording.job_id).update(lease_until="2020-01-01T00:00Z")
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    assert (recording.state, RecordedAnswer.objects.count()) == ("done", 5)


def test_a_cancelled_reading_leaves_a_file_to_begin_again(project):
    recording = receive(project)
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.request_cancel(recording.job)
    sweeping.sweep()
    recording.refresh_from_db()
    assert recording.state == "failed"
    recording = recordings.begin(recording, AnswerMapping.from_json(recording.mapping))
    jobs.execute(recording.job_id)
    assert Recording.objects.get().state == "done"
    assert Job.objects.filter(state=JobState.DONE).count() == 1


def test_a_redacted_item_takes_what_was_said_of_it_along(project):
    read(project, 'number,label,reason\n0,nonsense about Ada,"Ada wants it"\n', bad_rows="ask")
    redacting.redact_item(Item.objects.get(number=0), "test")
    row = RecordedAnswer.objects.get()
    assert (row.reason, row.unknown) == ("", "")
