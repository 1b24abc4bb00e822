"""The screens around the label page: axe finds nothing, and nothing sticks out of a phone."""

import pytest

from annotator.models import Membership, Snapshot
from tests.browser.leading import lively_project
from tests.browser.test_access import WINDOWS, violations
from tests.factories import make_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SCREENS = (
    "progress",
    "explore",
    "explore?query=refund&sort=doubt",
    "items/3",
    "items/3/similar",
    "bulk",
    "review/27",
    "review/27?guess={label}",
    "annotators",
    "members",
    "members/{member}",
    "students",
    "students/compare?number=22&number=23",
    "exports",
    "exports/{snapshot}",
    "settings",
    "settings/labels",
    "settings/labels/{label}",
    "settings/guidelines",
    "settings/strategy",
    "settings/delete",
)


@pytest.fixture
def page(request, visit, cast):
    options = WINDOWS[request.param]
    return visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **options).new_page()


IN_SIGHT = """() => [...document.querySelectorAll("nav > [aria-current=page]")].every((here) => {
  const { left, right } = here.getBoundingClientRect();
  return left >= 0 && right <= innerWidth + 1;
})"""


@pytest.mark.parametrize("page", ["light", "dark-phone"], indirect=True)
def test_every_screen_in_mid_life(page, cast):
    project = lively_project(cast)
    places = {
        "label": project.labels.first().pk,
        "member": Membership.objects.get(project=project, user=cast.ana).pk,
        "snapshot": Snapshot.objects.filter(state="ready").get().pk,
    }
    found = {}
    for screen in SCREENS:
        page.goto(f"/projects/{project.pk}/{screen.format(**places)}")
        problems = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            problems.append("wider than its window")
        if not page.evaluate(IN_SIGHT):
            problems.append("its name among the screens is out of sight")
        if problems:
            found[screen] = problems
    assert found == {}


@pytest.mark.parametrize("page", ["dark-phone"], indirect=True)
def test_every_screen_while_empty(page, cast):
    project = make_project(cast, labels=(), name="Empty")
    screens = [screen for screen in SCREENS if "/" not in screen and "?" not in screen]
    found = {}
    for address in [f"/projects/{project.pk}/{screen}" for screen in [*screens, "review"]]:
        page.goto(address)
        if problems := violations(page):
            found[address] = problems
    for address in ("/tokens", "/deleted"):
        page.goto(address)
        if problems := violations(page):
            found[address] = problems
    assert found == {}
