"""A tree of a thousand labels: found by typing, named after their branch, one of them the answer."""

import pytest
from playwright.sync_api import expect

from annotator.actions.projects import projects, schema
from annotator.models import Annotation
from tests.browser.pages import LabelPage
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(cast.lea, "Catalogue", task_type="hierarchy", audit_share=0)
    paths = [
        f"Shelf {a} > Box {b} > Thing {c}" for a in range(10) for b in range(9) for c in range(10)
    ]
    schema.add_labels(made, [(path, "", "", "") for path in paths])
    make_items(made, 4)
    return made


def test_typing_finds_a_leaf_or_a_branch_among_a_thousand(visit, cast, project):
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    found = page.locator("#found > [role=option]")
    expect(page.locator("#rows .answer")).to_have_count(10)
    label.press("/")
    expect(found).to_have_count(21)
    expect(found.last).to_have_text("… and more: type on.")
    page.keyboard.type("shelf 4 box 7 thing 3")
    expect(found.first.locator(".name")).to_have_text("Shelf 4 › Box 7 › Thing 3")
    label.press("Enter")
    expect(page.locator("[data-undo-word]")).to_have_text("undo Thing 3")
    label.press("/")
    page.keyboard.type("shelf 2")
    expect(found.first.locator(".name")).to_have_text("Shelf 2")
    label.press("Enter")
    label.settled()
    names = dict(project.labels.values_list("pk", "name"))
    said = Annotation.objects.order_by("pk").values_list("labels", flat=True)
    assert [names[pk] for (pk,) in said] == ["Shelf 4 > Box 7 > Thing 3", "Shelf 2"]
    # What was used before is one key away.
    expect(page.locator("#rows .name").filter(has_text="Thing 3").first).to_be_visible()
