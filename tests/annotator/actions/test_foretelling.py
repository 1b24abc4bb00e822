"""What the next answers of a teacher will cost, and what its answers cost so far."""

from decimal import Decimal

import numpy as np
import pytest

from annotator.actions.routing import overview
from annotator.actions.teachers import foretelling
from annotator.actions.trust import teacher_figures
from annotator.models import TeacherRun, TeacherRunKind
from tests.annotator.routed import routed


def test_few_calls_foretell_the_price_of_many_as_surely_as_they_can():
    draw = np.random.default_rng(0)
    held = []
    for _ in range(2_000):
        paid, to_come = draw.normal(1.0, 0.2, foretelling.LEAST), draw.normal(1.0, 0.2, 40)
        told = foretelling._from_calls(paid.tolist(), len(to_come))
        held.append(told.low <= to_come.sum() <= told.high)
    assert 0.93 < np.mean(held) < 0.97


@pytest.mark.django_db
def test_a_teachers_page_and_its_scorecard_tell_one_price_of_an_answer(cast):
    made = routed(cast, human_share=0)
    labelling = TeacherRun.objects.filter(teacher=made.teacher, kind=TeacherRunKind.LABEL)
    labelling.update(spent=Decimal("0.8"))
    runs = {"project": made.project, "teacher": made.teacher, "state": "done"}
    TeacherRun.objects.create(kind=TeacherRunKind.QUALIFY, spent=Decimal(7), **runs)
    costs = teacher_figures.costs(made.project)[made.teacher.pk]
    told = teacher_figures.figures(made.project)[made.teacher.pk]
    assert told.per_answer == costs.per_answer == costs.spent / costs.answered
    assert told.spent == costs.spent + 7


@pytest.mark.django_db
def test_a_teachers_error_names_the_items_that_it_was_told_from(cast):
    made = routed(cast, human_share=0, double_share=0.5)
    told = overview.overview(made.project).error
    assert told.n == 60
    checks = [item for item in made.drawn() if item in made.others]
    assert checks
    made.answer(checks)
    seen = overview.overview(made.project)
    assert (seen.seed, seen.error) == (60 + len(checks), told)
