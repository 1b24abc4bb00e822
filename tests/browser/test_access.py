"""Everybody can use it: axe finds no violation, light and dark, wide and at 360 px."""

import json
from pathlib import Path

import axe_core_python
import pytest
from playwright.sync_api import expect

from annotator.models import Annotation, Pick, User
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
WINDOWS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
    "dark-phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # what is in order is not described, which takes the most time
}


# What moves or is fetched has come to rest for some frames, in which what a key set off has begun.
FRAMES = 4
AT_REST = f"""() => {{
  const busy = document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")
    || document.getAnimations().some((each) => each.playState === "running"
      && each.effect.getComputedTiming().endTime !== Infinity);
  document.atRest = busy ? 0 : (document.atRest ?? 0) + 1;
  return document.atRest > {FRAMES} && delete document.atRest;
}}"""


def violations(page) -> list[str]:
    page.wait_for_function(AT_REST)
    if not page.evaluate("'axe' in window"):  # half a megabyte of script: once per document
        page.evaluate(AXE)
    found = page.evaluate(f"axe.run(document, {json.dumps(OPTIONS)})")
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


LABEL_PAGES = [
    ("light", "few"),
    ("dark", "many"),
    ("phone", "many"),
    ("dark-phone", "several"),
]


@pytest.fixture
def window(request, visit, cast):
    # A page with a strict policy refuses a foreign script; only the test may look past that.
    return visit(cast.ana, bypass_csp=True, reduced_motion="reduce", **WINDOWS[request.param])


@pytest.fixture
def project(request, cast):
    labels = tuple(f"Label {n}" for n in range(30 if request.param == "many" else 5))
    task_type = "multi" if request.param == "several" else "single"
    made = make_project(
        cast, labels=labels, task_type=task_type, audit_share=0, guidelines="# Read"
    )
    ids = list(made.live_labels().values_list("pk", flat=True))
    for rank, item in enumerate(make_items(made, 6)):
        Pick.objects.create(
            project=made, item=item, rank=rank, suggestion=[[ids[0], 0.6], [ids[1], 0.3]]
        )
    return made


@pytest.mark.parametrize(("window", "project"), LABEL_PAGES, indirect=True)
def test_label_page(window, project):
    desk = LabelPage(window.new_page(), project).open()
    assert violations(desk.page) == []
    desk.press("h", "w", "c", "Escape", "f")
    assert violations(desk.page) == []
    desk.press("h", "?")
    expect(desk.page.locator("#keys")).to_be_visible()
    assert violations(desk.page) == []
    desk.press("Escape", "/")
    assert violations(desk.page) == []
    desk.press("Escape", "1", "Enter")
    desk.settled()
    desk.page.goto(f"/projects/{project.pk}/label/mine")
    assert violations(desk.page) == []


@pytest.mark.parametrize("window", ["light", "dark-phone"], indirect=True)
def test_nothing_left(window, cast):
    project = make_project(cast, audit_share=0)
    page = window.new_page()
    LabelPage(page, project).open()
    expect(page.get_by_role("heading", name="No items yet")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("window", ["light", "dark-phone"], indirect=True)
def test_home_and_account_pages(window, complaints, cast):
    User.objects.filter(pk=cast.ana.pk).update(is_superuser=True)  # who is offered model servers
    page = window.new_page()
    for address in ("/", "/accounts/password/change/", "/accounts/2fa/", "/nowhere"):
        page.goto(address)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    complaints.clear()  # of the address that leads nowhere


def test_sign_in(visit):
    page = visit(bypass_csp=True).new_page()
    page.goto("/accounts/login/")
    assert violations(page) == []
    page.get_by_label("Login").fill("nobody")
    page.get_by_label("Password").fill("wrong-password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


def test_first_visit(visit):
    page = visit(bypass_csp=True).new_page()
    page.goto("/")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password", exact=True).fill("a long enough sentence")
    page.get_by_label("Password again").fill("a long enough sentence")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", name="No projects yet")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("window", ["light", "dark", "dark-phone"], indirect=True)
def test_pages_of_spans(window, cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    (item,) = make_items(made, ["Ada Lovelace met Charles Babbage in London."])
    person, place = made.live_labels().values_list("pk", flat=True)
    spans = [
        {"start": 17, "end": 32, "label": person, "probability": 0.9},
        {"start": 36, "end": 42, "label": place, "probability": 0.3},
    ]
    Pick.objects.create(project=made, item=item, rank=0, suggestion={"spans": spans})
    desk = LabelPage(window.new_page(), made).open()
    desk.press("ArrowRight", "Shift+ArrowRight", "1", "ArrowRight", "Shift+ArrowLeft")
    assert violations(desk.page) == []
    desk.press("Enter")
    desk.settled()
    said = Annotation.objects.get(project=made)
    desk.page.goto(f"/projects/{made.pk}/label/mine/{said.uuid}")
    assert violations(desk.page) == []
