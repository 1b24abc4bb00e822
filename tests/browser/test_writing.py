"""Texts are written by keys alone; what was begun outlives the tab, and what is data stays data."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.models import Annotation, Item
from tests.browser.pages import LabelPage
from tests.browser.test_access import violations
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

DRAFT = "teh <b>cat</b> & 👍 sat"


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(
        cast.lea, "Corrections", task_type="text", item_kind="pair", audit_share=0
    )
    make_items(made, ["The source of the text."] * 4)
    Item.objects.filter(project=made).update(text_b=DRAFT)
    return made


def test_a_text_is_edited_kept_as_a_draft_answered_and_taken_back(visit, cast, project):
    # A page with a strict policy refuses a foreign script; only the test may look past that.
    context = visit(cast.lea, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    label = LabelPage(page, project).open()
    field = page.get_by_label("Your text")
    expect(field).to_be_focused()
    expect(field).to_have_value(DRAFT)
    assert violations(page) == []
    field.press("End")
    page.keyboard.type("! 12")  # digits and marks are letters here, and no keys
    first = label.item
    page.wait_for_timeout(400)
    page.reload()
    expect(page.locator("#main[data-ready]")).to_be_visible()
    expect(field).to_have_value(f"{DRAFT}! 12")
    field.press("Control+Enter")
    expect(page.locator("[data-undo-word]")).to_contain_text("undo “teh <b>cat</b>")
    label.settled()
    said = Annotation.objects.get()
    assert (said.item_id, said.value) == (first, {"text": f"{DRAFT}! 12", "edits": 4})
    assert "draft" not in " ".join(page.evaluate("Object.keys(localStorage)"))

    expect(field).to_have_value(DRAFT)
    label.press("Escape", "Backspace")
    expect(field).to_have_value(f"{DRAFT}! 12")
    field.fill("  ")
    field.press("Control+Enter")
    expect(page.locator("#said")).to_contain_text("Nothing is written")
    field.fill("The cat sat.\nTwice.")
    page.get_by_role("button", name="answer").click()
    label.settled()
    latest = Annotation.objects.filter(kind="answer").latest("pk")
    assert (latest.item_id, latest.value["text"]) == (first, "The cat sat.\nTwice.")
