"""Labelled files as items beside their labels, and a place for each item by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.errors import InvalidError
from annotator.formats import FORMATS, FormatError, Problem, Record
from annotator.formats.guard import guarded
from annotator.formats.mapping import Mapped, Mapping, mapped
from annotator.formats.preview import preview
from annotator.formats.records import RowError
from annotator.formats.spans import Span

TEST_SHARE = 0.2

# Called with the rows read so far; what it raises (a cancel) passes through.
Beat = Callable[[int], None]


@dataclass
class Labelled:
    """Items with their labels, and how many rows had none or could not be read.

    spans: of each item the places that its first answer marks; None where none tells any.
    """

    items: list[Any] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    spans: list[tuple[Span, ...] | None] = field(default_factory=list)
    left_out: int = 0


def read(
    path: Path,
    name: str = "",
    *,
    text: str = "",
    label: str = "",
    rows: int = 0,
    beat: Beat | None = None,
) -> Labelled:
    """The labelled rows of a file; `text` and `label` name columns, empty ones are guessed.

    `rows` limits what is read, 0 does not. Raises InvalidError with a sentence.
    """
    shown = name or str(path)
    try:
        with path.open("rb") as stream:
            seen = preview(stream, name or path.name)
            chosen = Mapping.from_json(
                seen.mapping.to_json()
                | ({"text": text} if text else {})
                | ({"label": label} if label else {})
            )
            stream.seek(0)
            found = _collect(
                guarded(FORMATS.create(seen.format).read(stream), path.stat().st_size),
                chosen,
                rows,
                beat or (lambda count: None),
            )
    except FormatError as error:
        raise InvalidError(f"{shown}: {error}", field="file") from error
    except OSError as error:
        raise InvalidError(f"{shown} cannot be read: {error.strerror}.", field="file") from error
    if not found.items:
        raise InvalidError(
            f"{shown} has no labelled row. Name its columns for text and label; it has: "
            f"{', '.join(column.name for column in seen.columns)}.",
            field="file",
        )
    return found


def _collect(rows: Any, mapping: Mapping, most: int, beat: Beat) -> Labelled:
    found = Labelled()
    for row in rows:
        item = _item(row, mapping)
        if item is None:
            found.left_out += 1
            continue
        found.items.append(_content(item))
        found.labels.append(tuple(dict.fromkeys(x for one in item.given for x in one.labels)))
        marked = (one.spans for one in item.given if one.kind == "answer" and one.spans is not None)
        found.spans.append(next(marked, None))
        if (len(found.items) & 1023) == 0:
            beat(len(found.items))
        if most and len(found.items) >= most:
            break
    rows.close()
    return found


def _item(row: Record | Problem, mapping: Mapping) -> Mapped | None:
    """What the row holds; None for one that cannot be read or that nobody labelled."""
    if isinstance(row, Problem):
        return None
    try:
        item = mapped(row, mapping)
    except RowError:
        return None
    return item if item.given else None


def _content(item: Mapped) -> str | bytes:
    from learning.encoders import pair

    return item.image if item.image is not None else pair(item.text, item.text_b)


def hash_of(item: str | bytes) -> bytes:
    """Names an item by its content alone."""
    content = item if isinstance(item, bytes) else item.encode()
    return hashlib.blake2b(content, digest_size=8).digest()


def place_of(content_hash: bytes) -> float:
    """A number in [0, 1) by the content alone: equal items are on one side, every time."""
    head = content_hash[:8]
    return int.from_bytes(head) / float(256 ** len(head))
