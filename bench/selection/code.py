"""Which code a filed curve depends on: when that changes, the curve is measured anew."""

import ast
import hashlib
from functools import cache

import numpy as np

from bench.figures import ROOT
from learning.errors import NeedsStudentError, NotEnoughDataError, ShapeError
from learning.selection import STRATEGIES
from learning.types import Pool

HARNESS = ("bench/selection/loop.py", "bench/selection/sets.py")
STUDENT = tuple(f"learning/students/{name}.py" for name in ("head", "regression", "lbfgs"))
RIVAL = ("bench/selection/rival_worker.py", "requirements-bench.txt")


@cache
def common() -> str:
    """A hash of harness and student."""
    return _files(*HARNESS, *STUDENT)


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
def of_rival() -> str:
    """A hash of how rivals are called, and of their versions."""
    return _files(*RIVAL)


def _files(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        text = (ROOT / name).read_text()
        digest.update((_plain(text) if name.endswith(".py") else text).encode())
    return digest.hexdigest()[:16]


def _plain(source: str) -> str:
    """The code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


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
