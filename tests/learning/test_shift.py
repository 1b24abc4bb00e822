"""Class shares of a domain whose classes are mixed otherwise, and new items that differ."""

from dataclasses import replace

import numpy as np
import pytest

from learning.audit.difference import FEWEST, changed_labels, difference, new_words
from learning.audit.shift import Audited, domain_shares
from learning.errors import NotEnoughDataError, ShapeError

CENTRES = np.array([[1.5, 0.0], [-0.8, 1.3], [-0.8, -1.3]])
K = len(CENTRES)


class World:
    """Three overlapping classes, and a student that is right in kind but far too sure."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def items(self, shares: list[float], n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = self.rng.choice(K, n, p=shares)
        return CENTRES[truth] + self.rng.normal(size=(n, 2)), truth

    @staticmethod
    def says(points: np.ndarray) -> np.ndarray:
        logits = 2.5 * (points @ CENTRES.T - 0.5 * (CENTRES**2).sum(axis=1)) + [0.8, 0.0, 0.0]
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def audited(self, m: int = 120) -> Audited:
        points, truth = self.items([1 / 3] * 3, m)
        return Audited(probabilities=self.says(points), truth=np.eye(K, dtype=bool)[truth])


class TestShares:
    def test_the_interval_covers_and_the_naive_count_misleads(self) -> None:
        held, errors, naive = [], [], []
        for seed in range(80):
            world = World(seed)
            audited = world.audited()
            points, truth = world.items(list(world.rng.dirichlet([1.0] * K)), 500)
            true = np.bincount(truth, minlength=K) / 500
            found = domain_shares(
                audited, world.says(points), np.zeros(120, bool), world.rng, draws=30
            )
            held += [e.low <= x <= e.high for e, x in zip(found.shifted, true, strict=True)]
            errors += [abs(e.value - x) for e, x in zip(found.shifted, true, strict=True)]
            naive += list(np.abs(np.array(found.counted) - true))
        assert np.mean(held) >= 0.9
        assert np.mean(errors) < 0.75 * np.mean(naive)

    def test_a_sample_of_a_large_domain_tells_of_the_whole_with_a_wider_interval(self) -> None:
        held = []
        for seed in range(40):
            world = World(seed)
            audited = world.audited(600)
            points, truth = world.items(list(world.rng.dirichlet([2.0] * K)), 20_000)
            true = np.bincount(truth, minlength=K) / 20_000
            found = domain_shares(
                audited, world.says(points[:600]), np.zeros(600, bool), world.rng, 30, size=20_000
            )
            held += [e.low <= x <= e.high for e, x in zip(found.shifted, true, strict=True)]
        assert np.mean(held) >= 0.9

    def test_several_labels_are_estimated_one_by_one(self) -> None:
        world = World(1)
        points, truth = world.items([1 / 3] * 3, 200)
        both = np.eye(K, dtype=bool)[truth]
        both[:, 1] |= both[:, 0]  # whoever has the first has the second too
        said = np.clip(world.says(points) @ np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), 0, 1)
        audited = Audited(probabilities=said, truth=both, multi_label=True)
        domain, there = world.items([0.7, 0.1, 0.2], 500)
        mixed = np.clip(world.says(domain) @ np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), 0, 1)
        found = domain_shares(audited, mixed, np.zeros(200, bool), world.rng)
        true = np.array([(there == 0).mean(), (there < 2).mean(), (there == 2).mean()])
        values = np.array([each.value for each in found.shifted])
        assert np.abs(values - true).max() < 0.08
        assert values.sum() > 1.2, "shares of several labels do not sum to 1"

    def test_audit_items_of_the_domain_contradict_what_is_no_label_shift(self) -> None:
        """The domain means other things by the same words: the correction must not be believed."""
        world = World(2)
        audited = world.audited(400)
        points, _ = world.items([0.8, 0.1, 0.1], 400)
        inside = np.zeros(400, bool)
        inside[:60] = True
        turned = audited.truth.copy()
        turned[:60] = np.eye(K, dtype=bool)[world.rng.choice(K, 60, p=[0.05, 0.05, 0.9])]
        assert domain_shares(
            replace(audited, truth=turned), world.says(points), inside, world.rng
        ).disagree
        same = domain_shares(
            audited, world.says(world.items([1 / 3] * 3, 400)[0]), inside, world.rng
        )
        assert not same.disagree
        assert [each.n for each in same.direct] == [60] * 3

    def test_labels_that_the_audit_never_met_are_left_open(self) -> None:
        world = World(3)
        audited = world.audited(40)
        probabilities = np.c_[audited.probabilities * 0.98, np.full(40, 0.02)]
        truth = np.c_[audited.truth, np.zeros(40, bool)]
        found = domain_shares(
            Audited(probabilities=probabilities, truth=truth),
            probabilities,
            np.zeros(40, bool),
            world.rng,
        )
        assert found.shifted[3].high > 0.03

    def test_what_does_not_fit_is_refused(self) -> None:
        audited = World(0).audited(10)
        with pytest.raises(ShapeError, match="differ in labels"):
            domain_shares(audited, np.ones((5, 2)), np.zeros(10, bool), World(0).rng)
        with pytest.raises(ShapeError, match="each audit item"):
            domain_shares(audited, np.ones((5, 3)), np.zeros(9, bool), World(0).rng)


class TestDifference:
    def cloud(self, rng: np.random.Generator, n: int, shift: float = 0.0) -> np.ndarray:
        points = rng.normal(size=(n, 40))
        points[:, 0] += shift
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def test_it_does_not_cry_wolf(self) -> None:
        """300 imports that are no different: 1 % is the aim, 5 % the limit."""
        alarms = [
            difference(self.cloud(rng, 80), self.cloud(rng, 60), rng).differs
            for rng in map(np.random.default_rng, range(300))
        ]
        assert np.mean(alarms) <= 0.025

    def test_it_barks_when_something_is_there(self) -> None:
        alarms = [
            difference(self.cloud(rng, 300), self.cloud(rng, 150, shift=1.0), rng).differs
            for rng in map(np.random.default_rng, range(8))
        ]
        assert np.mean(alarms) == 1

    def test_a_certain_but_tiny_difference_is_not_worth_a_warning(self) -> None:
        rng = np.random.default_rng(0)
        found = difference(self.cloud(rng, 5_000), self.cloud(rng, 5_000, shift=0.5), rng)
        assert found.p <= 0.01
        assert not found.differs
        assert (found.old, found.new) == (600, 600)

    def test_it_tells_labels_words_and_examples(self) -> None:
        rng = np.random.default_rng(1)
        new = np.concatenate([self.cloud(rng, 60), self.cloud(rng, 60, shift=6.0)])
        texts = (["please send my parcel"] * 200, ["please send"] * 60 + ["voucher is void"] * 60)
        found = difference(
            self.cloud(rng, 200),
            new,
            rng,
            said=(
                np.r_[np.zeros(180, int), np.ones(20, int)],
                np.r_[np.zeros(60, int), np.ones(60, int)],
            ),
            texts=texts,
            kinds=2,
        )
        assert found.differs
        assert found.telling > 0.7
        assert {"voucher", "void"} <= set(found.words)
        assert "please" not in found.words
        assert all(row >= 60 for row in found.examples)
        more = found.labels[0]
        assert (more.column, more.before, more.after) == (1, 0.1, 0.5)
        assert more.factor == pytest.approx(5)
        assert 1 < more.low < 5 < more.high

    def test_labels_that_only_waver_are_not_told(self) -> None:
        alarms = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            alarms.append(bool(changed_labels(rng.integers(0, 8, 300), rng.integers(0, 8, 200), 8)))
        assert np.mean(alarms) <= 0.05

    def test_a_label_that_is_new_has_no_finite_factor(self) -> None:
        (found,) = changed_labels(np.zeros(100, int), np.r_[np.zeros(80, int), np.ones(20, int)], 2)
        assert found.column == 1
        assert found.factor == np.inf
        assert found.low > 1

    def test_words_of_both_sides_are_not_news(self) -> None:
        assert new_words(["the card is lost"] * 50, ["the card is here"] * 50) == ["here"]
        assert new_words(["a b"] * 5, ["c d"] * 2) == []

    def test_words_that_sentences_are_made_of_are_no_news_where_they_get_more_frequent(
        self,
    ) -> None:
        old = ["the card was lost"] * 40 + ["card lost", "pin wrong"] * 80
        new = ["the price of the loan and the rate of it", "the loan that is of interest"] * 60
        new += ["card lost of the bank"] * 80
        found = new_words(old, new)
        assert {"loan", "rate", "price"} <= set(found)
        assert not {"the", "of", "and", "is", "that", "it"} & set(found)

    def test_too_few_items_are_refused_in_words(self) -> None:
        rng = np.random.default_rng(0)
        with pytest.raises(NotEnoughDataError, match="30 old"):
            difference(self.cloud(rng, FEWEST - 1), self.cloud(rng, 100), rng)
