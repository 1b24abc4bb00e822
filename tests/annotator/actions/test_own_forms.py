"""A form's own export, opened as a new project: the questions come back as they were, with the answers."""

import csv
import io
import json
import zipfile

import pytest

from annotator import jobs
from annotator.actions.exports import exporting, form_columns
from annotator.actions.imports import importing, looking, recordings
from annotator.actions.projects import form_questions, projects, starting
from annotator.actions.teachers import teacher_runs
from annotator.actions.verdicts import settling
from annotator.formats.mapping import Mapping
from annotator.formats.own_forms import questions_in
from annotator.formats.records import Record
from annotator.models import FormQuestion, Project, Teacher, TeacherAnswer, Verdict
from tests.annotator.actions.test_forms import add, ids
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.formats.test_spreadsheet import book_of
from tests.annotator.teaching import work_off
from tests.factories import make_project

pytestmark = pytest.mark.django_db

TABLES = ("csv", "tsv", "xlsx")
FORMATS = (*TABLES, "jsonl", "json", "parquet")
WHY = "It leaks,\n=2 litres\ta day"
# What each row answers, question by question; None where it is not asked.
ASKED = ("Grievance", "Where", "Why", "Topics", "How bad")
ANSWERS = {
    "The kettle leaks": ("-1", ["product"], WHY, [], "2"),
    "The kettle is fine": ("no", None, None, ["a|b", "[x]"], None),
    "Rooms were cold": ("-1", [], "cold", ["a|b"], "5"),
    "The kettle broke": ("-1", ["product", "room"], "old", [], "3"),
    "Rooms were loud": ("-1", [], "loud", [], "1"),
    "All was well": ("no", None, None, [], None),
}


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def questions(project):
    """Name -> how it is asked, with what its columns are called after."""
    names = dict(project.labels.values_list("pk", "name"))
    return {
        one.name: (
            one.key,
            one.kind,
            sorted(names[pk] for pk in one.only_if),
            sorted(label.part for label in one.labels.all()),
        )
        for one in FormQuestion.objects.filter(project=project)
    }


def said(project):
    """Text -> the answer's labels by name, its places, its texts."""
    settling.settle_now(project)
    names = dict(project.labels.values_list("pk", "name"))
    return {
        row.item.text: (
            {names[pk] for pk in row.labels},
            [(one["start"], names[one["label"]]) for one in row.value.get("spans") or ()],
            row.value["texts"],
        )
        for row in Verdict.objects.filter(project=project, state="decided").select_related("item")
    }


@pytest.fixture
def told(cast):
    """Is it a complaint? Only then: where, why and how bad; topics always. One question was renamed."""
    made = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
    add(made, "Complaint?", "-1", "no")
    yes = [ids(made)["Complaint? > -1"]]
    add(made, "Where", "product", "room", kind="spans", only_if=yes)
    form_questions.add_question(made, "Why", kind="text", only_if=yes)
    add(made, "Topics", "a|b", "[x]", kind="multi")
    add(made, "How bad", *"12345", kind="rating", only_if=yes)
    form_questions.change_question(FormQuestion.objects.get(key="complaint"), name="Grievance")
    rows = [
        {"text": text, "state": "decided"} | dict(zip(ASKED, answers, strict=True))
        for text, answers in ANSWERS.items()
    ]
    for row in rows:
        if row["Where"] is not None:
            row["Where"] = [{"start": 4, "end": 10, "label": label} for label in row["Where"]]
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, {"text": "unseen"}])
    project = Project.objects.get(pk=made.pk)
    mapping = Mapping(text="text", answers=ASKED)
    batch = imported(project, lines.encode(), mapping, name="x.jsonl", labels="truth")
    assert (batch.state, batch.report["bad_rows"]) == ("done", 0), batch.report
    assert len(said(project)) == len(ANSWERS)
    return project


def written(project, format):
    """The project's export, as it is or as other programs keep it."""
    own = "csv" if format in TABLES else "jsonl" if format == "json" else format
    snapshot = exporting.create_snapshot(project, exporting.Options(format=own))
    run(snapshot.job)
    snapshot.refresh_from_db()
    with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
        content = archive.read(f"items.{own}")
    if format == "json":
        return b"[" + b",".join(content.splitlines()) + b"]"
    rows = list(csv.reader(io.StringIO(content.decode(), newline=""))) if own == "csv" else []
    if format == "xlsx":
        return book_of(Items=rows)
    if format == "tsv":
        out = io.StringIO(newline="")
        csv.writer(out, delimiter="\t").writerows(rows)
        return out.getvalue().encode()
    return content


def opened(cast, content, name):
    """A new project of a file, begun as the wizard proposes it."""
    batch = starting.open_project(cast.lea, io.BytesIO(content), file_name=name)
    found = looking.look(batch)
    batch = starting.begin(
        batch,
        found.mapping,
        importing.Options(labels="truth", reader=found.reader),
        cast.lea,
        task_type=batch.project.task_type,
    )
    run(batch.job)
    batch.refresh_from_db()
    return Project.objects.get(pk=batch.project_id), batch


@pytest.mark.parametrize("format", FORMATS)
def test_the_export_of_a_form_makes_the_same_form_with_the_same_answers(told, cast, format):
    project, batch = opened(cast, written(told, format), f"items.{format}")
    assert (batch.state, batch.report["bad_rows"]) == ("done", 0), batch.report
    assert project.task_type == "form"
    assert questions(project) == questions(told)
    assert said(project) == said(told)
    assert project.items.count() == len(ANSWERS) + 1
    columns = form_columns.kinds(project.task)
    assert columns == form_columns.kinds(told.task)


def test_a_project_that_asks_no_questions_takes_the_labels_of_such_an_export(told, cast):
    project = make_project(cast, name="Labels", labels=("One",), task_type="multi", audit_share=0)
    content = io.BytesIO(written(told, "csv"))
    mapping = looking.look(importing.receive(project, content, cast.lea, name="x.csv")).mapping
    assert (mapping.label, mapping.answers) == ("labels", ())


def test_what_is_left_out_of_such_an_export_is_not_asked(told, cast):
    content = io.BytesIO(written(told, "jsonl"))
    batch = starting.open_project(cast.lea, content, file_name="x.jsonl")
    mapping = Mapping(text="text", answers=("answer_complaint", "answer_topics"))
    starting.begin(batch, mapping, importing.Options(), cast.lea, task_type="form")
    assert set(questions(batch.project)) == {"Grievance", "Topics"}


def export(*answers, **labels):
    """Rows of an export with these answers, and with the labels that they have beside."""
    own = {"content_hash": "x", "state": "decided", "voices": 1}
    rows = [own | {f"answer_{key}": cell for key, cell in one.items()} for one in answers]
    for row in rows:
        row["labels"] = [
            f"{name} > {row[f'answer_{key}']}"
            for key, name in labels.items()
            if row[f"answer_{key}"] is not None
        ]
    return list(rows[0]), [Record(n, row) for n, row in enumerate(rows, 1)]


def test_a_text_that_was_left_empty_may_be_left_empty_again():
    names, records = export({"a": "x", "note": "fine"}, {"a": "y", "note": ""}, {"a": "x", "note": None}, a="A")  # fmt: skip
    assert [(one.kind, one.optional) for one in questions_in(names, records)] == [
        ("single", False),
        ("text", True),
    ]


def test_a_table_does_not_tell_a_text_that_was_left_empty_from_one_that_was_not_asked():
    names, records = export({"a": "x", "note": "fine"}, {"a": "x", "note": ""}, a="A")
    (_, note) = questions_in(names, records)
    assert (note.optional, note.after) == (True, None)


def test_a_text_that_is_edited_is_edited_again():
    names, records = export({"a": "x", "note": "fine"}, a="A")
    assert [one.edits for one in questions_in([*names, "edits_note"], records)] == [False, True]


def test_of_two_conditions_that_fit_the_one_with_fewer_answers_is_taken():
    rows = [{"a": a, "b": b, "c": c} for a, b, c in
            (("x", "1", "p"), ("x", "2", "q"), ("y", None, None))]  # fmt: skip
    names, records = export(*rows, a="A", b="B", c="C")
    after = [one.after for one in questions_in(names, records)]
    assert after == [None, ("answer_a", ("x",)), ("answer_a", ("x",))]


def test_three_whole_numbers_or_more_are_grades_from_one_on():
    rows = [{"a": grade} for grade in ("2", "4", "5", "5")]
    names, records = export(*rows, a="How bad")
    (found,) = questions_in(names, records)
    assert (found.kind, found.answers) == ("rating", tuple("12345"))
    names, records = export(*rows[:2], a="How bad")
    assert questions_in(names, records)[0].kind == "single"


def test_two_questions_that_are_always_answered_alike_keep_their_own_names():
    names, records = export({"how-bad": "x", "b": "x"}, b="How bad", **{"how-bad": "B"})
    assert [one.name for one in questions_in(names, records)] == ["How bad", "B"]


@pytest.mark.parametrize("format", [*TABLES, "jsonl"])
def test_a_teacher_of_such_an_export_gives_just_these_labels_and_marks(told, cast, format):
    content = io.BytesIO(written(told, format))
    recording = recordings.receive(told, content, cast.lea, name=f"items.{format}")
    found = recordings.look(recording)
    columns = ("answer_complaint", "answer_where", "answer_topics", "answer_how-bad")
    assert (found.mapping.answers, found.unknown) == (columns, []), "people write texts"
    jobs.execute(recordings.begin(recording, found.mapping, cast.lea).job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["silent"]) == ("done", 1), recording.report
    teacher = Teacher.objects.get(recording=recording)
    run = teacher_runs.ask_about(told, teacher, list(range(len(ANSWERS))))
    work_off(run)
    names = dict(told.labels.values_list("pk", "name"))
    given = {
        row.item.text: (
            {names[pk] for pk in row.labels},
            [(one["start"], names[one["label"]]) for one in row.value["spans"]],
        )
        for row in TeacherAnswer.objects.filter(run=run).select_related("item")
    }
    assert given == {text: (labels, places) for text, (labels, places, _) in said(told).items()}
