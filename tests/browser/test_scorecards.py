"""The scorecards: axe finds nothing, nothing is wider than a phone, a test is started by keyboard."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import calibrating, qualifying
from annotator.models import TeacherRun
from tests.annotator.audited import running
from tests.annotator.teaching import work_off
from tests.annotator.trusting import Scripted, audited_teacher
from tests.browser.test_access import WINDOWS, violations
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)
SHOTS = os.environ.get("SHOTS")


@pytest.fixture
def trusted(cast, monkeypatch):
    """A teacher that was audited, calibrated and tested."""
    scripted = Scripted(monkeypatch)
    with Loopback(plays.good) as server:
        project, teacher = audited_teacher(server, cast, audited=80, items=84, wrong_every=5)
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    calibrating.run_calibrate(running(project, "calibrate"))
    work_off(qualifying.start(project, teacher, None, 40))
    scripted.says = lambda text, ids: ids[0]
    return project, teacher


@pytest.mark.parametrize("window", ["light", "dark-phone"])
def test_the_scorecards_are_usable(trusted, cast, visit, window):
    project, teacher = trusted
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[window]).new_page()
    here = f"/projects/{project.pk}/annotators"
    page.goto(here)
    check(page, f"cards-{window}")
    page.get_by_role("link", name="Fake").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Fake")).to_be_visible()
    check(page, f"card-{window}")
    page.get_by_role("button", name="Look now").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    check(page, f"replay-{window}")
    work_off(TeacherRun.objects.get(kind="replay"))
    expect(page.get_by_text("Waiting for a worker")).to_be_hidden()  # the page loads itself anew
    page.goto(f"{here}/{teacher.voice_id}")
    expect(page.get_by_role("alert").filter(has_text="It got worse")).to_be_visible()
    check(page, f"alarm-{window}")


def check(page, name):
    assert violations(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the window"
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
