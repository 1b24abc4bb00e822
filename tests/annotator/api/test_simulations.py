"""Simulations over the API: start, follow, stop, use, take back."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator import jobs
from annotator.actions.projects import projects
from annotator.models import Project, Simulation
from tests.annotator.simulated import QUICK, labelled_file, labelled_project, work
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)


@pytest.fixture
def tickets(cast):
    return labelled_project(cast)


def url(project, rest="simulations"):
    return f"/api/v1/projects/{project.pk}/{rest}"


WISH = {"strategies": ["margin", "random"], **QUICK}


def test_from_a_wish_to_a_strategy_in_use_and_back(lea, tickets):
    answer = lea.post(url(tickets), WISH, format="json")
    assert answer.status_code == 202, answer.content
    made = answer.json()
    assert (made["state"], made["advice"], made["settings"]["seeds"]) == ("waiting", None, 2)
    simulation = Simulation.objects.get(pk=made["id"])
    work(simulation)

    shown = lea.get(url(tickets, f"simulations/{simulation.pk}")).json()
    assert shown["state"] == "done"
    assert shown["said"]
    assert {run["strategy"] for run in shown["runs"]} == {"margin", "random"}
    assert [point["labels"] for point in shown["runs"][0]["points"]] == [6, 26, 46]
    best = shown["standings"][0]
    assert best["area"]["low"] <= best["area"]["value"] <= best["area"]["high"]
    assert len(best["labels"]) == len(best["curve"]) == 3
    listed = lea.get(url(tickets)).json()["results"]
    assert [each["id"] for each in listed] == [simulation.pk]
    assert "runs" not in listed[0]

    simulation.advice |= {"strategy": "random"}
    simulation.save()
    used = lea.post(url(tickets, f"simulations/{simulation.pk}/apply"))
    assert (used.status_code, used.json()["strategy"]) == (200, "random")
    assert lea.post(url(tickets, f"simulations/{simulation.pk}/apply")).status_code == 409
    (change,) = lea.get(url(tickets, "strategy/changes")).json()["results"]
    assert (change["before"], change["after"], change["changed_by"]) == ("margin", "random", "lea")
    assert change["simulation_id"] == simulation.pk
    back = lea.post(url(tickets, "strategy/back"))
    assert (back.status_code, back.json()["after"]) == (200, "margin")
    assert Project.objects.get(pk=tickets.pk).strategy == "margin"


def test_a_change_by_hand_is_in_the_trail(lea, tickets, cast):
    url_of_project = f"/api/v1/projects/{tickets.pk}"
    assert lea.patch(url_of_project, {"strategy": "random"}, format="json").status_code == 200
    (change,) = lea.get(url(tickets, "strategy/changes")).json()["results"]
    assert (change["changed_by"], change["simulation_id"]) == ("lea", None)


def test_one_is_stopped_and_a_second_waits_for_that(lea, tickets):
    first = lea.post(url(tickets), WISH, format="json").json()
    refused = lea.post(url(tickets), WISH, format="json")
    assert refused.status_code == 409
    assert "still at work" in refused.json()["detail"]
    stopped = lea.post(url(tickets, f"simulations/{first['id']}/cancel"))
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    assert lea.post(url(tickets, f"simulations/{first['id']}/cancel")).status_code == 409
    assert lea.post(url(tickets), WISH, format="json").status_code == 202


def test_a_labelled_file_is_sent_with_the_wish(lea, cast):
    project = make_project(
        cast, encoder="tfidf-svd", encoder_params={"components": 16, "features": 4096}
    )
    file = SimpleUploadedFile("old.csv", labelled_file().read(), content_type="text/csv")
    answer = lea.post(url(project), {**WISH, "file": file}, format="multipart")
    assert answer.status_code == 202, answer.content
    simulation = Simulation.objects.get(pk=answer.json()["id"])
    work(simulation)
    assert (simulation.state, simulation.file_name) == ("done", "old.csv")


def test_what_cannot_be_is_refused_with_its_field(lea, tickets):
    for change, field in (
        ({"strategies": []}, "strategies"),
        ({"strategies": ["magic"]}, "strategies"),
        ({"seeds": 99}, "seeds"),
        ({"budget": 3}, "budget"),
        ({"speed": 1}, "speed"),
        ({"file": "old.csv"}, "file"),
        ({"student": "none"}, "student"),
    ):
        answer = lea.post(url(tickets), {**WISH, **change}, format="json")
        assert answer.status_code == 422, change
        assert answer.json()["field"].partition(".")[0] == field, change
        assert not Simulation.objects.exists(), change


def test_the_number_of_queries_does_not_grow(lea, tickets, django_assert_max_num_queries):
    for _ in range(6):
        Simulation.objects.create(project=tickets, state="done", settings=WISH)
    projects.change_project(tickets, strategy="random")
    with django_assert_max_num_queries(8):
        assert len(lea.get(url(tickets)).json()["results"]) == 6
