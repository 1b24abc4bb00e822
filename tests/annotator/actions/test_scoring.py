"""Students of people, of the teacher and of both, on one audit sample; and what labels cost."""

import pytest

from annotator.actions.figures import costing
from annotator.actions.routing import policies, scoring
from annotator.models import Item, Part, Purse, Routing, StudentVersion, TeacherAnswer
from tests.annotator.audited import running
from tests.annotator.routed import Routed

pytestmark = pytest.mark.django_db


@pytest.fixture
def scored(cast):
    """The teacher said 100 things for 0.01 each; people answered the seed and 60 audit items."""
    made = Routed(cast, hour_price=36)
    made.label_seed()
    drawn = {item.pk for item in made.drawn()}
    others = [item for item in made.items if item.pk not in drawn]
    made.ask(others[:100])
    audit = sorted(others[100:], key=lambda item: item.order_key)[:60]
    Item.objects.filter(pk__in=[item.pk for item in audit]).update(part=Part.EVALUATION)
    for place, item in enumerate(audit):  # the beginning of the secret order
        Item.objects.filter(pk=item.pk).update(order_key=-1 + place / 100)
    made.answer(audit)
    TeacherAnswer.objects.update(money="0.01")
    Purse.objects.filter(project=made.project).update(spent="1.60")
    policies.change_policy(made.project, None, enabled=True)
    made.route()
    return made


def board(made):
    scoring.run_scoreboard(running(made.project, "scoreboard"))
    return Routing.objects.get(project=made.project).scoreboard


class TestScoreboard:
    def test_the_three_are_compared_at_equal_money_on_the_same_items(self, scored):
        kept = board(scored)
        arms = {arm["arm"]: arm for arm in kept["arms"]}
        assert set(arms) == {"people", "teacher", "both"}
        assert (kept["unit"], kept["evaluated_on"]) == ("money", 60)
        # 60 answers of the seed, six seconds each, at 36 an hour; 160 words of the teacher.
        assert kept["total"] == pytest.approx(60 * 0.06 + 160 * 0.01)
        assert arms["people"]["labels"] == 60
        assert arms["teacher"]["labels"] == 160
        assert arms["both"]["labels"] == 60 + len(scored.verdicts())
        sums = {name: [point["money"] for point in arm["points"]] for name, arm in arms.items()}
        assert sums["people"] == sums["both"]
        for arm in arms.values():
            for point in arm["points"]:
                assert point["spent"] <= point["money"] + 1e-6
                assert point["low"] <= point["value"] <= point["high"]

    def test_evaluation_items_teach_nobody(self, scored):
        held = set(Item.objects.filter(part=Part.EVALUATION).values_list("number", flat=True))
        exam = scoring._Exam(
            vectors=range(240),
            numbers=[],
            truth=None,
            task=None,
            columns=scoring.columns_of(scored.project),
            multi_label=False,
            label_vectors=None,
            paired=False,
            check=lambda: None,
        )
        people = scoring._people(scored.project, exam, 1.0)
        teacher = scoring._teacher(scored.policy, exam, answers_only=True)
        assert people
        assert teacher
        assert not held & {one.number for one in [*people, *teacher]}

    def test_it_is_made_again_only_when_something_was_answered(self, scored):
        board(scored)
        again = scoring.run_scoreboard(running(scored.project, "scoreboard"))
        assert again == {"scored": False, "why": "Nothing has changed."}

    def test_too_few_audit_answers_are_said(self, scored):
        Item.objects.filter(part=Part.EVALUATION, number__gt=120).update(part="")
        kept = board(scored)
        assert kept["needed"] > 0
        assert kept["arms"] == []


class TestCosts:
    def test_a_right_label_costs_more_than_a_label(self, scored):
        found = costing.costs(scored.project)
        assert found.priced
        assert found.total.seconds == 120 * 6
        assert found.total.money == pytest.approx(7.2 + 1.6)
        assert found.label.money == pytest.approx(8.8 / found.label.count)
        assert found.right.count is None, "nothing of the teacher's was checked yet"

    def test_a_point_of_accuracy_is_told_between_two_measured_students(self, scored):
        for number, (accuracy, answers) in enumerate([(0.6, 40), (0.7, 100)], start=50):
            StudentVersion.objects.create(
                project=scored.project,
                number=number,
                kind="head",
                state="ready",
                accuracy=accuracy,
                answers=answers,
                estimate="audit",
            )
        found = costing.costs(scored.project)
        assert found.point.count == pytest.approx(10)
        assert found.point.seconds == pytest.approx(36)

    def test_without_a_price_of_an_hour_money_is_the_teachers(self, scored):
        policies.change_policy(scored.project, None, hour_price=0)
        found = costing.costs(scored.project)
        assert not found.priced
        assert found.total.money == pytest.approx(1.6)
        assert found.total.seconds == 720
