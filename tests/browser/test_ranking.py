"""Candidates are put in an order by digits, by moving and by dragging; ties are one key."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.models import Annotation, Item, Pick
from tests.browser.pages import LabelPage
from tests.browser.test_access import violations
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = ["alpha <i>one</i>", "beta", "gamma", "delta"]


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(
        cast.lea, "Passages", task_type="ranking", item_kind="list", audit_share=0
    )
    make_items(made, [f"query {number}" for number in range(4)])
    Item.objects.filter(project=made).update(candidates=TEXTS)
    return made


def test_an_order_is_given_by_keys_and_by_dragging_and_taken_back(visit, cast, project):
    # A page with a strict policy refuses a foreign script; only the test may look past that.
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce").new_page()
    label = LabelPage(page, project).open()
    rows = page.locator("#ranked .candidate-text")
    shown = rows.all_inner_texts()
    assert sorted(shown) == sorted(TEXTS)
    number = {text: at for at, text in enumerate(TEXTS, 1)}
    by_key = [number[text] for text in shown]

    first = label.item
    label.press("3", "1", "=")  # the third is the best, the first equals it
    label.press("4")  # the last one left has only one place
    expect(page.locator(".candidate.placed")).to_have_count(4)
    assert violations(page) == []
    label.press("Enter")
    label.settled()
    said = Annotation.objects.get()
    tied = sorted([by_key[2], by_key[0]])
    assert (said.item_id, said.value["order"]) == (first, [tied, [by_key[3]], [by_key[1]]])
    assert said.value["shown"] == " ".join(map(str, by_key))

    shown = rows.all_inner_texts()
    label.press("Enter")
    expect(page.locator("#said")).to_contain_text("4 candidates have no place")
    grip = page.locator("[data-grip]").nth(3).bounding_box()
    target = page.locator("[data-grip]").nth(0).bounding_box()
    page.mouse.move(grip["x"] + 5, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(target["x"] + 5, target["y"] + 2, steps=4)
    page.mouse.up()
    assert rows.all_inner_texts() == [shown[3], *shown[:3]]
    label.press("j", "Shift+ArrowDown")  # from the second place to the third
    assert rows.all_inner_texts() == [shown[3], shown[1], shown[0], shown[2]]
    label.press("Backspace")
    assert rows.all_inner_texts() == [shown[3], *shown[:3]]
    label.press("Enter", "Enter")
    label.settled()
    latest = Annotation.objects.latest("pk")
    assert latest.value["order"] == [[number[text]] for text in (shown[3], *shown[:3])]
    label.press("Backspace")
    expect(page.locator("#said")).to_contain_text("Taken back")
    assert rows.all_inner_texts() == [shown[3], *shown[:3]]
    page.locator("[data-places]").nth(0).focus()
    label.press("Enter")
    expect(page.locator(".candidate.here [data-places]")).to_be_focused()
    expect(page.get_by_label(f"No place: give the next one: {shown[3]}")).to_be_focused()


def test_a_suggested_order_is_shown_and_taken_by_enter_or_changed(visit, cast, project):
    suggestion = {"order": [[3], [1, 4], [2]]}
    for rank, item in enumerate(Item.objects.filter(project=project).order_by("number")):
        Pick.objects.create(
            project=project, item=item, slot=0, rank=rank, reason="r", suggestion=suggestion
        )
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce").new_page()
    label = LabelPage(page, project).open()
    rows = page.locator("#ranked .candidate-text")
    assert rows.all_inner_texts() == [TEXTS[2], TEXTS[0], TEXTS[3], TEXTS[1]]
    expect(page.locator("#ranking-what")).to_have_text("Best first, as suggested")
    expect(page.locator(".candidate.placed")).to_have_count(0)
    expect(page.locator(".candidate.suggested .place")).to_have_text(["1", "2", "2", "4"])
    expect(page.locator(".candidate.tied")).to_have_count(1)
    expect(page.locator("[data-accept-word]")).to_have_text("answer: as suggested")
    assert violations(page) == []
    label.press("Enter")
    label.settled()
    said = Annotation.objects.get()
    assert said.value == {"order": [[3], [1, 4], [2]], "shown": "3 1 4 2"}
    assert not said.blind

    label.press("4")  # the last one is the best; the others keep the suggested order
    expect(page.locator(".candidate.placed")).to_have_count(1)
    expect(page.locator(".candidate.suggested")).to_have_count(0)
    label.press("Backspace")
    expect(page.locator(".candidate.suggested")).to_have_count(4)
    label.press("4", "Enter", "Enter")
    label.settled()
    latest = Annotation.objects.latest("pk")
    assert latest.value == {"order": [[2], [3], [1, 4]], "shown": "3 1 4 2"}
