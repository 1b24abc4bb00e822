"""Lea has a challenger trained, compares it, lets it serve, and rolls back."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.teachers import local_models
from annotator.models import Item, Project
from tests.annotator.actions.test_loop import work
from tests.annotator.audited import answer_all, audited_project
from tests.browser.test_access import violations
from tests.contracts.conftest import models

__all__ = ["models"]
pytestmark = pytest.mark.django_db(transaction=True)
# Pages whose rows can be acted on; tables of figures alone may be wider than a phone.
WITH_ACTIONS = ("students", "compare")
TEXTS = ("invoice was charged twice", "parcel is late again", "password does not open it")


@pytest.fixture
def project(cast):
    """A hundred answered evaluation items, forty more labels, and the head that learned from them."""
    project, truth, _ = audited_project(cast)
    for item in project.items.all():
        Item.objects.filter(pk=item.pk).update(text=f"{TEXTS[truth[item.number]]} {item.number}")
    Project.objects.filter(pk=project.pk).update(encoder="tfidf-svd")
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    items = list(project.items.order_by("order_key")[100:140])
    voice = assigning.voice_of(project, cast.ana)
    answer_all(project, voice, items, [labels[truth[x.number]] for x in items], stream="active")
    encoding.wish_encoding(project)
    work()
    return project


@pytest.fixture
def page(visit, cast):
    return visit(cast.lea, bypass_csp=True, reduced_motion="reduce").new_page()


def no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def tables_that_scroll_sideways(page):
    """What acts on a row may not stand where nobody looks."""
    return page.evaluate(
        "[...document.querySelectorAll('.table-wrap')].filter(one => one.scrollWidth > one.clientWidth)"
        ".map(one => one.getAttribute('aria-label'))"
    )


def look(page, name):
    """No rule of access is broken in the light or dark, on a desk or a phone."""
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        page.reload()  # what is folded away keeps its colours else
        assert no_sideways_scroll(page), name
        if width < 400 and name in WITH_ACTIONS:
            assert tables_that_scroll_sideways(page) == [], name
        assert violations(page) == [], name
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_challenger_is_trained_compared_promoted_and_rolled_back(page, project, models):
    students = f"/projects/{project.pk}/students"
    page.goto(students)
    head = project.students.get().number
    shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    page.get_by_label("Model (optional)").fill("text")
    page.get_by_label("Epochs (optional)").fill("1")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("Training has begun")).to_be_visible()
    work()
    challenger = project.students.get(kind="finetune").number
    assert project.students.count() == 2, "what is not ahead of the head teaches it nothing"
    page.goto(students)
    expect(page.get_by_role("heading", name="Who takes over")).to_be_visible()
    expect(page.get_by_text(f"Student {challenger} was tested and did not win")).to_be_visible()
    look(page, "students")
    for number in (head, challenger):
        page.get_by_label(f"Compare student {number}").check()
    page.get_by_role("button", name="Compare two").click()
    expect(page.get_by_text("items that chance drew and neither learned from")).to_be_visible()
    expect(page.get_by_role("region", name="Table of drawn items")).to_be_visible()
    look(page, "compare")
    page.get_by_role("link", name=f"Student {challenger}").click()
    expect(page.get_by_role("heading", name="Confusions")).to_be_visible()
    look(page, "version")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("students of other recipes wait").first).to_be_visible()
    project.refresh_from_db()
    assert project.current_student.number == challenger
    page.get_by_role("button", name=f"Roll back to student {head}").click()
    expect(page.get_by_role("heading", name=f"Student {head} current")).to_be_visible()
    project.refresh_from_db()
    assert (project.current_student.number, project.student_pinned) == (head, True)
    page.get_by_role("link", name="Let students train in the background").click()
    expect(page.get_by_role("heading", name="Training in the background")).to_be_visible()
    look(page, "background")
