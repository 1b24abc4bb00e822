"""How many labels are still wrong: the estimate covers, the naive one does not."""

import numpy as np
import pytest
from scipy.stats import binomtest

from learning.audit.remaining import Remaining, Stratum, remaining, strata_of
from learning.errors import ShapeError

LABELS, PICKED, DRAWN, RUNS = 2_000, 60, 120, 500


def a_review(rng: np.random.Generator, errors: int, drawn: int = DRAWN) -> tuple[Remaining, float]:
    """Labels whose suspicion tells errors apart so-so; the most suspicious and a few drawn by
    chance are reviewed and mended. The estimate and the true rate left.
    """
    wrong = np.zeros(LABELS, dtype=bool)
    wrong[rng.choice(LABELS, errors, replace=False)] = True
    scores = rng.normal(size=LABELS) + 2.0 * ~wrong
    picked = np.zeros(LABELS, dtype=bool)
    picked[np.argsort(scores)[:PICKED]] = True
    chance = np.zeros(LABELS, dtype=bool)
    chance[rng.choice(np.flatnonzero(~picked), drawn, replace=False)] = True
    found = int(wrong[picked | chance].sum())
    estimate = remaining(strata_of(scores, picked, chance, wrong), LABELS, found)
    return estimate, (errors - found) / LABELS


@pytest.mark.parametrize("errors", [4, 20, 100, 300])
def test_the_interval_covers_what_is_left_at_its_rate(errors: int) -> None:
    rng = np.random.default_rng(errors)
    runs = [a_review(rng, errors) for _ in range(RUNS)]
    covered = sum(estimate.low <= left <= estimate.high for estimate, left in runs)
    assert binomtest(covered, RUNS, 0.95).pvalue > 0.01 or covered > 0.95 * RUNS, covered / RUNS
    mean = float(np.mean([estimate.rate for estimate, _ in runs]))
    truth = float(np.mean([left for _, left in runs]))
    spread = float(np.std([estimate.rate - left for estimate, left in runs])) / np.sqrt(RUNS)
    assert abs(mean - truth) < 4 * spread
    width = float(np.median([estimate.width for estimate, _ in runs]))
    assert width < 0.12, "an interval that covers by being wide says nothing"


def test_the_naive_estimates_miss() -> None:
    rng = np.random.default_rng(3)
    of_reviewed, of_all, truth = [], [], []
    for _ in range(100):
        estimate, left = a_review(rng, 100)
        truth.append(left)
        of_reviewed.append(estimate.found / (PICKED + DRAWN))  # the reviewed stand for the rest
        of_all.append((100 - estimate.found) / LABELS - estimate.found / LABELS)
    assert np.mean(of_reviewed) > 2 * np.mean(truth)
    assert all(share > left for share, left in zip(of_reviewed, truth, strict=True))


def test_draws_of_unlike_chance_are_weighted() -> None:
    """Suspicious labels are drawn more often; unweighted, the rate would be far too high."""
    rng = np.random.default_rng(5)
    estimates, plain, truth, covered = [], [], [], 0
    for _ in range(200):
        wrong = rng.random(LABELS) < 0.05
        scores = np.where(wrong, 0.2, 0.8) + 0.3 * rng.random(LABELS)
        likely = np.where(scores < 0.5, 0.5, 0.04)
        drawn = rng.random(LABELS) < likely
        none = np.zeros(LABELS, dtype=bool)
        found = int(wrong[drawn].sum())
        strata = strata_of(np.zeros(LABELS), none, drawn, wrong, likely)
        estimate = remaining(strata, LABELS, found)
        everyone = remaining(strata_of(np.zeros(LABELS), none, drawn, wrong), LABELS, found)
        left = (wrong.sum() - found) / LABELS
        estimates.append(estimate.rate)
        plain.append(everyone.rate)
        truth.append(left)
        covered += estimate.low <= left <= estimate.high
    assert np.mean(plain) > 5 * np.mean(truth)
    assert covered >= 0.92 * 200


def test_what_nobody_looked_at_may_be_all_wrong_or_all_right() -> None:
    nothing = remaining([Stratum.of(100, 0, 0)], 120, 5)
    assert (nothing.rate, nothing.low, nothing.high) == (None, 0, 100 / 120)
    assert nothing.more_to_halve() is None
    half = remaining([Stratum.of(50, 20, 1), Stratum.of(50, 0, 0)], 100, 1)
    assert half.rate is None
    assert half.low == 0, "less than one error is expected at least, so there may be none"
    assert half.high > 0.5
    assert remaining([Stratum.of(50, 20, 10), Stratum.of(50, 0, 0)], 100, 1).low > 0


def test_a_full_review_leaves_no_doubt() -> None:
    done = remaining([Stratum.of(40, 40, 3)], 50, 8)
    assert (done.rate, done.low, done.high) == (0, 0, 0)
    assert done.found == 8
    assert done.more_to_halve() == 0


def test_the_cases_that_halve_the_interval_do() -> None:
    rng = np.random.default_rng(8)
    before, _ = a_review(rng, 100)
    more = before.more_to_halve()
    assert more is not None
    widths = [a_review(rng, 100, DRAWN + more)[0].width for _ in range(40)]
    widths_now = [a_review(rng, 100)[0].width for _ in range(40)]
    assert np.mean(widths) == pytest.approx(np.mean(widths_now) / 2, rel=0.25)
    assert before.more_to_halve() < LABELS


def test_errors_found_are_told_apart_from_errors_left() -> None:
    few = remaining([Stratum.of(900, 100, 2)], 1000, 40)
    many = remaining([Stratum.of(900, 100, 2)], 1000, 90)
    assert (few.rate, few.low, few.high) == (many.rate, many.low, many.high)
    assert (few.found, many.found) == (40, 90)


def test_strata_are_joined_until_each_has_cases() -> None:
    scores = np.linspace(0, 1, 1000)
    none = np.zeros(1000, dtype=bool)
    drawn = none.copy()
    drawn[::50] = True
    few = strata_of(scores, none, drawn, none)
    assert [part.size for part in few] == [1000]
    drawn[::5] = True
    many = strata_of(scores, none, drawn, none)
    assert [part.size for part in many] == [100, 200, 700]
    assert sum(part.drawn for part in many) == 200


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ShapeError, match="is not a stratum"):
        Stratum.of(10, 11, 0)
    with pytest.raises(ShapeError, match="cannot have been found"):
        remaining([Stratum.of(10, 5, 0)], 10, 11)
    with pytest.raises(ShapeError, match="more labels than there are"):
        remaining([Stratum.of(11, 5, 0)], 10, 1)
    with pytest.raises(ShapeError, match="picked"):
        strata_of(np.zeros(3), np.zeros(2, bool), np.zeros(3, bool), np.zeros(3, bool))
