"""The routing page: axe finds nothing, it fits a phone, and a point of the curve becomes the policy."""

import re

import pytest
from playwright.sync_api import expect

from annotator.actions.routing import policies
from tests.annotator.routed import routed
from tests.browser.test_access import WINDOWS
from tests.browser.test_teachers import check

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("window", ["light", "dark-phone"])
def test_a_lead_chooses_a_point_by_keyboard(cast, visit, window):
    made = routed(cast)
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[window]).new_page()
    page.goto(f"/projects/{made.project.pk}/routing")
    check(page, f"{window}-routing")
    page.get_by_role("button", name=re.compile(r"Use 30\W+by people")).press("Enter")
    expect(page.get_by_text("The policy is on: people label 30")).to_be_visible()
    assert made.policy.human_share == pytest.approx(0.3)
    expect(page.get_by_text("in use", exact=True)).to_be_visible()
    policies.change_policy(made.project, cast.lea, enabled=False, teacher=None)
    page.reload()
    check(page, f"{window}-routing-off")
