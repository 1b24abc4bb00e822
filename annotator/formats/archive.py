"""A zip whose bytes depend on its members alone: fixed order, times and rights, nothing packed.

Members are stored, not deflated, because two builds of zlib pack the same bytes differently.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_EPOCH = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16
_BLOCK = 1 << 20


def pack(members: Iterable[tuple[str, Path]], stream: BinaryIO) -> None:
    """Write files into a zip under the given names, in the given order."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for name, path in members:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = _RIGHTS
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
