"""YOLO's files: the boxes of each image in a text of its name, and one file with the names of the classes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO, ClassVar

import yaml

from annotator.formats.archive import member
from annotator.formats.boxes import Place
from annotator.formats.images import ImageError, member_bytes
from annotator.formats.records import Limits, RowError, fault_in_text
from annotator.formats.writing import Field

LISTS = ("data.yaml", "data.yml", "classes.txt", "obj.names", "_darknet.labels")
# What Label Studio puts beside a YOLO export, and says with classes.txt already.
NOTES = "notes.json"
_CLASSES_BYTES = 1 << 20
_COLUMNS = 5


@dataclass(frozen=True, kw_only=True)
class Yolo:
    """A text for each image (`class x_center y_center width height`, shares of the image), a list of the images
    and `data.yaml` with the classes, as one zip whose members an export lays beside its images. Source:
    Ultralytics, "Object detection datasets".

    Only images with a verdict are listed: one without boxes says that there is nothing in it.

    labels: the project's, whose places are the classes; split: the part that is written, of `splits`.
    """

    shapes: ClassVar[tuple[str, ...]] = ("boxes",)
    item_kinds: ClassVar[tuple[str, ...]] = ("image",)
    # It is read from a zip with its images.
    exact: ClassVar[bool] = False
    spread: ClassVar[bool] = True

    labels: list[str] = field(default_factory=list)
    split: str = ""
    splits: list[str] = field(default_factory=list)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write the zip of all records that have a verdict; give their number."""
        numbers = {name: place for place, name in enumerate(self.labels)}
        images: dict[str, None] = {}
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for record in records:
                image, boxes = record["image"], record.get("boxes")
                if boxes is None or not image or image in images:
                    continue
                images[image] = None
                lines = "".join(_line(numbers, box) for box in boxes)
                name = f"labels/{PurePosixPath(image).with_suffix('.txt')}"
                archive.writestr(member(name), lines)
            listed = "".join(f"./images/{image}\n" for image in images)
            archive.writestr(member(f"{self.split or 'train'}.txt"), listed)
            archive.writestr(member(LISTS[0]), self._about(list(numbers)))
        return len(images)

    def _about(self, names: list[str]) -> str:
        """Which lists the parts are, and the classes; YOLO wants the first two parts, whatever splits there are."""
        first = self.splits[0] if self.splits else "train"
        held_out = "validation" if "validation" in self.splits else first
        parts = {"train": f"{first}.txt", "val": f"{held_out}.txt"}
        parts |= {"test": "test.txt"} if "test" in self.splits else {}
        told = {"path": ".", **parts, "names": dict(enumerate(names))}
        return yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=math.inf)


def _line(numbers: dict[str, int], box: Mapping[str, Any]) -> str:
    number = numbers.setdefault(box["label"], len(numbers))
    x, y = box["x"] + box["w"] / 2, box["y"] + box["h"] / 2
    return f"{number} {x:.6f} {y:.6f} {box['w']:.6f} {box['h']:.6f}\n"


def classes_of(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], limits: Limits
) -> list[str] | None:
    """The names of the classes that a file of the zip gives, None where there is none.

    Raises RowError for one that cannot be read.
    """
    by_name = {PurePosixPath(one.filename).name: one for one in reversed(members)}
    member = next((by_name[name] for name in LISTS if name in by_name), None)
    if member is None:
        return None
    found = member.filename
    try:
        data = member_bytes(archive, member, replace(limits, image_bytes=_CLASSES_BYTES))
        classes = _named(data, found)
    except (ImageError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RowError([("classes", f"{found[:200]} cannot be read.")]) from error
    if not classes or any(not name or fault_in_text(name) for name in classes):
        raise RowError([("classes", f"{found[:200]} does not name the classes.")])
    return classes


def _named(data: bytes, name: str) -> list[str] | None:
    text = data.decode("utf-8-sig")
    if not name.endswith((".yaml", ".yml")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    # Read as nodes, which are texts, lists and pairs: as values a class called `no` would be false, a date that is
    # none an error, and what `<<` merges copied until the memory is full.
    return _names_in(yaml.compose(text, Loader=yaml.SafeLoader))


def _names_in(root: yaml.Node | None) -> list[str] | None:
    """The texts below `names`, a list or numbered from 0; None where there are none."""
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    names = next((value for key, value in pairs if key.value == "names"), None)
    found = names.value if isinstance(names, yaml.SequenceNode) else []
    if isinstance(names, yaml.MappingNode):
        numbered = {str(key.value): value for key, value in names.value}
        found = [numbered.get(str(at)) for at in range(len(numbered))]
    if not all(isinstance(one, yaml.ScalarNode) for one in found):
        return None
    return [one.value.strip() for one in found]


def looks_so(text: str) -> bool:
    """Say whether a text holds boxes, or nothing at all, and not a list of files or a note."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    parts = first.split()
    return not first or (len(parts) >= _COLUMNS and parts[0].isdigit() and _are_numbers(parts))


def places_of(text: str, classes: Sequence[str]) -> list[Place]:
    """The boxes of an image. Raises RowError naming the first line that holds none."""
    found = []
    for at, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        if not _are_numbers(parts) or not parts[0].isdigit():
            raise RowError([("boxes", f"Line {at} needs a class and four numbers.")])
        if len(parts) not in (_COLUMNS, _COLUMNS + 1):
            raise RowError(
                [("boxes", f"Line {at} holds an outline; only upright boxes are taken.")]
            )
        if int(parts[0]) >= len(classes):
            told = f"Line {at} has class {parts[0]}, and {len(classes):,} are named."
            raise RowError([("label", told)])
        x, y, w, h = map(float, parts[1:_COLUMNS])
        found.append((x - w / 2, y - h / 2, w, h, classes[int(parts[0])]))
    return found


def image_of(name: str) -> str:
    """What the picture of a file of boxes is called, but for its ending: `labels/a/1.txt` → `images/a/1`."""
    path = PurePosixPath(name).with_suffix("")
    parts = list(path.parts)
    if "labels" in parts:
        parts[len(parts) - 1 - parts[::-1].index("labels")] = "images"
    return str(PurePosixPath(*parts))


def _are_numbers(parts: Sequence[str]) -> bool:
    try:
        return all(abs(float(part)) < 1e9 for part in parts)  # NaN is not below it either
    except ValueError:
        return False
