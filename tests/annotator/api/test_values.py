"""Answers that are more than labels, over the API: given, changed, read again, refused."""

import uuid

import pytest

from annotator.actions.verdicts import settling
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, ["👍 Ada in Rome."])
    made.here = f"/api/v1/projects/{made.pk}"
    return made


def test_a_value_is_given_changed_decided_and_read_again(project, ana, lea):
    person, place = project.labels.order_by("column").values_list("pk", flat=True)
    (lease,) = ana.post(f"{project.here}/next", {}, format="json").json()["leases"]
    assert lease["suggestion"] == []
    spans = [{"start": 2, "end": 5, "label": place}]
    body = {"uuid": str(uuid.uuid4()), "assignment": lease["id"], "value": {"spans": spans}}
    said = ana.post(f"{project.here}/answers", body, format="json")
    assert said.status_code == 201, said.content
    first = said.json()["annotation"]
    assert (first["value"], first["labels"]) == ({"spans": spans}, [place])
    spans = [{"start": 2, "end": 5, "label": person}, {"start": 9, "end": 13, "label": place}]
    change = {"kind": "revise", "uuid": str(uuid.uuid4()), "annotation": first["uuid"]}
    ana.post(f"{project.here}/answers", {**change, "value": {"spans": spans}}, format="json")
    settling.settle_now(project)
    (verdict,) = lea.get(f"{project.here}/verdicts").json()["results"]
    assert (verdict["state"], verdict["value"]) == ("decided", {"spans": spans})
    found = lea.get(f"{project.here}/items", {"label": "place"}).json()["results"]
    assert [item["verdict"]["value"] for item in found] == [{"spans": spans}]


def test_what_is_no_answer_says_what_is_wrong_with_it(project, ana):
    (lease,) = ana.post(f"{project.here}/next", {}, format="json").json()["leases"]
    for given, told in (
        ({"labels": ["person"]}, "Labels alone are no answer here"),
        ({"value": {"spans": [{"start": 9, "end": 99, "label": 1}]}}, "goes from 9 to 99"),
        ({}, "send “labels”"),
    ):
        body = {"uuid": str(uuid.uuid4()), "assignment": lease["id"], **given}
        refused = ana.post(f"{project.here}/answers", body, format="json")
        assert refused.status_code == 422
        assert told in refused.json()["detail"]
