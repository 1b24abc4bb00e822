"""Evidence on the labels of each case, gathered once and kept beside the vectors.

`python -m bench.quality.gathered [GRID]` gathers what is missing, so that a bench that is stopped goes
on where it was.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.figures import code_hash
from bench.learning.vectors import cache_folder
from bench.quality import sets
from learning.audit.detectors.evidence import Evidence, Near
from learning.audit.detectors.gathering import gather
from learning.students.folds import OutOfFold
from learning.types import TrainingData

FIRST_SEED = 10  # 0 and 1 were seen in development
RATES = (0.05, 0.1, 0.2)
KINDS = ("symmetric", "confusable")
CODE = (
    "bench/quality/sets.py",
    "learning/students",
    *(
        f"learning/audit/detectors/{name}.py"
        for name in ("gathering", "ridge", "temperature", "neighbours", "ensemble")
    ),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One set with one kind of wrong labels, and the seed of noise and folds."""

    name: str
    grid: str
    seed: int
    noise: sets.Noise | None = None

    @property
    def what(self) -> str:
        """The set and its noise, over all seeds."""
        spoilt = "as it is" if self.noise is None else f"{self.noise.kind} {self.noise.rate:.0%}"
        return f"{self.name} {spoilt}"

    @property
    def family(self) -> str:
        """Sets of one origin, which are left out together."""
        return self.name.split("_")[0]

    def load(self) -> sets.FlagSet:
        """The set with its wrong labels."""
        if self.noise is None:
            return sets.real(self.name)
        return sets.spoilt(self.name, self.noise, self.seed, self.grid)


def cases(grid: str) -> list[Case]:
    """All of a grid with as many seeds as SEEDS says, the first ones first."""
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + int(os.environ.get("SEEDS", "5"))):
        found += [Case(name=name, grid=grid, seed=seed) for name in sets.REAL]
        found += [
            Case(name=name, grid=grid, seed=seed, noise=sets.Noise(kind=kind, rate=rate))
            for rate in RATES
            for kind in KINDS
            for name in sets.INJECTED
        ]
    return found


@cache
def _code() -> str:
    return code_hash(*CODE)


def _path(case: Case) -> Path:
    name = f"{case.what} {case.grid} {case.seed} {_code()}".replace(" ", "-").replace("%", "")
    return cache_folder().parent / "evidence" / f"{name}.npz"


def evidence(case: Case) -> tuple[Evidence, sets.FlagSet]:
    """What students that never saw them say of the labels of a case, and the case itself."""
    given = case.load()
    path = _path(case)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new.npz")
        _gather(given, case.seed, fresh)
        fresh.replace(path)
    with np.load(path, allow_pickle=False) as kept:
        return Evidence(
            labels=given.labels,
            held_out=OutOfFold(
                probabilities=kept["training"][int(kept["best"])], fold=kept["fold"]
            ),
            training=kept["training"],
            students=kept["students"],
            cleaned=kept["cleaned"],
            encodings=given.encodings,
            judges=given.judges,
            multi_label=given.multi_label,
            label_names=given.names,
            near=Near(rows=kept["near"], cosine=kept["cosine"]),
        ), given


def _gather(given: sets.FlagSet, seed: int, path: Path) -> None:
    found = gather(
        TrainingData(
            targets=given.labels, encodings=given.encodings, multi_label=given.multi_label
        ),
        np.random.default_rng(seed),
    )
    assert found.training is not None
    best = [np.array_equal(table, found.probabilities) for table in found.training].index(True)
    np.savez(
        path,
        fold=found.held_out.fold,
        training=found.training,
        best=best,
        students=found.students,
        cleaned=found.cleaned,
        near=found.neighbours.rows,
        cosine=found.neighbours.cosine,
    )


def gather_all(grid: str) -> Iterator[Case]:
    """Every case, its evidence gathered."""
    every = cases(grid)
    for place, case in enumerate(every, start=1):
        if not _path(case).exists():
            evidence(case)
            print(f"{place} of {len(every)} cases: {case.what}, seed {case.seed}", flush=True)
        yield case


if __name__ == "__main__":
    for _ in gather_all(sys.argv[1] if len(sys.argv) > 1 else "quick"):
        pass
