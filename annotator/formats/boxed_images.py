"""A zip of images together with files that name the boxes in them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from annotator.formats.box_files import EXTENSIONS, Boxed, names_of, read_boxes
from annotator.formats.images import ImageError, ZipOfImages, member_bytes
from annotator.formats.records import Problem, Record, RowError, Rows

# Of our own exports: it names files and no pictures.
_MANIFEST = "manifest.json"


def is_box_file(name: str) -> bool:
    """Whether a member of a zip is read as one that names boxes."""
    path = PurePosixPath(name)
    own = not name.startswith("__MACOSX/") and path.name != _MANIFEST
    return own and path.suffix.lower() in EXTENSIONS


@dataclass(frozen=True, kw_only=True)
class BoxedImages(ZipOfImages):
    """A zip of images with COCO's JSON, Label Studio's JSON, or JSONL of our own beside them.

    Pictures are found by their path in the zip, else by their name alone. One that no file names comes
    without an answer. Sources: Lin et al. 2014; Label Studio's task format.
    """

    def _rows(self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Rows:
        told: dict[str, tuple[int, Boxed]] = {}
        pictures = {
            name
            for member in members
            if not is_box_file(member.filename)
            for name in names_of(member.filename)
        }
        for row, member in enumerate(members, start=1):
            if is_box_file(member.filename):
                yield from self._told(archive, row, member, pictures, told)
        rest = [_passed(member) for member in members]
        for one in super()._rows(archive, rest):
            yield from _with_boxes(one, told)

    def _told(
        self,
        archive: zipfile.ZipFile,
        row: int,
        member: zipfile.ZipInfo,
        pictures: set[str],
        told: dict[str, tuple[int, Boxed]],
    ) -> Rows:
        """Gather what a file says of the pictures; a picture that is not in the zip is a bad row."""
        try:
            text = member_bytes(archive, member, self.limits).decode("utf-8-sig")
            for boxed in read_boxes(member.filename, text, self.limits):
                if not boxed.image:
                    yield from RowError(list(boxed.faults)).problems(row)
                    continue
                known = next((name for name in names_of(boxed.image) if name in pictures), None)
                if known is None:
                    message = f"{member.filename}: {boxed.image[:200]} is not in the zip."
                    yield Problem(row, "image", message)
                elif known in told:
                    message = f"{member.filename}: {boxed.image[:200]} is named twice."
                    doubled = replace(boxed, given=(), faults=(("image", message),))
                    told[known] = row, doubled
                else:
                    told[known] = row, boxed
        except RowError as error:
            yield from error.problems(row)
        except (ImageError, UnicodeDecodeError) as error:
            reason = "It is no UTF-8." if isinstance(error, UnicodeDecodeError) else str(error)
            yield Problem(row, "boxes", f"{member.filename[:200]}: {reason}")


def _passed(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member, or a folder in its place where it is no picture, so that rows keep their numbers."""
    is_other = is_box_file(member.filename) or PurePosixPath(member.filename).name == _MANIFEST
    return zipfile.ZipInfo("told/") if is_other else member


def _with_boxes(one: Record | Problem, told: dict[str, tuple[int, Boxed]]) -> Rows:
    if isinstance(one, Problem):
        yield one
        return
    found = next((told[name] for name in names_of(one.fields["image"]) if name in told), None)
    if found is None:
        yield one
    elif found[1].faults:
        for column, message in found[1].faults:
            yield Problem(one.row, column, message)
    else:
        one.given = found[1].given
        yield one
