"""What the page of routing says: of the point in use, of what nobody decided, of what is computed."""

import pytest
from django.urls import reverse

from annotator.actions.routing import budgeting, overview, policies, routing
from annotator.models import Acceptance, Double, Routing
from learning.audit.intervals import Estimate
from tests.annotator.routed import Routed, routed, work

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
        assert "people labelling 60 %. So far:" in page
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
        said = {"quality": {"value": 0.8, "low": 0.75, "high": 0.85, "n": 100}}
        checked = Estimate(value=0.99, low=0.95, high=1.0, n=60)
        found = budgeting.outcome(said, checked, 0.9)
        assert (found["kept"], found["better"]) == (False, True)
        assert budgeting.outcome(said, checked, 0.0) is None
        few = Estimate(value=0.99, low=0.95, high=1.0, n=6)
        found = budgeting.outcome(said, few, 0.9)
        assert (found["kept"], found["better"]) == (None, False)

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
        assert "Undecided" not in shown(made.project), "it is being worked out"
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
        assert "Undecided" not in shown(made.project), "no word is believed at all"

    def test_whoever_takes_a_point_is_told_that_doubtful_words_decide_nothing(self, cast, lea):
        made = routed(cast)
        url = reverse("routing_point", args=[made.project.pk])
        page = lea.post(url, {"share": "0.5"}, follow=True).content.decode()
        assert "below that an item stays undecided" in page


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
