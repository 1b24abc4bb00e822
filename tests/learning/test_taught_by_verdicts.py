"""What a head makes of verdicts whose shares are posteriors, beside those of a plain majority."""

from dataclasses import replace

import numpy as np
import pytest

from learning.consensus import CONSENSUS, ConsensusMethod
from learning.consensus.skills import Skills
from learning.students.head import Head
from learning.types import Consensus, TrainingData, Votes, no_report

LABELS, ITEMS, SHARED, ASKED = 6, 300, 30, 600
FILE, PERSON = 7, 1


def groups(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit points around six centres, near enough to be taken for each other."""
    centres = np.random.default_rng(9).normal(size=(LABELS, 24))
    rng = np.random.default_rng(seed)
    group = rng.integers(0, LABELS, rows)
    points = centres[group] + rng.normal(scale=1.6, size=(rows, 24))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), group


def imported(truth: np.ndarray, right: float, seed: int) -> Votes:
    """A file of half a weight on every item, right so often, and a person on the first thirty."""
    rng = np.random.default_rng(seed)
    other = (truth + rng.integers(1, LABELS, len(truth))) % LABELS
    said = np.concatenate([np.where(rng.random(len(truth)) < right, truth, other), truth[:SHARED]])
    return Votes(
        items=len(truth),
        item=np.concatenate([np.arange(len(truth)), np.arange(SHARED)]),
        annotator=np.repeat([FILE, PERSON], [len(truth), SHARED]),
        answers=np.eye(LABELS, dtype=np.float32)[said],
        weights=np.repeat([0.5, 1.0], [len(truth), SHARED]),
    )


def learnt_from(found: Consensus, points: np.ndarray) -> float:
    """How often a head that learns these shares is right about other items."""
    shares = found.shares[~found.tied]
    data = TrainingData(
        encodings=points[~found.tied], targets=shares / shares.sum(axis=1, keepdims=True)
    )
    fitted = Head().fit(data, np.random.default_rng(0), no_report)
    asked, truth = groups(ASKED, seed=99)
    return float((fitted.predict(asked).argmax(axis=1) == truth).mean())


def learnt_skills(method: ConsensusMethod, votes: Votes) -> Skills | None:
    """What the items with both voices tell, as a project's job reads them."""
    twice = np.flatnonzero(votes.item < SHARED)
    return method.fit(
        replace(
            votes,
            items=SHARED,
            item=votes.item[twice],
            annotator=votes.annotator[twice],
            answers=votes.answers[twice],
            weights=np.asarray(votes.weights)[twice],
        )
    )


@pytest.mark.parametrize("name", ["dawid-skene", "one-coin"])
def test_skills_of_one_good_file_cost_the_head_nothing_and_its_shares_are_near_how_often_it_is_right(
    name: str,
) -> None:
    before, after, stated, real = [], [], [], []
    for seed in range(3):
        points, truth = groups(ITEMS, seed)
        votes, method = imported(truth, 0.94, seed), CONSENSUS.create(name)
        before.append(learnt_from(CONSENSUS.create("majority").aggregate(votes), points))
        found = method.aggregate(votes, learnt_skills(method, votes))
        after.append(learnt_from(found, points))
        alone = found.shares[SHARED:]
        stated.append(alone.max(axis=1).mean())
        real.append((alone.argmax(axis=1) == truth[SHARED:]).mean())
    assert np.mean(after) > np.mean(before) - 0.02
    assert abs(np.mean(stated) - np.mean(real)) < 0.1
