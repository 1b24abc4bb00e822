"""The on-disk words of a pool: vectors, edges and counts in files that grow together."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError
from learning.storage import MANIFEST, read_json, write_json
from learning.taggers.types import Words, WordVectors
from learning.types import require

FILES = {"vectors": "<f2", "edges": "<i4", "counts": "<i4"}


def dimensions_in(folder: Path) -> int:
    """Of the words that a folder holds."""
    return int(read_json(folder / MANIFEST)["dimensions"])


class WordStore:
    """Words of items 0 … items - 1 in a folder; about 2 bytes per dimension and word.

    The manifest says how much is whole. Bytes beyond it come from a write that a crash cut short; the
    next write goes over them. A lock parts two processes that write.
    """

    def __init__(self, folder: Path, dimensions: int) -> None:
        """Open the store, or begin an empty one. Raises DamagedFileError if files are cut short or
        have other dimensions.
        """
        self.folder = folder
        self.dimensions = dimensions
        folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if not (folder / MANIFEST).exists():
                for name in FILES:
                    (folder / f"{name}.bin").touch()
                self._note(0, 0)
        self._check()

    @property
    def items(self) -> int:
        """Of how many items the words are whole, as of now."""
        return self._sizes()[0]

    def write(self, start_item: int, words: WordVectors) -> None:
        """Add the words of items `start_item` …, and have them on disk when this returns.

        What another process wrote meanwhile stays as it is. Raises ShapeError for a hole.
        """
        require(
            words.vectors.shape[1] == self.dimensions,
            f"Words must have {self.dimensions} dimensions, not {words.vectors.shape[1]}.",
        )
        with self._lock():
            items, total = self._sizes()
            require(
                0 <= start_item <= items,
                f"Items must follow each other: there are {items}, the write starts at {start_item}.",
            )
            if start_item < items:
                return
            limit = np.finfo(np.float16).max
            self._append("vectors", total, np.clip(words.vectors, -limit, limit))
            self._append("edges", total, words.edges)
            self._append("counts", items, words.counts)
            self._note(items + len(words.counts), total + len(words.edges))

    def forget(self, item: int) -> None:
        """Zero what is known of an item's words, but how many there are; of an item that is not there
        nothing is known.
        """
        with self._lock():
            if item >= self.items:
                return
            first, last = self.view().starts[item : item + 2].tolist()
            for name, columns in (("vectors", self.dimensions), ("edges", 2)):
                self._append(name, first, np.zeros((last - first, columns)))

    def view(self) -> Words:
        """All whole words; vectors and edges are memory maps."""
        items, total = self._sizes()
        counts = np.asarray(self._map("counts", (items,)), dtype=np.int64)
        return Words(
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            edges=self._map("edges", (total, 2)),
            vectors=self._map("vectors", (total, self.dimensions)),
        )

    def _append(self, name: str, rows: int, values: NDArray[Any]) -> None:
        content = np.ascontiguousarray(values, dtype=FILES[name])
        with (self.folder / f"{name}.bin").open("r+b") as stream:
            stream.seek(rows * self._width(name))
            stream.write(content.tobytes())
            stream.flush()
            os.fsync(stream.fileno())

    def _width(self, name: str) -> int:
        """Bytes of one row."""
        columns = {"vectors": self.dimensions, "edges": 2, "counts": 1}[name]
        return columns * np.dtype(FILES[name]).itemsize

    def _map(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if not shape[0]:
            return np.empty(shape, dtype=FILES[name])
        return np.memmap(self.folder / f"{name}.bin", dtype=FILES[name], mode="r", shape=shape)

    def _sizes(self) -> tuple[int, int]:
        manifest = read_json(self.folder / MANIFEST)
        if manifest.get("dimensions") != self.dimensions:
            raise DamagedFileError(
                f"{self.folder} holds words of {manifest.get('dimensions')} dimensions, "
                f"not of {self.dimensions}."
            )
        return int(manifest["items"]), int(manifest["words"])

    def _note(self, items: int, words: int) -> None:
        content = {"dimensions": self.dimensions, "items": items, "words": words}
        write_json(self.folder / MANIFEST, content)

    def _check(self) -> None:
        items, words = self._sizes()
        for name, rows in (("vectors", words), ("edges", words), ("counts", items)):
            path = self.folder / f"{name}.bin"
            size = path.stat().st_size if path.exists() else -1
            if size < rows * self._width(name):
                raise DamagedFileError(f"{path} is cut short: it has {max(size, 0):,} bytes.")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # parts two trainings that add the same items
            yield
