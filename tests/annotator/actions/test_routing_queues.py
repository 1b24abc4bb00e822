"""A teacher beside people: who is asked about what, and why."""

import pytest

from annotator.actions.routing import doubling, overview, policies, routing
from annotator.actions.teachers import teacher_runs
from annotator.errors import ConflictError
from annotator.models import (
    Double,
    Item,
    Part,
    Pick,
    Routing,
    TeacherAnswer,
    TeacherRun,
)
from tests.annotator.audited import answer_all
from tests.annotator.routed import Routed, routed, same_draws, work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fixed_draws(monkeypatch):
    same_draws(monkeypatch)


class TestWhoGetsWhat:
    def test_people_get_what_profits_most_with_the_reason(self, cast):
        made = routed(cast, human_share=0.35)
        kept = Routing.objects.get(project=made.project)
        asked = {item.number for item in made.others}
        doubtful = {n for n in asked if not made.sure[n]}
        first = kept.numbers[: len(doubtful)]
        # Those the teacher was not asked about have no answer yet, and come before all others.
        assert len(kept.numbers) == round(0.35 * 240) - 60
        assert not set(first) & made.verdicts()
        assert all(why.startswith("sent to a person because") for why in kept.reasons)
        work("refill", "train")
        picks = Pick.objects.filter(project=made.project).order_by("rank")
        numbers = list(picks.values_list("item__number", flat=True))
        assert set(numbers) & made.verdicts() <= set(doubling.waiting(made.project))
        assert picks[0].reason.startswith("sent to a person because")

    def test_the_loop_asks_people_where_student_and_teacher_are_in_doubt(self, cast):
        made = routed(cast, router="", human_share=0.5)
        kept = Routing.objects.get(project=made.project)
        assert kept.router in {"threshold", "error_model", "ppm"}
        assert kept.facts["back_test"]["best"] == kept.router
        assert len(kept.numbers) == round(0.5 * 240) - 60
        assert not set(kept.numbers) & made.verdicts()
        assert all(
            why.startswith("sent to a person because, in the opinion of") for why in kept.reasons
        )
        answered = Item.objects.filter(number__in=kept.numbers, answers__gt=0)
        assert not answered.exists()

    def test_an_untested_teacher_does_not_label_unless_the_policy_does_without(self, cast):
        made = routed(cast, unqualified=False)
        assert "Nobody has tested" in made.policy.trouble
        assert not TeacherRun.objects.live().exists()
        policies.change_policy(made.project, None, unqualified=True)
        work("route")
        assert made.policy.trouble == ""
        assert TeacherRun.objects.live().exists()

    def test_what_the_teacher_is_asked_now_is_not_in_the_peoples_queue(self, cast):
        routed(cast, human_share=0.3)
        run = TeacherRun.objects.live().get()
        assert not set(run.numbers) & set(Routing.objects.get().numbers)
        work("refill", "train")
        queued = set(Pick.objects.values_list("item__number", flat=True))
        assert queued
        assert not queued & set(run.numbers)
        teacher_runs.cancel(run)
        work("route", "refill")
        queued = set(Pick.objects.values_list("item__number", flat=True))
        assert set(run.numbers) <= queued

    def test_a_share_of_the_answers_is_checked_by_people_who_see_no_suggestion(self, cast):
        made = routed(cast, human_share=0, double_share=0.5)
        checks = Double.objects.filter(why="check")
        assert 25 < checks.count() < 75
        assert set(checks.values_list("probability", flat=True)) == {0.5}
        decided = [d for d in checks if d.item.number in made.verdicts()]
        assert decided
        made.route()
        assert Double.objects.filter(why="check").count() == checks.count(), "drawn once"
        work("refill", "train")
        pick = Pick.objects.get(item=decided[0].item)
        assert pick.suggestion == []
        assert "Drawn at random" in pick.reason

    def test_an_item_that_is_answered_again_has_no_second_chance_to_be_checked(self, cast):
        made = routed(cast, human_share=0, double_share=0.5)
        drawn = set(Double.objects.filter(why="check").values_list("item", flat=True))
        policy = made.policy
        policy.refresh_from_db()
        assert policy.considered > 0
        Double.objects.filter(why="check").delete()
        policy.considered = 0  # as when the teacher was taken off the policy and back
        doubling.draw_checks(made.project, policy)
        assert set(Double.objects.filter(why="check").values_list("item", flat=True)) == drawn

    def test_the_seed_is_a_uniform_draw_and_told_so(self, cast):
        made = Routed(cast)
        drawn = Double.objects.all()
        assert drawn.count() == 60
        assert set(drawn.values_list("why", "probability")) == {("random", 0.25)}
        routing.draw(made.project, made.policy)
        assert Double.objects.count() == 60

    def test_answered_seed_items_of_the_audit_sample_come_first(self, cast):
        made = Routed(cast)
        Double.objects.all().delete()
        audit = made.items[:20]
        Item.objects.filter(pk__in=[item.pk for item in audit]).update(part=Part.SEED)
        made.answer(audit)
        routing.draw(made.project, made.policy)
        assert Double.objects.filter(why="audit").count() == 20
        assert Double.objects.count() == 60

    def test_items_drawn_in_several_goes_stand_for_as_many_each(self, cast):
        """Two items of a later go, or of the audit sample, are worth no more than others."""
        made = Routed(cast)
        undrawn = [item for item in made.items if item not in made.drawn()]
        Item.objects.filter(pk__in=[item.pk for item in undrawn[:3]]).update(part=Part.SEED)
        made.answer(undrawn[:3])
        policies.change_policy(made.project, None, seed_size=65)
        routing.draw(made.project, made.policy)
        assert sorted(Double.objects.values_list("why", flat=True)).count("audit") == 3
        assert Double.objects.count() == 65
        assert set(Double.objects.values_list("probability", flat=True)) == {65 / 240}

    def test_what_is_kept_for_figures_teaches_no_router(self, cast):
        made = Routed(cast, double_share=1.0)
        made.label_seed()
        kept = [*made.drawn()[:10], *[item for item in made.items if item not in made.drawn()][:5]]
        Item.objects.filter(pk__in=[item.pk for item in kept]).update(part=Part.EVALUATION)
        made.answer(kept[10:])
        made.ask(kept[10:])
        doubling.draw_checks(made.project, made.policy)
        assert not Double.objects.filter(why="check").exists()
        both = doubling.both(made.project, made.teacher)
        assert {one.number for one in both} == {item.number for item in made.drawn()[10:]}
        routing.draw(made.project, made.policy)
        assert Double.objects.count() == 70, "others are drawn in their place"

    def test_nothing_is_drawn_while_the_teacher_is_at_work(self, cast):
        made = Routed(cast)
        Double.objects.all().delete()
        TeacherRun.objects.create(
            project=made.project, teacher=made.teacher, kind="try", state="running", numbers=[1]
        )
        with pytest.raises(ConflictError, match=r"at work already: trial \d+\. Wait"):
            policies.prepare(made.project, None)
        assert not Double.objects.exists()

    def test_checks_drawn_with_another_share_stand_for_as_many_words(self, cast):
        made = routed(cast, human_share=0, double_share=0.5)
        accepted = [
            d for d in Double.objects.filter(why="check") if d.item.number in made.verdicts()
        ]
        rare, common = accepted[:4], accepted[4:]
        Double.objects.filter(pk__in=[d.pk for d in rare]).update(probability=0.1)
        wrong = [made.labels[(made.truth[d.item.number] + 1) % 3] for d in rare]
        answer_all(made.project, made.ana, [d.item for d in rare], wrong, "active")
        made.answer([d.item for d in common])
        checked = overview.overview(made.project).checked
        share = len(common) / 0.5 / (len(rare) / 0.1 + len(common) / 0.5)
        assert checked.value == pytest.approx(share)
        assert checked.n == len(accepted)

    def test_a_fault_before_an_answer_draws_no_other_item(self, cast):
        made = Routed(cast)
        made.label_seed()
        run = TeacherRun.objects.create(project=made.project, teacher=made.teacher, state="failed")
        fault = {"project": made.project, "run": run, "abstained": "The budget is spent."}
        TeacherAnswer.objects.create(item=made.drawn()[0], **fault)
        routing.draw(made.project, made.policy)
        assert Double.objects.count() == 60
