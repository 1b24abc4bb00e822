"""The page on which a project starts from another one tells which labels are alone while the match is changed."""

import pytest
from playwright.sync_api import expect

from tests.annotator.warmed import ours, theirs
from tests.browser.test_access import WINDOWS, violations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["light", "dark-phone"])
def test_labels_without_a_counterpart_are_told_as_the_match_is_typed(visit, cast, name):
    source, (project, _) = theirs(cast), ours(cast)
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[name]).new_page()
    page.goto(f"/projects/{project.pk}/students/start?source={source.pk}")
    told = page.get_by_role("status").filter(has_text="counterpart")
    expect(told).to_have_text("Without a counterpart: Login.")
    page.get_by_label("Praise").focus()
    page.keyboard.type("Login")
    expect(told).to_have_text("Every label here has a counterpart.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Backspace")  # what the tabulator came to is chosen whole
    expect(told).to_have_text("Without a counterpart: Delivery.")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
