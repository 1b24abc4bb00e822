"""The on-disk matrix of encodings: raw float16 rows in one file, a manifest beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError
from learning.storage import read_json, write_json
from learning.types import Floats, require

ITEM_BYTES = 2  # float16


class Matrix:
    """A (rows, dimensions) float16 matrix in `path`, with `<path stem>.json` as its manifest.

    The manifest says how many rows are whole. Bytes beyond them come from a write that a crash
    cut short; the next write goes over them. Several processes may write: a lock beside the
    file parts them, and rows written twice with the same content do no harm.
    """

    def __init__(self, path: Path | str, dimensions: int) -> None:
        """Open the matrix, or begin an empty one. Raises DamagedFileError if it is cut short or
        has other dimensions than `dimensions`.
        """
        self.path = Path(path)
        self.dimensions = dimensions
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if not self._manifest.exists():
                self.path.touch()
                self._note(0)
        self._check()

    @property
    def rows(self) -> int:
        """How many rows are whole, as of now (another process may be adding)."""
        manifest = read_json(self._manifest)
        if manifest.get("dimensions") != self.dimensions or manifest.get("dtype") != "<f2":
            raise DamagedFileError(
                f"{self.path} holds {manifest.get('dtype')} rows of {manifest.get('dimensions')} "
                f"dimensions, not <f2 rows of {self.dimensions}."
            )
        return int(manifest["rows"])

    def write(self, start_row: int, vectors: Floats) -> None:
        """Write (m, d) `vectors` at `start_row` … and have them on disk when this returns.

        Raises ShapeError for a hole before `start_row`, other dimensions or values that are not
        finite in float16.
        """
        rows = np.ascontiguousarray(vectors, dtype="<f2")
        require(
            rows.ndim == 2 and rows.shape[1] == self.dimensions,
            f"Vectors must have shape (m, {self.dimensions}), not {rows.shape}.",
        )
        require(bool(np.isfinite(rows).all()), "Vectors must be finite and fit into float16.")
        with self._lock():
            whole = self.rows
            require(
                0 <= start_row <= whole,
                f"Rows must follow each other: the matrix has {whole}, the write starts at "
                f"{start_row}.",
            )
            with self.path.open("r+b") as stream:
                stream.seek(start_row * self.dimensions * ITEM_BYTES)
                stream.write(rows.tobytes())
                stream.flush()
                os.fsync(stream.fileno())
            if start_row + len(rows) > whole:
                self._note(start_row + len(rows))

    def view(self) -> NDArray[np.float16]:
        """(rows, d) read-only memory map of the whole rows; nothing is read until it is used."""
        rows = self.rows
        if rows == 0:
            return np.empty((0, self.dimensions), dtype=np.float16)
        return np.memmap(self.path, dtype="<f2", mode="r", shape=(rows, self.dimensions))

    @property
    def _manifest(self) -> Path:
        return self.path.with_suffix(".json")

    def _note(self, rows: int) -> None:
        write_json(self._manifest, {"dimensions": self.dimensions, "rows": rows, "dtype": "<f2"})

    def _check(self) -> None:
        needed = self.rows * self.dimensions * ITEM_BYTES
        size = self.path.stat().st_size if self.path.exists() else -1
        if size < needed:
            raise DamagedFileError(
                f"{self.path} is cut short: its manifest promises {needed:,} bytes, "
                f"it has {max(size, 0):,}."
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # parts two encode jobs that write the same rows
            yield
