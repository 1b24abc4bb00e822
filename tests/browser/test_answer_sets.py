"""Answer sets on the label page: marked where labels are few, first where they are many, as chips."""

import os

import numpy as np
import pytest
from playwright.sync_api import expect

from annotator.models import Annotation, Label, Pick
from tests.browser.pages import LabelPage
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

# A person's pace for the figure in the docs; a test types at once.
KEY_MS = int(os.environ.get("KEY_MS", "0"))
ANSWERS = 24


def offer(project, sets):
    """Picks with the given (suggestion, label set) pairs, in the order of the items."""
    Pick.objects.filter(project=project).delete()
    for rank, (item, (suggestion, held)) in enumerate(
        zip(project.items.order_by("number"), sets, strict=False)
    ):
        size = held and len(held["maybe"])
        Pick.objects.create(
            project=project,
            item=item,
            rank=rank,
            suggestion=suggestion,
            label_set=held,
            set_size=size,
        )


def holding(maybe, sure=()):
    return {"coverage": 0.9, "sure": list(sure), "maybe": list(maybe)}


def test_few_labels_keep_their_order_and_several_labels_get_chips(visit, cast):
    names = ("Billing", "Delivery", "Login", "Refund")
    project = make_project(cast, labels=names, audit_share=0)
    make_items(project, 3)
    ids = dict(project.labels.values_list("name", "pk"))
    offer(project, [([[ids["Refund"], 0.6]], holding([ids["Refund"], ids["Billing"]]))] * 3)
    desk = LabelPage(visit(cast.ana).new_page(), project).open()
    rows = desk.page.locator("#rows .answer")
    assert rows.locator(".name").all_inner_texts() == list(names)
    assert [row.strip() for row in rows.locator(".mark").all_inner_texts()] == ["✓", "", "", "✓"]
    expect(desk.page.locator("#set-line")).to_have_text("✓ 2 of 4 labels hold at 90 %")
    desk.press("2")  # wrong set, right digit: an answer outside of it is as quick
    desk.settled()
    assert Annotation.objects.get(project=project).labels == [ids["Delivery"]]

    several = make_project(cast, labels=names, task_type="multi", audit_share=0)
    make_items(several, 2)
    ids = dict(several.labels.values_list("name", "pk"))
    shown = [[ids["Login"], 0.98], [ids["Refund"], 0.6]]
    offer(several, [(shown, holding([ids["Refund"]], sure=[ids["Login"]]))] * 2)
    desk = LabelPage(visit(cast.ana).new_page(), several).open()
    rows = desk.page.locator("#rows .answer")
    assert rows.locator(".mark").all_inner_texts() == ["no", "no", "yes", "?"]
    expect(desk.page.locator("#set-line")).to_have_text(
        "At 90 %: 1 certain, 1 undecided, 2 ruled out"
    )


def test_among_many_labels_the_set_comes_first_and_saves_keys(visit, cast, record_property):
    """A person who knows the answer types only where it is on no row; counted with and without."""
    names = tuple(f"Intent {number:02}" for number in range(77))
    project = make_project(cast, labels=names, audit_share=0)
    Label.objects.filter(project=project).update(hotkey="")
    make_items(project, 2 * ANSWERS + 6)
    ids = np.array(project.live_labels().values_list("pk", flat=True))
    rng = np.random.default_rng(3)
    sets, truth = [], []
    for number in range(2 * ANSWERS + 6):
        likely = rng.choice(77, 8, replace=False)
        is_held = rng.random() < 0.9
        right = likely[min(int(rng.geometric(0.2)) - 1, 7)] if is_held else rng.integers(77)
        truth.append(names[right])
        suggestion = [[int(ids[c]), 0.4 / 2**place] for place, c in enumerate(likely)]
        half = number < ANSWERS + 3
        sets.append((suggestion[:5], None) if half else (suggestion, holding(ids[likely].tolist())))
    offer(project, sets)
    numbers = dict(project.items.values_list("pk", "number"))
    desk = LabelPage(visit(cast.ana).new_page(), project).open()

    def answer() -> int:
        wanted = truth[numbers[desk.item]]
        row = desk.page.locator("#rows .answer", has_text=wanted)
        if row.count():
            keys = [
                row.first.locator("kbd").inner_text()
            ]  # a suggested one may be a recent one too
        else:
            keys = ["/", *wanted.removeprefix("Intent "), "Enter"]
        for key in keys:
            desk.page.keyboard.press(key, delay=KEY_MS)
        return len(keys)

    without = [answer() for _ in range(ANSWERS)]
    desk.settled()
    while numbers[desk.item] < ANSWERS + 3:
        answer()
    expect(desk.page.locator("#set-line")).to_have_text("✓ 8 of 77 labels hold at 90 %")
    shown = desk.page.locator("#rows .answer .name")
    assert {shown.nth(place).inner_text() for place in range(8)} == {
        names[list(ids).index(label)] for label in sets[numbers[desk.item]][1]["maybe"]
    }
    held = [answer() for _ in range(ANSWERS)]
    desk.settled()
    said = list(Annotation.objects.filter(project=project).order_by("pk"))
    assert [names[list(ids).index(one.labels[0])] for one in said] == truth[: len(said)]
    seconds = [np.mean([one.seconds for one in half]) for half in (said[:ANSWERS], said[-ANSWERS:])]
    record_property("keys", [float(np.mean(without)), float(np.mean(held))])
    record_property("seconds", [float(each) for each in seconds])
    assert np.mean(held) < np.mean(without) - 0.3
    assert sorted(held)[ANSWERS // 2] == 1
