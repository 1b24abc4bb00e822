"""What learning costs, in CPU seconds, on arrays of the size that the product promises.

CPU time of all threads rather than time on the wall: what else runs on the machine has no part.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.figures import Figure
from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix
from learning.selection import STRATEGIES
from learning.students import STUDENTS
from learning.students.predictions import write_predictions
from learning.types import Pool, TrainingData, no_report

ITEMS, DIMENSIONS, LABELS, ANSWERS = 100_000, 384, 77, 1_000


def figures() -> list[Figure]:
    """CPU-bound steps behind answer → refreshed queue, the best of three each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(LABELS, DIMENSIONS)).astype(np.float32)
    group = rng.integers(0, LABELS, ITEMS)
    points = centres[group] + 1.5 * rng.normal(size=(ITEMS, DIMENSIONS)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    data = TrainingData(
        encodings=points[:ANSWERS], targets=np.eye(LABELS, dtype=np.float32)[group[:ANSWERS]]
    )
    head = STUDENTS.create("head")
    fitted = head.fit(data, rng, no_report)
    with tempfile.TemporaryDirectory() as name:
        matrix = Matrix(Path(name) / "m.f16", DIMENSIONS)
        matrix.write(0, points)
        said = write_predictions(Path(name) / "p", fitted, matrix.view())
        every = np.ones(ITEMS, dtype=np.bool_)
        pool = Pool(
            eligible=every,
            labelled=~every,
            probabilities=said.probabilities,
            margins=said.margins,
            encodings=matrix.view(),
        )
        margin, cold = STRATEGIES.create("margin"), STRATEGIES.create("representatives")
        return [
            _seconds("head.fit_cold", 1.0, lambda: head.fit(data, rng, no_report)),
            _seconds("head.fit_warm", 0.5, lambda: head.fit(data, rng, no_report, fitted)),
            _seconds(
                "predict_and_write_100k",
                1.5,
                lambda: write_predictions(Path(name) / "p", fitted, matrix.view()),
            ),
            _seconds("select.margin_2000", 0.5, lambda: margin.select(pool, 2000, rng)),
            _seconds("select.representatives_150", 5.0, lambda: cold.select(pool, 150, rng)),
            _encoding(),
        ]


def _seconds(name: str, target: float, work: Callable[[], object]) -> Figure:
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return Figure(
        name=f"learning.{name}", value=round(min(times), 3), unit="CPU_s", op="<=", target=target
    )


def _encoding() -> Figure:
    encoder = ENCODERS.create("minilm").fit([])
    texts = [f"my card payment number {i} was declined at the shop today" for i in range(512)]
    encoder.encode(texts[:64])
    began = time.process_time()
    encoder.encode(texts)
    return Figure(
        name="learning.encode_minilm",
        value=round(len(texts) / (time.process_time() - began)),
        unit="texts/CPU_s",
        op=">=",
        target=100,
    )
