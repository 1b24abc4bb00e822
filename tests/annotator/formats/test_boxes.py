"""Boxes in other tools' files: pixels in COCO, percent in Label Studio."""

import io
import json

from annotator.formats import WRITERS, Field
from annotator.formats.boxes import exported

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
