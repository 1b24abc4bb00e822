"""The accuracy that the product claims, on real data of a smaller size than the bench's."""

from pathlib import Path

import numpy as np
import pytest

from bench.learning.accuracy import curve
from bench.learning.vectors import datasets_folder, part
from learning.simulation import Schedule, replay_of

pytestmark = [pytest.mark.dataset, pytest.mark.slow]

LABELS, SEEDS, MARGIN = 400, 2, 0.02
# Every so-manyth row of the training parts, which other tests read too: encoded once for all
SETS = {"banking77": 4, "ag_news": 5}


@pytest.fixture(scope="module")
def datasets() -> Path:
    folder = datasets_folder()
    if folder is None:
        pytest.skip("DATASETS names no folder with banking77 and ag_news")
    return folder


@pytest.mark.parametrize("name", SETS)
def test_random_labels_reach_scikit_learn(
    name: str, datasets: Path, pytestconfig: pytest.Config
) -> None:
    """At no fixed strength is scikit-learn better by more than the margin; seeds are averaged."""
    from sklearn.linear_model import LogisticRegression

    cache = pytestconfig.cache.mkdir("vectors")
    data = part(datasets, name, "train", cache, SETS[name])
    held_out = np.random.default_rng(0).random(len(data.labels)) < 0.6
    replay = replay_of(np.asarray(data.vectors), [[x] for x in data.labels], held_out)
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
