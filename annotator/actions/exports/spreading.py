"""Formats of several files: what a writer put into zips, laid beside the images of the export."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from annotator.formats import WRITERS
from annotator.formats.archive import spread

Member = tuple[str, Path]


def laid_out(
    format: str, written: list[dict[str, Any]], space: Path
) -> tuple[list[Member], list[dict[str, Any]]]:
    """The members of the export, (name, path), and what the manifest says of them.

    written: the manifest's entries of the files as the writer made them. The many small files of a folder
    have one entry, whose hash is that of all of them by name.
    """
    members = [(one["name"], space / one["name"]) for one in written]
    if not getattr(WRITERS[format], "spread", False):
        return members, written
    members = spread([path for _, path in members], space)
    rows = sum(one["rows"] for one in written)
    folders: dict[str, list[Member]] = {}
    for name, path in members:
        folder, mark, _ = name.rpartition("/")
        folders.setdefault(folder + mark or name, []).append((name, path))
    return members, [_entry(name, sorted(inside), rows) for name, inside in folders.items()]


def _entry(name: str, members: list[Member], rows: int) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    for _, path in members:
        content = path.read_bytes()
        digest.update(content)
        size += len(content)
    told = {"name": name, "bytes": size, "sha256": digest.hexdigest(), "columns": []}
    return told | {"rows": rows if name.endswith("/") else 0}
