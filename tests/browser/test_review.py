"""Review by keyboard alone: blind first, a case in two keys, a second reviewer where one is unsure."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from annotator.actions.desk import assigning
from annotator.actions.review import cases
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Flag, ReviewCase, Verdict
from tests.annotator.actions.test_flagging import look, review_all
from tests.annotator.audited import answer_all
from tests.annotator.web.helpers import encode
from tests.browser.test_access import WINDOWS, violations
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 160
NAMES = ("Billing", "Delivery", "Login")


@pytest.fixture
def project(cast):
    """Tickets in three clusters, every tenth with the label of another one, looked at once."""
    made = make_project(cast, audit_share=0)
    made.truth = np.arange(ITEMS) % 3
    texts = [f"{NAMES[kind]} question number {n}" for n, kind in enumerate(made.truth)]
    items = make_items(made, texts)
    rng = np.random.default_rng(5)
    encode(made, np.eye(4)[made.truth] * 3 + rng.normal(size=(ITEMS, 4)))
    given = np.where(np.arange(ITEMS) % 10 == 4, (made.truth + 1) % 3, made.truth)
    made.ids = list(made.labels.order_by("column").values_list("pk", flat=True))
    ana = assigning.voice_of(made, cast.ana)
    answer_all(made, ana, items, [made.ids[kind] for kind in given], "active")
    look(made)
    return made


class Desk:
    """The review page as a person with a keyboard has it."""

    def __init__(self, page, project):
        self.page, self.project = page, project
        page.goto(f"/projects/{project.pk}/review")

    @property
    def bar(self):
        return self.page.get_by_role("complementary", name="Figures of the review")

    def key(self, key):
        """Press a key once the page listens again."""
        expect(self.page.locator("#main:not([aria-busy=true])")).to_be_visible()
        self.page.keyboard.press(key)

    def left(self):
        """The remaining error rate and its interval, in percent."""
        told = self.bar.inner_text()
        return [float(each) for each in re.findall(r"([\d.]+)\u202f%", told)]

    def number(self):
        text = self.page.locator(".item-text").inner_text()
        return int(re.search(r"number (\d+)", text).group(1))

    def guess(self):
        """Press the digit of the label that is right; the others' words are shown then."""
        expect(self.page.get_by_role("heading", name="What would you say?")).to_be_visible()
        number = self.number()
        self.key(str(self.project.truth[number] + 1))
        expect(self.page.get_by_role("heading", name="Your word is final")).to_be_visible()
        expect(self.page.locator("[data-question]").first).to_be_focused()  # Tab goes on from here
        return number

    def press(self, key):
        """Press what ends a case; the next one is blind again."""
        self.key(key)
        expect(self.page.get_by_role("heading", name="What would you say?")).to_be_visible()


def test_twenty_flags_by_keyboard_and_the_remaining_error_rate_moves(visit, cast, project):
    review_all(project, cast.lea, 40)  # of 65 to 73 cases: how many are drawn is chance
    desk = Desk(visit(cast.ben).new_page(), project)
    before, settled = desk.left(), Flag.objects.filter(state="settled").count()
    assert len(before) >= 3
    numbers = []
    for _ in range(20):
        numbers.append(desk.guess())
        desk.press("Enter")
    expect(desk.bar.locator("strong").first).to_have_text(str(settled + 20))
    assert len(set(numbers)) == 20
    settling.settle_now(project)
    found = Verdict.objects.filter(item__number__in=numbers)
    assert {(each.item.number, each.labels[0]) for each in found} == {
        (number, project.ids[project.truth[number]]) for number in numbers
    }
    said = Annotation.objects.filter(stream="review", annotator__user=cast.ben)
    assert set(said.values_list("blind", flat=True)) == {True}
    assert desk.left() != before
    desk.page.goto(f"/projects/{project.pk}/review/report")
    expect(desk.page.get_by_role("heading", name="Errors among flagged cases")).to_be_visible()
    expect(desk.page.locator("figure.chart svg").first).to_be_visible()


def test_a_case_left_unsure_is_settled_by_a_second_reviewer(visit, cast, project):
    ben = Desk(visit(cast.ben).new_page(), project)
    first = ben.guess()
    ben.press("u")
    second = ben.guess()
    assert second != first
    ben.press("Backspace")  # nothing is decided: the case is Ben's again
    assert ben.number() == first
    ben.guess()
    ben.press("u")
    lea = Desk(visit(cast.lea).new_page(), project)
    assert lea.guess() == first
    lea.press("Enter")
    assert ReviewCase.objects.get(item__number=first).unsure == [cast.ben.pk]
    word = Annotation.objects.get(stream="review")
    assert (word.item.number, word.annotator.user) == (first, cast.lea)
    third = lea.guess()
    lea.press("Backspace")  # the word is taken back, and the flag is open again
    assert lea.number() == first
    assert Flag.objects.get(item__number=first).state == "open"
    assert third != first
    assert cases.left_by(project, cast.ben) == 1


@pytest.mark.parametrize("window", ["light", "dark-phone"])
def test_everybody_can_use_it(visit, cast, project, window):
    review_all(project, cast.lea, 12)
    options = {"bypass_csp": True, "reduced_motion": "reduce", **WINDOWS[window]}
    desk = Desk(visit(cast.ben, **options).new_page(), project)
    assert violations(desk.page) == []
    desk.guess()
    assert violations(desk.page) == []
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    desk.page.goto(f"/projects/{project.pk}/review/report")
    assert violations(desk.page) == []
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
