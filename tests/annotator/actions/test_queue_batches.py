"""The queue begins with the batch that was measured, and is filled another way where a strategy cannot choose."""

import numpy as np
import pytest

from annotator.actions.projects import projects
from annotator.actions.queue import choosing
from annotator.actions.simulations import simulations
from learning.selection import STRATEGIES
from tests.annotator.questioned import knowledge, questioning
from tests.contracts.plugins import a_wide_pool
from tests.factories import make_project


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_queue_begins_with_the_batch_that_was_measured(name):
    pool = a_wide_pool()
    batch = STRATEGIES[name]().select(pool, choosing.BATCH, np.random.default_rng(1))
    queue = choosing.listed(name, pool, choosing.PICKS, np.random.default_rng(1))
    assert len(queue.rows) == len(pool.candidates()), "the rest of the pool stands behind it"
    assert len(queue.reasons) == len(queue.probabilities) == len(queue.rows)
    if name not in ("committee", "random"):  # chance breaks ties, and is all there is
        assert set(queue.rows[: choosing.BATCH].tolist()) == set(batch.rows.tolist())


def test_a_long_list_keeps_its_order_behind_the_batch():
    pool = a_wide_pool()
    queue = choosing.listed("mixed", pool, 300, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    batch, long = (STRATEGIES["mixed"]().select(pool, n, rng) for n in (choosing.BATCH, 300))
    behind = [row for row in long.rows.tolist() if row not in batch.rows]
    assert queue.rows.tolist() == [*batch.rows.tolist(), *behind][:300]


@pytest.mark.django_db
class TestStrategiesThatCannotChoose:
    @pytest.fixture
    def project(self, cast):
        return questioning(cast)

    def chosen(self, project, encodings, p):
        known = knowledge(project, p, encodings)
        return choosing.choose(project, known, np.random.default_rng(0))

    def test_encodings_that_are_no_numbers_leave_a_queue_that_says_so(self, project):
        nothing = np.full((6, 4), np.nan, dtype=np.float16)
        chosen = self.chosen(project, nothing, np.full((6, 3), 0.3, dtype=np.float32))
        assert len(chosen.rows) == 6
        for reason in chosen.reasons:
            assert "Login" in reason or "applies" in reason, "the margin chooses"
            assert "“Mixed (default)” cannot choose: The encodings must be finite" in reason

    def test_where_the_student_says_no_numbers_either_chance_fills_the_queue(self, project):
        nothing = np.full((6, 4), np.nan, dtype=np.float16)
        chosen = self.chosen(project, nothing, np.full((6, 3), np.nan, dtype=np.float32))
        assert sorted(chosen.rows.tolist()) == list(range(6))
        assert all("drawn at random" in reason for reason in chosen.reasons)
        assert all("“Mixed (default)” cannot choose: " in reason for reason in chosen.reasons)

    def test_a_cold_start_that_cannot_choose_is_left_to_chance(self, project):
        known = choosing.Knowledge(encodings=np.full((6, 4), np.nan, dtype=np.float16))
        chosen = choosing.choose(project, known, np.random.default_rng(0))
        assert len(chosen.rows) == 6
        assert all("“Representatives (cold start)” cannot" in reason for reason in chosen.reasons)


@pytest.mark.django_db
class TestQuestionsFollowTheStrategy:
    def test_a_project_made_with_a_strategy_that_asks_asks(self, cast):
        made = projects.create_project(
            cast.lea, "Tickets", task_type="multi", strategy="label-questions"
        )
        assert made.label_questions

    def test_going_back_from_it_switches_them_off(self, cast):
        made = make_project(cast, task_type="multi")
        projects.change_project(made, by=cast.lea, strategy="label-questions")
        simulations.take_back(made, cast.lea)
        made.refresh_from_db()
        assert (made.strategy, made.label_questions) == ("mixed", False)

    def test_a_form_that_sends_the_setting_as_it_was_does_not_keep_it(self, cast):
        made = make_project(cast, task_type="multi")
        projects.change_project(made, by=cast.lea, strategy="label-questions")
        projects.change_project(made, by=cast.lea, strategy="mixed", label_questions=True)
        assert not made.label_questions
