"""Measured cells as text files of the repository: one file a table and set, one line a cell.

They are dear, and small: a clone prints the table at once, and a run goes on where the last one
stopped. A line says which code, day and machine it is from.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import lines

FOLDER = Path(__file__).with_name("measured")
DIGITS = 4

Cell = dict[str, Any]  # per_label, seed, code, on, and scores: way -> figure -> value
Key = tuple[int, int, str]


def kept(
    name: str, per_label: int, seed: int, code: str, measure: Callable[[], Cell], *, way: str = ""
) -> Cell:
    """The scores filed for a table and set, so many labels of each class and a seed, and a way where ways are
    measured one by one, if the same code measured them; else measured and filed in the place of older ones."""
    cells = _cells(name)
    key = per_label, seed, way
    if key not in cells or cells[key]["code"] != code:
        scores = {
            way: {figure: round(value, DIGITS) for figure, value in found.items()}
            for way, found in measure().items()
        }
        cells = _cells(name)  # others may have filed meanwhile
        cells[key] = {
            "per_label": per_label,
            "seed": seed,
            **({"way": way} if way else {}),
            "code": code,
            "on": lines.here(),
            "scores": scores,
        }
        lines.write(_path(name), (cells[key] for key in sorted(cells)))
    found: Cell = cells[key]["scores"]
    return found


def _cells(name: str) -> dict[Key, Cell]:
    return {_key(cell): cell for cell in lines.read(_path(name))}


def _key(cell: Cell) -> Key:
    return cell["per_label"], cell["seed"], cell.get("way", "")


def _path(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"
