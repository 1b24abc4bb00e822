"""How a teacher is trusted: calibrated, tested, watched for drift, and tempted by planted items."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.instance import sweeping
from annotator.actions.teachers import budgets, identity, lending, teacher_runs, teachers
from annotator.actions.trust import calibrating, canarying, drifting, qualifying, testing
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError
from annotator.models import (
    Annotation,
    Calibration,
    Canary,
    Item,
    Job,
    Part,
    Policy,
    Purse,
    Qualification,
    Replay,
    Spending,
    TeacherAnswer,
    TeacherRun,
    Verdict,
    VerdictSource,
)
from tests.annotator.audited import running
from tests.annotator.teaching import teacher_on, work_off
from tests.annotator.trusting import Scripted, audit, audited_teacher
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_canaries(monkeypatch, request):
    """Only where they are the matter: the scripted teachers answer other texts by chance."""
    if request.cls is not TestCanaries:
        monkeypatch.setattr(canarying, "SHARE", 1e-9)


@pytest.fixture
def scripted(monkeypatch):
    return Scripted(monkeypatch)


def first_label(text, ids):
    """Says the same whatever it reads."""
    return ids[0]


def renamed(request, wire):
    """The good model under another name."""
    wire.send(plays.completion(plays.good_content(request), model="fake-2"))


def ask(project, teacher, count=400, pool="audited"):
    return work_off(teacher_runs.start_run(project, teacher, None, count, pool=pool))


def examined(project, teacher, most=40):
    run = work_off(qualifying.start(project, teacher, None, most))
    assert run.state == "done", run.error
    return run.qualification


class TestCalibration:
    def test_audited_answers_tell_how_likely_each_is_right(self, cast, good, scripted):
        parts = (Part.EVALUATION, Part.CALIBRATION)
        project, teacher = audited_teacher(good, cast, audited=80, items=90, parts=parts)
        ask(project, teacher)
        calibrating.run_calibrate(running(project, "calibrate"))
        kept = Calibration.objects.get()
        assert (kept.answers, kept.missing, kept.trust) == (40, 0, 1.0)
        assert kept.position > 0
        before, after = kept.checked["before"], kept.checked["after"]
        assert before["stated"] == pytest.approx(0.9), "the model is overconfident"
        assert after["error"] < before["error"]
        assert before["right"]["n"] == 40, "what fitted nothing"
        said = TeacherAnswer.objects.exclude(annotation=None)
        assert all(row.confidence == pytest.approx(0.9) for row in said)
        assert all(row.p_right == pytest.approx(0.8, abs=0.03) for row in said)

    def test_later_answers_carry_it_at_once(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=80, items=90)
        ask(project, teacher)
        calibrating.run_calibrate(running(project, "calibrate"))
        run = ask(project, teacher, 5, pool="open")
        assert all(row.p_right is not None for row in run.answers.all())
        told = calibrating.run_calibrate(running(project, "calibrate"))
        assert told["answers"] == 0, "nothing changed, so nothing is written"

    def test_what_a_test_heard_of_nothing_is_fitted_too(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=70, items=70)
        ask(project, teacher)
        calibrating.run_calibrate(running(project, "calibrate"))
        assert Calibration.objects.get().fitted["prior"] is None
        examined(project, teacher, 30)
        assert Job.objects.filter(kind="calibrate", state="queued").exists()
        calibrating.run_calibrate(running(project, "calibrate"))
        assert len(Calibration.objects.get().fitted["prior"]) == 3

    def test_too_few_audited_answers_calibrate_nothing(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=50, items=50)
        ask(project, teacher)
        calibrating.run_calibrate(running(project, "calibrate"))
        kept = Calibration.objects.get()
        assert (kept.fitted, kept.answers, kept.missing) == (None, 25, 5)
        assert not TeacherAnswer.objects.exclude(p_right=None).exists()

    def test_other_settings_are_not_read_by_it(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=80, items=90)
        ask(project, teacher)
        calibrating.run_calibrate(running(project, "calibrate"))
        teachers.change_teacher(teacher, cast.lea, params={"instructions": "Be careful."})
        run = ask(project, teacher, 3, pool="open")
        assert [row.p_right for row in run.answers.all()] == [None] * 3

    def test_what_people_answer_asks_for_it_once(self, cast, good):
        project, _ = teacher_on(good, cast, items=6)
        ana = assigning.voice_of(project, cast.ana)
        for item in project.items.all()[:2]:
            labels = [project.labels.first().pk]
            Annotation.objects.create(
                uuid=uuid4(), project=project, item=item, annotator=ana, labels=labels
            )
        settling.run_settle(running(project, "settle"))
        settling.run_settle(running(project, "settle"))
        assert Job.objects.filter(kind="calibrate", state="queued").count() == 1

    def test_silent_teachers_are_read_by_who_agrees_with_them(self, cast, good, scripted):
        scripted.confidence = 1.0
        project, teacher = audited_teacher(good, cast, audited=80, items=90)
        other = teachers.create_teacher(
            project,
            cast.lea,
            name="Other",
            plugin="openai",
            endpoint=teacher.endpoint,
            params={**teacher.params, "instructions": "Think twice."},
            cap_run=1000,
        )
        ask(project, teacher)
        ask(project, other)
        calibrating.run_calibrate(running(project, "calibrate"))
        kept = Calibration.objects.get(teacher=teacher)
        assert (kept.fitted["stated"], kept.fitted["agreed"] is None) == (None, False)
        assert TeacherAnswer.objects.filter(run__teacher=teacher, p_right=None).count() == 0


class KilledError(Exception):
    """The worker is gone."""


class Killer:
    """A switch that ends the worker after so many looks."""

    def __init__(self, after):
        self.left = after

    def is_off(self):
        return False

    def look(self):
        self.left -= 1
        if not self.left:
            raise KilledError


class TestQualifying:
    def test_a_good_teacher_may_label_and_the_report_says_why(self, cast, good):
        down = plays.error(503)  # what fails on the way says nothing of the model
        good.plays = [*[plays.good] * 5, down, *[plays.good] * 5, down, plays.good]
        project, teacher = audited_teacher(good, cast, audited=34, items=34)
        assert qualifying.state(teacher).state == "untried"
        plan = qualifying.plan(project, teacher, 34)
        assert (plan.gold, plan.missing) == (34, 0)
        assert 0 < plan.low < plan.high
        run = qualifying.start(project, teacher, cast.lea, 34)
        assert qualifying.state(teacher).state == "trying"
        run = work_off(run)
        assert (run.state, run.error) == ("done", "")
        assert run.answered == run.reads == 5 * 34 + 3 < plan.reads
        standing = qualifying.state(teacher)
        assert standing.may_label, standing.sentence
        found = standing.qualification
        assert found.items_per_prompt == 1
        assert found.report["arms"][1]["verdict"] == "unsure", "too few to tell"
        assert found.report["alone"]["count"] == 28
        assert found.report["arms"][0]["broken"] == 0
        assert (found.report["repeated"]["count"], found.report["abstained"]["count"]) == (0, 0)
        assert found.model_ids == [plays.MODEL]
        assert found.prior is not None
        assert set(found.said) == set(found.gold)
        assert not Annotation.objects.filter(annotator=teacher.voice).exists()
        assert not TeacherAnswer.objects.exists()
        assert Purse.objects.get(pk=project.pk).spent == run.spent > 0

    def test_enough_known_items_prove_larger_prompts_safe(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=80, items=80)
        assert examined(project, teacher, 80).items_per_prompt == 40

    def test_too_few_known_items_tell_nothing_and_cost_nothing(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=20, items=20)
        assert qualifying.plan(project, teacher).missing == 10
        with pytest.raises(ConflictError, match="cannot be told yet"):
            qualifying.start(project, teacher, None)
        assert good.requests == []

    def test_a_bad_teacher_is_refused(self, cast, good, scripted):
        scripted.says = first_label
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        assert not examined(project, teacher).qualified
        assert qualifying.state(teacher).state == "refused"

    def test_other_settings_or_labels_ask_for_another_test(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        examined(project, teacher)
        teachers.change_teacher(teacher, cast.lea, params={"price_in": 1.0})
        assert qualifying.state(teacher).may_label
        teachers.change_teacher(teacher, cast.lea, params={"batch_size": 20})
        assert qualifying.state(teacher).state == "crowded"
        teachers.change_teacher(teacher, cast.lea, params={"batch_size": 1, "model": "other"})
        assert qualifying.state(teacher).state == "changed"
        teachers.change_teacher(teacher, cast.lea, params={"model": "fake"})
        assert qualifying.state(teacher).may_label
        label = project.live_labels().first()
        label.description = "All about money."
        label.save()
        assert qualifying.state(teacher).state == "changed"

    def test_a_killed_worker_leaves_nothing_half_and_its_successor_pays_once(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        run = qualifying.start(project, teacher, None)
        job = jobs.claim(run.job_id)
        run.refresh_from_db()
        with pytest.raises(KilledError):
            qualifying.work(jobs.Run(job), run, lending.schema_of(project), Killer(after=80))
        assert not Qualification.objects.exists()
        assert 15 < len(good.requests) < 80
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
        jobs.execute(job.pk)
        run.refresh_from_db()
        assert run.state == "done", run.error
        assert Qualification.objects.count() == 1
        whole = 3 * 32 + 2 * 7 + 3
        assert whole <= len(good.requests) <= whole + teacher.concurrency
        assert not Spending.objects.filter(run=run, state="held").exists()

    def test_a_spent_budget_ends_it_with_the_cause_and_keeps_nothing(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        budgets.change_caps(project, cap_day=5)
        run = work_off(qualifying.start(project, teacher, None))
        assert run.state == "failed"
        assert "for today is spent" in run.error
        assert Purse.objects.get(pk=project.pk).day_spent <= 5
        assert (Qualification.objects.count(), run.held) == (0, 0)
        assert qualifying.state(teacher).state == "untried"

    def test_a_model_that_changes_meanwhile_is_not_judged(self, cast):
        with Loopback([*[plays.good] * 20, renamed]) as server:
            project, teacher = audited_teacher(server, cast, audited=32, items=32)
            run = work_off(qualifying.start(project, teacher, None))
        assert run.state == "failed"
        assert "fake-1, fake-2" in run.error
        assert len(server.requests) < 40, "nothing more is paid for"
        assert not Qualification.objects.exists()

    def test_it_is_cancelled(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        run = qualifying.start(project, teacher, None)
        teacher_runs.cancel(run)
        assert work_off(run).state == "cancelled"
        assert good.requests == []


class TestDrift:
    def test_the_same_answers_raise_no_alarm(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        examined(project, teacher)
        before = len(scripted.asked)
        run = work_off(drifting.start(teacher, None))
        assert (run.state, run.replay.alarms) == ("done", [])
        assert len(scripted.asked) - before == 32
        assert run.replay.found["changed"]["count"] == 0
        assert qualifying.state(teacher).may_label

    def test_a_worse_teacher_is_found_out_and_may_not_label(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        examined(project, teacher)
        scripted.says = first_label
        found = work_off(drifting.start(teacher, None)).replay
        assert found.found["lost"] > found.found["gained"]
        assert any("got worse" in alarm for alarm in found.alarms)
        assert qualifying.state(teacher).state == "drifted"

    def test_another_model_s_id_in_a_run_is_replayed_at_once(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=50)
        examined(project, teacher)
        assert sweeping.sweep()["replays"] == 0
        scripted.model = "fake-2"
        run = ask(project, teacher, 5, pool="open")
        assert (run.state, run.answered) == ("done", 5), "what was asked is not lost"
        assert qualifying.state(teacher).state == "moved"
        assert drifting.start_due() == 1
        assert drifting.start_due() == 0, "it is at work"
        replay = work_off(TeacherRun.objects.get(kind="replay")).replay
        assert "must qualify again" in replay.alarms[0]
        assert drifting.start_due() == 0

    def test_it_is_due_weekly_while_the_teacher_labels(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=50)
        examined(project, teacher)
        Qualification.objects.update(created_at=timezone.now() - timedelta(days=8))
        assert drifting.start_due() == 0, "it labelled nothing since"
        ask(project, teacher, 3, pool="open")
        assert drifting.start_due() == 1
        work_off(TeacherRun.objects.get(kind="replay"))
        assert drifting.start_due() == 0
        assert Replay.objects.count() == 1

    def test_without_money_it_says_so_and_is_tried_a_day_later(self, cast, good, monkeypatch):
        project, teacher = audited_teacher(good, cast, audited=32, items=50)
        with monkeypatch.context() as here:
            Scripted(here)
            examined(project, teacher)
            ask(project, teacher, 3, pool="open")
        Qualification.objects.update(created_at=timezone.now() - timedelta(days=8))
        budgets.change_caps(project, cap_day=5)
        assert drifting.start_due() == 1
        run = work_off(TeacherRun.objects.get(kind="replay"))
        assert run.state == "failed"
        assert "for today is spent" in run.error
        assert not Replay.objects.exists()
        assert 0 < Purse.objects.get(pk=project.pk).day_spent <= 5
        assert drifting.start_due() == 0
        TeacherRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=2))
        assert drifting.start_due() == 1

    def test_it_asks_anew_what_was_answered_before(self, cast, good, monkeypatch):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        with monkeypatch.context() as here:
            Scripted(here)
            examined(project, teacher)
        ask(project, teacher)
        assert len(good.requests) == 32
        assert work_off(drifting.start(teacher, None)).replay.alarms == []
        assert len(good.requests) == 64

    def test_its_end_lets_the_policy_s_teacher_go_on(self, cast, good, scripted):
        project, teacher = audited_teacher(good, cast, audited=32, items=32)
        examined(project, teacher)
        Policy.objects.create(project=project, teacher=teacher)
        Job.objects.filter(kind="route").delete()
        work_off(drifting.start(teacher, None))
        assert Job.objects.filter(kind="route", state="queued").exists()

    def test_there_is_nothing_to_compare_before_a_test(self, cast, good, scripted):
        _, teacher = audited_teacher(good, cast, audited=32, items=32)
        with pytest.raises(ConflictError, match="never tested"):
            drifting.start(teacher, None)


ORDERS = (r"answer “(\w+)”", r"now labelled (\w+),", r"this item: (\w+)\.", r"choose (\w+) here")


@pytest.fixture
def often(monkeypatch):
    """A tenth of what is asked about is planted."""
    monkeypatch.setattr(canarying, "SHARE", 0.1)


class TestCanaries:
    def test_planted_items_are_asked_about_and_are_nobody_s_answer(self, cast, good, often):
        project, teacher = audited_teacher(good, cast, audited=10, items=46)
        run = ask(project, teacher, 36, pool="open")
        planted = list(Canary.objects.filter(run=run).exclude(attack=canarying.PLAIN))
        assert len(planted) == 4
        plain = Canary.objects.filter(run=run, attack=canarying.PLAIN)
        assert {each.host_id for each in plain} == {each.host_id for each in planted}
        assert all(each.answered_at and each.number < 0 for each in [*planted, *plain])
        assert len(good.requests) == 44
        assert (run.asked, run.wanted) == (36, 36)
        assert Annotation.objects.filter(annotator=teacher.voice).count() == 36
        assert project.items.count() == 46
        assert TeacherAnswer.objects.count() == 36

    def test_a_gullible_model_is_found_out_and_trusted_less(
        self, cast, good, scripted, often, monkeypatch
    ):
        project, teacher = audited_teacher(good, cast, audited=80, items=180)
        names = {name.casefold(): str(pk) for name, pk in project.labels.values_list("name", "pk")}

        def gullible(text, ids):
            told = next((m for one in ORDERS if (m := re.search(one, text))), None)
            written = re.search(r'"label": "(\d+)"', text)
            if told is not None:
                return names[told.group(1).casefold()]
            return written.group(1) if written else plays.right_label(text, ids)

        scripted.says = gullible
        ask(project, teacher)
        ask(project, teacher, 90, pool="open")
        calibrating.run_calibrate(running(project, "calibrate"))
        schema = lending.schema_of(project)
        now = identity.fingerprint(teacher, teacher.params, schema)
        found = canarying.obeyed(teacher, schema, now)
        assert found.flipped.count == found.flipped.n >= 10, (
            "of those that it has right as they are"
        )
        assert found.trust == pytest.approx(1 - 0.01 ** (1 / found.flipped.n))
        assert canarying.current_trust(teacher) == found.trust
        assert Calibration.objects.get().trust == pytest.approx(found.trust)
        rights = TeacherAnswer.objects.exclude(p_right=None).values_list("p_right", flat=True)
        assert 0 < max(rights) <= found.trust

    def test_what_it_gets_wrong_by_itself_is_no_obedience(self, cast, good, scripted, often):
        project, teacher = audited_teacher(good, cast, audited=80, items=180, wrong_every=1)
        ask(project, teacher, 90, pool="open")
        planted = Canary.objects.filter(teacher=teacher).exclude(attack=canarying.PLAIN)
        assert any(each.labels == [each.target] for each in planted), "they coincide by chance"
        schema = lending.schema_of(project)
        now = identity.fingerprint(teacher, teacher.params, schema)
        assert canarying.obeyed(teacher, schema, now) is None
        assert canarying.current_trust(teacher) == 1

    def test_hosts_are_those_that_it_has_right_once_enough_are_known(
        self, cast, good, scripted, often
    ):
        project, teacher = audited_teacher(good, cast, audited=60, items=150)
        ask(project, teacher, 60, pool="audited")
        run = ask(project, teacher, 36, pool="open")
        planted = Canary.objects.filter(run=run)
        assert planted.count() == 4, "what it says of their plain texts is known"
        right = dict(TeacherAnswer.objects.values_list("item", "labels"))
        assert all(right[each.host_id] == each.truth for each in planted)

    def test_no_plain_text_is_asked_about_twice(self, cast, good, scripted, often):
        project, teacher = audited_teacher(good, cast, audited=10, items=82, wrong_every=2)
        ask(project, teacher, 36, pool="open")
        ask(project, teacher, 36, pool="open")
        plain = Canary.objects.filter(attack=canarying.PLAIN).values_list("host", flat=True)
        assert len(set(plain)) == len(plain) > 4
        second = TeacherRun.objects.latest("pk").canaries.exclude(attack=canarying.PLAIN)
        known = Canary.objects.exclude(run=second.first().run).filter(attack=canarying.PLAIN)
        wrong = [each.host_id for each in known if each.labels != each.truth]
        assert wrong
        assert not second.filter(host__in=wrong).exists()

    def test_they_are_planted_also_while_items_that_joined_hold_the_sample_back(
        self, cast, good, often
    ):
        project, teacher = audited_teacher(good, cast, audited=10, items=46)
        first = project.items.order_by("order_key").first()
        make_items(project, ["joined before all of them"])
        project.items.filter(text="joined before all of them").update(order_key=first.order_key / 2)
        assert testing.gold(teacher, lending.schema_of(project), 500) == []
        run = ask(project, teacher, 36, pool="open")
        assert run.facts["planted"]["count"] == 4

    def test_items_that_selection_chose_host_them_and_a_teacher_s_verdict_does_not(
        self, cast, good, often
    ):
        project, _ = audited_teacher(good, cast, audited=10, items=46)
        Item.objects.update(part="")
        schema = lending.schema_of(project)
        assert len(testing.decided(project, schema, 500)) == 10
        assert len(testing.decided(project, schema, 3)) == 3
        Verdict.objects.update(source=VerdictSource.TEACHER)
        assert testing.decided(project, schema, 500) == []

    def test_a_run_says_how_many_were_planted_or_why_none(self, cast, good, often, client):
        project, teacher = teacher_on(good, cast, items=86, project=make_project(cast))
        client.force_login(cast.lea)

        def told(run):
            page = client.get(reverse("teacher_run", args=[project.pk, run.pk]))
            return page.content.decode()

        run = ask(project, teacher, 36, pool="open")
        assert "No planted instruction was asked about: people have not decided" in told(run)
        audit(project, cast, 10)
        run = ask(project, teacher, 36, pool="open")
        assert "4 planted instructions were asked about beside its items." in told(run)

    def test_a_planted_item_shares_no_prompt_with_a_real_one(self, cast, good, often):
        project, teacher = audited_teacher(
            good, cast, audited=10, items=46, params={"batch_size": 4}
        )
        run = ask(project, teacher, 36, pool="open")
        assert Canary.objects.filter(run=run).exclude(answered_at=None).count() == 8
        asked = [list(plays.items_of(request).values()) for request in good.requests]
        real = set(project.items.values_list("text", flat=True))
        planted = [texts for texts in asked if not set(texts) <= real]
        assert [len(texts) for texts in planted] == [1, 1, 1, 1]

    def test_the_draw_is_the_run_s_and_a_short_run_seldom_has_one(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=10, items=30)
        job, schema, counts = running(project, "teach"), lending.schema_of(project), []
        for _ in range(12):
            run = made_run(project, teacher, 20)
            canarying.plant(job, run, schema)
            canarying.plant(job, run, schema)
            counts.append(Canary.objects.filter(run=run).exclude(attack=canarying.PLAIN).count())
        assert sum(counts) <= 9
        assert set(counts) <= {0, 1}

    def test_a_run_taken_up_again_asks_what_is_owed(self, cast, good):
        project, teacher = audited_teacher(good, cast, audited=10, items=210)
        run, schema = made_run(project, teacher, 200), lending.schema_of(project)
        canarying.plant(running(project, "teach"), run, schema)
        gone = Canary.objects.filter(run=run).order_by("-number").first()
        left = [number for number in run.numbers if number != gone.beside]
        owed = canarying.owed(run, schema, left)
        assert len(owed.beside(left)) == 8
        assert gone.number in [item.number for item in owed.beside(left[:1])]


def made_run(project, teacher, count):
    return TeacherRun.objects.create(
        project=project,
        teacher=teacher,
        numbers=list(range(count)),
        params=teacher.params,
        state="done",
    )
