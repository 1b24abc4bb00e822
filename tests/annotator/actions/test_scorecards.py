"""Scorecards: only the random sample counts, and nobody is held against their own vote."""

import pytest

from annotator.actions.desk import assigning
from annotator.actions.figures import scorecards
from annotator.actions.figures.scorecards import Confusion, confusions
from annotator.actions.queue import auditing
from annotator.actions.teachers import teacher_runs, teachers
from annotator.models import Item, Part
from tests.annotator.audited import answer_all
from tests.annotator.teaching import work_off
from tests.annotator.trusting import audited_teacher, truth_of
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def ask(project, teacher, count=400, pool="audited"):
    return work_off(teacher_runs.start_run(project, teacher, None, count, pool=pool))


class TestTeachers:
    def test_a_teacher_is_held_against_people_on_the_random_sample_alone(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=40, items=60)
        rest = list(Item.objects.filter(project=project, part="").order_by("number"))
        ana = assigning.voice_of(project, cast.ana)
        wrong = truth_of(project, rest, wrong_every=1)
        answer_all(project, ana, rest, wrong, stream="active")
        ask(project, teacher, pool="answered")
        score = scorecards.score(project, teacher.voice)
        assert (score.shared, score.right) == (40, 32)
        assert score.accuracy.value == pytest.approx(0.8)
        assert score.accuracy.low < 0.8 < score.accuracy.high
        assert sum(each.count for each in score.confusions) == 8
        assert {each.label for each in score.labels} == {x.pk for x in project.live_labels()}

    def test_too_few_items_give_no_figure_but_how_many_are_missing(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=20, items=20)
        ask(project, teacher)
        score = scorecards.score(project, teacher.voice)
        assert (score.accuracy, score.missing, score.right) == (None, 10, 16)
        assert (score.labels, score.confusions) == ([], [])

    def test_answers_under_other_settings_count_apart_and_are_asked_for_anew(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=30, items=30)
        ask(project, teacher)
        assert teacher_runs.drawn(project, teacher, 400, "audited") == []
        teachers.change_teacher(teacher, cast.lea, params={"price_in": 2000.0})
        assert scorecards.score(project, teacher.voice).shared == 30, "a price changes no answer"
        teachers.change_teacher(teacher, cast.lea, params={"instructions": "Be careful."})
        score = scorecards.score(project, teacher.voice)
        assert (score.shared, score.stale) == (0, 30)
        ask(project, teacher)
        score = scorecards.score(project, teacher.voice)
        assert (score.shared, score.stale) == (30, 0)
        teachers.change_teacher(teacher, cast.lea, params={"instructions": ""})
        score = scorecards.score(project, teacher.voice)
        assert (score.shared, score.stale) == (0, 30)
        ask(project, teacher)
        score = scorecards.score(project, teacher.voice)
        assert (score.shared, score.stale) == (30, 0), "settings that came back"
        assert teacher_runs.drawn(project, teacher, 400, "audited") == []

    def test_items_that_taught_a_teacher_do_not_judge_it(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=64, items=64)
        ask(project, teacher)
        drawn, now = scorecards.Drawn(project), scorecards.taught(project)[teacher.voice_id]
        assert drawn.of(teacher.voice, now).shared == 64
        for plugin, shared in (("committee", 32), ("student", 64)):
            fair = auditing.fair_parts(plugin)
            assert drawn.of(teacher.voice, now._replace(fair=fair)).shared == shared
        Item.objects.filter(project=project, part=Part.CALIBRATION).update(part=Part.SEED)
        score = scorecards.Drawn(project).of(teacher.voice, now._replace(fair=fair))
        assert score.shared == 32, "students learn from the seed"


class TestPeople:
    def test_a_person_is_held_against_others_and_never_against_themselves(self, cast):
        project = make_project(cast, audit_share=0)
        items = make_items(project, 36)
        ids = [label.pk for label in project.live_labels()]
        ana, ben = (assigning.voice_of(project, who) for who in (cast.ana, cast.ben))
        answer_all(project, ana, items, [ids[0]] * 36)
        Item.objects.filter(project=project).update(part=Part.SEED)
        alone = scorecards.score(project, ana)
        assert (alone.shared, alone.missing) == (0, 30)
        # Ben reviews, so that the items stay decided where the two differ
        answer_all(project, ben, items, [ids[0]] * 30 + [ids[1]] * 6, stream="review")
        score = scorecards.score(project, ana)
        assert (score.shared, score.right) == (36, 30)
        assert score.confusions == [Confusion(truth=ids[1], said=ids[0], count=6, of=6)]
        assert scorecards.score(project, ben).right == 30

    def test_where_the_others_differ_nothing_is_compared(self):
        people = scorecards.People()
        for voice, label in ((1, 10), (2, 10), (3, 11)):
            people.add(scorecards.Word(5, voice, "person", frozenset({label}), "audit", ""))
        assert people.without(3).labels == {10}
        assert people.without(1) is None
        assert people.without(9).labels == {10}


def test_confusions_of_several_labels_are_misses_and_additions():
    pairs = [(frozenset({1, 2}), frozenset({1, 3})), (frozenset({2}), frozenset())]
    assert confusions(pairs, multi_label=True) == [
        Confusion(truth=2, said=None, count=2, of=2),
        Confusion(truth=None, said=3, count=1, of=0),
    ]
