"""What every router promises."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import LearningError, NotEnoughDataError
from learning.routing import ROUTERS
from learning.routing.types import Candidates, FittedRouter, Seed, first
from learning.types import no_report
from tests.contracts.plugins import taught

# These learn from double-labelled items and refuse without enough of them.
LEARN = {"error_model", "ppm"}
TRAIN = {"ppm"}
SMALL = {"ppm": {"candidates": 40}}

every = pytest.mark.parametrize("name", ROUTERS)
each_kind = pytest.mark.parametrize("multi_label", [False, True])


def fit(name: str, seed: Seed, random: int = 0) -> FittedRouter:
    router = ROUTERS.create(name, SMALL.get(name))
    return router.fit(seed, np.random.default_rng(random), no_report)


def waiting(*, multi_label: bool = False) -> Candidates:
    """Items of which every fifth has no answer of the teacher."""
    items = taught(60, seed=1, multi_label=multi_label).items
    answered = np.arange(60) % 5 > 0
    teacher = np.where(answered[:, None], items.teacher, 0)
    return replace(items, teacher=teacher, answered=answered)


@every
@each_kind
def test_gives_a_chance_and_a_benefit_for_each_item(name: str, multi_label: bool) -> None:
    fitted, items = fit(name, taught(multi_label=multi_label)), waiting(multi_label=multi_label)
    wrong, benefit = fitted.wrong(items), fitted.benefit(items)
    assert wrong.shape == benefit.shape == (60,)
    assert wrong.dtype == benefit.dtype == np.float64
    assert ((wrong >= 0) & (wrong <= 1)).all()
    assert np.isfinite(benefit).all()


@every
def test_same_generator_same_router(name: str) -> None:
    one, two = (fit(name, taught(), 5).benefit(waiting()) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@every
def test_an_items_figures_do_not_depend_on_who_else_is_looked_at(name: str) -> None:
    fitted, items = fit(name, taught()), waiting()
    rows = np.array([7, 3, 50])
    few = items.subset(rows)
    np.testing.assert_allclose(fitted.wrong(few), fitted.wrong(items)[rows], atol=1e-6)
    np.testing.assert_allclose(fitted.benefit(few), fitted.benefit(items)[rows], atol=1e-6)


@every
@each_kind
def test_says_why_in_a_sentence(name: str, multi_label: bool) -> None:
    items = waiting(multi_label=multi_label)
    fitted = fit(name, taught(multi_label=multi_label))
    rows = first(fitted.benefit(items), 12, np.random.default_rng(0))
    reasons = fitted.reasons(items, rows)
    assert len(reasons) == 12
    assert all(reason.startswith("sent to a person because ") for reason in reasons)
    assert not any("nan" in reason for reason in reasons)
    assert name == "all_human" or all(re.search(r"\d", reason) for reason in reasons)


@every
def test_what_it_learned_survives_json(name: str) -> None:
    told = fit(name, taught()).told()
    assert told["seed_items"] == 120
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@every
def test_bare_answers_are_enough_where_no_student_is_trained(name: str) -> None:
    seed = taught()
    bare = Candidates(teacher=seed.items.teacher, answered=seed.items.answered)
    if name in TRAIN:
        with pytest.raises(NotEnoughDataError, match=r"needs encodings.*\."):
            fit(name, replace(seed, items=bare))
        return
    assert np.isfinite(fit(name, replace(seed, items=bare)).wrong(bare)).all()


@every
def test_without_a_seed_it_works_or_refuses_with_a_sentence(name: str) -> None:
    seed = taught()
    nothing = seed.subset(np.empty(0, dtype=np.int64))
    if name not in LEARN:
        assert ((wrong := fit(name, nothing).wrong(waiting())) <= 1).all()
        assert (wrong >= 0).all()
        return
    with pytest.raises(LearningError, match=r"needs \d+ items .* there are 0\."):
        fit(name, nothing)


@every
@pytest.mark.parametrize("all_wrong", [False, True])
def test_a_teacher_that_is_always_or_never_right_has_an_answer(name: str, all_wrong: bool) -> None:
    seed = taught(60)
    said = seed.items.said().astype(np.float32)
    fitted = fit(name, replace(seed, truth=np.roll(said, 1, axis=1) if all_wrong else said))
    wrong = fitted.wrong(seed.items)
    assert np.isfinite(wrong).all()
    assert (wrong > 0.8).all() if all_wrong else (wrong < 0.2).all()


class CancelledError(Exception):
    """Somebody stops the fit."""


@pytest.mark.parametrize("name", [name for name in ROUTERS if name in LEARN])
def test_what_its_report_raises_ends_the_fit(name: str) -> None:
    def cancel(done: int, total: int) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        ROUTERS.create(name).fit(taught(), np.random.default_rng(0), cancel)
