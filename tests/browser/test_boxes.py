"""Boxes on the label page, by keys alone, by mouse and zoomed; then Review, Explore and the export."""

import io
from uuid import uuid4

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from annotator.actions.desk import assigning, labeling
from annotator.actions.imports.media import store_image
from annotator.actions.verdicts import settling
from annotator.models import Annotation, ItemKind, Pick, Project, Verdict
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    made = make_project(
        cast, labels=("Cat", "Dog"), task_type="boxes", item_kind=ItemKind.IMAGE, audit_share=0
    )
    for rank, item in enumerate(make_items(made, ["", " ", "  "])):
        picture, stored = Image.new("RGB", (800, 400), (230, 230, 220)), io.BytesIO()
        ImageDraw.Draw(picture).ellipse((80, 80, 240, 240), fill=(90 + 40 * rank, 60, 40))
        picture.save(stored, "PNG")
        item.image = store_image(made.pk, stored.getvalue(), "png")
        item.text = ""
        item.save()
        Pick.objects.create(project=made, item=item, rank=rank)
    return Project.objects.get(pk=made.pk)


def said(project):
    rows = Annotation.objects.filter(project=project).standing().order_by("pk")
    return [row.value["boxes"] for row in rows]


def test_boxes_go_round_the_loop(visit, cast, project):
    cat, dog = project.live_labels().values_list("pk", flat=True)
    desk = LabelPage(visit(cast.ana).new_page(), project).open()
    page = desk.page
    now, rows = page.locator("#box-now"), page.locator("#box-list li")

    # Keys alone: made, labelled, moved, resized, left and found again, removed and taken back.
    desk.press("n", "2")
    expect(now).to_have_text("Dog: 40 % right, 40 % down, 20 × 20 %.")
    desk.press("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown")
    expect(now).to_have_text("Dog: 39 % right, 39 % down, 21 × 22 %.")
    desk.press("n", "1", "j")
    expect(rows).to_have_count(2)
    desk.press("Delete")
    expect(rows).to_have_count(1)
    desk.press("Backspace")
    expect(rows).to_have_count(2)
    desk.press("k", "Delete")
    desk.press("Enter")
    desk.settled()
    (first,) = said(project)
    assert [box["label"] for box in first] == [dog]

    # The mouse: drawn, moved, resized by a corner; the same at a zoom is as exact.
    sheet = page.locator(".item:not([hidden]) .box-sheet")
    room = sheet.bounding_box()

    def at(x, y):
        room = sheet.bounding_box()
        return room["x"] + x * room["width"], room["y"] + y * room["height"]

    def drag(start, end):
        page.mouse.move(*at(*start))
        page.mouse.down()
        page.mouse.move(*at(*end), steps=3)
        page.mouse.up()

    drag((0.1, 0.2), (0.3, 0.6))
    drag((0.2, 0.4), (0.25, 0.4))
    drag((0.35, 0.6), (0.45, 0.7))
    page.keyboard.down("Shift")
    drag((0.2, 0.3), (0.3, 0.5))  # one within another is drawn, and the outer one stays
    page.keyboard.up("Shift")
    expect(rows).to_have_count(2)
    desk.press("Backspace")
    expect(rows).to_have_count(1)
    page.mouse.move(*at(0.5, 0.5))
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "w => document.querySelector('.item:not([hidden]) .box-sheet').offsetWidth > w * 1.5",
        arg=room["width"],
    )
    desk.press("1")
    desk.press("Enter")
    desk.settled()
    (box,) = said(project)[1]
    found = [box[side] for side in "xywh"]
    assert found == pytest.approx([0.15, 0.2, 0.3, 0.5], abs=0.01)
    assert box["label"] == cat

    # Nothing there is an answer too; so soon it is asked twice.
    expect(rows).to_have_count(0)
    desk.press("Enter", "Enter")
    desk.settled()
    assert said(project)[2] == []

    # Another voice calls the first box a cat: a tie, which a reviewer decides box by box.
    items = list(project.items.order_by("number"))
    Project.objects.filter(pk=project.pk).update(overlap=2)
    project.refresh_from_db()
    voice = assigning.voice_of(project, cast.lea)
    Pick.objects.filter(item=items[0]).update(leased_until=None)
    items[0].open = True
    items[0].save()
    (lease,) = assigning.lease(project, voice, 1)
    assert lease.item_id == items[0].pk
    other = {"boxes": [{**first[0], "label": cat, "x": 0.35}]}
    labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=other)
    settling.settle_now(project)
    page = visit(cast.ben).new_page()
    page.goto(f"/projects/{project.pk}/review")
    page.keyboard.press("Enter")
    expect(page.locator("#places li")).to_have_count(2)
    expect(page.locator(".beside .boxed rect")).to_have_count(2)
    page.get_by_label("Dog 39 % right").check()
    page.get_by_label("Cat 35 % right").uncheck()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits for review")).to_be_visible()
    settling.settle_now(project)
    assert Verdict.objects.get(item=items[0]).value == {"boxes": first}

    # Explore shows the boxes over the pictures, the item's page every voice's words.
    page.goto(f"/projects/{project.pk}/explore")
    expect(page.locator(".thumb-boxed rect")).to_have_count(2)
    page.goto(f"/projects/{project.pk}/items/{items[0].number}")
    expect(page.locator("figure.boxed rect")).to_have_count(1)
    expect(page.get_by_text("39 % right, 39 % down, 21 × 22 %").first).to_be_visible()


def test_a_key_that_a_person_chose_elsewhere_keeps_its_meaning_among_boxes(visit, cast, project):
    plain = make_project(cast, labels=("Cat", "Dog"), audit_share=0)
    Pick.objects.create(project=plain, item=make_items(plain, ["A cat."])[0], rank=0)
    page = visit(cast.ana).new_page()
    desk = LabelPage(page, plain).open()
    desk.press("?")
    page.get_by_role("button", name="Skip: ␣. Change.").click()
    desk.press("n")
    expect(page.locator("#keys-note")).to_have_text("Changed.")

    desk = LabelPage(page, project).open()
    desk.press("?")
    expect(
        page.get_by_role("button", name="Make a box in the middle: no key. Change.")
    ).to_be_visible()
    desk.close_keys()
    expect(page.locator("[data-key=new-box]")).to_be_hidden()
    skipped = desk.item
    desk.press("n")
    desk.settled()
    assert project.annotations.get().item_id == skipped
