"""A lead asks people about what a search found: first in the queue, never from the audit sample."""

import uuid

import numpy as np
import pytest
from django.db import transaction

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.explore import seeding
from annotator.actions.explore.searching import STATUSES, Filter
from annotator.actions.projects import schema
from annotator.actions.queue import choosing, queueing
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    Annotator,
    Flag,
    ImportBatch,
    Item,
    Job,
    Pick,
    Project,
    Seeding,
    Suggestion,
    Verdict,
)
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.web.helpers import index
from tests.factories import make_items, make_project

TEXTS = [
    "The refund arrived twice",
    "Where is my parcel",
    "refund refund refund",
    "I cannot log in",
    "The refund never arrived",
    "Parcel is broken",
    "Password reset mail is missing",
    "No refund yet for my broken cup",
]


@pytest.fixture
def project(cast):
    made = make_project(cast, audit_share=0)
    made.items_made = make_items(made, TEXTS)
    index(made)
    return made


def vectors(count=8):
    """Each item by itself, but 0 and 4 the same."""
    matrix = np.eye(count, dtype=np.float16)
    matrix[4] = matrix[0]
    return matrix


def choose(project, matrix=None):
    known = choosing.Knowledge(encodings=vectors() if matrix is None else matrix)
    chosen = choosing.choose(project, known, np.random.default_rng(0))
    return chosen.rows.tolist(), chosen.reasons


@pytest.mark.django_db
class TestWishing:
    def test_hits_go_first_best_match_first_copies_last(self, cast, project):
        made = seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        assert sorted(made.numbers) == [0, 2, 4, 7]
        assert made.numbers[0] == 2, "it says refund three times"
        rows, reasons = choose(project)
        assert rows[:4] == [2, 0, 7, 4], "4 is a copy of 0"
        assert sorted(rows) == list(range(8))
        assert reasons[0] == "matches the search “refund”, which lea asked people about (1 of 4)"
        assert reasons[4] == "one of the 4 waiting items, all of which are wanted"

    def test_what_is_like_an_example_goes_first(self, cast, project, monkeypatch):
        near = seeding.neighbours.Nearest(pairs=[(4, 1.0), (7, 0.5), (2, 0.4)], seen=8, rows=8)
        monkeypatch.setattr(seeding.neighbours, "nearest", lambda *_: near)
        Item.objects.filter(number=7).update(open=False)
        made = seeding.ask_similar(project, cast.lea, project.items_made[0])
        assert made.numbers == [4, 2]
        rows, reasons = choose(project)
        assert rows[:2] == [4, 2]
        assert reasons[0] == "like item #0, which lea asked people about (1 of 2)"

    def test_audit_items_and_answered_ones_are_left_out(self, cast, project):
        Item.objects.filter(number=0).update(order_key=0.0)
        Project.objects.filter(pk=project.pk).update(audit_cutoff=0.001)
        project.refresh_from_db()
        Item.objects.exclude(number=0).update(order_key=0.5)
        Item.objects.filter(number=2).update(open=False)
        made = seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        assert sorted(made.numbers) == [4, 7]
        Item.objects.filter(number=4).update(order_key=0.0)  # the sample grew since
        rows, _ = choose(project)
        assert rows[0] == 7
        assert not {0, 4} & set(rows)

    def test_nothing_asked_or_nothing_found_is_refused(self, cast, project):
        with pytest.raises(InvalidError, match="ask about everything"):
            seeding.ask_hits(project, cast.lea, Filter())
        with pytest.raises(InvalidError, match="None of these items waits"):
            seeding.ask_hits(project, cast.lea, Filter(query="unicorn"))
        assert not Seeding.objects.exists()

    def test_five_hundred_at_most(self, cast, project, monkeypatch):
        monkeypatch.setattr(seeding, "MOST", 3)
        made = seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        assert len(made.numbers) == 3

    def test_a_newer_wish_comes_before_an_older_one(self, cast, project):
        seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        seeding.ask_hits(project, cast.lea, Filter(query="broken"))
        rows, reasons = choose(project)
        assert set(rows[:2]) == {5, 7}
        assert "“broken”" in reasons[0]
        assert set(rows[2:5]) == {0, 2, 4}

    def test_the_same_search_again_replaces_the_former_wish(self, cast, project):
        seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        Item.objects.filter(number=2).update(open=False)
        again = seeding.ask_hits(project, cast.ben, Filter(query="refund"))
        assert [each.seeding for each in seeding.standing(project)] == [again]
        assert sorted(again.numbers) == [0, 4, 7]

    @pytest.mark.parametrize("query", ["", "refund"])
    @pytest.mark.parametrize("status", STATUSES)
    def test_hits_of_every_status_can_be_asked_about(self, cast, project, status, query):
        two = project.items_made[2]
        if status in {"answered", "tie", "partial"}:
            state = "decided" if status == "answered" else status
            Verdict.objects.create(item=two, project=project, labels=[], state=state, position=1)
        for user in (cast.ana, cast.ben) if status == "flagged" else ():
            voice = assigning.voice_of(project, user)
            Flag.objects.create(project=project, item=two, raised_by=voice)
        made = seeding.ask_hits(project, cast.lea, Filter(status=status, query=query))
        if status in {"none", "open"}:
            assert sorted(made.numbers) == ([0, 2, 4, 7] if query else list(range(8)))
        else:
            assert made.numbers == [2], "once, though two people flagged it"

    def test_the_same_words_about_other_items_leave_the_former_wish(self, cast, project):
        one, other = (ImportBatch.objects.create(project=project) for _ in range(2))
        Item.objects.filter(number__in=[0, 2]).update(batch=one)
        Item.objects.filter(number__in=[4, 7]).update(batch=other)
        former = seeding.ask_hits(project, cast.lea, Filter(query="refund", batch=one.pk))
        newer = seeding.ask_hits(project, cast.lea, Filter(query="refund", batch=other.pk))
        assert [each.seeding for each in seeding.standing(project)] == [newer, former]
        assert set(choose(project)[0][:4]) == {0, 2, 4, 7}
        everywhere = seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        assert [each.seeding for each in seeding.standing(project)] == [everywhere]

    def test_too_many_at_once_are_refused_until_one_is_answered(self, cast, project, monkeypatch):
        monkeypatch.setattr(seeding, "MOST_STANDING", 2)
        seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        seeding.ask_hits(project, cast.lea, Filter(query="password"))
        with pytest.raises(ConflictError, match=r"2 searches.*Explore lists them"):
            seeding.ask_hits(project, cast.lea, Filter(query="parcel"))
        seeding.ask_hits(project, cast.lea, Filter(query="refund"))  # replaces the former
        Item.objects.filter(number=6).update(open=False)
        seeding.ask_hits(project, cast.lea, Filter(query="parcel"))
        assert [each.seeding.query for each in seeding.standing(project)] == ["parcel", "refund"]

    def test_what_came_with_a_label_of_its_file_is_asked_about_all_the_same(self, cast, project):
        Verdict.objects.create(
            item=project.items_made[2],
            project=project,
            labels=[project.labels.first().pk],
            state="decided",
            source="consensus",
            position=1,
        )
        assert 2 not in queueing.open_numbers(project, 8)
        seeding.ask_hits(project, cast.lea, Filter(query="refund"))
        assert choose(project)[0][0] == 2

    def test_taken_back_the_strategy_chooses_alone_again(self, cast, project):
        before, _ = choose(project)
        made = seeding.ask_hits(project, cast.lea, Filter(query="password"))
        Job.objects.all().delete()
        seeding.take_back(project, made.pk)
        assert Job.objects.get().kind == "refill"
        assert choose(project)[0] == before
        assert seeding.standing(project) == []
        seeding.take_back(project, made.pk)  # pressed twice
        with pytest.raises(NotFoundError):
            seeding.take_back(project, made.pk + 1)

    def test_a_wish_counts_down_and_ends_by_itself(self, cast, project):
        seeding.ask_hits(project, cast.lea, Filter(query="parcel"))
        (wish,) = seeding.standing(project)
        assert (wish.waiting, wish.done) == (2, 0)
        assert wish.words == "that match the search “parcel”"
        Item.objects.filter(number=1).update(open=False)
        (wish,) = seeding.standing(project)
        assert (wish.waiting, wish.done) == (1, 1)
        Item.objects.filter(number=5).update(open=False)
        assert seeding.standing(project) == []
        assert Seeding.objects.standing().exists(), "looking changes nothing"
        assert sorted(choose(project)[0]) == [0, 2, 3, 4, 6, 7]
        assert not Seeding.objects.standing().exists(), "no later refill reads it again"

    def test_a_wish_of_items_that_are_not_encoded_yet_does_not_end(self, cast, project):
        seeding.ask_hits(project, cast.lea, Filter(query="parcel"))
        assert sorted(choose(project, vectors()[:1])[0]) == [0]
        assert Seeding.objects.standing().exists()


@pytest.mark.django_db(transaction=True)
def test_people_are_given_the_wish_first_before_and_after_there_is_a_student(cast):
    project, truth, _ = make_pool(cast, 60, audit_share=0)
    index(project)
    encoding.wish_encoding(project)
    work()
    seeding.ask_hits(project, cast.lea, Filter(query="courier"))
    work()
    first = Pick.objects.order_by("rank").first()
    assert "courier" in first.item.text
    assert "matches the search “courier”" in first.reason
    ana = assigning.voice_of(project, cast.ana)
    assert "courier" in assigning.lease(project, ana, 1)[0].item.text
    assigning.release_all(ana)
    label_some(project, ana, truth, 20)
    work()
    project.refresh_from_db()
    assert project.current_student_id
    assert Annotation.objects.filter(stream="active").count() == 20
    seeding.ask_hits(project, cast.lea, Filter(query="bank"))
    work()
    first = Pick.objects.order_by("rank").first()
    assert "bank" in first.item.text
    assert first.suggestion, "the student's word is beside it"


@pytest.mark.django_db
class TestTeacherError:
    """What `rad` is told: how often machines differ from people on items drawn at random."""

    def drawn(self, project, user, number, name):
        item = project.items_made[number]
        voice = assigning.voice_of(project, user)
        lease = assigning.Assignment.objects.create(
            project=project,
            item=item,
            annotator=voice,
            stream="audit",
            lease_until="2100-01-01T00:00Z",
        )
        labeling.submit(
            project,
            voice,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[project.labels.get(name=name).pk],
        )
        Item.objects.filter(pk=item.pk).update(part="seed")

    def machine(self, project, number, name):
        voice, _ = Annotator.objects.get_or_create(project=project, kind="teacher", name="LLM")
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=project,
            item=project.items_made[number],
            annotator=voice,
            stream="import",
            labels=[project.labels.get(name=name).pk],
        )

    def test_unknown_without_items_that_both_labelled(self, cast, project):
        self.drawn(project, cast.ana, 0, "Billing")
        assert choosing.teacher_error(project) is None

    def test_the_upper_end_of_the_share_of_differing_answers(self, cast, project):
        from learning.metrics import wilson

        for number, said in enumerate(("Billing", "Billing", "Login", "Billing")):
            self.drawn(project, cast.ana, number, "Billing")
            self.machine(project, number, said)
        self.machine(project, 5, "Login")  # nobody drew this one
        assert choosing.teacher_error(project) == pytest.approx(wilson(1, 4, 0.9)[1])

    def test_suggestions_of_a_file_count_by_their_likeliest_label(self, cast, project):
        from learning.metrics import wilson

        voice = Annotator.objects.create(project=project, kind="import", name="a.csv")
        labels = {label.name: label for label in project.labels.all()}
        for number, likeliest in enumerate(("Billing", "Login")):
            self.drawn(project, cast.ana, number, "Billing")
            for name in ("Billing", "Login"):
                Suggestion.objects.create(
                    project=project,
                    item=project.items_made[number],
                    annotator=voice,
                    label=labels[name],
                    probability=0.7 if name == likeliest else 0.2,
                )
        assert choosing.teacher_error(project) == pytest.approx(wilson(1, 2, 0.9)[1])

    def test_rad_waits_without_it_and_says_so(self, cast, project):
        p = np.full((8, 3), 1 / 3, dtype=np.float32)
        from learning.scores import margins
        from learning.students.predictions import Predictions

        known = choosing.Knowledge(
            encodings=vectors(),
            predictions=Predictions(
                labels=3,
                multi_label=False,
                probabilities=p,
                margins=margins(p, multi_label=False),
                entropies=np.zeros(8, dtype=np.float32),
            ),
            label_ids=tuple(schema.columns_of(project).label_ids),
        )
        project.strategy = "rad"
        chosen = choosing.choose(project, known, np.random.default_rng(0))
        assert len(chosen.rows) == 8
        assert "“Robust distillation (for teachers)” has to wait: " in chosen.reasons[0]
        assert "how often the teacher errs" in chosen.reasons[0]
        self.drawn(project, cast.ana, 0, "Billing")
        self.machine(project, 0, "Billing")
        chosen = choosing.choose(project, known, np.random.default_rng(0))
        assert chosen.reasons[0].startswith("worth a teacher's answer")


@pytest.mark.django_db
def test_a_purge_takes_wishes_along(cast, project):
    from annotator.actions.projects import projects, purging

    seeding.ask_hits(project, cast.lea, Filter(query="parcel"))
    seeding.Seeding.objects.create(project=project, example=project.items_made[0], numbers=[1])
    with transaction.atomic():
        jobs.enqueue("refill", project=project, key="x")
    projects.delete_project(project)
    project.refresh_from_db()
    purging.purge_now(project)
    assert not Seeding.objects.exists()
