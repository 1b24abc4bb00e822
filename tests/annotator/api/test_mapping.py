"""The map over the API, and an area as a filter there."""

import pytest
from django.test import Client

from annotator.actions.explore import mapping
from annotator.models import Job
from tests.annotator.actions.test_mapping import spread
from tests.annotator.web.helpers import draw, encode
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, [f"parcel {n}" if n % 2 else f"refund {n}" for n in range(40)])
    encode(made, spread(range(40)))
    draw(made)
    return made


@pytest.fixture
def lea(cast, client):
    client.force_login(cast.lea)
    return client


@pytest.fixture
def ben(cast):
    other = Client()
    other.force_login(cast.ben)
    return other


def here(project, path="map"):
    return f"/api/v1/projects/{project.pk}/{path}"


def test_before_a_drawing_there_is_none_and_points_say_how_to_get_one(lea, cast):
    made = make_project(cast)
    assert lea.get(here(made)).json() == {
        "name": "",
        "items": 0,
        "current": False,
        "regions": [],
    }
    assert "POST" in lea.get(here(made, "map/points")).json()["detail"]
    assert lea.post(here(made), {}, content_type="application/json").status_code == 409


def test_regions_lead_to_their_items_in_every_list(lea, drawn):
    told = lea.get(here(drawn)).json()
    assert told["name"] == mapping.current_map(drawn).name
    assert told["current"] is True
    assert sum(each["items"] for each in told["regions"]) == told["items"] == 40
    for region in told["regions"]:
        found = lea.get(here(drawn, "items"), {"area": region["area"], "limit": 100}).json()
        assert len(found["results"]) == region["items"]
        wish = {"filter": {"area": region["area"]}, "labels": ["billing"]}
        counts = lea.post(here(drawn, "bulk/preview"), wish, content_type="application/json").json()
        assert counts["hits"] == region["items"]


def test_points_come_page_by_page_each_once(lea, drawn):
    numbers, after = [], {}
    while True:
        page = lea.get(here(drawn, "map/points"), {"limit": 15, **after}).json()
        lengths = {len(page[name]) for name in ("numbers", "x", "y", "regions")}
        assert len(lengths) == 1
        assert all(1 <= value <= 65533 for value in page["x"] + page["y"])
        numbers += page["numbers"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert numbers == list(range(40))


def test_a_region_is_asked_about_first(lea, drawn):
    region = lea.get(here(drawn)).json()["regions"][0]
    wish = {"filter": {"area": region["area"]}}
    made = lea.post(here(drawn, "seedings"), wish, content_type="application/json")
    assert made.status_code == 201
    assert len(made.json()["items"]) == region["items"]


def test_a_wrong_or_old_area_is_refused(lea, drawn):
    old = lea.get(here(drawn)).json()["regions"][0]["area"]
    assert lea.get(here(drawn, "items"), {"area": "somewhere"}).status_code == 422
    draw(drawn, again=True)
    assert lea.get(here(drawn, "items"), {"area": old}).status_code == 409


def test_drawing_is_a_job_and_anew_is_for_managers(lea, ben, drawn):
    made = ben.post(here(drawn), {}, content_type="application/json")
    assert made.status_code == 202
    assert Job.objects.get(pk=made.json()["id"]).kind == "map"
    again = {"again": True}
    assert ben.post(here(drawn), again, content_type="application/json").status_code == 403
    assert lea.post(here(drawn), again, content_type="application/json").status_code == 202
