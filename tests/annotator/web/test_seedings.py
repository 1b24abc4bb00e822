"""Explore's "Ask people about these", and the same over the API."""

import pytest

from annotator.actions.desk import assigning
from annotator.actions.explore import neighbours, seeding
from annotator.models import Flag, Item, Seeding
from tests.annotator.web.helpers import index
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db
TEXTS = ["The refund arrived twice", "Where is my parcel", "No refund yet", "I cannot log in"]


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, TEXTS)
    index(made)
    return made


def here(project, path="explore"):
    return f"/projects/{project.pk}/{path}"


def ask(client, project, **form):
    return client.post(here(project, "seedings"), form, follow=True)


def test_hits_of_the_present_search(lea, tickets):
    page = lea.get(here(tickets), {"query": "refund"}).content.decode()
    assert "Ask people about these" in page
    done = ask(lea, tickets, query="refund").content.decode()
    assert "People are asked about 2 items that match the search “refund” next." in done
    assert "2 still wait" in done
    assert sorted(Seeding.objects.get().numbers) == [0, 2]


def test_chosen_items_alone(lea, tickets):
    chosen = Item.objects.get(project=tickets, number=3)
    done = ask(lea, tickets, items=[chosen.pk])
    assert Seeding.objects.get().numbers == [3]
    assert "1 item that a lead chose" in done.content.decode()


def test_what_is_like_an_item(lea, tickets, monkeypatch):
    near = neighbours.Nearest(pairs=[(2, 0.9), (1, 0.2)], seen=4, rows=4)
    monkeypatch.setattr(neighbours, "nearest", lambda *_, **__: near)
    monkeypatch.setattr("annotator.web.explore.nearest", lambda *_, **__: near)
    page = lea.get(here(tickets, "items/0/similar")).content.decode()
    assert 'name="example" value="0"' in page
    ask(lea, tickets, example="0")
    made = Seeding.objects.get()
    assert (made.numbers, made.example.number, made.query) == ([2, 1], 0, "")


def test_the_flagged_ones(lea, cast, tickets):
    voice = assigning.voice_of(tickets, cast.ana)
    Flag.objects.create(project=tickets, item=tickets.items.get(number=1), raised_by=voice)
    assert ask(lea, tickets, status="flagged").status_code == 200
    assert Seeding.objects.get().numbers == [1]


@pytest.mark.parametrize(
    ("searches", "folded"), [(("refund", "parcel"), False), (("refund", "parcel", "log"), True)]
)
def test_many_wishes_take_one_line(lea, tickets, searches, folded):
    for search in searches:
        ask(lea, tickets, query=search)
    page = lea.get(here(tickets)).content.decode()
    assert page.count(" come first") + page.count(" comes first") == len(searches) + folded
    assert ('<details class="wishes">' in page) is folded


def test_it_is_taken_back(lea, tickets):
    ask(lea, tickets, query="refund")
    made = Seeding.objects.get()
    done = lea.post(here(tickets, f"seedings/{made.pk}/undo"), follow=True).content.decode()
    assert "Taken back." in done
    assert "still wait" not in done
    made.refresh_from_db()
    assert made.ended_at is not None


def test_the_whole_pool_is_not_asked_about_by_accident(lea, tickets):
    refused = ask(lea, tickets)
    assert refused.status_code == 422
    assert "this would ask about everything" in refused.content.decode()


def test_reviewers_see_it_and_do_not_change_it(ben, lea, tickets):
    ask(lea, tickets, query="refund")
    page = ben.get(here(tickets)).content.decode()
    assert "2 still wait" in page
    assert "Ask people about these" not in page
    assert "/undo" not in page
    assert ask(ben, tickets, query="parcel").status_code == 404


class TestApi:
    @staticmethod
    def at(project, more=""):
        return f"/api/v1/projects/{project.pk}/seedings{more}"

    def post(self, client, project, body):
        return client.post(self.at(project), body, content_type="application/json")

    def test_a_filter_is_wished_for_told_and_taken_back(self, lea, tickets):
        made = self.post(lea, tickets, {"filter": {"query": "refund"}})
        assert made.status_code == 201, made.content
        told = made.json()
        assert sorted(told["items"]) == [0, 2]
        assert (told["waiting"], told["words"]) == (2, "that match the search “refund”")
        assert lea.get(self.at(tickets)).json()["results"] == [told]
        assert lea.delete(self.at(tickets, f"/{told['id']}")).status_code == 204
        assert lea.get(self.at(tickets)).json()["results"] == []

    def test_it_is_told_though_another_lead_replaced_it_meanwhile(self, lea, tickets, monkeypatch):
        wish = seeding.ask_hits

        def replaced(*given):
            made = wish(*given)
            wish(*given)
            Item.objects.filter(number=0).update(open=False)
            return made

        monkeypatch.setattr(seeding, "ask_hits", replaced)
        made = self.post(lea, tickets, {"filter": {"query": "refund"}})
        assert made.status_code == 201
        assert sorted(made.json()["items"]) == [0, 2]
        assert made.json()["waiting"] == 1

    def test_an_example_that_is_not_encoded_yet_is_refused(self, lea, tickets):
        item = tickets.items.first()
        refused = self.post(lea, tickets, {"example": item.pk})
        assert refused.status_code == 409
        assert self.post(lea, tickets, {"example": item.pk + 1000}).status_code == 404

    @pytest.mark.parametrize("body", [{}, {"filter": {"query": "refund"}, "example": 1}])
    def test_either_a_filter_or_an_example(self, lea, tickets, body):
        refused = self.post(lea, tickets, body)
        assert refused.status_code == 422
        assert "either a filter or an example" in refused.json()["detail"]
