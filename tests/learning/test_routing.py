"""Signals, the threshold and the error model."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.routing.error_model import ErrorModel, FittedErrorModel
from learning.routing.folds import dealt
from learning.routing.memory import Memory
from learning.routing.ppm import FittedPpm, Performance, Ppm
from learning.routing.regression import fit_logistic
from learning.routing.signals import neighbour_agreement, signal
from learning.routing.tags import Tags, knapsack, mixes
from learning.routing.threshold import Threshold
from learning.routing.types import Candidates, Seed, decided, first
from learning.types import no_report
from tests.contracts.plugins import taught


def fitted(seed: Seed, random: int = 0) -> FittedErrorModel:
    return ErrorModel().fit(seed, np.random.default_rng(random), no_report)


def noisy(rows: int, random: int, *, drawn: np.ndarray | None = None) -> Seed:
    """A teacher who is wrong with the chance 1 - confidence, and nothing else to go by."""
    rng = np.random.default_rng(random)
    sure = rng.uniform(0.5, 1.0, rows)
    truth = np.eye(2, dtype=np.float32)[rng.integers(0, 2, rows)]
    wrong = rng.random(rows) > sure
    teacher = np.where(wrong[:, None], 1 - truth, truth)
    items = Candidates(teacher=teacher, answered=np.ones(rows, dtype=bool), confidence=sure)
    return Seed(items=items, truth=truth, draw_probabilities=drawn)


def test_the_seed_tells_how_often_the_teacher_errs_in_the_pool_not_in_the_draw() -> None:
    truth = np.eye(2)[np.zeros(100, dtype=int)]
    said = np.eye(2)[np.repeat([0, 1], 50)]  # the second half is wrong
    drawn = np.repeat([0.1, 0.9], 50)
    items = Candidates(teacher=said, answered=np.ones(100, dtype=bool))
    error = Seed(items=items, truth=truth, draw_probabilities=drawn).teacher_error()
    assert error.value == pytest.approx(0.1)
    assert error.low < 0.1 < error.high


def test_several_labels_are_wrong_as_soon_as_one_is() -> None:
    said = np.array([[0.9, 0.6, 0.1], [0.9, 0.1, 0.1]])
    items = Candidates(teacher=said, answered=np.ones(2, dtype=bool), multi_label=True)
    assert decided(said, multi_label=True).tolist() == [[True, True, False], [True, False, False]]
    truth = np.array([[1, 0, 0], [1, 0, 0]])
    assert Seed(items=items, truth=truth).wrong.tolist() == [True, False]


def test_a_seed_item_without_an_answer_of_the_teacher_is_refused() -> None:
    items = Candidates(teacher=np.zeros((1, 2)), answered=np.zeros(1, dtype=bool))
    with pytest.raises(ShapeError, match="answer of the teacher"):
        Seed(items=items, truth=np.array([[1, 0]]))


def test_ties_are_parted_by_chance_and_the_budget_holds() -> None:
    benefit = np.array([0.5, 0.9, 0.5, 0.5, 0.1])
    drawn = [first(benefit, 2, np.random.default_rng(seed)) for seed in range(40)]
    assert all(rows[0] == 1 and len(rows) == 2 for rows in drawn)
    assert {int(rows[1]) for rows in drawn} == {0, 2, 3}
    assert len(first(benefit, -1, np.random.default_rng(0))) == 0


def test_the_threshold_takes_the_first_signal_that_is_there() -> None:
    items = taught().items
    told = [
        Threshold().fit(Seed(items=x, truth=taught().truth), np.random.default_rng(0), no_report)
        for x in (
            items,
            replace(items, confidence=None),
            replace(items, confidence=None, disagreement=None),
            replace(items, confidence=None, disagreement=None, student=None),
        )
    ]
    assert [x.told()["signal"] for x in told] == [
        "confidence",
        "agreement",
        "student",
        "distribution",
    ]


def test_the_threshold_reads_an_overconfident_teacher_and_keeps_the_order() -> None:
    seed = taught(300)
    sure = replace(seed.items, confidence=np.where(seed.wrong, 0.97, 0.99))
    fitted = Threshold().fit(replace(seed, items=sure), np.random.default_rng(0), no_report)
    wrong = fitted.wrong(sure)
    assert abs(np.average(wrong, weights=seed.weights) - seed.teacher_error().value) < 0.02
    raw = Threshold().fit(seed.subset(np.arange(5)), np.random.default_rng(0), no_report)
    np.testing.assert_allclose(raw.wrong(sure), 1 - sure.confidence)
    assert fitted.benefit(sure)[seed.wrong].min() > fitted.benefit(sure)[~seed.wrong].max()


def test_the_students_belief_in_several_labels_is_that_of_the_least_believed_one() -> None:
    items = Candidates(
        teacher=np.array([[0.9, 0.1]]),
        answered=np.ones(1, dtype=bool),
        student=np.array([[0.8, 0.4]]),
        multi_label=True,
    )
    assert signal("student", items)[0] == pytest.approx(0.6)


def test_neighbours_agree_where_the_teacher_says_the_same_about_similar_items() -> None:
    points = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0)
    said = np.repeat([0, 1], 6)
    said[0] = 1
    items = Candidates(
        teacher=np.eye(2)[said] * (np.arange(12) != 11)[:, None],
        answered=np.arange(12) != 11,
        encodings=points,
    )
    share = neighbour_agreement(items, np.random.default_rng(0), neighbours=4)
    assert share[0] == pytest.approx(0)
    assert share[6] == pytest.approx(1)
    assert np.isnan(share[11]), "without an answer there is nothing to agree with"


def test_weights_of_the_regression_count_items() -> None:
    rng = np.random.default_rng(0)
    x, hit = rng.normal(size=(60, 2)), rng.random(60) < 0.4
    twice = np.repeat(np.arange(60), 1 + (np.arange(60) % 2))
    one = fit_logistic(x, hit, 1.0 + (np.arange(60) % 2), 10.0)
    other = fit_logistic(x[twice], hit[twice], np.ones(len(twice)), 10.0)
    np.testing.assert_allclose(one.slopes, other.slopes, atol=0.02)


def test_folds_have_the_same_errors_of_each_label() -> None:
    """Else the folds that a router learns from would speak against the one that it is asked about."""
    seed = taught(103)
    fold = dealt(seed, 5, np.random.default_rng(1))
    assert (np.bincount(fold) >= 20).all()
    for column in range(seed.truth.shape[1]):
        for wrong in (False, True):
            held = fold[seed.items.said()[:, column] & (seed.wrong == wrong)]
            assert np.ptp(np.bincount(held, minlength=5)) <= 1


class TestErrorModel:
    def test_finds_where_the_teacher_errs(self) -> None:
        model, fresh = fitted(taught(200)), taught(600, seed=9)
        wrong = model.wrong(fresh.items)
        assert wrong[fresh.wrong].mean() > 3 * wrong[~fresh.wrong].mean()
        assert model.told()["auc"] > 0.8

    def test_its_figures_are_chances(self) -> None:
        gaps = []
        for random in range(6):
            fresh = noisy(2_000, 100 + random)
            wrong = fitted(noisy(200, random), random).wrong(fresh.items)
            doubtful = wrong > np.median(wrong)
            gaps += [wrong[m].mean() - fresh.wrong[m].mean() for m in (doubtful, ~doubtful)]
        assert np.abs(np.mean(gaps)) < 0.04
        assert np.abs(gaps).max() < 0.15

    def test_thirty_items_are_enough_to_be_no_worse_than_the_whole(self) -> None:
        costs = []
        for random in range(8):
            fresh = noisy(2_000, 100 + random)
            wrong = fitted(noisy(30, random), random).wrong(fresh.items)
            costs.append(np.mean((wrong - fresh.wrong) ** 2) - fresh.wrong.var())
        assert np.mean(costs) < 0.01

    def test_weighs_items_by_what_they_stand_for(self) -> None:
        """Sure items are drawn rarely; unweighted, the teacher would look worse than it is."""
        seed = noisy(4_000, 3)
        rng = np.random.default_rng(3)
        drawn = np.where(seed.items.confidence > 0.8, 0.02, 0.2)
        kept = np.flatnonzero(rng.random(4_000) < drawn)
        part = replace(seed.subset(kept), draw_probabilities=drawn[kept])
        wrong = fitted(part).wrong(seed.items)
        assert abs(wrong.mean() - seed.wrong.mean()) < 0.05
        plain = fitted(replace(part, draw_probabilities=None)).wrong(seed.items)
        assert abs(wrong.mean() - seed.wrong.mean()) < abs(plain.mean() - seed.wrong.mean()) + 0.01

    def test_judges_items_that_the_teacher_was_not_asked_about(self) -> None:
        model, items = fitted(taught(200)), taught(300, seed=9).items
        asked = np.zeros(300, dtype=bool)
        wrong = model.wrong(replace(items, teacher=np.zeros((300, 3)), answered=asked))
        third = np.arange(300) % 3 == 2
        assert wrong[third].mean() > 2 * wrong[~third].mean()

    def test_names_the_features_that_speak_for_an_error(self) -> None:
        model, items = fitted(taught(200)), taught(60, seed=9).items
        wrong = model.wrong(items)
        reason = model.reasons(items, np.array([wrong.argmax()]))[0]
        assert "other voices agree" in reason or "confidence" in reason or "student" in reason

    def test_refuses_a_small_seed(self) -> None:
        with pytest.raises(NotEnoughDataError, match="there are 29"):
            fitted(taught(29))


class TestPpm:
    def test_every_known_value_is_in_exactly_one_bin_also_at_the_edges(self) -> None:
        seed = taught(120)
        sure = np.tile([0.2, 0.4, 0.4, 0.6, 0.8, 0.8], 20)
        sure[7] = np.nan
        items = replace(seed.items, confidence=sure)
        tags = tags_of(replace(seed, items=items))
        columns = [place for place, name in enumerate(tags.names) if name.startswith("confidence")]
        found = tags.table(items)[:, columns].sum(axis=1)
        assert (found[np.arange(120) != 7] == 1).all()
        assert found[7] == 0, "an unknown value is in no bin"
        on_edges = replace(items, confidence=np.resize(tags.edges["confidence"], 120))
        assert (tags.table(on_edges)[:, columns].sum(axis=1) == 1).all()

    def test_a_tag_means_the_same_on_a_part_of_the_items(self) -> None:
        seed = taught(120)
        tags, rows = tags_of(seed), np.arange(100, 120)
        np.testing.assert_array_equal(
            tags.table(seed.items.subset(rows)), tags.table(seed.items)[rows]
        )

    def test_the_knapsack_keeps_to_its_budget(self) -> None:
        rng = np.random.default_rng(0)
        tags = rng.random((50, 6)) < 0.3
        tags[:10] = False
        for budget in (-1, 0, 1, 17, 50, 99):
            assert knapsack(tags, budget, rng).sum() == min(max(budget, 0), 50)

    def test_the_knapsack_fills_up_one_tag_before_the_next(self) -> None:
        tags = np.zeros((40, 2), dtype=bool)
        tags[:20, 0] = tags[20:, 1] = True
        sides = [knapsack(tags, 20, np.random.default_rng(seed))[:20].sum() for seed in range(20)]
        assert set(sides) == {0, 20}

    def test_nobody_and_everybody_are_among_the_mixes(self) -> None:
        tried = mixes(np.ones((30, 2), dtype=bool), 10, np.random.default_rng(0))
        assert tried.shape == (10, 30)
        assert not tried[0].any()
        assert tried[1].all()
        assert all(0 < mix.sum() < 30 for mix in tried[2:])

    @pytest.mark.parametrize("quadratic", [False, True])
    def test_an_item_without_tags_gains_nothing(self, quadratic: bool) -> None:
        rng = np.random.default_rng(0)
        model = Performance.of(rng.random((60, 4)), rng.random(60), quadratic=quadratic)
        assert model.gains(np.zeros((3, 4), dtype=bool)).tolist() == [0, 0, 0]

    def test_finds_a_quadratic_law_again(self) -> None:
        rng = np.random.default_rng(0)
        shares = rng.random((80, 3))
        score = 0.5 + shares[:, 0] - 0.3 * shares[:, 1] + 0.4 * shares[:, 0] * shares[:, 2]
        model = Performance.of(shares, score, quadratic=True)
        np.testing.assert_allclose(model.predict(shares), score)
        assert model.gains(np.eye(3, dtype=bool), 100)[1] < 0, "people's labels can be worse"

    def test_what_holds_for_a_set_holds_for_one_of_twice_its_size(self) -> None:
        fitted, items = a_ppm(), taught(60, seed=1).items
        twice = items.subset(np.tile(np.arange(60), 2))
        one, two = fitted.tags.table(items), fitted.tags.table(twice)
        np.testing.assert_allclose(one.mean(axis=0), two.mean(axis=0))
        np.testing.assert_allclose(
            fitted.benefit(twice), np.tile(fitted.benefit(items), 2), atol=1e-12
        )

    def test_simulated_routing_takes_the_best_of_its_mixes(self) -> None:
        fitted, items = a_ppm(), taught(90, seed=1).items
        chosen = fitted.simulate(items, 20, np.random.default_rng(0), draws=60)
        assert chosen.sum() == 20
        table = fitted.tags.table(items)
        other = knapsack(table, 20, np.random.default_rng(5))
        both = np.stack([chosen, other]) @ table.astype(float) / 90
        assert np.diff(fitted.model.predict(both))[0] <= 0

    def test_sends_people_where_the_teachers_answers_hurt(self) -> None:
        fitted, fresh = a_ppm(), taught(300, seed=9)
        benefit = fitted.benefit(fresh.items)
        assert benefit[fresh.wrong].mean() > benefit[~fresh.wrong].mean() + 0.2


def tags_of(seed: Seed) -> Tags:
    return Tags.of(seed, Memory.of(seed, np.random.default_rng(0)), bins=3)


@functools.cache
def a_ppm() -> FittedPpm:
    return Ppm(candidates=120).fit(taught(180), np.random.default_rng(0), no_report)
