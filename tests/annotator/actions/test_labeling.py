"""One person, one item, one answer: what is stored, what a replay does, what undo brings back."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.review import reviewing
from annotator.actions.verdicts import sealing, verdicts
from annotator.errors import ForbiddenError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    Annotator,
    Assignment,
    AssignmentState,
    Item,
    LedgerEntry,
    Verdict,
)
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(project, cast):
    return assigning.voice_of(project, cast.ana)


@pytest.fixture
def ben(project, cast):
    return assigning.voice_of(project, cast.ben)


def label(project, name="Billing"):
    return project.labels.get(name=name).pk


def answer(project, voice, assignment, name="Billing", **extra):
    return labeling.submit(
        project,
        voice,
        uuid=extra.pop("uuid", None) or uuid.uuid4(),
        assignment_id=assignment.pk,
        labels=[label(project, name)],
        seconds=2.5,
        **extra,
    )


def test_an_answer_closes_its_item_and_assignment(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    said = answer(project, ana, lease)
    lease.refresh_from_db()
    lease.item.refresh_from_db()
    assert lease.state == AssignmentState.ANSWERED
    assert (lease.item.answers, lease.item.open) == (1, False)
    assert said.labels == [label(project)]
    assert said.stream == lease.stream


def test_a_replay_returns_the_first_answer(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    key = uuid.uuid4()
    first = answer(project, ana, lease, uuid=key)
    again = answer(project, ana, lease, "Login", uuid=key)
    assert again.pk == first.pk
    assert Annotation.objects.count() == 1


def test_a_second_tab_records_nothing_new(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    first = answer(project, ana, lease)
    assert answer(project, ana, lease, "Login").pk == first.pk
    assert Item.objects.get(pk=lease.item_id).answers == 1


def test_somebody_elses_lease_is_not_found(project, ana, ben):
    lease = assigning.lease(project, ana, 1)[0]
    with pytest.raises(NotFoundError):
        answer(project, ben, lease)


def test_somebody_elses_answer_id_is_refused(project, ana, ben):
    key = uuid.uuid4()
    answer(project, ana, assigning.lease(project, ana, 1)[0], uuid=key)
    with pytest.raises(InvalidError):
        answer(project, ben, assigning.lease(project, ben, 1)[0], uuid=key)


@pytest.mark.parametrize("chosen", [[], ["Billing", "Login"]])
def test_single_label_wants_exactly_one(project, ana, chosen):
    lease = assigning.lease(project, ana, 1)[0]
    with pytest.raises(InvalidError, match="exactly one"):
        labeling.submit(
            project,
            ana,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[label(project, name) for name in chosen],
        )


def test_multi_label_takes_none_and_many(project, ana):
    project.task_type = "multi"
    project.save()
    none, many = assigning.lease(project, ana, 2)
    for lease, names in ((none, []), (many, ["Login", "Billing"])):
        labeling.submit(
            project,
            ana,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[label(project, name) for name in names],
        )
    assert [a.labels for a in Annotation.objects.order_by("id")] == [
        [],
        [label(project, "Billing"), label(project, "Login")],
    ]


def test_an_archived_label_is_refused_and_nothing_is_stored(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    project.labels.filter(name="Billing").update(archived_at=timezone.now())
    with pytest.raises(InvalidError, match="archived"):
        answer(project, ana, lease)
    assert not Annotation.objects.exists()


def test_an_answer_after_its_lease_counts_while_nobody_else_has_the_item(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    Assignment.objects.filter(pk=lease.pk).update(state=AssignmentState.EXPIRED)
    assert answer(project, ana, lease).extra is False
    assert Item.objects.get(pk=lease.item_id).answers == 1


def test_an_answer_after_its_place_was_given_away_is_kept_as_an_extra(project, ana, ben):
    lease = assigning.lease(project, ana, 1)[0]
    long_ago = timezone.now() - timezone.timedelta(minutes=10)
    Assignment.objects.filter(pk=lease.pk).update(lease_until=long_ago)
    taken = [x for x in assigning.lease(project, ben, 3) if x.item_id == lease.item_id]
    assert taken, "the item whose lease ran out is served again"
    late = answer(project, ana, lease)
    answer(project, ben, taken[0])
    assert late.extra is True
    assert Item.objects.get(pk=lease.item_id).answers == 1


def test_undo_holds_the_item_again_and_keeps_both_words(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    said = answer(project, ana, lease)
    held = revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
    item = Item.objects.get(pk=lease.item_id)
    assert (held.pk, held.state, item.answers, item.open) == (lease.pk, "leased", 0, True)
    answer(project, ana, held, "Login")
    assert [a.kind for a in Annotation.objects.order_by("id")] == ["answer", "retraction", "answer"]


def test_undo_does_not_bring_back_an_item_that_a_reviewer_called_bad(project, cast, ana):
    lease = assigning.lease(project, ana, 1)[0]
    said = answer(project, ana, lease)
    reviewing.settle(
        project, cast.ben, uuid=uuid.uuid4(), item=lease.item, labels=[], outcome="bad"
    )
    revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
    item = Item.objects.get(pk=lease.item_id)
    assert (item.answers, item.open) == (0, False)


def test_undo_twice_with_one_id_takes_one_answer_back(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    said, key = answer(project, ana, lease), uuid.uuid4()
    for _ in range(2):
        revising.retract(project, ana, uuid=key, annotation_uuid=said.uuid)
    assert Annotation.objects.count() == 2
    assert Item.objects.get(pk=lease.item_id).answers == 0


def test_undo_of_a_taken_back_answer_is_refused(project, ana):
    said = answer(project, ana, assigning.lease(project, ana, 1)[0])
    revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
    with pytest.raises(revising.NothingToUndoError):
        revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)


def test_a_skipped_item_goes_to_somebody_else_and_never_back(project, ana, ben):
    lease = assigning.lease(project, ana, 1)[0]
    labeling.skip(project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, reason="unclear")
    while found := assigning.lease(project, ana, 1):
        assert found[0].item_id != lease.item_id
        answer(project, ana, found[0])
    assert [x.item_id for x in assigning.lease(project, ben, 1)] == [lease.item_id]


def test_a_change_of_mind_is_a_new_annotation(project, ana):
    said = answer(project, ana, assigning.lease(project, ana, 1)[0])
    revising.revise(
        project,
        ana,
        uuid=uuid.uuid4(),
        annotation_uuid=said.uuid,
        labels=[label(project, "Login")],
    )
    _, items = sealing.seal(project)
    verdicts.decide(project, items)
    assert Verdict.objects.get().labels == [label(project, "Login")]
    assert Annotation.objects.count() == 2


@pytest.mark.parametrize("deed", ["update", "delete"])
def test_the_database_refuses_to_change_an_annotation(project, ana, deed):
    answer(project, ana, assigning.lease(project, ana, 1)[0])
    statement = {
        "update": "UPDATE annotator_annotation SET labels = '{}'",
        "delete": "DELETE FROM annotator_annotation",
    }[deed]
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        connection.cursor().execute(statement)
    assert Annotation.objects.get().labels


def test_every_annotation_waits_in_the_ledger_from_its_first_moment(project, ana):
    said = answer(project, ana, assigning.lease(project, ana, 1)[0])
    assert LedgerEntry.objects.get().annotation_id == said.pk
    assert LedgerEntry.objects.get().position is None


def test_redaction_blanks_the_words_and_keeps_hash_and_position(project, ana):
    said = answer(project, ana, assigning.lease(project, ana, 1)[0], comment="call me: 555")
    sealing.seal(project)
    before = LedgerEntry.objects.get()
    connection.cursor().execute("SELECT annotator_redact('test', %s)", [said.pk])
    after = LedgerEntry.objects.get()
    assert Annotation.objects.get().comment == ""
    assert (after.position, bytes(after.digest)) == (before.position, bytes(before.digest))
    assert sealing.verify(project) == []


@pytest.fixture
def two_tabs(cast):
    """Ana's lease ran out in one tab, Ben took its place, and her other tab got the item again."""
    project = make_project(cast, audit_share=0, overlap=2)
    make_items(project, 1)
    ana, ben = (assigning.voice_of(project, who) for who in (cast.ana, cast.ben))
    stale = assigning.lease(project, ana, 1)[0]
    long_ago = timezone.now() - timezone.timedelta(minutes=10)
    Assignment.objects.filter(pk=stale.pk).update(lease_until=long_ago)
    assigning.lease(project, ben, 1)
    return project, ana, stale, assigning.lease(project, ana, 1)[0]


def test_two_tabs_with_two_leases_of_one_item_record_one_answer(two_tabs):
    project, ana, stale, live = two_tabs
    first = answer(project, ana, stale)
    assert answer(project, ana, live, "Login") == first
    assert first.extra is False
    assert Annotation.objects.standing().count() == Item.objects.get().answers == 1


def test_a_skip_in_the_stale_tab_skips_the_live_lease(two_tabs):
    project, ana, stale, live = two_tabs
    labeling.skip(project, ana, uuid=uuid.uuid4(), assignment_id=stale.pk)
    assert Assignment.objects.get(pk=live.pk).state == AssignmentState.SKIPPED


def test_an_extra_answer_is_recorded_once_too(project, ana, ben):
    late = assigning.lease(project, ana, 1)[0]
    long_ago = timezone.now() - timezone.timedelta(minutes=10)
    Assignment.objects.filter(pk=late.pk).update(lease_until=long_ago)
    assigning.lease(project, ben, 3)
    first = answer(project, ana, late)
    assert (answer(project, ana, late), first.extra) == (first, True)


def test_a_reviewers_word_is_not_changed_by_somebody_who_reviews_no_longer(project, ben, cast):
    word = reviewing.settle(
        project, cast.ben, uuid=uuid.uuid4(), item=project.items.first(), labels=[label(project)]
    )
    change = {"annotation_uuid": word.uuid, "labels": [label(project, "Login")]}
    project.memberships.filter(user=cast.ben).update(role="annotator")
    with pytest.raises(ForbiddenError):
        revising.revise(project, ben, uuid=uuid.uuid4(), **change)
    project.memberships.filter(user=cast.ben).update(role="reviewer")
    assert revising.revise(project, ben, uuid=uuid.uuid4(), **change).stream == "review"


def test_what_the_database_cannot_hold_is_left_out_of_a_comment(project, ana):
    lease = assigning.lease(project, ana, 1)[0]
    assert answer(project, ana, lease, comment="a\x00b").comment == "ab"


@pytest.mark.django_db(transaction=True)
def test_of_two_tabs_that_take_back_one_answer_the_second_is_told(project, ana):
    said = answer(project, ana, assigning.lease(project, ana, 1)[0])

    def take_back(_):
        try:
            revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        except revising.NothingToUndoError:
            return "told"
        finally:
            connection.close()
        return "taken back"

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
            second = threads.submit(take_back, None)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
        assert second.result() == "told"


def test_an_answer_id_used_twice_takes_no_place(project, ana):
    first, second = assigning.lease(project, ana, 2)
    said = answer(project, ana, first)
    Assignment.objects.filter(pk=second.pk).update(state=AssignmentState.EXPIRED)
    assert answer(project, ana, second, uuid=said.uuid) == said
    assert Assignment.objects.get(pk=second.pk).state == AssignmentState.EXPIRED


@pytest.mark.parametrize(("suggestion", "blind"), [([], True), ([[1, 0.5]], False)])
def test_an_answer_is_blind_when_nothing_was_suggested(project, ana, suggestion, blind):
    lease = assigning.lease(project, ana, 1)[0]
    Assignment.objects.filter(pk=lease.pk).update(suggestion=suggestion)
    assert answer(project, ana, lease).blind is blind


def test_an_item_or_a_voice_of_another_project_is_refused(project, ana, cast):
    other = make_project(cast, name="Other")
    strange = {
        "item": (make_items(other, 1)[0], ana),
        "voice": (project.items.first(), assigning.voice_of(other, cast.ana)),
    }
    for item, voice in strange.values():
        with pytest.raises(IntegrityError, match="item and a voice"), transaction.atomic():
            Annotation.objects.create(
                uuid=uuid.uuid4(), project=project, item=item, annotator=voice, labels=[]
            )


def test_an_item_whose_label_was_declared_true_stays_closed_when_answers_come_and_go(project, ana):
    project.overlap = 2
    project.save()
    lease = assigning.lease(project, ana, 1)[0]
    file = Annotator.objects.create(project=project, kind="import", name="file", truth=True)
    Annotation.objects.create(
        uuid=uuid.uuid4(), project=project, item=lease.item, annotator=file, labels=[label(project)]
    )
    Item.objects.filter(pk=lease.item_id).update(open=False)
    said = answer(project, ana, lease)
    assert not Item.objects.get(pk=lease.item_id).open
    revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
    assert not Item.objects.get(pk=lease.item_id).open
