"""Forms that a model filled in elsewhere: what is wrong in a file is told where it stands."""

import io
import json

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.imports import recordings
from annotator.actions.projects import projects
from annotator.actions.teachers import teacher_runs
from annotator.models import Project, Teacher, TeacherAnswer
from tests.annotator.actions.test_forms import add, ids
from tests.annotator.teaching import work_off
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The kettle in room 4 leaks"
KETTLE = {"start": 4, "end": 10, "label": "Where > product"}


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    """Is it a complaint? Only then: where?"""
    made = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
    add(made, "Complaint", "yes", "no")
    add(made, "Where", "product", "room", kind="spans", only_if=[ids(made)["Complaint > yes"]])
    make_items(made, [f"{TEXT} {n}" for n in range(8)])
    return Project.objects.get(pk=made.pk)


def upload(project, rows):
    lines = (json.dumps({"number": number, **row}) for number, row in enumerate(rows))
    file = io.BytesIO("\n".join(lines).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    return recording


def asked(project, recording):
    """Item number -> why it has no answer, "" where it has one."""
    teacher = Teacher.objects.get(recording=recording)
    run = work_off(teacher_runs.start_run(project, teacher, None, 50))
    rows = TeacherAnswer.objects.filter(run=run).select_related("item")
    return {row.item.number: row.abstained for row in rows}


def test_labels_and_marks_that_contradict_each_other_are_a_bad_row(project):
    room = {**KETTLE, "label": "Where > room"}
    recording = upload(
        project,
        [
            {"labels": ["Complaint > yes"], "spans": [KETTLE]},
            {"labels": ["Complaint > yes", "Where > product"], "spans": []},
            {"labels": ["Complaint > yes", "Where > product"], "spans": [KETTLE, room]},
            {"labels": ["Complaint > no"], "spans": [KETTLE]},
            {"labels": ["Complaint > yes"], "spans": [{**KETTLE, "label": "Complaint > yes"}]},
            {"labels": ["Complaint > yes", "Where > product"], "spans": [KETTLE]},
        ],
    )
    assert recording.state == "needs_decision"
    told = {row: (column, message) for row, column, message in recording.report["problems"]}
    assert told == {
        2: ("spans", "“Where > product” is among the labels, and nothing is marked with it."),
        3: (
            "spans",
            "“Where > room” is marked, and it is not among the labels, where other marks' labels are.",
        ),
        4: (
            "spans",
            "“Where > product” is marked, and its question is not asked after these answers.",
        ),
        5: (
            "spans",
            "“Complaint > yes” is marked, and it answers no question that asks for marks.",
        ),
    }
    assert not Teacher.objects.exists()
    recording = recordings.decide(recording, "rest")
    jobs.execute(recording.job_id)
    assert asked(project, recording) == {0: "", 5: ""}


def test_a_span_whose_label_is_unknown_is_told_by_its_name_row_and_column(project, client, cast):
    strange = {**KETTLE, "label": "Where > <b>roof</b>"}
    recording = upload(
        project,
        [
            {"labels": ["Complaint > yes"], "spans": [KETTLE]},
            {"labels": ["Complaint > yes"], "spans": [strange]},
            {"labels": ["Complaint > perhaps"], "spans": []},
        ],
    )
    assert sorted(recording.report["unknown"]) == [
        ["Complaint > perhaps", 1, 3, "labels"],
        ["Where > <b>roof</b>", 1, 2, "spans"],
    ]
    assert asked(project, recording) == {
        0: "",
        1: "The recorded answer “Where > <b>roof</b>” is no label of this project.",
        2: "The recorded answer “Complaint > perhaps” is no label of this project.",
    }
    client.force_login(cast.lea)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "Where &gt; &lt;b&gt;roof&lt;/b&gt;" in page
    assert '<td class="num">2</td><td>spans</td>' in page


def test_a_report_of_before_has_no_places_and_is_shown(project, client, cast):
    recording = upload(project, [{"labels": ["Complaint > no"], "spans": []}])
    recording.report["unknown"] = [["Weather", 3]]
    recording.save()
    client.force_login(cast.lea)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "Weather" in page
    assert '<td class="num">–</td><td></td>' in page


def test_a_form_of_marks_alone_needs_no_column_of_labels(cast, client):
    project = projects.create_project(cast.lea, "Marks", task_type="form", audit_share=0)
    add(project, "Where", "product", kind="spans")
    make_items(project, [f"{TEXT} {n}" for n in range(3)])
    project = Project.objects.get(pk=project.pk)
    recording = upload(project, [{"spans": [KETTLE]}, {"spans": []}, {"spans": None}])
    assert (recording.state, recording.report["silent"]) == ("done", 1), recording.report
    assert asked(project, recording) == {
        0: "",
        1: "",
        2: "The recorded answer has no spans, and “Where” asks for them.",
    }
    given = TeacherAnswer.objects.get(item__number=0)
    assert given.labels == [ids(project)["Where > product"]]
    client.force_login(cast.lea)
    page = client.get(reverse("recording_new", args=[project.pk])).content.decode()
    assert "Who &gt; person" in page
