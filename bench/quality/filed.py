"""Measured cases as text files of the repository: one file a set, one line a case.

They are dear, and small: a clone prints the table at once, and a run goes on where the last one
stopped. A line says which code, day and machine it is from.
"""

from pathlib import Path
from typing import Any

from bench import lines
from bench.quality.gathered import Case

FOLDER = Path(__file__).with_name("measured")
DIGITS = 4

Cell = dict[str, Any]


def get(case: Case, code: str) -> Cell | None:
    """What this code measured of a case; None before it did."""
    cell = _cells(case).get(_key(case))
    return cell if cell is not None and cell["code"] == code else None


def put(case: Case, code: str, **words: Any) -> Cell:
    """File a case, or more about it, in the place of what older code said."""
    cells = _cells(case)
    fresh = {**(get(case, code) or {}), "what": case.what, "grid": case.grid, "seed": case.seed}
    cells[_key(case)] = fresh | {"code": code, "on": lines.here()} | _short(words)
    lines.write(_path(case), (cells[key] for key in sorted(cells)))
    return cells[_key(case)]


def _key(case: Case) -> tuple[str, str, int]:
    return case.what, case.grid, case.seed


def _cells(case: Case) -> dict[tuple[str, str, int], Cell]:
    found = lines.read(_path(case))
    return {(cell["what"], cell["grid"], cell["seed"]): cell for cell in found}


def _path(case: Case) -> Path:
    return FOLDER / f"{case.name}.jsonl"


def _short(value: Any) -> Any:
    """The same with rounded numbers."""
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value
