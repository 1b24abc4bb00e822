"""Questions about one label: asked, answered as one voice's word about that label, and no more."""

import uuid

import pytest

from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.exports import exporting
from annotator.actions.instance import doctor
from annotator.actions.projects import schema
from annotator.actions.queue import auditing
from annotator.actions.review import cases
from annotator.actions.students import lessons
from annotator.actions.verdicts import sealing, settling
from annotator.errors import InvalidError
from annotator.models import (
    Annotation,
    Assignment,
    AssignmentState,
    Item,
    LedgerEntry,
    Part,
    Pick,
    Snapshot,
    VerdictState,
)
from tests.annotator.actions.test_loop import work
from tests.annotator.questioned import answered, ask, ids, questioning, say, serve, verdict, whole
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    return questioning(cast)


class TestAsking:
    def test_the_lease_carries_the_question_and_the_answer_leaves_the_item_open(
        self, cast, project
    ):
        item = project.items_made[2]
        ask(project, item, "Login")
        lease = serve(project, cast.ana)
        assert (lease.item_id, lease.question_id) == (item.pk, ids(project)["Login"])
        said = say(project, cast.ana, lease, question="Login")
        assert (said.labels, said.question_id) == ([], ids(project)["Login"])
        item.refresh_from_db()
        assert (item.answers, item.open) == (0, True)
        assert not Pick.objects.exists()
        settling.settle_now(project)
        found = verdict(item)
        assert (found.state, found.labels, found.known) == (
            VerdictState.PARTIAL,
            [],
            [ids(project)["Login"]],
        )
        assert doctor_is_content(project)

    def test_a_whole_answer_to_a_question_is_a_whole_answer(self, cast, project):
        item = project.items_made[2]
        ask(project, item, "Login")
        lease = serve(project, cast.ana)
        said = say(project, cast.ana, lease, ["Billing", "Login"])
        assert said.question_id is None
        assert not said.extra
        item.refresh_from_db()
        assert (item.answers, item.open) == (1, False)
        assert Assignment.objects.get().question_id is None
        settling.settle_now(project)
        assert verdict(item).state == VerdictState.DECIDED
        assert verdict(item).known is None
        assert doctor_is_content(project)

    @pytest.mark.parametrize(
        ("labels", "question"),
        [(["Billing"], "Login"), (["Billing", "Login"], "Login"), ([], "Billing")],
    )
    def test_an_answer_to_another_question_is_refused(self, cast, project, labels, question):
        ask(project, project.items_made[2], "Login")
        lease = serve(project, cast.ana)
        with pytest.raises(InvalidError):
            say(project, cast.ana, lease, labels, question=question)
        assert not Annotation.objects.exists()

    def test_single_label_projects_take_no_answers_to_questions(self, cast):
        made = make_project(cast, audit_share=0)
        make_items(made, 1)
        lease = serve(made, cast.ana)
        with pytest.raises(InvalidError, match="one label each"):
            say(made, cast.ana, lease, ["Login"], question="Login")

    def test_nobody_is_asked_twice_but_others_are(self, cast, project):
        ask(project, project.items_made[2], "Login")
        say(project, cast.ana, serve(project, cast.ana), question="Login")
        ask(project, project.items_made[2], "Login", slot=1)
        assert serve(project, cast.ana).question_id is None
        asked = serve(project, cast.ben)
        assert (asked.item_id, asked.question_id) == (
            project.items_made[2].pk,
            ids(project)["Login"],
        )

    def test_who_was_asked_one_question_may_be_asked_another_and_the_whole(self, cast, project):
        item = project.items_made[2]
        ask(project, item, "Login")
        say(project, cast.ana, serve(project, cast.ana), question="Login")
        ask(project, item, "Billing")
        again = serve(project, cast.ana)
        assert (again.item_id, again.question_id) == (item.pk, ids(project)["Billing"])
        say(project, cast.ana, again, ["Billing"], question="Billing")
        Item.objects.exclude(pk=item.pk).update(open=False)
        whole = serve(project, cast.ana)
        assert (whole.item_id, whole.question_id) == (item.pk, None)
        say(project, cast.ana, whole, ["Login"])
        settling.settle_now(project)
        found = verdict(item)
        assert (found.state, found.labels) == (VerdictState.DECIDED, [ids(project)["Login"]]), (
            "one's whole answer stands for what one said about single labels before"
        )
        assert doctor_is_content(project)

    def test_nobody_holds_an_item_and_a_question_about_it_at_once(self, cast, project):
        item = project.items_made[0]
        Item.objects.exclude(pk=item.pk).update(open=False)
        ask(project, item, "Login")
        ana = assigning.voice_of(project, cast.ana)
        assert [each.question_id for each in assigning.lease(project, ana, 3)] == [
            ids(project)["Login"]
        ]

    def test_a_place_is_given_once_to_the_question_and_once_to_the_whole(self, cast, project):
        item = project.items_made[0]
        Item.objects.exclude(pk=item.pk).update(open=False)
        ask(project, item, "Login")
        asked = serve(project, cast.ana)
        whole = serve(project, cast.ben)
        assert (whole.item_id, whole.question_id) == (item.pk, None)
        say(project, cast.ben, whole, ["Billing"])
        late = say(project, cast.ana, asked, ["Login"])
        assert late.extra, "the place of the whole answer was taken"
        say_again = Assignment.objects.get(pk=asked.pk)
        assert say_again.state == AssignmentState.ANSWERED
        assert doctor_is_content(project)


class TestLikeAnyAnswer:
    def test_a_replay_returns_the_first_answer(self, cast, project):
        ask(project, project.items_made[0], "Login")
        lease, key = serve(project, cast.ana), uuid.uuid4()
        first = say(project, cast.ana, lease, ["Login"], question="Login", uuid=key)
        second = say(project, cast.ana, lease, ["Login"], question="Login", uuid=key)
        other_tab = say(project, cast.ana, lease, question="Login")
        assert first.pk == second.pk == other_tab.pk
        assert Annotation.objects.count() == 1

    def test_it_is_taken_back_and_said_again(self, cast, project):
        item = project.items_made[0]
        ask(project, item, "Login")
        said = say(project, cast.ana, serve(project, cast.ana), ["Login"], question="Login")
        settling.settle_now(project)
        ana = assigning.voice_of(project, cast.ana)
        lease = revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        assert (lease.question_id, lease.state) == (ids(project)["Login"], "leased")
        item.refresh_from_db()
        assert (item.answers, item.open) == (0, True)
        settling.settle_now(project)
        assert verdict(item) is None
        say(project, cast.ana, lease, question="Login")
        settling.settle_now(project)
        assert verdict(item).known == [ids(project)["Login"]]
        assert verdict(item).labels == []
        assert doctor_is_content(project)

    def test_a_whole_answer_to_a_question_is_taken_back_whole(self, cast, project):
        ask(project, project.items_made[0], "Login")
        said = say(project, cast.ana, serve(project, cast.ana), ["Billing"])
        ana = assigning.voice_of(project, cast.ana)
        lease = revising.retract(project, ana, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        assert lease.question_id is None
        project.items_made[0].refresh_from_db()
        assert (project.items_made[0].answers, project.items_made[0].open) == (0, True)

    def test_it_is_skipped_and_goes_to_somebody_else(self, cast, project):
        ask(project, project.items_made[0], "Login")
        lease = serve(project, cast.ana)
        ana = assigning.voice_of(project, cast.ana)
        said = labeling.skip(project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk)
        assert said.question_id == ids(project)["Login"]
        assert serve(project, cast.ben).question_id == ids(project)["Login"]

    def test_it_is_changed_and_stays_about_that_label(self, cast, project):
        ask(project, project.items_made[0], "Login")
        said = say(project, cast.ana, serve(project, cast.ana), question="Login")
        ana = assigning.voice_of(project, cast.ana)
        changed = revising.revise(
            project,
            ana,
            uuid=uuid.uuid4(),
            annotation_uuid=said.uuid,
            labels=[ids(project)["Login"]],
        )
        assert changed.question_id == ids(project)["Login"]
        with pytest.raises(InvalidError):
            revising.revise(
                project,
                ana,
                uuid=uuid.uuid4(),
                annotation_uuid=changed.uuid,
                labels=[ids(project)["Billing"]],
            )

    def test_a_late_answer_wins_its_place_back_or_is_an_extra(self, cast, project):
        ask(project, project.items_made[0], "Login")
        lease = serve(project, cast.ana)
        Assignment.objects.update(state="expired")
        assert not say(project, cast.ana, lease, question="Login").extra
        ask(project, project.items_made[1], "Login")
        lease = serve(project, cast.ana)
        Assignment.objects.filter(pk=lease.pk).update(state="expired")
        Pick.objects.update(leased_until=None)
        say(project, cast.ben, serve(project, cast.ben), question="Login")
        assert say(project, cast.ana, lease, question="Login").extra


class TestVerdicts:
    def test_a_whole_answer_stands_for_what_was_asked_before(self, cast, project):
        """It was asked because the question left the item in doubt; the two must not tie."""
        item = project.items_made[0]
        answered(project, cast.ana, item, "Login", there=False)
        settling.settle_now(project)
        assert verdict(item).known == [ids(project)["Login"]]
        whole(project, cast.ben, item, ["Billing", "Login"])
        settling.settle_now(project)
        found = verdict(item)
        assert (found.state, found.known) == (VerdictState.DECIDED, None)
        assert found.labels == [ids(project)["Billing"], ids(project)["Login"]]

    def test_questions_that_disagree_wait_for_a_reviewer(self, cast, project):
        item = project.items_made[0]
        answered(project, cast.ana, item, "Login", there=True)
        answered(project, cast.lea, item, "Login", there=False)
        settling.settle_now(project)
        assert verdict(item).state == VerdictState.TIE
        assert cases.waiting(project).get() == item

    def test_figures_hear_whole_answers_only(self, cast, project):
        drawn = project.items_made[0]
        whole(project, cast.ben, drawn, ["Login"])
        answered(project, cast.ana, drawn, "Login", there=False)
        answered(project, cast.lea, drawn, "Login", there=False)
        settling.settle_now(project)
        Item.objects.exclude(pk=drawn.pk).update(order_key=1.0)
        Item.objects.filter(pk=drawn.pk).update(part=Part.EVALUATION, order_key=0.0)
        found = auditing.answered(project, Part.EVALUATION)
        assert found == [(drawn.number, [ids(project)["Login"]])]

    def test_blind_answers_of_the_audit_are_not_mixed_with_questions(self, cast, project):
        item = project.items_made[0]
        answered(project, cast.ana, item, "Login", there=False)
        whole(project, cast.ben, item, ["Login"], stream="audit")
        settling.settle_now(project)
        found = verdict(item)
        assert (found.state, found.labels) == (VerdictState.DECIDED, [ids(project)["Login"]])
        assert found.voices == 1


class TestLedger:
    def test_the_digest_holds_the_question_and_old_rows_keep_theirs(self, cast, project):
        item = project.items_made[0]
        answered(project, cast.ana, item, "Login", there=False)
        whole(project, cast.ben, item, ["Login"])
        sealing.seal(project)
        entries = {entry.annotation_id: bytes(entry.digest) for entry in LedgerEntry.objects.all()}
        asked, plain = (Annotation.objects.get(question__isnull=known) for known in (False, True))
        assert entries[plain.pk] == sealing.digest_of(content_of(plain, item))
        assert entries[asked.pk] == sealing.digest_of(
            [*content_of(asked, item), ids(project)["Login"]]
        )
        assert entries[asked.pk] != sealing.digest_of(content_of(asked, item))
        assert sealing.verify(project) == []


class TestLearning:
    def test_only_the_label_asked_about_is_known(self, cast, project):
        asked, said = project.items_made[0], project.items_made[1]
        answered(project, cast.ana, asked, "Login", there=True)
        whole(project, cast.ana, said, ["Billing"])
        settling.settle_now(project)
        learnt = lessons.read(project, 6, lessons.columns_of(project))
        assert learnt.numbers.tolist() == [0, 1]
        assert learnt.targets.tolist() == [[0, 0, 1], [1, 0, 0]]
        assert learnt.known.tolist() == [[False, False, True], [True, True, True]]
        assert learnt.whole.tolist() == [False, True]
        schema.archive_label(project.labels.get(name="Login"))
        learnt = lessons.read(project, 6, lessons.columns_of(project))
        assert learnt.numbers.tolist() == [1], "of the other item nothing is known any more"


class TestExport:
    def test_rows_say_which_labels_are_known(self, cast, project):
        answered(project, cast.ana, project.items_made[0], "Login", there=False)
        answered(project, cast.ana, project.items_made[1], "Login", there=True)
        whole(project, cast.ana, project.items_made[2], ["Billing"])
        rows, said = exported(project)
        assert [(row["state"], row["labels"], row["known"]) for row in rows[:4]] == [
            ("partial", None, {"Login": False}),
            ("partial", None, {"Login": True}),
            ("decided", ["Billing"], None),
            ("unlabelled", None, None),
        ]
        assert [(row["question"], row["labels"]) for row in said] == [
            ("Login", []),
            ("Login", ["Login"]),
            (None, ["Billing"]),
        ]

    def test_decided_rows_alone_hold_no_partial_ones(self, cast, project):
        answered(project, cast.ana, project.items_made[0], "Login", there=False)
        whole(project, cast.ana, project.items_made[2], ["Billing"])
        rows, _ = exported(project, only_decided=True)
        assert [row["number"] for row in rows] == [2]

    def test_a_snapshot_from_before_questions_is_written_as_it_was(self, cast, project):
        whole(project, cast.ana, project.items_made[2], ["Billing"])
        exported(project)
        snapshot = Snapshot.objects.get()
        del snapshot.manifest["frozen"]["asks"]
        snapshot.save()
        rows = exporting.Rows(snapshot, {}, lambda done, total: None)
        assert "known" not in [field.name for field in rows.item_fields()]
        assert "known" not in next(iter(rows.items()))
        assert "question" not in next(iter(rows.annotations()))


def content_of(annotation, item):
    return [
        str(annotation.uuid),
        item.number,
        annotation.annotator_id,
        "answer",
        annotation.stream,
        annotation.labels,
        "",
        "",
        False,
        None,
        annotation.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    ]


def exported(project, **options):
    exporting.create_snapshot(
        project,
        exporting.Options.from_json({"contents": ["verdicts", "annotations"], **options}),
    )
    work()
    snapshot = Snapshot.objects.latest("pk")
    assert snapshot.state == "ready", snapshot.manifest
    rows = exporting.Rows(snapshot, {}, lambda done, total: None)
    return list(rows.items()), list(rows.annotations())


def doctor_is_content(project):
    problems = [
        *doctor._acknowledged(project),
        *doctor._counters(project),
        *doctor._overlap(project),
    ]
    assert problems == []
    return True
