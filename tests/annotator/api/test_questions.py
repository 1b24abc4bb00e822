"""Questions about one label over the API: served, answered, told by verdicts and annotations."""

import uuid

import pytest

from annotator.actions.verdicts import settling
from annotator.models import Pick
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    made = make_project(cast, task_type="multi", audit_share=0, label_questions=True)
    items = make_items(made, 3)
    asked = made.labels.get(name="Login")
    Pick.objects.create(project=made, item=items[1], rank=0, question=asked)
    made.here = f"/api/v1/projects/{made.pk}"
    made.asked = asked
    return made


def lease(client, project):
    (found,) = client.post(f"{project.here}/next", {"count": 1}, format="json").json()["leases"]
    return found


def answer(client, project, lease_id, labels, **fields):
    body = {"uuid": str(uuid.uuid4()), "assignment": lease_id, "labels": labels, **fields}
    return client.post(f"{project.here}/answers", body, format="json")


def test_a_question_is_answered_by_key_or_id_and_read_again(project, ana, lea):
    served = lease(ana, project)
    assert served["question"] == project.asked.pk
    said = answer(ana, project, served["id"], [], question="login")
    assert said.status_code == 201, said.content
    assert said.json()["annotation"]["question"] == project.asked.pk
    settling.settle_now(project)
    (verdict,) = lea.get(f"{project.here}/verdicts").json()["results"]
    assert (verdict["state"], verdict["labels"], verdict["known"]) == (
        "partial",
        [],
        [project.asked.pk],
    )
    partial = lea.get(f"{project.here}/items", {"status": "partial"}).json()["results"]
    assert [item["number"] for item in partial] == [1]
    assert partial[0]["open"] is True
    (told,) = lea.get(f"{project.here}/annotations").json()["results"]
    assert (told["question"], told["labels"]) == (project.asked.pk, [])


def test_a_whole_answer_is_always_taken(project, ana):
    served = lease(ana, project)
    said = answer(ana, project, served["id"], ["billing", "login"])
    assert said.json()["annotation"]["question"] is None


def test_a_project_that_became_blind_tells_no_question(project, ana):
    project.blind = True
    project.save()
    assert lease(ana, project)["question"] is None


@pytest.mark.parametrize(
    ("labels", "question", "field"),
    [(["billing"], "login", "labels"), ([], "billing", "question"), ([], "no-such", "labels")],
)
def test_what_was_not_asked_is_refused(project, ana, labels, question, field):
    served = lease(ana, project)
    refused = answer(ana, project, served["id"], labels, question=question)
    assert refused.status_code == 422
    assert refused.json()["field"] == field


def test_the_setting_is_told_and_changed(project, lea):
    changed = lea.patch(project.here, {"label_questions": False}, format="json").json()
    assert changed["label_questions"] is False
    changed = lea.patch(project.here, {"strategy": "label-questions"}, format="json").json()
    assert changed["label_questions"] is True
