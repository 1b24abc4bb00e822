"""The audit sample: uniform over the whole pool, and never in what it measures."""

import uuid

import numpy as np
import pytest
from django.db.models import Max

from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.projects import projects
from annotator.actions.queue import auditing
from annotator.actions.students import evaluating, lessons
from annotator.actions.verdicts import settling
from annotator.models import Encoding, Item, Part, Project, Verdict, VerdictSource, VerdictState
from tests.annotator.actions.test_loop import make_pool, work
from tests.annotator.audited import answer_all, audited_project
from tests.factories import make_items, make_project


def answer_next(project, voice, count):
    for _ in range(count):
        lease = assigning.lease(project, voice, 1)[0]
        label = project.labels.first().pk
        labeling.submit(project, voice, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label])
    settling.settle_now(project)


@pytest.mark.django_db
def test_items_of_a_later_import_weigh_as_much_in_the_figure_as_those_before(cast):
    """Twenty of thirty items were drawn; of the 3,000 that join, nearly none is yet."""
    project = make_project(cast, audit_size=20, audit_share=1.0)
    make_items(project, 30)
    auditing.recut(project)
    ana = assigning.voice_of(project, cast.ana)
    answer_next(project, ana, 20)
    assert len(auditing.answered(project, Part.EVALUATION)) == 12
    make_items(project, [f"later {n}" for n in range(3000)], seed=3)
    auditing.recut(project)
    assert len(auditing.answered(project, Part.EVALUATION)) <= 1
    answer_next(project, ana, 20)
    measured = [number for number, _ in auditing.answered(project, Part.EVALUATION)]
    assert len(measured) >= 10
    last = Item.objects.filter(number__in=measured).aggregate(last=Max("order_key"))["last"]
    assert not Item.objects.filter(order_key__lt=last, part="").exists()


@pytest.mark.django_db
def test_items_that_joined_are_served_first_and_bring_the_answers_back(cast):
    project, _, _ = audited_project(cast)
    make_items(project, [f"later {n}" for n in range(60)], seed=3)
    project.audit_share = 1.0
    project.save()
    auditing.recut(project)
    before = auditing.reach(project)
    assert (before.answered, before.missing) == (100, 0)
    assert before.usable == len(auditing.answered(project, Part.EVALUATION)) < 10
    assert 0 < before.first < 25
    assert f"{before.first} of them have to be answered first" in before.told
    assert f"{before.usable} of 100 answers count" in before.told
    ben = assigning.voice_of(project, cast.ben)
    answer_next(project, ben, before.first - 1)
    almost = auditing.reach(project)
    assert (almost.first, almost.usable < 50) == (1, True)
    answer_next(project, ben, 1)
    after = auditing.reach(project)
    assert (after.first, after.missing, after.told) == (0, 0, "")
    assert after.usable == len(auditing.answered(project, Part.EVALUATION)) >= 50


@pytest.mark.django_db
def test_answers_that_the_stream_can_never_bring_back_are_not_promised(cast):
    """Of 100 answered items the smaller sample keeps some 20; what joined beyond it waits forever."""
    project, _, _ = audited_project(cast)
    make_items(project, [f"later {n}" for n in range(300)], seed=3)
    Project.objects.filter(pk=project.pk).update(audit_size=40)
    project.refresh_from_db()
    auditing.recut(project)
    reach = auditing.reach(project)
    kept = Item.objects.filter(part=Part.EVALUATION, order_key__lte=project.audit_cutoff).count()
    assert (reach.answered, reach.missing) == (100, pytest.approx(50 - kept, abs=1))
    assert reach.told.endswith(f"A figure takes {reach.missing} new answers in all.")


@pytest.mark.django_db
def test_a_voice_is_told_of_what_it_answered_alone(cast):
    project, _, order = audited_project(cast)
    ben = assigning.voice_of(project, cast.ben)
    chosen = list(project.items.filter(number__in=order[60:100]).order_by("order_key"))
    answer_all(project, ben, chosen, [project.labels.first().pk] * 40)
    chosen_ids = [item.pk for item in chosen]
    Item.objects.filter(pk__in=chosen_ids).update(answers=2)
    Verdict.objects.filter(item__in=chosen_ids).update(state=VerdictState.DECIDED)
    make_items(project, [f"later {n}" for n in range(60)], seed=3)
    auditing.recut(project)
    mine = auditing.reach(project, *auditing.SHARES, wanted=30, voice=ben)
    assert (mine.answered, mine.usable) == (40, 0)
    assert mine.first > auditing.reach(project).first
    alone = auditing.reach(project, voice=assigning.voice_of(project, cast.ana))
    assert alone.answered == 40, "the others nobody else answered"


@pytest.mark.django_db
def test_enlarging_the_sample_costs_no_query_per_item(cast, django_assert_max_num_queries):
    project = make_project(cast)
    make_items(project, 200)
    Item.objects.update(answers=1)
    project.audit_size = 200
    project.save()
    with django_assert_max_num_queries(10):
        auditing.recut(project)
    counts = {part: Item.objects.filter(part=part).count() for part in auditing.SHARES}
    assert counts == {Part.EVALUATION: 120, Part.CALIBRATION: 50, Part.SEED: 30}


@pytest.mark.django_db(transaction=True)
def test_an_item_drawn_while_a_student_learns_does_not_measure_it(cast, monkeypatch):
    monkeypatch.setattr(auditing, "FEWEST_TO_SHOW", 1)
    project, truth, _ = make_pool(cast, 12, audit_share=0)
    encoding.wish_encoding(project)
    work()
    for item in project.items.all():
        label = project.labels.get(name=truth[item.pk]).pk
        Verdict.objects.create(
            item=item,
            project=project,
            labels=[label],
            soft={str(label): 1.0},
            state=VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
            position=1,
        )
    Item.objects.update(answers=1)

    class Predictions:
        rows = 12

        def row(self, number):
            return np.full(3, 1 / 3)

    before = lessons.gather(project, Encoding.objects.get())
    Item.objects.filter(number__lt=6).update(part=Part.EVALUATION)
    Item.objects.filter(number__gte=6).update(part=Part.SEED)
    after = lessons.gather(project, Encoding.objects.get())
    assert evaluating._on_audit(project, before, Predictions()) is None
    assert evaluating._on_audit(project, after, Predictions()).evaluated_on == 6
    assert set(after.numbers.tolist()) == set(range(6, 12))


@pytest.mark.django_db
def test_settings_that_were_read_before_an_import_keep_the_sample_of_its_items(cast):
    project = make_project(cast)
    read_before = Project.objects.get(pk=project.pk)
    make_items(project, 100)
    projects.change_project(read_before, audit_share=0.5)
    project.refresh_from_db()
    assert project.items.filter(order_key__lte=project.audit_cutoff).count() == 20
