"""A form that marks the text, answered by the keyboard alone."""

import json

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import form_questions, projects
from annotator.formats.mapping import Mapping
from annotator.models import Annotation, Item, Project
from tests.annotator.actions.test_importing import imported
from tests.browser.pages import LabelPage, ask_questions
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The kettle leaks"


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(cast.lea, "Complaints", task_type="form", audit_share=0)
    make_items(made, [TEXT] * 6)
    return made


def build(page, url, project):
    """Is it a complaint; which product and problem, marked in the text, only if it is."""
    questions = (
        ("Complaint", "one answer", "yes\nno", None),
        ("Where", "spans of the text, each with an answer", "product\nproblem", "yes"),
        ("Tone", "any number of answers", "rude\npolite", "problem"),
    )
    ask_questions(page, url, project, questions)


def test_a_form_that_marks_the_text_is_answered_by_keys(visit, cast, project, live_server):
    page = visit(cast.lea).new_page()
    build(page, live_server.url, project)
    label = LabelPage(page, project).open()
    asked, tools = page.locator("#form-asked"), page.locator(".span-tools")
    known = dict(project.labels.values_list("name", "pk"))
    first = label.item
    expect(asked).to_have_text("Complaint")
    expect(tools).to_be_hidden()
    expect(page.locator(".item:not([hidden]) .item-text")).to_have_text(TEXT)
    label.press("1")
    expect(asked).to_have_text("Where")
    expect(tools).to_be_visible()
    label.press("ArrowRight", "ArrowRight", "1", "ArrowRight", "2")
    expect(page.locator("[data-accept-word]")).to_have_text("go on: 2 spans")
    label.press("Backspace")  # one step within the text, not the question
    expect(page.locator("[data-accept-word]")).to_have_text("answer: 1 span")
    label.press("ArrowRight", "ArrowRight", "ArrowRight", "2", "Enter")
    expect(asked).to_have_text("Tone")
    expect(page.locator("#form-trail")).to_contain_text("product, problem")
    expect(page.locator(".item:not([hidden]) .span")).to_have_count(2)
    label.press("1", "ArrowLeft")  # back, where no words are selected by it
    expect(asked).to_have_text("Where")
    label.press("Enter", "Enter")
    expect(page.locator("[data-undo-word]")).to_have_text("undo yes, product, problem, rude")
    second = label.item
    label.press("2")
    third = label.item
    label.press("1")
    expect(asked).to_have_text("Where")
    page.wait_for_timeout(450)  # an empty answer that comes at once is asked for twice
    label.press("Enter")
    label.settled()
    said = {one.item_id: one for one in Annotation.objects.filter(successor=None)}
    names = ("Complaint > yes", "Where > product", "Where > problem", "Tone > rude")
    assert set(said[first].labels) == {known[name] for name in names}
    assert said[first].value == {
        "spans": [
            {"start": 4, "end": 10, "label": known["Where > product"]},
            {"start": 11, "end": 16, "label": known["Where > problem"]},
        ]
    }
    assert (said[second].labels, said[second].value) == ([known["Complaint > no"]], {"spans": []})
    assert (said[third].labels, said[third].value) == ([known["Complaint > yes"]], {"spans": []})
    assert Item.objects.get(pk=first).text == TEXT
    label.press("Backspace")
    expect(asked).to_have_text("Where")
    label.press("Backspace")
    label.press("Backspace")
    expect(page.locator("#said")).to_contain_text("Taken back: no")
    label.press("Backspace")
    expect(asked).to_have_text("Tone")
    expect(page.locator(".item:not([hidden]) .span")).to_have_count(2)


def test_what_is_suggested_is_taken_question_by_question(visit, cast):
    project = projects.create_project(cast.lea, "Complaints", task_type="form", audit_share=0)
    for name, kind, answers in (("Complaint", "single", "yes no"), ("Where", "spans", "product")):
        labels = [(one, "") for one in answers.split()]
        form_questions.add_question(project, name, kind=kind, labels=labels)
    project = Project.objects.get(pk=project.pk)
    row = {"text": TEXT, "answer_complaint": "yes", "answer_where": [[4, 10, "product"]]}
    mapping = Mapping(text="text", answers=("answer_complaint", "answer_where"))
    imported(project, json.dumps(row).encode(), mapping, name="x.jsonl", labels="suggestions")
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    accept = page.locator("[data-accept-word]")
    expect(accept).to_have_text("go on: yes")
    label.press("Enter")
    expect(accept).to_have_text("answer: 1 span, 1 suggested")
    expect(page.locator(".item:not([hidden]) .span.suggested")).to_have_text("kettle")
    label.press("Enter")
    label.settled()
    known = dict(project.labels.values_list("name", "pk"))
    said = Annotation.objects.standing().get(annotator__user=cast.lea)
    assert set(said.labels) == {known["Complaint > yes"], known["Where > product"]}
    assert said.value == {"spans": [{"start": 4, "end": 10, "label": known["Where > product"]}]}
