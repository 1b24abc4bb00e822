"""CoNLL-2003: a token on each line, its tag in the last column, an empty line after each sentence."""

from __future__ import annotations

import io
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO, ClassVar

from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.records import fault_in_text as fault_in
from annotator.formats.spans import Span, names_of
from annotator.formats.text import BoundedLines, RowTooLongError, text_of
from annotator.formats.writing import Field

START = "-DOCSTART-"
TAG = re.compile(r"O|[BIESLUM]-\S(?:.*\S)?")
# Between token and tag in Label Studio's files, in which the names of labels keep their spaces.
_BETWEEN = " -X- _ "
# Signs that belong to the character before them: accents, vowels, shades of skin.
_MARKS = "".join(
    chr(code) for code in range(0x300, 0xFFFF) if unicodedata.category(chr(code)).startswith("M")
)
_JOINS = rf"[{_MARKS}\U0001F3FB-\U0001F3FF]"
# What is one token of a text.
TOKEN = rf"\w(?:\w|{_JOINS})*|[^\w\s](?:{_JOINS}|\u200d[^\w\s])*"
_TOKEN = re.compile(TOKEN)
# Of the ways to tag: what begins a span, whatever was before, and what ends one.
_BEGINS, _ENDS = "BSU", "ELS"
# The columns of a line that was not read to its end.
TOO_LONG = [""]


@dataclass(frozen=True, kw_only=True)
class Conll:
    """Sentences of `token POS chunk TAG` lines, tags in IOB, BIO or BIOES. Source: Tjong Kim Sang,
    De Meulder 2003.

    An item is a sentence, its tokens joined by spaces; `document` counts the documents from 1. It holds
    spans only, none inside another: of two that overlap the longer is written.
    """

    shapes: ClassVar[tuple[str, ...]] = ("spans",)
    # The spaces of a text and what overlaps do not survive.
    exact: ClassVar[bool] = False

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every sentence; its row is its first line."""
        with text_of(stream, self.encoding) as text:
            for first, document, lines in _sentences(BoundedLines(text, self.limits)):
                try:
                    yield _record(first, document, lines, self.limits)
                except RowError as error:
                    yield from error.problems(first)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write the records that have a verdict, each as a document; give their number."""
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        count = 0
        try:
            for record in records:
                if record.get("spans") is None:
                    continue
                text.write(f"{START} -X- O O\n\n")
                for rows in rows_of(record["text"], record["spans"]):
                    text.writelines(f"{token}{_BETWEEN}{tag}\n" for token, tag in rows)
                    text.write("\n")
                count += 1
        finally:
            text.flush()
            text.detach()
        return count


Lines = list[list[str]]


def _sentences(lines: BoundedLines) -> Iterator[tuple[int, int, Lines]]:
    """(row of the first line, number of the document, its lines cut into columns)."""
    waiting: Lines = []
    first = row = 0
    document = 1
    seen = False
    while True:
        row += 1
        try:
            columns = _columns(next(lines))
            lines.next_row()
        except RowTooLongError:
            columns = TOO_LONG  # its sentence is told, not cut in two
        except StopIteration:
            break
        if columns and columns[0] != START:
            first = first if waiting else row
            waiting.append(columns)
            seen = True
            continue
        if waiting:
            yield first, document, waiting
            waiting = []
        if columns:
            document += seen
    if waiting:
        yield first, document, waiting


def _columns(line: str) -> list[str]:
    token, between, tag = line.partition(_BETWEEN)
    return [token.strip(), tag.strip()] if between else line.split()


def _record(row: int, document: int, lines: Lines, limits: Limits) -> Record:
    for place, columns in enumerate(lines):
        if columns is TOO_LONG:
            raise RowError([("", f"Line {row + place} is too long.")])
        if len(columns) < 2 or not TAG.fullmatch(columns[-1]):
            told = f"Line {row + place} does not end with a tag such as O or B-PER."
            raise RowError([("tag", told)])
    text = " ".join(columns[0] for columns in lines)
    if fault := fault_in(text, limits):
        raise RowError([("text", fault)])
    spans = tuple(tagged((columns[0], columns[-1]) for columns in lines))
    given = Given(names_of(spans), spans=spans)
    return Record(row, {"text": text, "document": document}, (given,))


def tagged(rows: Iterable[tuple[str, str]]) -> Iterator[Span]:
    """The spans that (token, tag) pairs make; offsets in the tokens joined by spaces."""
    open_label, start, at, end = "", 0, 0, 0
    for token, tag in rows:
        mark, _, label = tag.partition("-")
        goes_on = bool(label) and label == open_label and mark not in _BEGINS
        if open_label and not goes_on:
            yield start, end, open_label
            open_label = ""
        if label and not goes_on:
            open_label, start = label, at
        end = at + len(token)
        if open_label and mark in _ENDS:
            yield start, end, open_label
            open_label = ""
        at = end + 1
    if open_label:
        yield start, end, open_label


def rows_of(text: str, spans: Sequence[Mapping[str, Any]]) -> Iterator[list[tuple[str, str]]]:
    """The (token, tag) pairs of each line of a text that has any; tags begin with B and go on with I."""
    kept = apart(spans)
    starts = [one["start"] for one in kept]
    edges = sorted({edge for one in kept for edge in (one["start"], one["end"])})
    rows: list[tuple[str, str]] = []
    before = None
    for start, end in _tokens(text, edges):
        if start < 0:
            if rows:
                yield rows
            rows, before = [], None
            continue
        last = bisect_right(starts, start) - 1
        inside = kept[last] if last >= 0 and start < kept[last]["end"] else None
        tag = "O"
        if inside is not None:
            tag = f"{'I' if inside is before else 'B'}-{'_'.join(inside['label'].split())}"
        before = inside
        rows.append((text[start:end], tag))
    if rows:
        yield rows


def apart(spans: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The spans without those that overlap a longer one, in their order."""
    kept: list[Mapping[str, Any]] = []
    for one in sorted(spans, key=lambda one: (one["start"] - one["end"], one["start"])):
        if all(one["end"] <= other["start"] or other["end"] <= one["start"] for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one["start"])


def _tokens(text: str, edges: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, end) of each token, cut at every edge of a span; (-1, -1) for a line end."""
    last = 0
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        if "\n" in text[last:start]:
            yield -1, -1
        last = end
        cuts = [start, *edges[bisect_right(edges, start) : bisect_left(edges, end)], end]
        yield from pairwise(cuts)


def looks_so(head: str) -> bool:
    """Say whether the first lines of a text are tokens with tags."""
    lines = [line.split() for line in head.splitlines()[:200]]
    filled = [columns for columns in lines[:-1] if columns] or [c for c in lines if c]
    if not filled:
        return False
    if filled[0][0] == START:
        return True
    tagged = sum(2 <= len(columns) <= 10 and bool(TAG.fullmatch(columns[-1])) for columns in filled)
    return len(filled) > 1 and tagged >= 0.95 * len(filled) and any(not c for c in lines)
