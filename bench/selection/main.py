"""Bench of selection: labels that a given accuracy costs, ours beside two libraries'.

`make bench ONLY=selection GRID=quick|full`; WORKERS says how many processes (one per core). Every
curve is filed in bench/selection/measured, so a run which is stopped goes on where it was. To fill
parts of the grid, or print the tables of what is filed:

    python -m bench.selection.main --grid full --sets trec6 --seeds 3 --strategies mixed
    python -m bench.selection.main --grid full --filed
"""

import argparse
from collections.abc import Iterable, Sequence

from bench.figures import RESULTS, Figure, conclude
from bench.learning.vectors import datasets_folder
from bench.selection import margin_speed, measure, report, rivals, sets
from bench.selection.filed import Cell, Task
from bench.selection.loop import STARTS
from learning.selection import STRATEGIES
from learning.tasks import TASKS

SEEDS = {"quick": range(10, 13), "full": range(10, 20)}  # 0 … 9 were seen in development
FIRST = 3  # seeds of everything, before any has the rest
QUICK_OURS = ("random", "margin", "margin-diverse", "mixed")
QUICK_RIVALS = (
    "small-text:breaking-ties",
    "small-text:least-confidence",
    "scikit-activeml:margin",
    "scikit-activeml:falcun",
)


def run(grid: str) -> list[Figure]:
    """Measure what is not filed yet, print the tables, save the plots, return the figures."""
    tasks = grid_of(grid)
    if datasets_folder() is None:
        print("DATASETS names no folder with data sets: only what is filed is told.")
        return _figures(grid, measure.found(tasks))
    first = set(SEEDS[grid][:FIRST])
    _measure(task for task in tasks if task.seed in first)
    _measure(_undecided_first(tasks))
    return _figures(grid, measure.found(tasks))


def grid_of(grid: str) -> list[Task]:
    """Every curve of a grid, the first seeds first, so that a stopped run is a smaller grid.

    Of a rival that picks what another picks, the first seed only.
    """
    starts = ("k-means",) if grid == "quick" else tuple(STARTS)
    return [
        Task(name=name, start=start, strategy=strategy, seed=seed)
        for seed in SEEDS[grid]
        for start in starts
        for name in sets.SETS
        for strategy in strategies_for(name, grid)
        if seed == SEEDS[grid][0] or strategy not in rivals.TWINS
    ]


def strategies_for(name: str, grid: str) -> list[str]:
    """Ours that fit the set's task, then the rivals'."""
    task = TASKS.create("multi" if name == "goemotions" else "single")
    ours = [x for x in STRATEGIES if x in task.strategies] if grid == "full" else [*QUICK_OURS]
    theirs = list(rivals.RIVALS if grid == "full" else QUICK_RIVALS)
    if name == "goemotions" and grid == "full":
        theirs += rivals.SEVERAL_LABELS
    return ours + theirs


def _undecided_first(tasks: Iterable[Task]) -> list[Task]:
    """What is far behind the default on the first seeds comes last; else the cheap ones first."""
    wanted = list(tasks)
    made = {(x.name, x.start): x for x in report.tables(measure.found(wanted))}

    def place(task: Task) -> tuple[bool, float, str]:
        table = made[task.name, task.start]
        seconds = table.seconds.get(task.strategy, [0.0])
        return table.far_behind(task.strategy), max(seconds), task.strategy

    return sorted(wanted, key=place)


def _measure(tasks: Iterable[Task]) -> None:
    if not rivals.installed():
        print("Without `make install-bench` only our own strategies are measured.")
        tasks = [task for task in tasks if ":" not in task.strategy]
    measure.run_all(tasks)


def _figures(grid: str, found: dict[Task, Cell]) -> list[Figure]:
    tables = report.tables(found)
    report.show(tables)
    report.plot(tables, RESULTS / "selection")
    return conclude("selection", grid, report.figures(tables) + margin_speed.figures())


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill part of a grid, or print what is filed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", choices=sorted(SEEDS), default="full")
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--starts", nargs="*")
    parser.add_argument("--strategies", nargs="*")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--filed", action="store_true", help="measure nothing")
    chosen = parser.parse_args(arguments)
    tasks: Iterable[Task] = (
        task
        for task in grid_of(chosen.grid)
        if task.name in (chosen.sets or [task.name])
        and task.start in (chosen.starts or [task.start])
        and task.strategy in (chosen.strategies or [task.strategy])
        and (chosen.seeds is None or task.seed in SEEDS[chosen.grid][: chosen.seeds])
    )
    if chosen.filed:
        _figures(f"{chosen.grid}-filed", measure.found(tasks))
    else:
        _measure(tasks)


if __name__ == "__main__":
    main()
