"""Files that name pictures and what is in them: COCO's and Label Studio's JSON; JSONL of ours, doccano and Prodigy."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from annotator.formats.boxes import SIDES, Place
from annotator.formats.json_text import decoded
from annotator.formats.label_studio import labels_of, voice_of
from annotator.formats.records import Given, Limits, RowError, fault_in_text, fault_in_value

EXTENSIONS = (".json", ".jsonl")
_SIZED = ("x", "y", "width", "height")
# What Label Studio puts before the name of an uploaded file.
_UPLOADED = re.compile(r"^[0-9a-f]{8}(?:-|__)")


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """What a file says of one picture, '' where it names none. With faults its answers are not taken.

    size: width and height in pixels, where boxes are told in pixels. absolute: sides are in pixels, and
    the file does not tell of how many.
    """

    image: str
    size: tuple[float, float] | None = None
    absolute: bool = False
    given: tuple[Given, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()


def names_of(told: str, folder: PurePosixPath) -> list[str]:
    """What a picture may be called that a file in this folder names: by its path from there, its path,
    its name, and that before an upload. Behind `?d=` stands a path in Label Studio's own storage."""
    path = told.rsplit("?d=", 1)[-1]
    name = PurePosixPath(path).name
    return [str(folder / told), told, path, name, _UPLOADED.sub("", name)]


def read_boxes(name: str, text: str, limits: Limits) -> Iterator[Boxed]:
    """What a file says of each picture. Raises RowError where it is none of the three."""
    if name.lower().endswith(".jsonl"):
        lines = enumerate(text.split("\n"), 1)
        for at, line in lines:
            if line.strip():
                yield read_line(f"{name}, line {at}", line, limits)
        return
    value = decoded(text, limits)
    if isinstance(value, list):
        for at, task in enumerate(value, 1):
            yield _row(f"{name}, task {at}", task, _task, limits)
    elif isinstance(value, dict) and {"images", "annotations", "categories"} <= set(value):
        yield from _coco(name, value, limits)
    else:
        told = f"{name} is neither COCO's object of images, annotations and categories nor a list of tasks."
        raise RowError([("boxes", told)])


def read_line(where: str, line: str, limits: Limits) -> Boxed:
    """What a line says of its picture, also one that is no JSON: those after it are read all the same."""
    try:
        value = decoded(line, limits)
    except RowError as error:
        return Boxed(image="", faults=tuple(at_row(where, error).faults))
    return _row(where, value, _line, limits)


def _row(
    where: str, value: Any, read: Callable[[str, dict[str, Any]], Boxed], limits: Limits
) -> Boxed:
    """One row of a file that has a row for each picture."""
    image = ""
    try:
        if fault := fault_in_value(value, limits):
            raise RowError([("", fault)])
        image = _image(value)
        return read(image, value)
    except RowError as error:
        return Boxed(image=image, faults=tuple(at_row(where, error).faults))


def _image(value: Any) -> str:
    data = value.get("data", value) if isinstance(value, dict) else {}
    names = ("image", "filename", "file_name")
    known = data if isinstance(data, dict) else {}
    image = next((known[name] for name in names if known.get(name)), None)
    if not isinstance(image, str):
        raise RowError([("image", "The row needs an 'image': the picture's name in the zip.")])
    return image


def _line(image: str, row: dict[str, Any]) -> Boxed:
    """A line of doccano (`bbox`), of Prodigy (`spans`), or of ours (`boxes`, `label`, `labels`)."""
    if "bbox" in row:
        boxes = [_place(one, _SIZED, 1, 1, at) for at, one in _numbered(row, "bbox")]
        return Boxed(image=image, given=(given(boxes),), absolute=True)
    if "spans" in row:
        return _prodigy(image, row)
    if row.get("boxes") is not None:
        boxes = [_place(one, SIDES, 1, 1, at) for at, one in _numbered(row, "boxes")]
        return Boxed(image=image, given=(given(boxes),))
    labels = row.get("labels", row.get("accept", row.get("label")))
    names = [labels] if isinstance(labels, str) else labels
    if "boxes" in row or not names or not isinstance(names, list):
        return Boxed(image=image)
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise RowError([("label", "A name of a label, or a list of names, was expected here.")])
    return Boxed(image=image, given=(Given(tuple(dict.fromkeys(names))),))


def _prodigy(image: str, row: dict[str, Any]) -> Boxed:
    """Marked rectangles; what was rejected or ignored is no answer."""
    if row.get("answer") != "accept":
        return Boxed(image=image)
    wide, high = row.get("width"), row.get("height")
    if not (is_number(wide) and is_number(high) and min(wide, high) > 0):
        raise RowError([("width", "The image has no 'width' and 'height'.")])
    marked = _numbered(row, "spans")
    outline = next((at for at, one in marked if one.get("type", "rect") != "rect"), None)
    if outline is not None:
        raise RowError([("spans", f"Span {outline} is no rectangle.")])
    boxes = [_place(one, _SIZED, wide, high, at) for at, one in marked]
    return Boxed(image=image, size=(wide, high), given=(given(boxes),))


def _task(image: str, task: dict[str, Any]) -> Boxed:
    """The answers of a Label Studio task; predictions are passed over."""
    answers = [one for _, one in _numbered(task, "annotations") if not one.get("was_cancelled")]
    return Boxed(image=image, given=tuple(map(_annotation, answers)))


def _annotation(answer: dict[str, Any]) -> Given:
    parts, voice = _numbered(answer, "result"), voice_of(answer, "annotation")
    if any(part.get("type") in ("choices", "taxonomy", "rating") for _, part in parts):
        labels = [name for _, part in parts for name in labels_of(part, "result")]
        return Given(tuple(dict.fromkeys(labels)), voice=voice)
    return given([_rectangle(part, at) for at, part in parts], voice)


def _rectangle(part: dict[str, Any], at: int) -> Place:
    value = part.get("value")
    if part.get("type") != "rectanglelabels" or not isinstance(value, dict):
        raise RowError([("result", f"Region {at} is no box ('rectanglelabels').")])
    if value.get("rotation"):
        raise RowError([("rotation", f"Box {at} is turned; only upright boxes are taken.")])
    labels = value.get("rectanglelabels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise RowError([("rectanglelabels", f"Box {at} needs one label.")])
    return _place(value | {"label": labels[0]}, _SIZED, 100, 100, at)


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
                faults += at_row(name, error).faults
        answers = () if faults else (given(found),)
        size = (image["width"], image["height"]) if found else None
        yield Boxed(image=path, size=size, given=answers, faults=tuple(faults))
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
    if not (is_number(wide) and is_number(high) and min(wide, high) > 0):
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
    if not all(map(is_number, sides)):
        raise RowError([(names[0], f"Box {at} needs numbers as {', '.join(names)}.")])
    label = one.get("label")
    if not isinstance(label, str) or not label.strip() or fault_in_text(label):
        raise RowError([("label", f"Box {at} has no label.")])
    x, y, w, h = sides
    return x / wide, y / high, w / wide, h / high, label.strip()


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number that a picture's side can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def given(boxes: list[Place], voice: str = "") -> Given:
    """The answer that these boxes are."""
    labels = tuple(dict.fromkeys(label for *_, label in boxes))
    return Given(labels, voice=voice, boxes=tuple(dict.fromkeys(boxes)))


def called(path: PurePosixPath) -> set[str]:
    """What files may call the picture of this path: by its path or its name, with or without the ending."""
    if not path.name:  # a zip may have a member that is called "./"
        return set()
    return {str(path), path.name, str(path.with_suffix("")), path.stem}


def _numbered(value: dict[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    found = value.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RowError([(name, f"'{name}' has to be a list of objects.")])
    return list(enumerate(found, 1))


def at_row(where: str, error: RowError) -> RowError:
    """The same faults, each with the place where it stands."""
    return RowError([(column, f"{where}: {told}") for column, told in error.faults])
