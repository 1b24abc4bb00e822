"""The accuracy that the product claims, on real data of a smaller size than the bench's."""

from pathlib import Path

import numpy as np
import pytest

from bench.learning.accuracy import curve, join
from bench.learning.vectors import datasets_folder, part
from learning.simulation import Schedule

pytestmark = [pytest.mark.dataset, pytest.mark.slow]

LABELS, SEEDS, MARGIN = 400, 2, 0.02


@pytest.fixture(scope="module")
def datasets() -> Path:
    folder = datasets_folder()
    if folder is None:
        pytest.skip("DATASETS names no folder with banking77 and ag_news")
    return folder


@pytest.mark.parametrize(("name", "every"), [("banking77", (4, 4)), ("ag_news", (14, 20))])
def test_random_labels_reach_scikit_learn(
    name: str, every: tuple[int, int], datasets: Path, pytestconfig: pytest.Config
) -> None:
    """At no fixed strength is scikit-learn better by more than the margin; seeds are averaged."""
    from sklearn.linear_model import LogisticRegression

    cache = pytestconfig.cache.mkdir("vectors")
    train, test = (
        part(datasets, name, split, cache, step)
        for split, step in zip(("train", "test"), every, strict=True)
    )
    replay = join(train, test)
    schedule = Schedule(start=LABELS, batch=1, budget=LABELS)
    truth = replay.test_targets.argmax(axis=1)
    ours: list[float] = []
    theirs: dict[float, list[float]] = {1.0: [], 10.0: [], 100.0: []}
    for seed in range(SEEDS):
        accuracy, rows = curve(replay, schedule, seed)
        ours.append(accuracy[LABELS])
        x = np.asarray(replay.encodings[rows], dtype=np.float32)
        for strength, results in theirs.items():
            rival = LogisticRegression(C=strength, max_iter=500)
            rival.fit(x, replay.targets[rows].argmax(axis=1))
            results.append(float(rival.score(np.asarray(replay.test_encodings), truth)))
    best = max(float(np.mean(results)) for results in theirs.values())
    assert np.mean(ours) >= best - MARGIN
