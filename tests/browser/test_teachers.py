"""The pages of teachers: axe finds nothing, nothing is wider than a phone, a run is started by hand."""

import io
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.imports import recordings
from annotator.actions.teachers import prompts, teacher_runs, teachers
from annotator.models import Job, TeacherRun, User
from tests.annotator.teaching import teacher_on, work_off
from tests.browser.test_access import WINDOWS, violations
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)
SHOTS = os.environ.get("SHOTS")


@pytest.fixture
def server():
    with Loopback(plays.good) as running:
        yield running


@pytest.fixture
def taught(cast, server):
    """A project with a teacher that has answered, one that was never asked, and a run that waits."""
    texts = [
        "my parcel is late",
        *(f"ticket number {n} about a long matter" * 4 for n in range(19)),
    ]
    project, teacher = teacher_on(server, cast, items=0, texts=texts)
    work_off(teacher_runs.start_run(project, teacher, cast.lea, 12))
    teachers.create_teacher(project, cast.lea, name="Names", plugin="zero-shot")
    User.objects.filter(pk=cast.lea.pk).update(is_superuser=True, is_staff=True)
    return project, teacher


def files_of_answers(project):
    """One that waits for its columns, and one with rows that cannot be read."""
    rows = ["number,prediction,confidence,model,reason", "0,Billing,0.9,gpt,long " + "words " * 30]
    rows += ["1,Weather,0.7,llama,", "2,Login,0.5,gpt,"]
    files = ("\n".join(rows), "\n".join([*rows, "99,Login,0.5,gpt,", "3,Login,7,gpt,"]))
    made = [recordings.receive(project, io.BytesIO(f.encode()), name="gpt.csv") for f in files]
    bad = recordings.begin(made[1], recordings.look(made[1]).mapping)
    jobs.execute(bad.job_id)
    return made[0], bad


def check(page, name):
    assert violations(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the window"
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("window", ["light", "dark-phone"])
def test_every_page_is_usable(taught, cast, visit, window):
    project, teacher = taught
    done = TeacherRun.objects.get()
    waiting = teacher_runs.try_on(project, teacher, cast.lea)
    recording, bad = files_of_answers(project)
    prompts.change(teacher, cast.lea, instructions="Be brave.\nBe exact.", demonstrations=2)
    words = [
        {"word": "pay back", "texts": 7, "shared": ["Login"]},
        {"word": "card", "texts": 4, "shared": []},
    ]
    found = {"words": {str(project.labels.first().pk): words}}
    Job.objects.create(kind="words", project=project, state="done", result=found)
    page = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[window]).new_page()
    here = f"/projects/{project.pk}/teachers"
    for name, path in {
        "list": here,
        "new": f"{here}/new",
        "teacher": f"{here}/{teacher.pk}",
        "settings": f"{here}/{teacher.pk}/settings",
        "run": f"{here}/runs/{done.pk}",
        "trial": f"{here}/runs/{waiting.pk}",
        "endpoints": "/endpoints",
        "local": f"{here}/new?plugin=local",
        "committee": f"{here}/new?plugin=committee",
        "prompt": f"{here}/{teacher.pk}/prompt",
        "words": f"/projects/{project.pk}/settings/labels/words",
        "answers": f"/projects/{project.pk}/recordings/new",
        "columns": f"/projects/{project.pk}/recordings/{recording.pk}",
        "bad": f"/projects/{project.pk}/recordings/{bad.pk}",
    }.items():
        page.goto(path)
        check(page, f"{window}-{name}")


def test_a_lead_estimates_and_starts_a_run(taught, cast, visit):
    project, teacher = taught
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{project.pk}/teachers/{teacher.pk}")
    expect(page.locator("#estimate")).to_contain_text("8 items will cost")
    page.get_by_label("Items").fill("3")
    page.get_by_label("Items").blur()
    expect(page.locator("#estimate")).to_contain_text("3 items will cost")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("#run-state")).to_contain_text("Waiting for a worker")
    run = TeacherRun.objects.latest("pk")
    work_off(run)
    expect(page.get_by_text("Finished").or_(page.get_by_text("Done")).first).to_be_visible()
    expect(page.locator("#answers tbody tr")).to_have_count(3)
