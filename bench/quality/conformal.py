"""Answer sets: coverage and size over random splits, beside MAPIE and crepes on the same inputs.

Each part of a set that trained no student is split at random again and again: so many items to
calibrate on, the rest to count on. All methods see the same probabilities and the same splits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT, Figure, code_hash, kept
from bench.learning.vectors import CHUNK, DIMENSIONS, cache_folder, datasets_folder, read_rows
from learning.audit.conformal import CONFORMAL
from learning.audit.conformal.calibrated import Sample
from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix
from learning.students.head import Head
from learning.types import TrainingData, no_report

COVERAGE = 0.9
CALIBRATION = 500
SEEDS = 5
SPLITS = {"quick": 20, "full": 100}
# Set -> (items the student learns from, items kept of the set).
SETS = {
    "banking77": {"quick": (1_000, 4_000), "full": (1_000, 10_003)},
    "trec6": {"quick": (500, 3_000), "full": (500, 5_452)},
    "ag_news": {"quick": (500, 4_000), "full": (500, 10_001)},
    "goemotions": {"quick": (2_000, 5_000), "full": (4_000, 12_000)},
}
RIVALS = ("mapie lac", "mapie aps", "mapie raps", "crepes hinge")
WORKER = Path(__file__).with_name("conformal_worker.py")
PYTHON = ROOT / ".venv-bench" / "bin" / "python"

Found = dict[str, dict[str, float]]


def figures(grid: str) -> list[Figure]:
    """Measure what is not filed yet, print the table, return the figures."""
    folder = datasets_folder()
    if folder is None:
        print("SKIPPED conformal: DATASETS names no folder with data sets.")
        return []
    code = code_hash("learning/audit/conformal", "learning/students", "bench/quality/conformal.py")
    found: list[Figure] = []
    for name in SETS:
        measured = kept(
            f"quality/conformal-{grid}-{name}", code, partial(measure, folder, name, grid)
        )
        print(table(name, measured))
        sys.stdout.flush()
        found += _figures(name, measured)
    return found


def measure(folder: Path, name: str, grid: str) -> dict[str, Any]:
    """Mean coverage and size of every method over all seeds and splits of one set."""
    encodings, targets, multi = _labelled(folder, name, SETS[name][grid][1])
    runs: list[Found] = []
    accuracy = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(targets))
        taught, held = np.split(order, [SETS[name][grid][0]])
        fitted = Head().fit(
            TrainingData(encodings=encodings[taught], targets=targets[taught], multi_label=multi),
            rng,
            no_report,
        )
        sample = Sample(probabilities=fitted.predict(encodings[held]), truth=targets[held] > 0.5)
        splits = np.stack([rng.permutation(len(held)) for _ in range(SPLITS[grid])])
        runs.append(_ours(sample, splits, multi=multi))
        if not multi:
            accuracy.append((sample.probabilities.argmax(1) == sample.truth.argmax(1)).mean())
            runs[-1] |= _theirs(sample, splits, seed)
    common = [method for method in runs[0] if all(method in run for run in runs)]
    methods = {method: _mean([run[method] for run in runs]) for method in common}
    return {"methods": methods, "accuracy": float(np.mean(accuracy)) if accuracy else None}


def _labelled(
    folder: Path, name: str, most: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """(n, d) encodings, (n, k) targets, and whether items have several labels."""
    rows = read_rows(folder, name, "train")
    chosen = np.random.default_rng(5).permutation(len(rows))[:most]
    rows = [rows[int(row)] for row in np.sort(chosen)]
    given: list[list[str]] = [
        list(map(str, row["labels"])) if "labels" in row else [str(row["label"])]  # type: ignore[call-overload]
        for row in rows
    ]
    names = sorted({label for labels in given for label in labels})
    place = {label: column for column, label in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), dtype=np.float32)
    for row, labels in enumerate(given):
        targets[row, [place[label] for label in labels]] = 1
    matrix = Matrix(cache_folder() / f"{name}-train-{len(rows)}-sets-minilm.f16", DIMENSIONS)
    if matrix.rows < len(rows):
        encoder = ENCODERS.create("minilm").fit([])
        texts = [str(row["text"]) for row in rows]
        for start in range(matrix.rows, len(texts), CHUNK):
            matrix.write(start, encoder.encode(texts[start : start + CHUNK]))
    encodings = np.asarray(matrix.view()[: len(rows)], dtype=np.float32)
    return encodings, targets, "labels" in rows[0]


def _ours(sample: Sample, splits: NDArray[np.int64], *, multi: bool) -> Found:
    """By method: the means over the splits."""
    found = {}
    for name in CONFORMAL:
        method = CONFORMAL.create(name)
        if method.multi_label != multi:
            continue
        runs = []
        for number, split in enumerate(splits):
            rng = np.random.default_rng(number)
            ours, later = (_rows(sample, rows) for rows in np.split(split, [CALIBRATION]))
            calibrated = method.calibrate(ours, COVERAGE, rng)
            sets = method.sets(calibrated, later.probabilities, np.random.default_rng(number))
            holds = method.holds(calibrated, later, np.random.default_rng(number))
            runs.append(
                {
                    "coverage": float(holds.mean()),
                    "size": float(sets.sizes.mean()),
                    "one": float((sets.sizes == 1).mean()),
                    "none": float((~sets.fits).mean()),
                    "worst": _worst_tenth(later.truth, holds),
                }
            )
        found[name] = _mean(runs)
    return found


def _rows(sample: Sample, rows: NDArray[np.int64]) -> Sample:
    return Sample(probabilities=sample.probabilities[rows], truth=sample.truth[rows])


def _worst_tenth(truth: NDArray[np.bool_], holds: NDArray[np.bool_]) -> float:
    """Mean coverage of the tenth of the labels on which it is lowest, of those seen ten times."""
    counts = truth.sum(axis=0)
    seen = counts >= 10
    shares = (truth & holds[:, None]).sum(axis=0)[seen] / counts[seen]
    return float(np.sort(shares)[: max(1, round(len(shares) / 10))].mean())


def _theirs(sample: Sample, splits: NDArray[np.int64], seed: int) -> Found:
    """MAPIE's and crepes' means on the same splits, measured in their own environment."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "p.npy", sample.probabilities, allow_pickle=False)
        np.save(Path(folder) / "y.npy", sample.truth.argmax(axis=1), allow_pickle=False)
        np.save(Path(folder) / "splits.npy", splits, allow_pickle=False)
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), str(WORKER), folder, str(CALIBRATION), str(COVERAGE), str(seed)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    if done.returncode:
        raise RuntimeError(f"The rivals' process failed:\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _mean(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def table(name: str, measured: dict[str, Any]) -> str:
    """A Markdown table of one set."""
    lines = [f"\n**{name}**" + _of(measured["accuracy"])]
    lines += ["| method | coverage | size | one label | none | worst tenth |", "|---|" + "--:|" * 5]
    for method, row in measured["methods"].items():
        cells = [f"{row[key]:.3f}" if key in row else "–" for key in _KEYS]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


_KEYS = ("coverage", "size", "one", "none", "worst")


def _of(accuracy: float | None) -> str:
    return "" if accuracy is None else f", student right on {accuracy:.1%}"


def _figures(name: str, measured: dict[str, Any]) -> list[Figure]:
    """The default's coverage within its bounds, and its size against the best of all."""
    rows = measured["methods"]
    default = rows["lac" if "lac" in rows else "inner-outer"]
    key = f"quality.sets.{name}"
    coverage = round(default["coverage"], 4)
    found = [
        Figure(name=f"{key}.coverage", value=coverage, unit="share", op=">=", target=0.895),
        Figure(name=f"{key}.coverage_at_most", value=coverage, unit="share", op="<=", target=0.91),
    ]
    best = min((rows[rival]["size"] for rival in (*RIVALS, "lac") if rival in rows), default=0.0)
    if best:
        ratio = round(default["size"] / best, 4)
        found.append(
            Figure(name=f"{key}.size_to_best", value=ratio, unit="x", op="<=", target=1.05)
        )
    else:
        size = round(default["size"], 3)
        found.append(Figure(name=f"{key}.undecided", value=size, unit="labels"))
    return found


if __name__ == "__main__":
    for figure in figures(sys.argv[1] if len(sys.argv) > 1 else "quick"):
        print(figure.line())
