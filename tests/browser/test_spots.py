"""Search by type with keys alone: hits are judged, kept as one step and taken back; for everybody."""

import os

import pytest
from playwright.sync_api import expect

from annotator.actions.encoders.encoding import wish_encoding
from annotator.models import Seeding
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_tagging import text
from tests.browser.test_access import WINDOWS, violations
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, [text(number) for number in range(40)])
    wish_encoding(made)
    work()
    return made


@pytest.mark.parametrize("name", ["light", "dark-phone"])
def test_hits_are_judged_with_keys_and_taken_back(visit, cast, project, name):
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[name]).new_page()
    page.goto(f"/projects/{project.pk}/explore")
    page.get_by_role("link", name="Search by type").click()
    page.get_by_label("Find all").select_option("Place")
    page.get_by_label("Such as").fill("Oslo, Lima")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("[data-row]")
    expect(rows.nth(20)).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("j")
    for key in "yyn":
        page.keyboard.press(key)
    expect(page.locator("input[value=yes]:checked")).to_have_count(2)
    expect(page.locator("input[value=no]:checked")).to_have_count(1)
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/spots-{name}.png")
    page.get_by_role("button", name="Keep what I said").click()
    expect(page.get_by_text("Kept: 2 stretches are “Place”, 1 is not.")).to_be_visible()
    assert violations(page) == []
    step = Seeding.objects.get()
    assert (len(step.kept), len(step.refused)) == (2, 1)
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/spots-kept-{name}.png", full_page=True)
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Taken back. The answers that were given stay.")).to_be_visible()
    step.refresh_from_db()
    assert step.taken_back_at is not None
