"""Explore: finding items, looking closely, similar ones, and what a guess must not show."""

from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.verdicts import settling
from annotator.models import Item, Part, Pick
from annotator.web import words
from tests.annotator.web.helpers import encode, index, say, teach
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

TEXTS = [
    "The refund arrived twice",
    "Where is my parcel",
    "I cannot log in",
    "The refund never arrived",
    "Parcel is broken",
    "Password reset mail is missing",
]


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, TEXTS)
    return made


def found(client, project, query=""):
    response = client.get(f"/projects/{project.pk}/explore?{query}")
    assert response.status_code == 200, response.content
    return [row.item.number for row in response.context["rows"]]


def test_text_search_finds_words(lea, tickets):
    index(tickets)
    assert found(lea, tickets, "query=refund") == [0, 3]
    assert found(lea, tickets, "query=refund+-twice") == [3]
    assert found(lea, tickets, "query=%22refund+never%22") == [3]


def test_an_item_is_found_by_its_number_or_id(lea, tickets):
    Item.objects.filter(project=tickets, number=4).update(external_id="A-77")
    assert found(lea, tickets, "query=%232") == [2]
    assert found(lea, tickets, "query=%23A-77") == [4]


def test_a_search_says_while_the_index_is_being_filled(lea, tickets):
    before = lea.get(f"/projects/{tickets.pk}/explore?query=refund").content.decode()
    assert "0 of 6 items can be found by their words" in before
    index(tickets)
    after = lea.get(f"/projects/{tickets.pk}/explore?query=refund").content.decode()
    assert "still being filled" not in after


def test_filters_keep_what_fits(lea, cast, tickets):
    ana, ben = (assigning.voice_of(tickets, each) for each in (cast.ana, cast.ben))
    items = list(tickets.items.order_by("number"))
    say(tickets, ana, items[0], "Billing")
    say(tickets, ana, items[1], "Delivery")
    say(tickets, ben, items[1], "Login")
    billing = tickets.labels.get(name="Billing")
    assert found(lea, tickets, f"label={billing.pk}") == [0]
    assert found(lea, tickets, f"annotator={ben.pk}") == [1]
    assert found(lea, tickets, "status=tie") == [1]
    assert found(lea, tickets, "status=answered") == [0]
    assert found(lea, tickets, "status=none") == [2, 3, 4, 5]
    assert found(lea, tickets, "stream=active") == [0, 1]


def test_ids_of_all_hits_are_a_file(lea, tickets):
    index(tickets)
    Item.objects.filter(project=tickets, number=3).update(external_id="=SUM(A1)")
    response = lea.get(f"/projects/{tickets.pk}/explore/ids?query=refund&sort=doubt")
    assert response["Content-Disposition"].startswith("attachment")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines == ["number,external_id", "0,", "3,'=SUM(A1)"]
    page = lea.get(f"/projects/{tickets.pk}/explore?query=refund").content.decode()
    assert f'href="/projects/{tickets.pk}/explore/ids?query=refund&amp;"' in page


def test_the_audit_part_is_a_filter(lea, tickets):
    Item.objects.filter(project=tickets, number=5).update(part=Part.EVALUATION)
    assert found(lea, tickets, "part=evaluation") == [5]


@pytest.mark.parametrize("query", ["status=lost", "sort=text", "label=x", "part=part", "after=-1"])
def test_what_is_not_on_the_list_is_refused(lea, tickets, query):
    assert lea.get(f"/projects/{tickets.pk}/explore?{query}").status_code == 422


def test_an_unknown_label_or_voice_finds_nothing(lea, tickets):
    assert found(lea, tickets, "label=999999") == []
    assert found(lea, tickets, "annotator=999999") == []


def test_most_doubtful_first_page_by_page(lea, tickets, monkeypatch):
    monkeypatch.setattr("annotator.web.explore.SIZE", 2)
    sure = [0.9, 0.34, 0.6, 0.52, 0.4, 0.8]
    teach(tickets, [[p, (1 - p) * 0.6, (1 - p) * 0.4] for p in sure])
    pages, query = [], "sort=doubt"
    while query:
        response = lea.get(f"/projects/{tickets.pk}/explore?{query}")
        pages.append([row.item.number for row in response.context["rows"]])
        after = response.context["after"]
        query = "" if after is None else f"sort=doubt&after={after}"
    assert pages == [[4, 1], [3, 2], [5, 0]]
    assert found(lea, tickets, "doubt=high&sort=doubt") == [4, 1]


def test_pages_follow_each_other_without_gap_or_double(lea, tickets, monkeypatch):
    monkeypatch.setattr("annotator.web.explore.SIZE", 4)
    assert found(lea, tickets) == [0, 1, 2, 3]
    assert found(lea, tickets, "after=3") == [4, 5]
    assert found(lea, tickets, "sort=latest") == [5, 4, 3, 2]
    assert found(lea, tickets, "sort=latest&after=2") == [1, 0]


def test_an_undecided_audit_item_shows_no_guess(lea, cast, tickets):
    teach(tickets, [[0.9, 0.05, 0.05]] * 6)
    item = tickets.items.get(number=2)
    Item.objects.filter(pk=item.pk).update(part=Part.EVALUATION)
    rows = lea.get(f"/projects/{tickets.pk}/explore").context["rows"]
    assert [row.guess is None for row in rows] == [False, False, True, False, False, False]
    assert lea.get(f"/projects/{tickets.pk}/items/2").context["guesses"] == []
    say(tickets, assigning.voice_of(tickets, cast.ana), item, "Login", stream="audit")
    assert lea.get(f"/projects/{tickets.pk}/items/2").context["guesses"] != []


def test_an_item_shows_everything_said_about_it(lea, cast, tickets):
    item = tickets.items.get(number=0)
    say(tickets, assigning.voice_of(tickets, cast.ana), item, "Billing")
    whole = lea.get(f"/projects/{tickets.pk}/items/0").content.decode()
    part = lea.get(f"/projects/{tickets.pk}/items/0", HTTP_HX_REQUEST="true").content.decode()
    assert "<html" in whole
    assert "<html" not in part
    for text in (whole, part):
        assert "The refund arrived twice" in text
        assert "Billing" in text
        assert "ana" in text


def test_markup_in_an_item_is_text(lea, tickets):
    Item.objects.filter(project=tickets, number=0).update(text="<script>alert(1)</script>")
    for rest in ("explore", "items/0"):
        body = lea.get(f"/projects/{tickets.pk}/{rest}").content
        assert b"<script>alert" not in body
        assert b"&lt;script&gt;alert" in body


def test_similar_items_come_nearest_first(lea, tickets):
    angles = np.array([0.0, 0.1, 3.0, 0.4, 1.5, 0.2])
    vectors = np.stack([np.cos(angles), np.sin(angles), angles * 0, angles * 0], axis=1)
    encode(tickets, vectors)
    response = lea.get(f"/projects/{tickets.pk}/items/0/similar")
    assert [each["row"].item.number for each in response.context["rows"]] == [1, 5, 3, 4, 2]
    scores = [each["score"] for each in response.context["rows"]]
    assert scores == pytest.approx(np.cos([0.1, 0.2, 0.4, 1.5, 3.0]), abs=2e-3)


def test_similar_items_say_when_nothing_is_encoded(lea, tickets):
    assert b"Not encoded yet" in lea.get(f"/projects/{tickets.pk}/items/0/similar").content


def test_a_search_that_takes_too_long_says_how_far_it_came(lea, tickets, monkeypatch):
    encode(tickets)
    monkeypatch.setattr("annotator.actions.explore.neighbours.BLOCK", 2)
    monkeypatch.setattr("annotator.actions.explore.neighbours.LONGEST_SECONDS", -1.0)
    response = lea.get(f"/projects/{tickets.pk}/items/0/similar")
    assert response.context["found"].seen == 2
    assert b"The first 2 of 6 items were compared" in response.content


def test_removed_items_are_nowhere(lea, tickets):
    from django.utils import timezone

    encode(tickets)
    Item.objects.filter(project=tickets, number=1).update(removed_at=timezone.now())
    assert found(lea, tickets) == [0, 2, 3, 4, 5]
    assert lea.get(f"/projects/{tickets.pk}/items/1").status_code == 404
    similar = lea.get(f"/projects/{tickets.pk}/items/0/similar").context["rows"]
    assert 1 not in [each["row"].item.number for each in similar]


@pytest.mark.parametrize("rest", ["explore", "items/0", "items/0/similar", "bulk"])
@pytest.mark.parametrize("who", ["ana", "cleo"])
def test_others_answers_are_not_for_everybody(sign_in, cast, tickets, rest, who):
    assert sign_in(getattr(cast, who)).get(f"/projects/{tickets.pk}/{rest}").status_code == 404


def test_an_empty_project_teaches(lea, cast):
    empty = make_project(cast, name="Empty")
    assert b"No items yet" in lea.get(f"/projects/{empty.pk}/explore").content


def test_the_number_of_queries_does_not_grow(lea, cast, tickets, django_assert_max_num_queries):
    ana = assigning.voice_of(tickets, cast.ana)
    teach(tickets, [[0.9, 0.05, 0.05]] * 6)
    for item in tickets.items.order_by("number"):
        say(tickets, ana, item, "Billing")
    with django_assert_max_num_queries(13):
        assert len(found(lea, tickets)) == 6
    with django_assert_max_num_queries(13):
        lea.get(f"/projects/{tickets.pk}/items/0")


class TestQuestions:
    """What is known of one label only is shown as that."""

    @pytest.fixture
    def asked(self, cast):
        project = make_project(cast, task_type="multi", audit_share=0)
        items = make_items(project, 3)
        login = project.labels.get(name="Login")
        for item, labels in ((items[0], []), (items[1], [login.pk])):
            Pick.objects.create(project=project, item=item, rank=item.number, question=login)
            voice = assigning.voice_of(project, cast.ana)
            (lease,) = assigning.lease(project, voice, 1)
            labeling.submit(
                project,
                voice,
                uuid=uuid4(),
                assignment_id=lease.pk,
                labels=labels,
                question=login.pk,
            )
        settling.settle_now(project)
        return project

    def test_lists_and_items_say_which_labels_are_known(self, lea, asked):
        page = lea.get(f"/projects/{asked.pk}/explore", {"status": "partial"}).content.decode()
        assert page.count("others open") == 2
        assert "not Login" in page
        item = lea.get(f"/projects/{asked.pk}/items/0").content.decode()
        assert "asked about this label only" in item
        assert "none of the labels" not in item

    def test_audit_items_stay_silent_until_they_have_a_whole_answer(self, cast, asked):
        word = words.StudentWord(asked, words.LabelBook(asked))
        word.known = SimpleNamespace(rows=3)
        item = asked.items.select_related("verdict").get(number=0)
        assert word.may_speak(item)
        item.part = "evaluation"
        assert not word.may_speak(item)
