"""Measured cases as text files of the repository: one file a set, one line a case.

They are dear, and small: a clone prints the table at once, and a run goes on where the last one
stopped. A line says which code, day and machine it is from.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import machine
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
    on = f"{datetime.now(UTC):%Y-%m-%d}, {machine()['cpu']}"
    cells[_key(case)] = fresh | {"code": code, "on": on} | _short(words)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{case.name}.jsonl"
    lines = [json.dumps(cells[key], separators=(",", ":")) for key in sorted(cells)]
    path.with_suffix(".new").write_text("\n".join(lines) + "\n")
    path.with_suffix(".new").replace(path)  # a run that is killed leaves whole files only
    return cells[_key(case)]


def _key(case: Case) -> tuple[str, str, int]:
    return case.what, case.grid, case.seed


def _cells(case: Case) -> dict[tuple[str, str, int], Cell]:
    path = FOLDER / f"{case.name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    cells = [json.loads(line) for line in lines]
    return {(cell["what"], cell["grid"], cell["seed"]): cell for cell in cells}


def _short(value: Any) -> Any:
    """The same with rounded numbers."""
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value
