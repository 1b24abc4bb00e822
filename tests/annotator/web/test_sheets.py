"""A spreadsheet of several sheets on its way into a project."""

import io
import json
import os
import subprocess

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.imports import importing, recordings, uploads
from annotator.actions.projects import projects, purging
from annotator.models import ImportBatch, Item, Label, Project
from tests.annotator.formats.test_spreadsheet import book_of
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def batch(cast, client):
    client.force_login(cast.lea, backend=BACKEND)
    file = io.BytesIO(
        book_of(
            Notes=[["what"], ["made by hand"]],
            Tickets=[
                ["number", "topic", "body"],
                *[[n, "Cost" if n % 2 else "Login", f"Ticket number {n}"] for n in range(9)],
            ],
        )
    )
    file.name = "tickets.xlsx"
    client.post(reverse("project_new"), {"file": file})
    return ImportBatch.objects.get()


def test_what_answers_of_the_file_are_is_asked_only_where_it_holds_some(client, batch):
    url = reverse("import", args=[batch.project_id, batch.pk])
    form = {
        "sheet": "Tickets",
        "sheet_was": "Tickets",
        "role-0": "id",
        "role-2": "text",
        "do": "look",
    }
    for role, asked in (("label", True), ("metadata", False)):
        page = client.post(url, {**form, "role-1": role}).content.decode()
        assert ("Answers in the file are" in page) is asked


def test_it_is_asked_too_where_the_first_rows_of_such_a_format_hold_none(client, cast):
    client.force_login(cast.lea, backend=BACKEND)
    tasks = [{"id": n, "data": {"text": f"letter {n}"}, "annotations": []} for n in range(25)]
    said = {"from_name": "a", "to_name": "text", "type": "textarea", "value": {"text": ["hello"]}}
    tasks[24]["annotations"] = [{"id": 1, "result": [said]}]
    file = io.BytesIO(json.dumps(tasks).encode())
    file.name = "tasks.json"
    client.post(reverse("project_new"), {"file": file})
    batch = ImportBatch.objects.get()
    page = client.get(reverse("import", args=[batch.project_id, batch.pk])).content.decode()
    assert "Answers in the file are" in page


def test_each_column_has_a_field_by_which_its_role_is_chosen(client, batch):
    url = reverse("import", args=[batch.project_id, batch.pk])
    page = client.post(url, {"sheet": "Tickets", "sheet_was": "", "do": "look"}).content.decode()
    for number in range(3):
        assert f'name="role-{number}"' in page


def test_another_sheet_than_the_first_is_looked_at_and_imported(client, batch):
    url = reverse("import", args=[batch.project_id, batch.pk])
    first = client.get(url).content.decode()
    assert "made by hand" in first
    assert '<option value="Tickets">Tickets</option>' in first
    assert "Character encoding" not in first, "a spreadsheet knows its own"
    # The roles on the form are those of the sheet that was looked at before.
    form = {"sheet": "Tickets", "sheet_was": "", "role-0": "text", "do": "look"}
    looked = client.post(url, form).content.decode()
    assert "Ticket number 3" in looked
    assert '<option value="text" selected>Text</option>' in looked
    assert '<option value="Tickets" selected>Tickets</option>' in looked
    roles = {"role-0": "id", "role-1": "label", "role-2": "text"}
    begun = client.post(url, {"sheet": "Tickets", "sheet_was": "Tickets", "do": "start", **roles})
    assert begun.status_code == 302
    batch.refresh_from_db()
    jobs.execute(batch.job_id)
    items = Item.objects.order_by("number").values_list("external_id", "text")
    assert list(items)[:2] == [("0", "Ticket number 0"), ("1", "Ticket number 1")]
    assert set(Label.objects.values_list("name", flat=True)) == {"Cost", "Login"}


def test_a_sheet_that_is_not_there_is_refused_with_its_name(client, batch):
    url = reverse("import", args=[batch.project_id, batch.pk])
    refused = client.post(url, {"sheet": "Ghost", "sheet_was": "", "do": "look"})
    assert refused.status_code == 422
    assert "no sheet called “Ghost”" in refused.content.decode()


class TestReadOnce:
    @pytest.fixture
    def readings(self, monkeypatch):
        """Every child that reads a workbook."""
        made = []
        real = subprocess.Popen

        def noted(*arguments, **named):
            made.append(arguments[0])
            return real(*arguments, **named)

        monkeypatch.setattr(subprocess, "Popen", noted)
        return made

    def test_however_often_a_workbook_is_looked_at_it_is_read_once(self, client, batch, readings):
        url = reverse("import", args=[batch.project_id, batch.pk])
        for _ in range(2):
            assert "made by hand" in client.get(url).content.decode()
        form = {"sheet": "Tickets", "sheet_was": "", "do": "look"}
        assert "Ticket number 3" in client.post(url, form).content.decode()
        assert len(readings) == 1

    def test_another_file_in_its_place_is_read_anew(self, client, batch, readings):
        url = reverse("import", args=[batch.project_id, batch.pk])
        assert "made by hand" in client.get(url).content.decode()
        other = book_of(Other=[["what"], ["made by machine"]])
        path = uploads.path_of(batch.stored_name)
        was = path.stat()
        path.write_bytes(other)
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
        page = client.get(url).content.decode()
        assert "made by machine" in page
        assert 'value="Tickets"' not in page
        assert len(readings) == 2

    def test_a_file_of_answers_is_read_once_too(self, client, cast, batch, readings):
        project = make_project(cast, labels=("Cost", "Login"))
        file = io.BytesIO(book_of(A=[["id", "label"], ["1", "Cost"]], B=[["x"], ["y"]]))
        recording = recordings.receive(project, file, cast.lea, name="gpt.xlsx")
        for _ in range(2):
            assert recordings.look(recording).labels == [("Cost", 1, True)]
        assert len(readings) == 1

    def test_what_was_learnt_goes_with_the_file(self, client, batch):
        client.get(reverse("import", args=[batch.project_id, batch.pk]))
        assert len(list(uploads.folder().iterdir())) == 2
        importing.discard(batch)
        assert list(uploads.folder().iterdir()) == []

    def test_it_goes_with_a_purged_project_too(self, client, cast, batch):
        client.get(reverse("import", args=[batch.project_id, batch.pk]))
        project = Project.objects.get(pk=batch.project_id)
        projects.delete_project(project)
        project.refresh_from_db()
        purging.purge_now(project)
        assert list(uploads.folder().iterdir()) == []
