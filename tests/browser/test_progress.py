"""Lea reads how good the student is, what more labels would bring, and where the pool differs."""

import numpy as np
import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.explore.searching import predictions_of
from annotator.actions.figures import estimating
from annotator.actions.students import sheets
from annotator.models import ImportBatch, Item, Job, JobState, StudentVersion
from tests.annotator.audited import audited_project, grown, predictions, running
from tests.annotator.web.helpers import teach
from tests.browser.test_access import WINDOWS, violations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    """Ten versions on a hundred drawn items, mail and chat, and an import that differs."""
    project, truth, _ = audited_project(cast)
    for item in project.items.all():
        item.meta = {"channel": ("mail", "chat")[item.number % 2]}
        Item.objects.filter(pk=item.pk).update(meta=item.meta)
    grown(project, truth)
    said = np.where(np.arange(300) % 6, truth, (truth + 1) % 3)
    made = teach(project, np.asarray(predictions(said).probabilities))
    StudentVersion.objects.filter(pk=made.pk).update(trained_on=200)
    made.refresh_from_db()
    sheets.write(running(project, "train"), made, predictions_of(project), [])
    estimating.run_estimate(running(project))
    Job.objects.update(state=JobState.DONE)
    told = {"item": 3, "text": "The voucher is void"}
    found = {"differs": True, "p": 0.005, "telling": 0.8, "old": 200, "new": 100}
    found |= {"labels": [], "words": ["voucher"], "examples": [told]}
    ImportBatch.objects.create(
        project=project,
        state="done",
        file_name="march.csv",
        format="csv",
        items_added=100,
        report={"difference": found},
    )
    return project


@pytest.fixture(params=["light", "dark-phone"])
def page(request, visit, cast):
    options = WINDOWS[request.param]
    return visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **options).new_page()


def no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_figures_advice_and_an_import_that_differs(page, project):
    page.goto(f"/projects/{project.pk}/progress")
    expect(page.locator("#summary")).to_contain_text("on a random sample of 100 items")
    expect(page.get_by_role("group", name="Advice")).to_contain_text("The next 100 labels add")
    expect(page.locator("figure figcaption")).to_contain_text("forecast")
    expect(page.get_by_role("region", name="Table of quality by label")).to_contain_text("Billing")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="Figures of the curve")).to_be_visible()
    assert violations(page) == []
    assert no_sideways_scroll(page)
    expect(page.get_by_text("march.csv differs from the items before it.")).to_be_visible()
    page.get_by_role("link", name="See examples").click()
    expect(page.get_by_text("The voucher is void")).to_be_visible()
    assert violations(page) == []


def test_shares_by_channel_are_asked_for_and_appear(page, project):
    page.goto(f"/projects/{project.pk}/progress")
    page.get_by_label("By metadata column").select_option("channel")
    page.get_by_role("button", name="Estimate").click()
    expect(page.get_by_text("Class shares by channel are being estimated.")).to_be_visible()
    job = Job.objects.get(kind="domains", state=JobState.QUEUED)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    page.reload()
    expect(page.get_by_role("heading", name="mail")).to_be_visible()
    expect(page.get_by_text("150 items")).to_have_count(2)
    assert violations(page) == []
    assert no_sideways_scroll(page)
