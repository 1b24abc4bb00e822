"""Which code a filed curve depends on: when that changes, the curve is measured anew."""

import ast
import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT
from bench.selection.loop import STRENGTH
from learning.errors import NeedsStudentError, NotEnoughDataError, ShapeError
from learning.selection import STRATEGIES
from learning.students.head import Head
from learning.types import Pool, TrainingData, no_report

Matrix = NDArray[np.float32]

HARNESS = ("loop.py", "sets.py")
WORKER = "rival_worker.py"
LIBRARIES = ("small-text", "scikit-activeml")


@cache
def common() -> str:
    """A hash of the harness, and of what the student says of made-up items."""
    digest = hashlib.sha256("".join(_plain(_parsed(name)) for name in HARNESS).encode())
    for several in (False, True):
        points, targets = _made_up(3, 900, several=several)
        data = TrainingData(targets=targets[:300], encodings=points[:300], multi_label=several)
        student = Head(strength=STRENGTH).fit(data, np.random.default_rng(0), no_report)
        said = student.predict(points[300:])
        digest.update((said >= 0.5).tobytes() + said.argmax(axis=1).tobytes())
    return digest.hexdigest()[:16]


@cache
def of_strategy(name: str, *, several: bool) -> str:
    """A hash of one of our strategies: its parameters, and what it picks from made-up pools.

    several: of pools whose items have any number of labels, as the set's have.
    So a new sentence, a check or a faster way to the same picks throws no curve away, wherever in
    the shared modules it is.
    """
    digest = hashlib.sha256(repr(STRATEGIES.create(name)).encode())
    for seed, rows in enumerate((300, 1_200, 12_000)):
        digest.update(_picks(name, seed, rows, several=several))
    return digest.hexdigest()[:16]


@cache
def of_rival(strategy: str) -> str:
    """A hash of how library:name is called, and of the versions that it computes with."""
    library, _, name = strategy.partition(":")
    others = tuple(x for x in LIBRARIES if x != library)
    pins = [
        line.split("#")[0].strip()
        for line in (ROOT / "requirements-bench.txt").read_text().splitlines()
        if line.startswith((library, "scikit-learn", "numpy", "scipy"))
        and not line.startswith(others)
    ]
    tree = _parsed(WORKER)
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):  # the tables of strategies: only its own row counts
            kept = [
                (key, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if not (isinstance(value, ast.Tuple | ast.Attribute | ast.Lambda))
                or (isinstance(key, ast.Constant) and key.value == name)
            ]
            node.keys, node.values = [k for k, _ in kept], [v for _, v in kept]
    return hashlib.sha256("\n".join([*pins, _plain(tree)]).encode()).hexdigest()[:16]


def _parsed(name: str) -> ast.Module:
    return ast.parse((ROOT / "bench" / "selection" / name).read_text())


def _plain(tree: ast.Module) -> str:
    """The code without comments, docstrings and layout."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _made_up(seed: int, rows: int, *, several: bool) -> tuple[Matrix, Matrix]:
    """(rows, 24) points of seven groups, (rows, 7) the group of each, or that and its neighbour."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 7, rows)
    points = rng.normal(size=(7, 24))[group] + rng.normal(size=(rows, 24))
    hot = np.eye(7, dtype=np.float32)
    targets = hot[group] + (hot[(group + 1) % 7] * (points[:, :1] > 0) if several else 0)
    return points.astype(np.float32), targets.astype(np.float32)


def _picks(name: str, seed: int, rows: int, *, several: bool) -> bytes:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(7, 24))
    group = rng.integers(0, 7, rows)
    points = centres[group] + rng.normal(size=(rows, 24))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    logits = 6 * points @ (centres + rng.normal(size=centres.shape)).T - 2
    p = 1 / (1 + np.exp(-logits)) if several else np.exp(logits)
    labelled = rng.random(rows) < 0.05
    pool = Pool(
        eligible=np.ones(rows, dtype=np.bool_),
        labelled=labelled,
        probabilities=(p if several else p / p.sum(axis=1, keepdims=True)).astype(np.float32),
        encodings=points.astype(np.float32),
        multi_label=several,
        answers=np.eye(7, dtype=np.float32)[group[labelled]],
    )
    try:
        found = STRATEGIES.create(name).select(pool, 40, rng)
    except (NeedsStudentError, NotEnoughDataError, ShapeError):
        return b"none"
    return found.rows.tobytes()
