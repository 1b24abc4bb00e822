"""Conformal sets: exact quantiles, bands, label sets, and warnings."""

import itertools
import math

import numpy as np
import pytest

from learning.audit.conformal import CONFORMAL, calibrated, watch
from learning.audit.conformal.calibrated import Calibrated, Sample
from learning.audit.conformal.conditional import ClassConditional
from learning.audit.conformal.powerset import LabelPowerset
from tests.contracts.uniform import drawn

RNG = np.random.default_rng


def test_quantile_counts_the_item_to_come() -> None:
    scores = np.arange(1, 100) / 100  # 99 items: the 90th of 100 places
    assert calibrated.conformal_quantile(scores, 0.9) == 0.9
    assert calibrated.conformal_quantile(scores[:9], 0.9) == 0.09
    assert calibrated.conformal_quantile(scores[:8], 0.9) == math.inf
    assert calibrated.rank_of(999, 0.9) == 900, "0.9 is not quite 0.9 in a float"


def test_band_is_the_distribution_of_the_coverage() -> None:
    """Uniform scores have the coverage itself as their threshold."""
    rng = RNG(4)
    for n in (30, 100, 500):
        thresholds = [calibrated.conformal_quantile(rng.random(n), 0.9) for _ in range(4_000)]
        low, high = calibrated.coverage_band(n, 0.9)
        assert np.mean(np.array(thresholds) < low) == pytest.approx(0.025, abs=0.008)
        assert np.mean(np.array(thresholds) > high) == pytest.approx(0.025, abs=0.008)
    assert calibrated.coverage_band(5, 0.9) == (1.0, 1.0)


def test_a_promise_takes_items_enough_for_its_band() -> None:
    for coverage in (0.8, 0.9, 0.95, 0.99):
        needed = calibrated.items_needed(coverage)
        for n in range(needed, needed + 60, 7):
            assert calibrated.coverage_band(n, coverage)[0] >= coverage - 0.1
        assert needed >= coverage / (1 - coverage) - 1e-6
    assert calibrated.items_needed(0.9) == 41


@pytest.mark.parametrize("labels", [4, 8, 11])
def test_label_sets_are_those_of_brute_force_and_nearest_first(labels: int) -> None:
    method, rng = LabelPowerset(), RNG(labels)
    every = np.array(list(itertools.product([False, True], repeat=labels)))
    for _ in range(10):
        p = rng.random(labels)
        distances = np.square(every - p).sum(axis=1)
        threshold = float(rng.choice(np.sort(distances)[: len(every) // 3]))
        fitted = Calibrated(coverage=0.9, n=100, thresholds=np.array([threshold]))
        found = list(method.conforming(fitted, p, most=len(every) + 1))
        kept = every[distances <= threshold + 1e-9]
        assert {tuple(each) for each in found} == {tuple(each) for each in kept}
        assert len(found) == len(kept)
        reached = [float(np.square(each - p).sum()) for each in found]
        assert reached == sorted(reached) or np.all(np.diff(reached) > -1e-9)
        summary = method.sets(fitted, p[None], rng)
        assert (summary.possible[0] == kept.any(axis=0)).all()
        assert (summary.certain[0] == kept.all(axis=0)).all()
        capped = list(method.conforming(fitted, p, most=3))
        assert [tuple(each) for each in capped] == [tuple(each) for each in found[:3]]


def test_label_sets_of_an_item_unlike_all_others_are_none() -> None:
    fitted = Calibrated(coverage=0.9, n=100, thresholds=np.array([0.1]))
    p = np.array([0.5, 0.5, 0.5])
    found = LabelPowerset().sets(fitted, p[None], RNG(0))
    assert not found.fits[0]
    assert not found.possible.any()
    assert list(LabelPowerset().conforming(fitted, p, most=9)) == []


def test_a_thousand_labels_are_summed_up_without_their_sets() -> None:
    fitted = Calibrated(coverage=0.9, n=100, thresholds=np.array([math.inf]))
    p = RNG(0).random(1_000)
    assert LabelPowerset().sets(fitted, p[None], RNG(0)).sizes[0] == 1_000
    assert len(list(LabelPowerset().conforming(fitted, p, most=50))) == 50


def test_coverage_for_each_label_where_one_threshold_fails_the_rare_one() -> None:
    def skewed(n: int, seed: int) -> Sample:
        rng = RNG(seed)
        truth = (rng.random(n) < 0.15).astype(int)  # 15 % of a label that the student underrates
        logit = np.where(truth == 1, -0.5, -2.5) + rng.normal(size=n)
        p = 1 / (1 + np.exp(-logit))
        return Sample(
            probabilities=np.stack([1 - p, p], axis=1), truth=np.eye(2, dtype=bool)[truth]
        )

    held = {}
    for name in ("lac", "class-conditional"):
        method, shares = CONFORMAL.create(name), []
        for seed in range(30):
            rng, later = RNG(seed), skewed(1_000, 100 + seed)
            holds = method.holds(method.calibrate(skewed(600, seed), 0.9, rng), later, rng)
            shares.append(holds[later.truth[:, 1]].mean())
        held[name] = np.mean(shares)
    assert held["lac"] < 0.75
    assert held["class-conditional"] > 0.89


def test_rare_labels_share_a_threshold_or_are_always_in() -> None:
    sample = drawn("lac", 300, 2)
    rare = np.flatnonzero(sample.truth[:, 0])[5:]
    kept = np.setdiff1d(np.arange(300), rare)
    few = Sample(probabilities=sample.probabilities[kept], truth=sample.truth[kept])
    alone = ClassConditional(fewest=0).calibrate(few, 0.9, RNG(0)).thresholds
    shared = ClassConditional(fewest=60).calibrate(few, 0.9, RNG(0)).thresholds
    assert alone[0] == math.inf
    assert math.isfinite(shared[0])


def test_calibrating_on_doubtful_items_breaks_the_promise() -> None:
    """Why only the audit part may be used: selection picks what the student doubts, or not."""
    method, rng = CONFORMAL.create("lac"), RNG(0)
    pool, later = drawn("lac", 3_000, 7), drawn("lac", 3_000, 8)
    top = np.sort(pool.probabilities, axis=1)
    sure = np.argsort(top[:, -2] - top[:, -1])[:500]
    wrong = method.calibrate(
        Sample(probabilities=pool.probabilities[sure], truth=pool.truth[sure]), 0.9, rng
    )
    assert method.holds(wrong, later, rng).mean() < 0.8


def test_a_warning_is_raised_when_items_differ_and_hardly_ever_else() -> None:
    def chance(items: np.ndarray, seed: int = 1) -> float:
        ours = watch.words(drawn("lac", 150, seed).probabilities)
        return watch.chance_of_difference(ours, watch.words(items), RNG(seed), permutations=199)

    alike = [chance(drawn("lac", 250, 500 + seed).probabilities, seed) for seed in range(40)]
    assert np.mean(np.array(alike) <= 0.05) <= 0.15, "5 % by chance"
    harder = drawn("lac", 250, 90).probabilities ** 0.6
    assert chance(harder / harder.sum(axis=1, keepdims=True)) <= watch.ALARM
    other = drawn("lac", 250, 91).probabilities
    assert chance(other[other.argmax(axis=1) < 3]) <= watch.ALARM, "half of the labels are gone"


def test_too_few_held_answers_are_not_taken_for_luck() -> None:
    """Against the exact distribution, drawn."""
    rng = RNG(3)
    coverages = rng.beta(91, 10, size=40_000)  # what 100 calibration items bring at 90 %
    held = rng.binomial(60, coverages)
    for count in (45, 50, 54):
        expected = float((held <= count).mean())
        assert watch.chance_of_so_few(count, 60, 100, 0.9) == pytest.approx(expected, abs=0.01)
    assert watch.chance_of_so_few(40, 60, 100, 0.9) < watch.ALARM
    assert watch.chance_of_so_few(60, 60, 100, 0.9) == pytest.approx(1)
    assert watch.chance_of_so_few(0, 10, 5, 0.9) == 1.0, "everything is in every set"
