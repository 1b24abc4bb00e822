"""Texts are written by keys alone; what was begun outlives the tab, and what is data stays data."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects
from annotator.actions.teachers import endpoints, teachers
from annotator.models import Annotation, Item, Project, Teacher, TeacherAnswer, TeacherRun
from tests.browser.pages import LabelPage
from tests.browser.test_access import violations
from tests.factories import make_items, make_user

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


def test_a_suggested_text_is_accepted_and_another_edited(visit, cast, project):
    known = {"endpoint": endpoint(), "key": "k", "params": {"model": "m"}}
    voice = teachers.create_teacher(project, cast.lea, name="Fake", plugin="openai", **known).voice
    items = list(Item.objects.filter(project=project))
    for item in items[:3]:
        suggest(project, voice, item, f"The cat sat on {item.number}.")
    page = visit(cast.lea, reduced_motion="reduce").new_page()
    label = LabelPage(page, project).open()
    field, answer = page.get_by_label("Your text"), page.locator("[data-accept-word]")
    texts = {item.pk: f"The cat sat on {item.number}." for item in items[:3]}
    seen = []
    for _ in items:
        first = label.item
        seen.append(first)
        if first not in texts:
            expect(field).to_have_value(DRAFT)
            expect(page.locator("#writing-suggested")).to_be_hidden()
        elif sum(one in texts for one in seen) == 1:
            expect(field).to_have_value(texts[first])
            expect(field).to_have_css("border-top-style", "dashed")
            expect(field).to_have_css("outline-style", "dashed")
            expect(answer).to_have_text("answer: as suggested")
            expect(page.locator("#writing-suggested")).to_contain_text("As a teacher suggests it")
            assert violations(page) == []
        elif sum(one in texts for one in seen) == 2:
            field.press("End")
            page.keyboard.type("!")
            expect(field).to_have_css("border-top-style", "solid")
            expect(page.locator("#writing-suggested")).to_contain_text("Not as suggested")
            label.press("Escape", "s")
            expect(field).to_have_value(texts[first])
            label.press("Escape", "s")
            expect(field).to_have_value(DRAFT)
            page.get_by_role("button", name="back to your own text").click()
            expect(field).to_have_value(f"{texts[first]}!")
        else:
            label.press("Escape", "s")
            expect(field).to_have_value(DRAFT)
            page.get_by_role("button", name="begin with the suggestion").click()
            expect(field).to_have_value(texts[first])
            page.get_by_role("button", name="begin with the second text").click()
            expect(field).to_have_value(DRAFT)
        field.press("Control+Enter")
        label.settled()
    said = Annotation.objects.exclude(annotator=voice)
    suggested = [one.value["text"] for one in said.order_by("pk") if one.item_id in texts]
    own = [texts[one] for one in seen if one in texts]
    assert suggested == [own[0], f"{own[1]}!", DRAFT]


def test_what_was_begun_on_a_suggestion_is_not_met_again_where_the_item_is_blind(
    visit, cast, project
):
    known = {"endpoint": endpoint(), "key": "k", "params": {"model": "m"}}
    voice = teachers.create_teacher(project, cast.lea, name="Fake", plugin="openai", **known).voice
    for item in Item.objects.filter(project=project):
        suggest(project, voice, item, "The cat sat.")
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    field = page.get_by_label("Your text")
    field.press("End")
    page.keyboard.type(" Down.")
    kept = "k => Object.keys(localStorage).some(one => one.includes('draft'))"
    page.wait_for_function(kept)
    for blind, text in ((True, DRAFT), (False, "The cat sat. Down.")):
        Project.objects.filter(pk=project.pk).update(blind=blind)
        label.open()
        expect(field).to_have_value(text)
    field.press("Control+Enter")
    label.settled()
    assert not page.evaluate(kept)


def endpoint():
    return endpoints.register(make_user("ada", is_superuser=True), "Here", "http://127.0.0.1:9")


def suggest(project, voice, item, text):
    """As a run of a teacher leaves it."""
    teacher = Teacher.objects.get(voice=voice)
    run, _ = TeacherRun.objects.get_or_create(project=project, teacher=teacher, cap=1, state="done")
    word = Annotation.objects.create(
        uuid=uuid4(), project=project, item=item, annotator=voice, value={"text": text}
    )
    TeacherAnswer.objects.create(
        project=project, run=run, item=item, annotation=word, value={"text": text, "apart": None}
    )
