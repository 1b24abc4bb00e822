"""Lea steers a project in mid-life: reads the figures, labels many at once, settles ties, exports."""

import json
import re
import zipfile

import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Job, JobState, Snapshot, Verdict
from tests.browser.leading import lively_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tickets(cast):
    return lively_project(cast)


@pytest.fixture
def page(visit, cast, tickets):
    return visit(cast.lea, reduced_motion="reduce").new_page()


def work(kind):
    """Do the waiting job of a kind as its worker would."""
    job = Job.objects.filter(kind=kind, state=JobState.QUEUED).latest("pk")
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    settling.settle_now(job.project)
    return job


def test_progress_is_a_sentence_a_curve_and_work_that_can_be_stopped(page, tickets):
    page.goto(f"/projects/{tickets.pk}/progress")
    expect(page.locator("#summary")).to_contain_text("on a random sample of 125 items")
    expect(page.get_by_role("img", name="Learning curve")).to_be_visible()
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="Figures of the curve")).to_be_visible()
    encode = Job.objects.get(kind="encode")
    page.locator(f"#cancel-{encode.pk}").click()
    expect(page.get_by_text("stopping")).to_be_visible()
    encode.refresh_from_db()
    assert encode.cancel_requested
    Job.objects.filter(pk=encode.pk).update(state=JobState.CANCELLED)
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()  # polled, not reloaded


def test_a_search_is_labelled_as_one_action_and_taken_back(page, cast, tickets):
    page.goto(f"/projects/{tickets.pk}/explore?status=none")
    page.keyboard.press("/")
    page.keyboard.type("order")
    page.keyboard.press("Enter")
    page.wait_for_url("**query=order**")  # the rows before the search look like hits
    expect(page.get_by_role("region", name="Items found").locator("tbody tr").first).to_be_visible()
    hits = page.locator("tbody tr").count()
    page.get_by_label("Label to give").select_option("Delivery")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name=f"Label {hits} items?")).to_be_visible()
    page.get_by_role("button", name="Label ").click()
    expect(page.get_by_text("Labelling has begun")).to_be_visible()
    done = work("bulk").result["labelled"]
    mine = Annotation.objects.filter(annotator__user=cast.lea, successor=None, kind="answer")
    assert 0 < done <= hits
    assert mine.count() == done
    page.reload()
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Its answers are being taken back.")).to_be_visible()
    work("bulk")
    assert mine.count() == 0
    page.reload()
    expect(page.get_by_role("heading", name="Nothing to take back")).to_be_visible()


def test_keys_walk_the_items_choose_and_open_one(page, tickets):
    page.goto(f"/projects/{tickets.pk}/explore")
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("[data-picked]")).to_have_text("2 chosen")
    page.keyboard.press("o")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("What was said")
    expect(drawer.get_by_role("heading", name="#1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="#2", exact=True)).to_be_focused()


def test_a_tie_is_settled_by_keys_blind_first(page, tickets):
    ties = Verdict.objects.filter(project=tickets, state="tie")
    before = ties.count()
    page.goto(f"/projects/{tickets.pk}/review")
    expect(page.get_by_role("heading", name="What would you say?")).to_be_visible()
    expect(page.get_by_role("heading", name="The voices")).to_have_count(0)
    number = int(page.url.rsplit("/", 1)[1])
    page.keyboard.press("4")
    expect(page.get_by_role("heading", name="The voices")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What would you say?")).to_be_visible()
    settling.settle_now(tickets)
    verdict = Verdict.objects.get(item__project=tickets, item__number=number)
    assert verdict.labels == [tickets.labels.get(name="Refund").pk]
    assert ties.count() == before - 1

    page.keyboard.press("Backspace")
    expect(page.get_by_text("Taken back")).to_be_visible()
    settling.settle_now(tickets)
    assert ties.count() == before
    expect(page).to_have_url(re.compile(rf"/review/{number}$"))
    page.keyboard.press("Space")
    expect(page).not_to_have_url(f"**/review/{number}")


def test_an_export_is_asked_for_and_downloaded(page, tickets, tmp_path):
    Snapshot.objects.filter(project=tickets).delete()
    page.goto(f"/projects/{tickets.pk}/exports")
    page.get_by_label("Soft labels").uncheck()
    page.get_by_role("button", name="Make the snapshot").click()
    expect(page.get_by_text("being written", exact=True)).to_be_visible()
    work("export")
    with page.expect_download() as download:
        page.get_by_role("link", name="download snapshot").click()
    path = tmp_path / "export.zip"
    download.value.save_as(path)
    rows = zipfile.ZipFile(path).read("items.jsonl").decode().splitlines()
    decided = Verdict.objects.filter(project=tickets, state="decided").count()
    assert len(rows) == decided
    assert "soft" not in json.loads(rows[0])


def test_labels_are_moved_again_and_again_from_the_keyboard(page, tickets):
    page.goto(f"/projects/{tickets.pk}/settings/labels")
    page.get_by_role("button", name="Move Cancel up").focus()
    for place in (5, 4):
        page.keyboard.press("Enter")
        expect(page.locator(".label-list li").nth(place)).to_contain_text("Cancel")
        expect(page.get_by_role("button", name="Move Cancel up")).to_be_focused()


def test_guidelines_are_previewed_while_typing(page, tickets):
    page.goto(f"/projects/{tickets.pk}/settings/guidelines")
    page.get_by_label("Text").fill("A refund is **money back**.")
    expect(page.locator("#preview strong")).to_have_text("money back")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The guidelines are saved")).to_be_visible()
