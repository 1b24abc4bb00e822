"""A teacher beside people: what is believed, what is taken back, what goes to whom."""

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.exports import exporting
from annotator.actions.instance import doctor
from annotator.actions.routing import accepting, candidates, policies, routing
from annotator.actions.students import lessons, student_words
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import canarying
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Acceptance,
    Annotation,
    AnnotationKind,
    Double,
    Item,
    Job,
    Part,
    Policy,
    PolicyChange,
    Routing,
    TeacherAnswer,
    TeacherRun,
    Verdict,
)
from tests.annotator.audited import answer_all, running
from tests.annotator.routed import Routed, routed, same_draws, speak, work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


def broken(project):
    """What the doctor finds wrong with words and verdicts; the fixture's answers have no leases."""
    asked = ("ledger", "positions", "lesson", "teachers")
    return {f.name: f.seen for f in doctor.examine(project) if not f.ok and f.name in asked}


@pytest.fixture(autouse=True)
def fixed_draws(monkeypatch):
    same_draws(monkeypatch)


class TestBelieving:
    def test_nothing_is_believed_before_enough_was_labelled_by_both(self, cast):
        made = Routed(cast, enabled=True)
        made.ask(made.items)
        made.answer(made.drawn()[:40])
        made.route()
        assert made.verdicts() == set()
        made.answer(made.drawn()[40:])
        made.route()
        assert made.verdicts() != set()

    def test_sure_words_become_verdicts_and_doubtful_ones_leave_the_item_open(self, cast):
        made = routed(cast, human_share=0)
        decided = made.verdicts()
        sure = {item.number for item in made.others if made.sure[item.number]}
        assert decided == sure
        right = np.mean([made.said[n] == made.truth[n] for n in decided])
        assert right > 0.95
        verdict = Verdict.objects.filter(source="teacher").first()
        assert (verdict.state, verdict.voices) == ("decided", 1)
        assert Item.objects.filter(verdict__source="teacher", open=False).count() == 0
        assert broken(made.project) == {}

    def test_a_teacher_that_texts_can_turn_is_believed_less(self, cast, monkeypatch):
        monkeypatch.setattr(canarying, "current_trust", lambda teacher: 0.8)
        assert routed(cast, human_share=0).verdicts() == set()

    def test_students_learn_a_teachers_word_by_how_far_it_is_relied_on(self, cast):
        made = routed(cast, human_share=0)
        lesson = lessons.gather(made.project, encoding.current_encoding(made.project))
        by_teacher = dict(zip(lesson.numbers.tolist(), lesson.taught.tolist(), strict=True))
        assert {n for n, taught in by_teacher.items() if taught} == made.verdicts()
        weights = np.asarray(lesson.data.weights)
        assert (weights[~lesson.taught] == 1).all()
        assert (weights[lesson.taught] >= 0.9).all()
        assert (weights[lesson.taught] < 1).all()

    def test_what_is_held_back_for_figures_is_never_a_teachers_to_decide(self, cast):
        made = Routed(cast)
        made.label_seed()
        drawn = {item.pk for item in made.drawn()}
        left = [item for item in made.items if item.pk not in drawn]
        held = {item.number for item in left if 200 <= item.number < 240}
        Item.objects.filter(number__in=held).update(part=Part.EVALUATION)
        made.ask(left)
        policies.change_policy(made.project, None, enabled=True)
        made.route()
        assert made.verdicts()
        assert not made.verdicts() & held

    def test_a_persons_answer_outweighs_it_and_taken_back_leaves_it(self, cast):
        made = routed(cast, human_share=0)
        item = next(each for each in made.others if each.number in made.verdicts())
        other = self.overrule(made, item)
        verdict = Verdict.objects.get(item=item)
        assert (verdict.source, verdict.labels) == ("consensus", other.labels)
        assert broken(made.project) == {}
        Annotation.objects.create(
            uuid="7d8f7e9c-8a35-4c0c-9d3a-6b6f0b6f4a11",
            project=made.project,
            item=item,
            annotator=made.ana,
            kind=AnnotationKind.RETRACTION,
            previous=other,
        )
        Item.objects.filter(pk=item.pk).update(answers=0, open=True)
        settling.settle_now(made.project)
        assert Verdict.objects.get(item=item).source == "teacher"

    def overrule(self, made, item):
        wrong = made.labels[(made.said[item.number] + 1) % 3]
        said = Annotation.objects.create(
            uuid="3d8f7e9c-8a35-4c0c-9d3a-6b6f0b6f4a10",
            project=made.project,
            item=item,
            annotator=made.ana,
            labels=[wrong],
        )
        Item.objects.filter(pk=item.pk).update(answers=1, open=False)
        settling.settle_now(made.project)
        return said

    def test_trust_can_be_lost(self, cast):
        made = routed(cast, human_share=0)
        before = len(made.verdicts())
        more = [item for item in made.items if item.number not in made.verdicts()]
        sure = [item for item in more if made.sure[item.number]][:60]
        made.ask([item for item in sure if not Annotation.objects.filter(item=item).exists()])
        Verdict.objects.filter(item__in=Double.objects.values("item")).update(
            labels=[made.labels[0]]
        )
        made.route()
        assert len(made.verdicts()) < before / 2

    def test_a_raised_confidence_takes_back_what_is_below_it(self, cast):
        made = routed(cast, human_share=0)
        assert made.verdicts()
        policies.change_policy(made.project, None, confidence=1.0)
        work("route")
        assert made.verdicts() == set()
        assert broken(made.project) == {}

    @pytest.mark.parametrize(
        ("where", "most"), [(candidates, "MOST_WORDS"), (student_words, "MOST_FOLDED")]
    )
    def test_also_where_not_every_word_is_looked_at_again(self, cast, monkeypatch, where, most):
        made = routed(cast, human_share=0)
        before = made.verdicts()
        monkeypatch.setattr(where, most, 10)
        made.route()
        assert made.verdicts() == before
        policies.change_policy(made.project, None, confidence=1.0)
        work("route")
        assert made.verdicts() == set()

    def test_words_beyond_what_one_routing_looks_at_have_their_turn(self, cast, monkeypatch):
        made = routed(cast, human_share=0)
        before = made.verdicts()
        policies.change_policy(made.project, None, enabled=False)
        work("route")
        monkeypatch.setattr(candidates, "MOST_WORDS", 60)
        policies.change_policy(made.project, None, enabled=True)
        work("route")
        assert 0 < len(made.verdicts()) < len(before)
        for _ in range(5):
            made.route()
        assert len(made.verdicts()) > 0.8 * len(before)

    def test_words_on_items_without_vectors_end_no_others(self, cast, monkeypatch):
        """More words than are looked at, of which some cannot be: the others are not all there are."""
        made = routed(cast, human_share=0)
        before = made.verdicts()
        late = make_items(made.project, ["fresh 1", "fresh 2"])
        made.project.refresh_from_db()
        speak(made.teacher, dict.fromkeys(late, (made.labels[0], 0.97)))
        monkeypatch.setattr(candidates, "MOST_WORDS", 50)
        made.route()
        assert made.verdicts() == before


class TestSwitchingOff:
    def test_it_takes_the_verdicts_back_and_leaves_the_words_in_the_ledger(self, cast):
        made = routed(cast, human_share=0)
        words = Annotation.objects.filter(annotator=made.teacher.voice).count()
        policies.change_policy(made.project, None, enabled=False)
        work("route")
        assert made.verdicts() == set()
        assert not Acceptance.objects.filter(ended_at=None).exists()
        assert Annotation.objects.filter(annotator=made.teacher.voice).count() == words
        assert broken(made.project) == {}

    def test_a_snapshot_stays_what_it_was(self, cast):
        made = routed(cast, human_share=0)
        exporting.create_snapshot(made.project, exporting.Options(pack="file", splits={}), cast.lea)
        work("export")
        snapshot = made.project.snapshots.get()
        rows = exporting.path_of(snapshot).read_text().splitlines()
        assert sum('"source":"teacher"' in row.replace(": ", ":") for row in rows) == len(
            made.verdicts()
        )
        policies.change_policy(made.project, None, enabled=False)
        work("route")
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256

    def test_every_teacher_stops_at_once(self, cast):
        made = routed(cast)
        assert policies.stop_all(made.project, cast.lea) == 1
        made.teacher.refresh_from_db()
        assert not made.teacher.enabled
        assert not made.policy.enabled
        change = PolicyChange.objects.latest("pk")
        assert change.changed_by == cast.lea
        assert change.after["enabled"] is False


class TestKilled:
    def test_a_routing_that_dies_half_way_leaves_what_holds_and_is_done_again(
        self, cast, monkeypatch
    ):
        made = Routed(cast)
        made.label_seed()
        drawn = {item.pk for item in made.drawn()}
        made.ask([item for item in made.items if item.pk not in drawn])
        monkeypatch.setattr(accepting, "CHUNK", 20)
        policies.change_policy(made.project, None, enabled=True)
        written = []

        def dies(project, items):
            if written:
                raise jobs.FencedError("Another worker took this job over.")
            written.extend(items)

        monkeypatch.setattr(accepting, "_leave_queue", dies)
        with pytest.raises(jobs.FencedError):
            routing.run_route(running(made.project, "route"))
        assert len(made.verdicts()) == len(written) == 20
        assert broken(made.project) == {}
        monkeypatch.undo()
        made.route()
        assert len(made.verdicts()) > 100
        assert broken(made.project) == {}


class TestTrouble:
    def test_a_cancelled_run_is_not_begun_anew_until_a_person_says_so(self, cast):
        made = routed(cast)
        teacher_runs.cancel(TeacherRun.objects.live().get())
        work("route")
        assert not TeacherRun.objects.live().exists()
        assert "cancelled" in made.policy.trouble
        policies.resume(made.project)
        work("route")
        assert TeacherRun.objects.live().exists()
        assert made.policy.trouble == ""

    def test_a_failed_run_sends_all_to_people_with_its_cause(self, cast):
        made = routed(cast, human_share=0.5)
        assert Routing.objects.get().numbers
        run = TeacherRun.objects.live().get()
        teacher_runs.end(run, "failed", "The endpoint answered 500.")
        work("route")
        assert made.policy.trouble == "The endpoint answered 500."
        assert Routing.objects.get().numbers == []
        again = Job.objects.get(kind="route", state="queued")
        assert again.key.startswith("route-again"), "it is tried again by itself"

    def test_an_item_on_which_nothing_ever_comes_is_not_asked_about_for_ever(self, cast):
        made = routed(cast)
        run = TeacherRun.objects.live().get()
        silent = made.items[run.numbers[0]]
        teacher_runs.end(run, "done")
        for _ in range(teacher_runs.TRIES):
            made.route()
            again = TeacherRun.objects.live().get()
            assert silent.number in again.numbers
            TeacherAnswer.objects.create(
                project=made.project, run=again, item=silent, abstained="No answer came."
            )
            teacher_runs.end(again, "done")
        made.route()
        assert silent.number not in TeacherRun.objects.live().get().numbers
        teacher_runs.end(TeacherRun.objects.live().get(), "done")
        policies.resume(made.project)
        work("route")
        assert silent.number in TeacherRun.objects.live().get().numbers

    def test_a_switched_off_teacher_is_said(self, cast):
        made = routed(cast)
        made.teacher.enabled = False
        made.teacher.save()
        made.route()
        assert "switched off" in made.policy.trouble

    def test_routing_and_training_do_not_follow_each_other_for_ever(self, cast):
        made = routed(cast, human_share=0)
        Job.objects.filter(kind="route").delete()
        routing.wish_after_training(made.project)
        assert not Job.objects.filter(kind="route", state="queued").exists()
        made.answer([made.others[0]])
        routing.wish_after_training(made.project)
        assert Job.objects.filter(kind="route", state="queued").exists()


class TestPolicy:
    def test_settings_are_checked_and_every_change_is_kept(self, cast):
        made = Routed(cast)
        for wrong in (
            {"human_share": 1.5},
            {"confidence": 0.2},
            {"double_share": 0.0},
            {"seed_size": 3},
            {"router": "none"},
            {"nonsense": 1},
            {"hour_price": "much"},
        ):
            with pytest.raises(InvalidError):
                policies.change_policy(made.project, None, **wrong)
        with pytest.raises(InvalidError, match="teacher"):
            policies.change_policy(made.project, None, enabled=True, teacher=None)
        assert PolicyChange.objects.count() == 1
        policies.change_policy(made.project, cast.lea, human_share=0.5)
        change = PolicyChange.objects.latest("pk")
        assert (change.before["human_share"], change.after["human_share"]) == (0.2, 0.5)
        policies.change_policy(made.project, cast.lea, human_share=0.5)
        assert PolicyChange.objects.count() == 2

    def test_a_teacher_of_another_project_is_refused(self, cast):
        made = Routed(cast)
        other = make_project(cast, name="Other")
        with pytest.raises(InvalidError, match="this project"):
            policies.change_policy(other, None, teacher=made.teacher)

    def test_a_project_without_a_policy_has_people_only(self, cast):
        project = make_project(cast)
        assert not policies.policy_of(project).enabled
        assert not Policy.objects.exists()
        with pytest.raises(ConflictError):
            policies.resume(project)
        with pytest.raises(ConflictError, match="teacher"):
            policies.prepare(project, None)


class TestDoctor:
    def test_verdicts_that_nothing_accepts_and_words_without_one_are_found(self, cast):
        made = routed(cast, human_share=0)
        assert broken(made.project) == {}
        some = Acceptance.objects.filter(ended_at=None).first()
        Acceptance.objects.filter(pk=some.pk).update(ended_at=some.accepted_at)
        assert "nothing accepts" in broken(made.project)["teachers"]
        Acceptance.objects.filter(pk=some.pk).update(ended_at=None)
        Verdict.objects.filter(item=some.item_id).delete()
        assert "no verdict" in broken(made.project)["teachers"]

    def test_an_answer_to_a_gold_item_is_no_vote(self, cast):
        made = routed(cast, human_share=0)
        some = Acceptance.objects.filter(ended_at=None).first()
        answer_all(made.project, made.ana, [some.item], made.labels[:1], "gold")
        assert Verdict.objects.get(item=some.item_id).source == "teacher"
        assert broken(made.project) == {}
