"""A zip of images together with files that name the boxes in them."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from PIL import Image

from annotator.formats.box_files import EXTENSIONS, Boxed, names_of, read_boxes
from annotator.formats.images import ImageError, ZipOfImages, member_bytes
from annotator.formats.records import FormatError, Problem, Record, RowError, Rows

# Of our own exports: it names files and no pictures.
_MANIFEST = "manifest.json"
# The files that name boxes may have so many bytes together, as a multiple of the limit of one.
_FILES_TOGETHER = 4
# Width by height may differ by so much from the picture's, for rounding.
_ASPECT = 0.02


def is_box_file(name: str) -> bool:
    """Whether a member of a zip is read as one that names boxes."""
    path = PurePosixPath(name)
    own = not name.startswith("__MACOSX/") and path.name != _MANIFEST
    return own and path.suffix.lower() in EXTENSIONS


@dataclass(frozen=True, kw_only=True)
class BoxedImages(ZipOfImages):
    """A zip of images with COCO's JSON, Label Studio's JSON, or JSONL of our own beside them.

    Pictures are found by their path, else by their name alone. One that no file names comes without an
    answer; what files say of pictures that are not there is told last. Sources: Lin et al. 2014; Label Studio's task format.
    """

    def _rows(self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Rows:
        files = [(row, each) for row, each in enumerate(members, 1) if is_box_file(each.filename)]
        if sum(each.file_size for _, each in files) > _FILES_TOGETHER * self.limits.image_bytes:
            raise FormatError(
                "The files that name boxes are too large together; import it in parts."
            )
        pictures = _by_name(members)
        told: dict[str, Boxed] = {}
        lost: list[Record | Problem] = []
        for row, member in files:
            lost += self._told(archive, row, member, pictures, told)
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
    ) -> Rows:
        """Gather what a file says of the pictures; a picture that is not in the zip is a bad row."""
        folder = PurePosixPath(member.filename).parent
        try:
            text = member_bytes(archive, member, self.limits).decode("utf-8-sig")
            for boxed in read_boxes(member.filename, text, self.limits):
                if not boxed.image:
                    yield from RowError(list(boxed.faults)).problems(row)
                    continue
                names = names_of(boxed.image, folder)
                meant = next((pictures[name] for name in names if name in pictures), set())
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


def _passed(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member, or a folder in its place where it is no picture, so that rows keep their numbers."""
    is_other = is_box_file(member.filename) or PurePosixPath(member.filename).name == _MANIFEST
    return zipfile.ZipInfo("told/") if is_other else member


def _by_name(members: list[zipfile.ZipInfo]) -> dict[str, set[str]]:
    """The pictures' paths by what files may call them: by path, or by name alone."""
    found: dict[str, set[str]] = defaultdict(set)
    for member in members:
        if not is_box_file(member.filename):
            for name in (member.filename, PurePosixPath(member.filename).name):
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
        one.given = found.given if found else one.given
        yield one


def _misfit(one: Record, boxed: Boxed) -> Iterator[tuple[str, str]]:
    """Pixels of another picture, or of this one before it was turned upright, would be elsewhere."""
    if boxed.size is None or not one.image:
        return
    wide, high = Image.open(io.BytesIO(one.image)).size  # reads the header alone
    w, h = boxed.size
    if abs(wide * h - high * w) > _ASPECT * high * w:
        yield "width", f"Its boxes are for {w:g} × {h:g} pixels; upright, it has {wide} × {high}."
