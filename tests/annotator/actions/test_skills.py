"""What double answers teach about voices, and what follows for verdicts and exports."""

import importlib
from typing import Any

import numpy as np
import pytest
from django.apps import apps

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.exports import exporting
from annotator.actions.projects import projects
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons
from annotator.actions.verdicts import hearing, settling, skills, verdicts, weighing
from annotator.actions.verdicts.votes import Derived
from annotator.models import (
    ConsensusFit,
    Item,
    Job,
    Project,
    Skill,
    Stream,
    Verdict,
    VerdictSource,
    VerdictState,
)
from learning.students import folds
from learning.students.folds import out_of_fold
from tests.annotator.actions.test_loop import make_pool, work
from tests.annotator.crowds import SKILLS, crowd, file_and_person, learn, say, voices_of
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    return make_project(cast, training_paused=True)


class TestLearning:
    def test_a_careful_voice_comes_to_outweigh_two_careless_ones(self, project):
        make_items(project, 60)
        voices = voices_of(project, "good", "sound", "fair", "poor")
        truth = crowd(project, voices, 60)
        settling.settle_now(project)
        before = _right(project, truth)
        skills.wish(project)
        work()
        assert _right(project, truth) > before
        told = [Skill.objects.get(annotator=voice) for voice in voices]
        for skill, real in zip(told, SKILLS, strict=True):
            assert skill.low is not None
            assert skill.high is not None
            assert skill.low < skill.accuracy < skill.high
            assert abs(skill.accuracy - real) < 0.2
            assert skill.votes == 60
        assert told[0].low > told[3].high
        assert ConsensusFit.objects.get().items == 60
        lesson = lessons.read(project, 60, columns_of(project))
        assert (lesson.targets.max(axis=1) < 1).any(), (
            "where voices differ their shares are learned"
        )
        assert lesson.weights is None

    def test_few_double_answers_teach_nothing_and_the_majority_decides(self, project):
        make_items(project, 12)
        voices = voices_of(project, "good", "sound", "fair", "poor")
        crowd(project, voices, 12)
        learn(project)
        fit = ConsensusFit.objects.get()
        assert fit.method == ""
        assert not Skill.objects.exists()
        assert weighing.learnt(project, []).method == "weighted-majority"
        assert set(Verdict.objects.get(item__number=0).soft.values()) <= {1, 0.25, 0.5, 0.75}

    def test_one_new_answer_is_weighed_with_what_is_stored(self, project, monkeypatch):
        make_items(project, 62)
        good, sound, fair, poor = voices_of(project, "good", "sound", "fair", "poor")
        crowd(project, [good, sound, fair, poor], 60)
        learn(project)
        monkeypatch.setattr(skills, "fit", None)  # nothing may be learnt anew
        billing, delivery = project.labels.order_by("column").values_list("pk", flat=True)[:2]
        others = set(Verdict.objects.values_list("pk", "decided_at"))
        say(project, [(60, good, billing), (60, poor, delivery), (61, poor, delivery)])
        settling.settle_now(project)
        verdict = Verdict.objects.get(item__number=60)
        assert verdict.labels == [billing]
        assert verdict.state == VerdictState.DECIDED, "the majority would have tied"
        lone = Verdict.objects.get(item__number=61)
        assert (lone.labels, lone.state) == ([delivery], VerdictState.DECIDED)
        assert lone.soft[str(delivery)] < 0.7 < verdict.soft[str(billing)] < 1
        assert others < set(Verdict.objects.values_list("pk", "decided_at"))

    def test_a_file_that_was_mostly_right_is_believed_alone_and_gives_way_to_a_person(
        self, project
    ):
        make_items(project, 120)
        file, person = file_and_person(project)
        billing, delivery = project.labels.order_by("column").values_list("pk", flat=True)[:2]
        said = [(n, file, billing if n % 2 else delivery) for n in range(120)]
        agreed = [(n, person, billing if n % 2 else delivery) for n in range(39)]
        say(project, [*said, *agreed, (39, person, delivery)])
        learn(project)
        assert Skill.objects.get(annotator=file).accuracy > 0.95
        alone = Verdict.objects.filter(item__number__gte=40)
        assert min(max(verdict.soft.values()) for verdict in alone) > 0.85
        lesson = lessons.read(project, 120, columns_of(project))
        assert (lesson.targets[40:].max(axis=1) == 1).all(), "what it decided is learned whole"
        weights = {verdict.item.number: max(verdict.soft.values()) for verdict in alone}
        assert lesson.weights[40:].tolist() == pytest.approx([weights[n] for n in range(40, 120)])
        assert (lesson.weights[:40] == 1).all()
        differing = Verdict.objects.get(item__number=39)
        assert (differing.labels, differing.state) == ([delivery], VerdictState.DECIDED)

    def test_the_confidence_of_a_verdict_is_its_posterior(self, project):
        derived = Derived(
            *(1, [5], {5: 0.8, 6: 0.2}, None),
            *(VerdictState.DECIDED, VerdictSource.CONSENSUS, 2, 9),
        )
        assert derived.confidence(multi_label=False) == 0.8
        assert derived._replace(soft={5: 0.9, 6: 0.3}).confidence(multi_label=True) == 0.7
        assert derived._replace(soft={}).confidence(multi_label=True) == 1

    def test_reviewers_teach_about_voices_that_nobody_doubled(self, project, cast):
        make_items(project, 40)
        [poor] = voices_of(project, "poor")
        billing, delivery = project.labels.order_by("column").values_list("pk", flat=True)[:2]
        ben = project.annotators.create(user=cast.ben, name="ben")
        say(project, [(number, poor, billing) for number in range(40)])
        say(project, [(number, ben, delivery) for number in range(20)], stream=Stream.REVIEW)
        say(project, [(number, ben, billing) for number in range(20, 25)], stream=Stream.REVIEW)
        learn(project)
        assert Skill.objects.get(annotator=poor).accuracy == pytest.approx(0.2)
        assert not Skill.objects.filter(annotator=ben).exists(), "nobody judges the last word"

    def test_settling_asks_for_it_only_where_something_can_be_compared(self, project):
        make_items(project, 4)
        one, other = voices_of(project, "one", "other")
        label = project.labels.first().pk
        say(project, [(0, one, label)])
        settling.wish(project)
        work()
        assert not Job.objects.filter(kind="skills").exists()
        say(project, [(0, other, label)])
        settling.find_unsettled()
        work()
        assert Job.objects.filter(kind="skills").count() == 1

    def test_it_is_done_anew_only_after_enough_new_items(self, project, monkeypatch):
        make_items(project, 64)
        voices = voices_of(project, "good", "sound", "fair", "poor")
        crowd(project, voices, 60)
        learn(project)
        label = project.labels.first().pk
        say(project, [(60, voice, label) for voice in voices])
        learn(project)
        assert ConsensusFit.objects.get().items == 60
        assert Job.objects.filter(kind="skills").last().result["learnt"] is False
        say(project, [(61 + at, voice, label) for at in range(3) for voice in voices])
        monkeypatch.setattr(skills, "MORE", 3)
        learn(project)
        assert ConsensusFit.objects.get().items == 64

    def test_another_method_is_learnt_at_once_and_majorities_forget(self, project):
        make_items(project, 60)
        crowd(project, voices_of(project, "good", "sound", "fair", "poor"), 60)
        learn(project)
        projects.change_project(project, consensus="glad")
        work()
        assert ConsensusFit.objects.get().method == "glad"
        projects.change_project(project, consensus="majority")
        work()
        assert ConsensusFit.objects.get().method == ""
        assert not Skill.objects.exists()
        assert set(Verdict.objects.get(item__number=0).soft.values()) <= {1, 0.25, 0.5, 0.75}

    def test_a_worker_that_dies_leaves_the_former_skills_whole(self, project, monkeypatch):
        make_items(project, 60)
        voices = voices_of(project, "good", "sound", "fair", "poor")
        crowd(project, voices, 60)
        learn(project)
        before = list(Skill.objects.order_by("pk").values())
        monkeypatch.setattr(skills, "MORE", 0)
        monkeypatch.setattr(skills, "MORE_SHARE", 0)
        monkeypatch.setattr(skills, "_skill", _die)
        skills.wish(project)
        job = Job.objects.filter(kind="skills").latest("pk")
        Job.objects.filter(pk=job.pk).update(due_at="2020-01-01T00:00Z")
        with pytest.raises(KeyboardInterrupt):
            jobs.execute(job.pk)
        assert list(Skill.objects.order_by("pk").values()) == before

    def test_settling_costs_two_more_statements_with_skills_than_without(
        self, project, django_assert_num_queries
    ):
        make_items(project, 60)
        crowd(project, voices_of(project, "good", "sound", "fair", "poor"), 60)
        learn(project)
        items = list(project.items.values_list("pk", flat=True))[:10]

        def count() -> int:
            from django.db import connection
            from django.test.utils import CaptureQueriesContext

            with CaptureQueriesContext(connection) as seen:
                verdicts.decide(project, items)
            return len(seen)

        with_skills = count()
        project.consensus = "weighted-majority"
        assert with_skills == count() + 2


class TestExports:
    def test_a_snapshot_decides_for_ever_with_the_skills_of_its_day(self, project, cast):
        make_items(project, 60)
        voices = voices_of(project, "good", "sound", "fair", "poor")
        crowd(project, voices, 60)
        learn(project)
        snapshot = exporting.create_snapshot(project, exporting.Options())
        work()
        snapshot.refresh_from_db()
        frozen = snapshot.manifest["frozen"]
        assert set(frozen["skills"]["voices"]) == {str(voice.pk) for voice in voices}
        assert frozen["agreement"]["alpha"]["items"] == 60
        Skill.objects.update(record={"right": [1.0], "votes": [50.0], "doubt": [0.0], "counts": []})
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        Skill.objects.all().delete()
        ConsensusFit.objects.all().delete()
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256


class TestSkillsOfTheOldRule:
    """Once each weight counted as it was given; `relative_weights` is absent from what was stored then."""

    @pytest.fixture
    def doubted(self, project, monkeypatch):
        """A project as it was left: a file of half a weight, mostly alone, doubted by its weight too."""
        make_items(project, 60)
        file, person = file_and_person(project)
        billing, delivery = project.labels.order_by("column").values_list("pk", flat=True)[:2]
        said = [(n, file, billing if n % 2 else delivery) for n in range(60)]
        say(project, [*said, *((n, person, billing if n % 2 else delivery) for n in range(30))])
        learn(project)
        self.forget_the_rule()
        verdicts.decide(project, project.items.values_list("pk", flat=True))
        return project

    def forget_the_rule(self) -> None:
        fit = ConsensusFit.objects.get()
        del fit.model["relative_weights"]
        fit.save()

    def least_share(self, project: Project) -> float:
        alone = Verdict.objects.filter(project=project, item__number__gte=30)
        return min(max(verdict.soft.values()) for verdict in alone)

    def migrate(self) -> None:
        importlib.import_module("annotator.migrations.0025_weights_beside").follow(apps, None)

    def test_a_snapshot_of_then_gives_the_same_bytes_for_ever(self, doubted):
        snapshot = exporting.create_snapshot(doubted, exporting.Options())
        work()
        snapshot.refresh_from_db()
        frozen = snapshot.manifest["frozen"]["skills"]["model"]
        assert "relative_weights" not in frozen
        before = self.least_share(doubted)
        learn(doubted)
        assert self.least_share(doubted) > before + 0.05
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        frozen["relative_weights"] = True
        assert exporting.rebuilt_sha256(snapshot) != snapshot.sha256

    def test_they_are_learnt_anew_and_verdicts_follow_though_nothing_was_said_since(self, doubted):
        before = self.least_share(doubted)
        self.migrate()
        work()
        assert ConsensusFit.objects.get().model["relative_weights"] is True
        assert self.least_share(doubted) > before + 0.05
        learn(doubted)
        assert Job.objects.filter(kind="skills").last().result["learnt"] is False, "once is enough"

    def test_a_wish_that_waits_already_is_enough(self, doubted):
        skills.wish(doubted)
        self.migrate()
        assert Job.objects.filter(kind="skills", state="queued").count() == 1

    def test_they_stand_where_every_vote_weighs_alike(self, project):
        make_items(project, 60)
        crowd(project, voices_of(project, "good", "sound", "fair", "poor"), 60)
        learn(project)
        self.forget_the_rule()
        asked = Job.objects.count()
        self.migrate()
        assert ConsensusFit.objects.get().model["relative_weights"] is True
        assert Job.objects.count() == asked


class TestStudentAware:
    @pytest.fixture
    def heard(self, cast, monkeypatch):
        """Two voices on sixty items of three topics, with a student beside them.

        Its folds are drawn alike in every run: by the project's number, some draws decide no tie.
        """

        def alike(student, data, rng, *rest):
            return out_of_fold(student, data, np.random.default_rng(0), *rest)

        monkeypatch.setattr(folds, "out_of_fold", alike)
        project, truth, _ = make_pool(cast)
        projects.change_project(project, consensus="student-aware", training_paused=True)
        encoding.wish_encoding(project)
        work()
        voices = voices_of(project, "one", "other")
        labels = {label.name: label.pk for label in project.labels.all()}
        numbers = dict(project.items.values_list("pk", "number"))
        rng = np.random.default_rng(3)
        said = []
        for voice in voices:
            for item, name in truth.items():
                chosen = name if rng.random() < 0.75 else rng.choice(sorted(labels))
                said.append((numbers[item], voice, labels[chosen]))
        say(project, said)
        learn(project)
        return project, voices, {numbers[pk]: labels[name] for pk, name in truth.items()}

    def test_a_student_helps_where_two_disagree_but_has_no_say_on_audit_items(self, heard):
        project, _, truth = heard
        fit = ConsensusFit.objects.get()
        assert (fit.method, fit.items) == ("student-aware", 60)
        assert fit.model["sharpness"] > 0.3
        words = hearing.read(project, fit.model["words"])
        assert len(words.numbers) >= 40
        drawn = Item.objects.filter(part__in=["evaluation", "calibration"])
        assert not set(drawn.values_list("number", flat=True)) & set(words.numbers.tolist())
        decided = dict(
            Verdict.objects.filter(state="decided").values_list("item__number", "labels")
        )
        projects.change_project(project, consensus="majority")
        work()
        before = Verdict.objects.filter(state="decided").count()
        assert len(decided) > before, "ties of two are decided"
        assert np.mean([labels == [truth[n]] for n, labels in decided.items()]) > 0.85

    def test_a_snapshot_keeps_the_words_of_its_day_and_others_are_forgotten(self, heard):
        project, _, _ = heard
        first = ConsensusFit.objects.get().model["words"]
        snapshot = exporting.create_snapshot(project, exporting.Options())
        work()
        snapshot.refresh_from_db()
        names = [first]
        for _ in range(2):
            skills.start(project)
            work()
            names.append(ConsensusFit.objects.get().model["words"])
        folder = encoding.students_folder(project.pk)
        there = {path.name for path in folder.glob("words-*")}
        assert there == {names[0], names[2]}, "the snapshot's and the present ones"
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256

    def test_a_label_that_came_since_silences_the_student(self, heard):
        project, _, _ = heard
        words = hearing.read(project, ConsensusFit.objects.get().model["words"])
        items = list(project.items.values_list("pk", flat=True)[:3])
        assert np.isnan(words.about(items, 4)).all()
        assert words.about([], 3).shape == (0, 3)


def _right(project: Project, truth: list[int]) -> int:
    decided = Verdict.objects.filter(project=project, state=VerdictState.DECIDED)
    rows = decided.values_list("item__number", "labels")
    return sum(labels == [truth[number]] for number, labels in rows)


def _die(*_: Any) -> None:
    raise KeyboardInterrupt
