"""Two texts, one better: by keys, with what differs marked, whatever the order that chance decides."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.models import Annotation, Item
from tests.browser.pages import LabelPage
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

ONE = "The cat sat on the mat & <b>purred</b>."
OTHER = "The dog sat on the mat & <b>purred</b>."


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(
        cast.lea, "Replies", task_type="preference", item_kind="pair", audit_share=0
    )
    make_items(made, [ONE] * 6)
    Item.objects.filter(project=made).update(text_b=OTHER)
    return made


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
