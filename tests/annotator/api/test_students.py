"""Students over the API: figures, a comparison, decisions, what trains by itself, deletion."""

import pytest
from django.test import Client
from django.utils import timezone

from annotator.actions.figures import estimating
from annotator.actions.students import promoting
from annotator.models import AuditSheet, StudentVersion
from annotator.web import figures
from tests.annotator.audited import audited_project
from tests.annotator.web.test_versions import with_files

pytestmark = pytest.mark.django_db


def test_an_engineer_reads_compares_and_deletes_versions(lea, cast):
    project, truth, order = audited_project(cast)
    one, other = with_files(project, truth, 1, 30), with_files(project, truth, 2, 4)
    promoting.promote(project, other, by=cast.lea)
    here = f"/api/v1/projects/{project.pk}/students"
    figures = lea.get(f"{here}/{one.pk}/figures").json()
    assert figures["accuracy"]["value"] == pytest.approx(0.7)
    assert figures["reliability"]["right"]["n"] == figures["shared"] == 100
    assert {"f1", "recall", "precision", "label_id"} <= set(figures["labels"][0])
    compared = lea.get(f"{here}/compare?one={one.pk}&other={other.pk}").json()
    assert (compared["paired"]["losses"], compared["paired"]["wins"]) == (26, 0)
    assert {each["item"] for each in compared["judged"]} == set(order[4:24])
    assert compared["judged_count"] == 26
    (decision,) = lea.get(f"{here}/decisions").json()["results"]
    assert (decision["rule"], decision["number"], decision["took_over"]) == ("hand", 2, True)
    assert lea.delete(f"{here}/{other.pk}").status_code == 409
    assert lea.delete(f"{here}/{one.pk}").status_code == 204
    assert list(StudentVersion.objects.values_list("number", flat=True)) == [2]


def test_a_student_has_one_figure_wherever_it_is_told(lea, cast):
    project, truth, _ = audited_project(cast)
    version = with_files(project, truth, 1, 30)
    then = {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1.0, "estimate": "out-of-fold"}
    StudentVersion.objects.filter(pk=version.pk).update(**then)
    promoting.promote(project, version, by=cast.lea)
    project.refresh_from_db()
    early = figures.of_student(project, figures.measured_at([project]))
    assert early == {"student": "student 90\u202f%", "known": " (80–100), early estimate"}
    AuditSheet.objects.filter(version=version).update(
        figures=estimating.compute(project, version), computed_at=timezone.now()
    )
    here = f"/api/v1/projects/{project.pk}/students"
    (row,) = lea.get(here).json()["results"]
    for each in (row, lea.get(f"{here}/{version.pk}").json()):
        assert each["accuracy"] == pytest.approx(0.7)
        assert (each["estimate"], each["evaluated_on"]) == ("audit", 100)
        assert each["accuracy_low"] < 0.7 < each["accuracy_high"] < 0.8
        assert each["when_trained"]["accuracy"] == 0.9
    browser = Client()
    browser.force_login(cast.lea)
    shown = browser.get(f"/projects/{project.pk}/students").context["current_figure"]
    assert shown.value == pytest.approx(0.7)
    told = figures.of_student(project, figures.measured_at([project]))
    assert told["student"] == "student 70\u202f%"
    assert "student 70\u202f%" in browser.get("/").content.decode()
    assert "student 70\u202f%" in browser.get(f"/projects/{project.pk}/label").content.decode()


def test_what_trains_in_the_background_is_read_and_set(lea, project):
    here = f"/api/v1/projects/{project.pk}/students/background"
    kept = lea.get(here).json()
    assert (kept["minutes"], kept["used"]) == (30, 0.0)
    assert {each["kind"]: each["when"] for each in kept["recipes"]}["finetune"] == "gpu"
    wish = {"minutes": 5, "recipes": {"finetune": {"when": "always", "params": {"epochs": 2}}}}
    changed = lea.patch(here, wish, format="json")
    assert changed.status_code == 200, changed.content
    assert changed.json()["minutes"] == 5
    wrong = {"recipes": {"finetune": {"when": "always", "params": {"epochs": 0}}}}
    assert lea.patch(here, wrong, format="json").status_code == 422
    assert project.recipes.get().params == {"epochs": 2}
