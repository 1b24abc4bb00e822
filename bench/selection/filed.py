"""Measured curves as text files of the repository: one file a set, one line a curve.

They are dear, and small: a clone prints the tables at once, and a run goes on where the last one
stopped. The first line tells of the set; a cell says which code, day and machine it is from.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench import lines

FOLDER = Path(__file__).with_name("measured")
DIGITS = 4

Cell = dict[str, Any]  # code, on, and score and pick (mean CPU seconds), or error


@dataclass(frozen=True, kw_only=True, order=True)
class Task:
    """One curve: our strategies by their names, rivals as library:name."""

    name: str
    start: str
    strategy: str
    seed: int


@cache
def about(name: str) -> Cell:
    """labels (r,), full, note, code of a set; empty where nothing is filed."""
    found = lines.read(_path(name))
    return found[0] if found else {}


@cache
def cells(name: str) -> dict[Task, Cell]:
    """All curves of a set; what `put` adds is in it."""
    found = {}
    for cell in lines.read(_path(name))[1:]:
        key = {word: cell.pop(word) for word in ("start", "strategy", "seed")}
        found[Task(name=name, **key)] = cell
    return found


def describe(name: str, **words: Any) -> None:
    """File what is true of the whole set."""
    about(name).clear()
    about(name).update(words)
    _write(name)


def put(task: Task, cell: Cell, code: str) -> None:
    """File one curve in the place of an older one."""
    cells(task.name)[task] = {"code": code, "on": lines.here(), **_short(cell)}
    _write(task.name)


def _path(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"


def _write(name: str) -> None:
    rows = [
        {"start": task.start, "strategy": task.strategy, "seed": task.seed, **cell}
        for task, cell in sorted(cells(name).items(), key=lambda item: item[0])
    ]
    lines.write(_path(name), [about(name), *rows])


def _short(cell: Cell) -> Cell:
    return {
        key: [round(x, DIGITS) for x in value] if isinstance(value, list) else value
        for key, value in cell.items()
    }
