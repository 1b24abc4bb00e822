"""The map as a job draws it: who is on it, what happens to it later, and an area of it as a filter."""

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.actions.explore import areas, mapping
from annotator.actions.explore.searching import Filter, matching
from annotator.actions.imports import undoing
from annotator.actions.projects import redacting
from annotator.actions.verdicts import sealing
from annotator.errors import ConflictError, InvalidError
from annotator.models import Encoding, ImportBatch, Item, Job
from learning.layouts.stored import GRID, NOWHERE, save
from tests.annotator.actions.test_loop import make_pool
from tests.annotator.web.helpers import draw, encode
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


def spread(numbers):
    """Vectors in three groups, by the number."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(3, 8))
    return np.stack(
        [centres[n % 3] + 0.3 * np.random.default_rng(n).normal(size=8) for n in numbers]
    )


@pytest.fixture
def tickets(cast):
    project, _, _ = make_pool(cast, 60, audit_share=0)
    encode(project, spread(range(60)))
    return project


@pytest.fixture
def drawn(tickets):
    draw(tickets)
    return tickets


def add(project, texts):
    """Items that are imported later, with their vectors, and what then waits to be done."""
    made = make_items(project, texts)
    project.refresh_from_db()
    matrix = current_encoding(project)
    rows = spread(each.number for each in made)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    open_matrix(matrix).write(made[0].number, rows.astype(np.float32))
    Encoding.objects.filter(pk=matrix.pk).update(rows=project.item_count)
    mapping.follow(project)
    draw(project)
    return made


def everything(known):
    corners = f"0-0_{GRID}-0_{GRID}-{GRID}_0-{GRID}"
    return f"{known.name}.{corners}"


def test_who_encodes_more_asks_for_a_map_that_somebody_looks_at(tickets):
    mapping.follow(tickets)
    assert not Job.objects.filter(kind="map").exists()
    draw(tickets)
    mapping.follow(tickets)
    assert Job.objects.filter(kind="map", state="queued").exists()


def test_nobody_asks_for_a_map_so_none_is_drawn(tickets):
    assert mapping.current_map(tickets) is None
    assert not Job.objects.filter(kind="map").exists()
    assert not mapping.fits(tickets, None)


def test_every_item_has_a_place_and_a_region(drawn):
    known = mapping.current_map(drawn)
    assert known.rows == 60
    assert mapping.fits(drawn, known)
    assert np.isfinite(known.drawn.xy).all()
    assert set(known.regions) == set(range(len(known.centres)))


def test_regions_are_named_by_the_words_of_their_texts(drawn):
    named = {word for words in mapping.current_map(drawn).words for word in words}
    assert named & {"parcel", "courier", "tracking", "shipment", "doorstep", "van", "late"}
    assert "number" not in named  # every text has it


def test_without_encodings_there_is_nothing_to_draw(cast):
    with pytest.raises(ConflictError, match="No item is encoded yet"):
        mapping.wish(make_project(cast))


def test_what_is_imported_later_is_placed_and_nothing_else_moves(drawn):
    before = mapping.current_map(drawn)
    add(drawn, ["parcel courier late number 99", "parcel van tracking number 100"])
    after = mapping.current_map(drawn)
    assert after.name == before.name
    np.testing.assert_array_equal(after.drawn.xy[:60], before.drawn.xy)
    assert np.isfinite(after.drawn.xy[60:]).all()
    for number in (60, 61):
        near = np.linalg.norm(before.drawn.xy - after.drawn.xy[number], axis=1).argsort()[:3]
        assert set(near % 3) == {number % 3}


def test_a_pool_that_doubled_is_drawn_anew(drawn):
    before = mapping.current_map(drawn)
    add(drawn, [f"invoice refund {n}" for n in range(60)])
    after = mapping.current_map(drawn)
    assert after.name != before.name
    assert after.rows == 120


def test_a_redacted_item_leaves_the_map_and_takes_its_words_with_it(drawn):
    item = Item.objects.get(project=drawn, number=1)
    known = mapping.current_map(drawn)
    region = int(known.regions[1])
    known.words[region][:] = ["courier", "browser"]
    item.text = "The courier was late"
    Item.objects.filter(pk=item.pk).update(text=item.text)
    save(mapping.map_path(current_encoding(drawn)), known)
    redacting.redact_item(item, "lea")
    after = mapping.current_map(drawn)
    assert after.words[region] == ["browser"]
    assert (after.on_grid()[1] == NOWHERE).all()
    assert 1 in mapping.hidden_numbers(drawn)
    draw(drawn, again=True)
    assert not np.isfinite(mapping.current_map(drawn).drawn.xy[1]).any()


@pytest.mark.parametrize("again", [True, False])
def test_words_of_what_is_redacted_while_a_map_is_made_are_in_no_name(drawn, monkeypatch, again):
    Item.objects.filter(project=drawn, number__lt=20).update(text="zebra crossing")
    item = Item.objects.get(project=drawn, number=1)
    Item.objects.filter(project=drawn, number__lt=20).exclude(pk=item.pk).update(text="parcel")
    known = mapping.current_map(drawn)
    known.words[int(known.regions[1])][:] = ["zebra", "parcel"]
    save(mapping.map_path(current_encoding(drawn)), known)
    hold, begun = sealing.hold, []

    def redact_first(project_id):
        if not begun:
            begun.append(project_id)
            redacting.redact_item(item, "lea")
        hold(project_id)

    def saying_zebra(project, regions, count, rng):
        there = Item.objects.filter(pk=item.pk, text__contains="zebra").exists()
        return [["zebra"] if there else ["parcel"]] * count

    monkeypatch.setattr(sealing, "hold", redact_first)
    monkeypatch.setattr(mapping, "_named", saying_zebra)
    draw(drawn, again=again)
    after = mapping.current_map(drawn)
    assert (after.name == known.name) is not again
    assert any("parcel" in words for words in after.words)
    assert not any("zebra" in words for words in after.words)
    assert not np.isfinite(after.drawn.xy[1]).any()


def test_a_map_is_kept_only_when_no_redaction_is_under_way(drawn, monkeypatch):
    held = []
    monkeypatch.setattr(sealing, "hold", held.append)
    draw(drawn, again=True)
    assert held == [drawn.pk]


def test_redacting_what_an_undone_import_brought_takes_its_words_out_of_every_name(drawn):
    item = Item.objects.get(project=drawn, number=1)
    Item.objects.filter(pk=item.pk).update(text="The courier was late")
    item.refresh_from_db()
    known = mapping.current_map(drawn)
    region = int(known.regions[1])
    known.words[region][:] = ["courier", "browser"]
    known.regions[1] = -1
    save(mapping.map_path(current_encoding(drawn)), known)
    redacting.redact_item(item, "lea")
    assert mapping.current_map(drawn).words[region] == ["browser"]


def test_a_redacted_item_stays_off_where_another_encoder_gives_it_a_vector(drawn):
    redacting.redact_item(Item.objects.get(project=drawn, number=4), "lea")
    matrix = current_encoding(drawn)
    open_matrix(matrix).write(4, np.ones((1, matrix.dimensions), dtype=np.float32))
    draw(drawn, again=True)
    assert not np.isfinite(mapping.current_map(drawn).drawn.xy[4]).any()


def test_items_of_an_undone_import_are_in_no_area_and_on_no_new_map(cast, drawn):
    batch = ImportBatch.objects.create(project=drawn, file_name="more.csv", state="done")
    made = add(drawn, ["parcel courier late 1", "parcel van tracking 2"])
    Item.objects.filter(pk__in=[each.pk for each in made]).update(batch=batch)
    known = mapping.current_map(drawn)
    assert len(areas.numbers_in(drawn, everything(known))) == 62
    job = undoing.undo_import(batch)
    jobs.execute(job.pk)
    drawn.refresh_from_db()
    assert len(areas.numbers_in(drawn, everything(known))) == 60
    draw(drawn, again=True)
    assert not np.isfinite(mapping.current_map(drawn).drawn.xy[60:]).any()


def test_an_area_finds_what_lies_in_it_and_a_region_its_items(drawn):
    known = mapping.current_map(drawn)
    grid = known.on_grid().astype(int)
    half = GRID // 2
    left = f"{known.name}.0-0_{half}-0_{half}-{GRID}_0-{GRID}"
    expected = np.flatnonzero(grid[:, 0] < half).tolist()
    found = matching(drawn, Filter(area=left)).order_by("number")
    assert list(found.values_list("number", flat=True)) == expected
    counted = [
        matching(drawn, Filter(area=f"{known.name}.r{n}")).count()
        for n in range(len(known.centres))
    ]
    assert counted == np.bincount(known.regions).tolist()
    assert sum(counted) == 60


def test_an_area_of_a_map_that_was_drawn_anew_is_refused(drawn):
    old = everything(mapping.current_map(drawn))
    draw(drawn, again=True)
    with pytest.raises(ConflictError, match="drawn anew"):
        matching(drawn, Filter(area=old))


@pytest.mark.parametrize(
    "text",
    [
        "12345678",
        "12345678.r",
        "1234567g.r1",
        "12345678.1-2_3-4",
        "12345678.1-2_3-4_5",
        "12345678." + "_".join(["1-2"] * 101),
        "12345678.r1; DROP TABLE annotator_item",
    ],
)
def test_what_is_not_an_area_is_refused(text):
    with pytest.raises(InvalidError, match="not an area"):
        areas.parse(text)


def test_a_damaged_map_is_drawn_anew(drawn):
    path = mapping.map_path(current_encoding(drawn))
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    assert mapping.current_map(drawn) is None
    draw(drawn)
    assert mapping.current_map(drawn).rows == 60


def test_a_matrix_with_too_few_rows_ends_the_drawing_with_a_sentence(tickets):
    Encoding.objects.filter(project=tickets).update(rows=61)
    with pytest.raises(ConflictError, match="has 60 rows and should have 61"):
        draw(tickets)
    assert mapping.current_map(tickets) is None


def test_a_cancelled_drawing_leaves_the_former_map(drawn, monkeypatch):
    before = mapping.current_map(drawn).name
    job = mapping.wish(drawn, again=True)

    def cancelled(*_):
        raise jobs.CancelledError("Cancelled.")

    monkeypatch.setattr("annotator.actions.explore.mapping._drawn", cancelled)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert mapping.current_map(drawn).name == before


def test_two_wishes_cost_one_drawing(drawn):
    first, second = mapping.wish(drawn), mapping.wish(drawn, again=True)
    assert first.pk == second.pk
    second.refresh_from_db()
    assert second.params["again"] is True
