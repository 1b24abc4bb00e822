"""Tables, plots and figures from measured curves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.figures import Figure
from bench.selection import figures as f
from bench.selection import filed, plots, rivals
from bench.selection.filed import Cell, Task

DEFAULT, YARDSTICK, CHANCE = "mixed", "margin-diverse", "random"
LIBRARIES = ("small-text", "scikit-activeml")
FAR = 0.03
FEWEST_SEEDS = 2  # fewer paired seeds give no interval


@dataclass(kw_only=True)
class Table:
    """One set from one start: curves by strategy and seed, and why others have none."""

    name: str
    start: str
    full: float
    note: str
    labels: list[int]
    scores: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    measured: set[str] = field(default_factory=set)

    def pair(self, one: str, other: str) -> tuple[f.Curves, f.Curves] | None:
        """(seeds, rounds) of both over the seeds that both have; None for too few."""
        mine, theirs = self.scores.get(one, {}), self.scores.get(other, {})
        both = sorted(mine.keys() & theirs.keys())
        if len(both) < FEWEST_SEEDS:
            return None
        return np.array([mine[s] for s in both]), np.array([theirs[s] for s in both])

    def curves(self, strategy: str) -> f.Curves:
        """(seeds, rounds) of one strategy."""
        found = self.scores[strategy]
        return np.array([found[seed] for seed in sorted(found)])

    def far_behind(self, strategy: str) -> bool:
        """Whether the default is better by FAR with an interval that leaves no doubt which."""
        both = self.pair(DEFAULT, strategy)
        if both is None:
            return False
        mean, low, _ = gain(self, both)
        return mean > FAR and low > 0


def tables(found: dict[Task, Cell]) -> list[Table]:
    """Curves in tables, sets and starts in the order in which they come."""
    made: dict[tuple[str, str], Table] = {}
    for task, curve in sorted(found.items(), key=lambda item: item[0].seed):
        key = (task.name, task.start)
        if key not in made:
            about = filed.about(task.name)
            words = {word: about[word] for word in ("full", "note", "labels")}
            made[key] = Table(name=task.name, start=task.start, **words)
        table = made[key]
        table.measured.add(curve["on"])
        if "error" in curve:
            table.errors[task.strategy] = curve["error"]
            continue
        table.scores.setdefault(task.strategy, {})[task.seed] = curve["score"]
        table.seconds.setdefault(task.strategy, []).append(curve["pick"])
    return [made[key] for key in sorted(made)]


def show(found: Iterable[Table]) -> None:
    """Print one table per set and start, the best area first."""
    for table in found:
        print(
            f"\n## {table.name}, {table.start} start: {table.note}; all labels {table.full:.4f}\n"
        )
        print(
            "| strategy | seeds | area | mixed minus it (95 %) | labels to 90 % | 95 % | CPU s a pick |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for strategy in sorted(table.scores, key=lambda name: -_mean_area(table, name)):
            print(_line(table, strategy))
        for strategy, why in sorted(table.errors.items()):
            if strategy not in table.scores:
                print(f"| {strategy} | | {why} | | | | |")
        for twin, other in rivals.TWINS.items():
            _tell_twin(table, twin, other)
        print("\nMeasured " + "; ".join(sorted(table.measured)))


def _tell_twin(table: Table, twin: str, other: str) -> None:
    mine, theirs = table.scores.get(twin, {}), table.scores.get(other, {})
    both = sorted(mine.keys() & theirs.keys())
    if both:
        apart = max(float(np.abs(np.subtract(mine[s], theirs[s])).max()) for s in both)
        print(f"\n{twin} beside {other}, seeds {both}: scores {apart:.4f} apart at most")


def _mean_area(table: Table, strategy: str) -> float:
    return float(f.area(table.labels, table.curves(strategy)).mean())


def _line(table: Table, strategy: str) -> str:
    row = f.row(table.labels, table.curves(strategy), table.seconds[strategy], table.full)
    against = ""
    both = None if strategy == DEFAULT else table.pair(DEFAULT, strategy)
    if both is not None:
        mean, low, high = gain(table, both)
        verdict = "better" if low > 0 else "worse" if high < 0 else "tied"
        against = f"{verdict}: {mean:+.4f} ({low:+.4f} … {high:+.4f})"
    to_90, to_95 = (
        f"{row[key]:,.0f}" if np.isfinite(row[key]) else "not reached" for key in ("to_90", "to_95")
    )
    return (
        f"| {strategy} | {row['seeds']} | {row['area']:.4f} ± {row['spread']:.4f} | {against} "
        f"| {to_90} | {to_95} | {row['seconds']:.3f} |"
    )


def gain(table: Table, both: tuple[f.Curves, f.Curves]) -> tuple[float, float, float]:
    """Mean and 95 % interval of the first one's area minus the other's, paired by seed."""
    return f.paired(f.area(table.labels, both[0]) - f.area(table.labels, both[1]))


def plot(found: Iterable[Table], folder: Path) -> None:
    """One SVG per set and start: ours, chance, the yardstick, and the best of each library."""
    for table in found:
        shown = [x for x in (DEFAULT, YARDSTICK, "margin", CHANCE) if x in table.scores]
        for library in LIBRARIES:
            theirs = [x for x in table.scores if x.startswith(f"{library}:")]
            if theirs:
                shown.append(max(theirs, key=lambda name: _mean_area(table, name)))
        lines = [(name, table.labels, table.curves(name)) for name in shown]
        if lines:
            marks = {f"{round(100 * s)} % of all labels": s * table.full for s in f.SHARES}
            path = folder / f"{table.name}-{table.start}.svg"
            plots.draw(path, f"{table.name}, {table.start} start", lines, marks)


def figures(found: Iterable[Table]) -> list[Figure]:
    """What the default must reach, per set and start."""
    made: list[Figure] = []
    for table in found:
        if DEFAULT not in table.scores:
            continue
        stem = f"selection.{table.name}.{table.start}"
        made += _efficiency(table, stem)
        made += _against_chance(table, stem)
        made += _against_libraries(table, stem)
    return made


def _efficiency(table: Table, stem: str) -> list[Figure]:
    """Labels to 90 and 95 % as a share of the yardstick's; targets on banking77 only."""
    both = table.pair(DEFAULT, YARDSTICK)
    if both is None:
        return []
    made = []
    for share in f.SHARES:
        value, low, high = f.fewer_labels(table.labels, *both, share * table.full)
        name = f"{stem}.labels_to_{round(100 * share)}.of_margin_diverse"
        aim = {"op": "<=", "target": 1.0} if table.name == "banking77" else {}
        made.append(Figure(name=name, value=round(value, 3), unit="times", **aim))  # type: ignore[arg-type]
        print(f"{name}: {value:.3f} ({low:.3f} … {high:.3f}), {len(both[0])} seeds")
    return made


def _against_chance(table: Table, stem: str) -> list[Figure]:
    both = table.pair(DEFAULT, CHANCE)
    if both is None:
        return []
    mean, low, high = gain(table, both)
    print(f"{stem}.area.minus_random: {mean:+.4f} ({low:+.4f} … {high:+.4f})")
    _, end = f.worst_budget(*both)
    return [
        Figure(
            name=f"{stem}.area.minus_random",
            value=round(100 * mean, 2),
            unit="points",
            op=">=",
            target=0,
        ),
        Figure(
            name=f"{stem}.worst_budget.upper_end.minus_random",
            value=round(100 * end, 2),
            unit="points",
            op=">=",
            target=100 * f.WORST,
        ),
    ]


def _against_libraries(table: Table, stem: str) -> list[Figure]:
    """The upper end of the interval against the library's strategy that does best."""
    made = []
    for library in LIBRARIES:
        gains = {}
        for strategy in table.scores:
            both = table.pair(DEFAULT, strategy)
            if strategy.startswith(f"{library}:") and both is not None:
                gains[strategy] = gain(table, both)
        if not gains:
            continue
        best = min(gains, key=lambda name: gains[name][0])
        mean, low, high = gains[best]
        print(f"{stem}: minus {best} {mean:+.4f} ({low:+.4f} … {high:+.4f}), of {len(gains)}")
        made.append(
            Figure(
                name=f"{stem}.area.upper_end.minus_best_of.{library}",
                value=round(100 * min(gain[2] for gain in gains.values()), 2),
                unit="points",
                op=">=",
                target=0,
            )
        )
    return made
