"""Two texts, one better: by keys, with what differs marked, whatever the order that chance decides."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.models import Annotation, Item, Project
from tests.browser.pages import LabelPage, ask_questions
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

ONE = "The cat sat on the mat & <b>purred</b>."
OTHER = "The dog sat on the mat & <b>purred</b>."


def replies(cast, task_type):
    made = projects.create_project(
        cast.lea, "Replies", task_type=task_type, item_kind="pair", audit_share=0
    )
    make_items(made, [ONE] * 8)
    Item.objects.filter(project=made).update(text_b=OTHER)
    return made


@pytest.fixture
def project(visit, cast):
    return replies(cast, "preference")


def test_arrows_answer_for_the_text_that_stands_there(visit, cast, project):
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    labels = dict(project.labels.values_list("key", "pk"))
    wanted = {}
    for key, place in (("ArrowLeft", 0), ("2", 1), ("ArrowRight", 1), ("1", 0)):
        first = page.locator(".item:not([hidden]) .item-text").first.inner_text()
        rows = page.locator("#rows .name").all_inner_texts()
        assert rows == ["First is better", "Second is better", "Equally good", "Both bad"]
        own = ("a", "b") if first == ONE else ("b", "a")
        wanted[label.item] = labels[own[place]]
        label.press(key)
        expect(page.locator("[data-undo-word]")).to_have_text(
            f"undo {('First', 'Second')[place]} is better"
        )
    wanted[label.item] = labels["tie"]
    label.press("=")
    label.settled()
    assert {said.item_id: said.labels[0] for said in Annotation.objects.all()} == wanted
    label.press("Backspace")
    expect(page.locator("#said")).to_have_text("Taken back: Equally good.")


def test_what_differs_is_marked_and_unmarked(visit, cast, project):
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    marks = page.locator(".item:not([hidden]) mark.differs")
    texts = page.locator(".item:not([hidden]) .item-text")
    label.press("d")
    assert sorted(marks.all_inner_texts()) == ["cat", "dog"]
    assert sorted(texts.all_inner_texts()) == [ONE, OTHER]
    expect(page.locator(".aid[data-does=differences]")).to_have_attribute("aria-pressed", "true")
    label.press("0")
    expect(marks).to_have_count(2)
    label.press("d")
    expect(marks).to_have_count(0)


@pytest.fixture
def criteria(visit, cast):
    return replies(cast, "form")


def test_several_criteria_are_compared_by_keys_and_taken_back(visit, cast, criteria, live_server):
    page = visit(cast.lea).new_page()
    questions = (
        ("Helps", "which of the two texts is better", "", None),
        ("Why", "any number of answers", "shorter\nclearer", None),
        ("Kinder", "which of the two texts is better", "", None),
    )
    ask_questions(page, live_server.url, criteria, questions)
    label = LabelPage(page, criteria).open()
    asked, rows = page.locator("#form-asked"), page.locator("#rows .answer:visible .name")
    keys = page.locator("#rows .answer:visible kbd")
    labels = dict(Project.objects.get(pk=criteria.pk).labels.values_list("name", "pk"))
    wanted = {}
    for _ in range(4):
        first = page.locator(".item:not([hidden]) .item-text").first.inner_text()
        one, other = ("A", "B") if first == ONE else ("B", "A")
        expect(asked).to_have_text("Helps")
        assert rows.all_inner_texts() == [
            *("First is better", "Second is better", "Equally good", "Both bad")
        ]
        assert keys.all_inner_texts() == ["1", "2", "=", "0"]
        label.press("ArrowLeft")
        expect(asked).to_have_text("Why")
        label.press("ArrowLeft")  # this question has no sides: back to the one before
        expect(asked).to_have_text("Helps")
        expect(page.locator("#rows .answer.picked .name")).to_have_text("First is better")
        label.press("Enter")
        label.press("1", "Enter")
        expect(asked).to_have_text("Kinder")
        expect(page.locator("#form-trail")).to_contain_text("First is better")
        wanted[label.item] = {
            labels[f"Helps > {one} is better"],
            labels["Why > shorter"],
            labels[f"Kinder > {other} is better"],
        }
        label.press("ArrowRight")
    last = label.item
    label.press("=", "Enter", "Enter", "0")
    wanted[last] = {labels["Helps > Equally good"], labels["Kinder > Both bad"]}
    label.settled()
    said = {one.item_id: set(one.labels) for one in Annotation.objects.all()}
    assert said == wanted
    shown = set(Annotation.objects.values_list("value__shown", flat=True))
    assert shown <= {"ab", "ba"}
    for question in ("Kinder", "Why", "Helps", "Kinder"):  # of the last one, then the one before
        label.press("Backspace")
        expect(asked).to_have_text(question)
    # What stands in the trail follows the order in which this item's texts are shown.
    expect(page.locator("#form-trail")).to_contain_text("First is better")
    expect(page.locator("#rows .answer.picked .name")).to_have_text("Second is better")
