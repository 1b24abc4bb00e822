"""The map's page, what it sends to the browser, and an area of it as Explore's filter."""

import base64

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.explore import mapping
from annotator.models import Annotation, Flag, Item, Job, Part
from learning.layouts.stored import NOWHERE
from tests.annotator.actions.test_mapping import spread
from tests.annotator.web.helpers import draw, encode, index, say, teach
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

TEXTS = [
    text
    for n in range(5)
    for text in (f"refund twice {n}", f"parcel late {n}", f"password lost {n}")
]


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, TEXTS)
    encode(made, spread(range(len(TEXTS))))
    return made


@pytest.fixture
def drawn(tickets):
    draw(tickets)
    return tickets


def here(project, path="explore/map"):
    return f"/projects/{project.pk}/{path}"


def coloured(client, project, by):
    """{group: the numbers of its items}"""
    told = client.get(here(project, "explore/map/colours"), {"by": by}).json()
    codes = np.frombuffer(base64.b64decode(told["codes"]), dtype=np.uint8)
    found = {
        group["name"]: np.flatnonzero(codes == place).tolist()
        for place, group in enumerate(told["groups"])
    }
    assert [len(each) for each in found.values()] == [group["items"] for group in told["groups"]]
    return {name: numbers for name, numbers in found.items() if numbers}


def points(client, project):
    content = client.get(here(project, "explore/map/points")).content
    rows = len(content) // 5
    return (
        np.frombuffer(content[: 4 * rows], dtype="<u2").reshape(rows, 2),
        np.frombuffer(content[4 * rows :], dtype=np.uint8),
    )


def test_before_anything_is_encoded_the_page_says_so(lea, cast):
    page = lea.get(here(make_project(cast))).content.decode()
    assert "No items yet. Import a file" in page
    made = make_project(cast)
    make_items(made, 3)
    assert "The items are being encoded." in lea.get(here(made)).content.decode()
    response = lea.post(here(made, "explore/map/draw"), follow=True)
    assert "No item is encoded yet" in response.content.decode()


def test_a_page_that_waits_for_the_encoding_goes_on_by_itself(lea, cast):
    made = make_project(cast)
    make_items(made, 3)
    assert here(made, "explore/map/state") in lea.get(here(made)).content.decode()
    assert lea.get(here(made, "explore/map/state")).status_code == 204
    encode(made, spread(range(3)))
    assert lea.get(here(made, "explore/map/state")).headers["HX-Refresh"] == "true"


def test_the_first_visit_asks_for_the_map_once(lea, tickets):
    assert 'hx-trigger="load"' in lea.get(here(tickets)).content.decode()
    lea.post(here(tickets, "explore/map/draw"), headers={"HX-Request": "true"})
    assert Job.objects.get(kind="map").params == {"again": False}
    page = lea.get(here(tickets)).content.decode()
    assert 'hx-trigger="load"' not in page
    assert "Waiting for a worker" in page
    state = lea.get(here(tickets, "explore/map/state"))
    assert "HX-Refresh" not in state
    Job.objects.update(state="done")
    assert lea.get(here(tickets, "explore/map/state"))["HX-Refresh"] == "true"


def test_a_map_that_is_drawn_before_its_state_is_told_is_shown(lea, tickets, monkeypatch):
    monkeypatch.setattr(mapping, "wish", lambda *_, **__: None)
    asked = lea.post(here(tickets, "explore/map/draw"), headers={"HX-Request": "true"})
    assert asked["HX-Refresh"] == "true"


def test_a_failed_drawing_is_told_and_not_begun_again_by_itself(lea, tickets):
    Job.objects.create(
        kind="map", queue="encode", project=tickets, state="failed", error="The disk is full."
    )
    page = lea.get(here(tickets)).content.decode()
    assert "The disk is full." in page
    assert 'hx-trigger="load"' not in page


def test_only_a_manager_has_it_drawn_anew(lea, ben, drawn):
    assert "Draw anew" in lea.get(here(drawn)).content.decode()
    assert "Draw anew" not in ben.get(here(drawn)).content.decode()
    assert ben.post(here(drawn, "explore/map/draw"), {"again": "1"}).status_code == 403
    assert lea.post(here(drawn, "explore/map/draw"), {"again": "1"}).status_code == 302
    assert Job.objects.filter(kind="map", params={"again": True}).exists()


def test_regions_are_a_list_with_counts_that_leads_to_their_items(lea, cast, drawn):
    say(drawn, assigning.voice_of(drawn, cast.ana), drawn.items.get(number=1), "Delivery")
    response = lea.get(here(drawn))
    regions = response.context["regions"]
    assert sum(each.items for each in regions) == len(TEXTS)
    assert sum(each.decided for each in regions) == 1
    for each in regions:
        found = lea.get(here(drawn, "explore"), {"area": each.area})
        assert found.context["total"] == each.items
        assert each.title in found.content.decode()


def test_points_are_five_bytes_an_item_and_are_sent_once(lea, drawn):
    places, regions = points(lea, drawn)
    known = mapping.current_map(drawn)
    np.testing.assert_array_equal(places, known.on_grid())
    np.testing.assert_array_equal(regions, known.regions)
    first = lea.get(here(drawn, "explore/map/points"))
    again = lea.get(here(drawn, "explore/map/points"), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_what_was_taken_away_since_is_not_sent(lea, drawn):
    before = lea.get(here(drawn, "explore/map/points"))["ETag"]
    Item.objects.filter(project=drawn, number=3).update(removed_at="2026-01-01T00:00Z")
    type(drawn).objects.filter(pk=drawn.pk).update(removed_count=1)
    places, regions = points(lea, drawn)
    assert places[3].tolist() == [NOWHERE, NOWHERE]
    assert regions[3] == 255
    assert lea.get(here(drawn, "explore/map/points"))["ETag"] != before
    assert all(3 not in numbers for numbers in coloured(lea, drawn, "state").values())
    assert f"{len(TEXTS) - 1} items" in lea.get(here(drawn)).content.decode()


def test_by_label_and_by_state(lea, cast, drawn):
    ana, ben = (assigning.voice_of(drawn, each) for each in (cast.ana, cast.ben))
    items = list(drawn.items.order_by("number"))
    say(drawn, ana, items[0], "Billing")
    say(drawn, ana, items[1], "Delivery")
    say(drawn, ana, items[2], "Billing")
    say(drawn, ben, items[2], "Login")
    Flag.objects.create(project=drawn, item=items[0], raised_by=ana)
    labels = coloured(lea, drawn, "label")
    assert labels["Billing"] == [0]
    assert labels["Delivery"] == [1]
    assert labels["Without a label"] == list(range(2, len(TEXTS)))
    states = coloured(lea, drawn, "state")
    assert states["Flagged"] == [0]
    assert states["Decided"] == [1]
    assert states["Tie, waits for review"] == [2]


def test_by_a_column_of_the_file_and_by_import(lea, drawn):
    for item in drawn.items.all():
        item.meta = {"channel": "<b>mail</b>" if item.number % 2 else "phone"}
        item.save(update_fields=["meta"])
    offered = dict(lea.get(here(drawn)).context["colourings"])
    assert offered["meta:channel"] == "channel"
    found = coloured(lea, drawn, "meta:channel")
    assert found == {"phone": list(range(0, 15, 2)), "<b>mail</b>": list(range(1, 15, 2))}
    assert coloured(lea, drawn, "batch") == {"Without an import": list(range(15))}


def test_the_students_word_and_silence_on_the_audit_are_one_group_with_doubt(lea, cast, drawn):
    teach(drawn, [[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.1, 0.8, 0.1]] * 5)
    Item.objects.filter(project=drawn, number=0).update(part=Part.EVALUATION)
    student = coloured(lea, drawn, "student")
    assert student["Billing"] == [3, 6, 9, 12]
    assert student["Delivery"] == [2, 5, 8, 11, 14]
    assert student["In doubt, or not told"] == [0, 1, 4, 7, 10, 13]
    doubt = coloured(lea, drawn, "doubt")
    assert doubt["In doubt, or not told"] == [0, 1, 4, 7, 10, 13]
    say(drawn, assigning.voice_of(drawn, cast.ana), drawn.items.get(number=0), "Billing")
    assert 0 in coloured(lea, drawn, "student")["Billing"]


def test_no_colour_and_no_state_tells_the_audit(lea, drawn):
    plain = {by: coloured(lea, drawn, by) for by in ("label", "state", "batch")}
    Item.objects.filter(project=drawn, number__in=[2, 5]).update(part=Part.CALIBRATION)
    assert {by: coloured(lea, drawn, by) for by in plain} == plain
    assert "audit" not in str(dict(lea.get(here(drawn)).context["colourings"])).lower()


def test_in_a_blind_project_the_student_is_not_asked(lea, drawn):
    teach(drawn, [[0.9, 0.05, 0.05]] * 15)
    assert "student" in dict(lea.get(here(drawn)).context["colourings"])
    type(drawn).objects.filter(pk=drawn.pk).update(blind=True)
    assert "student" not in dict(lea.get(here(drawn)).context["colourings"])
    for by in ("student", "doubt"):
        refused = lea.get(here(drawn, "explore/map/colours"), {"by": by})
        assert refused.status_code == 422


def test_hits_of_a_filter_stand_out_and_go_along_to_the_list(lea, drawn):
    index(drawn)
    response = lea.get(here(drawn), {"query": "parcel"})
    assert response.context["filters"] == "query=parcel"
    told = lea.get(here(drawn, "explore/map/hits"), {"query": "parcel"}).json()
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(told["bits"]), dtype=np.uint8), bitorder="little"
    )
    assert np.flatnonzero(bits).tolist() == [1, 4, 7, 10, 13]
    assert told["items"] == 5


def test_text_of_an_item_is_told_as_data(lea, cast, drawn):
    Item.objects.filter(project=drawn, number=2).update(text="<script>alert(1)</script>" * 30)
    say(drawn, assigning.voice_of(drawn, cast.ana), drawn.items.get(number=2), "Login")
    told = lea.get(here(drawn, "items/2/glance"))
    assert told["Content-Type"] == "application/json"
    assert told.json()["text"].startswith("<script>")
    assert len(told.json()["text"]) == 301
    assert told.json()["labels"] == ["Login"]


def test_an_area_is_kept_by_the_search_and_by_what_labels_many(lea, drawn):
    known = mapping.current_map(drawn)
    area = f"{known.name}.0-0_65534-0_65534-65534_0-65534"
    page = lea.get(here(drawn, "explore"), {"area": area})
    assert page.context["total"] == len(TEXTS)
    text = page.content.decode()
    assert "an outline on the map" in text
    assert text.count(f'name="area" value="{area}"') == 2
    billing = drawn.labels.get(name="Billing")
    preview = lea.post(here(drawn, "bulk/preview"), {"area": area, "labels": billing.pk})
    assert preview.context["preview"].fresh == len(TEXTS)
    asked = lea.post(here(drawn, "seedings"), {"area": area}, follow=True).content.decode()
    assert f"about {len(TEXTS)} items" in asked


def test_an_old_area_is_refused_in_words(lea, drawn):
    old = f"{mapping.current_map(drawn).name}.r0"
    draw(drawn, again=True)
    response = lea.get(here(drawn, "explore"), {"area": old})
    assert response.status_code == 409
    assert "drawn anew since this area was chosen" in response.content.decode()
    assert lea.get(here(drawn, "explore"), {"area": "nonsense"}).status_code == 422


def test_labels_of_a_region_are_given_by_the_job_and_taken_back(lea, drawn):
    region = lea.get(here(drawn)).context["regions"][0]
    billing = drawn.labels.get(name="Billing")
    lea.post(here(drawn, "bulk/start"), {"area": region.area, "labels": billing.pk})
    job = Job.objects.get(kind="bulk")
    assert job.params["filter"] == {"area": region.area}
    jobs.execute(job.pk)
    said = Annotation.objects.filter(project=drawn, labels=[billing.pk], kind="answer")
    assert said.count() == region.items
    lea.post(here(drawn, f"bulk/{job.pk}/undo"))
    jobs.execute(Job.objects.get(kind="bulk", params__has_key="undo").pk)
    assert not said.filter(successor=None).exists()
