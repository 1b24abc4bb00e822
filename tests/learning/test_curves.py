"""The learning curve: paired points, a power law with its interval, and what it forecasts."""

import numpy as np
import pytest

from learning.audit import curves
from learning.audit.curves import Measured, fit
from learning.errors import NotEnoughDataError, ShapeError

STEPS = np.array([20, 40, 60, 100, 140, 200, 250, 300])


class World:
    """A pool whose students follow accuracy(n) = a - b · n^-c, and differ mostly in hard items."""

    def __init__(self, seed: int, a: float = 0.92, b: float = 2.2, c: float = 0.55) -> None:
        self.rng = np.random.default_rng(seed)
        self.a, self.b, self.c = a, b, c

    def accuracy(self, labels: np.ndarray) -> np.ndarray:
        return self.a - self.b * np.asarray(labels, float) ** -self.c

    def measured(
        self, labels: np.ndarray = STEPS, items: int = 120, luck: float = 0.003
    ) -> Measured:
        hardness = self.rng.random(items)  # the same items for every version
        reached = self.accuracy(labels) + luck * self.rng.normal(size=len(labels))
        wobble = 0.05 * self.rng.normal(size=(len(labels), items))
        right = hardness + wobble < reached[:, None]
        return Measured(labels=labels, right=right, asked=np.ones_like(right))


def forecast(world: World, measured: Measured, at: list[int]) -> list:
    return fit(measured, 10, world.rng).forecast(np.array(at))


def test_forecasts_cover_what_comes() -> None:
    """200 worlds of different curves: the intervals at twice and three times the labels hold."""
    held, widths = [], []
    for seed in range(200):
        draw = np.random.default_rng(seed)
        a, c = draw.uniform(0.8, 0.98), draw.uniform(0.3, 1.0)
        b = (a - draw.uniform(0.3, 0.6)) * 20**c
        world = World(seed, a, b, c)
        found = forecast(world, world.measured(), [600, 1_000])
        truth = world.accuracy(np.array([600, 1_000]))
        held += [e.low <= x <= e.high for e, x in zip(found, truth, strict=True)]
        widths += [e.width for e in found]
    assert np.mean(held) >= 0.91
    assert np.mean(widths) < 0.2, "an interval that always holds because it says nothing"


def test_forecasts_become_sharper_with_audit_items() -> None:
    few, many = (
        forecast(World(1), World(1).measured(items=items), [1_000])[0].width
        for items in (60, 1_000)
    )
    assert many < few / 2


def test_forecasts_widen_with_distance() -> None:
    world = World(2)
    widths = [each.width for each in forecast(world, world.measured(), [300, 600, 3_000])]
    assert widths == sorted(widths)


def test_the_change_is_known_better_than_the_level() -> None:
    """Versions are measured on the same items: what they share drops out of the difference."""
    world = World(3)
    paired = world.measured()
    shuffled = Measured(
        labels=paired.labels,
        right=np.stack([world.rng.permutation(row) for row in paired.right]),
        asked=paired.asked,
    )

    def width(measured: Measured) -> float:
        change = fit(measured, 10, np.random.default_rng(0)).changes(100)
        return float(np.subtract(*np.quantile(change, [0.975, 0.025])))

    level = forecast(world, paired, [400])[0].width
    assert width(paired) < level / 2
    assert width(paired) < width(shuffled)


def test_a_version_is_judged_only_on_items_that_it_was_asked_about() -> None:
    """Items that a version had learned from are right by heart; they must not count."""
    fair = World(4).measured(items=200)
    asked = fair.asked.copy()
    asked[:, 150:] = False
    right = fair.right.copy()
    right[:, 150:] = True
    points = Measured(labels=fair.labels, right=right, asked=asked).points()
    assert [each.n for each in points] == [150] * len(STEPS)
    assert [each.value for each in points] == pytest.approx(fair.right[:, :150].mean(axis=1))
    one, other = (
        fit(each, 10, np.random.default_rng(0)).forecast(np.array([600]))[0].value
        for each in (
            Measured(labels=fair.labels, right=right, asked=asked),
            Measured(labels=fair.labels, right=fair.right, asked=asked),
        )
    )
    assert one == other


def test_many_versions_are_thinned_evenly_in_log_labels() -> None:
    labels = np.arange(20, 1_020, 10)
    thin = World(5).measured(labels).thinned()
    assert len(thin.labels) <= curves.MOST_VERSIONS
    assert thin.labels[0] == 20
    assert thin.labels[-1] == 1_010
    growth = np.diff(np.log(thin.labels))
    assert growth.max() < 2.5 * growth.min()
    none = World(5).measured()
    none.asked[2] = False
    assert STEPS[2] not in none.thinned().labels


def test_too_little_to_go_by_is_refused_in_words() -> None:
    world = World(6)
    for labels in (STEPS[:3], np.array([200, 210, 220, 230, 240])):
        with pytest.raises(NotEnoughDataError, match="measured students"):
            fit(world.measured(labels), 10, world.rng)


def test_perfect_and_hopeless_students_have_forecasts_too() -> None:
    for constant in (True, False):
        right = np.full((len(STEPS), 80), constant)
        found = fit(
            Measured(labels=STEPS, right=right, asked=np.ones_like(right)),
            10,
            np.random.default_rng(0),
        ).forecast(np.array([400]))[0]
        assert 0 <= found.low < found.high <= 1
        assert found.width < 0.4


def test_the_same_generator_gives_the_same_forecast() -> None:
    measured = World(7).measured()
    one, two = (fit(measured, 10, np.random.default_rng(1)).forecast([500]) for _ in range(2))
    assert one == two


def test_what_does_not_fit_is_refused() -> None:
    right = np.ones((2, 5), bool)
    with pytest.raises(ShapeError, match="one row per version"):
        Measured(labels=np.array([1, 2, 3]), right=right, asked=right)
    with pytest.raises(ShapeError, match="order"):
        Measured(labels=np.array([2, 1]), right=right, asked=right)
    with pytest.raises(ShapeError, match="differ"):
        Measured(labels=np.array([1, 2]), right=right, asked=right[:, :3])
    with pytest.raises(ShapeError, match="one label"):
        Measured(labels=np.array([0, 1]), right=right, asked=right)


class Parts:
    """Texts with 0 to 6 spans of their own difficulty; those of one text hang together."""

    def __init__(self, seed: int, items: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.spans = self.rng.integers(0, 7, items)
        self.hardness = self.rng.normal(size=items)

    def measured(self, labels: np.ndarray = STEPS) -> Measured:
        """Each version finds a span, and says a wrong one beside it, by chances that depend on the text."""
        skill = 1.8 - 12 * np.asarray(labels, float) ** -0.55
        chance = 1 / (1 + np.exp(-(skill[:, None] - self.hardness)))
        found = self.rng.binomial(self.spans, chance)
        spurious = self.rng.binomial(self.spans, 0.3 * (1 - chance))
        whole = (found + spurious + self.spans).astype(float)
        return Measured(
            labels=labels, right=2.0 * found, whole=whole, asked=np.ones(whole.shape, dtype=bool)
        )

    def few(self, measured: Measured, items: int) -> Measured:
        """The same versions on some of the texts."""
        columns = self.rng.choice(len(self.spans), items, replace=False)
        assert measured.whole is not None
        return Measured(
            labels=measured.labels,
            right=measured.right[:, columns],
            whole=measured.whole[:, columns],
            asked=measured.asked[:, columns],
        )


class TestParts:
    """Of an item's spans, or its pairs, some are right: their sums make the figure."""

    def test_items_that_are_right_or_not_are_a_special_case(self) -> None:
        plain = World(3).measured()
        parted = Measured(
            labels=plain.labels,
            right=plain.right.astype(float),
            whole=np.ones(plain.right.shape),
            asked=plain.asked,
        )
        assert parted.accuracy() == pytest.approx(plain.accuracy())
        assert parted.worths() == pytest.approx(plain.worths())
        for one, other in zip(plain.points(), parted.points(), strict=True):
            assert (one.value, one.low, one.high) == pytest.approx(
                (other.value, other.low, other.high)
            )
        one, other = (
            fit(each, 10, np.random.default_rng(0)).forecast(np.array([600]))[0]
            for each in (plain, parted)
        )
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))

    def test_intervals_of_points_hold_the_figure_of_the_pool(self) -> None:
        """300 samples of 120 texts: the spans of one text hang together, and the intervals know it."""
        held = []
        for seed in range(300):
            parts = Parts(seed, 3_000)
            pool = parts.measured(np.array([200]))
            (found,) = parts.few(pool, 120).points()
            held.append(found.low <= float(pool.accuracy()[0]) <= found.high)
        assert 0.92 <= np.mean(held) <= 0.985

    @pytest.mark.parametrize("items", [1, 3, 5, 10])
    def test_intervals_of_a_few_texts_hold_it_too(self, items: int) -> None:
        """As of a label that few drawn items have: that these are alike may be by chance."""
        held = []
        for seed in range(400):
            parts = Parts(seed, 2_000)
            pool = parts.measured(np.array([200]))
            (found,) = parts.few(pool, items).points()
            held.append(found.low <= float(pool.accuracy()[0]) <= found.high)
        assert np.mean(held) >= 0.92

    def test_forecasts_hold_what_comes(self) -> None:
        held = []
        for seed in range(60):
            parts = Parts(seed, 3_000)
            pool = parts.measured(np.append(STEPS, [600, 1_000]))
            sample = parts.few(pool, 120)
            assert sample.whole is not None
            seen = Measured(
                labels=STEPS,
                right=sample.right[:-2],
                whole=sample.whole[:-2],
                asked=sample.asked[:-2],
            )
            found = fit(seen, 10, parts.rng).forecast(np.array([600, 1_000]))
            truth = pool.accuracy()[-2:]
            held += [each.low <= come <= each.high for each, come in zip(found, truth, strict=True)]
        assert np.mean(held) >= 0.88

    def test_texts_without_anything_to_mark_say_nothing(self) -> None:
        nothing = Measured(
            labels=np.array([20]),
            right=np.zeros((1, 60)),
            whole=np.zeros((1, 60)),
            asked=np.ones((1, 60), dtype=bool),
        )
        (found,) = nothing.points()
        assert (found.value, found.low, found.high) == (None, 0, 1)
