"""Files that name pictures which are items already: lines without end, one value within bounds."""

import io
import json

import pytest

from annotator.formats import FORMATS, LIMITS, FormatError, Problem
from annotator.formats.marks import Marks

BOX = {"x": 0.1, "y": 0.1, "w": 0.5, "h": 0.5, "label": "Cat"}


class Counting(io.RawIOBase):
    """Lines made as they are asked for, which knows how many bytes were."""

    def __init__(self, lines):
        self.taken, self._lines, self._left = 0, iter(lines), b""
        self._head = b"".join(next(self._lines) for _ in range(2_000))
        self._left = self._head

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.taken

    def seek(self, place, whence=0):
        assert (place, whence) == (0, 0)
        self._left, self.taken = self._head, 0
        return 0

    def readinto(self, buffer):
        while len(self._left) < len(buffer):
            line = next(self._lines, b"")
            if not line:
                break
            self._left += line
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)


def line(number):
    return json.dumps({"image": f"{number}.png", "boxes": [BOX]}).encode() + b"\n"


def test_lines_are_read_one_by_one_however_many():
    stream = Counting(map(line, range(10_000_000)))
    rows = FORMATS.create("marks").read(stream)
    first = [next(rows) for _ in range(20_000)]
    assert [row.fields["image"] for row in first[-2:]] == ["19998.png", "19999.png"]
    assert stream.taken < 4 * 20_000 * len(line(19_999))
    rows.close()


def test_a_line_that_is_too_long_is_named_and_those_after_it_are_read():
    data = line(1) + b'{"image": "' + b"x" * LIMITS.row_characters + b'"}\n\n' + line(2)
    first, bad, last = FORMATS.create("marks").read(io.BytesIO(data))
    assert isinstance(bad, Problem)
    assert (bad.row, "Line 2 is longer" in bad.message) == (2, True)
    assert (first.fields["image"], last.fields["image"], last.row) == ("1.png", "2.png", 3)


def test_one_value_is_bounded():
    data = json.dumps([{"data": {"image": "a.png"}, "annotations": []}] * 500).encode()
    small = Marks(limits=LIMITS.__class__(image_bytes=1_000))
    with pytest.raises(FormatError, match="write a line for each"):
        list(small.read(io.BytesIO(data)))
