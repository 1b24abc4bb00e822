"""Bench of label quality: `make bench ONLY=quality GRID=quick|full`.

Runs the parts that are named here one after the other; each is runnable by itself, resumable, and
returns its figures. QUALITY=flags measures one part only.
"""

import importlib
import os

from bench.figures import Figure, conclude
from bench.learning.vectors import datasets_folder

PARTS = ("flags", "conformal", "consensus")


def run(grid: str) -> list[Figure]:
    """Measure what is not filed yet, print the tables, return the figures."""
    if datasets_folder() is None:
        print("SKIPPED quality: DATASETS names no folder with data sets.")
        return conclude("quality", grid, [])
    chosen = os.environ.get("QUALITY", " ".join(PARTS)).split()
    figures = [
        figure
        for part in chosen
        for figure in importlib.import_module(f"bench.quality.{part}").figures(grid)
    ]
    return conclude("quality", grid, figures)


if __name__ == "__main__":
    run("quick")
