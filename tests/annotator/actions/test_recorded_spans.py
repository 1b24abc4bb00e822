"""Marks that a model made elsewhere: a file becomes a teacher, held against people mark by mark."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotator import jobs
from annotator.actions.figures import marking, scorecards
from annotator.actions.imports import recordings
from annotator.actions.projects import redacting
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import teacher_figures
from annotator.errors import InvalidError
from annotator.formats.answers import AnswerMapping
from annotator.models import Item, Job, RecordedAnswer, Teacher, TeacherAnswer
from tests.annotator.marked import people_mark
from tests.annotator.teaching import work_off
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Ada met Bob in town"
ADA, BOB = {"start": 0, "end": 3, "label": "Person"}, {"start": 8, "end": 11, "label": "Person"}


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, [f"{TEXT} {n}" for n in range(40)])
    return made


def upload(project, rows):
    """The teacher that a file of these spans, item by item, becomes."""
    lines = (json.dumps({"number": number, "spans": spans}) for number, spans in rows)
    file = io.BytesIO("\n".join(lines).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    return recording, Teacher.objects.filter(recording=recording).first()


def test_places_and_quotes_of_a_file_become_marks(project):
    quoted = {"quote": "Bob", "before": "met ", "label": "person", "confidence": 0.8}
    far = {"start": 90, "end": 95, "label": "Person"}
    strange = {**ADA, "label": "Weather"}
    recording, teacher = upload(
        project, [(0, [ADA, quoted]), (1, []), (2, [ADA, far]), (3, [strange]), (4, None)]
    )
    assert recording.state == "done"
    assert recording.report["unknown"] == [["Weather", 1, 4, "spans"]]
    assert recording.report["silent"] == 1
    run = work_off(teacher_runs.start_run(project, teacher, None, 50))
    assert (run.state, run.answered, run.abstained) == ("done", 3, 2)
    rows = {row.item.number: row for row in TeacherAnswer.objects.select_related("item")}
    assert [(one["start"], one["end"]) for one in rows[0].value["spans"]] == [(0, 3), (8, 11)]
    assert rows[1].value == {"spans": []}
    assert rows[2].dropped == 1, "what lies outside the text is left out and counted"
    assert "Weather" in rows[3].abstained
    redacting.redact_item(Item.objects.get(project=project, number=0), "test")
    assert RecordedAnswer.objects.get(item__number=0).spans is None, "quotes are words of the text"


def test_a_mapping_fits_what_answers_are_here(project):
    file = io.BytesIO(b'{"number": 0, "prediction": "Person"}\n')
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    look = recordings.look(recording)
    assert look.mapping.spans == "prediction"
    assert "list" in look.problems[0].message
    with pytest.raises(InvalidError, match="holds the spans"):
        recordings.begin(recording, AnswerMapping(number="number"))
    with pytest.raises(InvalidError, match="mark spans here"):
        recordings.begin(recording, AnswerMapping(number="number", label="p", spans="prediction"))


def test_a_file_of_marks_becomes_a_teacher_by_hand(project, client, cast):
    client.force_login(cast.lea)
    lines = b'{"number": 0, "marks": [{"start": 0, "end": 3, "label": "Person"}]}\n{"number": 1}\n'
    file = SimpleUploadedFile("gpt.jsonl", lines)
    url = client.post(reverse("recording_new", args=[project.pk]), {"file": file}).url
    page = client.get(url).content.decode()
    assert "Marked spans" in page
    assert ">Probabilities<" not in page, "no column holds labels here"
    form = {"role-0": "number", "role-1": "spans", "do": "start", "name": "GPT"}
    assert client.post(url, form).status_code == 302
    jobs.execute(Job.objects.get(kind="record").pk)
    assert "hold no list of spans" in client.get(url).content.decode()
    assert RecordedAnswer.objects.get(item__number=0).spans[0]["end"] == 3


def test_marks_are_held_against_people_mark_by_mark(project, client, cast):
    people_mark(project, cast, [ADA, BOB])
    wide = {**BOB, "end": 14}
    _, teacher = upload(project, [(n, [ADA, wide] if n % 2 else [ADA, BOB]) for n in range(40)])
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    score = scorecards.score(project, teacher.voice)
    off = TeacherAnswer.objects.filter(item__number__in=range(1, 40, 2)).count()
    assert (score.shared, score.right) == (36, 36 - off), "an item is right when every mark is"
    assert score.marks.f1.value == pytest.approx(1 - off / 72)
    assert score.marks.near_f1.value == pytest.approx(1 - off / 72 + off / 72 * 0.5)
    assert score.marks.f1.low < score.marks.f1.value < score.marks.f1.high
    assert score.marks.precision.value == score.marks.recall.value == score.marks.f1.value
    agreed = marking.agreement(project)
    assert set(agreed) == {teacher.voice_id}, "nobody is held against their own word alone"
    assert agreed[teacher.voice_id].value == pytest.approx(score.marks.f1.value)
    assert agreed[teacher.voice_id].n == 36
    figures = teacher_figures.figures(project)[teacher.pk]
    assert (figures.shared, figures.same) == (36, None)
    assert figures.share == agreed[teacher.voice_id].value
    client.force_login(cast.lea)
    percent = f"{score.marks.f1.value * 100:.0f}"
    for name, more in (("annotators", []), ("scorecard", [teacher.voice_id]), ("teachers", [])):
        page = client.get(reverse(name, args=[project.pk, *more])).content.decode()
        assert percent in page
        assert "F1" in page
    told = client.get(f"/api/v1/projects/{project.pk}/scorecards/{teacher.voice_id}").json()
    assert told["marks"]["f1"]["value"] == pytest.approx(score.marks.f1.value)
    one = client.get(f"/api/v1/projects/{project.pk}/teachers/{teacher.pk}").json()
    assert (one["figures"]["same"], one["figures"]["shared"]) == (None, 36)


def test_few_marked_items_give_no_figure(project, cast):
    people_mark(project, cast, [ADA], count=4)
    _, teacher = upload(project, [(n, [ADA]) for n in range(40)])
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    score = scorecards.score(project, teacher.voice)
    assert (score.accuracy, score.marks, score.missing, score.right) == (None, None, 26, 4)
    assert teacher_figures.figures(project)[teacher.pk].share is None
