"""What a simulation replays: the curves, and which items test them."""

import numpy as np
import pytest
from django.utils import timezone

from annotator import jobs
from annotator.actions.simulations import (
    comparing,
    parting,
    replaying,
    simulation_runs,
)
from annotator.errors import InvalidError
from annotator.models import (
    Verdict,
)
from tests.annotator.simulated import audited, finished, labelled_project, start, work
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_bells(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)


@pytest.fixture
def tickets(cast):
    return labelled_project(cast)


class TestReplay:
    def test_every_strategy_is_replayed_under_every_seed(self, tickets):
        simulation = start(tickets)
        work(simulation)
        assert (simulation.state, simulation.error) == ("done", "")
        runs = list(simulation.runs.order_by("pk"))
        assert [(run.strategy, run.seed) for run in runs] == [
            *(("margin", 0), ("random", 0), ("margin", 1), ("random", 1))
        ]
        for run in runs:
            assert [point["labels"] for point in run.points] == [6, 26, 46]
            assert all(0 <= point["score"] <= 1 for point in run.points)
            assert run.pick_seconds > 0
        assert runs[0].points[0]["score"] == runs[1].points[0]["score"], "the same start"
        assert 0.8 < simulation.full["score"] <= 1
        assert simulation.finished_at is not None
        assert simulation.facts["items"] == 240
        assert simulation.facts["tested"] + simulation.facts["pool"] == 240
        assert simulation.facts["test_part"] == "split"
        assert simulation.advice["current"] == "margin"

    def test_the_same_labels_give_the_same_curves_and_the_same_hash(self, tickets):
        one = start(tickets)
        work(one)
        other = start(tickets)
        work(other)
        assert one.data_hash == other.data_hash
        scores = [
            [[point["score"] for point in run.points] for run in each.runs.order_by("pk")]
            for each in (one, other)
        ]
        assert scores[0] == scores[1]
        assert list(comparing.laid_over(one)) == [other]
        Verdict.objects.filter(project=tickets).order_by("pk").last().delete()
        third = start(tickets)
        work(third)
        assert third.data_hash != one.data_hash
        assert not comparing.laid_over(third).exists()

    def test_labels_that_come_while_it_runs_change_nothing(self, tickets, monkeypatch):
        monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
        simulation = start(tickets)
        assert work(simulation, pieces=1) == 1
        before = simulation.facts["items"]
        Verdict.objects.filter(project=tickets).delete()
        work(simulation)
        assert (simulation.state, simulation.facts["items"]) == ("done", before)
        assert finished(simulation) == 4

    def test_a_strategy_that_refuses_ends_its_own_curve_only(self, tickets, monkeypatch):
        from learning.errors import NotEnoughDataError
        from learning.selection.margin import Margin

        def refuse(self, pool, n, rng):
            raise NotEnoughDataError("It needs something else.")

        monkeypatch.setattr(Margin, "select", refuse)
        simulation = start(tickets)
        work(simulation)
        assert simulation.state == "done"
        assert [one.strategy for one in comparing.standings(simulation)] == ["random"]
        (told,) = comparing.refused(simulation)
        assert (told.strategy, told.error) == ("margin", "It needs something else.")

    def test_when_every_strategy_refuses_the_simulation_says_why(self, tickets, monkeypatch):
        from learning.errors import NotEnoughDataError
        from learning.selection.margin import Margin

        def refuse(self, pool, n, rng):
            raise NotEnoughDataError("It needs something else.")

        monkeypatch.setattr(Margin, "select", refuse)
        simulation = start(tickets, "margin")
        work(simulation)
        assert (simulation.state, simulation.error) == ("failed", "It needs something else.")

    def test_archived_labels_and_ties_are_left_out(self, tickets):
        label = tickets.labels.order_by("column").last()
        label.archived_at = timezone.now()
        label.save()
        Verdict.objects.filter(project=tickets, labels=[tickets.labels.first().pk]).update(
            state="tie"
        )
        decided = Verdict.objects.filter(project=tickets, state="decided")
        assert decided.count() == 160
        simulation = start(tickets)
        work(simulation)
        assert simulation.state == "failed"
        assert "two different labels" in simulation.error

    def test_items_with_several_labels_are_measured_by_their_headline(self, cast):
        project = labelled_project(cast, task_type="multi")
        simulation = start(project)
        work(simulation)
        assert simulation.state == "done"
        assert comparing.measure_of(simulation) == "micro F1"


class TestTestPart:
    def answered(self, count, *, labels=3, twins=0):
        hashes = [np.random.default_rng(n).bytes(16) for n in range(count - twins)]
        return parting.Answered(
            columns=[[n % labels] for n in range(count)],
            hashes=hashes + hashes[:twins],
            names=tuple("abc"[:labels]),
        )

    def test_equal_contents_are_never_on_both_sides(self):
        answered = self.answered(300, twins=120)
        found = parting.part(answered, audit=[], where="here")
        sides = {}
        for place, held in zip(found.places, found.held_out, strict=True):
            sides.setdefault(answered.hashes[place], set()).add(held)
        assert all(len(side) == 1 for side in sides.values())
        assert found.facts["test_part"] == "split"
        assert found.facts["items"] == 300

    def test_enough_audit_items_are_the_test_part_and_their_twins_are_left_out(self):
        answered = self.answered(400, twins=30)
        found = parting.part(answered, audit=range(200), where="here")
        assert found.facts["test_part"] == "audit"
        held = [p for p, h in zip(found.places, found.held_out, strict=True) if h]
        assert held == list(range(200))
        assert found.facts["duplicates_left_out"] == 30
        tested = {answered.hashes[place] for place in held}
        assert not tested & {answered.hashes[place] for place in found.pool}

    @pytest.mark.parametrize(("items", "audit"), [(400, 199), (249, 200)])
    def test_too_few_audit_items_or_too_little_beside_them_is_a_split(self, items, audit):
        found = parting.part(self.answered(items), audit=range(audit), where="here")
        assert found.facts["test_part"] == "split"
        assert found.facts["duplicates_left_out"] == 0

    @pytest.mark.parametrize(("items", "tested"), [(60, 24), (300, 100), (2_000, 400)])
    def test_the_share_that_is_kept_grows_where_there_is_little(self, items, tested):
        found = parting.part(self.answered(items), audit=[], where="here")
        assert found.facts["tested"] == tested

    def test_a_content_that_is_most_of_the_items_is_no_test(self):
        hashes = [b"same"] * 70 + [b"%d" % n for n in range(30)]
        answered = parting.Answered(
            columns=[[n % 3] for n in range(100)], hashes=hashes, names=("a", "b", "c")
        )
        found = parting.part(answered, audit=[], where="here")
        assert found.facts["tested"] == 30
        assert 0 in found.pool

    def test_no_more_are_replayed_than_tell_something(self, monkeypatch):
        monkeypatch.setattr(parting, "MOST_ITEMS", 300)
        found = parting.part(self.answered(1_000), audit=[], where="here")
        assert (found.facts["items"], found.facts["not_drawn"]) == (300, 700)
        assert found.facts["tested"] == 100
        kept = parting.part(self.answered(1_000), audit=range(250), where="here")
        assert (kept.facts["tested"], kept.facts["pool"]) == (250, 300)

    @pytest.mark.parametrize(
        ("items", "labels", "told"),
        [
            (49, 3, "at least 50 items with a label; here has 49"),
            (80, 1, "two different labels"),
        ],
    )
    def test_too_little_is_refused_in_a_sentence(self, items, labels, told):
        answered = self.answered(items, labels=labels)
        with pytest.raises(InvalidError, match=told):
            parting.part(answered, audit=[], where="here")

    def test_items_that_are_all_the_same_cannot_be_parted(self):
        answered = parting.Answered(
            columns=[[n % 3] for n in range(80)], hashes=[b"same"] * 80, names=("a", "b", "c")
        )
        with pytest.raises(InvalidError, match="Too few different items"):
            parting.part(answered, audit=[], where="here")

    def test_a_project_with_enough_audit_answers_is_tested_on_them(self, cast):
        project = labelled_project(cast, 300)
        numbers = audited(project, 220)
        simulation = start(project)
        work(simulation)
        assert simulation.facts["test_part"] == "audit"
        assert simulation.facts["tested"] == 220
        arrays, _ = replaying_arrays(simulation)
        held = arrays["numbers"][arrays["held_out"].astype(bool)]
        assert set(held.tolist()) == numbers


def replaying_arrays(simulation):
    from learning.storage import load_folder

    return load_folder(replaying.folder_of(simulation.project_id) / simulation.folder)


def test_the_pool_of_a_project_that_grows_is_replayed_as_it_was(tickets):
    """Numbers are rows of the matrix: later items change nothing."""
    simulation = start(tickets)
    work(simulation)
    before = replaying.load(simulation)[0]
    make_items(tickets, ["one more"])
    after = replaying.load(simulation)[0]
    np.testing.assert_array_equal(before.encodings, after.encodings)
