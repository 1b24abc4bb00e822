"""Boxes in other tools' files: pixels in COCO, percent in Label Studio."""

import io
import json
import zipfile

import pytest
import yaml

from annotator.formats import WRITERS, Field, FormatError
from annotator.formats.boxes import exported
from tests.annotator.formats.helpers import problems, read
from tests.annotator.formats.test_images import packed, picture

FIELDS = [
    Field("image"),
    Field("width", "integer"),
    Field("height", "integer"),
    Field("boxes", "json"),
]
VALUE = {
    "boxes": [
        {"x": 0.25, "y": 0.1, "w": 0.5, "h": 0.2, "label": 7},
        {"x": 0.5, "y": 0.5, "w": 0.1, "h": 0.1, "label": 9},
    ]
}
BOXES = exported(VALUE, {7: "Cat", 9: "Dog"})
RECORDS = [
    {"image": "a.png", "width": 800, "height": 400, "boxes": BOXES},
    {"image": "b.png", "width": 10, "height": 10, "boxes": []},
    {"image": "waits.png", "width": 10, "height": 10, "boxes": None},
    {"image": "", "width": None, "height": None, "boxes": BOXES},
]


def written(name, **parameters):
    stream = io.BytesIO()
    rows = [{"id": "", "text": "", "labels": None, **record} for record in RECORDS]
    count = WRITERS.create(name, parameters).write(rows, FIELDS, stream)
    return json.loads(stream.getvalue()), count


def test_coco_holds_pixels_and_leaves_out_what_nobody_decided():
    told, count = written("coco")
    assert count == 2
    assert [each["file_name"] for each in told["images"]] == ["a.png", "b.png"]
    names = {each["id"]: each["name"] for each in told["categories"]}
    assert [(names[one["category_id"]], one["bbox"]) for one in told["annotations"]] == [
        ("Cat", [200, 40, 400, 80]),
        ("Dog", [400, 200, 80, 40]),
    ]
    assert told["annotations"][0]["area"] == 32_000


def test_coco_numbers_categories_by_the_labels_of_the_project():
    told, _ = written("coco", labels=["Bird", "Dog", "Cat"])
    names = [(each["id"], each["name"]) for each in told["categories"]]
    assert names == [(1, "Bird"), (2, "Dog"), (3, "Cat")]
    assert [one["category_id"] for one in told["annotations"]] == [3, 2]


def test_label_studio_holds_percent_and_the_size():
    told, _ = written("label-studio")
    (first, second, waits, redacted) = told
    (cat, _) = first["annotations"][0]["result"]
    assert first["data"]["image"] == "a.png"
    assert (cat["type"], cat["to_name"], cat["original_width"]) == ("rectanglelabels", "image", 800)
    assert cat["value"] == (
        {"x": 25, "y": 10, "width": 50, "height": 20, "rotation": 0, "rectanglelabels": ["Cat"]}
    )
    assert second["annotations"][0]["result"] == []
    assert waits["annotations"] == []
    assert "original_width" not in redacted["annotations"][0]["result"][0]


def zipped(name, told, **more):
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    wide = picture(size=(8, 4))
    return packed(**{"a.png": wide, "images/b.png": picture(), name: text, **more})


def boxes_in(rows):
    found = {row.fields["name"]: [one.boxes for one in row.given] for row in rows}
    return {
        name: [
            [(label, *(round(side, 4) for side in sides)) for *sides, label in one] for one in all
        ]
        for name, all in found.items()
    }


@pytest.mark.parametrize("name", ["coco", "label-studio", "jsonl"])
def test_what_is_written_is_read_beside_the_images(name):
    out = io.BytesIO()
    rows = [{"id": "", "text": "", "labels": None, **record} for record in RECORDS[:2]]
    WRITERS.create(name).write(rows, FIELDS, out)
    data = zipped("told.jsonl" if name == "jsonl" else "told.json", out.getvalue())
    assert boxes_in(read("boxes", data)) == {
        "a.png": [[("Cat", 0.25, 0.1, 0.5, 0.2), ("Dog", 0.5, 0.5, 0.1, 0.1)]],
        "b.png": [[]],
    }


def region(**value):
    value = {"x": 0, "y": 0, "width": 9, "height": 9, "rectanglelabels": ["Cat"]} | value
    return {"type": "rectanglelabels", "value": value}


def task(*regions, image="/data/upload/1/0123abcd-a.png"):
    return {"data": {"image": image}, "annotations": [{"result": list(regions)}]}


@pytest.mark.parametrize(
    ("name", "told", "column", "message"),
    [
        ("t.json", [task(region(rotation=15))], "rotation", "t.json, task 1: Box 1 is turned"),
        ("t.json", [task(region(x="a"))], "x", "t.json, task 1: Box 1 needs numbers"),
        ("t.json", [task({"type": "polygonlabels"})], "result", "Region 1 is no box"),
        ("t.json", [task(image="lost.png")], "image", "t.json: lost.png is not in the zip"),
        ("t.json", [{"data": {}}], "image", "t.json, task 1: The row needs an 'image'"),
        ("t.json", [task(), task()], "image", "is named twice"),
        ("t.json", {"a": 1}, "boxes", "t.json is neither COCO"),
        ("t.json", b"{", "", "not valid JSON"),
        ("t.json", b"\xff", "boxes", "no UTF-8"),
        ("t.jsonl", {"image": "a.png", "boxes": [{"x": 0}]}, "x", "t.jsonl, line 1: Box 1"),
        (
            "t.json",
            {
                "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 4}],
                "categories": [],
                "annotations": [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1]}],
            },
            "label",
            "t.json: Box 1 has no label",
        ),
    ],
)
def test_a_fault_names_the_file_the_row_and_the_field(name, told, column, message):
    (problem,) = problems(read("boxes", zipped(name, told)))
    assert problem.column == column
    assert message in problem.message


def coco(**image):
    image = {"id": 1, "file_name": "a.png", "width": 8, "height": 4} | image
    return {
        "images": [image],
        "categories": [{"id": 3, "name": "Cat"}],
        "annotations": [{"image_id": image["id"], "category_id": "3", "bbox": [0, 0, 2, 2]}],
    }


def test_pixels_of_a_picture_that_lies_on_its_side_are_refused():
    (problem,) = problems(read("boxes", zipped("t.json", coco(width=4, height=8))))
    assert problem.message == "Its boxes are for 4 × 8 pixels; upright, it has 8 × 4."


def test_an_image_without_an_id_of_its_own_is_refused():
    (problem,) = problems(read("boxes", zipped("t.json", coco(id=None))))
    assert "needs an 'id' of its own" in problem.message


def test_a_name_alone_means_the_picture_beside_the_file_and_none_of_several():
    both = {"x/c.png": picture(size=(8, 4)), "y/c.png": picture(size=(8, 4))}
    beside = read("boxes", zipped("y/t.json", coco(file_name="c.png"), **both))
    assert [row.fields["image"] for row in beside if row.given] == ["y/c.png"]
    (problem,) = problems(read("boxes", zipped("t.json", coco(file_name="c.png"), **both)))
    assert "c.png is the name of several pictures" in problem.message


def test_names_that_label_studio_changed_mean_the_picture_that_they_were():
    for name in (
        "/data/upload/1/0123abcd-a.png",
        "images/0123abcd__a.png",
        "/data/local?d=x/a.png",
    ):
        found = [row.given for row in read("boxes", zipped("t.json", [task(region(), image=name)]))]
        assert [bool(given) for given in found] == [True, False]


def test_what_is_said_of_lost_pictures_comes_last():
    rows = list(read("boxes", zipped("t.json", [task(image=f"lost{n}.png") for n in range(20)])))
    assert [row.fields["name"] for row in rows[:2]] == ["a.png", "b.png"]
    assert len(problems(rows)) == 20


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (b'{"data": "a.png"}', "needs an 'image'"),
        (b'{"image": "a\\u0000.png"}', "NUL"),
        (b'{"image": "a.png", "label": "\\ud800"}', "surrogate"),
        (b"{", "line 1: This is not valid JSON"),
    ],
)
def test_a_bad_line_is_a_bad_row_and_those_after_it_are_read(told, message):
    rows = read("boxes", zipped("t.jsonl", told + b'\n{"image": "b.png", "label": "Cat"}'))
    (problem,) = problems(rows)
    assert message in problem.message
    assert [row.given[0].labels for row in rows[:-1] if row.given] == [("Cat",)]


def test_a_path_in_label_studios_storage_tells_pictures_of_one_name_apart():
    both = {"x/c.png": picture(size=(8, 4)), "y/c.png": picture(size=(8, 4))}
    told = [task(region(), image="/data/local-files/?d=y/c.png")]
    rows = read("boxes", zipped("t.json", told, **both))
    assert [row.fields["image"] for row in rows if row.given] == ["y/c.png"]


def test_endless_rows_about_lost_pictures_end_the_reading():
    lines = b'{"image": "lost.png"}\n' * 10_002
    with pytest.raises(FormatError, match="more than there are images"):
        read("boxes", zipped("t.jsonl", lines))


YOLO = b"0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.5 0.5"
MERGED = "a0: &a0 {k0: 1, k1: 2, k2: 3, k3: 4}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "classes",
    [
        "names: [no, 2001-99-99]",
        "names: {0: no, 1: 2001-99-99}",
        "made: !!timestamp soon\nnames: [no, 2001-99-99]",
        f"{MERGED}names: [no, 2001-99-99]",
    ],
)
def test_classes_are_called_what_stands_there(classes):
    data = zipped("a.txt", YOLO, **{"data.yaml": classes.encode(), "./": b"", "NOTE.TXT": b"hello"})
    rows = read("boxes", data)
    assert problems(rows) == []
    assert [row.given[0].labels for row in rows if row.given] == [("no", "2001-99-99")]


def test_classes_keep_their_names_on_the_way_out_and_in():
    names = ["ü 👩\u200d💻", "no", "a: b", "#1", "'\"", "x\u2028y", "1.0", "w" * 200, "two  spaces"]
    boxes = [BOXES[0] | {"label": name} for name in names]
    out = io.BytesIO()
    record = {"image": "a.png", "boxes": boxes}
    WRITERS.create("yolo", {"labels": names}).write([record], FIELDS, out)
    with zipfile.ZipFile(out) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert yaml.safe_load(files["data.yaml"])["names"] == dict(enumerate(names))
    assert "train.txt" in files
    (row,) = read("boxes", packed(**{"images/a.png": picture()}, **files))
    assert row.given[0].labels == tuple(names)


def test_the_parts_of_yolo_are_lists_that_are_there():
    out = io.BytesIO()
    writer = WRITERS.create("yolo", {"split": "test", "splits": ["validation", "test"]})
    writer.write(RECORDS[:1], FIELDS, out)
    with zipfile.ZipFile(out) as archive:
        told = yaml.safe_load(archive.read("data.yaml"))
    lists = {"train": "validation.txt", "val": "validation.txt", "test": "test.txt"}
    assert {part: told.get(part) for part in lists} == lists


def test_classes_numbered_in_part_by_names_are_refused():
    data = zipped("a.txt", YOLO, **{"data.yaml": b"names: {0: Cat, b: Dog}"})
    with pytest.raises(FormatError, match="does not name the classes"):
        read("boxes", data)
