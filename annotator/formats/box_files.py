"""Files that name pictures and the boxes in them: COCO, Label Studio's JSON, and our own JSONL."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from annotator.formats.boxes import SIDES, Place
from annotator.formats.json_text import decoded
from annotator.formats.label_studio import voice_of
from annotator.formats.records import Given, Limits, RowError, fault_in_text

EXTENSIONS = (".json", ".jsonl")
_PERCENT = ("x", "y", "width", "height")
# What Label Studio puts before the name of an uploaded file.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """What a file says of one picture, '' where it names none. With faults its answers are not taken.

    size: width and height in pixels, where boxes are told in pixels.
    """

    image: str
    size: tuple[float, float] | None = None
    given: tuple[Given, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()


def names_of(told: str, folder: PurePosixPath) -> list[str]:
    """What a picture may be called that a file in this folder names: by its path from there, its path,
    its name, and that before an upload."""
    name = PurePosixPath(told.rsplit("?d=", 1)[-1]).name
    return [str(folder / told), told, name, _UPLOADED.sub("", name)]


def read_boxes(name: str, text: str, limits: Limits) -> Iterator[Boxed]:
    """What a file says of each picture. Raises RowError where it is none of the three."""
    if name.lower().endswith(".jsonl"):
        lines = enumerate(text.split("\n"), 1)
        rows = ((at, line) for at, line in lines if line.strip())
        yield from (_row(f"{name}, line {at}", decoded(line, limits), _own) for at, line in rows)
        return
    value = decoded(text, limits)
    if isinstance(value, list):
        for at, task in enumerate(value, 1):
            yield _row(f"{name}, task {at}", task, _task)
    elif isinstance(value, dict) and {"images", "annotations", "categories"} <= set(value):
        yield from _coco(name, value, limits)
    else:
        told = f"{name} is neither COCO's object of images, annotations and categories nor a list of tasks."
        raise RowError([("boxes", told)])


def _row(where: str, value: Any, read: Callable[[dict[str, Any]], tuple[Given, ...]]) -> Boxed:
    """One row of a file that has a row for each picture."""
    image = ""
    try:
        image = _image(value)
        return Boxed(image=image, given=read(value))
    except RowError as error:
        return Boxed(image=image, faults=tuple(_at(where, error).faults))


def _image(value: Any) -> str:
    data = value.get("data", value) if isinstance(value, dict) else {}
    image = data.get("image") if isinstance(data, dict) else None
    if not isinstance(image, str) or not image:
        raise RowError([("image", "The row needs an 'image': the picture's name in the zip.")])
    return image


def _own(row: dict[str, Any]) -> tuple[Given, ...]:
    if row.get("boxes") is None:
        return ()
    return (_given([_place(one, SIDES, 1, 1, at) for at, one in _numbered(row, "boxes")]),)


def _task(task: dict[str, Any]) -> tuple[Given, ...]:
    """The answers of a Label Studio task; predictions are passed over."""
    answers = [one for _, one in _numbered(task, "annotations") if not one.get("was_cancelled")]
    return tuple(
        _given(
            [_rectangle(part, at) for at, part in _numbered(one, "result")],
            voice_of(one, "annotation"),
        )
        for one in answers
    )


def _rectangle(part: dict[str, Any], at: int) -> Place:
    value = part.get("value")
    if part.get("type") != "rectanglelabels" or not isinstance(value, dict):
        raise RowError([("result", f"Region {at} is no box ('rectanglelabels').")])
    if value.get("rotation"):
        raise RowError([("rotation", f"Box {at} is turned; only upright boxes are taken.")])
    labels = value.get("rectanglelabels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise RowError([("rectanglelabels", f"Box {at} needs one label.")])
    return _place(value | {"label": labels[0]}, _PERCENT, 100, 100, at)


def _coco(name: str, value: dict[str, Any], limits: Limits) -> Iterator[Boxed]:
    """A picture of COCO with its boxes; one without any says that there is nothing in it."""
    categories = {str(one.get("id")): one.get("name") for _, one in _numbered(value, "categories")}
    _check_ids(name, [image.get("id") for _, image in _numbered(value, "images")])
    boxes: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for at, one in _numbered(value, "annotations"):
        boxes[str(one.get("image_id"))].append((at, one))
    for at, image in _numbered(value, "images"):
        path = image.get("file_name")
        if not isinstance(path, str) or not path or fault_in_text(path, limits):
            raise RowError([("file_name", f"{name}, image {at} needs a 'file_name'.")])
        found, faults = [], []
        for number, one in boxes.pop(str(image.get("id")), ()):
            try:
                found.append(_in_pixels(one, image, categories, number))
            except RowError as error:
                faults += _at(name, error).faults
        given = () if faults else (_given(found),)
        size = (image["width"], image["height"]) if found else None
        yield Boxed(image=path, size=size, given=given, faults=tuple(faults))
    for lost in boxes.values():
        told = f"{name}, annotation {lost[0][0]} is of an image that the file does not list."
        raise RowError([("image_id", told)])


def _check_ids(name: str, ids: list[Any]) -> None:
    if None in ids or len(set(map(str, ids))) < len(ids):
        raise RowError([("id", f"{name}: every image needs an 'id' of its own.")])


def _in_pixels(
    one: dict[str, Any], image: dict[str, Any], categories: dict[str, Any], at: int
) -> Place:
    bbox, wide, high = one.get("bbox"), image.get("width"), image.get("height")
    if not (_is_number(wide) and _is_number(high) and min(wide, high) > 0):
        raise RowError([("width", "The image has no 'width' and 'height'.")])
    if not isinstance(bbox, list) or len(bbox) != len(SIDES):
        raise RowError([("bbox", f"Box {at} needs a 'bbox' of four numbers.")])
    box = dict(zip(SIDES, bbox, strict=True)) | {
        "label": categories.get(str(one.get("category_id")))
    }
    return _place(box, SIDES, wide, high, at)


def _place(one: dict[str, Any], names: tuple[str, ...], wide: float, high: float, at: int) -> Place:
    """A box with its sides as shares of the picture, which is `wide` and `high` in their unit."""
    sides: list[Any] = [one.get(name) for name in names]
    if not all(map(_is_number, sides)):
        raise RowError([(names[0], f"Box {at} needs numbers as {', '.join(names)}.")])
    label = one.get("label")
    if not isinstance(label, str) or not label.strip() or fault_in_text(label):
        raise RowError([("label", f"Box {at} has no label.")])
    x, y, w, h = sides
    return x / wide, y / high, w / wide, h / high, label.strip()


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _given(boxes: list[Place], voice: str = "") -> Given:
    labels = tuple(dict.fromkeys(label for *_, label in boxes))
    return Given(labels, voice=voice, boxes=tuple(dict.fromkeys(boxes)))


def _numbered(value: dict[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    found = value.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RowError([(name, f"'{name}' has to be a list of objects.")])
    return list(enumerate(found, 1))


def _at(where: str, error: RowError) -> RowError:
    return RowError([(column, f"{where}: {told}") for column, told in error.faults])
