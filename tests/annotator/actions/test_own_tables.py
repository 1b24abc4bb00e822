"""Several labels in one cell: our own exports come back from tables, as items and as a teacher's answers."""

import csv
import io
import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotator import jobs
from annotator.actions.imports import importing, looking, recordings
from annotator.actions.projects import projects
from annotator.actions.teachers import teacher_runs
from annotator.actions.verdicts import settling
from annotator.formats.mapping import Mapping
from annotator.models import Project, RecordedAnswer, Teacher, TeacherAnswer, Verdict
from tests.annotator.actions.test_forms import add, exported, ids
from tests.annotator.actions.test_importing import imported
from tests.annotator.formats.test_spreadsheet import book_of
from tests.annotator.teaching import work_off
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("csv", "tsv", "xlsx")
# Names with what parts cells, and what a spreadsheet would run.
TOPICS = ("Billing, late", "Delivery; lost", "a|b", '"quoted"', "-1", "[open]")
MANY = [("one", TOPICS[:2]), ("two", TOPICS[2:]), ("none", ()), ("all", TOPICS)]
FORMS = [
    ("one", ("Urgent > -1", "Why > Billing, late", "Why > a|b")),
    ("two", ("Urgent > no",)),
    ("none", ("Urgent > -1",)),
    ("all", ("Urgent > -1", *(f"Why > {name}" for name in TOPICS))),
]
LOOSE = [("one", ("Why > a|b", "Why > -1")), ("none", ())]


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def multi(cast, name):
    return make_project(cast, name=name, labels=TOPICS, task_type="multi", audit_share=0)


def form(cast, name):
    made = projects.create_project(cast.lea, name, task_type="form", audit_share=0)
    add(made, "Urgent", "-1", "no")
    add(made, "Why", *TOPICS, kind="multi", only_if=[ids(made)["Urgent > -1"]])
    return Project.objects.get(pk=made.pk)


def loose(cast, name):
    """A form that may be answered without a single label."""
    made = projects.create_project(cast.lea, name, task_type="form", audit_share=0)
    add(made, "Why", *TOPICS, kind="multi")
    return Project.objects.get(pk=made.pk)


KINDS = {"multi": (multi, MANY), "form": (form, FORMS), "loose": (loose, LOOSE)}


def labelled(make, cast, answers):
    """A project whose items were answered so, and one more that nobody looked at."""
    project = make(cast, "Here")
    rows = [{"text": text, "labels": list(labels), "state": "decided"} for text, labels in answers]
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, {"text": "unseen"}])
    settle(project, lines.encode(), "first.jsonl", Mapping(text="text", label="labels"))
    assert said(project) == {text: set(labels) for text, labels in answers}
    return project


def settle(project, content, name, mapping):
    batch = imported(project, content, mapping, name=name, labels="truth")
    assert (batch.state, batch.report["bad_rows"]) == ("done", 0), batch.report
    settling.settle_now(project)


def said(project):
    """Text -> the names of its labels, of all items that are decided."""
    names = {label.pk: label.name for label in project.labels.all()}
    rows = Verdict.objects.filter(project=project, state="decided").select_related("item")
    return {row.item.text: {names[pk] for pk in row.labels} for row in rows}


def table(project, kind):
    """The project's own CSV export, or what a spreadsheet keeps of it."""
    content, _ = exported(project, "csv")
    rows = list(csv.reader(io.StringIO(content, newline="")))
    if kind == "xlsx":
        return book_of(Items=rows)
    if kind == "tsv":
        out = io.StringIO(newline="")
        csv.writer(out, delimiter="\t").writerows(rows)
        content = out.getvalue()
    return content.encode()


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("shape", KINDS)
def test_a_table_of_ours_comes_in_again_without_a_field_touched(cast, shape, kind):
    make, answers = KINDS[shape]
    content = table(labelled(make, cast, answers), kind)
    again = make(cast, "Again")
    batch = importing.receive(again, io.BytesIO(content), cast.lea, name=f"items.{kind}")
    settle(again, content, f"items.{kind}", looking.look(batch).mapping)
    assert said(again) == {text: set(labels) for text, labels in answers}
    assert again.items.count() == len(answers) + 1


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("shape", KINDS)
def test_a_teacher_of_such_a_table_gives_just_these_labels(cast, shape, kind):
    make, answers = KINDS[shape]
    project = labelled(make, cast, answers)
    content = io.BytesIO(table(project, kind))
    recording = recordings.receive(project, content, cast.lea, name=f"items.{kind}")
    found = recordings.look(recording)
    assert {name for name, _, known in found.labels if not known} == set()
    jobs.execute(recordings.begin(recording, found.mapping, cast.lea).job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["silent"]) == ("done", 1), recording.report
    teacher = Teacher.objects.get(recording=recording)
    run = work_off(teacher_runs.ask_about(project, teacher, list(range(len(answers)))))
    assert (run.answered, run.abstained) == (len(answers), 0)
    names = {label.pk: label.name for label in project.labels.all()}
    given = {
        row.item.text: {names[pk] for pk in row.labels}
        for row in TeacherAnswer.objects.filter(run=run).select_related("item")
    }
    assert given == {text: set(labels) for text, labels in answers}


@pytest.mark.parametrize("shape", ["multi", "form"])
def test_labels_in_one_cell_may_be_parted_by_a_mark_that_is_guessed(cast, shape):
    project = KINDS[shape][0](cast, "Here")
    make_items(project, ["one", "two", "all"])
    a, b = ("Why > a|b", "Why > [open]") if shape == "form" else ("a|b", "[open]")
    first = "Urgent > -1;" if shape == "form" else ""
    rows = f"one,{first}{a}\ntwo,{first}{b}\nall,{first}{a}; {b}\n"
    content = io.BytesIO(f"text,prediction\n{rows}".encode())
    recording = recordings.receive(project, content, cast.lea, name="elsewhere.csv")
    found = recordings.look(recording)
    assert found.mapping.separator == ";"
    assert all(known for _, _, known in found.labels)


def test_the_page_of_answers_asks_by_what_the_labels_of_a_form_are_parted(cast, client):
    project = labelled(form, cast, FORMS)
    recording = recordings.receive(
        project, io.BytesIO(table(project, "csv")), cast.lea, name="x.csv"
    )
    client.force_login(cast.lea)
    address = reverse("recording", args=[project.pk, recording.pk])
    page = client.get(address).content.decode()
    assert 'name="separator"' in page
    assert "no label of this project" not in page
    assert client.post(address, {"do": "start", "separator": ""}).status_code == 302
    recording.refresh_from_db()
    jobs.execute(recording.job_id)
    recording.refresh_from_db()
    assert (recording.state, recording.report["unknown_count"]) == ("done", 0)


def test_the_command_takes_a_mark_beside_guessed_columns(cast, tmp_path):
    project = multi(cast, "Here")
    make_items(project, ["one"])
    path = tmp_path / "answers.csv"
    path.write_text("text,prediction\none,a|b/[open]\n")
    call_command("record", str(project.pk), str(path), separator="/", stdout=io.StringIO())
    assert len(RecordedAnswer.objects.get().labels) == 2
