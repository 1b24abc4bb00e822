"""What the page of routing says: of the point in use, of what nobody decided, of what is computed."""

import numpy as np
import pytest
from django.urls import reverse

from annotator.actions.routing import overview, policies, promises, routing
from annotator.errors import ConflictError
from annotator.models import Acceptance, Double, Routing, TeacherAnswer, TeacherRun
from learning.audit.intervals import Estimate
from learning.routing import curve
from learning.routing.loop import LoopPolicy
from learning.scores import margins
from tests.annotator.routed import Routed, routed, same_draws, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def shown(lea):
    """The text of a project's page of routing, as a lead sees it."""

    def show(project):
        page = lea.get(reverse("routing", args=[project.pk])).content.decode()
        return " ".join(page.replace("\u202f", " ").split())

    return show


def check(made, count):
    """Ana is asked about this many accepted words, and says what is true."""
    accepted = Acceptance.objects.filter(project=made.project, ended_at=None)
    fresh = accepted.exclude(item__in=Double.objects.values("item"))
    items = [each.item for each in fresh.select_related("item")[:count]]
    Double.objects.bulk_create(
        Double(project=made.project, teacher=made.teacher, item=item, why="check", probability=0.05)
        for item in items
    )
    made.answer(items)


class TestForetold:
    def test_only_for_the_point_that_was_chosen_and_holds(self, cast, shown):
        made = routed(cast, human_share=0)
        policies.choose_point(made.project, cast.lea, 0.6)
        check(made, 40)
        page = shown(made.project)
        assert "Foretold for the chosen point" in page
        assert "until people label 60 %. Since then:" in page
        for setting in (
            {"human_share": 0.05},
            {"human_share": 0.6, "confidence": 0.8},
            {"confidence": 0.9, "router": "error_model"},
        ):
            policies.change_policy(made.project, cast.lea, **setting)
            page = shown(made.project)
            assert "Foretold for the chosen point" not in page, setting
            assert "set by hand" in page
        policies.change_policy(made.project, cast.lea, router="threshold", double_share=0.1)
        page = shown(made.project)
        assert "Foretold for the chosen point" in page, "the share of checks changes no quality"
        assert "set by hand" not in page
        policies.change_policy(made.project, cast.lea, teacher=None, enabled=False)
        assert overview.overview(made.project).outcome is None

    def test_what_is_better_than_foretold_is_no_alarm_and_nothing_decided_is_nothing_found(self):
        said = self.said(share=0.1, right=0.8, undecided=0.0)
        checked = Estimate(value=0.99, low=0.95, high=1.0, n=60)
        found = promises.outcome(said, checked)
        assert (found["kept"], found["better"]) == (False, True)
        assert promises.outcome(self.said(0.1, 1.0, undecided=0.9), checked) is None
        few = Estimate(value=0.99, low=0.95, high=1.0, n=6)
        found = promises.outcome(said, few)
        assert (found["kept"], found["better"]) == (None, False)

    @staticmethod
    def said(share, right, undecided):
        quality = {"value": right, "low": right - 0.05, "high": min(right + 0.05, 1), "n": 100}
        left = {"value": undecided, "low": undecided, "high": undecided, "n": 100}
        return {"share": share, "quality": quality, "undecided": left}

    def test_checks_speak_of_what_is_decided_with_as_many_of_peoples_labels_as_foretold(self):
        """Half of the decided items are the teacher's, of which a fifth are wrong."""
        said = self.said(share=0.4, right=0.9, undecided=0.2)
        found = promises.outcome(said, Estimate(value=0.8, low=0.7, high=0.9, n=40))
        assert found["found"]["value"] == pytest.approx(0.9)
        assert found["kept"]
        left = promises.undecided(said, found=10, decided=20)
        assert left["foretold"]["value"] == pytest.approx(1 / 3)
        assert left["found"] == pytest.approx(1 / 3)

    def test_the_loops_opinion_is_held_against_the_share_that_people_labelled_since(self):
        def loop(labels, *told):
            points = [{"share": s, "value": v, "low": v - 0.02, "high": v + 0.02} for s, v in told]
            return {"labels": labels, "now": points[0], "points": points[1:]}

        before = {"loop": loop(60, (0.2, 0.7), (0.4, 0.9))}
        assert promises.of_loop(before, before) is None, "nobody labelled anything since"
        found = promises.of_loop(before, {"loop": loop(90, (0.3, 0.81), (0.4, 0.9))})
        assert found["foretold"]["value"] == pytest.approx(0.8)
        assert (found["share"], found["found"]["value"], found["kept"]) == (0.3, 0.81, True)
        found = promises.of_loop(before, {"loop": loop(90, (0.3, 0.6), (0.4, 0.9))})
        assert not found["kept"]
        assert promises.of_loop({}, {"loop": loop(90, (0.3, 0.6))}) is None

    def test_a_few_checks_neither_agree_nor_disagree(self, cast, shown):
        made = routed(cast, human_share=0)
        policies.choose_point(made.project, cast.lea, 0.6)
        check(made, 29)
        page = shown(made.project)
        assert "cannot be told yet: 30 checks are needed" in page
        assert "That agrees" not in page
        check(made, 1)
        assert "That agrees" in shown(made.project)


class TestUndecided:
    def test_words_below_the_confidence_are_counted_and_those_that_people_get_told_apart(
        self, cast, shown
    ):
        made = routed(cast, human_share=0)
        said = [item.number for item in made.others]
        undecided, drawn = set(said) - made.verdicts(), {item.number for item in made.drawn()}
        assert undecided - drawn
        assert (
            f"Undecided: {len(undecided)} items, whose answers are below the confidence of 90 %; "
            f"{len(undecided - drawn)} of them are not sent to people first. Lower it"
        ) in shown(made.project)
        policies.change_policy(made.project, cast.lea, human_share=0.5)
        assert "Undecided:" not in shown(made.project), "it is being worked out"
        work("route")
        undecided = set(said) - made.verdicts()
        sent = set(Routing.objects.get().numbers)
        seen = overview.overview(made.project)
        assert (seen.undecided, seen.unclaimed) == (len(undecided), len(undecided - sent - drawn))
        policies.change_policy(made.project, cast.lea, confidence=0.5, human_share=0)
        work("route")
        assert overview.overview(made.project).undecided == len(set(said) - made.verdicts())
        policies.change_policy(made.project, cast.lea, enabled=False)
        work("route")
        assert "Undecided:" not in shown(made.project), "no word is believed at all"

    def test_whoever_takes_a_point_is_told_that_doubtful_words_decide_nothing(self, cast, lea):
        made = routed(cast)
        url = reverse("routing_point", args=[made.project.pk])
        page = lea.post(url, {"share": "0.5"}, follow=True).content.decode()
        assert "below that an item stays undecided" in page


class TestPoints:
    @pytest.fixture(autouse=True)
    def fixed_draws(self, monkeypatch):
        same_draws(monkeypatch)

    def test_what_a_point_leaves_undecided_is_what_the_policy_leaves_undecided(self, cast, shown):
        made = routed(cast, human_share=0)
        start = overview.overview(made.project).curve["points"][0]
        made.ask(item for item in made.items if item not in [*made.others, *made.drawn()])
        made.route()
        seen = overview.overview(made.project)
        found = seen.undecided / (seen.undecided + seen.decided)
        assert start["undecided"]["low"] < found < start["undecided"]["high"]
        assert start["quality"]["value"] > 0.95, "of the sure words, not of all"
        policies.change_policy(made.project, cast.lea, confidence=1.0)
        work("route")
        strict = overview.overview(made.project)
        assert strict.undecided == seen.undecided + seen.decided
        assert strict.curve["points"][0]["undecided"]["value"] == 1

    def test_where_words_decide_nothing_all_is_undecided_but_what_people_label(self, cast, shown):
        made = routed(cast, router="all_human")
        points = overview.overview(made.project).curve["points"]
        assert points[0]["quality"]["value"] is None
        assert [point["undecided"]["value"] for point in points[:3]] == [1, 0.95, 0.9]
        assert "What mixing gives" in shown(made.project)

    def test_items_on_which_the_teacher_has_no_answer_stay_undecided_too(self, cast):
        made = Routed(cast)
        silent, spoken = made.drawn()[:10], made.drawn()[10:]
        made.answer(made.drawn())
        made.ask(spoken)
        run = TeacherRun.objects.create(project=made.project, teacher=made.teacher, state="done")
        TeacherAnswer.objects.bulk_create(
            TeacherAnswer(
                project=made.project, run=run, item=item, abstained="It cannot tell.", model="made"
            )
            for item in silent
        )
        made.route()
        first, last = overview.overview(made.project).curve["points"][::20]
        assert first["silent"] == pytest.approx(10 / 60, abs=1e-4)
        assert first["undecided"]["value"] > 10 / 60
        assert (last["silent"], last["undecided"]["value"]) == (0, 0)
        promise = promises.undecided(first, 20, 80)
        heard = (first["undecided"]["value"] - 1 / 6) / (5 / 6)
        assert promise["foretold"]["value"] == pytest.approx(heard, abs=1e-3)

    def test_what_people_have_passed_is_shown_and_cannot_be_chosen(self, cast, shown, lea):
        made = routed(cast, human_share=0.5)
        points = overview.overview(made.project).curve["points"]
        assert [p["share"] for p in points if p["passed"]] == [0, 0.05, 0.1, 0.15, 0.2]
        page = shown(made.project)
        assert page.count('<span class="tag">passed</span>') == 3
        assert "People have answered 60 items already: smaller shares are passed." in page
        assert 'name="share" value="0.20"' not in page
        assert 'name="share" value="0.30"' in page
        here = f"/api/v1/projects/{made.project.pk}/routing/point"
        told = lea.post(here, {"share": 0.2}, content_type="application/json")
        assert told.status_code == 409
        assert "answered 60 of 240 items, more than 20% of them" in told.json()["detail"]
        assert made.policy.human_share == 0.5

    def test_hours_and_money_are_those_still_to_come(self, cast):
        made = routed(cast, human_share=0, hour_price="36")
        points = {p["share"]: p for p in overview.overview(made.project).curve["points"]}
        assert (points[0.25]["hours"], points[0.25]["money"]) == (0, 0), "all of it is done"
        seconds = overview.overview(made.project).curve["person_seconds"]
        assert seconds > 0
        assert points[0.5]["hours"] == pytest.approx(60 * seconds / 3600, abs=0.001)
        assert points[0.5]["money"] == pytest.approx(60 * seconds / 100, abs=1e-5)

    def test_a_curve_of_a_version_before_is_not_told_under_what_is_told_now(self, cast, shown):
        made = routed(cast, human_share=0)
        kept = Routing.objects.get(pk=made.project.pk)
        told = ("seed", "items", "person_seconds", "person_money", "teacher_money")
        points = [
            {name: point[name] for name in ("share", "quality", "money", "hours")}
            for point in kept.curve["points"]
        ]
        before = {name: kept.curve[name] for name in told} | {"points": points}
        Routing.objects.filter(pk=kept.pk).update(curve=before)
        assert "No curve can be told" in shown(made.project)
        with pytest.raises(ConflictError, match="being computed"):
            policies.choose_point(made.project, cast.lea, 0.5)
        work("route")
        assert policies.choose_point(made.project, cast.lea, 0.5).human_share == 0.5

    def test_a_curve_of_another_confidence_offers_nothing_until_it_is_told_anew(self, cast):
        made = routed(cast)
        policies.change_policy(made.project, cast.lea, confidence=0.8)
        with pytest.raises(ConflictError, match="another confidence"):
            policies.choose_point(made.project, cast.lea, 0.5)
        work("route")
        assert policies.choose_point(made.project, cast.lea, 0.5).human_share == 0.5

    @pytest.mark.parametrize("router", ["", "threshold"])
    def test_its_points_are_told_by_the_order_in_which_the_policy_asks_people(
        self, cast, monkeypatch, router
    ):
        """The loop's by its doubt; a named router's by what it says that a person is worth."""
        orders, opinions = [], []
        tell, ask = curve.replace_curve, LoopPolicy.ask
        monkeypatch.setattr(
            curve, "replace_curve", lambda *a, **k: orders.append(k["doubt"]) or tell(*a, **k)
        )
        monkeypatch.setattr(
            LoopPolicy, "ask", lambda *a, **k: opinions.append(a[2].probabilities) or ask(*a, **k)
        )
        routed(cast, router=router)
        if router:
            assert orders == [None]
        else:
            doubt = 1 - margins(opinions[-1][:60], multi_label=False)
            np.testing.assert_allclose(orders[-1], doubt, atol=1e-6)


class TestCurve:
    def test_while_it_is_computed_the_page_says_so(self, cast, shown):
        made = Routed(cast)
        assert "appears here once 48 items more have" in shown(made.project)
        made.label_seed()
        routing.wish(made.project)
        page = shown(made.project)
        assert "is being computed" in page
        assert "appears here once" not in page
        work("route")
        assert "What mixing gives" in (page := shown(made.project))
        assert "is being computed" not in page
        assert "Use this point" in page


class TestForm:
    def test_the_policy_comes_before_the_many_points_of_the_curve(self, cast, shown):
        page = shown(routed(cast).project)
        assert page.index('id="policy-title"') < page.index('id="budget-title"')

    def test_a_teacher_is_not_called_optional(self, cast, shown):
        made = Routed(cast)
        page = shown(made.project)
        assert 'Teacher</label> <select name="teacher"' in page
        assert "(optional)" in page, "what may be left out is"

    def test_an_untested_teacher_leads_to_its_test(self, cast, shown):
        made = routed(cast, unqualified=False)
        url = reverse("scorecard", args=[made.project.pk, made.teacher.voice_id])
        assert f'<a href="{url}#qualification-title">Its scorecard</a>' in shown(made.project)


@pytest.mark.parametrize("name", ["share", "human_share"])
def test_a_point_is_taken_by_what_points_or_policies_call_its_share(cast, lea, name):
    made = routed(cast)
    here = f"/api/v1/projects/{made.project.pk}/routing"
    share = lea.get(here).json()["curve"]["points"][6]["share"]
    told = lea.post(f"{here}/point", {name: share}, content_type="application/json")
    assert (told.status_code, told.json()["human_share"]) == (200, share)
    for wrong in ({}, {"share": 0.2, "human_share": 0.4}, {"share": 2}):
        refused = lea.post(f"{here}/point", wrong, content_type="application/json")
        assert refused.status_code == 422, wrong


def test_which_router_is_used_is_told_with_how_each_did(cast, shown, lea):
    made = routed(cast, human_share=0, router="")
    page = shown(made.project)
    assert "Which router is used, and why" in page
    told = lea.get(f"/api/v1/projects/{made.project.pk}/routing").json()["back_test"]
    names = {each["router"]: each for each in told["standings"]}
    assert told["best"] in names
    assert names["threshold"]["area"] > 0
    policies.change_policy(made.project, cast.lea, router="threshold")
    assert "Which router is used" not in shown(made.project)
