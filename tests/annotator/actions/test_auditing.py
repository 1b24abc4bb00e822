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
