"""Routing again without new answers, or with ones that say nothing new, leaves things as they are."""

from itertools import count

import numpy as np
import pytest

from annotator.actions.routing import planning, routing
from annotator.actions.teachers import teacher_runs
from annotator.models import Acceptance, Item, Routing, TeacherRun
from tests.annotator.routed import routed, same_draws

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def other_draws(monkeypatch):
    """What is drawn afresh comes out otherwise each time, and alike in every run of the tests."""
    same_draws(monkeypatch)
    numbers = count(7)
    monkeypatch.setattr(routing.secrets, "randbits", lambda bits: next(numbers))


def accepted(project):
    return set(
        Acceptance.objects.filter(project=project, ended_at=None).values_list("pk", flat=True)
    )


def answer_runs(made):
    """Let the teacher answer what it is asked until it is asked nothing more; (n,) items of each run."""
    sizes = []
    while (run := TeacherRun.objects.live().first()) is not None:
        assert len(sizes) < 12, sizes
        sizes.append(len(run.numbers))
        made.ask(Item.objects.filter(project=made.project, number__in=run.numbers))
        teacher_runs.end(run, "done")
        made.route()
    return sizes


@pytest.mark.parametrize("router", ["threshold", ""])
def test_at_the_end_of_a_pool_runs_are_few_and_repeated_routings_change_nothing(cast, router):
    made = routed(cast, router=router, human_share=0.4)
    first, *later = answer_runs(made)
    assert all(size >= planning.FEWEST_BACK for size in later), (first, later)
    # The student learns from the words that are verdicts now, may vouch for a few more, and learns from these.
    before = accepted(made.project)
    for _ in range(2):
        made.route()
    assert before
    assert accepted(made.project) >= before
    before, kept = accepted(made.project), Routing.objects.get()
    assert kept.numbers
    for _ in range(3):
        made.route()
        assert not TeacherRun.objects.live().exists()
        assert accepted(made.project) == before
        again = Routing.objects.get()
        assert (again.numbers, again.reasons) == (kept.numbers, kept.reasons)
        assert again.curve == kept.curve


def test_people_keep_few_items_only_while_they_are_sent_any(cast):
    made = routed(cast, human_share=0.4)
    answer_runs(made)
    unasked = made.project.items.exclude(annotations__annotator=made.teacher.voice)
    left = set(unasked.values_list("number", flat=True))
    assert left <= set(Routing.objects.get().numbers)
    made.policy.__class__.objects.update(human_share=0)
    made.route()
    asked = [number for run in TeacherRun.objects.live() for number in run.numbers]
    assert set(asked) == left


def test_a_verdict_falls_only_when_the_evidence_says_so_by_more_than_noise(cast, monkeypatch):
    made = routed(cast, human_share=0)
    wrong = {"now": 0.09}

    def say(fitted, items):
        return np.full(items.rows, wrong["now"])

    monkeypatch.setattr("learning.routing.threshold.FittedThreshold.wrong", say)
    made.route()
    stood, words = accepted(made.project), len(made.others)
    assert len(stood) == words, "all are likely enough"
    wrong["now"] = 0.12  # the confidence is 0.9, told from 60 items: a standard error of 0.04
    made.route()
    assert accepted(made.project) == stood
    wrong["now"] = 0.15
    made.route()
    assert accepted(made.project) == set()
    wrong["now"] = 0.12
    made.route()
    assert accepted(made.project) == set(), "what does not stand has to be as likely as is asked"
