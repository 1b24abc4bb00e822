"""A reviewer's word in all its kinds, and who gets which case."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.exports import exporting
from annotator.actions.exports.snapshotting import Rows
from annotator.actions.imports import undoing
from annotator.actions.instance import doctor
from annotator.actions.review import cases, reviewing
from annotator.actions.review.cases import Place
from annotator.actions.students import lessons
from annotator.actions.verdicts import sealing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    BatchState,
    Flag,
    FlagKind,
    ImportBatch,
    Item,
    Job,
    ReviewCase,
    Role,
    Verdict,
)
from tests.annotator.web.helpers import encode, say
from tests.factories import join, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0, overlap=3)
    made.made = make_items(made, 6)
    return made


def label(project, name):
    return project.labels.get(name=name).pk


def doubt(project, item, name, *, rank=1, kind=FlagKind.DETECTOR, **fields):
    """An open flag of a machine about the label that the item has."""
    return Flag.objects.create(
        project=project, item=item, kind=kind, labels=[label(project, name)], rank=rank, **fields
    )


def settle(project, who, item, *names, **fields):
    labels = [label(project, name) for name in names]
    said = reviewing.settle(project, who, uuid=uuid.uuid4(), item=item, labels=labels, **fields)
    settling.settle_now(project)
    return said


def verdict(item):
    return Verdict.objects.get(item=item)


@pytest.fixture
def billing(cast, tickets):
    """Item 0, which Ana called Billing and a detector doubts."""
    item = tickets.made[0]
    say(tickets, assigning.voice_of(tickets, cast.ana), item, "Billing")
    doubt(tickets, item, "Billing", suggested=[label(tickets, "Login")], score=0.1)
    return item


class TestOutcomes:
    def test_the_same_label_keeps_and_another_one_changes(self, cast, tickets, billing):
        assert settle(tickets, cast.ben, billing, "Billing").outcome == "keep"
        assert Flag.objects.get().outcome == "keep"
        assert settle(tickets, cast.ben, billing, "Login").outcome == "change"
        assert verdict(billing).labels == [label(tickets, "Login")]

    def test_a_case_counts_by_the_last_word_and_the_label_it_asked_about(
        self, cast, tickets, billing
    ):
        settle(tickets, cast.ben, billing, "Billing")
        second = settle(tickets, cast.ben, billing, "Login")
        assert (Flag.objects.get().outcome, Flag.objects.get().word) == ("change", second)
        third = settle(tickets, cast.ben, billing, outcome="keep")
        assert third.outcome == "keep"
        assert Flag.objects.get().outcome == "change", "the detector asked about Billing"
        reviewing.take_back(tickets, cast.ben, uuid=uuid.uuid4(), annotation_uuid=third.uuid)
        assert Flag.objects.get().state == "open"

    def test_a_word_that_is_changed_elsewhere_takes_its_case_along(self, cast, tickets, billing):
        first = settle(tickets, cast.ben, billing, "Billing")
        voice = assigning.voice_of(tickets, cast.ben)
        later = {"annotation_uuid": first.uuid, "labels": [label(tickets, "Login")]}
        second = revising.revise(tickets, voice, uuid=uuid.uuid4(), **later)
        assert (Flag.objects.get().outcome, Flag.objects.get().word) == ("change", second)

    def test_a_doubted_label_that_voices_made_a_tie_was_wrong_if_another_wins(
        self, cast, tickets, billing
    ):
        say(tickets, assigning.voice_of(tickets, cast.lea), billing, "Login")
        assert verdict(billing).state == "tie"
        assert settle(tickets, cast.ben, billing, "Login").outcome == "decide"
        assert Flag.objects.get().outcome == "change"

    def test_nobody_keeps_a_label_that_they_have_not_seen(self, cast, tickets, billing):
        with pytest.raises(ConflictError, match="has changed since"):
            settle(tickets, cast.ben, billing, "Login", outcome="keep")
        assert settle(tickets, cast.ben, billing, "Billing", outcome="keep").outcome == "keep"

    def test_keep_needs_no_label_but_one_that_is_there(self, cast, tickets, billing):
        said = settle(tickets, cast.ben, billing, outcome="keep")
        assert said.labels == [label(tickets, "Billing")]
        with pytest.raises(ConflictError, match="no label to keep"):
            settle(tickets, cast.ben, tickets.made[1], outcome="keep")

    def test_a_tie_is_decided(self, cast, tickets):
        item = tickets.made[1]
        say(tickets, assigning.voice_of(tickets, cast.ana), item, "Billing")
        say(tickets, assigning.voice_of(tickets, cast.lea), item, "Login")
        assert settle(tickets, cast.ben, item, "Login").outcome == "decide"

    def test_ambiguous_keeps_every_voice_as_a_share(self, cast, tickets, billing):
        say(tickets, assigning.voice_of(tickets, cast.lea), billing, "Billing")
        settle(tickets, cast.ben, billing, "Login", outcome="ambiguous")
        found = verdict(billing)
        billing_id, login = label(tickets, "Billing"), label(tickets, "Login")
        assert found.labels == [billing_id]
        assert found.soft == {str(billing_id): 0.666667, str(login): 0.333333}
        assert (found.state, found.source) == ("decided", "reviewer")
        assert [said.item for said in reviewing.divided(tickets)] == [billing]

    def test_between_equals_the_reviewers_own_word_stands_first(self, cast, tickets, billing):
        settle(tickets, cast.ben, billing, "Login", outcome="ambiguous")
        assert verdict(billing).labels == [label(tickets, "Login")]

    def test_students_learn_the_shares(self, cast, tickets, billing):
        other = tickets.made[2]
        say(tickets, assigning.voice_of(tickets, cast.ana), other, "Delivery")
        settle(tickets, cast.ben, billing, "Login", outcome="ambiguous")
        lesson = lessons.gather(tickets, encode(tickets))
        assert lesson.data.targets[0].tolist() == [0.5, 0.0, 0.5]

    def test_several_labels_are_there_with_their_own_shares(self, cast):
        project = make_project(cast, task_type="multi", audit_share=0)
        (item,) = make_items(project, 1)
        say(project, assigning.voice_of(project, cast.ana), item, "Billing")
        settle(project, cast.ben, item, "Billing", "Login", outcome="ambiguous")
        ids = [label(project, "Billing"), label(project, "Login")]
        found = verdict(item)
        assert found.soft == {str(ids[0]): 1.0, str(ids[1]): 0.5}
        assert found.labels == ids

    def test_a_bad_item_leaves_the_pool_until_that_is_taken_back(self, cast, tickets, billing):
        said = settle(tickets, cast.ben, billing, outcome="bad")
        assert (verdict(billing).state, verdict(billing).labels) == ("bad", [])
        assert not Item.objects.get(pk=billing.pk).open
        assert Flag.objects.get().outcome == "bad"
        reviewing.take_back(tickets, cast.ben, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        settling.settle_now(tickets)
        assert verdict(billing).labels == [label(tickets, "Billing")]
        assert Item.objects.get(pk=billing.pk).open
        assert Flag.objects.get().state == "open"

    def test_an_unknown_outcome_is_refused(self, cast, tickets, billing):
        with pytest.raises(InvalidError, match="A reviewer says"):
            settle(tickets, cast.ben, billing, outcome="maybe")

    def test_the_ledger_vouches_for_the_outcome(self, cast, tickets, billing):
        said = settle(tickets, cast.ben, billing, "Billing", outcome="ambiguous")
        assert sealing.verify(tickets) == []
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "UPDATE annotator_annotation SET outcome = 'keep' WHERE id = %s", [said.pk]
            )
        assert len(sealing.verify(tickets)) == 1

    def test_exports_say_what_the_reviewer_made_of_it(self, cast, tickets, billing):
        settle(tickets, cast.ben, billing, "Login", outcome="ambiguous")
        settle(tickets, cast.ben, tickets.made[1], outcome="bad")
        snapshot = exporting.create_snapshot(
            tickets, exporting.Options(contents=("verdicts", "annotations"))
        )
        exporting.run_export(jobs.Run(_running(snapshot.job)))
        snapshot.refresh_from_db()
        rows = Rows(snapshot, {}, lambda done, total: None)
        items = list(rows.items())
        assert [(row["state"], row["outcome"]) for row in items[:3]] == [
            ("decided", "ambiguous"),
            ("bad", "bad"),
            ("unlabelled", None),
        ]
        assert items[0]["soft"] == {"Billing": 0.5, "Login": 0.5}
        assert [row["outcome"] for row in rows.annotations()] == [None, "ambiguous", "bad"]
        assert all(finding.ok for finding in doctor.examine(tickets, deep=True))


def _running(job):
    Job.objects.filter(pk=job.pk).update(state="running", attempt=1)
    job.refresh_from_db()
    return job


class TestNearIdentical:
    @pytest.fixture
    def alike(self, cast, tickets):
        """Items 0, 1 and 2 are nearly the same and called Billing; 3 is far, 4 called Login."""
        ana = assigning.voice_of(tickets, cast.ana)
        vectors = np.eye(4)[[0, 0, 0, 1, 0, 2]] + 0.01
        encode(tickets, vectors)
        for number, name in enumerate(["Billing"] * 4 + ["Login"]):
            say(tickets, ana, tickets.made[number], name)
            doubt(tickets, tickets.made[number], name, rank=number)
        return tickets.made

    def test_they_are_settled_by_one_word_and_taken_back_by_one(self, cast, tickets, alike):
        same = [item.pk for item in alike]
        said = settle(tickets, cast.ben, alike[0], "Delivery", same=same)
        changed = Verdict.objects.filter(labels=[label(tickets, "Delivery")])
        assert {found.item for found in changed} == set(alike[:3])
        assert cases.waiting(tickets).count() == 2
        reviewing.take_back(tickets, cast.ben, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        settling.settle_now(tickets)
        assert not Verdict.objects.filter(labels=[label(tickets, "Delivery")]).exists()
        assert cases.waiting(tickets).count() == 5

    def test_drawn_ones_are_read_one_by_one(self, cast, tickets, alike):
        Flag.objects.filter(item=alike[1]).update(probability=0.1)
        settle(tickets, cast.ben, alike[0], "Delivery", same=[item.pk for item in alike])
        assert verdict(alike[1]).labels == [label(tickets, "Billing")]
        assert verdict(alike[2]).labels == [label(tickets, "Delivery")]


class TestCases:
    @pytest.fixture
    def queue(self, cast, tickets):
        """Items 0 to 2 doubted in the order 2, 0, 1."""
        ana = assigning.voice_of(tickets, cast.ana)
        for number, rank in ((0, 2), (1, 3), (2, 1)):
            say(tickets, ana, tickets.made[number], "Billing")
            doubt(tickets, tickets.made[number], "Billing", rank=rank)
        return tickets.made

    def numbers(self, project, *people):
        found = [cases.take_next(project, person) for person in people]
        return [each and each[0].number for each in found]

    def test_the_most_doubtful_comes_first_and_what_people_ask_before_it(
        self, cast, tickets, queue
    ):
        assert self.numbers(tickets, cast.ben) == [2]
        labeling.flag(tickets, assigning.voice_of(tickets, cast.ana), item=queue[1])
        assert self.numbers(tickets, cast.ben) == [1]
        item, _ = cases.take_next(tickets, cast.lea, only="flags")
        assert item.number == 0  # Ben holds the other one that was only doubted

    def test_two_reviewers_never_have_one_case(self, cast, tickets, queue):
        assert self.numbers(tickets, cast.ben, cast.lea, cast.ben) == [2, 0, 2]

    def test_a_lease_that_ran_out_is_somebody_elses(self, cast, tickets, queue):
        self.numbers(tickets, cast.ben)
        ReviewCase.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        assert self.numbers(tickets, cast.lea) == [2]

    def test_a_page_goes_on_behind_and_begins_again_at_the_end(self, cast, tickets, queue):
        seen, place = [], Place()
        for _ in range(4):
            item, place = cases.take_next(tickets, cast.ben, after=Place.read(str(place)))
            cases.give_back(item, cast.ben)
            seen.append(item.number)
        assert seen == [2, 0, 1, 2]

    def test_a_page_goes_through_what_is_asked_and_what_is_doubted_once_in_their_order(
        self, cast, tickets, queue
    ):
        ana = assigning.voice_of(tickets, cast.ana)
        say(tickets, ana, queue[4], "Billing")
        for number, rank in ((3, 0), (4, 4)):
            doubt(tickets, queue[number], "Billing", rank=rank)  # nobody has answered the first
        for number in (5, 1):
            labeling.flag(tickets, ana, item=queue[number])
        seen, place = [], Place()
        for _ in range(6):
            item, place = cases.take_next(tickets, cast.ben, after=place)
            cases.give_back(item, cast.ben)
            seen.append((place.tier, item.number))
            assert cases.place_of(tickets, item) == place
        assert seen == [(0, 1), (0, 5), (1, 2), (1, 0), (1, 4), (0, 1)]
        assert cases.count(tickets) == cases.waiting(tickets).count() == 5
        assert cases.count(tickets, most=3) == 3

    def test_who_is_unsure_never_gets_it_again_and_a_second_reviewer_does(
        self, cast, tickets, queue
    ):
        cases.be_unsure(tickets, queue[2], cast.ben)
        cases.be_unsure(tickets, queue[2], cast.ben)
        assert ReviewCase.objects.get(item=queue[2]).unsure == [cast.ben.pk]
        assert self.numbers(tickets, cast.ben, cast.lea) == [0, 2]
        assert cases.left_by(tickets, cast.ben) == 1
        assert cases.be_sure_again(queue[2], cast.ben)
        assert cases.left_by(tickets, cast.ben) == 0

    def test_a_flag_about_a_label_that_is_gone_waits_no_more(self, cast, tickets, queue):
        settle(tickets, cast.lea, queue[2], "Login")
        doubt(tickets, queue[2], "Billing", rank=9)
        assert queue[2] not in cases.waiting(tickets)

    def test_a_settled_case_is_free_of_its_lease(self, cast, tickets, queue):
        self.numbers(tickets, cast.ben)
        settle(tickets, cast.ben, queue[2], "Login")
        assert ReviewCase.objects.get(item=queue[2]).leased_until is None

    def test_an_import_with_machines_flags_is_undone_with_them(self, cast, tickets):
        batch = ImportBatch.objects.create(project=tickets, state=BatchState.DONE)
        Item.objects.filter(pk=tickets.made[0].pk).update(batch=batch)
        doubt(tickets, tickets.made[0], "Billing")
        job = undoing.undo_import(batch)
        undoing.run_undo(jobs.Run(_running(job)))
        assert not Flag.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_reviewers_who_reach_at_the_same_moment_get_different_cases(cast):
    project = make_project(cast, audit_share=0)
    items = make_items(project, 12)
    ana = assigning.voice_of(project, cast.ana)
    for rank, item in enumerate(items):
        say(project, ana, item, "Billing")
        doubt(project, item, "Billing", rank=rank)
    people = [make_user(f"reviewer{number}") for number in range(4)]
    for person in people:
        join(project, person, Role.REVIEWER)
    start = threading.Barrier(len(people))

    def reach(person):
        try:
            start.wait()
            item, _ = cases.take_next(project, person)
            return item.number
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        got = list(pool.map(reach, people))
    assert len(set(got)) == len(people)
    assert Annotation.objects.filter(stream="review").count() == 0
