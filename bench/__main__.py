"""`python -m bench --only loop --grid quick`: run benchmarks and print their figures."""

from __future__ import annotations

import argparse
import importlib
import sys

# Name -> module whose run(grid) measures, prints its figures and returns them.
BENCHES = {
    "loop": "bench.loop.run",
    "learning": "bench.learning.main",
    "encode": "bench.encode",
    "finetune": "bench.finetune",
    "training": "bench.training",
    "selection": "bench.selection.main",
    "advice": "bench.advice.main",
    "quality": "bench.quality.main",
    "routing": "bench.routing.main",
    "spans": "bench.spans.main",
    "students": "bench.students.main",
    "formats": "bench.formats.main",
    "layouts": "bench.layouts.main",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHES), action="append")
    parser.add_argument("--grid", choices=["quick", "full"], default="quick")
    chosen = parser.parse_args()
    short = 0
    for name in chosen.only or BENCHES:
        figures = importlib.import_module(BENCHES[name]).run(chosen.grid)
        short += sum(not figure.ok for figure in figures)
    sys.stdout.write(f"{short} figures fall short of their target.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
