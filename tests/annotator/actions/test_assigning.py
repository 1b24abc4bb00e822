"""Serving items: who gets what, never one to two, never none while some are left."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from annotator.actions.desk import assigning, labeling
from annotator.actions.queue import auditing
from annotator.models import Annotator, Assignment, Item, Membership, Part, Pick
from tests.factories import join, make_items, make_project, make_user


@pytest.fixture
def ana(project, cast):
    return assigning.voice_of(project, cast.ana)


def pick(project, items, **fields):
    for rank, item in enumerate(items):
        Pick.objects.create(project=project, item=item, rank=rank, reason=f"rank {rank}", **fields)


def answer(project, voice, assignment):
    return labeling.submit(
        project,
        voice,
        uuid=uuid.uuid4(),
        assignment_id=assignment.pk,
        labels=[project.labels.first().pk],
    )


def without_audit(project):
    project.audit_share = 0
    project.save()
    auditing.recut(project)


@pytest.mark.django_db
class TestOrder:
    def test_follows_the_rank_and_carries_reason_and_suggestion(self, project, ana):
        without_audit(project)
        items = list(project.items.order_by("-number")[:3])
        pick(project, items, suggestion=[[1, 0.6]])
        leases = assigning.lease(project, ana, 3)
        assert [x.item_id for x in leases] == [item.pk for item in items]
        assert leases[0].reason == "rank 0"
        assert leases[0].suggestion == [[1, 0.6]]
        assert leases[0].fallback is False

    def test_what_was_closed_since_it_was_queued_is_passed_over(self, project, ana):
        without_audit(project)
        closed, wanted = project.items.order_by("-number")[:2]
        pick(project, [closed, wanted])
        Item.objects.filter(pk=closed.pk).update(open=False)
        assert [x.item_id for x in assigning.lease(project, ana, 1)] == [wanted.pk]

    def test_an_empty_queue_falls_back_to_any_open_item_and_says_so(self, project, ana):
        without_audit(project)
        lease = assigning.lease(project, ana, 1)[0]
        assert lease.fallback is True
        assert lease.reason == "Any open item: nothing is queued just now"

    def test_a_queue_that_has_nothing_free_for_one_is_not_said_to_be_empty(
        self, cast, project, ana
    ):
        without_audit(project)
        pick(project, list(project.items.order_by("-number")[:1]))
        assigning.lease(project, assigning.voice_of(project, cast.ben), 1)
        lease = assigning.lease(project, ana, 1)[0]
        assert lease.reason == "Any open item: the queue has nothing free for you just now"

    def test_every_tenth_item_from_the_first_on_is_an_audit_item(self, cast):
        project = make_project(cast)
        make_items(project, 200)
        auditing.recut(project)
        ana = assigning.voice_of(project, cast.ana)
        streams = []
        for _ in range(21):
            lease = assigning.lease(project, ana, 1)[0]
            streams.append(lease.stream)
            answer(project, ana, lease)
        assert [n for n, stream in enumerate(streams) if stream == "audit"] == [0, 10, 20]

    def test_audit_items_come_in_the_secret_order(self, project, ana):
        auditing.recut(project)
        first = project.items.order_by("order_key").first()
        lease = assigning.lease(project, ana, 1)[0]
        assert (lease.stream, lease.item_id) == ("audit", first.pk)
        assert Item.objects.get(pk=first.pk).part == Part.EVALUATION

    def test_the_active_stream_never_serves_a_reserved_item_before_its_turn(self, cast):
        project = make_project(cast)
        make_items(project, 100)
        auditing.recut(project)
        ana = assigning.voice_of(project, cast.ana)
        Annotator.objects.filter(pk=ana.pk).update(served=1)
        lease = assigning.lease(project, ana, 1)[0]
        assert lease.stream == "active"
        assert lease.item.order_key > project.audit_cutoff


@pytest.mark.django_db
class TestNeverStranded:
    def test_one_person_meets_every_item_exactly_once(self, project, ana):
        auditing.recut(project)
        seen = []
        while leases := assigning.lease(project, ana, 1):
            seen.append(leases[0].item_id)
            answer(project, ana, leases[0])
        assert sorted(seen) == sorted(project.items.values_list("pk", flat=True))

    def test_holds_three_at_most(self, project, ana):
        assert len(assigning.lease(project, ana, 9)) == 3
        assert assigning.lease(project, ana, 1) == []

    def test_a_released_item_is_served_again_at_once(self, project, ana):
        without_audit(project)
        pick(project, project.items.all()[:1])
        lease = assigning.lease(project, ana, 1)[0]
        assigning.release(ana, [lease.pk])
        assert assigning.lease(project, ana, 1)[0].item_id == lease.item_id

    def test_an_expired_lease_goes_to_the_next_who_asks(self, project, cast, ana):
        without_audit(project)
        pick(project, project.items.all()[:1])
        lease = assigning.lease(project, ana, 1)[0]
        past = timezone.now() - timedelta(seconds=1)
        Assignment.objects.filter(pk=lease.pk).update(lease_until=past)
        Pick.objects.update(leased_until=past)
        ben = assigning.voice_of(project, cast.ben)
        assert assigning.lease(project, ben, 1)[0].item_id == lease.item_id

    def test_a_live_lease_is_not_served_to_anybody_else(self, cast):
        project = make_project(cast)
        make_items(project, 1)
        ana, ben = (assigning.voice_of(project, x) for x in (cast.ana, cast.ben))
        assert assigning.lease(project, ana, 1)
        assert assigning.lease(project, ben, 1) == []

    def test_renewing_never_passes_fifteen_minutes(self, project, ana):
        lease = assigning.lease(project, ana, 1)[0]
        begun = timezone.now() - timedelta(minutes=14)
        Assignment.objects.filter(pk=lease.pk).update(leased_at=begun)
        assert assigning.renew(ana, [lease.pk]) == 1
        lease.refresh_from_db()
        assert lease.lease_until == begun + timedelta(minutes=15)

    def test_leaving_the_project_returns_the_leases(self, project, cast, ana):
        assigning.lease(project, ana, 3)
        assigning.release_all(ana)
        assert not Assignment.objects.filter(state="leased").exists()


@pytest.mark.django_db
class TestLimits:
    def test_a_quota_ends_the_serving(self, project, cast, ana):
        Membership.objects.filter(user=cast.ana).update(quota=2)
        assert len(assigning.lease(project, ana, 3)) == 2

    def test_overlap_asks_that_many_people_and_no_more(self, cast):
        project = make_project(cast, overlap=2)
        item = make_items(project, 1)[0]
        without_audit(project)
        voices = [assigning.voice_of(project, x) for x in (cast.lea, cast.ana, cast.ben)]
        served = [assigning.lease(project, voice, 1) for voice in voices]
        assert [len(x) for x in served] == [1, 1, 0]
        for voice, leases in zip(voices, served[:2], strict=False):
            answer(project, voice, leases[0])
        item.refresh_from_db()
        assert (item.answers, item.open) == (2, False)


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
class TestRaces:
    @pytest.mark.parametrize("overlap", [1, 2])
    def test_sixteen_people_race_for_few_items_and_none_is_served_twice(self, cast, overlap):
        project = make_project(cast, overlap=overlap)
        make_items(project, 6)
        without_audit(project)
        pick_rows = [(item, slot) for item in project.items.all() for slot in range(overlap)]
        for rank, (item, slot) in enumerate(pick_rows):
            Pick.objects.create(project=project, item=item, rank=rank, slot=slot)
        people = [make_user(f"p{n}") for n in range(16)]
        for person in people:
            join(project, person, "annotator")
        voices = [assigning.voice_of(project, person) for person in people]
        gate = threading.Barrier(len(voices))

        def work(voice):
            try:
                gate.wait()
                done = 0
                while leases := assigning.lease(project, voice, 1):
                    answer(project, voice, leases[0])
                    done += 1
                return done
            finally:
                connection.close()

        with ThreadPoolExecutor(len(voices)) as threads:
            answered = sum(threads.map(work, voices))
        assert answered == 6 * overlap
        assert set(project.items.values_list("answers", "open")) == {(overlap, False)}
        assert not Pick.objects.exists()

    def test_two_tabs_of_one_person_never_hold_more_than_three(self, project, cast):
        voice = assigning.voice_of(project, cast.ana)

        def tab(_):
            try:
                return assigning.lease(project, voice, 3)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(tab, range(4)))
        assert Assignment.objects.filter(annotator=voice, state="leased").count() == 3


@pytest.mark.django_db
def test_an_own_lease_that_ran_out_is_served_again(cast):
    """Alone in a project, nobody else would ever clear it away."""
    project = make_project(cast, audit_share=0)
    make_items(project, 1)
    ana = assigning.voice_of(project, cast.ana)
    first = assigning.lease(project, ana, 1)[0]
    let_run_out(first)
    again = assigning.lease(project, ana, 1)[0]
    assert again.item_id == first.item_id
    assert Assignment.objects.get(pk=first.pk).state == "expired"


@pytest.mark.django_db
def test_an_extra_answer_counts_as_having_met_the_item(cast):
    project = make_project(cast, audit_share=0)
    make_items(project, 1)
    ana, ben = (assigning.voice_of(project, who) for who in (cast.ana, cast.ben))
    late = assigning.lease(project, ana, 1)[0]
    let_run_out(late)
    taken = assigning.lease(project, ben, 1)[0]
    assert answer(project, ana, late).extra is True
    labeling.skip(project, ben, uuid=uuid.uuid4(), assignment_id=taken.pk)
    assert assigning.lease(project, ana, 1) == []


def let_run_out(lease):
    long_ago = timezone.now() - timedelta(minutes=10)
    Assignment.objects.filter(pk=lease.pk).update(lease_until=long_ago)
    Pick.objects.filter(item_id=lease.item_id).update(leased_until=long_ago)
