"""A student's probabilities for the whole pool, in a folder that readers see whole or not at all.

Up to DENSE_LABELS columns the folder holds a float32 matrix (n, k); above that the TOP_LABELS most
likely columns of each row with the remainder. Margin and entropy are computed from the full
float32 rows first. The files of one write share a random part of their names, the manifest names
them and is replaced last, so a reader opens either the former write or this one. One that pauses
says how far it came, and the same write goes on there.
"""

import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError, PauseError
from learning.scores import entropies, margins
from learning.storage import MANIFEST, read_json, write_json
from learning.students import Fitted, Patient
from learning.types import BLOCK_ROWS, Floats, Report, no_report, require, row_blocks

DENSE_LABELS = 1000
TOP_LABELS = 64
BLOCK_TEXTS = 512
BEGUN = "begun.json"


@dataclass(frozen=True, kw_only=True)
class Doubted:
    """A block of items with margins that are not those of its probabilities: (b, k) and (b,)."""

    probabilities: NDArray[np.float32]
    margins: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Memory maps of one write; they stay valid when a newer one replaces the files.

    probabilities: (n, k), or (n, 64) with `columns` (n, 64) and `remainder` (n,).
    margins, entropies: (n,) float32.
    """

    labels: int
    multi_label: bool
    probabilities: NDArray[np.float32]
    margins: NDArray[np.float32]
    entropies: NDArray[np.float32]
    columns: NDArray[np.int32] | None = None
    remainder: NDArray[np.float32] | None = None

    @property
    def rows(self) -> int:
        """How many items were predicted: items 0 … rows - 1."""
        return len(self.margins)

    def row(self, number: int) -> NDArray[np.float32]:
        """(k,) probabilities of one item; with kept columns the others are 0."""
        if self.columns is None:
            return np.array(self.probabilities[number], dtype=np.float32)
        full = np.zeros(self.labels, dtype=np.float32)
        full[self.columns[number]] = self.probabilities[number]
        return full

    def top(self, number: int, count: int = 5) -> list[tuple[int, float]]:
        """The most likely (column, probability) pairs of one item, likeliest first."""
        p = np.asarray(self.probabilities[number])
        places = np.argsort(-p, kind="stable")[:count]
        columns = places if self.columns is None else self.columns[number][places]
        return [(int(c), float(p[place])) for c, place in zip(columns, places, strict=True)]


def write_predictions(
    folder: Path,
    fitted: Fitted,
    items: Floats | Sequence[str] | Sequence[bytes],
    report: Report = no_report,
    work: str = "",
) -> Predictions:
    """Predict every item block by block and replace what `folder` holds.

    report: called after each block, and in one that takes long, with the items done before it. When it raises
    PauseError, whole blocks are kept; the same call goes on behind them if `work` is the same, which names
    the student.
    """

    # Reading a text takes milliseconds: small blocks keep progress alive.
    size = BLOCK_ROWS if isinstance(items, np.ndarray) else BLOCK_TEXTS
    begun = _Begun.in_folder(folder, work)
    done = first = begun.rows

    def beat() -> None:
        report(done, len(items))

    def blocks() -> Iterable[NDArray[np.float32]]:
        nonlocal done
        for part in row_blocks(len(items) - first, size):
            block = slice(first + part.start, first + part.stop)
            with fitted.listening(beat) if isinstance(fitted, Patient) else nullcontext():
                said = fitted.predict(items[block])
            done = block.stop
            yield said
            beat()

    return _write(folder, blocks(), fitted.labels, begun, multi_label=fitted.multi_label)


def write_probabilities(
    folder: Path, blocks: Iterable[NDArray[np.float32] | Doubted], labels: int, *, multi_label: bool
) -> Predictions:
    """Write (b, k) float32 blocks, in row order, as the new content of `folder`."""
    return _write(folder, blocks, labels, _Begun(), multi_label=multi_label)


@dataclass(kw_only=True)
class _Begun:
    """How far a write came: rows in files whose names hold the token."""

    work: str = ""
    rows: int = 0
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    @classmethod
    def in_folder(cls, folder: Path, work: str) -> "_Begun":
        """Where the same work paused in this folder; its beginning where none did."""
        if work and (folder / BEGUN).exists():
            told = read_json(folder / BEGUN)
            if told["work"] == work:
                return cls(**told)
        return cls(work=work)

    def open(self, path: Path, width: int) -> BinaryIO:
        """A file of `width` bytes a row, without what was written behind these rows."""
        if not self.rows:
            return path.open("wb")
        stream = path.open("r+b")
        stream.truncate(self.rows * width)
        stream.seek(0, os.SEEK_END)
        return stream

    def keep(self, folder: Path, streams: Iterable[BinaryIO]) -> None:
        for stream in streams:
            stream.flush()
            os.fsync(stream.fileno())
        write_json(folder / BEGUN, {"work": self.work, "rows": self.rows, "token": self.token})


def _write(
    folder: Path,
    blocks: Iterable[NDArray[np.float32] | Doubted],
    labels: int,
    begun: _Begun,
    *,
    multi_label: bool,
) -> Predictions:
    folder.mkdir(parents=True, exist_ok=True)
    sparse = labels > DENSE_LABELS
    wide = 4 * (TOP_LABELS if sparse else labels)
    widths = {"probabilities": wide, "margins": 4, "entropies": 4}
    widths |= {"columns": wide, "remainder": 4} if sparse else {}
    files = {name: f"{name}-{begun.token}.bin" for name in widths}
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(begun.open(folder / file, widths[name]))
            for name, file in files.items()
        }
        try:
            for one in blocks:
                block = one.probabilities if isinstance(one, Doubted) else one
                require(
                    block.ndim == 2 and block.shape[1] == labels,
                    f"Probabilities must have {labels} columns, not shape {block.shape}.",
                )
                parts = _parts(block, sparse=sparse, multi_label=multi_label)
                if isinstance(one, Doubted):
                    parts["margins"] = one.margins.astype(np.float32)
                for name, values in parts.items():
                    streams[name].write(np.ascontiguousarray(values).tobytes())
                begun.rows += len(block)
        except PauseError:
            begun.keep(folder, streams.values())
            raise
    write_json(
        folder / MANIFEST,
        {"rows": begun.rows, "labels": labels, "multi_label": multi_label, "files": files},
    )
    (folder / BEGUN).unlink(missing_ok=True)
    for path in folder.glob("*.bin"):
        if path.name not in files.values():
            path.unlink(missing_ok=True)
    return read_predictions(folder)


def _parts(
    block: NDArray[np.float32], *, sparse: bool, multi_label: bool
) -> dict[str, NDArray[Any]]:
    p = np.asarray(block, dtype=np.float32)
    parts: dict[str, NDArray[Any]] = {
        "margins": margins(p, multi_label=multi_label),
        "entropies": entropies(p, multi_label=multi_label),
    }
    if not sparse:
        return {**parts, "probabilities": p}
    columns = np.argpartition(-p, TOP_LABELS - 1, axis=1)[:, :TOP_LABELS]  # (b, 64)
    order = np.argsort(-np.take_along_axis(p, columns, axis=1), axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    kept = np.take_along_axis(p, columns, axis=1)
    remainder = np.maximum(p.sum(axis=1) - kept.sum(axis=1), 0).astype(np.float32)
    return {
        **parts,
        "probabilities": kept,
        "columns": columns.astype(np.int32),
        "remainder": remainder,
    }


def read_predictions(folder: Path) -> Predictions:
    """Open the newest write. Raises DamagedFileError when there is none or it is cut short."""
    for _ in range(5):  # a writer may replace the files between our two looks
        manifest = read_json(folder / MANIFEST)
        try:
            return _open(folder, manifest)
        except FileNotFoundError:
            continue
    raise DamagedFileError(f"{folder} names files that are not there.")


def _open(folder: Path, manifest: dict[str, Any]) -> Predictions:
    rows, labels = int(manifest["rows"]), int(manifest["labels"])
    width = TOP_LABELS if labels > DENSE_LABELS else labels

    def column(name: str, dtype: str, *shape: int) -> NDArray[Any]:
        path = folder / manifest["files"][name]
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        if path.stat().st_size != size:
            raise DamagedFileError(f"{path} does not have the {size:,} bytes that it should.")
        if size == 0:
            return np.empty(shape, dtype=dtype)
        return np.memmap(path, dtype=dtype, mode="r", shape=shape)

    sparse = labels > DENSE_LABELS
    return Predictions(
        labels=labels,
        multi_label=bool(manifest["multi_label"]),
        probabilities=column("probabilities", "<f4", rows, width),
        margins=column("margins", "<f4", rows),
        entropies=column("entropies", "<f4", rows),
        columns=column("columns", "<i4", rows, width) if sparse else None,
        remainder=column("remainder", "<f4", rows) if sparse else None,
    )
