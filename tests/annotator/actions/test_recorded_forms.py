"""Forms that a model filled in elsewhere: what is wrong in a file is told where it stands."""

import io
import json

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.imports import recordings
from annotator.actions.projects import projects
from annotator.actions.teachers import teacher_runs
from annotator.errors import InvalidError
from annotator.formats.answers import AnswerMapping
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


def test_the_preview_tells_what_is_wrong_before_anything_is_read(project, client, cast):
    roof = {**KETTLE, "label": "Where > <b>roof"}
    rows = [
        {"number": 0, "labels": ["Complaint > yes"], "spans": [KETTLE]},
        {"number": 1, "labels": ["Complaint > no"], "spans": [KETTLE]},
        {"number": 2, "labels": ["Complaint > yes"], "spans": [roof]},
        {"number": 3, "labels": ["Complaint > perhaps"], "spans": [roof]},
    ]
    file = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    found = recordings.look(recording)
    told = "“Where > product” is marked, and its question is not asked after these answers."
    assert [(one.row, one.column, one.message) for one in found.problems] == [(2, "spans", told)]
    assert found.unknown == [("Where > <b>roof", 3, "spans"), ("Complaint > perhaps", 4, "labels")]
    client.force_login(cast.lea)
    page = client.get(reverse("recording", args=[project.pk, recording.pk])).content.decode()
    assert "the first is “Where &gt; &lt;b&gt;roof”, in row 3, column “spans”" in page
    assert told.replace(">", "&gt;") in page


class TestColumnsOfQuestions:
    ROWS = "number,Complaint,where,note\n0,yes,{marks},a\n1,no,,b\n2,no,{marks},c\n3,perhaps,,d\n"

    @pytest.fixture
    def recording(self, project):
        marks = [{"start": 4, "end": 10, "label": "product"}]
        cell = '"' + json.dumps(marks).replace('"', '""') + '"'
        file = io.BytesIO(self.ROWS.format(marks=cell).encode())
        return recordings.receive(project, file, None, name="gpt.csv")

    def test_they_are_guessed_and_faults_are_told_by_their_names(self, recording):
        found = recordings.look(recording)
        assert (found.mapping.answers, found.mapping.label) == (("Complaint", "where"), "")
        assert [(one.row, one.column) for one in found.problems] == [(4, "where")]
        assert found.unknown == [("Complaint > perhaps", 5, "Complaint")]

    def test_they_are_chosen_on_the_page(self, project, recording, client, cast):
        client.force_login(cast.lea)
        url = reverse("recording", args=[project.pk, recording.pk])
        page = client.get(url).content.decode()
        assert page.count('<option value="answers" selected>Answer to a question</option>') == 2
        left_out = client.post(url, {"role-2": "", "bad_rows": "skip", "do": "start"})
        assert left_out.status_code == 302
        recording.refresh_from_db()
        assert recording.mapping["answers"] == ["Complaint"]
        jobs.execute(recording.job_id)
        recording.refresh_from_db()
        assert asked(project, recording) == {
            0: "The recorded answer has no spans, and “Where” asks for them.",
            1: "",
            2: "",
            3: "The recorded answer “Complaint > perhaps” is no label of this project.",
        }

    def test_a_column_that_is_called_like_no_question_is_refused(self, recording):
        mapping = AnswerMapping(number="number", answers=("Complaint", "note"))
        told = "“note” is called like no question that a teacher answers."
        assert recordings.look(recording, mapping=mapping).problem == told
        with pytest.raises(InvalidError, match="called like no question"):
            recordings.begin(recording, mapping)

    def test_beside_a_column_of_all_labels_they_are_refused(self, recording):
        mapping = AnswerMapping(number="number", label="note", answers=("Complaint",))
        assert (
            "or those that hold all labels" in recordings.look(recording, mapping=mapping).problem
        )

    def test_a_column_that_says_what_a_model_predicted_goes_before_them(self, project):
        file = io.BytesIO(b"number,Complaint,where,prediction\n0,no,,Complaint > yes\n")
        found = recordings.look(recordings.receive(project, file, None, name="gpt.csv"))
        assert (found.mapping.label, found.mapping.answers) == ("prediction", ())

    def test_some_of_them_do_not_stand_for_a_column_of_all_labels(self, project):
        file = io.BytesIO(b"number,Complaint,labels\n0,no,Complaint > yes\n")
        found = recordings.look(recordings.receive(project, file, None, name="gpt.csv"))
        assert (found.mapping.label, found.mapping.answers) == ("labels", ())


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
