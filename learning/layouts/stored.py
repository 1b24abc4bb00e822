"""A drawn map as one file: safetensors with its facts beside the arrays, replaced in one step."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError
from learning.layouts import Drawn
from learning.storage import write_bytes

VERSION = 1
GRID = 65_534  # the paper is 0 … GRID wide and high, in whole numbers: the same for every reader
NOWHERE = 65_535


@dataclass(frozen=True, kw_only=True)
class StoredMap:
    """A map with its regions.

    name: changes with every drawing, not when items are added.
    regions: (n,) of each item, −1 without a place; centres: (k, 2); words: k lists.
    drawn_rows: how many rows there were when it was drawn.
    """

    name: str
    drawn: Drawn
    regions: NDArray[np.int16]
    centres: NDArray[np.float32]
    words: list[list[str]]
    drawn_rows: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many items it knows: 0 … rows - 1."""
        return len(self.regions)

    def on_grid(self) -> NDArray[np.uint16]:
        """(n, 2) places as whole numbers, NOWHERE twice for an item that has none. None lies on the
        edge of the paper, so an outline of all of it holds them all.
        """
        there = np.isfinite(self.drawn.xy).all(axis=1)
        found = np.full(self.drawn.xy.shape, NOWHERE, dtype=np.uint16)
        found[there] = (1 + np.rint(self.drawn.xy[there] * (GRID - 2))).astype(np.uint16)
        return found

    def without(self, number: int, words: set[str]) -> "StoredMap":
        """The map after an item is forgotten: its place, and its own words in its region's name; in all
        names where it was taken off the map before and its region is not known.
        """
        xy, regions, named = self.drawn.xy.copy(), self.regions.copy(), list(self.words)
        own = int(regions[number])
        for region in range(len(named)) if own < 0 else (own,):
            named[region] = [word for word in named[region] if word not in words]
        xy[number], regions[number] = np.nan, -1
        return replace(self, drawn=replace(self.drawn, xy=xy), regions=regions, words=named)


def save(path: Path, stored: StoredMap) -> None:
    """Write a map; a reader sees the former one or this one."""
    from safetensors.numpy import save as as_bytes

    given: dict[str, NDArray[Any]] = {
        "xy": stored.drawn.xy,
        "mean": stored.drawn.mean,
        "axes": stored.drawn.axes,
        "landmarks": stored.drawn.landmarks,
        "regions": stored.regions,
        "centres": stored.centres,
    }
    arrays = {name: np.ascontiguousarray(each) for name, each in given.items()}
    told = {
        "version": VERSION,
        "name": stored.name,
        "words": stored.words,
        "drawn_rows": stored.drawn_rows,
        "facts": dict(stored.facts),
        "sha256": _hash(arrays),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, as_bytes(arrays, metadata={"map": json.dumps(told, ensure_ascii=False)}))


def load(path: Path) -> StoredMap:
    """What `save` wrote. Raises FileNotFoundError, or DamagedFileError if it was changed since."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="np") as opened:
            told = json.loads((opened.metadata() or {}).get("map", "{}"))
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise DamagedFileError(f"{path} is not a map: {error}.") from error
    if told.get("version") != VERSION or told.get("sha256") != _hash(arrays):
        raise DamagedFileError(f"{path} was changed after it was drawn.")
    return StoredMap(
        name=told["name"],
        drawn=Drawn(
            xy=arrays["xy"],
            mean=arrays["mean"],
            axes=arrays["axes"],
            landmarks=arrays["landmarks"],
        ),
        regions=arrays["regions"],
        centres=arrays["centres"],
        words=told["words"],
        drawn_rows=told["drawn_rows"],
        facts=told["facts"],
    )


def _hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    summed = hashlib.sha256()
    for name in sorted(arrays):
        summed.update(name.encode())
        summed.update(np.ascontiguousarray(arrays[name]).tobytes())
    return summed.hexdigest()
