"""A file that names labels of pictures, or boxes in them, without the pictures: these are in the project."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from annotator.formats.box_files import Boxed, called, names_of, read_boxes, read_line
from annotator.formats.records import LIMITS, FormatError, Limits, Problem, Record, RowError, Rows
from annotator.formats.text import BoundedLines, RowTooLongError, head_of, text_of

# The columns: the picture's name, and its size where boxes are told in pixels.
IMAGE, SIZE = "image", ("width", "height")
_COCO = {"images", "annotations", "categories"}
_COCO_PART = re.compile(r'"(?:images|annotations|categories)"\s*:\s*\[\s*[{\]]')
_PIXELS = "These boxes are in pixels of a picture whose size is not told; put the file and the images into one zip."


@dataclass(frozen=True, kw_only=True)
class Marks:
    """COCO's or Label Studio's JSON, or JSONL of ours or Prodigy, whose pictures are items already.

    Rows count the pictures that are named. Sources: those of `boxes`.
    """

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every picture that the file names, with what it says of it.

        Lines are read one by one, however many; one JSON value is held whole, and bounded.
        """
        head = head_of(stream, self.encoding)
        with text_of(stream, self.encoding) as text:
            if head.lstrip("\ufeff \t\r\n").startswith("[") or looks_so(head):
                yield from self._value(text)
            else:
                yield from self._lines(BoundedLines(text, self.limits))

    def _value(self, text: io.TextIOWrapper) -> Rows:
        most = self.limits.image_bytes
        told = text.read(most + 1)
        if len(told) > most:
            raise FormatError(
                f"A JSON file of boxes holds {most >> 20} million characters at most; part it by images, or "
                "write a line for each."
            )
        try:
            for row, boxed in enumerate(read_boxes("file.json", told, self.limits), 1):
                yield from _rows(row, boxed)
        except RowError as error:
            raise FormatError(error.faults[0][1]) from error

    def _lines(self, lines: BoundedLines) -> Rows:
        row = at = 0
        while True:
            at += 1
            lines.next_row()
            try:
                line = next(lines)
            except StopIteration:
                return
            except RowTooLongError:
                row += 1
                most = self.limits.row_characters
                yield Problem(row, "", f"Line {at} is longer than {most:,} characters.")
                continue
            if line.strip():
                row += 1
                yield from _rows(row, read_line(f"file.jsonl, line {at}", line, self.limits))


def looks_so(head: str, first: Any = None) -> bool:
    """Say whether a text begins COCO's object; `first` is the value that it begins with, where that is whole."""
    if isinstance(first, dict):
        return set(first) >= _COCO
    return head.lstrip().startswith("{") and _COCO_PART.search(head) is not None


def _rows(row: int, boxed: Boxed) -> Iterator[Record | Problem]:
    faults = [*boxed.faults, *([(IMAGE, _PIXELS)] if boxed.absolute else [])]
    if faults:
        yield from RowError(faults).problems(row)
        return
    fields: dict[str, Any] = {IMAGE: boxed.image}
    if boxed.size is not None:
        fields |= dict(zip(SIZE, boxed.size, strict=True))
    yield Record(row, fields, boxed.given)


class Pictures:
    """The pictures of a project by what files may call them."""

    def __init__(self, named: Iterable[tuple[int, Iterable[str]]]) -> None:
        self._by_name: dict[str, set[int]] = {}
        for number, names in named:
            for name in filter(None, names):
                for each in called(PurePosixPath(name)):
                    self._by_name.setdefault(each, set()).add(number)

    def meant(self, told: str) -> int:
        """The number of the picture that a file calls so. Raises RowError where it is none, or several."""
        for name in names_of(told, PurePosixPath()):
            found = self._by_name.get(name, set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise RowError([(IMAGE, f"{told[:200]} is the name of several images here.")])
        raise RowError([(IMAGE, f"The project has no image called {told[:200]}.")])
