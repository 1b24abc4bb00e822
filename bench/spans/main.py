"""Bench of spans: `make bench ONLY=spans GRID=quick|full`.

F1 of the token head as texts are drawn at random or chosen, how well planted errors are found, whether what was foretold came, how many
hits of a search by type are right, and the fine-tuned tagger beside transformers' Trainer.
"""

import numpy as np

from bench.figures import Figure, conclude
from bench.learning.vectors import datasets_folder
from bench.spans import alike, foretold, tuned
from bench.spans.curves import LAST, curve, mean, needed, sets
from bench.spans.flags import precision
from bench.spans.sets import NAMES

# What chooses and what doubts was itself chosen on the seeds before these.
SEEDS = {"quick": range(2, 3), "full": range(2, 7)}
FLAG_SEEDS = {"quick": range(5, 8), "full": range(5, 15)}
FLAGGED_TEXTS = 1_000


def run(grid: str) -> list[Figure]:
    """Measure both sets, print the tables, return the figures."""
    if datasets_folder() is None:
        print("SKIPPED spans: DATASETS names no folder with data sets.")
        return conclude("spans", grid, [])
    made = [one for name in NAMES for one in _figures(name, grid)]
    return conclude("spans", grid, [*made, *alike.figures(grid), *tuned.figures(grid)])


def _figures(name: str, grid: str) -> list[Figure]:
    train, test = sets(name)
    seeds = SEEDS[grid]
    curves = {
        strategy: mean([curve(train, test, strategy, seed) for seed in seeds])
        for strategy in ("random", "mixed")
    }
    for strategy, points in curves.items():
        told = "  ".join(f"{texts}: {100 * f1:.1f}" for texts, f1 in points.items())
        print(f"{name} {strategy:7} {told}")
    goal = curves["random"][LAST]
    rows = np.random.default_rng(0).choice(train.marked.words.texts, FLAGGED_TEXTS, replace=False)
    part = train.marked.subset(np.sort(rows))
    flags = [precision(part, seed) for seed in FLAG_SEEDS[grid]]
    found = {way: float(np.mean([one[way] for one in flags])) for way in flags[0]}
    for way, one in found.items():
        print(f"{name} planted errors, {way}: {one:.3f}")
    return [
        Figure(name=f"spans {name} F1 random {LAST}", value=round(100 * goal, 2), unit="%"),
        Figure(
            name=f"spans {name} chosen texts for that F1",
            value=round(needed(curves["mixed"], goal)),
            unit="texts",
            op="<=",
            target=600,
        ),
        *_flags_above(name, found),
        *foretold.figures(name, train, test, len(seeds)),
    ]


def _flags_above(name: str, found: dict[str, float]) -> list[Figure]:
    """Average precision of our flags less that of each rival's best score; none is made up where cleanlab is not installed."""
    ours, alone = found["ours"], found["the tagger alone"]
    theirs = [one for way, one in found.items() if way not in {"ours", "the tagger alone"}]
    if not theirs:
        print("SKIPPED cleanlab's scores of tokens: `make install-bench` installs it.")
    rivals = {
        "the tagger alone": alone,
        **({"the best of cleanlab's": max(theirs)} if theirs else {}),
    }
    return [
        Figure(
            name=f"spans {name} flags above {rival}",
            value=round(ours - value, 4),
            unit="AP",
            op=">=",
            target=0.0,
        )
        for rival, value in rivals.items()
    ]


if __name__ == "__main__":
    run("quick")
