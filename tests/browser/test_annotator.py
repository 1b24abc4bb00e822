"""Ana labels, hour after hour, without touching the mouse."""

import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.models import Annotation, AnnotationKind, Flag, Pick, Stream
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project
from tests.runtime.running import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def standing(project, **fields):
    return Annotation.objects.filter(
        project=project, kind=AnnotationKind.ANSWER, successor=None, **fields
    )


@pytest.fixture
def tickets(cast):
    project = make_project(cast, audit_share=0)
    make_items(project, 40)
    return project


@pytest.fixture
def desk(visit, cast, tickets):
    return LabelPage(visit(cast.ana).new_page(), tickets).open()


class TestLabelsByKeyboard:
    def test_thirty_items_with_an_undo_and_a_skip_in_between(self, desk, cast, tickets):
        label_ids = list(tickets.live_labels().values_list("pk", flat=True))
        said = {}
        for turn in range(30):
            item = desk.item
            if turn == 9:
                desk.press("Space")
                desk.page.wait_for_function(f"!document.querySelector('[data-item=\"{item}\"]')")
                continue
            desk.press(str(turn % 3 + 1))
            said[item] = label_ids[turn % 3]
            if turn == 18:
                desk.press("Backspace")
                assert desk.item == item
                desk.press("3")
                said[item] = label_ids[2]
            desk.expect_ahead(2)
        desk.settled()

        stored = {row.item_id: row.labels[0] for row in standing(tickets)}
        assert stored == said
        assert len(said) == 29
        assert tickets.annotations.filter(kind=AnnotationKind.SKIP).count() == 1
        assert tickets.annotations.filter(kind=AnnotationKind.RETRACTION).count() == 1
        expect(desk.page.locator("[data-number=answers]")).to_have_text("29")

    def test_numpad_digits_and_other_layouts_are_read_by_position(self, desk, tickets):
        desk.press("Numpad2")
        desk.settled()
        # The same key on a French keyboard writes “&”.
        desk.page.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown',"
            "{code: 'Digit1', key: '&', bubbles: true}))"
        )
        desk.settled()
        names = [row.labels[0] for row in standing(tickets).order_by("pk")]
        labels = list(tickets.live_labels().values_list("pk", flat=True))
        assert names == [labels[1], labels[0]]

    def test_a_key_held_down_answers_once(self, desk, tickets):
        desk.page.keyboard.down("1")
        for _ in range(5):
            desk.page.keyboard.down("1")  # repeats of the same press
        desk.page.keyboard.up("1")
        desk.settled()
        assert standing(tickets).count() == 1

    def test_a_worn_switch_answers_once_but_a_digit_after_another_key_is_meant(self, desk, tickets):
        # Pressed within one moment, and heard by a page that is busy in between.
        pressed = """keys => keys
            .map(key => new KeyboardEvent(
                'keydown', {key, code: key.length > 1 ? key : `Digit${key}`, bubbles: true}))
            .forEach(press => {
                document.body.dispatchEvent(press);
                for (const busy = performance.now() + 60; performance.now() < busy;);
            })"""
        desk.page.evaluate(pressed, ["2", "2"])
        desk.settled()
        assert standing(tickets).count() == 1
        desk.page.evaluate(pressed, ["1", "Backspace", "1"])
        desk.settled()
        labels = list(tickets.live_labels().values_list("pk", flat=True))
        assert [row.labels for row in standing(tickets).order_by("pk")] == [
            [labels[1]],
            [labels[0]],
        ]

    def test_a_double_click_answers_once(self, desk, tickets):
        desk.stop_time()
        desk.page.locator("#rows .answer").first.dblclick()
        desk.settled()
        assert standing(tickets).count() == 1

    def test_comment_and_flag_go_with_the_item(self, desk, tickets):
        item = desk.item
        desk.press("c")
        desk.page.keyboard.type("Is this 1 or 2?")
        desk.press("Enter", "f", "1")
        desk.settled()
        assert standing(tickets).get().comment == "Is this 1 or 2?"
        assert Flag.objects.get().item_id == item

    def test_skip_with_a_reason(self, desk, tickets):
        desk.press("Shift+Space", "2")
        desk.settled()
        assert tickets.annotations.get(kind=AnnotationKind.SKIP).reason == "No label fits"

    def test_an_answer_taken_back_can_be_given_again_after_a_reload(self, desk, tickets):
        item = desk.item
        desk.press("Backspace")
        desk.expect_state("nothing to undo here")
        desk.press("1")
        desk.settled()
        desk.press("Backspace")
        desk.settled()
        desk.press("2")
        desk.settled()
        assert [row.labels[0] for row in standing(tickets, item_id=item)] == [
            tickets.live_labels()[1].pk
        ]


class TestKeys:
    def test_a_focused_control_does_what_it_does(self, desk, tickets):
        item = desk.item
        desk.page.locator(".aids [data-does=guidelines]").focus()
        desk.press("Space")
        expect(desk.page.locator("#guidelines")).to_be_visible()
        assert desk.item == item
        assert tickets.annotations.count() == 0

    def test_keys_move_along_the_answers_and_enter_takes_one(self, desk, tickets):
        desk.press("j", "j", "Enter")
        desk.settled()
        assert standing(tickets).get().labels == [tickets.live_labels()[1].pk]

    def test_keys_can_be_switched_off_and_on_again(self, desk, tickets):
        desk.press("?")
        desk.page.locator("#keys-on").uncheck()
        desk.close_keys()
        desk.press("1", "Space")
        assert desk.page.locator("[data-state]").inner_text() == "ready"
        desk.open().press("1")
        assert desk.page.locator("[data-state]").inner_text() == "ready"
        desk.press("?")
        desk.page.locator("#keys-on").check()
        desk.close_keys()
        desk.press("1")
        desk.settled()
        assert standing(tickets).count() == 1

    def test_a_person_changes_a_key(self, desk, tickets):
        desk.press("?")
        desk.page.get_by_role("button", name="Skip: ␣. Change.").click()
        desk.press("s")
        expect(desk.page.locator("#keys-note")).to_have_text("Changed.")
        desk.close_keys()
        desk.press("Space")
        assert tickets.annotations.count() == 0
        desk.press("s")
        desk.settled()
        assert tickets.annotations.get().kind == AnnotationKind.SKIP

    def test_a_key_that_is_taken_is_refused_with_its_owner(self, desk):
        desk.press("?")
        desk.page.get_by_role("button", name="Skip: ␣. Change.").click()
        desk.press("f")
        expect(desk.page.locator("#keys-note")).to_have_text(
            "f already does “Flag for a reviewer”."
        )

    def test_digits_choose_only_where_the_person_wants_that(self, desk, tickets):
        desk.press("?")
        desk.page.locator("#digit-answers").uncheck()
        desk.close_keys()
        desk.press("2", "3")
        expect(desk.page.locator(".answer.picked .name")).to_have_text("Login")
        desk.press("Enter")
        desk.settled()
        assert standing(tickets).get().labels == [tickets.live_labels()[2].pk]


class TestSuggestions:
    def suggest(self, project, share=0.8):
        label = project.live_labels()[1]
        for rank, item in enumerate(project.items.order_by("number")):
            Pick.objects.create(
                project=project, item=item, rank=rank, suggestion=[[label.pk, share]],
                reason="The student hesitates between Billing and Delivery",
            )  # fmt: skip

    def test_enter_accepts_what_is_suggested(self, visit, cast, tickets):
        self.suggest(tickets)
        desk = LabelPage(visit(cast.ana).new_page(), tickets).open()
        row = desk.page.locator(".answer.suggested")
        expect(row.locator(".name")).to_have_text("Delivery")
        expect(row.locator(".share")).to_have_text("80 %")
        desk.press("w")
        expect(desk.page.locator("#why")).to_contain_text("hesitates between")
        desk.press("Enter")
        desk.settled()
        assert standing(tickets).get().labels == [tickets.live_labels()[1].pk]

    def test_nothing_hints_in_a_blind_project(self, visit, cast, tickets):
        tickets.blind = True
        tickets.save()
        self.suggest(tickets)
        desk = LabelPage(visit(cast.ana).new_page(), tickets).open()
        expect(desk.page.locator(".answer.suggested")).to_have_count(0)
        for secret in ("80 %", "0.8", "hesitates"):
            assert secret not in desk.page.content()
        desk.press("Enter")
        expect(desk.page.locator("#said")).to_have_text("Choose a label first.")
        assert tickets.annotations.count() == 0

    def test_nothing_hints_at_an_audit_item(self, visit, cast, tickets):
        tickets.audit_share, tickets.audit_cutoff = 1.0, 1.0
        tickets.save()
        self.suggest(tickets)
        desk = LabelPage(visit(cast.ana).new_page(), tickets).open()
        assert desk.page.locator(".item:not([hidden])").get_attribute("data-stream") == Stream.AUDIT
        assert "80 %" not in desk.page.content()
        desk.press("1")
        desk.settled()
        assert standing(tickets).get().blind


class TestBadMinutes:
    def test_offline_answers_are_kept_and_sent_once(self, desk, tickets, complaints):
        desk.page.context.set_offline(True)
        items = []
        for key in "123":
            items.append(desk.item)
            desk.press(key)
        expect(desk.page.locator("[data-state]")).to_have_text("offline: 3 answers kept here")
        expect(desk.page.locator("#nothing")).to_contain_text("No connection")
        assert tickets.annotations.count() == 0
        desk.page.context.set_offline(False)
        desk.settled()
        desk.expect_ahead(2)
        assert [row.item_id for row in standing(tickets).order_by("pk")] == items
        complaints.clear()  # Chromium reports each failed request

    def test_answers_kept_offline_survive_a_closed_page(self, desk, tickets, complaints):
        window = desk.page.context
        window.set_offline(True)
        item = desk.item
        desk.press("1")
        expect(desk.page.locator("[data-state]")).to_have_text("offline: 1 answer kept here")
        desk.page.close()
        window.set_offline(False)
        again = LabelPage(window.new_page(), tickets).open()
        again.settled()
        assert standing(tickets).get().item_id == item
        assert again.item != item
        complaints.clear()

    def test_a_lost_answer_from_the_server_is_stored_once(self, desk, tickets, complaints):
        sent = []

        def lose_the_answer(route):
            sent.append(route.request.post_data)
            route.fetch()
            route.abort()

        desk.page.route("**/label/answer", lose_the_answer)
        desk.press("1")
        expect(desk.page.locator("[data-state]")).to_contain_text("offline")
        with desk.page.expect_request(
            "**/label/answer"
        ) as again:  # the page may try again by itself
            desk.page.unroute("**/label/answer")
            desk.page.evaluate("dispatchEvent(new Event('online'))")
        desk.settled()
        assert {*sent, again.value.post_data} == {sent[0]}
        assert tickets.annotations.count() == 1
        complaints.clear()

    def test_two_tabs_record_one_answer(self, desk, tickets):
        item = desk.item
        other = LabelPage(desk.page.context.new_page(), tickets).open()
        assert other.item == item
        desk.press("1")
        expect(other.page.locator(f'[data-item="{item}"]')).to_have_count(0)
        desk.settled()
        assert standing(tickets).count() == 1

    def test_both_tabs_at_the_same_moment_record_one_answer(self, desk, tickets):
        other = LabelPage(desk.page.context.new_page(), tickets).open()
        assert other.item == desk.item
        for page in (desk.page, other.page):  # neither hears of the other before it sends
            page.evaluate("BroadcastChannel.prototype.postMessage = () => {}")
        item = desk.item
        desk.press("1")
        other.press("2")
        desk.settled()
        other.settled()
        assert standing(tickets, item_id=item).count() == 1

    def test_an_answer_that_is_refused_says_so(self, desk, tickets, complaints):
        label = tickets.live_labels()[0]
        tickets.labels.filter(pk=label.pk).update(archived_at="2026-01-01T00:00Z")
        desk.press("1")
        notice = desk.page.locator("#refused .notice")
        expect(notice).to_contain_text("Not stored: Billing.")
        expect(notice).to_contain_text("archived meanwhile")
        assert tickets.annotations.count() == 0
        complaints.clear()

    def test_signing_out_elsewhere_keeps_the_answers(self, desk, tickets, complaints):
        desk.page.context.clear_cookies()
        desk.press("1")
        expect(desk.page.locator("[data-state]")).to_have_text("signed out: 1 answer kept here")
        expect(desk.page.locator("#signed-out")).to_be_visible()
        assert tickets.annotations.count() == 0
        complaints.clear()

    def test_leaving_gives_the_items_back(self, desk, cast, tickets):
        desk.page.goto("/")
        live = tickets.assignments.filter(state="leased")
        expect(desk.page.get_by_role("heading", name="Projects")).to_be_visible()
        assert wait_until(lambda: live.count() == 0)


def test_items_appear_by_themselves_once_their_file_is_in(visit, cast):
    project = make_project(cast, audit_share=0)
    jobs.enqueue("import", project=project)
    page = visit(cast.ana).new_page()
    LabelPage(page, project).open()
    expect(page.get_by_role("heading", name="A file is being read")).to_be_visible()
    make_items(project, ["It came late."])
    expect(page.get_by_text("It came late.", exact=True)).to_be_visible()
