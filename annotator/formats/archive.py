"""A zip whose bytes depend on its members alone: fixed order, times and rights, nothing packed.

Members are stored, not deflated, because two builds of zlib pack the same bytes differently.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_EPOCH = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16
_BLOCK = 1 << 20


def member(name: str) -> zipfile.ZipInfo:
    """A member of a zip that tells nothing of when and where it was written."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3
    info.external_attr = _RIGHTS
    return info


def pack(members: Iterable[tuple[str, Path]], stream: BinaryIO) -> None:
    """Write files into a zip under the given names, in the given order."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for name, path in members:
            info = member(name)
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as target:
                while block := source.read(_BLOCK):
                    target.write(block)


def spread(archives: Iterable[Path], folder: Path) -> list[tuple[str, Path]]:
    """Unpack zips of our own into a folder, one over the other: (name, path) of every member."""
    found: dict[str, Path] = {}
    for place, path in enumerate(archives):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                # Named by number, so that nothing in a member's name is a path.
                found[name] = folder / f".{place}-{len(found)}"
                with archive.open(name) as source, found[name].open("wb") as target:
                    shutil.copyfileobj(source, target, _BLOCK)
    return list(found.items())
