"""Many labels, several labels, two texts, images, a phone, and hostile text on the label page."""

import gzip
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from annotator.actions.imports.media import store_image
from annotator.models import Annotation, ItemKind, Label, Pick
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

INTENTS = tuple(f"Intent {number:03}" for number in range(120))
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "{{ 7*7 }}{% url 'home' %}",
    "</template></article><iframe src=javascript:alert(1)>",
    "pay \u202eyadot\u202c now\u200b",
)


def answers(project):
    return [row.labels for row in Annotation.objects.filter(project=project).order_by("pk")]


class TestManyLabels:
    @pytest.fixture
    def project(self, cast):
        made = make_project(cast, labels=INTENTS, audit_share=0)
        Label.objects.filter(project=made).update(hotkey="")
        make_items(made, 20)
        return made

    @pytest.fixture
    def ids(self, project):
        return dict(project.live_labels().values_list("name", "pk"))

    def test_search_finds_a_label_among_hundreds(self, visit, cast, project, ids):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        expect(desk.page.locator("#rows .answer:visible")).to_have_count(10)
        desk.press("/")
        desk.page.keyboard.type("117")
        expect(desk.page.locator("#found [role=option]").first).to_contain_text("Intent 117")
        desk.press("Enter")
        desk.settled()
        assert answers(project) == [[ids["Intent 117"]]]

    def test_digits_are_text_while_searching_and_escape_goes_back(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        item = desk.item
        desk.press("/", "1", "Escape")
        assert desk.item == item
        expect(desk.page.locator("#found")).to_be_hidden()
        desk.press("1")
        desk.settled()

    def test_suggestions_come_first_and_a_recent_label_keeps_its_place(
        self, visit, cast, project, ids
    ):
        for rank, item in enumerate(project.items.order_by("number")):
            shown = [[ids["Intent 050"], 0.7], [ids["Intent 051"], 0.2]]
            Pick.objects.create(project=project, item=item, rank=rank, suggestion=shown)
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        rows = desk.page.locator("#rows .answer")
        expect(rows.nth(0).locator(".name")).to_have_text("Intent 050")
        expect(rows.nth(1).locator(".name")).to_have_text("Intent 051")
        expect(rows.nth(5).locator("kbd")).to_have_text("6")
        desk.press("/")
        desk.page.keyboard.type("Intent 099")
        desk.press("Enter")
        desk.settled()
        place = (
            desk.page.locator("#rows .answer", has_text="Intent 099").locator("kbd").inner_text()
        )
        desk.press("1")
        desk.settled()
        desk.press(place)
        desk.settled()
        assert answers(project) == [
            [ids["Intent 099"]], [ids["Intent 050"]], [ids["Intent 099"]]
        ]  # fmt: skip

    def test_a_labels_own_letter_answers(self, visit, cast, project, ids):
        Label.objects.filter(pk=ids["Intent 088"]).update(hotkey="q")
        Label.objects.filter(pk=ids["Intent 089"]).update(hotkey="4")
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.press("q")
        desk.settled()
        desk.press("Shift+Digit4")
        desk.settled()
        assert answers(project) == [[ids["Intent 088"]], [ids["Intent 089"]]]


class TestSeveralLabels:
    @pytest.fixture
    def project(self, cast):
        made = make_project(cast, task_type="multi", audit_share=0)
        make_items(made, 12)
        return made

    def test_digits_toggle_and_enter_submits(self, visit, cast, project):
        first, second, third = project.live_labels().values_list("pk", flat=True)
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.press("1", "2", "3", "2")
        expect(desk.page.locator("#chosen")).to_have_text("Chosen:BillingLogin")
        desk.press("Enter")
        desk.settled()
        desk.press("2", "Enter")
        desk.settled()
        assert answers(project) == [[first, third], [second]]

    def test_none_of_them_takes_two_presses(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        item = desk.item
        desk.press("Enter")
        assert desk.item == item
        expect(desk.page.locator("[data-accept-word]")).to_have_text("again: none of them")
        desk.press("Enter")
        desk.settled()
        assert answers(project) == [[]]


class TestShapesOfItems:
    def test_two_texts_stand_side_by_side_and_stack_on_a_phone(self, visit, cast):
        project = make_project(cast, item_kind=ItemKind.PAIR, audit_share=0)
        for item in make_items(project, 4):
            item.text_b = "the other text"
            item.save()
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        sides = desk.page.locator(".item:not([hidden]) .pair > div")
        left, right = sides.nth(0).bounding_box(), sides.nth(1).bounding_box()
        assert left["y"] == right["y"]
        assert left["x"] < right["x"]
        desk.page.set_viewport_size({"width": 360, "height": 740})
        desk.page.wait_for_function("innerWidth === 360")
        assert sides.nth(0).bounding_box()["y"] < sides.nth(1).bounding_box()["y"]

    def test_an_image_fits_and_can_be_zoomed(self, visit, cast):
        project = make_project(cast, item_kind=ItemKind.IMAGE, audit_share=0)
        for number, item in enumerate(make_items(project, ["", " ", "  "])):
            stored = io.BytesIO()
            Image.new("RGB", (3000, 2000), (number * 40, 90, 90)).save(stored, "PNG")
            item.image = store_image(project.pk, stored.getvalue(), "png")
            item.text = ""
            item.save()
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        picture = desk.page.locator(".item:not([hidden]) img")
        expect(picture).to_have_js_property("naturalWidth", 3000)
        assert picture.bounding_box()["width"] < 1280
        desk.press("+")
        assert picture.bounding_box()["width"] > 1280
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 1280

    def test_a_long_text_scrolls_by_key_and_the_answers_stay(self, visit, cast):
        project = make_project(cast, audit_share=0)
        make_items(project, ["word " * 2_000, "short", "short too"])
        Pick.objects.create(project=project, item=project.items.first(), rank=0)
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        stage = desk.page.locator("#stage")
        row = desk.page.locator("#rows .answer").first
        place = row.bounding_box()["y"]
        expect(stage).to_have_class(re.compile(r"\bmore\b"))
        desk.press("PageDown")
        desk.page.wait_for_function("document.getElementById('stage').scrollTop > 100")
        desk.press("1")
        desk.settled()
        expect(stage).to_have_js_property("scrollTop", 0)
        expect(stage).not_to_have_class(re.compile(r"\bmore\b"))
        assert row.bounding_box()["y"] == place

    def test_hostile_text_is_text(self, visit, cast):
        project = make_project(cast, labels=HOSTILE[:3], audit_share=0)
        project.guidelines = "\n\n".join(HOSTILE) + "\n\n[link](javascript:alert(1))"
        project.name = HOSTILE[0]
        project.save()
        Label.objects.filter(project=project).update(description=HOSTILE[1])
        for item, text in zip(make_items(project, list(HOSTILE)), HOSTILE, strict=True):
            item.meta = {HOSTILE[2]: HOSTILE[0]}
            item.external_id = text
            item.save()
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.press("h", "w")
        shown = set()
        for _ in HOSTILE:
            shown.add(desk.page.locator(".item:not([hidden]) .item-text").inner_text())
            desk.press("1")
            desk.settled()
        assert shown == {*HOSTILE[:5], "pay RLOyadotPDF nowZWSP"}
        assert desk.page.locator("#main img, #main iframe, #main script:not([type])").count() == 0
        desk.page.goto(f"/projects/{project.pk}/label/mine")
        desk.page.goto("/")


class TestPhone:
    @pytest.fixture
    def desk(self, visit, cast):
        project = make_project(cast, audit_share=0)
        items = make_items(project, 12)
        label = project.live_labels()[1]
        for rank, item in enumerate(items):
            Pick.objects.create(project=project, item=item, rank=rank, suggestion=[[label.pk, 0.9]])
        window = visit(
            cast.ana, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
        )
        return LabelPage(window.new_page(), project).open()

    def swipe(self, desk, distance):
        desk.page.evaluate(
            """(distance) => {
              const stage = document.getElementById("stage");
              const send = (type, x) => stage.dispatchEvent(new PointerEvent(type,
                {pointerType: "touch", clientX: x, clientY: 200, bubbles: true}));
              send("pointerdown", 180);
              for (const part of [0.3, 0.6, 1]) send("pointermove", 180 + distance * part);
              send("pointerup", 180 + distance);
            }""",
            distance,
        )

    def test_swipes_accept_and_skip(self, desk):
        self.swipe(desk, 140)
        desk.settled()
        self.swipe(desk, -140)
        desk.settled()
        self.swipe(desk, 30)
        kinds = Annotation.objects.order_by("pk").values_list("kind", "labels")
        label = desk.project.live_labels()[1]
        assert list(kinds) == [("answer", [label.pk]), ("skip", [])]

    def test_everything_is_reached_without_scrolling_the_page_and_by_thumb(self, desk):
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 360
        for row in desk.page.locator("#rows .answer").all():
            box = row.bounding_box()
            assert box["height"] >= 44
            assert box["y"] + box["height"] <= 740
        desk.page.get_by_role("button", name="More").tap()
        desk.page.get_by_role("button", name="Flag for a reviewer").tap()
        desk.page.locator("#rows .answer").first.tap()
        desk.settled()
        assert desk.project.flags.count() == 1


class TestWeight:
    def test_the_label_page_is_light(self, visit, cast):
        project = make_project(cast, labels=INTENTS[:77], audit_share=0)
        make_items(project, 5)
        page = visit(cast.ana).new_page()
        bodies = []
        page.on("requestfinished", lambda request: bodies.append(request.response().body()))
        LabelPage(page, project).open()
        page.wait_for_load_state("networkidle")
        kilobytes = sum(len(gzip.compress(body)) for body in bodies) / 1000
        assert len(bodies) <= 10
        assert kilobytes <= 100
