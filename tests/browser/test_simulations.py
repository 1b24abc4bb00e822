"""Lea asks which strategy would have been best, watches the curves, uses the answer, takes it back."""

import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.simulations import simulation_runs
from annotator.models import Project, Simulation, StrategyChange
from tests.annotator.simulated import mostly_easy_project
from tests.browser.test_access import WINDOWS, violations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    return mostly_easy_project(cast)


@pytest.fixture
def page(request, visit, cast):
    options = WINDOWS[request.param]
    return visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **options).new_page()


def work(simulation, pieces=1_000):
    """Do waiting pieces as the worker of the queue would; True while there are more."""
    for _ in range(pieces):
        simulation.refresh_from_db()
        if not simulation.is_live:
            return False
        jobs.execute(simulation.job_id)
    return True


def start(page, project):
    page.goto(f"/projects/{project.pk}/settings")
    page.get_by_role("link", name="Strategy").click()
    expect(page.get_by_role("heading", name="In use: Random")).to_be_visible()
    assert violations(page) == []
    for box in page.get_by_role("group", name="Strategies").get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("value") in {"margin", "random"})
    for name, value in (("Seeds", 5), ("Labels in all", 85), ("Labels at the start", 10)):
        page.get_by_label(name, exact=True).fill(str(value))
    page.get_by_label("Labels a round").fill("25")
    page.get_by_role("button", name="Start the simulation").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    return Simulation.objects.get()


def wider_than_its_window(page):
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_from_the_question_to_a_strategy_in_use_and_back(page, project, monkeypatch):
    monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
    simulation = start(page, project)
    assert set(simulation.settings["strategies"]) == {"margin", "random"}
    assert violations(page) == []
    assert work(simulation, pieces=2)
    expect(page.get_by_text("2 of 10 curves finished")).to_be_visible()  # polled, not reloaded
    expect(page.get_by_role("img", name="Accuracy by labels")).to_be_visible()
    assert violations(page) == []

    assert not work(simulation)
    expect(page.locator("#advice")).to_contain_text("Use “Smallest margin”: its curve lies")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="Points of the curves")).to_be_visible()
    figures = page.get_by_role("region", name="Table of figures")
    row = figures.get_by_role("row").filter(has_text="Smallest margin")
    expect(row).to_contain_text("recommended")
    expect(row).to_contain_text("+")
    assert violations(page) == []
    assert not wider_than_its_window(page)

    page.get_by_role("button", name="Use it for this project").click()
    expect(page.get_by_text("“Smallest margin” chooses from now on")).to_be_visible()
    assert Project.objects.get(pk=project.pk).strategy == "margin"
    expect(page.get_by_text("Random → Smallest margin, by lea")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Back to Random").click()
    expect(page.get_by_role("heading", name="In use: Random")).to_be_visible()
    assert StrategyChange.objects.count() == 2
    expect(page.get_by_role("link", name=f"Simulation {simulation.pk}", exact=True)).to_be_visible()
    assert violations(page) == []
    assert not wider_than_its_window(page)


@pytest.mark.parametrize("page", ["dark-phone"], indirect=True)
def test_a_simulation_is_stopped_where_it_is_watched(page, project, monkeypatch):
    monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
    simulation = start(page, project)
    assert work(simulation, pieces=1)
    expect(page.get_by_text("1 of 10 curves finished")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled after 1 of 10 curves")).to_be_visible()
    expect(page.get_by_role("img", name="Accuracy by labels")).to_be_visible()
    assert not work(simulation)
    assert simulation.state == "cancelled"
