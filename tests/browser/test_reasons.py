"""Why an item is shown changes with what the student has learned: seen on the label page."""

import re

import pytest
from playwright.sync_api import expect

from annotator.actions.encoders import encoding
from annotator.models import JobState, Pick, StudentVersion
from tests.annotator.actions.test_loop import WORDS, make_pool, work
from tests.browser.pages import LabelPage

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE_MS = 150  # the same key again at once counts as a bounce of the switch
KEYS = {name: str(place) for place, name in enumerate(WORDS, start=1)}


@pytest.fixture
def pool(cast):
    project, truth, _ = make_pool(cast, 90, audit_share=0)
    encoding.wish_encoding(project)
    work()
    return project, truth


def answer(desk, truth, count):
    """Read the item, press the key of its label, so many times; all of it is stored."""
    for _ in range(count):
        item = desk.item
        desk.page.wait_for_timeout(PAUSE_MS)
        desk.press(KEYS[truth[item]])
        expect(desk.page.locator(f'.item:not([hidden]):not([data-item="{item}"])')).to_be_visible()
    desk.settled()


def reason(desk):
    """What the page says about the item on it, which is what the queue holds."""
    why = desk.page.locator("#why")
    expect(why).not_to_be_empty()
    return why.text_content().rstrip(".").lower()


def queue(project):
    """Reasons by item; what is on a page keeps the reason that it came with."""
    picks = Pick.objects.filter(project=project, leased_until=None)
    return {item: reason.lower() for item, reason in picks.values_list("item_id", "reason")}


def learn(number):
    work()
    student = StudentVersion.objects.get(number=number)
    assert student.state == "ready"
    return student


def test_the_reason_on_the_page_changes_after_every_retrain(visit, cast, pool):
    project, truth = pool
    desk = LabelPage(visit(cast.ana).new_page(), project).open()
    desk.press("w")
    cold = reason(desk)
    assert "hesitates" not in cold

    answer(desk, truth, 12)
    first = learn(1)
    assert first.trained_on == 12
    answer(desk, truth, 3)  # those that were on the page already
    expect(desk.page.locator("#why")).to_contain_text(re.compile("(hesitates between|says) .*%"))
    waiting = queue(project)
    assert cold not in waiting.values()

    answer(desk, truth, 12)
    second = learn(2)
    assert second.trained_on > first.trained_on
    after = queue(project)
    changed = [waiting[item] != after[item] for item in waiting.keys() & after.keys()]
    assert sum(changed) > len(changed) / 2, "the numbers are the new student's"
    answer(desk, truth, 3)
    assert reason(desk) in after.values()
    assert not project.jobs.filter(state=JobState.FAILED).exists()
