"""The screens around the label page: axe finds nothing, and nothing sticks out of a phone."""

import pytest
from django.db.models.functions import Now

from annotator.actions.webhooks import hosts, webhooks
from annotator.models import Delivery, Membership, Snapshot, Webhook
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
    "settings/webhooks",
    "settings/webhooks/{webhook}",
    "settings/webhooks/{webhook}/deliveries/{delivery}",
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


def hooked(project):
    """A webhook that went off, with a message that arrived, one that did not and one that waits."""
    hosts.allow(None, "hooks.example.org")
    url = "https://hooks.example.org/concord/every-event-of-the-tickets"
    hook, _ = webhooks.register(project, None, name="Pipeline", url=url, events=["job.failed"])
    Webhook.objects.update(enabled=False, off_reason="It was gone.", off_at=Now())
    tried = {"tries": 1, "tried_at": Now(), "seconds": 0.012}
    told = {"webhook": hook, "type": "verdict.decided", "data": {"verdicts": [{"item": 1}] * 3}}
    Delivery.objects.create(**told, **tried, state="delivered", status=204, size=40)
    error = "The receiver answered 500 Internal Server Error."
    failed = Delivery.objects.create(**told, **tried, status=500, error=error)
    Delivery.objects.create(**told)
    return {"webhook": hook.pk, "delivery": failed.pk}


@pytest.mark.parametrize("page", ["light", "dark-phone"], indirect=True)
def test_every_screen_in_mid_life(page, cast):
    project = lively_project(cast)
    places = {
        "label": project.labels.first().pk,
        "member": Membership.objects.get(project=project, user=cast.ana).pk,
        "snapshot": Snapshot.objects.filter(state="ready").get().pk,
        **hooked(project),
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
