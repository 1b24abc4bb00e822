"""Choosing among more labels than a page lists: typing finds them, keys alone choose them."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import schema
from annotator.models import Annotation
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wide(visit, cast):
    made = make_project(cast, labels=(), audit_share=0)
    schema.add_labels(made, [(f"Reason {n}", "", f"Says {n}", "") for n in range(150)])
    make_items(made, 3)
    return made


def test_keys_alone_choose_a_label_to_filter_by_and_one_to_give(visit, cast, wide):
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{wide.pk}/explore")
    page.get_by_text("Filters and order").click()
    field = page.get_by_role("combobox", name="Label", exact=True)
    field.press_sequentially("reason 14")
    options = page.locator(".combo-list > [role=option]")
    expect(options).to_have_count(11)
    field.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("Enter")
    expect(field).to_have_value("Reason 140")
    expect(options.first).to_be_hidden()
    field.press("Enter")
    page.wait_for_url(f"**label={wide.labels.get(name='Reason 140').pk}**")
    page.goto(f"/projects/{wide.pk}/explore")
    page.get_by_role("button", name="Look first").click()
    give = page.get_by_role("combobox", name="Label to give")
    assert give.evaluate("field => field.validationMessage") == "Choose a label from the list."
    give.press_sequentially("says 77")
    give.press("Enter")  # waits for the answer to what was typed last
    expect(give).to_have_value("Reason 77")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_text("Reason 77")).to_be_visible()


def test_a_reviewer_finds_a_label_and_says_it_by_keys(visit, cast, wide):
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{wide.pk}/review/1")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Find a label")
    expect(field).to_be_focused()
    page.keyboard.type("says 77")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Decide Reason 77").click()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    assert wide.labels.get(name="Reason 77").pk in Annotation.objects.get().labels


def test_a_label_that_no_row_shows_is_found_and_given_by_keys(visit, cast, wide):
    page = LabelPage(visit(cast.ana).new_page(), wide).open()
    page.press("/")
    page.page.keyboard.type("says 77")
    expect(page.page.locator("#found [role=option]")).to_have_count(1)
    page.press("Enter")
    page.settled()
    assert wide.labels.get(name="Reason 77").pk in Annotation.objects.get().labels


def test_enter_pressed_twice_during_a_slow_search_answers_once(visit, cast, wide):
    desk = LabelPage(visit(cast.ana).new_page(), wide).open()
    held = []

    def hold(route):
        held.append(route)

    desk.page.route("**/labels/find*", hold)
    desk.press("/")
    with desk.page.expect_request("**/labels/find?q=says*77"):
        desk.page.keyboard.type("says 77")
    desk.press("Enter", "Enter")
    held[-1].continue_()
    desk.settled()
    expect(desk.page.locator("#find")).not_to_be_focused()
    assert Annotation.objects.count() == 1
