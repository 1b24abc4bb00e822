"""Lea opens the map, chooses what lies together, labels it at once, and takes it back."""

import time

import numpy as np
import pytest
from playwright.sync_api import expect

from annotator import jobs
from annotator.actions.explore import mapping
from annotator.models import Annotation, Item, Job
from tests.annotator.actions.test_loop import work
from tests.annotator.web.helpers import draw, encode, index
from tests.browser.test_access import WINDOWS, violations
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ["refund twice on my card", "parcel late again", "password lost"]


def vectors(count):
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(3, 12))
    return centres[np.arange(count) % 3] + 0.3 * rng.normal(size=(count, 12))


@pytest.fixture
def tickets(cast):
    project = make_project(cast, audit_share=0)
    make_items(project, [f"{WORDS[n % 3]} {n}" for n in range(90)])
    Item.objects.filter(project=project, number=1).update(text="<b>parcel</b> <img src=x>")
    encode(project, vectors(90))
    return project


@pytest.fixture
def drawn(tickets):
    index(tickets)
    draw(tickets)
    return tickets


def open_map(page, project, query=""):
    page.goto(f"/projects/{project.pk}/explore/map{query}")
    expect(page.locator("#map[data-ready]")).to_be_visible()
    return page.locator("#map-canvas")


def seen_at(page, project, number):
    """Where an item is on the screen."""
    x, y = mapping.current_map(project).on_grid()[number].astype(float)
    box = page.locator("#map-canvas").bounding_box()
    scale = 0.92 * min(box["width"], box["height"]) / 65534
    return (
        box["x"] + box["width"] / 2 + (x - 32767) * scale,
        box["y"] + box["height"] / 2 + (y - 32767) * scale,
    )


def test_the_first_visit_draws_the_map_and_shows_it(visit, cast, tickets):
    page = visit(cast.lea).new_page()
    page.goto(f"/projects/{tickets.pk}/explore")
    page.get_by_role("link", name="Map", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work()
    expect(page.locator("#map[data-ready]")).to_be_visible()
    expect(page.get_by_role("heading", name="Regions")).to_be_visible()


def test_a_region_is_labelled_at_once_and_taken_back(visit, cast, drawn):
    page = visit(cast.lea).new_page()
    open_map(page, drawn)
    row = page.locator("#map-regions li").first
    size, name = int(row.get_attribute("data-size")), row.get_attribute("data-title")
    row.get_by_role("button", name="On the map").click()
    expect(page.locator("#map-chosen")).to_have_text(f"{size} items chosen: {name}")
    page.get_by_role("link", name=f"Show these {size} items").click()
    expect(page.get_by_text(f"Within an area of the map: {name}")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(min(size, 50))
    page.get_by_label("Label to give").select_option("Billing")
    page.get_by_role("button", name="Look first").click()
    page.get_by_role("button", name=f"Label {size} items").click()
    expect(page.get_by_text("Labelling has begun")).to_be_visible()
    jobs.execute(Job.objects.get(kind="bulk").pk)
    said = Annotation.objects.filter(project=drawn, kind="answer", successor=None)
    assert said.count() == size
    page.reload()
    page.get_by_role("button", name="Take back").first.click()
    expect(page.get_by_text("Its answers are being taken back.")).to_be_visible()
    jobs.execute(Job.objects.get(kind="bulk", params__has_key="undo").pk)
    assert not said.exists()


@pytest.mark.parametrize("tool", ["box", "lasso"])
def test_what_is_outlined_is_what_the_list_shows(visit, cast, drawn, tool):
    page = visit(cast.lea).new_page()
    canvas = open_map(page, drawn)
    page.locator(f"[data-tool={tool}]").click()
    box = canvas.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    half = 0.46 * box["height"]
    corners = [(-half, -half), (half, -half * 0.2), (half * 0.4, half), (-half, half * 0.1)]
    path = corners[:1] + corners[2:3] if tool == "box" else [*corners, corners[0]]
    page.mouse.move(middle[0] + path[0][0], middle[1] + path[0][1])
    page.mouse.down()
    for x, y in path[1:]:
        page.mouse.move(middle[0] + x, middle[1] + y, steps=60)
    page.mouse.up()
    expect(page.locator("#map-chosen")).to_contain_text("items chosen")
    told = page.locator("#map-chosen").inner_text()
    count = int(told.split()[0])
    assert 5 < count < 90
    page.locator("#map-show").click()
    expect(page.get_by_text(f"{count} of 90 items fit")).to_be_visible()
    page.get_by_role("link", name="Show it on the map").click()
    expect(page.locator("#map-chosen")).to_have_text(told)


def test_with_keys_alone(visit, cast, drawn):
    page = visit(cast.lea).new_page()
    canvas = open_map(page, drawn)
    canvas.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#map-chosen")).to_have_text("90 items chosen")
    page.keyboard.press("Escape")
    expect(page.locator("#map-chosen")).to_have_text("Nothing chosen")
    for key in ("+", "+", "+", "ArrowLeft", "ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#map-chosen")).not_to_have_text("90 items chosen")
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.locator("#map-show")).to_have_text("Show these 90 items")


def test_a_point_tells_its_text_as_text_and_opens(visit, cast, drawn):
    page = visit(cast.lea).new_page()
    open_map(page, drawn)
    page.mouse.move(*seen_at(page, drawn, 1))
    expect(page.locator("#map-tip")).to_contain_text("<b>parcel</b> <img src=x>")
    page.mouse.click(*seen_at(page, drawn, 1))
    expect(page.locator("#drawer")).to_be_visible()
    expect(page.locator("#drawer-title")).to_have_text("#1")


def test_a_tap_opens_what_is_under_the_finger(visit, cast, drawn):
    phone = {"has_touch": True, "viewport": {"width": 360, "height": 740}}
    page = visit(cast.lea, **phone).new_page()
    canvas = open_map(page, drawn)
    canvas.scroll_into_view_if_needed()
    page.touchscreen.tap(*seen_at(page, drawn, 4))
    expect(page.locator("#drawer")).to_be_visible()
    assert page.locator("#map-tip").is_hidden()


def test_hits_of_a_search_are_what_is_chosen(visit, cast, drawn):
    page = visit(cast.lea).new_page()
    canvas = open_map(page, drawn)
    page.route("**/hits?*", lambda route: (time.sleep(0.5), route.continue_()))  # colours are first
    page.get_by_label("Search the text").fill("password")
    page.keyboard.press("Enter")
    expect(page.locator("#map-hits")).to_have_text("30 items of the map fit")
    expect(page.locator("#map[data-ready]")).to_be_visible()
    canvas.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#map-chosen")).to_have_text("30 items chosen")
    page.locator("#map-show").click()
    expect(page.get_by_text("30 of 90 items fit")).to_be_visible()


@pytest.mark.parametrize("name", WINDOWS)
def test_everybody_can_use_it(visit, cast, drawn, name):
    window = visit(cast.lea, bypass_csp=True, reduced_motion="reduce", **WINDOWS[name])
    page = window.new_page()
    open_map(page, drawn)
    page.get_by_label("Colour by").select_option("state")
    page.locator(".map-group").first.click()
    page.locator("#map-regions [data-look]").first.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#map-show").click()
    assert violations(page) == []
