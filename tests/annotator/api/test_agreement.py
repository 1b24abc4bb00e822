"""Agreement over the API and the command: what is kept, and its place while there is nothing."""

import io
import json

import pytest
from django.core.management import call_command

from annotator import jobs
from annotator.actions.verdicts import settling, skills
from annotator.api import schema
from tests.annotator.actions.test_skills import crowd, voices_of
from tests.annotator.api.test_estimates import fits
from tests.annotator.audited import running
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answered(cast, monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)
    project = make_project(cast)
    make_items(project, 40)
    crowd(project, voices_of(project, "good", "sound", "fair", "poor"), 40)
    return project


def test_it_says_what_the_schema_says_before_and_after(lea, answered):
    url = f"/api/v1/projects/{answered.pk}/agreement"
    document = schema.schema()
    told = document["paths"]["/api/v1/projects/{project_id}/agreement"]["get"]["responses"]["200"]
    shape = told["content"]["application/json"]["schema"]
    before = lea.get(url).json()
    fits(before, shape, document)
    assert (before["alpha"], before["skills"], before["needed"]) == (None, [], 10)
    settling.settle_now(answered)
    skills.run_skills(running(answered))
    after = lea.get(url).json()
    fits(after, shape, document)
    assert after["method"] == "dawid-skene"
    assert after["alpha"]["low"] < after["alpha"]["value"] < after["alpha"]["high"]
    assert [skill["votes"] for skill in after["skills"]] == [40] * 4
    assert len(after["pairs"]) == 6


def test_the_command_computes_it_anew(answered):
    out = io.StringIO()
    call_command("agreement", str(answered.pk), "--now", stdout=out, stderr=io.StringIO())
    told = json.loads(out.getvalue())
    assert told["alpha"]["items"] == 40
    assert told["items"] == 40
