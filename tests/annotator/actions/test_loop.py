"""The loop behind an answer: sealed, decided, learnt from, and the queue chosen anew."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.queue import auditing, choosing, queueing
from annotator.actions.review import cases, reviewing
from annotator.actions.students import lessons, promoting
from annotator.actions.verdicts import sealing, settling, verdicts
from annotator.models import (
    Annotation,
    Encoding,
    Item,
    Job,
    JobState,
    LedgerBatch,
    LedgerEntry,
    Pick,
    Project,
    StudentVersion,
    Verdict,
    VerdictSource,
    VerdictState,
)
from learning.students.predictions import read_predictions
from learning.types import Selection
from tests.factories import make_items, make_project

WORDS = {
    "Billing": "invoice payment charged card refund money bank",
    "Delivery": "parcel courier late tracking shipment doorstep van",
    "Login": "password account sign code locked reset browser",
}


def make_pool(cast, count=60, **fields):
    """A pool whose items a student can tell apart by their words."""
    fields = {"encoder": "tfidf-svd", "audit_share": 0.1, **fields}
    project = make_project(cast, **fields)
    texts, truth = [], []
    for n in range(count):
        name = list(WORDS)[n % 3]
        words = WORDS[name].split()
        texts.append(f"{words[n % 7]} {words[(n * 3 + 1) % 7]} {words[(n * 5 + 2) % 7]} number {n}")
        truth.append(name)
    items = make_items(project, texts)
    auditing.recut(project)
    return (
        project,
        {item.pk: name for item, name in zip(project.items.order_by("number"), truth, strict=True)},
        items,
    )


def work():
    """Do every job that is due, as a worker would, until none is left."""
    done = []
    while True:
        Job.objects.filter(state=JobState.QUEUED, kind__in=jobs.KINDS).update(
            due_at=timezone.now() - timezone.timedelta(seconds=1)
        )
        waiting = Job.objects.filter(state=JobState.QUEUED).order_by("id").first()
        if waiting is None:
            return done
        jobs.execute(waiting.pk)
        waiting.refresh_from_db()
        assert waiting.state == JobState.DONE, waiting.error
        done.append(waiting.kind)


def label_some(project, voice, truth, count):
    for _ in range(count):
        lease = assigning.lease(project, voice, 1)[0]
        labeling.submit(
            project,
            voice,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.get(name=truth[lease.item_id]).pk],
        )
    with transaction.atomic():
        jobs.enqueue("settle", project=project, key=f"settle:{project.pk}")


@pytest.mark.django_db(transaction=True)
class TestLoop:
    def test_answers_become_a_student_that_fills_the_queue(self, cast):
        project, truth, _ = make_pool(cast)
        encoding.wish_encoding(project)
        work()
        assert Encoding.objects.get().rows == 60
        assert Pick.objects.count() >= 20, "the cold start opened the queue"
        ana = assigning.voice_of(project, cast.ana)
        label_some(project, ana, truth, 20)
        work()
        project.refresh_from_db()
        student = project.current_student
        assert student is not None
        assert student.trained_on == 20 - audited(project)
        picked = Pick.objects.order_by("rank").first()
        assert picked.reason.startswith("the student ")
        assert 0 < picked.suggestion[0][1] <= 1
        assert not Pick.objects.filter(item__answers__gt=0).exists()

    def test_evaluation_items_and_their_duplicates_are_in_no_training(self, cast):
        project, truth, items = make_pool(cast, 30)
        twin, drawn = items[3], items[0]
        Item.objects.filter(project=project, number=drawn.number).update(part="evaluation")
        Item.objects.filter(project=project, number=twin.number).update(
            content_hash=drawn.content_hash
        )
        for item in project.items.all():
            Verdict.objects.create(
                item=item,
                project=project,
                labels=[project.labels.get(name=truth[item.pk]).pk],
                soft={str(project.labels.get(name=truth[item.pk]).pk): 1.0},
                state=VerdictState.DECIDED,
                source=VerdictSource.CONSENSUS,
                position=1,
            )
        encoding.wish_encoding(project)
        work()
        lesson = lessons.gather(project, Encoding.objects.get())
        assert set(range(30)) - set(lesson.numbers.tolist()) == {drawn.number, twin.number}

    def test_a_newer_student_takes_over_until_a_person_pins_one(self, cast):
        project, truth, _ = make_pool(cast)
        encoding.wish_encoding(project)
        work()
        ana = assigning.voice_of(project, cast.ana)
        for _ in range(2):
            label_some(project, ana, truth, 12)
            work()
        first = StudentVersion.objects.earliest("number")
        project.refresh_from_db()
        assert project.current_student.number > first.number
        promoting.promote(project, first)
        label_some(project, ana, truth, 12)
        make_items(project, ["a courier with one more parcel"])
        encoding.wish_encoding(project)
        work()
        project.refresh_from_db()
        assert project.current_student_id == first.pk
        pool = encoding.students_folder(project.pk) / project.current_student.folder / "pool"
        assert read_predictions(pool).rows == 61, "the pinned one speaks of what came after it"
        assert StudentVersion.objects.count() > 2


def audited(project):
    return Item.objects.filter(
        project=project, part__in=["evaluation", "calibration"], answers__gt=0
    ).count()


@pytest.mark.django_db(transaction=True)
class TestSealing:
    def answer(self, project, voice):
        lease = assigning.lease(project, voice, 1)[0]
        return labeling.submit(
            project,
            voice,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.first().pk],
        )

    def test_answers_committed_in_reverse_order_are_all_sealed(self, cast):
        """The one inserted first commits last: it gets the later position, and is not lost."""
        project = make_project(cast)
        make_items(project, 4)
        ana, ben = (assigning.voice_of(project, x) for x in (cast.ana, cast.ben))

        def late_sealing(_):
            try:
                self.answer(project, ben)
                return sealing.seal(project)[0]
            finally:
                connection.close()

        with transaction.atomic(), ThreadPoolExecutor(1) as threads:
            early = self.answer(project, ana)
            assert threads.submit(late_sealing, None).result() == 1
        assert sealing.seal(project)[0] == 2
        assert LedgerEntry.objects.get(annotation=early).position == 2
        assert sealing.verify(project) == []

    def test_two_sealers_leave_no_gap_and_no_double(self, cast):
        project = make_project(cast)
        make_items(project, 40)
        ana = assigning.voice_of(project, cast.ana)
        for _ in range(40):
            self.answer(project, ana)

        def seal(_):
            try:
                return sealing.seal(project)[0]
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(seal, range(4)))
        positions = sorted(LedgerEntry.objects.values_list("position", flat=True))
        assert positions == list(range(1, 41))
        assert sealing.verify(project) == []

    def test_a_changed_annotation_breaks_the_chain(self, cast):
        project = make_project(cast)
        make_items(project, 2)
        said = self.answer(project, assigning.voice_of(project, cast.ana))
        sealing.seal(project)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT annotator_open_ledger('test', 'tamper', 1)")
            cursor.execute("UPDATE annotator_annotation SET labels = '{}' WHERE id = %s", [said.pk])
        assert "position 1 was changed" in sealing.verify(project)[0]
        LedgerBatch.objects.update(digest=b"x" * 32)
        assert len(sealing.verify(project)) == 2


@pytest.mark.django_db
class TestVerdicts:
    def vote(self, project, voice, item, name):
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            annotator=voice,
            labels=[project.labels.get(name=name).pk],
        )

    def test_a_person_outweighs_an_import_and_a_tie_waits_for_review(self, project, cast):
        ana, ben = (assigning.voice_of(project, x) for x in (cast.ana, cast.ben))
        file = project.annotators.create(kind="import", name="file", weight=0.5)
        first, second = project.items.all()[:2]
        self.vote(project, file, first, "Billing")
        self.vote(project, ana, first, "Login")
        self.vote(project, ana, second, "Billing")
        self.vote(project, ben, second, "Login")
        settling.settle_now(project)
        assert Verdict.objects.get(item=first).labels == [project.labels.get(name="Login").pk]
        assert Verdict.objects.get(item=second).state == VerdictState.TIE
        assert list(cases.waiting(project)) == [second]

    def test_a_reviewers_word_is_final(self, project, cast):
        item = project.items.first()
        for person in (cast.ana, cast.ben):
            self.vote(project, assigning.voice_of(project, person), item, "Billing")
        login = project.labels.get(name="Login").pk
        reviewing.settle(project, cast.lea, uuid=uuid.uuid4(), item=item, labels=[login])
        settling.settle_now(project)
        verdict = Verdict.objects.get(item=item)
        assert (verdict.labels, verdict.source) == ([login], VerdictSource.REVIEWER)

    def test_unsealed_answers_decide_nothing(self, project, cast):
        item = project.items.first()
        self.vote(project, assigning.voice_of(project, cast.ana), item, "Billing")
        verdicts.decide(project, [item.pk])
        assert not Verdict.objects.exists()


@pytest.mark.django_db
def test_training_is_wished_after_k_answers_or_t_seconds(project, cast):
    Project.objects.filter(pk=project.pk).update(retrain_answers=2, retrain_seconds=60)
    project.refresh_from_db()
    ana = assigning.voice_of(project, cast.ana)
    for _ in range(2):
        lease = assigning.lease(project, ana, 1)[0]
        labeling.submit(
            project,
            ana,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.first().pk],
        )
        settling.settle_now(project)
        settling.wish_training(project)
    job = Job.objects.get(kind="train")
    assert job.due_at <= timezone.now()


@pytest.mark.django_db
def test_enlarging_the_sample_draws_what_was_answered_already(project, cast):
    """Selection liked those items; leaving them out of the random sample would bias it."""
    Project.objects.filter(pk=project.pk).update(audit_share=0)
    project.refresh_from_db()
    ana = assigning.voice_of(project, cast.ana)
    for _ in range(4):
        lease = assigning.lease(project, ana, 1)[0]
        labeling.submit(
            project,
            ana,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.first().pk],
        )
    project.audit_share, project.audit_size = 0.1, 12
    project.save()
    auditing.recut(project)
    assert project.items.exclude(part="").count() == 4
    assert set(project.items.exclude(part="").values_list("answers", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_label_from_the_file_is_no_reason_to_be_chosen(cast):
    project, truth, _ = make_pool(cast, 30)
    project.audit_share = 0
    project.save()
    auditing.recut(project)
    file = project.annotators.create(kind="import", name="file", weight=0.5)
    for item in project.items.filter(number__lt=25):
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            annotator=file,
            stream="import",
            labels=[project.labels.get(name=truth[item.pk]).pk],
        )
    settling.settle_now(project)
    encoding.wish_encoding(project)
    work()
    assert set(Pick.objects.values_list("item__number", flat=True)) == set(range(25, 30))


@pytest.mark.django_db(transaction=True)
def test_a_half_answered_item_keeps_its_other_places_in_the_queue(cast):
    project, truth, _ = make_pool(cast, 40, overlap=2, audit_share=0)
    encoding.wish_encoding(project)
    work()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 12)
    work()
    answered = set(Item.objects.filter(answers=1).values_list("pk", flat=True))
    assert len(answered) == 12
    places = Pick.objects.filter(item__in=answered).values_list("item_id", flat=True)
    assert sorted(places) == sorted(answered)


@pytest.mark.django_db(transaction=True)
def test_a_training_and_a_refill_replace_the_queue_one_after_the_other(cast):
    project, _, _ = make_pool(cast, 4, audit_share=0)
    waiting = threading.Event()

    def run_of(kind):
        with transaction.atomic():
            return jobs.Run(jobs.claim(jobs.enqueue(kind, project=project).pk))

    def replace(run, numbers):
        chosen = Selection(
            rows=np.array(numbers), probabilities=np.ones(2), reasons=["because"] * 2
        )
        queueing.replace_queue(project, chosen, choosing.Knowledge(), run)

    def refill(run):
        try:
            replace(run, [3, 2])
            waiting.set()
        finally:
            connection.close()

    train, other = run_of("train"), run_of("refill")
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            replace(train, [2, 3])
            second = threads.submit(refill, other)
            assert not waiting.wait(0.5)
        second.result()
    ranked = Pick.objects.order_by("rank").values_list("item__number", flat=True)
    assert list(ranked) == [3, 2]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_after_sealing_leaves_no_answer_undecided(cast, monkeypatch):
    class KilledError(BaseException):
        pass

    def die(*args):
        raise KilledError

    project = make_project(cast, audit_share=0)
    make_items(project, 3)
    ana = assigning.voice_of(project, cast.ana)
    lease = assigning.lease(project, ana, 1)[0]
    label = project.labels.first().pk
    labeling.submit(project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label])
    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "decide", die)
        with pytest.raises(KilledError):
            settling.settle_now(project)
    settling.settle_now(project)
    assert Verdict.objects.get().item_id == lease.item_id
