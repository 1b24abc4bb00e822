"""Where answers mark spans: what tells whether one is right, and how likely that is."""

import json

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.routing.crossfit import cross_fitted
from learning.routing.error_model import ErrorModel
from learning.routing.marks import MarkReading, read_marks
from learning.routing.threshold import Threshold
from learning.routing.types import Candidates, Seed
from learning.spans import Span, value_of
from learning.tasks import TASKS


def seed_of(n: int, seed: int = 0) -> Seed:
    """Answers that are right the more often the better they meet the student's marks; every one names
    the true labels."""
    rng = np.random.default_rng(seed)
    met = rng.random(n)
    right = rng.random(n) < met
    items = Candidates(
        teacher=np.ones((n, 1)),
        answered=np.ones(n, dtype=np.bool_),
        confidence=np.full(n, 0.9),
        met=met,
        sure=rng.random(n),
        marks=rng.integers(0, 5, n),
        lengths=rng.integers(20, 200, n),
        multi_label=True,
    )
    return Seed(items=items, truth=np.ones((n, 1)), right=right)


def test_the_task_tells_what_an_answer_means() -> None:
    """Marks count where they are marked, labels where they are all there is."""
    spans, several = TASKS["spans"](), TASKS["multi"]()
    here, there = (value_of([Span(at, at + 2, 7)]) for at in (0, 4))
    assert spans.meaning([7], here) != spans.meaning([7], there)
    assert spans.meaning([7], here) == {Span(0, 2, 7)}
    assert spans.meaning([], value_of([])) == frozenset()
    assert (
        several.meaning([7, 8], None) == several.meaning([8, 7], None) != several.meaning([7], None)
    )


def test_a_seed_is_wrong_where_its_marks_are_though_its_labels_are_not() -> None:
    seed = seed_of(40)
    assert (seed.wrong == ~seed.right).all()
    assert seed.wrong.any()
    assert (seed.subset(np.arange(5)).wrong == seed.wrong[:5]).all()
    with pytest.raises(ShapeError, match="whether the teacher is right"):
        Seed(items=seed.items, truth=seed.truth, right=seed.right[:3])


def test_routers_send_people_what_a_tagger_marks_otherwise() -> None:
    seed = seed_of(200)
    rng = np.random.default_rng(0)
    area = {
        name: cross_fitted(router, seed, rng).area()
        for name, router in (("threshold", Threshold()), ("error_model", ErrorModel()))
    }
    assert area["error_model"] > area["threshold"] + 0.05, "all state the same confidence"
    told = ErrorModel().fit(seed, rng, lambda done, total: None)
    worst = np.argsort(seed.items.met)[:5]
    assert all("student" in why for why in told.reasons(seed.items, worst))


def test_how_likely_all_marks_are_right_is_calibrated_and_kept_in_a_row() -> None:
    found = read_marks(seed_of(120), np.random.default_rng(1))
    kept = MarkReading.from_json(json.loads(json.dumps(found.to_json())))
    fresh = seed_of(2_000, seed=3)
    said = kept.right(fresh.items)
    assert (said == found.right(fresh.items)).all()
    sure = said > np.median(said)
    for part in (sure, ~sure):
        assert said[part].mean() == pytest.approx(fresh.right[part].mean(), abs=0.1)
    assert fresh.right[sure].mean() > fresh.right[~sure].mean() + 0.3


def test_without_a_tagger_or_other_voices_the_rest_tells() -> None:
    seed = seed_of(60)
    unknown = np.full(60, np.nan)
    bare = Candidates(
        **{
            **{name: getattr(seed.items, name) for name in ("teacher", "answered", "confidence", "marks")},
            "lengths": seed.items.lengths, "met": unknown, "sure": unknown, "multi_label": True,
        }
    )  # fmt: skip
    found = read_marks(
        Seed(items=bare, truth=seed.truth, right=seed.right), np.random.default_rng(0)
    )
    assert set(found.model.names) == {"confidence", "marks", "length"}
    assert np.isfinite(found.right(bare)).all()
    assert np.isfinite(found.right(seed.items)).all(), "what it did not learn from it does not need"


def test_few_answers_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="needs 30"):
        read_marks(seed_of(29), np.random.default_rng(0))
