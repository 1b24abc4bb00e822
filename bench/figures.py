"""Figures with targets: how every bench speaks, and how it keeps what it has measured."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number beside what it should be; without a target it is only told."""

    name: str
    value: float
    unit: str
    op: Literal["<=", ">=", ""] = ""
    target: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        if not self.op:
            return True
        return self.value <= self.target if self.op == "<=" else self.value >= self.target

    def line(self) -> str:
        """What the bench prints at its end."""
        verdict = "ok" if self.ok else "short"
        target = f"{self.op}{self.target:g}" if self.op else "none"
        return f"FIGURE {self.name} {self.value:g} {self.unit} target {target} {verdict}"


def gains(name: str, points: Sequence[float], least: float) -> list[Figure]:
    """What something buys over several cells: in the mean not below 0, and at worst not below `least`."""
    return [
        Figure(
            name=f"{name}.mean_gain",
            value=round(sum(points) / len(points), 2),
            unit="points",
            op=">=",
            target=0.0,
        ),
        Figure(
            name=f"{name}.least_gain",
            value=round(min(points), 2),
            unit="points",
            op=">=",
            target=least,
        ),
    ]


def conclude(bench: str, grid: str, figures: Iterable[Figure]) -> list[Figure]:
    """Print one line per figure and write them all to bench/results/<bench>-<grid>.json."""
    found = list(figures)
    for figure in found:
        print(figure.line())
    content = {
        "bench": bench,
        "grid": grid,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "figures": [{**asdict(figure), "ok": figure.ok} for figure in found],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{bench}-{grid}.json").write_text(json.dumps(content, indent=1) + "\n")
    return found


def kept(key: str, code: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result filed under `key` if the same code measured it; else measure and file it."""
    path = RESULTS / f"{key}.json"
    if path.exists():
        filed: dict[str, Any] = json.loads(path.read_text())
        if filed.pop("code", None) == code:
            return filed
    result = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**result, "code": code}) + "\n")
    fresh.replace(path)  # a bench that is killed leaves whole results only
    return result


def code_hash(*places: str) -> str:
    """A hash of Python files of the repository, named themselves or by their folder."""
    digest = hashlib.sha256()
    for place in places:
        files = [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py")
        for path in sorted(files):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def commit() -> str:
    """The commit that is checked out, with a plus when files differ from it."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run(  # noqa: S603 - git, with our own words
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(  # noqa: S603 - likewise
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    )
    return head.stdout.strip()[:12] + ("+" if changed.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.platform(),
    }
