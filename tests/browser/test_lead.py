"""Lea has a file and wants the first label within two minutes."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.imports.importing import mark_stranded
from annotator.models import BatchState, ImportBatch, Job, JobState, Project
from tests.browser.pages import LabelPage
from tests.browser.test_access import violations

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ("never came", "came twice", "was broken")
ROWS = [
    f'{number},"Parcel {number} {WORDS[number % 3]}",{"Late" if number % 3 == 0 else "Broken"}'
    for number in range(40)
]


@pytest.fixture
def page(request, visit, cast):
    return visit(cast.lea, bypass_csp=True, **getattr(request, "param", {})).new_page()


def upload(page, rows, name="parcel_messages.csv"):
    content = "\n".join(["id,message,kind", *rows]).encode()
    page.locator("[name=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def work():
    """What the worker of the io queue does."""
    due = Job.objects.filter(state=JobState.QUEUED, due_at__lte=timezone.now())
    for job_id in due.filter(kind__in=["import", "undo"]).values_list("pk", flat=True):
        jobs.execute(job_id)


@pytest.mark.parametrize(
    "page",
    [{}, {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}],
    ids=["wide", "dark-phone"],
    indirect=True,
)
def test_from_a_file_to_the_first_label(page):
    page.goto("/")
    page.get_by_role("link", name="Make a project of a file").click()
    assert violations(page) == []
    upload(page, ROWS)
    page.get_by_role("button", name="See the rows").click()

    expect(page.get_by_role("heading", name="parcel_messages.csv")).to_be_visible()
    expect(page.get_by_label("message")).to_have_value("text")
    expect(page.get_by_label("kind")).to_have_value("label")
    expect(page.locator("#found")).to_contain_text("2 labels found")
    assert violations(page) == []
    page.get_by_label("kind").select_option("Left out")
    expect(page.locator("#found")).to_contain_text("The file brings no labels")
    page.get_by_label("kind").select_option("Label")
    expect(page.locator("#found")).to_contain_text("2 labels found")
    page.get_by_label("More labels").fill("Twice: it came two times")
    page.get_by_label("suggestions").check()
    page.get_by_role("button", name="Import and label the first item").click()

    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.locator("#main[data-ready]")).to_be_visible()
    project = Project.objects.get()
    assert project.name == "Parcel messages"
    assert {label.name for label in project.live_labels()} == {"Late", "Broken", "Twice"}
    assert project.labels.get(name="Twice").description == "it came two times"
    assert project.item_count == 40
    desk = LabelPage(page, project)
    if page.locator(".item:not([hidden])").get_attribute("data-stream") == "audit":
        desk.press("1")  # labelled blind
        desk.settled()
    expect(page.locator(".answer.suggested")).to_be_visible()
    desk.press("Enter")
    desk.settled()
    assert project.annotations.filter(annotator__kind="person", blind=False).count() == 1


def test_bad_rows_wait_for_a_decision(page, complaints):
    page.goto("/projects/new")
    upload(page, [*ROWS, "40,,Late", "41,   ,Late", "42,Parcel 3 never came,Late"])
    page.get_by_role("button", name="See the rows").click()
    page.get_by_role("button", name="Import and label the first item").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.get_by_text("2 rows of 43 cannot be read.")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("42 message")
    assert Project.objects.get().item_count == 0
    assert violations(page) == []
    page.get_by_role("button", name="Import the rest, 41 rows").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.get_by_text("items added")).to_be_visible()
    expect(page.get_by_role("region", name="Duplicates")).to_contain_text("44 row 5")
    assert Project.objects.get().item_count == 40
    assert violations(page) == []
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Undo this import").click()
    expect(page.get_by_text("is being taken back")).to_be_visible()
    work()
    assert ImportBatch.objects.get().state == BatchState.UNDONE
    assert complaints == ["dialog: Take all items of this file out of the project again?"]
    complaints.clear()


def test_a_cancelled_import_can_be_begun_again(page):
    page.goto("/projects/new")
    upload(page, ROWS)
    page.get_by_role("button", name="See the rows").click()
    page.get_by_role("button", name="Import and label the first item").click()
    with page.expect_response("**/cancel"):
        page.get_by_role("button", name="Cancel").click()
    work()
    mark_stranded()
    expect(page.get_by_text("The last attempt imported nothing.")).to_be_visible()
    page.get_by_role("button", name="Import and label the first item").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.locator("#main[data-ready]")).to_be_visible()
    assert Project.objects.get().item_count == 40


def test_a_file_that_is_none_is_refused_where_it_was_chosen(page):
    page.goto("/projects/new")
    upload(page, [], name="empty.png")
    page.locator("[name=file]").set_input_files(
        {"name": "photo.csv", "mimeType": "text/csv", "buffer": b"\x89PNG\r\n\x1a\n\x00\x00"}
    )
    page.get_by_role("button", name="See the rows").click()
    expect(page.locator(".errorlist")).to_be_visible()
    assert Project.objects.count() == 0


def test_two_columns_cannot_both_be_the_text(page, complaints):
    page.goto("/projects/new")
    upload(page, ROWS)
    page.get_by_role("button", name="See the rows").click()
    page.get_by_label("id", exact=True).select_option("Text")
    expect(page.locator("#rows")).to_be_visible()
    page.get_by_role("button", name="Import and label the first item").click()
    expect(page.get_by_role("alert")).to_contain_text("Two columns are “Text”: id and message.")
    complaints.clear()  # the refusal's status


def test_without_labels_nothing_is_imported(page, complaints):
    page.goto("/projects/new")
    upload(page, ROWS)
    page.get_by_role("button", name="See the rows").click()
    page.get_by_label("kind").select_option("Left out")
    page.get_by_role("button", name="Import and label the first item").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing can be answered without labels")
    assert Job.objects.count() == 0
    complaints.clear()
