"""Every format that has a place for a task type's answers brings them back."""

import io
import json
import random
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.actions.projects.starting import task_type_of
from annotator.formats import FORMATS, WRITERS, FormatError
from annotator.formats.label_studio_tasks import SELECTED
from annotator.formats.mapping import Mapping, mapped
from annotator.formats.msgpack import packed as msgpacked
from annotator.formats.msgpack import unpacked
from annotator.formats.preview import preview
from bench.formats.rows import KINDS, expected, fits, plain, read, rows_of, understood, written
from learning.tasks import TASKS
from tests.annotator.formats.helpers import problems
from tests.annotator.formats.helpers import read as read_all
from tests.annotator.formats.test_images import packed, picture

READERS = {"huggingface": "parquet"}
# CoNLL and tokens keep tokens, not texts; see test_spans. A child process reads Parquet: once is enough.
OTHERWISE = ("conll", "tokens")
BY_CHILD = ("parquet", "huggingface")
TEXTS = [
    (format, name)
    for format in WRITERS
    for name, kind in KINDS.items()
    if fits(format, kind) and kind.item_kind != "image" and format not in OTHERWISE
]
PICTURES = [
    (format, name)
    for format in ("jsonl", "label-studio", "doccano", "prodigy", "coco", "yolo")
    for name in ("image", "boxes")
    if fits(format, KINDS[name])
]


def came_back(format, name, rows):
    kind = KINDS[name]
    found = understood(kind, read(READERS.get(format, format), written(format, kind, rows)))
    wanted = [expected(kind, row) for row in rows]
    if format == "doccano":  # its empty list does not tell whether anybody looked
        wanted = [(*item, answer or None) for *item, answer in wanted]
    assert found == wanted


@pytest.mark.parametrize(("format", "name"), TEXTS)
def test_texts_and_their_answers_come_back(format, name):
    came_back(format, name, rows_of(KINDS[name], 20))


@pytest.mark.parametrize(("format", "name"), [one for one in TEXTS if one[0] not in BY_CHILD])
@settings(max_examples=15, deadline=None)
@given(
    text=st.text(st.sampled_from("ab 👍🏽é\u0301ש\n.,\"'<&[{="), min_size=1, max_size=20),
    seed=st.integers(0, 999),
)
def test_any_text_comes_back_with_its_answer(format, name, text, seed):
    kind, rng = KINDS[name], random.Random(seed)
    (row,) = rows_of(kind, 1, seed)
    row["text"] = f"{text} end"
    row[kind.column] = kind.answer(rng, row)
    if kind.shape == "spans":
        row["labels"] = sorted({one["label"] for one in row["spans"]})
    came_back(format, name, [row])


@pytest.mark.parametrize(("format", "name"), PICTURES)
def test_pictures_and_their_answers_come_back_from_a_zip(format, name):
    kind = KINDS[name]
    rows = rows_of(kind, 12)
    told = written(format, kind, rows)
    pictures = {row["image"]: picture(size=(row["width"], row["height"])) for row in rows}
    ending = {"coco": "json", "label-studio": "json"}.get(format, "jsonl")
    data = packed(**pictures, **{f"told.{ending}": told})
    if format == "yolo":
        data = packed(**{f"images/{each}": data for each, data in pictures.items()}, **inside(told))
    found = {row.fields["name"]: row.given for row in read("boxes", data)}
    for row in rows:
        *_, image, wanted = expected(kind, row)
        answers = [plain(kind, one) for one in found[image]]
        assert answers == ([] if wanted is None else [wanted])


def inside(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_yolo_lists_what_is_decided_and_names_the_classes():
    kind = KINDS["boxes"]
    files = inside(written("yolo", kind, rows_of(kind, 10)))
    assert files["train.txt"].decode().splitlines() == [f"./images/{n:05}.png" for n in range(9)]
    assert "2: Größe & Passform" in files["data.yaml"].decode()
    assert "labels/00009.txt" not in files


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 0.5 0.5 0.2", "pictures"),
        ("0 0.5 0.5 0.2 0.2\n0 x 0.5 0.2 0.2", "Line 2 needs a class and four numbers"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "Line 1 holds an outline"),
        ("3 0.5 0.5 0.2 0.2", "Line 1 has class 3, and 1 are named"),
    ],
)
def test_what_is_no_box_of_yolo_is_told_by_its_line(line, told):
    data = packed(
        **{"a.png": picture(), "a.txt": line.encode(), "classes.txt": b"Cat\n", "notes.json": b"{}"}
    )
    rows = read_all("boxes", data)
    if told == "pictures":  # no boxes at all: a note, which is passed over
        assert [row.given for row in rows] == [()]
    else:
        assert told in problems(rows)[0].message


def test_outlines_and_other_peoples_words_are_kept_apart():
    lines = [
        {"image": "a.png", "width": 8, "height": 4, "answer": "accept", "spans": [{"type": "polygon"}]},
        {"image": "b.png", "width": 8, "height": 4, "answer": "reject", "spans": []},
    ]  # fmt: skip
    told = "\n".join(map(json.dumps, lines)).encode()
    rows = read_all("boxes", packed(**{"a.png": picture(), "b.png": picture(), "t.jsonl": told}))
    assert [problem.message for problem in problems(rows)] == [
        "t.jsonl, line 1: Span 1 is no rectangle."
    ]
    assert [row.given for row in rows if row not in problems(rows)] == [()]


def test_drafts_of_argilla_are_passed_over_and_suggestions_are_predictions():
    value = [
        {"value": "Refund", "user_id": "ana"},
        {"value": "Other", "user_id": "ben", "status": "draft"},
    ]
    record = {
        "id": "7",
        "fields": {"text": "Where?"},
        "metadata": {"source": "mail"},
        "responses": {"topic": value},
        "suggestions": {"topic": {"value": "Refund", "score": 0.5, "agent": "m1"}},
    }
    (row,) = read("argilla", json.dumps([record]).encode())
    assert row.fields == {"id": "7", "text": "Where?", "source": "mail"}
    assert [(one.labels, one.voice, one.kind, one.score) for one in row.given] == [
        (("Refund",), "ana", "answer", None),
        (("Refund",), "m1", "prediction", 0.5),
    ]
    flat = {"text": "Where?", "topic.responses": ["Refund", "Other", "Other"],
            "topic.responses.users": ["ana", "ben", "cem"],
            "topic.responses.status": ["submitted", "discarded", "submitted"]}  # fmt: skip
    ((*_, _),) = understood(KINDS["single"], read("jsonl", json.dumps(flat).encode()))
    (row,) = read("jsonl", json.dumps(flat).encode())
    item = mapped(row, Mapping(text="text", label="topic.responses"))
    assert [(one.labels, one.voice) for one in item.given] == [
        (("Refund",), "ana"),
        (("Other",), "cem"),
    ]


def test_the_better_side_is_called_as_a_project_of_preferences_calls_it():
    assert list(SELECTED.values()) == [name for name, *_ in TASKS["preference"].begins_with[:2]]


@pytest.mark.parametrize(
    "name", ["single", "multi", "hierarchy", "preference", "spans", "ranking", "text"]
)
@pytest.mark.parametrize("format", ["label-studio", "argilla"])
def test_the_type_of_answers_that_a_file_holds_is_proposed(format, name):
    kind = KINDS[name]
    if (format, name) == ("argilla", "text"):  # there a text looks as a label's name does
        name = "single"
    told = preview(io.BytesIO(written(format, kind, rows_of(kind, 30))), "file.json")
    assert (told.format, task_type_of(told)) == (format, name)


def test_what_is_known_of_a_record_does_not_take_the_place_of_its_text():
    record = {"id": "7", "fields": {"text": "Hello"}, "metadata": {"text": "9", "id": "8"}}
    (row,) = read("argilla", json.dumps([record]).encode())
    assert row.fields == {"text": "Hello", "id": "7"}


@pytest.mark.parametrize(
    ("number", "label"), [(1234567, "1234567"), (3.0, "3"), (0.1234567, "0.1234567")]
)
def test_a_number_keeps_all_its_digits(number, label):
    part = {"from_name": "n", "to_name": "text", "type": "number", "value": {"number": number}}
    task = {"data": {"text": "Hello"}, "annotations": [{"result": [part]}]}
    (row,) = read("label-studio", json.dumps([task]).encode())
    assert row.given[0].labels == (label,)


JUNK = (None, True, -1, 3.5, "", b"x", [], [1], {}, {"a": 1}, [[]], "A" * 300, [None])


def changed(rng, value):
    """The value with some of its parts left out, or with others in their place."""
    if rng.random() < 0.15:
        return rng.choice(JUNK)
    if isinstance(value, dict):
        return {name: changed(rng, one) for name, one in value.items() if rng.random() > 0.05}
    if isinstance(value, list):
        return [changed(rng, one) if rng.random() < 0.3 else one for one in value]
    return value[: rng.randrange(len(value) + 1)] if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", ["single", "spans"])
def test_a_docbin_whose_parts_were_changed_is_read_or_refused(name):
    kind, rng = KINDS[name], random.Random(7)
    told = unpacked(zlib.decompress(written("docbin", kind, rows_of(kind, 4))))
    refused = 0
    for _ in range(300):
        name = rng.choice(list(told))
        data = zlib.compress(msgpacked(told | {name: changed(rng, told[name])}))
        try:
            read_all("docbin", data)
        except FormatError:
            refused += 1
    assert 0 < refused < 300


@pytest.mark.parametrize("format", ["argilla", "label-studio", "marks"])
def test_a_list_whose_parts_were_changed_is_read_or_told_row_by_row(format):
    rng = random.Random(7)
    kind = KINDS["boxes" if format == "marks" else "single"]
    told = json.loads(
        written("label-studio" if format == "marks" else format, kind, rows_of(kind, 3))
    )
    for _ in range(300):
        rows = json.dumps([changed(rng, one) for one in told], default=str).encode()
        assert len(read_all(format, rows)) >= 3


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (5, "has to be a list of objects"),
        ([{"type": "pairwise", "value": {"selected": ["left"]}}], "of type 'pairwise' is not read"),
        (
            [{"type": "labels", "value": {"start": -2, "end": -1, "labels": ["A"], "text": "l"}}],
            "does not read",
        ),
    ],
)
def test_an_answer_that_is_none_is_a_bad_row(result, message):
    task = {"data": {"text": "Hello"}, "annotations": [{"result": result}]}
    data = io.BytesIO(json.dumps([task]).encode())
    (problem,) = FORMATS.create("label-studio").read(data)
    assert message in problem.message


def test_a_grade_of_argilla_is_called_the_same_as_a_whole_number():
    record = {"fields": {"text": "Hello"}, "responses": {"grade": [{"value": 4.0}]}}
    (row,) = read("argilla", json.dumps([record]).encode())
    assert row.given[0].labels == ("4",)
