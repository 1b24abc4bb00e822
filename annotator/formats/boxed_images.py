"""A zip of images together with files that name the labels of them, or the boxes in them."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from PIL import Image

from annotator.formats import yolo
from annotator.formats.box_files import (
    EXTENSIONS,
    Boxed,
    at_row,
    called,
    given,
    names_of,
    read_boxes,
)
from annotator.formats.guard import MOST_PROBLEMS
from annotator.formats.images import ImageError, ZipOfImages, member_bytes
from annotator.formats.records import FormatError, Given, Limits, Problem, Record, RowError, Rows

# Of our own exports: it names files and no pictures.
_MANIFEST = "manifest.json"
_TEXT = ".txt"
# What stands beside pictures in such zips and is none.
_NEVER = (_TEXT, ".yaml", ".yml", ".md", ".cache")
# The files that name boxes may have so many bytes together, as a multiple of the limit of one.
_FILES_TOGETHER = 4
# Width by height may differ by so much from the picture's, for rounding.
_ASPECT = 0.02


def is_box_file(name: str) -> bool:
    """Whether a member of a zip is one that names boxes, or their classes."""
    path = PurePosixPath(name)
    own = not name.startswith("__MACOSX/") and path.name != _MANIFEST
    return own and (path.suffix.lower() in EXTENSIONS or path.name in yolo.LISTS)


@dataclass(frozen=True, kw_only=True)
class BoxedImages(ZipOfImages):
    """A zip of images with files beside them that name what is in them.

    They are COCO's JSON, Label Studio's JSON, YOLO's texts, or JSONL of ours, doccano or Prodigy.

    Pictures are found by their path, else by their name alone. One that no file names comes without an
    answer; what files say of pictures that are not there is told last. Sources: Lin et al. 2014; Label Studio's task format.
    """

    def _rows(self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Rows:
        try:
            classes = yolo.classes_of(archive, members, self.limits)
        except RowError as error:
            raise FormatError(error.faults[0][1]) from error
        files = [(row, each) for row, each in enumerate(members, 1) if _names_boxes(each, classes)]
        if sum(each.file_size for _, each in files) > _FILES_TOGETHER * self.limits.image_bytes:
            raise FormatError(
                "The files that name boxes are too large together; import it in parts."
            )
        pictures = _by_name(members)
        told: dict[str, Boxed] = {}
        lost: list[Record | Problem] = []
        for row, member in files:
            for one in self._told(archive, row, member, pictures, told, classes):
                lost.append(one)
                _check_lost(lost, pictures)
        for one in super()._rows(archive, [_passed(member) for member in members]):
            yield from _with_boxes(one, told)
        yield from lost

    def _told(
        self,
        archive: zipfile.ZipFile,
        row: int,
        member: zipfile.ZipInfo,
        pictures: dict[str, set[str]],
        told: dict[str, Boxed],
        classes: list[str] | None,
    ) -> Rows:
        """Gather what a file says of the pictures; a picture that is not in the zip is a bad row."""
        folder = PurePosixPath(member.filename).parent
        try:
            text = self._text(archive, member)
            for boxed in _read(member.filename, text, classes, self.limits):
                if not boxed.image:
                    yield from RowError(list(boxed.faults)).problems(row)
                    continue
                names = names_of(boxed.image, folder)
                meant = next((pictures[name] for name in names if name in pictures), set())
                if not meant and not text.strip():
                    continue  # an empty list of images
                if len(meant) != 1:
                    fault = "is the name of several pictures" if meant else "is not in the zip"
                    message = f"{member.filename}: {boxed.image[:200]} {fault}."
                    yield Problem(row, "image", message)
                    continue
                (known,) = meant
                message = f"{member.filename}: {boxed.image[:200]} is named twice."
                doubled = replace(boxed, given=(), faults=(("image", message),))
                told[known] = doubled if known in told else boxed
        except RowError as error:
            yield from error.problems(row)
        except (ImageError, UnicodeDecodeError) as error:
            reason = "It is no UTF-8." if isinstance(error, UnicodeDecodeError) else str(error)
            yield Problem(row, "boxes", f"{member.filename[:200]}: {reason}")

    def _text(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
        most = self.limits.image_bytes
        if member.file_size > most:
            raise ImageError(
                f"The file is larger than {most >> 20} MiB. Part it by images: a zip may hold several "
                "files that name boxes."
            )
        return member_bytes(archive, member, self.limits).decode("utf-8-sig")


def _check_lost(lost: list[Record | Problem], pictures: dict[str, set[str]]) -> None:
    """They are held until the end: a small zip may name a missing picture millions of times."""
    if len(lost) > max(MOST_PROBLEMS, len(pictures)):
        raise FormatError(
            f"{len(lost):,} rows of the files are bad, more than there are images in the zip."
        )


def _names_boxes(member: zipfile.ZipInfo, classes: list[str] | None) -> bool:
    """Whether the member is read as one that names boxes: where classes are named, texts are too."""
    path = PurePosixPath(member.filename)
    if path.name in yolo.LISTS or (classes and path.name == yolo.NOTES):
        return False
    is_text = bool(classes) and path.suffix.lower() == _TEXT
    return is_box_file(member.filename) or (is_text and not path.parts[0].startswith("__"))


def _read(name: str, text: str, classes: list[str] | None, limits: Limits) -> Iterator[Boxed]:
    """What a file says of each picture; nothing where it is a note or a list of files."""
    if not name.lower().endswith(_TEXT):
        yield from read_boxes(name, text, limits)
    elif yolo.looks_so(text):
        image = yolo.image_of(name)
        try:
            yield Boxed(image=image, given=(given(yolo.places_of(text, classes or [])),))
        except RowError as error:
            yield Boxed(image=image, faults=tuple(at_row(name, error).faults))


def _passed(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member, or a folder in its place where it is no picture, so that rows keep their numbers."""
    path = PurePosixPath(member.filename)
    is_other = is_box_file(member.filename) or path.name == _MANIFEST
    is_other = is_other or path.suffix.lower() in _NEVER
    return zipfile.ZipInfo("told/") if is_other else member


def _by_name(members: list[zipfile.ZipInfo]) -> dict[str, set[str]]:
    """The pictures' paths by what files may call them: by path, or by name alone."""
    found: dict[str, set[str]] = defaultdict(set)
    for member in members:
        path = PurePosixPath(member.filename)
        if not is_box_file(member.filename) and path.suffix.lower() not in _NEVER:
            for name in called(path) | {member.filename}:
                found[name].add(member.filename)
    return dict(found)


def _with_boxes(one: Record | Problem, told: dict[str, Boxed]) -> Rows:
    if isinstance(one, Problem):
        yield one
        return
    found = told.get(one.fields["image"])
    faults = [*found.faults, *_misfit(one, found)] if found else []
    for column, message in faults:
        yield Problem(one.row, column, message)
    if not faults:
        one.given = _in_shares(one, found) if found else one.given
        yield one


def _in_shares(one: Record, boxed: Boxed) -> tuple[Given, ...]:
    """The answers with their boxes as shares, where a file gives pixels alone."""
    if not boxed.absolute or not one.image:
        return boxed.given
    wide, high = _size(one.image)
    return tuple(
        each._replace(
            boxes=tuple(
                (x / wide, y / high, w / wide, h / high, name)
                for x, y, w, h, name in each.boxes or ()
            )
        )
        for each in boxed.given
    )


def _size(image: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(image)).size  # reads the header alone


def _misfit(one: Record, boxed: Boxed) -> Iterator[tuple[str, str]]:
    """Pixels of another picture, or of this one before it was turned upright, would be elsewhere."""
    if boxed.size is None or not one.image:
        return
    wide, high = _size(one.image)
    w, h = boxed.size
    if abs(wide * h - high * w) > _ASPECT * high * w:
        yield "width", f"Its boxes are for {w:g} × {h:g} pixels; upright, it has {wide} × {high}."
