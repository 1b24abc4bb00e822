"""The part of MessagePack that spaCy's files are made of. Source: msgpack's specification, version 5.

Texts, bytes, whole numbers up to 64 bits, doubles, true, false, nil, lists and maps.
"""

from __future__ import annotations

import struct
from typing import Any

_DEEPEST = 32
# A byte may be a value, and an empty list or map takes dozens of bytes of memory.
MOST_VALUES, MOST_LISTS = 12_000_000, 2_000_000
# The same names come again with every document: so many texts are kept once.
_KEPT_TEXTS = 100_000
# First byte -> how a number that follows is packed.
_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
# First byte -> (how the length is packed, what follows).
_SIZED = {
    0xC4: (">B", "bin"),
    0xC5: (">H", "bin"),
    0xC6: (">I", "bin"),
    0xD9: (">B", "str"),
    0xDA: (">H", "str"),
    0xDB: (">I", "str"),
    0xDC: (">H", "array"),
    0xDD: (">I", "array"),
    0xDE: (">H", "map"),
    0xDF: (">I", "map"),
}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


class TooManyError(ValueError):
    """There are more values than are taken."""


def packed(value: Any) -> bytes:
    """The bytes of a value. Raises TypeError for one that is none of the kinds above."""
    if value is None or isinstance(value, bool):
        return bytes([{None: 0xC0, False: 0xC2, True: 0xC3}[value]])
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 0x80 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        head = bytes([0xA0 | len(data)]) if len(data) < 32 else struct.pack(">BI", 0xDB, len(data))
        return head + data
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, list):
        return _counted(0x90, 0xDD, len(value)) + b"".join(map(packed, value))
    if isinstance(value, dict):
        parts = (packed(name) + packed(one) for name, one in value.items())
        return _counted(0x80, 0xDF, len(value)) + b"".join(parts)
    raise TypeError(f"A value of type {type(value).__name__} cannot be packed.")


def _counted(short: int, long: int, count: int) -> bytes:
    return bytes([short | count]) if count < 16 else struct.pack(">BI", long, count)


def unpacked(data: bytes) -> Any:
    """The one value that the bytes hold. Raises ValueError where they are damaged or hold another kind, and
    TooManyError for more than `MOST_VALUES` in it, or `MOST_LISTS` lists and maps."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise ValueError("Bytes follow after the value.")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.values, self.lists = data, 0, 0, 0
        self._texts: dict[bytes, str] = {}

    def value(self, depth: int) -> Any:
        self.values += 1
        if self.values > MOST_VALUES:
            raise TooManyError(f"More than {MOST_VALUES:,} values.")
        first = self._take(1)[0]
        if depth > _DEEPEST:
            raise ValueError("The value is nested too deeply.")
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if first < 0xC0:
            kind, count = _short(first)
            return self._sized(kind, count, depth)
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first in _NUMBERS:
            return self._number(_NUMBERS[first])
        if first in _SIZED:
            form, kind = _SIZED[first]
            return self._sized(kind, self._number(form), depth)
        raise ValueError(f"A value begins with the byte {first}, which is not read.")

    def _sized(self, kind: str, count: int, depth: int) -> Any:
        if kind == "bin":
            return self._take(count)
        if kind == "str":
            return self._text(self._take(count))
        self.lists += 1
        if self.lists > MOST_LISTS:
            raise TooManyError(f"More than {MOST_LISTS:,} lists and maps.")
        if count > len(self.data) - self.at:
            raise ValueError("More is announced than follows.")
        if kind == "array":
            return [self.value(depth + 1) for _ in range(count)]
        found = {}
        for _ in range(count):
            name = self.value(depth + 1)
            if isinstance(name, list | dict):
                raise ValueError("A name is no text, number or bytes.")
            found[name] = self.value(depth + 1)
        return found

    def _text(self, data: bytes) -> str:
        found = self._texts.get(data)
        if found is None:
            found = data.decode()  # a UnicodeDecodeError is a ValueError
            if len(self._texts) < _KEPT_TEXTS:
                self._texts[data] = found
        return found

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) < count:
            raise ValueError("The data end too early.")
        self.at += count
        return found


def _short(first: int) -> tuple[str, int]:
    """What begins with a byte that holds the length too."""
    if first >= 0xA0:
        return "str", first & 0x1F
    return ("array" if first >= 0x90 else "map"), first & 0x0F
