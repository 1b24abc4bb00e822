"""A form with a question that is written to, answered by the keyboard alone."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.models import Annotation, Project
from tests.browser.pages import LabelPage, ask_questions
from tests.browser.test_access import violations
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "<b>2</b> leaks & 1 👍"


def test_a_form_that_is_written_to_is_answered_by_keys(visit, cast, live_server):
    project = projects.create_project(cast.lea, "Complaints", task_type="form", audit_share=0)
    make_items(project, 6)
    # A page with a strict policy refuses a foreign script; only the test may look past that.
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce").new_page()
    questions = (
        ("Complaint", "one answer", "yes\nno", None),
        ("Why", "a text that is written", "", "yes"),
        ("Tone", "any number of answers", "rude\npolite", "yes"),
    )
    ask_questions(page, live_server.url, project, questions)
    label = LabelPage(page, project).open()
    asked, field = page.locator("#form-asked"), page.get_by_label("Your text")
    known = dict(Project.objects.get(pk=project.pk).labels.values_list("name", "pk"))
    first = label.item
    expect(field).to_be_hidden()
    label.press("1")
    expect(asked).to_have_text("Why")
    expect(field).to_be_focused()
    expect(page.locator("[data-accept-word]")).to_have_text("go on: nothing written")
    assert violations(page) == []
    label.press("Control+Enter")
    expect(page.locator("#said")).to_contain_text("Nothing is written")
    page.keyboard.type(WORDS)  # digits are letters here, and no keys
    page.wait_for_timeout(400)
    page.reload()
    expect(page.locator("#main[data-ready]")).to_be_visible()
    label.press("1")
    expect(field).to_have_value(WORDS)
    label.press("Control+Enter")
    expect(asked).to_have_text("Tone")
    expect(page.locator("#form-trail")).to_contain_text(f"“{WORDS}”")
    label.press("Backspace")
    expect(field).to_have_value(WORDS)
    label.press("Escape", "ArrowLeft", "2")  # no complaint: nothing more is asked
    label.settled()
    label.press("Backspace")  # taken back, and answered otherwise
    label.press("1")
    expect(asked).to_have_text("Why")
    page.keyboard.type("It leaks.")
    label.press("Escape", "Enter", "1", "Enter")
    label.settled()
    said = Annotation.objects.standing().get(item_id=first)
    assert said.value == {"texts": {"why": {"text": "It leaks."}}}
    assert set(said.labels) == {known["Complaint > yes"], known["Tone > rude"]}
    assert "draft" not in " ".join(page.evaluate("Object.keys(localStorage)"))
