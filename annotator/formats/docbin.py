"""spaCy's DocBin: its binary file of tokens, entities, spans and categories."""

from __future__ import annotations

import json
import re
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from annotator.formats.conll import TOKEN, apart
from annotator.formats.json_text import record_of
from annotator.formats.msgpack import TooManyError, packed, unpacked
from annotator.formats.records import (
    LIMITS,
    MEGABYTE,
    FormatError,
    Given,
    Limits,
    Record,
    RowError,
    Rows,
)
from annotator.formats.spacy import HOLDS, absent
from annotator.formats.spans import Span, names_of
from annotator.formats.writing import Field, compact, labels_in

# spaCy's numbers of the columns of a token: its text, how it belongs to an entity, which kind of one.
ORTH, ENT_IOB, ENT_TYPE = 65, 77, 78
UNKNOWN, INSIDE, OUTSIDE, BEGINS = range(4)
VERSION = "0.1"
# The group of spans that spaCy's categorizer of spans takes by itself.
GROUP = "sc"
MOST_BYTES = 256 * MEGABYTE
_SPAN = struct.Struct(">QQQllll")  # id, knowledge base, label, first and last token, characters
_PIECES = re.compile(rf"\s+|{TOKEN}")
_MULTIPLIER, _SHIFT, _BITS = 0xC6A4A7935BD1E995, 47, (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class DocBin:
    """`.spacy` files, with entities, groups of spans and categories. Source: spaCy 3, `tokens/_serialize.py`.

    Spans that overlap are in the group `sc`, and the longer ones are entities too. The whole file is held
    in memory, 256 MiB and 12,000,000 values of it unpacked at most. labels: the project's, as in `spacy`.
    """

    labels: list[str] = field(default_factory=list)
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every document, numbered from 1."""
        told = _Told(_opened(stream.read(MOST_BYTES + 1), self.limits))
        for row, words in enumerate(told.documents()):
            try:
                yield told.record(row, words, self.limits)
            except RowError as error:
                yield from error.problems(row + 1)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a document for each record; one without a verdict has neither entities nor categories."""
        written = _Written()
        known = absent(self.labels)
        for record in records:
            written.add(record, known)
        stream.write(zlib.compress(packed(written.whole()), 6))
        return len(written.lengths)


def looks_so(head: bytes) -> bool:
    """Say whether bytes begin a DocBin."""
    try:
        start = zlib.decompressobj().decompress(head, 64)
    except zlib.error:
        return False
    return start[1:].startswith(packed("version"))


class _Written:
    """The columns of a file that is being written."""

    def __init__(self) -> None:
        self.tokens: list[tuple[int, int, int]] = []
        self.spaces, self.lengths = bytearray(), list[int]()
        self.strings: set[str] = {""}
        self.cats: list[dict[str, float]] = []
        self.groups: list[bytes] = []
        self.data: list[bytes] = []

    def add(self, record: Mapping[str, Any], known: dict[str, float]) -> None:
        text, spans = record["text"], record.get("spans")
        words = list(_words(text, spans or []))
        entities = apart(spans or [])
        starts = {one["start"]: one for one in entities}
        inside: Mapping[str, Any] | None = None
        for start, end, space in words:
            begins = starts.get(start)
            inside = begins or (inside if inside and start < inside["end"] else None)
            tag = (BEGINS if begins else INSIDE) if inside else OUTSIDE
            kind = inside["label"] if inside else ""
            place = tag if spans is not None else UNKNOWN
            self.tokens.append((self._known(text[start:end]), place, self._known(kind)))
            self.spaces.append(space)
        self.lengths.append(len(words))
        labels = None if "spans" in record else labels_in(record)
        self.cats.append({} if labels is None else known | dict.fromkeys(labels, 1.0))
        overlap = len(entities) < len(spans or [])
        self.groups.append(self._group(spans or [], words) if overlap else packed([]))
        about = {"id": record.get("id") or "", "meta": compact(record.get("meta") or {})}
        self.data.append(packed(about))

    def _group(
        self, spans: Sequence[Mapping[str, Any]], words: Sequence[tuple[int, int, bool]]
    ) -> bytes:
        first = {start: at for at, (start, _, _) in enumerate(words)}
        last = {end: at + 1 for at, (_, end, _) in enumerate(words)}
        edges = (
            (one, first[one["start"]], last[one["end"]], one["start"], one["end"]) for one in spans
        )
        group = {
            "name": GROUP,
            "attrs": {},
            "spans": [
                _SPAN.pack(0, 0, self._known(one["label"]), *places) for one, *places in edges
            ],
        }
        return packed({packed(group): [GROUP]})

    def _known(self, text: str) -> int:
        self.strings.add(text)
        return number_of(text)

    def whole(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "attrs": [ORTH, ENT_IOB, ENT_TYPE],
            "tokens": np.array(self.tokens, dtype="<u8").tobytes(),
            "spaces": bytes(self.spaces),
            "lengths": np.array(self.lengths, dtype="<i4").tobytes(),
            "strings": sorted(self.strings),
            "cats": self.cats,
            "flags": [{"has_unknown_spaces": False}] * len(self.lengths),
            "span_groups": self.groups,
            "user_data": self.data,
        }


def _words(text: str, spans: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether one space follows) of tokens that make up the whole text, cut at all edges of
    spans."""
    starts, ends = ({one[edge] for one in spans} for edge in ("start", "end"))
    edges = sorted(starts | ends)
    waiting: tuple[int, int] | None = None
    for found in _PIECES.finditer(text):
        start, end = found.span()
        # A space that a span begins or ends with is a token of its own.
        follows = text[start] == " " and start not in starts and start + 1 not in ends
        if waiting is not None:
            yield (*waiting, follows)
            start += follows
        cuts = [start, *edges[bisect_right(edges, start) : bisect_left(edges, end)], end]
        pieces = [piece for piece in pairwise(cuts) if piece[0] < piece[1]]
        yield from ((*piece, False) for piece in pieces[:-1])
        waiting = pieces[-1] if pieces else None
    if waiting is not None:
        yield (*waiting, False)


def _opened(data: bytes, limits: Limits) -> dict[str, Any]:
    """What the file holds. Raises FormatError for one that is none, or unpacks to more than it may."""
    most = min(MOST_BYTES, max(MEGABYTE, len(data) * limits.inflation))
    unpacking = zlib.decompressobj()
    try:
        inside = unpacking.decompress(data, most)
        if not (unpacking.eof or unpacking.unconsumed_tail):
            raise ValueError("The end is missing.")
        told = {} if unpacking.unconsumed_tail else unpacked(inside)
    except TooManyError as error:
        raise FormatError("The DocBin holds too much; part it by documents.") from error
    except (zlib.error, ValueError) as error:
        raise FormatError("The DocBin is damaged or cut short.") from error
    if unpacking.unconsumed_tail:
        raise FormatError(
            f"The DocBin unpacks to more than 256 MiB, or {limits.inflation} times its size."
        )
    kinds = {"attrs": list, "tokens": bytes, "spaces": bytes, "lengths": bytes, "strings": list}
    kinds |= {"cats": list}
    if not isinstance(told, dict) or not all(
        isinstance(told.get(name), kind) for name, kind in kinds.items()
    ):
        raise FormatError("This is no DocBin of spaCy 3.")
    return told


class _Told:
    """A file's documents. Raises FormatError where its columns do not fit together."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, attrs = told, told["attrs"]
        self.strings = {number_of(text): text for text in told["strings"] if isinstance(text, str)}
        self.strings |= dict(enumerate(symbols()))
        try:
            tokens = np.frombuffer(told["tokens"], dtype="<u8").reshape(-1, max(1, len(attrs)))
            self._lengths = np.frombuffer(told["lengths"], dtype="<i4").astype(np.int64)
            columns = {name: tokens[:, at] for at, name in enumerate(attrs)}
            self._words = [self.strings[number] for number in columns[ORTH].tolist()]
        except (KeyError, ValueError, TypeError) as error:
            raise FormatError("The columns of the DocBin do not fit together.") from error
        counts = {int(self._lengths.sum()), len(self._words), len(told["spaces"])}
        if (self._lengths < 0).any() or len(counts) > 1:
            raise FormatError("The columns of the DocBin do not fit together.")
        none = np.zeros(len(self._words), dtype=np.uint64)
        self._marks, self._kinds = columns.get(ENT_IOB, none), columns.get(ENT_TYPE, none)

    def documents(self) -> Iterator[slice]:
        """The words of each document."""
        ends = np.cumsum(self._lengths)
        return (slice(int(end - n), int(end)) for end, n in zip(ends, self._lengths, strict=True))

    def record(self, row: int, part: slice, limits: Limits) -> Record:
        """The document of this row, from 0. Raises RowError for one that cannot be stored."""
        words, spaces = self._words[part], _spaces(self.told, row, part)
        # One long word may be named a million times: its text is not put together to be measured.
        size = sum(map(len, words))
        if size > limits.field_characters:
            most = limits.field_characters
            raise RowError([("text", f"The text has {size:,} characters; at most {most:,}.")])
        text = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
        text = text.rstrip(" ") if _unknown(self.told, row) else text
        record = record_of(row + 1, {"text": text, **_about(self.told, row)}, limits)
        marks, kinds = (column[part].tolist() for column in (self._marks, self._kinds))
        entities = list(zip(words, spaces, marks, kinds, strict=True))
        record.given = _given(self.told, row, entities, self.strings)
        return record


def _unknown(told: dict[str, Any], row: int) -> bool:
    flags = _at(told, "flags", row)
    return isinstance(flags, dict) and bool(flags.get("has_unknown_spaces"))


def _spaces(told: dict[str, Any], row: int, part: slice) -> list[bool]:
    if _unknown(told, row):
        return [True] * (part.stop - part.start)
    return [bool(one) for one in told["spaces"][part]]


def _at(told: dict[str, Any], name: str, row: int) -> Any:
    found = told.get(name)
    return found[row] if isinstance(found, list) and row < len(found) else None


def _about(told: dict[str, Any], row: int) -> dict[str, Any]:
    """The id and what else is known of the item, where a writer of ours put it."""
    data = _at(told, "user_data", row)
    try:
        known = unpacked(data) if isinstance(data, bytes) else {}
        meta = json.loads(known.get("meta", "{}"))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}
    found = {"id": known["id"]} if isinstance(known.get("id"), str) and known["id"] else {}
    return found | ({"meta": meta} if isinstance(meta, dict) and meta else {})


def _given(
    told: dict[str, Any],
    row: int,
    entities: list[tuple[str, bool, int, int]],
    strings: dict[int, str],
) -> tuple[Given, ...]:
    """Spans of a group, or the entities, or the categories: the first that there are."""
    spans = _grouped(_at(told, "span_groups", row), strings)
    if spans is None and any(mark != UNKNOWN for _, _, mark, _ in entities):
        spans = tuple(_entities(entities, strings))
    if spans is not None:
        return (Given(names_of(spans), spans=spans),)
    cats = _at(told, "cats", row)
    if not isinstance(cats, dict) or not cats:
        return ()
    held = (
        str(name)
        for name, share in cats.items()
        if isinstance(share, int | float) and share >= HOLDS
    )
    return (Given(tuple(held)),)


def _entities(words: list[tuple[str, bool, int, int]], strings: dict[int, str]) -> Iterator[Span]:
    start, end, at, kind = 0, 0, 0, 0
    for word, space, mark, number in words:
        if kind and mark != INSIDE:
            yield start, end, strings.get(kind, str(kind))
            kind = 0
        if mark == BEGINS or (mark == INSIDE and not kind):
            start, kind = at, number
        end = at + len(word)
        at = end + space
    if kind:
        yield start, end, strings.get(kind, str(kind))


def _grouped(data: Any, strings: dict[int, str]) -> tuple[Span, ...] | None:
    """The spans of the group `sc`, or of the only one; None where there is none, or nothing in it."""
    try:
        told: Any = unpacked(data) if data else {}
        groups = {name: one for one, names in told.items() for name in names}
        packed_one = groups.get(GROUP) or (next(iter(groups.values())) if len(groups) == 1 else b"")
        group: Any = unpacked(packed_one)
        places = [_SPAN.unpack(one) for one in group["spans"]]
    except (ValueError, AttributeError, TypeError, KeyError, struct.error):
        return None
    found = [
        (start, end, strings.get(label, str(label))) for _, _, label, _, _, start, end in places
    ]
    return tuple(dict.fromkeys(found)) or None


@cache
def symbols() -> list[str]:
    """The words that spaCy numbers itself, in the order of their numbers."""
    path = Path(__file__).with_name("spacy_symbols.txt")
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@cache
def _symbol_numbers() -> dict[str, int]:
    return {name: number for number, name in enumerate(symbols())}


@lru_cache(maxsize=100_000)
def number_of(text: str) -> int:
    """The number that stands for a text in spaCy's files: a symbol's own, else MurmurHash64A, seed 1."""
    symbol = _symbol_numbers().get(text)
    if symbol is not None:
        return symbol
    data = text.encode()
    whole = len(data) & ~7
    value = (1 ^ (len(data) * _MULTIPLIER)) & _BITS
    for at in range(0, whole, 8):
        block = int.from_bytes(data[at : at + 8], "little") * _MULTIPLIER & _BITS
        block = (block ^ (block >> _SHIFT)) * _MULTIPLIER & _BITS
        value = (value ^ block) * _MULTIPLIER & _BITS
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _BITS
    value = (value ^ (value >> _SHIFT)) * _MULTIPLIER & _BITS
    return value ^ (value >> _SHIFT)
