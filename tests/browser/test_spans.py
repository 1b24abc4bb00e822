"""Spans on the label page: by keys alone, by mouse, in any script, and in a document of 50,000."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from annotator.actions.desk import assigning, labeling
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Item, Pick, Project
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Ada Lovelace met Charles Babbage in London. London was wet; the Londoner was not."
NASTY = (
    "plain words",
    "👩‍💻 Ada 👍🏽 and 🇫🇷 flags",
    "e\u0301cole n\u0303o — cafe\u0301",
    "שלום עולם Hello שוב",
    "مرحبا بالعالم 123 abc",
    "pay \u202eyadot\u202c now\u200b",
    "line one\r\nline two\n\n\ttab  two spaces \n",
    "\u3000日本語のテキスト、東京に行く。",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U000e0041tag 𐐷",
    "<b>&amp; “quotes” {{ x }}</b>",
)
# Select each pair of offsets, read it back from the screen, and say which came back otherwise.
IDENTITY = """
() => import(document.getElementById("main").dataset.widget.replace("spans.js", "span-text.js"))
  .then(({ SpanText }) => JSON.parse(document.getElementById("nasty").textContent).flatMap((text) => {
    const box = document.querySelector(".item:not([hidden]) .item-text");
    const points = [...text];
    const at = new SpanText(box, { text, controls: [] });
    const wrong = [];
    for (let start = 0; start < points.length; start += 1)
      for (const end of [start + 1, Math.min(start + 3, points.length), points.length]) {
        const marks = [{ start: at.units(start), end: at.units(end), hue: 1, name: "x", kind: "own" }];
        at.draw(marks);
        at.select(at.units(start), at.units(end));
        const { start: a, end: b } = at.selected;
        const back = [at.points(a), at.points(b)];
        const read = box.querySelectorAll(".span");
        const drawn = [...read].map((each) => each.textContent).join("");
        const wanted = points.slice(start, end).join("");
        if (back[0] !== start || back[1] !== end || drawn !== wanted) wrong.push([text, start, end, ...back, drawn]);
      }
    if (box.textContent !== text) wrong.push([text, "as a whole"]);
    return wrong;
  }))
"""


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, [TEXT, "Nothing of note.", "Paris and Grace Hopper"])
    for rank, item in enumerate(made.items.order_by("number")):
        Pick.objects.create(project=made, item=item, rank=rank)
    return Project.objects.get(pk=made.pk)


def said(project):
    """Each standing answer as (words, label), in the order they were given."""
    names = dict(project.labels.values_list("pk", "name"))
    rows = Annotation.objects.filter(project=project).standing().select_related("item")
    return [
        [(row.item.text[x["start"] : x["end"]], names[x["label"]]) for x in row.value["spans"]]
        for row in rows.order_by("pk")
    ]


def suggest(project, *found):
    """Let the first item come with suggestions: (words, label, probability)."""
    ids = dict(project.labels.values_list("name", "pk"))
    spans = [
        {"start": TEXT.index(words), "end": TEXT.index(words) + len(words), "label": ids[label]}
        | {"probability": share}
        for words, label, share in found
    ]
    Pick.objects.filter(project=project, item__number=0).update(suggestion={"spans": spans})


class TestKeyboardAlone:
    def test_words_are_selected_labelled_moved_undone_and_answered(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        now, rows = desk.page.locator("#span-now"), desk.page.locator("#span-list li")
        desk.press("ArrowRight", "Shift+ArrowRight")
        expect(now).to_have_text("“Ada Lovelace”")
        desk.press("1")
        expect(rows).to_have_text(["“Ada Lovelace”Person"])
        desk.press("ArrowRight", "ArrowRight", "Shift+ArrowRight", "2", "1")  # changed his label
        expect(rows).to_have_text(["“Ada Lovelace”Person", "“Charles Babbage”Person"])
        desk.press("ArrowRight", "ArrowRight", "2", "=")
        expect(rows).to_have_count(4)  # both Londons, and not the Londoner
        desk.press("Backspace")
        expect(rows).to_have_count(3)
        desk.press("k", "k", "k", ".", "Shift+ArrowRight")  # the first one loses its first word
        expect(rows.first).to_have_text("“Lovelace”Person")
        desk.press("Alt+ArrowLeft", "Alt+ArrowLeft")
        expect(rows.first).to_have_text("“a Lovelace”Person")
        desk.press("j", "-")
        expect(rows).to_have_text(["“a Lovelace”Person", "“London”Place"])
        desk.press("Enter")
        desk.settled()
        assert said(project) == [[("a Lovelace", "Person"), ("London", "Place")]]

    def test_an_answer_is_taken_back_with_its_spans_and_nothing_marked_is_one(
        self, visit, cast, project
    ):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        first = desk.item
        desk.press("ArrowRight", "1", "Enter")
        assert desk.item != first
        desk.press("Enter", "Enter")  # so soon, nothing is answered twice only
        desk.settled()
        assert said(project) == [[("Ada", "Person")], []]
        desk.press("Backspace", "Backspace")
        assert desk.item == first
        expect(desk.page.locator("#span-list li")).to_have_text(["“Ada”Person"])
        desk.press("j", "2", "Enter")
        desk.settled()
        assert said(project) == [[("Ada", "Place")]]

    def test_overlaps_are_kept_and_cycled(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.press("ArrowRight", "1", "Escape", "ArrowRight", "Shift+ArrowRight", "2")
        told = desk.page.locator("#said")
        desk.press("k")
        expect(told).to_have_text("“Ada”: Person")
        desk.press("j")
        expect(told).to_have_text("“Ada Lovelace”: Place")
        desk.press("Enter")
        desk.settled()
        assert said(project) == [[("Ada", "Person"), ("Ada Lovelace", "Place")]]

    def test_among_many_labels_one_is_searched_and_then_at_hand(self, visit, cast):
        labels = tuple(f"Kind {number:02}" for number in range(40))
        made = make_project(cast, labels=labels, task_type="spans", audit_share=0)
        made.labels.update(hotkey="")
        make_items(made, [TEXT])
        desk = LabelPage(visit(cast.ana).new_page(), made).open()
        desk.press("ArrowRight", "/")
        desk.page.keyboard.type("37")
        desk.press("Enter")
        row = desk.page.locator("#rows .answer", has_text="Kind 37")
        expect(row.locator(".percent")).to_have_text("× 1")
        desk.press("ArrowRight", row.locator("kbd").inner_text(), "Enter")
        desk.settled()
        assert said(made) == [[("Ada", "Kind 37"), ("Lovelace", "Kind 37")]]


class TestSuggestions:
    def test_how_likely_one_is_can_be_read_beside_a_long_name(self, visit, cast, project):
        project.labels.filter(name="Person").update(name="A person of historical interest")
        suggest(project, ("Ada", "A person of historical interest", 0.95))
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        told = desk.page.locator("#span-list .muted")
        expect(told).to_have_text("A person of historical interest, suggested, 95 %")
        assert told.evaluate("(each) => each.scrollWidth <= each.clientWidth")

    def test_they_are_taken_rejected_and_answered_with_when_sure_enough(self, visit, cast, project):
        suggest(
            project, ("Ada", "Person", 0.95), ("Charles", "Place", 0.8), ("London", "Place", 0.3)
        )
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        accept = desk.page.locator("[data-accept-word]")
        expect(accept).to_have_text("answer: 2 spans, 2 suggested")
        expect(desk.page.locator(".span.unsure")).to_have_text("London")
        desk.press("j", "j", "-")  # Charles is no place
        expect(accept).to_have_text("answer: 1 span, 1 suggested")
        desk.press("+")  # after it comes London, which is unsure and right
        expect(accept).to_have_text("answer: 2 spans, 1 suggested")
        desk.press("Shift+Enter")
        expect(accept).to_have_text("answer: 2 spans")
        desk.press("Enter")
        desk.settled()
        assert said(project) == [[("Ada", "Person"), ("London", "Place")]]
        assert not Annotation.objects.get().blind


class TestPointing:
    def test_a_dragged_selection_snaps_to_words_and_a_click_labels_it(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        page = desk.page
        box = page.evaluate(
            """() => {
              const text = document.querySelector(".item:not([hidden]) .item-text");
              const node = document.createTreeWalker(text, NodeFilter.SHOW_TEXT).nextNode();
              const range = document.createRange();
              range.setStart(node, 19); range.setEnd(node, 29);
              const { left, right, top, height } = range.getBoundingClientRect();
              return { left, right, y: top + height / 2 };
            }"""
        )
        page.mouse.move(box["left"], box["y"])
        page.mouse.down()
        page.mouse.move(box["right"], box["y"], steps=4)
        page.mouse.up()
        expect(page.locator("#span-now")).to_have_text("“Charles Babbage”")
        page.locator("#rows .answer").first.click()
        expect(page.locator(".span.own")).to_have_text("Charles Babbage")
        page.keyboard.press("Escape")
        page.locator(".span.own").click()
        expect(page.locator("#span-now")).to_have_text("“Charles Babbage”: Person")
        page.locator(".span-tools [data-does=drop]").click()
        expect(page.locator(".span")).to_have_count(0)


class TestReview:
    def test_keys_decide_place_by_place_and_mark_what_nobody_did(self, visit, cast):
        made = make_project(cast, labels=("Person", "Place"), task_type="spans", overlap=2)
        make_items(made, [TEXT])
        project = Project.objects.get(pk=made.pk)
        ids = dict(project.labels.values_list("name", "pk"))
        for user, name, end in ((cast.ana, "Place", 3), (cast.lea, "Person", 12)):
            voice = assigning.voice_of(project, user)
            (lease,) = assigning.lease(project, voice, 1)
            value = {"spans": [{"start": 0, "end": end, "label": ids[name]}]}
            labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
        settling.settle_now(project)
        page = visit(cast.ben).new_page()
        page.goto(f"/projects/{project.pk}/review")
        page.keyboard.press("Enter")  # nothing to say before the voices
        rows = page.locator("#places li")
        expect(rows).to_have_count(2)
        page.keyboard.press("2")
        page.keyboard.press("m")
        page.keyboard.type("London")
        page.locator("#add-label").select_option("Place")
        page.locator("#add-words").press("Enter")
        expect(rows).to_have_count(3)
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Enter")
        expect(page.locator("h2", has_text="What would you mark")).to_have_count(0)
        expect(page.get_by_text("Nothing waits for review")).to_be_visible()
        word = Annotation.objects.get(stream="review")
        words = [TEXT[one["start"] : one["end"]] for one in word.value["spans"]]
        assert words == ["Ada Lovelace", "London"]

    def test_words_are_added_to_an_own_answer_later(self, visit, cast, project):
        place = project.labels.get(name="Place").pk
        voice = assigning.voice_of(project, cast.ana)
        (lease,) = assigning.lease(project, voice, 1)
        said_ = labeling.submit(
            project, voice, uuid=uuid4(), assignment_id=lease.pk, value={"spans": []}
        )
        page = visit(cast.ana).new_page()
        page.goto(f"/projects/{project.pk}/label/mine/{said_.uuid}")
        page.locator("#add-words").fill("London")
        page.locator("#add-label").select_option("Place")
        page.locator("[data-adds]").click()
        page.locator("[data-adds]").click()  # there is nothing to mark now
        expect(page.locator("#add-said")).to_have_text(
            "Select the words in the text, or type them."
        )
        page.get_by_role("button", name="Change the answer").click()
        expect(page.get_by_text("Changed the answer")).to_be_visible()
        assert Annotation.objects.get(previous=said_).value == {
            "spans": [{"start": 36, "end": 42, "label": place}]
        }


class TestTouch:
    def test_selected_with_handles_labelled_by_a_tap_and_removed(self, visit, cast, project):
        page = visit(
            cast.ana, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
        ).new_page()
        desk = LabelPage(page, project).open()
        page.evaluate(
            """() => {
              const text = document.querySelector(".item:not([hidden]) .item-text");
              const node = document.createTreeWalker(text, NodeFilter.SHOW_TEXT).nextNode();
              getSelection().setBaseAndExtent(node, 5, node, 9);  // as the handles of a phone do
            }"""
        )
        expect(page.locator(".span-tools")).to_be_visible()
        page.locator("#rows .answer").nth(1).tap()
        expect(page.locator(".span.own")).to_have_text("Lovelace")
        page.locator(".span.own").tap()
        page.locator(".span-tools [data-does=drop]").tap()
        expect(page.locator(".span")).to_have_count(0)
        page.locator(".act.accept").tap()
        desk.settled()
        assert said(project) == [[]]


class TestAnyText:
    def test_from_an_offset_to_the_screen_and_back_is_no_change(self, visit, cast, project):
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.page.evaluate(
            """(texts) => {
              const kept = document.createElement("script");
              kept.type = "application/json"; kept.id = "nasty";
              kept.textContent = JSON.stringify(texts);
              document.body.append(kept);
            }""",
            list(NASTY),
        )
        assert desk.page.evaluate(IDENTITY) == []

    def test_what_is_stored_counts_code_points(self, visit, cast, project):
        Item.objects.filter(project=project, number=0).update(
            text="👩‍💻\r\n👍🏽 Ada\u200b e\u0301cole"
        )
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        expect(desk.page.locator(".item:not([hidden]) .control-mark")).to_have_count(1)
        desk.press("End", "1", "ArrowLeft", "2", "Enter")
        desk.settled()
        assert said(project) == [[("Ada", "Place"), ("e\u0301cole", "Person")]]

    def test_where_text_runs_from_the_right_keys_go_where_they_point(self, visit, cast, project):
        Item.objects.filter(project=project, number=0).update(text="שלום עולם טוב")
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        now = desk.page.locator("#span-now")
        desk.press("ArrowLeft", "ArrowLeft")
        expect(now).to_have_text("“עולם”")
        desk.press("Shift+ArrowLeft")
        expect(now).to_have_text("“עולם טוב”")
        desk.press("Escape", "ArrowLeft", "ArrowLeft", "ArrowRight")
        expect(now).to_have_text("“שלום”")

    def test_a_change_in_a_long_document_touches_as_few_nodes_as_in_a_short_one(
        self, visit, cast, project
    ):
        text = "Ada met the engine in London. " * 1700
        Item.objects.filter(project=project, number=0).update(text=text)
        desk = LabelPage(visit(cast.ana).new_page(), project).open()
        desk.page.evaluate(
            """() => {
              window.changed = 0;
              new MutationObserver((seen) => seen.forEach((one) =>
                (window.changed += one.addedNodes.length + one.removedNodes.length)))
                .observe(document.querySelector(".item:not([hidden]) .item-text"),
                         { childList: true, subtree: true });
            }"""
        )
        desk.press("End", "Shift+ArrowLeft", "ArrowLeft")
        assert desk.page.evaluate("window.changed") == 0  # to select something draws nothing
        desk.press("2")
        expect(desk.page.locator("#span-list li")).to_have_count(1)
        assert 0 < desk.page.evaluate("window.changed") <= 8
        desk.press("Enter")
        desk.settled()
        assert said(project) == [[("in", "Place")]]
