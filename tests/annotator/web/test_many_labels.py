"""Projects with more labels than a page can list: a few are shown, the others are found by typing."""

import json

import pytest

from annotator.actions.desk import assigning
from annotator.actions.projects import finding, schema
from annotator.models import Assignment, Label
from tests.annotator.web.helpers import say
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

COUNT = finding.LISTED_AT_MOST + 30


@pytest.fixture
def wide(cast):
    made = make_project(cast, labels=(), audit_share=0)
    schema.add_labels(made, [(f"Reason {number}", "", "", "") for number in range(COUNT)])
    make_items(made, 3)
    return made


def shown(client, path):
    response = client.get(path)
    assert response.status_code == 200, response.content
    page = response.content.decode()
    return [number for number in range(COUNT) if f"Reason {number}<" in page], page


def test_the_search_answers_with_a_few_labels_and_says_that_there_are_more(lea, wide):
    answer = lea.get(f"/projects/{wide.pk}/labels/find?q=reason").json()
    assert len(answer["labels"]) == finding.FOUND_AT_MOST
    assert answer["more"]
    answer = lea.get(f"/projects/{wide.pk}/labels/find?q=reason+77").json()
    assert [each["name"] for each in answer["labels"]] == ["Reason 77"]
    assert not answer["more"]


def test_a_search_finds_archived_labels_only_where_they_are_asked_for(lea, wide):
    schema.archive_label(wide.labels.get(name="Reason 77"))
    found = f"/projects/{wide.pk}/labels/find?q=reason+77"
    assert lea.get(found).json()["labels"] == []
    (label,) = lea.get(f"{found}&archived=1").json()["labels"]
    assert (label["name"], label["description"]) == ("Reason 77", "archived")


def test_strangers_find_no_labels(client, cast, wide):
    client.force_login(cast.cleo)
    assert client.get(f"/projects/{wide.pk}/labels/find?q=reason").status_code == 404


def test_explore_lists_none_of_them_and_keeps_the_one_that_is_filtered_by(lea, wide):
    chosen = wide.labels.get(name="Reason 120")
    names, page = shown(lea, f"/projects/{wide.pk}/explore?label={chosen.pk}")
    assert names == []
    assert f'value="{chosen.pk}" data-prefix="" data-name="Reason 120"' in page


def test_settings_list_them_a_page_at_a_time_and_find_them(lea, wide):
    names, page = shown(lea, f"/projects/{wide.pk}/settings/labels")
    assert names == list(range(100))
    assert "1 to 100 of 130" in page
    names, _ = shown(lea, f"/projects/{wide.pk}/settings/labels?page=2")
    assert names == list(range(100, COUNT))
    names, _ = shown(lea, f"/projects/{wide.pk}/settings/labels?q=reason+12")
    assert names[0] == 12
    _, page = shown(lea, f"/projects/{wide.pk}/settings/labels?q=nothing")
    assert "No label fits" in page


def test_a_label_moves_over_the_edge_of_a_page(lea, wide):
    label = wide.labels.get(name="Reason 100")
    answer = lea.post(f"/projects/{wide.pk}/settings/labels/{label.pk}/move", {"to": "up"})
    assert answer["Location"].endswith(f"/settings/labels#up-{label.pk}")
    order = list(wide.live_labels().values_list("name", flat=True))
    assert order[98:102] == ["Reason 98", "Reason 100", "Reason 99", "Reason 101"]


def test_labels_without_places_of_their_own_are_parted_when_one_moves(lea, wide):
    Label.objects.filter(project=wide).update(position=0)
    label = wide.labels.get(name="Reason 1")
    lea.post(f"/projects/{wide.pk}/settings/labels/{label.pk}/move", {"to": "up"})
    order = list(wide.live_labels().values_list("name", flat=True))
    assert order.index("Reason 1") < order.index("Reason 0")


def test_the_label_page_has_recent_labels_the_first_and_what_its_items_name(lea, cast, wide):
    named = [wide.labels.get(name=f"Reason {number}").pk for number in (60, 70)]
    lease = assigning.lease(wide, assigning.voice_of(wide, cast.lea), 1)[0]
    say(wide, lease.annotator, lease.item, "Reason 90")
    held = assigning.lease(wide, assigning.voice_of(wide, cast.lea), 1)[0]
    Assignment.objects.filter(pk=held.pk).update(
        stream="active",
        suggestion=[[named[0], 0.7]],
        label_set={"coverage": 0.9, "sure": [], "maybe": named},
    )
    response = lea.get(f"/projects/{wide.pk}/label")
    names = [each["name"] for each in response.context["labels"]]
    assert names[:3] == ["Reason 90", "Reason 0", "Reason 1"]
    assert len(names) < 50
    assert response.context["label_count"] == COUNT
    cards = {card.assignment: json.loads(card.labels or "[]") for card in response.context["cards"]}
    assert [each["name"] for each in cards[held.pk]] == ["Reason 60", "Reason 70"]


def test_review_offers_what_was_said_and_a_search(lea, cast, wide):
    lease = assigning.lease(wide, assigning.voice_of(wide, cast.ana), 1)[0]
    say(wide, lease.annotator, lease.item, "Reason 90")
    case = f"/projects/{wide.pk}/review/{lease.item.number}"
    names, page = shown(lea, case)
    assert names == []  # blind: nothing of what the others said
    assert "Find a label" in page
    names, _ = shown(lea, f"{case}?guess={wide.labels.get(name='Reason 40').pk}")
    assert names == [40, 90]


def test_an_own_answer_is_changed_by_a_search(lea, cast, wide):
    lease = assigning.lease(wide, assigning.voice_of(wide, cast.lea), 1)[0]
    said = say(wide, lease.annotator, lease.item, "Reason 90")
    response = lea.get(f"/projects/{wide.pk}/label/mine/{said.uuid}")
    page = response.content.decode()
    assert 'data-name="Reason 90"' in page
    assert "Reason 91" not in page
