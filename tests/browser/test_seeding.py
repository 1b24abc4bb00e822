"""Lea looks for a rare label, asks people about what she found, and takes it back."""

import pytest
from playwright.sync_api import expect

from annotator.actions.encoders import encoding
from annotator.models import Assignment, Seeding
from tests.annotator.actions.test_loop import make_pool, work
from tests.annotator.web.helpers import index
from tests.browser.pages import LabelPage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tickets(cast):
    project, _, _ = make_pool(cast, 60, audit_share=0)
    index(project)
    encoding.wish_encoding(project)
    work()
    return project


def search(page, project, words):
    page.goto(f"/projects/{project.pk}/explore")
    page.get_by_label("Search the text").fill(words)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**query={words}**")  # the rows before the search look like hits
    expect(page.get_by_role("region", name="Items found").locator("tbody tr").first).to_be_visible()


def ask(page):
    page.get_by_role("button", name="Ask people about these").click()


def test_hits_come_first_on_the_label_page_with_the_search_for_a_reason(visit, cast, tickets):
    lead = visit(cast.lea).new_page()
    search(lead, tickets, "courier")
    hits = lead.locator("tbody tr").count()
    ask(lead)
    expect(
        lead.get_by_text(f"about {hits} items that match the search “courier” next.")
    ).to_be_visible()
    expect(lead.get_by_text(f"{hits} still wait")).to_be_visible()
    work()
    desk = LabelPage(visit(cast.ana).new_page(), tickets).open()
    shown = desk.page.locator(".item:not([hidden])")
    expect(shown).to_contain_text("courier")
    desk.press("w")
    expect(desk.page.locator("#why")).to_have_text(
        f"Matches the search “courier”, which lea asked people about (1 of {hits})."
    )
    desk.press("2")
    desk.settled()
    expect(shown).to_contain_text("courier")
    assert set(Assignment.objects.values_list("stream", flat=True)) == {"active"}
    lead.reload()
    expect(lead.get_by_text(f"{hits - 1} still wait")).to_be_visible()


def test_chosen_items_alone_and_taken_back(visit, cast, tickets):
    page = visit(cast.lea).new_page()
    search(page, tickets, "password")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("1 chosen")).to_be_visible()
    ask(page)
    expect(page.get_by_text("1 still waits")).to_be_visible()
    assert len(Seeding.objects.get().numbers) == 1
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Taken back. The answers that were given stay.")).to_be_visible()
    expect(page.get_by_text("still waits")).to_have_count(0)
    work()
    desk = LabelPage(visit(cast.ana).new_page(), tickets).open()
    desk.press("w")
    expect(desk.page.locator("#why")).not_to_contain_text("lea asked")


def test_what_is_like_an_example(visit, cast, tickets):
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{tickets.pk}/items/1/similar")
    expect(page.get_by_role("heading", name="Similar to")).to_be_visible()
    ask(page)
    expect(page.get_by_text("like item #1").first).to_be_visible()
    expect(page.get_by_text("50 still wait")).to_be_visible()


def test_without_a_search_it_says_what_is_missing(visit, cast, tickets, complaints):
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{tickets.pk}/explore")
    ask(page)
    expect(page.get_by_text("Search, filter or choose items first")).to_be_visible()
    complaints.clear()  # the browser notes the refusal's status
