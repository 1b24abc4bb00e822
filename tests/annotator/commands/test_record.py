"""`manage.py record`: a file of answers becomes teachers; bad rows are named on stderr."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotator.actions.projects import projects
from annotator.models import Recording, Teacher
from tests.annotator.actions.test_forms import add
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)
FILE = "item,said,sure\n0,Login,0.9\n1,Billing,0.6\n77,Login,0.5\n"
COLUMNS = ("--number", "item", "--label", "said", "--confidence", "sure")


def record(project, path, *words):
    out, err = io.StringIO(), io.StringIO()
    call_command("record", str(project.pk), str(path), *words, stdout=out, stderr=err)
    return json.loads(out.getvalue()), err.getvalue()


def test_a_file_becomes_a_teacher_or_nothing(cast, tmp_path):
    project = make_project(cast)
    make_items(project, 3)
    path = tmp_path / "old answers.csv"
    path.write_text(FILE)
    with pytest.raises(CommandError, match="skip-bad-rows"):
        record(project, path, *COLUMNS)
    assert Recording.objects.get().state == "discarded"
    told, notes = record(project, path, *COLUMNS, "--skip-bad-rows")
    assert told["teachers"] == {"old answers": Teacher.objects.get().pk}
    assert (told["answers"], told["bad_rows"]) == (2, 1)
    assert "row 4, column item: The project has no such item." in notes
    with pytest.raises(CommandError, match="No such file"):
        record(project, tmp_path / "none.csv")


def test_columns_that_answer_the_questions_of_a_form_are_named_one_by_one(cast, tmp_path):
    project = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
    add(project, "Urgent", "yes", "no")
    add(project, "Loud", "yes", "no")
    make_items(project, 1)
    path = tmp_path / "answers.csv"
    path.write_text("item,urgent,loud\n0,yes,no\n")
    columns = ("--number", "item", "--answer", "urgent", "--answer", "loud")
    told, notes = record(project, path, *columns)
    assert (told["answers"], told["unknown_count"], told["silent"]) == (1, 0, 0)
    assert "number from “item”, answers from “urgent”, answers from “loud”" in notes
