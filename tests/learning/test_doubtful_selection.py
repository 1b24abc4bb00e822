"""What the strategies do that pick by doubt, disagreement or value."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection.class_balanced import ClassBalanced
from learning.selection.committee import Committee
from learning.selection.contrastive import Contrastive
from learning.selection.data_value import DataValue, influences
from learning.selection.density_margin import DensityMargin
from learning.selection.entropy import Entropy
from learning.selection.least_confidence import LeastConfidence
from learning.selection.margin import Margin
from learning.types import Pool
from tests.contracts.plugins import a_pool, three_groups

NAMES = ("Billing", "Login", "Refund")


def pool_of(probabilities, labelled=(), **columns) -> Pool:
    p = np.asarray(probabilities, dtype=np.float32)
    mask = np.zeros(len(p), dtype=bool)
    mask[list(labelled)] = True
    names = {} if "columns" in columns else {"label_names": NAMES[: p.shape[1]]}
    return Pool(
        eligible=np.ones(len(p), dtype=bool),
        labelled=mask,
        probabilities=p,
        **{**names, **columns},
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_beliefs(rows: int, labels: int, seed: int = 0) -> np.ndarray:
    return rng(seed).dirichlet(np.ones(labels), size=rows).astype(np.float32)


class TestLeastConfidence:
    def test_least_likely_best_guess_first(self) -> None:
        pool = pool_of([[0.6, 0.4, 0], [0.4, 0.35, 0.25], [0.5, 0.5, 0]])
        picked = LeastConfidence().select(pool, 2, rng())
        assert picked.rows.tolist() == [1, 2]
        assert picked.reasons[0] == "the student's best guess is only Billing 40 %"

    def test_several_doubts_come_before_a_single_one(self) -> None:
        pool = replace(pool_of([[0.5, 1, 1], [0.7, 0.7, 0.4]]), multi_label=True)
        picked = LeastConfidence().select(pool, 1, rng())
        assert picked.rows.tolist() == [1]
        assert picked.reasons == [
            "the student's best guess, Billing and Login, is only 29 % likely as a whole"
        ]


class TestEntropy:
    def test_widest_belief_first(self) -> None:
        pool = pool_of([[0.5, 0.5, 0], [0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
        picked = Entropy().select(pool, 3, rng())
        assert picked.rows.tolist() == [1, 0, 2]
        assert picked.reasons[0] == (
            "the student spreads its belief as if over 2.8 labels (entropy 1.04), first Billing 50 %"
        )

    def test_what_is_not_kept_counts_as_one_label(self) -> None:
        p = np.array([[0.5, 0.5], [0.2, 0.2]], dtype=np.float32)
        pool = pool_of(p, columns=np.array([[0, 1], [0, 1]], dtype=np.int32))
        assert Entropy().select(pool, 2, rng()).rows.tolist() == [1, 0]


class TestClassBalanced:
    def test_labels_fill_up_from_below(self) -> None:
        p = np.full((40, 3), 0.1, dtype=np.float32)
        guess = np.arange(40) % 3
        p[np.arange(40), guess] = np.linspace(0.5, 0.9, 40)
        labelled = range(30, 40)
        answers = np.zeros((10, 3), dtype=np.float32)
        answers[np.arange(10), [0] * 6 + [1] * 1 + [2] * 3] = 1
        pool = pool_of(p, labelled, answers=answers)
        picked = ClassBalanced().select(pool, 9, rng())
        assert np.bincount(guess[picked.rows], minlength=3).tolist() == [0, 6, 3] or np.bincount(
            guess[picked.rows], minlength=3
        ).tolist() == [0, 5, 4]
        of_login = picked.rows[guess[picked.rows] == 1]
        assert of_login.tolist() == [1 + 3 * i for i in range(len(of_login))]  # smallest margins
        assert picked.reasons[0].startswith("probably Login, which has 1 answers; the student")

    def test_a_label_without_items_leaves_its_place_to_the_others(self) -> None:
        pool = pool_of([[0.9, 0.1, 0]] * 5 + [[0.1, 0.9, 0]])
        picked = ClassBalanced().select(pool, 5, rng())
        assert 5 in picked.rows.tolist()

    def test_rare_labels_get_far_more_picks_than_by_margin(self) -> None:
        generator = rng(3)
        guess = (generator.random(2000) < 0.03).astype(int)
        sure = generator.uniform(0.5, 1, 2000)
        p = np.where(guess[:, None] == [0, 1], sure[:, None], 1 - sure[:, None])
        pool = pool_of(p)
        ours, theirs = (s.select(pool, 40, rng()).rows for s in (ClassBalanced(), Margin()))
        assert guess[ours].sum() == 20
        assert guess[theirs].sum() < 6


class TestDensityMargin:
    def test_an_outlier_waits_though_it_is_most_in_doubt(self) -> None:
        points, _ = three_groups(90, 10)
        points[0] = -points[1:].mean(axis=0) / np.linalg.norm(points[1:].mean(axis=0))
        p = np.tile(np.array([0.6, 0.4], dtype=np.float32), (90, 1))
        p[0] = 0.5
        pool = pool_of(p, encodings=points)
        assert Margin().select(pool, 1, rng()).rows.tolist() == [0]
        picked = DensityMargin().select(pool, 89, rng())
        assert 0 not in picked.rows
        assert "likeness 0." in picked.reasons[0]

    def test_without_weight_it_is_smallest_margin(self) -> None:
        pool = a_pool()
        ours = DensityMargin(weight=0).select(pool, 20, rng())
        assert ours.rows.tolist() == Margin().select(pool, 20, rng()).rows.tolist()

    def test_an_item_is_not_its_own_neighbour(self) -> None:
        points = np.eye(6, dtype=np.float32)  # nothing is alike
        pool = pool_of(some_beliefs(6, 3), encodings=points)
        assert "likeness 0.00" in DensityMargin(neighbours=1).select(pool, 1, rng()).reasons[0]


class TestContrastive:
    @pytest.mark.parametrize("multi_label", [False, True])
    def test_scores_are_the_mean_divergence_from_the_neighbours(self, multi_label) -> None:
        p = some_beliefs(30, 3)
        points, _ = three_groups(30, 6)
        pool = replace(pool_of(p, range(12), encodings=points), multi_label=multi_label)
        expected = {}
        for row in range(12, 30):
            near = np.argsort(((points[:12] - points[row]) ** 2).sum(axis=1))[:4]
            each = p[near] * np.log(p[near] / p[row])
            if multi_label:
                each += (1 - p[near]) * np.log((1 - p[near]) / (1 - p[row]))
            expected[row] = each.sum(axis=1).mean()
        picked = Contrastive(neighbours=4).select(pool, 5, rng())
        assert picked.rows.tolist() == sorted(expected, key=expected.get, reverse=True)[:5]
        assert f"divergence {max(expected.values()):.2f}" in picked.reasons[0]

    def test_kept_columns_that_hold_everything_change_nothing(self) -> None:
        p = some_beliefs(30, 3)
        points, _ = three_groups(30, 6)
        columns = np.argsort(-p, axis=1).astype(np.int32)
        kept = np.take_along_axis(p, columns, axis=1)
        full = pool_of(p, range(9), encodings=points)
        sparse = replace(full, probabilities=kept, columns=columns)
        rows = [Contrastive().select(pool, 8, rng()).rows.tolist() for pool in (full, sparse)]
        assert rows[0] == rows[1]

    def test_the_sure_item_among_neighbours_that_say_otherwise(self) -> None:
        points, group = three_groups(60, 8)
        p = np.full((60, 3), 0.05, dtype=np.float32)
        p[np.arange(60), group] = 0.9
        p[50] = p[51]  # item 50 lies in the group of item 47
        picked = Contrastive().select(pool_of(p, range(30), encodings=points), 1, rng())
        assert picked.rows.tolist() == [50]


class TestCommittee:
    def pool(self, *, multi_label: bool = False) -> Pool:
        """Two labels that overlap on an arc; the waiting rows 60 … 119 lie along it."""
        degrees = np.concatenate(
            [rng().normal(25, 12, 30), rng(1).normal(65, 12, 30), np.linspace(0, 90, 60)]
        )
        points = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
        pool = pool_of(some_beliefs(120, 2), range(60), encodings=points.astype(np.float32))
        answers = np.eye(2, dtype=np.float32)[np.arange(60) // 30]
        return replace(pool, answers=answers, multi_label=multi_label)

    @pytest.mark.parametrize("multi_label", [False, True])
    @pytest.mark.parametrize("disagreement", ["votes", "jensen-shannon"])
    def test_items_between_two_labels_split_the_votes(self, disagreement, multi_label) -> None:
        committee = Committee(disagreement=disagreement)
        pool = self.pool(multi_label=multi_label)
        picked = committee.select(pool, 4, rng())
        assert (np.abs(picked.rows - 90) < 15).all(), "not between the labels"
        if disagreement == "votes" and not multi_label:
            assert re.search(r"3 say (\w+), 2 say (\w+)", picked.reasons[0])

    def test_needs_no_student_of_the_project(self) -> None:
        picked = Committee().select(replace(self.pool(), probabilities=None), 5, rng())
        assert len(picked.rows) == 5

    def test_disagreement_by_its_definition(self) -> None:
        said = np.array([[[0.8, 0.2]], [[0.4, 0.6]]], dtype=np.float32)

        def h(p):
            return -sum(x * np.log(x) for x in p)

        shannon = Committee(disagreement="jensen-shannon")._score(said, multi_label=False)
        assert shannon[0] == pytest.approx(h([0.6, 0.4]) - (h([0.8, 0.2]) + h([0.4, 0.6])) / 2)
        votes = Committee(disagreement="votes")._score(said, multi_label=False)
        assert votes[0] == pytest.approx(np.log(2))
        both = Committee(disagreement="votes")._score(said, multi_label=True)
        assert both[0] == pytest.approx(2 * np.log(2))

    def test_answers_whose_label_is_gone_are_left_out(self) -> None:
        pool = self.pool()
        pool.answers[:5] = 0
        assert len(Committee().select(pool, 4, rng()).rows) == 4
        with pytest.raises(NotEnoughDataError, match="still exist"):
            Committee().select(replace(pool, answers=np.zeros((60, 2))), 4, rng())

    def test_a_committee_of_one_is_refused(self) -> None:
        with pytest.raises(ParameterError):
            Committee(members=1)


def utility(present, right, neighbours: int) -> float:
    """U(S): the first `neighbours` present items of a ranking vote, 1 / neighbours each."""
    voters = [u for here, u in zip(present, right, strict=True) if here][:neighbours]
    return sum(voters) / neighbours


def extension(likely, right, neighbours: int) -> float:
    """F(v) = E[U], by going through all subsets."""
    return sum(
        np.prod([v if here else 1 - v for here, v in zip(present, likely, strict=True)])
        * utility(present, right, neighbours)
        for present in product([0, 1], repeat=len(likely))
    )


class TestDataValue:
    @pytest.mark.parametrize("neighbours", [1, 2, 3, 9])
    def test_influence_is_what_a_label_changes_in_the_gradient(self, neighbours: int) -> None:
        generator = rng(neighbours)
        likely, right = generator.random(6), generator.random(6)
        found = influences(likely[None], neighbours)[0] / neighbours
        for item in range(6):

            def gradient(label: float, item: int = item) -> float:
                with_label = right.copy()
                with_label[item] = label
                there, away = likely.copy(), likely.copy()
                there[item], away[item] = 1, 0
                return extension(there, with_label, neighbours) - extension(
                    away, with_label, neighbours
                )

            assert gradient(1) - gradient(0) == pytest.approx(found[item])
            assert gradient(0.8) - gradient(0.3) == pytest.approx(0.5 * found[item])

    @pytest.mark.parametrize("multi_label", [False, True])
    def test_value_by_going_through_all_subsets(self, multi_label: bool) -> None:
        points = rng(5).normal(size=(8, 4)).astype(np.float32)
        p = some_beliefs(8, 3, seed=6)
        answers = np.eye(3, dtype=np.float32)[[0, 2, 1]]
        pool = pool_of(p, [0, 1, 2], encodings=points, answers=answers)
        pool = replace(pool, multi_label=multi_label)
        expected = {row: by_definition(pool, row, 2) for row in range(3, 8)}
        picked = DataValue(neighbours=2).select(pool, 5, rng())
        told = [float(re.search(r"set ([\d.]+) votes", reason)[1]) for reason in picked.reasons]
        np.testing.assert_allclose(told, [expected[row] for row in picked.rows], atol=0.006)
        assert sum(value > 0.05 for value in told) >= 3
        assert told == sorted(told, reverse=True)

    def test_a_wrong_guess_among_known_neighbours_is_worth_most(self) -> None:
        points, group = three_groups(90, 8)
        p = np.full((90, 3), 0.15, dtype=np.float32)
        p[np.arange(90), group] = 0.7
        p[60] = [0.1, 0.5, 0.4] if group[60] != 1 else [0.5, 0.1, 0.4]
        p[60, group[60]] = 0.45
        p[60] /= p[60].sum()
        answers = np.eye(3, dtype=np.float32)[group[:45]]
        pool = pool_of(p, range(45), encodings=points, answers=answers)
        assert DataValue().select(pool, 1, rng()).rows.tolist() == [60]


def by_definition(pool: Pool, item: int, neighbours: int) -> float:
    """The expected votes that a corrected label of one item sets right, from the formula."""
    p, multi_label = pool.probabilities, pool.multi_label
    truth = np.where(pool.labelled[:, None], 0, p).astype(np.float64)
    truth[pool.labelled] = pool.answers
    sure = np.maximum(p, 1 - p).prod(axis=1) if multi_label else p.max(axis=1)
    sure = np.where(pool.labelled, 1, sure)
    change = np.zeros((3, 2) if multi_label else 3)
    for query in range(pool.rows):
        if query == item:
            continue
        alike = pool.encodings @ pool.encodings[query]
        ranking = [row for row in np.argsort(-alike) if row != query]
        place = ranking.index(item)
        there = [1 if row == item else sure[row] for row in ranking]

        def votes(right: float, place: int = place, there: list = there) -> float:
            return neighbours * extension(
                there, [right * (i == place) for i in range(7)], neighbours
            )

        for y in range(3):
            if multi_label:
                change[y] += [votes(1 - truth[query, y]), votes(truth[query, y])]
            else:
                change[y] += votes(truth[query, y])
    if not multi_label:
        guess = p[item].argmax()
        return float(p[item] @ np.maximum(change - change[guess], 0))
    guess = (p[item] >= 0.5).astype(int)
    return sum(
        min(p[item, y], 1 - p[item, y]) * max(0, change[y, 1 - guess[y]] - change[y, guess[y]])
        for y in range(3)
    )
