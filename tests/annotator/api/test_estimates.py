"""Honest numbers over the API: what is kept, what is withheld, shares by a column on demand."""

import pytest

from annotator import jobs
from annotator.actions.figures import domains, estimating
from annotator.api import schema
from annotator.models import ImportBatch, Job
from tests.annotator.audited import (
    audited_project,
    grown,
    project_with_channels,
    running,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)


@pytest.fixture
def audited(cast):
    project, truth, _ = audited_project(cast)
    grown(project, truth)
    estimating.run_estimate(running(project))
    return project


def url(project, rest="estimates"):
    return f"/api/v1/projects/{project.pk}/progress/{rest}"


def fits(value, shape, document, where="answer"):
    """Whether an answer is what the schema says: no name more, none less, the kinds as told."""
    if "$ref" in shape:
        shape = document["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    if "allOf" in shape or "oneOf" in shape:
        if value is None:
            assert shape.get("nullable"), where
            return
        shape = (shape.get("allOf") or shape["oneOf"])[0]
        fits(value, shape, document, where)
    elif value is None:
        assert shape.get("nullable"), where
    elif shape.get("properties"):
        assert set(value) == set(shape["properties"]), where
        for name, inner in shape["properties"].items():
            fits(value[name], inner, document, f"{where}.{name}")
    elif shape.get("type") == "array":
        for each in value:
            fits(each, shape["items"], document, f"{where}[]")
    elif shape.get("type") in {"integer", "number", "string", "boolean"}:
        kinds = {"integer": int, "number": (int, float), "string": str, "boolean": bool}
        assert isinstance(value, kinds[shape["type"]]), where


def described(path):
    document = schema.schema()
    told = document["paths"][f"/api/v1/projects/{{project_id}}/progress/{path}"]["get"]
    return told["responses"]["200"]["content"]["application/json"]["schema"], document


def test_every_figure_comes_with_its_interval_and_as_the_schema_says(lea, audited):
    answer = lea.get(url(audited))
    assert answer.status_code == 200
    found = answer.json()
    assert found["accuracy"]["value"] == pytest.approx(0.8)
    assert found["accuracy"]["low"] < 0.8 < found["accuracy"]["high"]
    assert (found["evaluated_on"], found["position"], found["student"]) == (100, 100, 9)
    assert found["said"].startswith("Tickets: 80 % accurate, between 71 and 87 %")
    assert len(found["labels"]) == len(found["shares"]) == 3
    assert found["next"]["gain"]["verdict"] in {"stop", "go-on", "open", "empty"}
    assert found["next"]["cost"]["answers"] == 100
    assert len(found["criteria"]) == 4
    assert len(found["curve"]) == 9
    assert found["forecast"]
    fits(found, *described("estimates"))


def test_before_there_are_any_all_are_withheld(lea, project):
    found = lea.get(url(project)).json()
    assert (found["said"], found["student"], found["accuracy"], found["next"]) == (None,) * 4
    assert (found["needed"], found["evaluated_on"], found["curve"]) == (50, 0, [])
    fits(found, *described("estimates"))


def test_an_import_that_differs_is_told(lea, audited):
    report = {"differs": True, "p": 0.005, "old": 200, "new": 100, "labels": [], "words": ["void"]}
    batch = ImportBatch.objects.create(
        project=audited, state="done", file_name="march.csv", report={"difference": report}
    )
    (told,) = lea.get(url(audited)).json()["imports"]
    assert (told["id"], told["file_name"]) == (batch.pk, "march.csv")
    assert told["said"].startswith("new words: void.")


def test_shares_by_a_column_are_a_job(lea, cast):
    project, _, _ = project_with_channels(cast)
    found = lea.get(url(project, "domains")).json()
    assert set(found["columns"]["channel"]) == {"mail", "chat"}
    assert found["estimated"] is None
    answer = lea.post(url(project, "domains"), {"column": "channel"}, format="json")
    assert (answer.status_code, answer.json()["kind"]) == (202, "domains")
    domains.run_domains(running(project, "domains", column="channel"))
    found = lea.get(url(project, "domains")).json()
    first = found["estimated"]["domains"][0]
    known = set(project.labels.values_list("pk", flat=True))
    assert {each["id"] for each in first["labels"]} == known
    fits(found, *described("domains"))
    fits(lea.get(url(project)).json(), *described("estimates"))


def test_a_column_that_makes_no_domains_is_refused(lea, cast):
    project, _, _ = project_with_channels(cast)
    answer = lea.post(url(project, "domains"), {"column": "id"}, format="json")
    assert (answer.status_code, answer.json()["field"]) == (422, "column")
    assert not Job.objects.filter(kind="domains").exists()


def test_without_an_audit_it_says_what_is_missing(lea, project):
    for item in project.items.all():
        item.meta = {"channel": "ab"[item.number % 2]}
        item.save(update_fields=["meta"])
    answer = lea.post(url(project, "domains"), {"column": "channel"}, format="json")
    assert answer.status_code == 409
    assert "50 answered evaluation items" in answer.json()["detail"]
