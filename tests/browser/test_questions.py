"""Questions about one label on the label page: yes or no, by one key, and always all labels too."""

import pytest
from playwright.sync_api import expect

from annotator.models import Annotation, Assignment, Pick
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

LABELS = ("Refund", "Delivery", "Login", "Praise")


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=LABELS, task_type="multi", audit_share=0, label_questions=True)
    made.labels.filter(name="Refund").update(description="Money goes back to the customer.")
    ids = dict(made.labels.values_list("name", "pk"))
    for rank, item in enumerate(make_items(made, 8)):
        Pick.objects.create(
            project=made,
            item=item,
            rank=rank,
            reason="is Refund present? 48 %; all 3 other labels look sure",
            suggestion=[[ids["Delivery"], 0.97], [ids["Refund"], 0.48]],
            question_id=ids["Refund"] if rank % 2 == 0 else None,
        )
    return made


def said(project):
    names = dict(project.labels.values_list("pk", "name"))
    rows = Annotation.objects.filter(project=project).order_by("pk")
    return [
        (row.kind, [names[pk] for pk in row.labels], names.get(row.question_id)) for row in rows
    ]


class Asked(LabelPage):
    @property
    def question(self):
        return self.page.get_by_role("group", name="Is Refund present?")

    def expect_question(self):
        expect(self.question).to_be_visible()
        expect(self.page.locator("#rows .answer").first).to_be_hidden()

    def expect_rows(self):
        expect(self.question).to_be_hidden()
        expect(self.page.locator("#rows .answer").first).to_be_visible()


@pytest.fixture
def desk(visit, cast, project):
    return Asked(visit(cast.ana).new_page(), project).open()


def test_yes_and_no_take_one_key_each_and_whole_answers_come_between(desk, project):
    desk.expect_question()
    expect(desk.question.get_by_text("Money goes back to the customer.")).to_be_visible()
    for keys in (["y"], ["Enter"], ["n"], ["3", "Enter"], ["1"], ["Enter"], ["2"]):
        desk.expect_ahead(2)
        desk.press(*keys)
        (desk.expect_rows if keys[-1] != "Enter" else desk.expect_question)()
    desk.settled()
    assert said(project) == [
        ("answer", ["Refund"], "Refund"),
        ("answer", ["Delivery"], None),
        ("answer", [], "Refund"),
        ("answer", ["Delivery", "Login"], None),
        ("answer", ["Refund"], "Refund"),
        ("answer", ["Delivery"], None),
        ("answer", [], "Refund"),
    ]


def test_a_key_leads_to_all_labels_and_the_answer_is_whole(desk, project):
    first = desk.item
    desk.press("a")
    desk.expect_rows()
    assert desk.item == first
    desk.press("1", "4", "Enter")
    desk.settled()
    assert said(project) == [("answer", ["Refund", "Delivery", "Praise"], None)]
    assert Assignment.objects.get(state="answered").question_id is None


def test_clicks_answer_and_the_double_click_stays_with_its_item(desk, project):
    desk.stop_time()
    desk.page.locator("[data-says=yes]").dblclick()
    desk.expect_rows()
    desk.settled()
    assert said(project) == [("answer", ["Refund"], "Refund")]


def test_an_answer_is_taken_back_and_given_again(desk, project):
    desk.press("y")
    expect(desk.page.locator("[data-undo-word]")).to_have_text("undo Refund")
    desk.press("Backspace")
    desk.expect_question()
    expect(desk.page.locator("[data-says=yes]")).to_have_class("answer picked")
    desk.press("n")
    desk.settled()
    assert said(project) == [
        ("answer", ["Refund"], "Refund"),
        ("retraction", [], None),
        ("answer", [], "Refund"),
    ]


def test_a_whole_answer_to_a_question_is_taken_back_and_given_again(desk, project):
    desk.press("a", "1", "Enter", "Backspace")
    desk.expect_rows()
    expect(desk.page.locator("#chosen")).to_contain_text("Refund")
    desk.press("4", "Enter")
    desk.settled()
    assert said(project) == [
        ("answer", ["Refund", "Delivery"], None),
        ("retraction", [], None),
        ("answer", ["Refund", "Delivery", "Praise"], None),
    ]
    desk.expect_ahead(2)


def test_enter_accepts_nothing_that_was_not_said(desk, project):
    first = desk.item
    desk.press("Enter")
    expect(desk.page.get_by_role("status").filter(has_text="Answer yes or no")).to_have_count(1)
    assert desk.item == first
    desk.press("Space")
    desk.settled()
    assert said(project) == [("skip", [], "Refund")]


def test_arrows_walk_the_two_answers(desk, project):
    desk.press("j")
    expect(desk.page.locator("[data-says=yes]")).to_be_focused()
    desk.press("j")
    expect(desk.page.locator("[data-says=no]")).to_be_focused()
    desk.press("Enter")
    desk.settled()
    assert said(project) == [("answer", [], "Refund")]


def test_two_tabs_record_one_answer(visit, cast, project):
    window = visit(cast.ana)
    one = Asked(window.new_page(), project).open()
    other = Asked(window.new_page(), project).open()
    item = one.item
    assert other.item == item
    one.press("y")
    one.settled()
    other.page.bring_to_front()
    other.expect_rows()
    assert other.item != item
    assert said(project) == [("answer", ["Refund"], "Refund")]


def test_my_answers_show_what_was_asked_and_let_it_be_changed(desk, project):
    desk.press("n")
    desk.settled()
    desk.page.goto(f"/projects/{project.pk}/label/mine")
    expect(desk.page.get_by_role("cell", name="not Refund")).to_be_visible()
    desk.page.get_by_role("link", name="Change").click()
    desk.page.get_by_role("radio", name="Yes, Refund").check()
    desk.page.get_by_role("button", name="Change the answer").click()
    expect(desk.page.get_by_text("Changed the answer")).to_be_visible()
    expect(desk.page.get_by_role("cell", name="not Refund")).to_have_count(0)
    assert said(project)[-1] == ("answer", ["Refund"], "Refund")


def test_keys_are_on_the_list(desk):
    desk.press("?")
    expect(desk.page.get_by_role("row", name="Asked about one label: yes 1 or y")).to_be_visible()


def test_on_a_phone_the_answers_are_at_the_thumb(visit, cast, project):
    window = visit(cast.ana, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    desk = Asked(window.new_page(), project).open()
    desk.expect_question()
    for each in ("[data-says=yes]", "[data-says=no]", "[data-does=whole]"):
        box = desk.page.locator(each).bounding_box()
        assert box["height"] >= 36
        assert box["x"] + box["width"] <= 360
        assert box["y"] + box["height"] <= 740
    desk.page.locator("[data-says=no]").tap()
    desk.settled()
    assert said(project) == [("answer", [], "Refund")]
