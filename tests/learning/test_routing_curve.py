"""Cross-fitted orders, the budget curve and the choice of a router."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from learning.audit.intervals import Estimate
from learning.errors import NotEnoughDataError, ShapeError
from learning.routing import ROUTERS
from learning.routing.choice import back_test, best
from learning.routing.crossfit import Order, cross_fitted, order_of
from learning.routing.curve import Work, at, outcome, replace_curve
from learning.routing.foretell import loop_curve
from learning.routing.loop import LoopPolicy, Voices
from learning.routing.threshold import Threshold
from learning.routing.types import Candidates, Seed, first
from learning.students.folds import out_of_fold
from learning.students.head import Head
from learning.types import TrainingData, no_report
from tests.contracts.plugins import taught

WORK = Work(items=1_000, person_seconds=9.0, person_money=0.1, teacher_money=0.002)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pool(rows: int, seed: int) -> Seed:
    """A teacher whose stated confidence is true, and a whole pool of it."""
    random = rng(seed)
    sure = random.uniform(0.4, 1.0, rows)
    truth = np.eye(2, dtype=np.float32)[random.integers(0, 2, rows)]
    wrong = random.random(rows) > sure
    items = Candidates(
        teacher=np.where(wrong[:, None], 1 - truth, truth),
        answered=np.ones(rows, dtype=bool),
        confidence=sure,
    )
    return Seed(items=items, truth=truth)


def what_happens(whole: Seed, share: float) -> float:
    """The quality when people answer the least sure of the pool."""
    asked = first(1 - whole.items.confidence, round(share * whole.rows), rng())
    left = whole.wrong.copy()
    left[asked] = False
    return 1 - left.mean()


def test_the_curve_foretells_what_happens() -> None:
    held, errors = [], []
    for seed in range(30):
        whole = pool(3_000, seed)
        drawn = rng(seed).choice(3_000, 150, replace=False)
        curve = replace_curve(Threshold(), whole.subset(drawn), WORK, rng(seed))
        for share in (0.0, 0.2, 0.5, 0.8):
            point, came = at(curve, share).quality, what_happens(whole, share)
            held.append(point.low <= came <= point.high)
            errors.append(point.value - came)
    assert np.mean(held) > 0.9
    assert abs(np.mean(errors)) < 0.01


def test_the_curve_begins_at_the_teacher_and_ends_with_people() -> None:
    seed = taught(100)
    curve = replace_curve(Threshold(), seed, WORK, rng())
    assert curve[0].quality.value == pytest.approx(1 - seed.teacher_error().value)
    assert curve[-1].quality.value == curve[-1].quality.low == curve[-1].quality.high == 1
    assert [point.quality.value for point in curve] == sorted(p.quality.value for p in curve)
    assert (curve[0].money, curve[0].hours) == (2.0, 0.0)
    assert (curve[-1].money, curve[-1].hours) == (100.0, 2.5)


def what_is_decided(
    whole: Seed, seed: Seed, share: float, most_wrong: float
) -> tuple[float, float]:
    """(quality of what is decided, share that nobody decides) when people answer the least sure."""
    fitted = Threshold().fit(seed, rng(), no_report)
    asked = first(fitted.benefit(whole.items), round(share * whole.rows), rng())
    people = np.isin(np.arange(whole.rows), asked)
    decided = people | (fitted.wrong(whole.items) <= most_wrong)
    return float(1 - (whole.wrong & ~people)[decided].mean()), float(1 - decided.mean())


def test_the_curve_foretells_what_a_policy_decides_and_what_it_leaves_undecided() -> None:
    held, errors, left = [], [], []
    for seed in range(30):
        whole = pool(3_000, seed)
        drawn = whole.subset(rng(seed).choice(3_000, 150, replace=False))
        curve = replace_curve(Threshold(), drawn, WORK, rng(seed), most_wrong=0.25)
        for share in (0.0, 0.2, 0.5, 0.8):
            point, (quality, undecided) = (
                at(curve, share),
                what_is_decided(whole, drawn, share, 0.25),
            )
            held.append(point.quality.low <= quality <= point.quality.high)
            errors.append(point.quality.value - quality)
            left.append(point.undecided.value - undecided)
    assert np.mean(held) > 0.9
    assert abs(np.mean(errors)) < 0.01
    assert abs(np.mean(left)) < 0.02


def test_what_is_not_sure_enough_is_undecided_until_people_label_it() -> None:
    seed = taught(100)
    told = {
        wrong: replace_curve(Threshold(), seed, WORK, rng(), most_wrong=wrong)
        for wrong in (1.0, 0.2, -1.0)
    }
    assert {point.undecided.value for point in told[1.0]} == {0}
    undecided = [point.undecided.value for point in told[0.2]]
    assert 0 < undecided[0] < 1
    assert undecided == sorted(undecided, reverse=True)
    assert undecided[-1] == told[0.2][-1].undecided.high == 0
    assert told[0.2][0].quality.value > told[1.0][0].quality.value, (
        "the doubtful words are left out"
    )
    nothing, some = told[-1.0][0], told[-1.0][1]
    assert (nothing.quality.value, nothing.undecided.value) == (None, 1)
    assert (some.quality.value, some.undecided.value) == (1, pytest.approx(0.95))


def test_what_the_teacher_has_no_answer_to_is_undecided_until_all_else_is_peoples() -> None:
    seed, shares = taught(100), (0.0, 0.4, 0.9, 1.0)
    silent = Estimate(value=0.2, low=0.1, high=0.3, n=125)
    heard = replace_curve(Threshold(), seed, WORK, rng(), shares=(0.0, 0.5, 1.0), most_wrong=0.2)
    told = replace_curve(
        Threshold(), seed, WORK, rng(), shares=shares, most_wrong=0.2, silent=silent
    )
    undecided = [point.undecided for point in told]
    for point, among in zip(told[:2], heard[:2], strict=True):
        assert point.undecided.value == pytest.approx(0.8 * among.undecided.value + 0.2)
        assert point.quality.value == pytest.approx(among.quality.value)
    assert [one.value for one in undecided[2:]] == [pytest.approx(0.1), 0]
    assert undecided[0].low < undecided[0].value < undecided[0].high <= 1


def test_people_may_get_items_in_another_order_than_the_routers() -> None:
    whole = pool(200, 4)
    doubt = whole.wrong * 1.0  # as if all errors were known
    curve = replace_curve(Threshold(), whole, WORK, rng(), doubt=doubt)
    share = float(np.ceil(20 * whole.wrong.mean()) / 20)
    assert at(curve, share).quality.value == pytest.approx(1)


def test_only_what_is_still_to_be_answered_costs_anything() -> None:
    half = replace(WORK, answered=400, unasked=0.5)
    assert (half.people(0.3), half.hours(0.3)) == (0, 0), "that share was passed"
    assert half.money(0.3) == pytest.approx(0.5 * 600 * 0.002)
    assert (half.people(0.6), half.hours(0.6)) == (200, 0.5)
    assert half.money(0.6) == pytest.approx(200 * 0.1 + 0.5 * 400 * 0.002)


def test_an_item_counts_by_what_it_stands_for() -> None:
    wrong = np.array([True, False, False])
    order = order_of(np.array([3.0, 2, 1]), wrong, np.array([2.0, 1, 1]), np.zeros(3, int), rng())
    np.testing.assert_allclose(order.errors(np.array([0.0, 0.25, 0.5, 1.0])), [0.5, 0.25, 0, 0])
    assert order.area() == pytest.approx(0.875)


def test_folds_are_ranked_apart() -> None:
    benefit = np.array([0.9, 0.8, 0.2, 0.1])
    order = order_of(benefit, np.ones(4, bool), np.ones(4), np.array([0, 0, 1, 1]), rng())
    assert order.begins.tolist() == [0, 0.5, 0, 0.5]


@dataclass(frozen=True, kw_only=True)
class Remembers:
    """A router that knows the items that it has learned from, and nothing else."""

    def fit(self, seed: Seed, random: object, report: object) -> "Remembers.Fitted":
        return Remembers.Fitted(dict(zip(seed.items.lengths.tolist(), seed.wrong, strict=True)))

    @dataclass(frozen=True)
    class Fitted:
        known: dict

        def benefit(self, items: Candidates) -> np.ndarray:
            return np.array([float(self.known.get(x, 0)) for x in items.lengths.tolist()])

        wrong = benefit


def test_a_router_is_never_judged_on_what_it_learned_from() -> None:
    areas = []
    for random in range(20):
        whole = pool(200, random)
        seed = replace(whole, items=replace(whole.items, lengths=np.arange(200)))
        order: Order = cross_fitted(Remembers(), seed, rng(random))
        areas.append(order.area() - (1 - seed.wrong.mean() / 2))
    assert abs(np.mean(areas)) < 0.01, "no better than chance"


def test_the_back_test_finds_the_better_router_and_says_why_one_was_not_tried() -> None:
    whole = pool(400, 1)
    helped = replace(whole.items, disagreement=whole.wrong * 1.0, confidence=rng(2).random(400))
    routers = {name: ROUTERS.create(name) for name in ("threshold", "error_model", "ppm")}
    found = back_test(routers, replace(whole, items=helped), rng())
    assert best(found) == "error_model"
    standing = {one.router: one for one in found}
    assert standing["error_model"].low > 0
    assert standing["threshold"].difference is None
    assert "needs encodings" in standing["ppm"].refused


def test_two_routers_that_are_the_same_do_not_differ() -> None:
    routers = {"threshold": Threshold(), "again": Threshold()}
    found = {one.router: one for one in back_test(routers, pool(200, 3), rng())}
    assert found["again"].low <= 0 <= found["again"].high


def test_nothing_tried_leaves_the_simplest() -> None:
    assert best([]) == "threshold"


def test_what_its_router_raises_passes_through() -> None:
    with pytest.raises(NotEnoughDataError, match="there are"):
        replace_curve(ROUTERS.create("ppm"), taught(40), WORK, rng(), no_report)


def test_between_two_points_the_curve_is_straight() -> None:
    curve = replace_curve(Threshold(), taught(100), WORK, rng(), shares=(0.0, 0.5, 1.0))
    middle = at(curve, 0.25)
    assert middle.hours == pytest.approx((curve[0].hours + curve[1].hours) / 2)
    assert curve[0].quality.low <= middle.quality.low <= curve[1].quality.low


def test_a_promise_is_kept_when_the_intervals_meet() -> None:
    def told(low: float, high: float) -> Estimate:
        return Estimate(value=(low + high) / 2, low=low, high=high, n=100)

    assert outcome(told(0.8, 0.9), told(0.88, 0.95)).kept
    assert not outcome(told(0.8, 0.9), told(0.6, 0.79)).kept


def test_costs_below_zero_are_refused() -> None:
    with pytest.raises(ShapeError, match="negative"):
        Work(items=10, person_seconds=-1)


class TestLoopCurve:
    @staticmethod
    def heard(rows: int = 3_000, labelled: int = 120, random: int = 0) -> tuple[Voices, np.ndarray]:
        """Four groups that overlap; a teacher that is right in 60 %; some drawn items labelled."""
        draw = rng(random)
        centres = draw.normal(size=(4, 24))
        column = draw.integers(0, 4, rows)
        points = centres[column] + 1.6 * draw.normal(size=(rows, 24))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        said = np.where(draw.random(rows) < 0.6, column, draw.integers(0, 4, rows))
        truth = np.eye(4, dtype=np.float32)[column]
        seen = np.zeros(rows, dtype=bool)
        seen[draw.choice(rows, labelled, replace=False)] = True
        items = Candidates(
            teacher=0.1 + 0.6 * np.eye(4)[said],
            answered=np.ones(rows, dtype=bool),
            encodings=points.astype(np.float32),
            student=np.full((rows, 4), 0.25, dtype=np.float32),
        )
        return Voices(items=items, labelled=seen, answers=truth[seen]), truth

    def test_rises_to_what_people_say_and_its_band_holds_what_the_student_reaches(self) -> None:
        held = []
        for random in range(4):
            heard, truth = self.heard(random=random)
            work = Work(items=2_880, person_seconds=1.0)
            head = Head(strength=10.0)
            curve = loop_curve(heard, work, head, rng(random), shares=(0.0, 0.1, 1.0))
            assert curve[0].quality.low < curve[1].quality.value <= curve[2].quality.value + 1e-9
            assert curve[2].quality.value == pytest.approx(1)
            said = reached(heard, truth, head)
            held.append(curve[0].quality.low <= said <= curve[0].quality.high)
        assert np.mean(held) >= 0.75

    def test_refuses_what_chance_did_not_draw(self) -> None:
        heard, _ = self.heard()
        drawn = np.arange(120) < 59
        with pytest.raises(NotEnoughDataError, match="there are 59"):
            loop_curve(replace(heard, drawn=drawn), WORK, Head(strength=10.0), rng())

    def test_refuses_more_labels_than_it_can_foretell(self) -> None:
        heard, _ = self.heard()
        wide = replace(
            heard.items,
            teacher=np.hstack([heard.items.teacher, np.zeros((3_000, 26))]),
            student=None,
        )
        answers = np.hstack([heard.answers, np.zeros((120, 26))])
        with pytest.raises(NotEnoughDataError, match="150 here; there are 120"):
            loop_curve(
                replace(heard, items=wide, answers=answers), WORK, Head(strength=10.0), rng()
            )

    def test_tells_how_far_it_is(self) -> None:
        told: list[tuple[int, int]] = []
        heard, _ = self.heard()
        loop_curve(
            heard, WORK, Head(strength=10.0), rng(), lambda done, total: told.append((done, total))
        )
        assert told[0] == (0, 20)
        assert told[-1] == (20, 20)


def reached(heard: Voices, truth: np.ndarray, head: Head) -> float:
    """The accuracy of student and teacher together on what nobody labelled."""
    points = np.asarray(heard.items.encodings)
    lesson = TrainingData(targets=truth[heard.labelled], encodings=points[heard.labelled])
    said = head.fit(lesson, rng(), no_report).predict(points)
    said[heard.labelled] = out_of_fold(head, lesson, rng()).probabilities
    opinion = LoopPolicy().opinion(replace(heard, items=replace(heard.items, student=said)))
    right = opinion.probabilities.argmax(axis=1) == truth.argmax(axis=1)
    return float(right[~heard.labelled].mean())
