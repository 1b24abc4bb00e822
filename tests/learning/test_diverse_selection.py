"""What the strategies do that spread their picks, against their plain definitions."""

import re
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection import badge, kmeans, probcover, typiclust
from learning.selection.badge import Badge
from learning.selection.k_center import KCenter
from learning.selection.probcover import ProbCover
from learning.selection.typiclust import TypiClust
from learning.types import Pool
from tests.contracts.plugins import a_pool, three_groups


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def cloud(rows: int, dimensions: int, seed: int = 0) -> np.ndarray:
    points = rng(seed).normal(size=(rows, dimensions))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def pool_of(points: np.ndarray, labelled=(), **columns) -> Pool:
    mask = np.zeros(len(points), dtype=bool)
    mask[list(labelled)] = True
    return Pool(
        eligible=np.ones(len(points), dtype=bool), labelled=mask, encodings=points, **columns
    )


def apart(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - others[None], axis=2)


class TestKCenter:
    def farthest_first(self, points: np.ndarray, labelled: list[int], n: int) -> list[int]:
        chosen = list(labelled)
        for _ in range(n):
            chosen.append(int(apart(points, points[chosen]).min(axis=1).argmax()))
        return chosen[len(labelled) :]

    def test_is_the_greedy_core_set(self) -> None:
        points = cloud(300, 6)
        pool = pool_of(points, range(20))
        picked = KCenter().select(pool, 30, rng())
        assert picked.rows.tolist() == self.farthest_first(points, list(range(20)), 30)
        first = apart(points, points[:20]).min(axis=1).max()
        assert f"the nearest is {first:.2f} away" in picked.reasons[0]

    @pytest.mark.parametrize("labelled", [0, 3, 200])
    def test_few_candidates_in_memory_and_enough_rounds_change_nothing(self, labelled: int) -> None:
        pool = pool_of(cloud(3000, 8).astype(np.float16), range(labelled))
        whole = KCenter(keep=3000).select(pool, 40, rng())
        thinned = KCenter(keep=100, rounds=300).select(pool, 40, rng())
        assert thinned.rows[0] == whole.rows[0]
        assert thinned.rows.tolist() == whole.rows.tolist()

    def test_a_single_round_still_covers_better_than_chance(self) -> None:
        points = cloud(3000, 8)
        rows = KCenter(keep=600, rounds=1).select(pool_of(points, range(10)), 40, rng()).rows
        chance = rng().choice(np.arange(10, 3000), 40, replace=False)
        covered, by_chance = (
            apart(points, points[[*range(10), *some]]).min(axis=1).max() for some in (rows, chance)
        )
        assert covered < 0.95 * by_chance

    def test_begins_in_the_middle_when_nothing_is_labelled(self) -> None:
        points = cloud(50, 4) + np.float32(0.2)
        picked = KCenter().select(pool_of(points), 3, rng())
        assert picked.rows[0] == np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
        assert picked.reasons[0] == "the most central of 50 waiting items, nothing is labelled yet"

    def test_refuses_no_rounds(self) -> None:
        with pytest.raises(ParameterError):
            KCenter(rounds=0)


def gradients(pool: Pool) -> np.ndarray:
    """(n, k·d): r ⊗ x of every item, built in full."""
    p = pool.probabilities.astype(np.float64)
    x = pool.encodings.astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    if pool.columns is not None:
        full = np.zeros((len(p), len(pool.label_names)))
        np.put_along_axis(full, pool.columns.astype(np.int64), p, axis=1)
        p = full
    guess = p >= 0.5 if pool.multi_label else np.eye(p.shape[1])[p.argmax(axis=1)]
    return np.einsum("nk,nd->nkd", p - guess, x).reshape(len(p), -1)


def with_kept_columns(pool: Pool) -> Pool:
    columns = np.argsort(-pool.probabilities, axis=1)[:, :2].astype(np.int32)
    kept = np.take_along_axis(pool.probabilities, columns, axis=1)
    return replace(pool, probabilities=kept, columns=columns)


POOLS = {
    "one label": a_pool(),
    "several": a_pool(multi_label=True),
    "kept columns": with_kept_columns(a_pool()),
}


class TestBadge:
    @pytest.mark.parametrize("kind", POOLS)
    def test_distances_are_those_of_the_gradients(self, kind: str) -> None:
        pool = POOLS[kind]
        source = badge._Source(pool)
        places = np.arange(len(source.candidates))
        found = source.gradients(places).apart(source.gradients(places[:5]))
        g = gradients(pool)[source.candidates]
        np.testing.assert_allclose(source.squares, (g**2).sum(axis=1), atol=1e-6)
        np.testing.assert_allclose(found, apart(g, g[:5]) ** 2, atol=1e-5)

    @pytest.mark.parametrize("proposals", [256, 2])
    def test_draws_by_squared_distance_as_k_means_does(self, proposals, monkeypatch) -> None:
        """Few proposals at a time force passes over the pool; the chances stay the same."""
        monkeypatch.setattr(badge, "PROPOSALS", proposals)
        sure = np.array([0.99, 0.99, 0.9, 0.8, 0.6, 0.6, 0.55, 0.5], dtype=np.float32)
        p = np.stack([sure, 1 - sure], axis=1)
        points = cloud(8, 3)
        points[4] = points[5]  # two copies
        pool = pool_of(points, probabilities=p)
        g = gradients(pool)
        lengths = (g**2).sum(axis=1)
        between = apart(g, g) ** 2
        expected = lengths / lengths.sum() @ (between / between.sum(axis=1, keepdims=True))
        firsts, seconds = np.zeros(8), np.zeros(8)
        for seed in range(1500):
            first, second = Badge().select(pool, 2, rng(seed)).rows
            firsts[first] += 1
            seconds[second] += 1
        assert np.abs(firsts / 1500 - lengths / lengths.sum()).max() < 0.04
        assert np.abs(seconds / 1500 - expected).max() < 0.04
        assert np.abs(expected - 1 / 8).max() > 0.08  # not what an even draw would give

    @pytest.mark.parametrize("proposals", [64, 1])
    def test_bounds_never_fall_below_the_distances(self, proposals, monkeypatch) -> None:
        monkeypatch.setattr(badge, "PROPOSALS", proposals)
        pool = a_pool(300)
        source = badge._Source(pool)
        seeding = badge._Seeding(source, rng())
        g = gradients(pool)[source.candidates]
        while len(seeding.places) < 12:
            seeding.draw(12)
            squared = apart(g, g[seeding.places]).min(axis=1) ** 2
            assert (seeding.bounds >= squared - 1e-6).all()

    def test_draw_probabilities_are_about_those_of_being_picked(self) -> None:
        pool = a_pool(200)
        picks = [Badge().select(pool, 10, rng(seed)) for seed in range(300)]
        weighted = np.mean([(1 / picked.probabilities).sum() for picked in picks])
        assert weighted == pytest.approx(len(pool.candidates()), rel=0.25)

    def test_covers_gradients_better_than_the_longest_ones(self) -> None:
        pool = a_pool(400)
        g = gradients(pool)[pool.candidates()]
        longest = np.argsort(-(g**2).sum(axis=1))[:10]
        ours = Badge().select(pool, 10, rng()).rows
        places = np.searchsorted(pool.candidates(), ours)
        cost = [(apart(g, g[some]).min(axis=1) ** 2).sum() for some in (places, longest)]
        assert cost[0] < 0.8 * cost[1]

    def test_says_what_the_student_doubts_and_how_unlike_the_others_it_is(self) -> None:
        reason = Badge().select(a_pool(), 5, rng()).reasons[1]
        assert re.fullmatch(
            r"the student says \w+ \d+ %, next \w+ \d+ %; its correction would be "
            r"\d\.\d\d away from those of the other picks",
            reason,
        )


class TestTypiClust:
    def test_groups_that_have_labels_come_last(self) -> None:
        points, group = three_groups(120, 10)
        pool = pool_of(points, np.flatnonzero(group == 0)[:6])
        rows = TypiClust(groups=3).select(pool, 4, rng()).rows
        assert sorted(group[rows]) == [1, 1, 2, 2]

    def test_of_a_group_the_most_typical_item(self) -> None:
        points, group = three_groups(90, 10)
        picked = TypiClust(groups=3, neighbours=8).select(pool_of(points), 3, rng())
        for row, reason in zip(picked.rows, picked.reasons, strict=True):
            members = np.flatnonzero(group == group[row])
            mean = np.sort(apart(points[members], points[members]), axis=1)[:, 1:9].mean(axis=1)
            assert members[mean.argmin()] == row
            assert f"30 waiting items with no label yet: {mean.min():.2f} from" in reason

    def test_neighbours_among_some_members_of_a_huge_group(self, monkeypatch) -> None:
        monkeypatch.setattr(typiclust, "COMPARED", 50)
        points, group = three_groups(600, 10)
        rows = TypiClust(groups=3).select(pool_of(points), 3, rng()).rows
        assert sorted(group[rows]) == [0, 1, 2]
        for row in rows:
            members = points[group == group[row]]
            away = np.linalg.norm(members - members.mean(axis=0), axis=1)
            assert np.linalg.norm(points[row] - members.mean(axis=0)) < np.median(away)

    def test_lone_items_wait_for_the_groups(self) -> None:
        points, _ = three_groups(60, 10)
        lone = -points[:2] * np.float32(3)
        rows = TypiClust().select(pool_of(np.concatenate([points, lone])), 12, rng()).rows
        assert not set(rows.tolist()) & {60, 61}

    def test_tells_the_size_of_a_group_from_a_sample(self) -> None:
        points, _ = three_groups(3000, 10)
        picked = TypiClust(keep=300).select(pool_of(points.astype(np.float16)), 3, rng())
        size = re.search(r"group of about ([\d,]+) waiting", picked.reasons[0])[1]
        assert 800 < int(size.replace(",", "")) < 1300
        assert picked.probabilities.tolist() == [0.1] * 3


class TestProbCover:
    def test_greedy_cover_by_its_definition(self) -> None:
        near = apart(cloud(60, 3), cloud(60, 3)) < 0.9
        bare = np.arange(60) % 4 > 0
        places, gains, rounds = probcover.cover(near, bare, np.ones(60, bool), 10)
        for place, gain, again in zip(places, gains, rounds, strict=True):
            if again:
                break
            assert gain == (near & bare).sum(axis=1).max() == (near[place] & bare).sum()
            bare &= ~near[place]
        else:
            pytest.fail("ten balls should cover everything and begin anew")
        assert not bare.any()

    def test_most_balls_of_the_radius_are_pure(self) -> None:
        points, _ = three_groups(300, 6)
        group = kmeans.assign(points, kmeans.kmeans(points, 3, 20, rng()), np.ones(300))[0]
        radius = ProbCover(purity=0.9)._radius(points, 3, rng())
        far = apart(points, points)
        pure = [len(set(group[far[row] < radius])) == 1 for row in range(300)]
        larger = [len(set(group[far[row] < 1.1 * radius])) == 1 for row in range(300)]
        assert np.mean(pure) > 0.88
        assert np.mean(larger) < 0.9

    def test_what_has_a_label_nearby_waits(self) -> None:
        points, group = three_groups(300, 10)
        pool = pool_of(points, np.flatnonzero(group == 1)[:40], label_names=("A", "B", "C"))
        rows = ProbCover(purity=0.5).select(pool, 4, rng()).rows
        assert set(group[rows].tolist()) == {0, 2}

    def test_needs_to_know_how_many_labels_there_are(self) -> None:
        pool = pool_of(cloud(30, 4))
        with pytest.raises(NotEnoughDataError, match="how many labels"):
            ProbCover().select(pool, 3, rng())
        assert len(ProbCover(groups=3).select(pool, 3, rng()).rows) == 3

    def test_covers_more_than_chance(self) -> None:
        points, _ = three_groups(900, 10)
        pool = pool_of(points, label_names=("A", "B", "C"))
        picked = ProbCover().select(pool, 10, rng())
        radius = float(re.search(r"within ([\d.]+) of it", picked.reasons[0])[1])
        chance = rng().choice(900, 10, replace=False)
        ours, theirs = (
            (apart(points, points[some]).min(axis=1) < radius).mean()
            for some in (picked.rows, chance)
        )
        assert ours > 1.3 * theirs
