"""A spreadsheet of several sheets on its way into a project."""

import io

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.models import ImportBatch, Item, Label
from tests.annotator.formats.test_spreadsheet import book_of
from tests.annotator.web.conftest import BACKEND

pytestmark = pytest.mark.django_db


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
