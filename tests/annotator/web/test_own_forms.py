"""The wizard on an export of a form: the questions it proposes, and other types of answer."""

import io
import json
import re

import pytest
from django.urls import reverse

from annotator.models import FormQuestion, ImportBatch
from tests.annotator.web.conftest import BACKEND

pytestmark = pytest.mark.django_db

ROWS = [
    {"text": "a", "labels": ["Urgent > yes", "Why > <b"], "answer_urgent": "yes", "answer_why": ["<b"]},
    {"text": "b", "labels": ["Urgent > no"], "answer_urgent": "no", "answer_why": None},
]  # fmt: skip


@pytest.fixture
def url(cast, client):
    client.force_login(cast.lea, backend=BACKEND)
    own = {"content_hash": "x", "state": "decided", "voices": 1}
    file = io.BytesIO("".join(json.dumps(row | own) + "\n" for row in ROWS).encode())
    file.name = "items.jsonl"
    client.post(reverse("project_new"), {"file": file})
    batch = ImportBatch.objects.get()
    return reverse("import", args=[batch.project_id, batch.pk])


def roles(page):
    """Column -> the role chosen for it, as the form would send them."""
    names = re.findall(r'<label for="role-\d+">([^<]*)</label>', page)
    heads = re.findall(r'<select id="role-\d+".*?</select>', page, re.DOTALL)
    chosen = [re.search(r'value="(\w*)" selected', head).group(1) for head in heads]
    return dict(zip(names, chosen, strict=True))


def sent(page, task_type, was):
    fields = {f"role-{place}": role for place, role in enumerate(roles(page).values())}
    return fields | {"task_type": task_type, "task_was": was}


def test_the_wizard_shows_the_questions_and_makes_them(client, url):
    page = client.get(url).content.decode()
    assert 'value="form" checked' in page
    assert roles(page) | {"answer_urgent": "answers", "labels": ""} == roles(page)
    assert "<strong>Why</strong>" in page
    assert "any number of answers; only if Urgent is yes" in page
    assert "Why &gt; &lt;b" in page
    begun = client.post(url, sent(page, "form", "form") | {"do": "start"})
    assert begun.status_code == 302
    asked = FormQuestion.objects.values_list("name", "kind")
    assert list(asked) == [("Urgent", "single"), ("Why", "multi")]


def test_another_type_of_answer_takes_the_column_of_labels_and_back(client, url):
    page = client.get(url).content.decode()
    labels = client.post(url, sent(page, "multi", "form") | {"do": "look"}).content.decode()
    assert roles(labels) | {"answer_urgent": "", "answer_why": "", "labels": "label"} == roles(
        labels
    )
    assert 'name="task_was" value="multi"' in labels
    form = client.post(url, sent(labels, "form", "multi") | {"do": "look"}).content.decode()
    assert roles(form) == roles(page)
