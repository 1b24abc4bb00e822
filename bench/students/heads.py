"""Heads on the same MiniLM vectors and labels: as a project trains them, by the answers alone, without what
labels are called, and scikit-learn's."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.figures import Figure, code_hash
from bench.students import filed
from bench.students.head_cells import BEST_F1, RIVALS, SHIPPED, Scores, measure
from bench.students.sets import SETS, Texts, load

SHOTS = (8, 16, 32, 64, 0)  # labels per class; 0 is all
SEEDS = {"quick": range(10, 13), "full": range(10, 20)}  # those below were seen in development
OF_ALL = 3  # seeds of a cell with all labels, where only the sample differs
CODE = tuple(f"learning/students/{name}.py" for name in ("head", "regression", "strength", "lbfgs"))
MEASURED = (
    *CODE,
    *("learning/students/decision.py", "learning/students/unlabelled.py"),
    "bench/students/sets.py",
    "bench/students/head_cells.py",
)
NOISE = -1.0  # points below scikit-learn's better one that say nothing
STUDENT_T = {3: 4.303, 10: 2.262}  # two-sided 95 %, by seeds


def figures(grid: str) -> list[Figure]:
    """Measure every cell that is not filed, print the tables, and compare with scikit-learn."""
    made = []
    for name in SETS:
        data, cells = load(name, "full"), {}
        for shots in SHOTS:
            cells[shots] = [_cell(data, shots, seed) for seed in _seeds(shots, grid)]
        for told in data.told:
            _print(name, told, cells)
        made += [_against(name, data.told[0], shots, found) for shots, found in cells.items()]
    return made


def _seeds(shots: int, grid: str) -> range:
    return SEEDS[grid] if shots else SEEDS[grid][:OF_ALL]


def _print(name: str, told: str, cells: dict[int, list[Scores]]) -> None:
    ways = list(cells[SHOTS[0]][0])
    ours = BEST_F1 if BEST_F1 in ways and told.endswith("f1") else SHIPPED
    print(f"\n| {name}, {told} | " + " | ".join(ways) + f" | {ours} − the better sklearn |")
    print("| --- " * (len(ways) + 2) + "|")
    for shots, found in cells.items():
        means = [np.mean([one[way][told] for one in found]) for way in ways]
        mean, half = _difference(found, told, ours)
        line = " | ".join(f"{x:.3f}" for x in means)
        print(f"| {shots or 'all'} | {line} | {mean:+.3f} ± {half:.3f} |", flush=True)


def _difference(found: list[Scores], told: str, ours: str = SHIPPED) -> tuple[float, float]:
    """Mean over seeds of our head less the rival that is better on average, and half its 95 % interval."""
    table = {way: np.array([one[way][told] for one in found]) for way in found[0]}
    best = max(RIVALS, key=lambda rival: float(table[rival].mean()))
    apart = table[ours] - table[best]
    half = STUDENT_T[len(apart)] * apart.std(ddof=1) / np.sqrt(len(apart))
    return float(apart.mean()), float(half)


def _against(name: str, told: str, shots: int, found: list[Scores]) -> Figure:
    return Figure(
        name=f"students.head.{name}.{shots or 'all'}.minus_sklearn",
        value=round(100 * _difference(found, told)[0], 2),
        unit="points",
        op=">=",
        target=NOISE,
    )


def _cell(data: Texts, shots: int, seed: int) -> Scores:
    code = code_hash(*MEASURED)
    return filed.kept(data.name, shots, seed, code, partial(measure, data, shots, seed))
