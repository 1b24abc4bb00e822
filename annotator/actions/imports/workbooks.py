"""What one reading of an uploaded workbook tells: its sheets and how each begins.

Kept beside the upload, because every look at a workbook would read the whole of it again. The first line
names the file that was read and the sheets; each further line holds the beginning of one.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from annotator.actions.imports import uploads
from annotator.formats import FormatError
from annotator.formats.preview import SAMPLE_ROWS
from annotator.formats.spreadsheet import Beginning, beginnings

WORKBOOK = "spreadsheet"


def sheets(stored_name: str, format: str) -> tuple[str, ...]:
    """The sheets of a workbook that hold something; none of another file, or of one that is broken."""
    return _learnt(stored_name) if format == WORKBOOK else ()


def beginning(stored_name: str, format: str, reader: Mapping[str, Any] | None) -> Beginning | None:
    """How the sheet begins that a reader with these parameters reads; None where that is not known, and
    then a reading tells why.
    """
    known = sheets(stored_name, format)
    sheet = (reader or {}).get("sheet") or next(iter(known), "")
    if sheet not in known:
        return None
    with uploads.beside(stored_name).open(encoding="utf-8") as lines:
        line = next(each for place, each in enumerate(lines, -1) if place == known.index(sheet))
    told = json.loads(line)
    return None if told is None else Beginning(**told)


def _learnt(stored_name: str) -> tuple[str, ...]:
    """The sheets, with their beginnings kept; () for a file that cannot be read."""
    kept = uploads.beside(stored_name)
    wanted = _version(stored_name)
    try:
        with kept.open(encoding="utf-8") as lines:
            told = json.loads(next(lines))
    except FileNotFoundError:
        told = {}
    if told.get("file") == wanted:
        return tuple(told["sheets"])
    try:
        with uploads.path_of(stored_name).open("rb") as stream:
            found = beginnings(stream, SAMPLE_ROWS + 1)
    except FormatError:  # a look says so
        return ()
    _keep(stored_name, [{"file": wanted, "sheets": list(found)}, *map(_told, found.values())])
    return tuple(found)


def _version(stored_name: str) -> list[int]:
    """What differs when another file lies there."""
    of = uploads.path_of(stored_name).stat()
    return [of.st_ino, of.st_size, of.st_mtime_ns]


def _told(one: Beginning | None) -> dict[str, Any] | None:
    return None if one is None else asdict(one)


def _keep(stored_name: str, lines: list[Any]) -> None:
    """Write all of it or nothing: two people may look at once."""
    kept = uploads.beside(stored_name)
    fresh = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    try:
        with uploads.sentences_for_full_disks(), fresh.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(kept)
    finally:
        fresh.unlink(missing_ok=True)
