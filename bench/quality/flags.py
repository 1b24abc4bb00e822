"""Wrong labels found: every detector beside cleanlab's scores, on the same held-out probabilities.

Each case is filed in bench/quality/measured, so a run that is stopped goes on where it was. The
combination's prior is fitted on the other sets each time. `python -m bench.quality.flags --prior` fits it
on all of them, which is what is shipped; `--filed` prints what is filed and measures nothing.
"""

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT, Figure, code_hash, conclude, kept
from bench.quality import filed
from bench.quality.gathered import Case, cases, evidence
from learning.audit.detectors import DETECTORS
from learning.audit.detectors.belief import Belief
from learning.audit.detectors.combined import PARTS, features
from learning.audit.detectors.scoring import applicable, score

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
WORKER = Path(__file__).with_name("cleanlab_worker.py")
CODE = ("bench/quality/gathered.py", "bench/quality/sets.py", "learning/audit/detectors")
NEXT = 50
# Without sets to fit them on: judges weigh half as much as the blend, the others can be learnt.
JUDGES, LEARNABLE = (0.5, 0.3), (0.0, 0.08)

Scores = dict[str, NDArray[np.float64]]
Found = dict[str, Any]


def figures(grid: str) -> list[Figure]:
    """Measure every case that is not filed yet, print the table, return the figures."""
    every = cases(grid)
    lines = {}
    for place, case in enumerate(every, start=1):
        lines[case] = measured(case)
        print(f"flags: {place} of {len(every)} cases", flush=True)
    return _report(every, lines, {case: combined(case, lines) for case in every})


def filed_figures(grid: str) -> list[Figure]:
    """The same of the cases that are filed; nothing is measured."""
    found = {case: filed.get(case, code_hash(*CODE)) for case in cases(grid)}
    lines = {case: line for case, line in found.items() if line is not None}
    print(f"Filed are {len(lines)} of {len(found)} cases.")
    return _report(list(lines), lines, {case: combined(case, lines) for case in lines})


def measured(case: Case) -> Found:
    """The figures of a case, from the repository where the code is still the same."""
    code = code_hash(*CODE)
    line = filed.get(case, code)
    if line is None:
        found = _table(case)
        line = filed.put(case, code, figures=found["figures"], slope=found["slope"])
    return line


def combined(case: Case, lines: Mapping[Case, Found]) -> Found:
    """What the combination does on a case, with a prior from the other sets that are measured."""
    others = [line["slope"] for other, line in lines.items() if other.family != case.family]
    told: Found = lines[case].get("combined", {})
    if told.get("others") != len(others):
        told = {**_combined(case, others), "others": len(others)}
        filed.put(case, code_hash(*CODE), combined=told)
    return told


def _table(case: Case) -> Found:
    """What `measure` tells, which is large, from a file of this machine if it is there."""
    name = f"{case.what}-{case.grid}-{case.seed}".replace(" ", "-").replace("%", "")
    return kept(f"quality/flags/{name}", code_hash(*CODE), partial(measure, case))


def measure(case: Case) -> Found:
    """What one case tells: the figures of each score, and what the combination is fitted on."""
    found, given = evidence(case)
    asked = given.labels > 0.5 if given.multi_label else np.ones(len(given.labels), dtype=np.bool_)
    wrong = given.wrong[asked]
    ours = {
        name: score(DETECTORS.create(name), found)[asked]
        for name in applicable(found)
        if name != "combined"
    }
    theirs = {f"cleanlab:{name}": s[asked] for name, s in _cleanlab(found).items()}
    table = features(ours)
    return {
        "figures": {name: _judged(s, wrong) for name, s in {**ours, **theirs}.items()},
        "slope": _calibrated(table[:, 1], wrong),
        "table": np.round(table, 4).tolist(),
        "wrong": wrong.tolist(),
    }


def _judged(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Average precision, recall at the true number, and precision at 50."""
    hits = wrong[np.argsort(scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return {
        "ap": float(precision[hits].mean()),
        "recall": float(hits[: int(hits.sum())].mean()),
        "at50": float(hits[:NEXT].mean()),
    }


def _calibrated(against: NDArray[np.float64], wrong: NDArray[np.bool_]) -> list[float]:
    """Intercept and slope of the blend's log-odds on this case."""
    flat = Belief(mean=np.array([0.0, 1.0]), covariance=100 * np.eye(2))
    table = np.stack([np.ones(len(against)), against], axis=1)
    return flat.learn(table, wrong).mean.tolist()


def prior_of(slopes: Iterable[list[float]]) -> dict[str, list[float]]:
    """Means and deviations of the weights over cases: an empirical Bayes prior."""
    seen = np.array(list(slopes))
    rest = len(PARTS) - 2
    return {
        "mean": [*seen.mean(axis=0).round(2).tolist(), JUDGES[0], *[LEARNABLE[0]] * rest],
        "deviation": [*seen.std(axis=0).round(2).tolist(), JUDGES[1], *[LEARNABLE[1]] * rest],
    }


def _combined(case: Case, slopes: list[list[float]]) -> Found:
    """The combination on a case with a prior from these slopes of other sets."""
    prior = prior_of(slopes)
    belief = Belief(mean=np.array(prior["mean"]), covariance=np.diag(np.square(prior["deviation"])))
    known = _table(case)
    table, wrong = np.array(known["table"]), np.array(known["wrong"])
    chance = belief.chance(table)
    found = _judged(-chance, wrong)
    first = np.argsort(-chance, kind="stable")
    seen, then = first[:NEXT], first[NEXT : 2 * NEXT]
    told = belief.learn(table[seen], wrong[seen]).precision(
        table[then], np.random.default_rng(case.seed)
    )
    actual = float(wrong[then].mean())
    return {
        **found,
        "covered": bool(told.low <= actual <= told.high),
        "off": (told.value or 0) - actual,
    }


@cache
def _worker() -> "subprocess.Popen[str]":
    """One process for all cases: cleanlab takes longer to import than to score."""
    return subprocess.Popen(  # noqa: S603 - our own worker
        [PYTHON, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _cleanlab(found: Any) -> Scores:
    """cleanlab's scores of the shape of the labels; none where it is not installed."""
    if not PYTHON.exists():
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        labels = found.labels if found.multi_label else found.given
        np.savez(path, labels=labels.astype(np.int64), probabilities=found.probabilities)
        worker = _worker()
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{path}\n")
        worker.stdin.flush()
        if worker.stdout.readline().strip() != str(path):
            raise RuntimeError("The worker for cleanlab ended; its words are above.")
        with np.load(f"{path}.scores.npz", allow_pickle=False) as scores:
            return {name: scores[name] for name in scores.files}


def _report(
    every: list[Case], lines: Mapping[Case, Found], combined: Mapping[Case, Found]
) -> list[Figure]:
    """Means over seeds by case, cleanlab's best of them picked afterwards."""
    names = [name for name in DETECTORS if name != "combined"]
    by_what: dict[str, list[Case]] = defaultdict(list)
    for case in every:
        by_what[case.what].append(case)
    ours: dict[str, float] = {}
    gaps: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = {}
    print("| case | combined AP (recall, at 50) | best of cleanlab | best part | seeds |")
    print("|---|---|---|---|---|")
    for what, group in by_what.items():
        ours[what] = _mean(combined[case]["ap"] for case in group)
        told = [_mean(combined[case][part] for case in group) for part in ("recall", "at50")]
        means = {
            name: _mean(lines[case]["figures"][name]["ap"] for case in group)
            for name in lines[group[0]]["figures"]
        }
        rivals = {name: x for name, x in means.items() if name.startswith("cleanlab:")}
        parts[what] = {name: means[name] for name in names if name in means}
        part = max(parts[what], key=lambda name: parts[what][name])
        shown = "not installed"
        if rivals:
            best = max(rivals, key=lambda name: rivals[name])
            gaps[what] = ours[what] - rivals[best]
            shown = f"{rivals[best]:.3f} {best[9:]}"
        print(
            f"| {what} | {ours[what]:.3f} ({told[0]:.2f}, {told[1]:.2f}) | {shown} | "
            f"{parts[what][part]:.3f} {part} | {len(group)} |"
        )
    return _figures(ours, gaps, parts, combined)


def _figures(
    ours: Mapping[str, float],
    gaps: Mapping[str, float],
    parts: Mapping[str, Mapping[str, float]],
    combined: Mapping[Case, Found],
) -> list[Figure]:
    found = []
    if gaps:
        found.append(_figure("worst_minus_cleanlab_best", min(gaps.values()), "ap", ">=", -0.005))
        found.append(_figure("mean_minus_cleanlab_best", _mean(gaps.values()), "ap", ">=", 0))
        for name, least in (("trec6", 0.05), ("ag_news", 0.05), ("banking77", 0)):
            gap = gaps.get(f"{name} confusable 10%")
            if gap is not None:
                key = f"{name}.confusable_10.minus_cleanlab_best"
                found.append(_figure(key, gap, "ap", ">=", least))
    real = [what for what in ours if what.endswith("as it is")]
    for name in sorted({name for what in real for name in parts[what]}):
        # Where a part has nothing to say, no order of the labels is better than another
        theirs = [parts[what].get(name) for what in real]
        both = [(ours[what], x) for what, x in zip(real, theirs, strict=True) if x is not None]
        gain = _mean(a - b for a, b in both)
        found.append(_figure(f"real_noise.minus_{name}", gain, "ap", ">=", 0))
    covered = _mean(float(line["covered"]) for line in combined.values())
    off = _mean(abs(line["off"]) for line in combined.values())
    found.append(_figure("next_50.precision_covered", covered, "share", ">=", 0.9))
    found.append(_figure("next_50.precision_off", off, "share"))
    return found


def _figure(name: str, value: float, unit: str, op: Any = "", target: float = 0.0) -> Figure:
    return Figure(
        name=f"quality.flags.{name}", value=round(value, 4), unit=unit, op=op, target=target
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def main() -> None:
    """Print the prior that is shipped, from the cases that are filed."""
    lines = [measured(case) for case in cases("quick")]
    print(prior_of(line["slope"] for line in lines))


if __name__ == "__main__":
    if "--prior" in sys.argv:
        main()
    elif "--filed" in sys.argv:
        conclude("quality-flags-filed", "quick", filed_figures("quick"))
    else:
        conclude("quality-flags", "quick", figures("quick"))
