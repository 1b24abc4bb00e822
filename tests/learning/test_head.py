"""The head against scikit-learn, and what only it does."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.students.head import Head
from learning.students.strength import Choice, Grid, choose
from learning.teachers.zero_shot import unit
from learning.types import TrainingData, no_report
from tests.contracts.plugins import lesson, three_groups


def noisy(rows: int = 200) -> TrainingData:
    points, group = three_groups(rows, 12, seed=4)
    rng = np.random.default_rng(1)
    group = np.where(rng.random(rows) < 0.2, rng.integers(0, 3, rows), group)
    return TrainingData(encodings=points, targets=np.eye(3, dtype=np.float32)[group])


def fit(data: TrainingData, strength: float | None = 5.0, start=None, **options):
    head = Head(strength=strength, **options)
    return head.fit(data, np.random.default_rng(0), no_report, start)


class TestAgainstScikitLearn:
    def test_softmax(self) -> None:
        from sklearn.linear_model import LogisticRegression

        data = noisy()
        ours = fit(data, tolerance=1e-5, evaluations=1000).predict(data.encodings)
        theirs = LogisticRegression(C=5.0, tol=1e-8, max_iter=2000)
        theirs.fit(data.encodings, data.targets.argmax(axis=1))
        np.testing.assert_allclose(ours, theirs.predict_proba(data.encodings), atol=2e-3)

    def test_weights(self) -> None:
        from sklearn.linear_model import LogisticRegression

        weights = np.random.default_rng(3).uniform(0.1, 3, 200).astype(np.float32)
        data = replace(noisy(), weights=weights)
        ours = fit(data, tolerance=1e-5, evaluations=1000).predict(data.encodings)
        theirs = LogisticRegression(C=5.0, tol=1e-8, max_iter=2000)
        theirs.fit(data.encodings, data.targets.argmax(axis=1), weights)
        np.testing.assert_allclose(ours, theirs.predict_proba(data.encodings), atol=2e-3)

    def test_one_against_the_rest(self) -> None:
        from sklearn.linear_model import LogisticRegression

        data = replace(noisy(), multi_label=True)
        ours = fit(data, tolerance=1e-5, evaluations=1000).predict(data.encodings)
        for column in range(3):
            one = LogisticRegression(C=5.0, tol=1e-8, max_iter=2000)
            one.fit(data.encodings, data.targets[:, column])
            expected = one.predict_proba(data.encodings)[:, 1]
            np.testing.assert_allclose(ours[:, column], expected, atol=2e-3)


def test_soft_targets_equal_repeated_weighted_hard_ones() -> None:
    data = noisy(90)
    soft = np.full((90, 3), 0.1, dtype=np.float32) + 0.7 * data.targets
    one = fit(replace(data, targets=soft), tolerance=1e-5, evaluations=1000)
    rows = np.repeat(np.arange(90), 3)
    repeated = TrainingData(
        encodings=data.encodings[rows],
        targets=np.tile(np.eye(3, dtype=np.float32), (90, 1)),
        weights=soft.ravel(),
    )
    two = fit(repeated, tolerance=1e-5, evaluations=1000)
    points = data.encodings
    np.testing.assert_allclose(one.predict(points), two.predict(points), atol=2e-3)


@pytest.mark.parametrize("multi_label", [False, True])
def test_gradient_is_the_slope_of_the_loss(multi_label: bool) -> None:
    from learning.students.regression import Problem

    data = lesson(multi_label=multi_label)
    known = data.known.copy()
    known[:20, 0] = False
    targets = np.where(known, data.targets, 0)
    rows = np.arange(60) if multi_label else np.flatnonzero(targets.sum(axis=1) == 1)
    problem = Problem.of(replace(data, targets=targets, known=known, multi_label=True).subset(rows))
    problem = replace(problem, multi_label=multi_label)
    rng = np.random.default_rng(0)
    point = rng.normal(size=(problem.d + 1) * problem.k).astype(np.float32)
    _, gradient = problem.loss(2.0, point)
    for _ in range(10):
        along = rng.normal(size=len(point)).astype(np.float32)
        along /= np.linalg.norm(along)
        ahead, behind = (problem.loss(2.0, point + s * along)[0] for s in (0.01, -0.01))
        assert (ahead - behind) / 0.02 == pytest.approx(float(gradient @ along), rel=0.05, abs=0.1)


def test_a_label_unknown_on_a_row_does_not_speak_against_itself() -> None:
    """Half of the items were answered before the third label existed; many of them deserve it."""
    points, group = three_groups(120, 8)
    old = np.arange(120) < 60
    answer = np.where(old & (group == 2), 0, group)
    targets = np.eye(3, dtype=np.float32)[answer]
    blind = TrainingData(encodings=points, targets=targets)
    known = np.ones((120, 3), dtype=bool)
    known[old, 2] = False
    aware = replace(blind, known=known)
    third = group == 2
    assert (
        fit(aware).predict(points)[third, 2].mean()
        > fit(blind).predict(points)[third, 2].mean() + 0.05
    )


def test_a_label_never_given_stays_finite_and_small() -> None:
    data = noisy(60)
    targets = np.concatenate([data.targets, np.zeros((60, 1), dtype=np.float32)], axis=1)
    p = fit(replace(data, targets=targets)).predict(data.encodings)
    assert np.isfinite(p).all()
    assert p[:, 3].max() < 0.05


def test_one_item_is_enough_to_fit() -> None:
    p = fit(noisy().subset(np.array([0])), strength=None).predict(noisy().encodings)
    assert np.isfinite(p).all()


def test_a_warm_start_ends_where_a_cold_one_does_in_fewer_looks() -> None:
    data = noisy()
    looks: dict[str, int] = {}

    def count(name: str):
        return lambda done, total: looks.__setitem__(name, looks.get(name, 0) + 1)

    head = Head(strength=5.0, tolerance=1e-4, evaluations=500)
    rng = np.random.default_rng(0)
    former = head.fit(data.subset(np.arange(180)), rng, no_report)
    cold = head.fit(data, rng, count("cold"))
    warm = head.fit(data, rng, count("warm"), former)
    points = data.encodings
    np.testing.assert_allclose(warm.predict(points), cold.predict(points), atol=5e-3)
    assert looks["warm"] < looks["cold"]


def test_a_former_head_of_other_encodings_is_left_aside() -> None:
    data = noisy()
    other = fit(lesson())
    points = data.encodings
    np.testing.assert_array_equal(fit(data, start=other).predict(points), fit(data).predict(points))


def test_predicts_from_a_float16_memmap(tmp_path) -> None:
    data = noisy()
    half = data.encodings.astype(np.float16)
    half.tofile(tmp_path / "m")
    mapped = np.memmap(tmp_path / "m", dtype=np.float16, mode="r", shape=half.shape)
    head = fit(data)
    np.testing.assert_array_equal(head.predict(mapped), head.predict(half))


def test_refuses_texts_other_dimensions_and_bad_parameters() -> None:
    head = fit(noisy())
    with pytest.raises(ShapeError, match="not from texts"):
        head.predict(["a text"])
    with pytest.raises(ShapeError, match="12"):
        head.predict(np.zeros((1, 3), dtype=np.float32))
    with pytest.raises(ShapeError):
        fit(replace(lesson(), encodings=None))
    for wrong in ({"strength": 0.0}, {"evaluations": 0}, {"tolerance": 0.0}):
        with pytest.raises(ParameterError):
            Head(**wrong)


def test_every_label_archived_is_refused() -> None:
    data = lesson(multi_label=True)
    nothing = replace(
        data, targets=np.zeros((60, 4), dtype=np.float32), known=np.zeros((60, 4), dtype=bool)
    )
    with pytest.raises(NotEnoughDataError, match="archived"):
        fit(nothing)


class TestStrength:
    def test_noisy_labels_are_trusted_less_and_the_head_is_better_for_it(self) -> None:
        points, group = three_groups(900, 100, seed=2)
        rng = np.random.default_rng(0)
        said = np.where(rng.random(900) < 0.5, rng.integers(0, 3, 900), group)
        data = TrainingData(encodings=points[:300], targets=np.eye(3, dtype=np.float32)[said[:300]])
        chosen, eager = fit(data, None), fit(data, 100.0)
        right = [
            (head.predict(points[300:]).argmax(axis=1) == group[300:]).mean()
            for head in (chosen, eager)
        ]
        assert chosen.choice.strength <= 3
        assert right[0] > right[1] + 0.02

    def test_the_temperature_makes_probabilities_honest(self) -> None:
        points, group = three_groups(900, 40, seed=2)
        rng = np.random.default_rng(0)
        said = np.where(rng.random(900) < 0.4, rng.integers(0, 3, 900), group)
        data = TrainingData(encodings=points[:400], targets=np.eye(3, dtype=np.float32)[said[:400]])
        chosen = fit(data, None)
        p = chosen.predict(points[400:])
        confidence, right = p.max(axis=1), p.argmax(axis=1) == said[400:]
        assert abs(confidence.mean() - right.mean()) < 0.05

    def test_climbs_to_the_least_cost_and_keeps_its_temperature(self) -> None:
        def cost(learn, ask, strength, scale):
            return np.abs(np.log(strength / 100)) + np.abs(np.arange(13) - 5.0)

        found = choose(1000, cost, np.random.default_rng(0), Grid())
        assert found == Choice(strength=100.0, temperature=2.0**0.5, rows=1000, cost=0.0)

    def test_few_rows_take_the_usual_value(self) -> None:
        assert fit(noisy(20), None).choice == Choice(rows=20)

    def test_a_choice_holds_until_there_is_a_quarter_more(self) -> None:
        data = noisy(200)
        former = fit(data.subset(np.arange(150)), None)
        assert former.choice.rows == 150
        assert fit(data.subset(np.arange(180)), None, former).choice == former.choice
        assert fit(data, None, former).choice.rows == 200

    def test_settled_heads_do_not_choose_again(self) -> None:
        data = noisy()
        chosen = Head().fit(data, np.random.default_rng(0), no_report)
        assert Head().settle(chosen) == Head(
            strength=chosen.choice.strength, temperature=chosen.choice.temperature
        )
        again = Head().settle(chosen).fit(data, np.random.default_rng(1), no_report)
        assert again.choice.temperature == chosen.choice.temperature


class TestPrior:
    """Three groups whose label vectors lie near their centres."""

    @staticmethod
    def named(rows: int = 300, seed: int = 5) -> tuple[TrainingData, np.ndarray]:
        rng = np.random.default_rng(seed)
        group = np.arange(rows) % 3
        centres = rng.normal(size=(3, 24))
        points = unit(centres[group] + 2 * rng.normal(size=(rows, 24)))
        names = unit(centres + 0.5 * rng.normal(size=centres.shape))
        targets = np.eye(3, dtype=np.float32)[group]
        data = TrainingData(encodings=points, targets=targets, label_vectors=names)
        return data, group

    def test_without_faith_in_the_labels_the_names_alone_decide(self) -> None:
        data, _ = self.named()
        head = fit(data, 1e-9, prior_scale=10.0)
        expected = 10 * (data.label_vectors - data.label_vectors.mean(axis=0)).T
        np.testing.assert_allclose(head.weights, expected, atol=1e-4)

    def test_three_answers_and_the_names_beat_three_answers(self) -> None:
        data, group = self.named()
        few = data.subset(np.array([0, 1, 2]))
        alone = replace(few, label_vectors=None)
        right = [
            (fit(lesson_, None).predict(data.encodings).argmax(axis=1) == group).mean()
            for lesson_ in (few, alone)
        ]
        assert right[0] > right[1] + 0.05

    def test_names_that_mislead_are_let_go_of(self) -> None:
        data, group = self.named(600)
        some = data.subset(np.arange(150))
        wrong = replace(some, label_vectors=np.roll(some.label_vectors, 1, axis=0))
        named, misled, alone = (
            (fit(one, None).predict(data.encodings[150:]).argmax(axis=1) == group[150:]).mean()
            for one in (some, wrong, replace(some, label_vectors=None))
        )
        assert named > alone
        assert misled > alone - 0.03

    def test_a_label_without_answers_is_found_by_its_name(self) -> None:
        data, group = self.named()
        seen = data.subset(np.flatnonzero(group != 2)[:12])
        p = fit(seen, 1.0).predict(data.encodings)
        blind = fit(replace(seen, label_vectors=None), 1.0).predict(data.encodings)
        third = group == 2
        assert p[third, 2].mean() > 20 * blind[third, 2].mean()
        assert p[third, 2].mean() > 5 * p[~third, 2].mean()

    def test_a_label_newer_than_every_answer_is_found_by_its_name_alone(self) -> None:
        data, group = self.named()
        rows = np.flatnonzero(group != 2)
        younger = np.zeros((len(rows), 3), dtype=bool)
        younger[:, 2] = True
        p = fit(replace(data.subset(rows), younger=younger), 1.0).predict(data.encodings)
        assert (p[group == 2].argmax(axis=1) == 2).mean() > 0.5
        assert (p[rows].argmax(axis=1) == group[rows]).mean() > 0.7

    @pytest.mark.parametrize("multi_label", [False, True])
    def test_a_new_label_that_was_only_ever_given_does_not_swallow_the_others(
        self, multi_label: bool
    ) -> None:
        """A lead adds a label and gives it to what a search finds: all older answers are silent."""
        points, group = three_groups(120, 8)
        rows = np.concatenate([np.flatnonzero(group != 2), np.flatnonzero(group == 2)[:4]])
        younger = np.zeros((120, 3), dtype=bool)
        younger[group != 2, 2] = True
        data = TrainingData(
            encodings=points[rows],
            targets=np.eye(3, dtype=np.float32)[group[rows]],
            younger=younger[rows],
            multi_label=multi_label,
        )
        aware, blind = fit(data), fit(replace(data, younger=None))
        p, q = aware.predict(points), blind.predict(points)
        assert p[group == 2, 2].mean() > q[group == 2, 2].mean() + 0.01
        assert (p[group != 2].argmax(axis=1) == group[group != 2]).mean() > 0.85

    def test_the_gradient_with_younger_labels_is_the_slope_of_the_loss(self) -> None:
        from learning.students.regression import Problem

        points, group = three_groups(60, 8)
        targets = np.eye(3, dtype=np.float32)[group]
        younger = (np.arange(60) < 40)[:, None] & (targets == 0)
        rng = np.random.default_rng(0)
        for several in (False, True):
            problem = Problem.of(
                TrainingData(
                    encodings=points, targets=targets, younger=younger, multi_label=several
                )
            )
            point = rng.normal(size=(problem.d + 1) * problem.k).astype(np.float32)
            _, gradient = problem.loss(2.0, point)
            along = rng.normal(size=len(point)).astype(np.float32)
            along /= np.linalg.norm(along)
            ahead, behind = (problem.loss(2.0, point + s * along)[0] for s in (0.01, -0.01))
            slope = float(gradient @ along)
            assert (ahead - behind) / 0.02 == pytest.approx(slope, rel=0.05, abs=0.1)

    def test_a_label_of_which_nothing_is_known_begins_at_zero(self) -> None:
        data, _ = self.named()
        names = data.label_vectors.copy()
        names[1] = 0
        head = fit(replace(data, label_vectors=names), 1e-9, prior_scale=4.0)
        np.testing.assert_allclose(head.weights[:, 1], 0, atol=1e-4)
        told = names[[0, 2]]
        np.testing.assert_allclose(head.weights[:, 0], 4 * (told[0] - told.mean(axis=0)), atol=1e-4)

    def test_the_gradient_with_a_centre_is_the_slope_of_the_loss(self) -> None:
        from learning.students.regression import Problem

        data, _ = self.named(60)
        problem = Problem.of(data).towards(6.0)
        rng = np.random.default_rng(0)
        point = rng.normal(size=(problem.d + 1) * problem.k).astype(np.float32)
        _, gradient = problem.loss(2.0, point)
        along = rng.normal(size=len(point)).astype(np.float32)
        along /= np.linalg.norm(along)
        ahead, behind = (problem.loss(2.0, point + s * along)[0] for s in (0.01, -0.01))
        assert (ahead - behind) / 0.02 == pytest.approx(float(gradient @ along), rel=0.05)

    def test_a_choice_made_without_names_does_not_hold_with_them(self) -> None:
        data, _ = self.named()
        former = fit(replace(data, label_vectors=None), None)
        assert former.choice.scale is None
        found = fit(data, None, former)
        assert found.choice.scale is not None
        assert Head().settle(found) == Head(
            strength=found.choice.strength,
            prior_scale=found.choice.scale,
            temperature=found.choice.temperature,
        )

    def test_refuses_vectors_of_other_lengths_and_scales_below_zero(self) -> None:
        data, _ = self.named()
        with pytest.raises(ShapeError, match="label_vectors"):
            replace(data, label_vectors=data.label_vectors[:2])
        with pytest.raises(ShapeError, match="label texts"):
            replace(data, label_texts=("one",))
        with pytest.raises(ParameterError, match="prior"):
            Head(prior_scale=-1.0)


class TestClassWeights:
    def test_balanced_is_what_scikit_learn_calls_so(self) -> None:
        from sklearn.linear_model import LogisticRegression

        data = noisy()
        rare = data.subset(np.flatnonzero((data.targets[:, 0] == 0) | (np.arange(200) % 5 == 0)))
        head = fit(rare, tolerance=1e-5, evaluations=1000, class_weights="balanced")
        theirs = LogisticRegression(C=5.0, tol=1e-8, max_iter=2000, class_weight="balanced")
        theirs.fit(rare.encodings, rare.targets.argmax(axis=1))
        expected = theirs.predict_proba(data.encodings)
        np.testing.assert_allclose(head.predict(data.encodings), expected, atol=2e-3)

    def test_with_several_labels_a_rare_one_is_found_more_often(self) -> None:
        data = lesson(multi_label=True)
        targets = data.targets.copy()
        targets[10:, 2] = 0
        rare = replace(data, targets=targets)
        plain, heavy = (
            fit(rare, class_weights=how).predict(data.encodings)[:, 2]
            for how in ("none", "balanced")
        )
        assert heavy.mean() > plain.mean() + 0.05

    def test_the_gradient_is_the_slope(self) -> None:
        from learning.students.regression import Problem

        problem = Problem.of(lesson(multi_label=True), balanced=True)
        problem = replace(problem, present=np.array([1.0, 3.0, 7.0, 1.0], dtype=np.float32))
        rng = np.random.default_rng(0)
        point, along = rng.normal(size=(2, (problem.d + 1) * problem.k)).astype(np.float32)
        along /= np.linalg.norm(along)
        _, gradient = problem.loss(2.0, point)
        ahead, behind = (problem.loss(2.0, point + s * along)[0] for s in (0.01, -0.01))
        assert (ahead - behind) / 0.02 == pytest.approx(float(gradient @ along), rel=0.05)
