"""Forms over the API: their questions are made and changed, and an answer is all of its labels."""

import uuid

import pytest

from annotator.actions.projects import projects
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def test_a_form_is_made_answered_and_then_keeps_its_questions(cast, lea):
    project = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
    make_items(project, 2)
    here = f"/api/v1/projects/{project.pk}"

    def ask(**fields):
        return lea.post(f"{here}/questions", fields, format="json")

    urgent = ask(name="Urgent", answers=["yes", "no"]).json()
    why = ask(name="Why", kind="multi", answers=["fire", "water"]).json()
    yes, no = urgent["labels"]
    address = f"{here}/questions/{why['id']}"
    changed = lea.patch(address, {"only_if": [yes], "name": "Reason"}, format="json").json()
    assert (changed["only_if"], changed["name"], changed["key"]) == ([yes], "Reason", "why")
    mood = ask(name="Mood", answers=["good"]).json()
    assert lea.delete(f"{here}/questions/{mood['id']}").status_code == 204
    labels = lea.get(f"{here}/labels").json()["results"]
    assert [one["name"] for one in labels][-1] == "Reason > water"
    (lease, *_) = lea.post(f"{here}/next", {}, format="json").json()["leases"]

    def answer(*given):
        body = {"uuid": str(uuid.uuid4()), "assignment": lease["id"], "labels": given}
        return lea.post(f"{here}/answers", body, format="json")

    refused = answer(no, why["labels"][0])
    assert refused.status_code == 422
    assert "“Reason” is not asked" in refused.content.decode()
    assert answer(yes, why["labels"][0]).status_code == 201
    assert ask(name="Late").status_code == 409
    results = lea.get(f"{here}/questions").json()["results"]
    assert [one["name"] for one in results] == ["Urgent", "Reason"]
