"""A refill of the queue and people who answer hold picks at once: neither waits for the other."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.queue import choosing, queueing
from annotator.models import Assignment, Item, Job, Pick, Verdict
from learning.types import Selection
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    project = make_project(cast, audit_share=0)
    for rank, item in enumerate(make_items(project, 4)):
        Pick.objects.create(project=project, item=item, rank=rank)
    return project


def without_waiting(work):
    """Run `work` in a session of its own that gives up at once when it has to wait for a lock."""

    def there():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(there).result()


def refill(project):
    with transaction.atomic():
        run = jobs.Run(jobs.claim(jobs.enqueue("refill", project=project).pk))
    rows = np.arange(4)
    chosen = Selection(rows=rows, probabilities=np.ones(4), reasons=["because"] * 4)
    return lambda: queueing.replace_queue(project, chosen, choosing.Knowledge(), run)


def test_a_refill_passes_by_an_item_that_is_just_being_answered(project, cast):
    ana = assigning.voice_of(project, cast.ana)
    lease = assigning.lease(project, ana, 1)[0]
    replace = refill(project)
    with transaction.atomic():
        labeling.submit(
            project,
            ana,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.first().pk],
        )
        assert without_waiting(replace) == 3
    assert set(Pick.objects.values_list("item__number", flat=True)) == {1, 2, 3}


def test_serving_does_not_wait_for_a_refill(project, cast):
    """A lease that ran out is cleared away while the refill has its pick in hand."""
    ben, ana = (assigning.voice_of(project, who) for who in (cast.ben, cast.ana))
    lost = assigning.lease(project, ben, 1)[0]
    past = timezone.now() - timedelta(minutes=1)
    Assignment.objects.update(lease_until=past)
    Pick.objects.update(leased_until=past)
    replace = refill(project)
    Item.objects.exclude(pk=lost.item_id).update(open=False)
    with transaction.atomic():
        replace()
        served = without_waiting(lambda: assigning.lease(project, ana, 1))
    assert [lease.item_id for lease in served] == [lost.item_id]


def test_serving_does_not_wait_for_a_late_answer_of_the_same_person(project, cast):
    """The answer holds its place and wants the seat; serving holds the seat."""
    ana = assigning.voice_of(project, cast.ana)
    late = assigning.lease(project, ana, 1)[0]
    Assignment.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    with transaction.atomic():
        Assignment.objects.select_for_update().get(pk=late.pk)
        assert without_waiting(lambda: assigning.lease(project, ana, 1))


def test_no_refill_is_asked_for_items_whose_labels_came_with_the_file(project):
    *with_labels, last = Item.objects.filter(project=project).order_by("number")
    for item in with_labels:
        Verdict.objects.create(
            project=project, item=item, labels=[], state="decided", source="consensus", position=1
        )
    Pick.objects.all().delete()
    Pick.objects.create(project=project, item=last, rank=0)
    queueing.wish_refill(project)
    assert not Job.objects.filter(kind="refill").exists()
    Pick.objects.all().delete()
    queueing.wish_refill(project)
    assert Job.objects.filter(kind="refill").count() == 1
