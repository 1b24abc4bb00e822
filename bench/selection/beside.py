"""One table a start: the default's area minus each rival's, set by set, as docs/selection.md has it.

python -m bench.selection.beside
"""

from bench.selection import measure, report
from bench.selection.loop import STARTS
from bench.selection.main import SEEDS, grid_of
from bench.selection.report import Table

SEVERAL = "goemotions"  # has rivals of its own, and a table of its own


def main() -> None:
    """Print the tables of what is filed."""
    found = report.tables(measure.found(grid_of("full")))
    for start in STARTS:
        of_start = [table for table in found if table.start == start]
        _print(start, [table for table in of_start if table.name != SEVERAL])
    _print(SEVERAL, [table for table in found if table.name == SEVERAL])


def _print(title: str, tables: list[Table]) -> None:
    if not tables:
        return
    named = {table.start if title == table.name else table.name: table for table in tables}
    print(f"\n| strategy, {title} | " + " | ".join(named) + " |")
    print("| --- " * (len(named) + 1) + "|")
    for rival in sorted(_rivals(tables)):
        cells = [_cell(table, rival) for table in named.values()]
        print(f"| {rival} | " + " | ".join(cells) + " |")


def _rivals(tables: list[Table]) -> set[str]:
    """All that was compared on two seeds somewhere, or went over its limit."""
    known = {name for table in tables for name in (*table.scores, *table.errors) if ":" in name}
    return {name for name in known | {report.CHANCE} if any(_cell(t, name) != "—" for t in tables)}


def _cell(table: Table, rival: str) -> str:
    both = table.pair(report.DEFAULT, rival)
    if both is None:
        return table.errors.get(rival, "—")
    mean, low, high = report.gain(table, both)
    verdict = "better" if low > 0 else "worse" if high < 0 else "tied"
    seeds = "" if len(both[0]) == len(SEEDS["full"]) else f", {len(both[0])} seeds"
    limit = f"; then {table.errors[rival]}" if rival in table.errors else ""
    told = f"{verdict} {mean:+.4f} ({low:+.4f} … {high:+.4f}){seeds}{limit}"
    return told.replace("-", "−")


if __name__ == "__main__":
    main()
