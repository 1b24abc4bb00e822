"""Measured things as text files of the repository: one JSON object a line, and where a line is from."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bench.figures import machine


def read(path: Path) -> list[dict[str, Any]]:
    """The objects of a file; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Replace the file: a run that is killed leaves whole files only."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    fresh.replace(path)


@cache
def here() -> str:
    """Day and machine, as a line names them."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine()['cpu']}"
