"""What the strategy asks about single labels reaches the queue, as far as it may be asked now."""

import numpy as np
import pytest
from django.db import transaction

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.projects import projects, schema
from annotator.actions.queue import choosing, queueing
from annotator.actions.students import training
from annotator.actions.verdicts import settling
from annotator.errors import InvalidError
from annotator.models import (
    Encoding,
    Job,
    Pick,
)
from learning.selection import ASKED, GRADED, HEARD, MEASURED, STRATEGIES
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.questioned import answered, knowledge, questioning
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    return questioning(cast)


class TestChoosing:
    """What the strategy asks reaches the queue, as far as it may be asked now."""

    P = ((0.99, 0.01, 0.48), (0.97, 0.02, 0.58), (0.6, 0.4, 0.3), *[(0.99, 0.01, 0.01)] * 3)

    @pytest.fixture
    def asking(self, project):
        project.strategy = "label-questions"
        project.save()
        return project

    def knowledge(self, project):
        p = np.array(self.P, dtype=np.float32)
        return knowledge(project, p, np.eye(6, dtype=np.float16))

    def fill(self, project):
        known = self.knowledge(project)
        chosen = choosing.choose(project, known, np.random.default_rng(0))
        with transaction.atomic():
            run = jobs.Run(jobs.claim(jobs.enqueue("refill", project=project).pk))
        queueing.replace_queue(project, chosen, known, run)
        return list(Pick.objects.order_by("rank").select_related("item", "question"))

    def test_questions_where_one_label_is_in_doubt_and_the_whole_elsewhere(self, asking):
        picks = self.fill(asking)
        assert [(each.item.number, each.question and each.question.name) for each in picks[:3]] == [
            (0, "Login"),
            (1, "Login"),
            (2, None),
        ]
        assert picks[0].reason == "is Login present? 48 %; all 2 other labels look sure"

    @pytest.mark.parametrize("change", [{"label_questions": False}, {"blind": True}])
    def test_switched_off_or_blind_everything_is_asked_whole(self, asking, change):
        Job.objects.all().delete()
        projects.change_project(asking, **change)
        assert Job.objects.get().kind == "refill"
        picks = self.fill(asking)
        assert len(picks) == 6
        assert {each.question for each in picks} == {None}
        assert picks[0].reason == (
            "the student is unsure whether Login applies (48 %); 1 of 3 labels are in doubt"
        )

    def test_what_was_answered_is_not_asked_again_but_the_whole_item_is(self, cast, asking):
        answered(asking, cast.ana, asking.items_made[0], "Login", there=True)
        settling.settle_now(asking)
        first = self.fill(asking)[0]
        assert (first.item.number, first.question) == (0, None)
        assert first.reason.endswith("was answered, and now the whole answer is asked")
        assert "present?" not in first.reason

    def test_an_archived_label_is_not_asked_about(self, asking):
        schema.archive_label(asking.labels.get(name="Login"))
        picks = self.fill(asking)
        assert {each.question for each in picks} == {None}
        assert not any("present?" in each.reason for each in picks)

    def test_an_item_with_a_partial_verdict_may_still_be_chosen(self, cast, asking):
        answered(asking, cast.ana, asking.items_made[3], "Login", there=True)
        settling.settle_now(asking)
        assert 3 in queueing.open_numbers(asking, 6)

    def test_a_strategy_that_asks_switches_questions_on(self, cast):
        made = make_project(cast, task_type="multi")
        projects.change_project(made, strategy="label-questions")
        assert made.label_questions
        projects.change_project(made, label_questions=False)
        assert not made.label_questions
        projects.change_project(made, strategy="label-questions", name="Tickets again")
        assert not made.label_questions, "it was that strategy before"

    def test_single_label_projects_have_neither(self, cast):
        made = make_project(cast)
        with pytest.raises(InvalidError, match="does not fit a project with one label per item"):
            projects.change_project(made, strategy="label-questions")
        made.refresh_from_db()
        with pytest.raises(InvalidError, match="where an item has several"):
            projects.change_project(made, label_questions=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", ["single", "rating", "multi"])
def test_every_strategy_chooses_the_queue_of_a_small_project(cast, task):
    """Each with all that the queue tells it: student, answers, the machines' error, wishes."""
    from learning.tasks import TASKS

    project, truth, _ = make_pool(cast, 45, task_type=task, audit_share=0.2, audit_size=8)
    encoding.wish_encoding(project)
    work()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 20)
    work()
    project.refresh_from_db()
    knowledge = training.knowledge_of(project, Encoding.objects.get())
    for name in TASKS[task].strategies:
        project.strategy = name
        chosen = choosing.choose(project, knowledge, np.random.default_rng(0))
        assert len(chosen.rows), name
        open_now = set(queueing.open_numbers(project, 45).tolist())
        assert set(chosen.rows.tolist()) <= open_now, name
        waits = [reason for reason in chosen.reasons if "has to wait" in reason]
        assert bool(waits) == (name in {"rad", "set-size"}), (name, waits[:1])
    others = ASKED | GRADED | HEARD | MEASURED
    assert set(STRATEGIES) - others == set(TASKS["multi"].strategies)
