"""Teachers at work: over real HTTP to a scripted endpoint, under caps, beside people."""

import threading
from collections import Counter
from decimal import Decimal

import pytest
from django.db import connection

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.instance import doctor
from annotator.actions.projects import projects, purging
from annotator.actions.teachers import (
    annotating,
    budgets,
    endpoints,
    teacher_runs,
    teachers,
)
from annotator.actions.verdicts import sealing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    Endpoint,
    EndpointKey,
    Job,
    Pick,
    Purse,
    Spending,
    TeacherAnswer,
    TeacherCache,
    TeacherRun,
    Verdict,
)
from learning.errors import BudgetSpentError
from tests.annotator.teaching import KEY, teacher_on, work_off
from tests.factories import make_items, make_project, make_user
from tests.llm import plays
from tests.llm.loopback import Loopback, echo, silent, slow
from tests.runtime.running import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def honest(request, wire):
    """A good model that counts four bytes a token."""
    content = plays.good_content(request)
    said = plays.system_of(request) + plays.user_of(request)
    usage = {"prompt_tokens": len(said) // 4, "completion_tokens": len(content) // 4}
    wire.send(plays.completion(content, usage=usage))


def run_of(project, teacher, count=100, **options):
    return work_off(teacher_runs.start_run(project, teacher, None, count, **options))


class TestSettingUp:
    def test_parameters_are_checked_by_name_and_type(self, cast, good):
        _, teacher = teacher_on(good, cast)
        for wrong in ({"nonsense": 1}, {"temperature": "hot"}, {"batch_size": 0}):
            with pytest.raises(InvalidError):
                teachers.change_teacher(teacher, None, params=wrong)
        teacher = teachers.change_teacher(teacher, None, params={"batch_size": 2}, name="Renamed")
        teacher.refresh_from_db()
        assert (teacher.params["batch_size"], teacher.params["model"]) == (2, "fake")
        assert teacher.voice.name == "Renamed"

    def test_only_near_endpoints_may_cost_nothing(self, cast, good):
        _, near = teacher_on(good, cast)
        teachers.change_teacher(near, cast.lea, params={"price_in": 0.0, "price_out": 0.0})
        far = endpoints.register(make_user("eve", is_superuser=True), "Far", "https://llm.example")
        with pytest.raises(InvalidError, match="price"):
            teachers.change_teacher(near, cast.lea, endpoint=far)

    def test_a_change_keeps_what_somebody_else_changed_meanwhile(self, cast, good):
        _, teacher = teacher_on(good, cast)
        stale = type(teacher).objects.get(pk=teacher.pk)
        teachers.change_teacher(teacher, cast.lea, enabled=False)
        teachers.change_teacher(stale, cast.lea, concurrency=2)
        stale.refresh_from_db()
        assert (stale.enabled, stale.concurrency) == (False, 2)

    def test_what_is_missing_is_said(self, cast):
        project = make_project(cast)
        with pytest.raises(InvalidError, match="endpoint"):
            teachers.create_teacher(project, None, name="A", plugin="openai", params={"model": "m"})
        with pytest.raises(InvalidError, match="uploading"):
            teachers.create_teacher(project, None, name="A", plugin="recorded")
        assert not project.teachers.exists()
        teachers.create_teacher(project, None, name="A", plugin="zero-shot")
        with pytest.raises(ConflictError):
            teachers.create_teacher(project, None, name="A", plugin="zero-shot")


class TestRuns:
    def test_answers_enter_the_ledger_with_their_price_and_decide_nothing(self, cast, good):
        project, teacher = teacher_on(good, cast)
        run = run_of(project, teacher)
        assert (run.state, run.answered, run.abstained, run.error) == ("done", 12, 0, "")
        said = Annotation.objects.filter(annotator=teacher.voice)
        assert said.count() == 12
        assert {len(each.labels) for each in said} == {1}
        rows = TeacherAnswer.objects.filter(run=run)
        assert all(row.annotation_id and row.model == plays.MODEL for row in rows)
        assert (run.tokens_in, run.tokens_out) == (1200, 120)
        assert run.spent == sum(row.money for row in rows) == Decimal("1.68")
        assert run.held == 0
        purse = Purse.objects.get(pk=project.pk)
        assert (purse.spent, purse.held, purse.day_spent) == (run.spent, 0, run.spent)
        settling.settle_now(project)
        assert not Verdict.objects.filter(project=project).exists()
        assert project.items.filter(open=True, answers=0).count() == 12
        assert all(finding.ok for finding in doctor.examine(project)), list(doctor.examine(project))
        assert KEY in good.requests[0]["headers"]["authorization"]

    def test_people_outweigh_teachers(self, cast, good):
        project, teacher = teacher_on(good, cast)
        run_of(project, teacher)
        ana = assigning.voice_of(project, cast.ana)
        lease = assigning.lease(project, ana, 1)[0]
        theirs = Annotation.objects.get(item=lease.item_id, annotator=teacher.voice).labels[0]
        mine = project.labels.exclude(pk=theirs).first().pk
        labeling.submit(
            project,
            ana,
            uuid="0d9b1c9e-1f0b-4f39-8a62-7a8b9a0a7a01",
            assignment_id=lease.pk,
            labels=[mine],
        )
        settling.settle_now(project)
        verdict = Verdict.objects.get(item=lease.item_id)
        assert (verdict.labels, verdict.voices, verdict.state) == ([mine], 1, "decided")

    def test_a_second_run_asks_about_nothing_twice(self, cast, good):
        project, teacher = teacher_on(good, cast)
        run_of(project, teacher, 5)
        assert run_of(project, teacher, 100).answered == 7
        assert len(good.requests) == 12
        with pytest.raises(ConflictError):
            teacher_runs.start_run(project, teacher, None, 1)

    def test_a_trial_writes_no_word_and_its_answers_are_kept(self, cast, good):
        project, teacher = teacher_on(good, cast)
        trial = work_off(teacher_runs.try_on(project, teacher, cast.lea, 5))
        assert (trial.state, trial.answered) == ("done", 5)
        assert not Annotation.objects.exists()
        assert trial.spent > 0
        run = run_of(project, teacher)
        assert run.answered == 12
        assert len(good.requests) == 12, "five came from the cache"
        assert TeacherCache.objects.count() == 12

    def test_audit_items_are_not_asked_about_but_people_s_are_compared(self, cast, good):
        project, teacher = teacher_on(good, cast, items=0)
        projects.change_project(project, audit_share=0.5, audit_size=6)
        make_items(project, 12)
        from annotator.actions.queue import auditing

        auditing.recut(project)
        run = run_of(project, teacher)
        assert run.answered == 6
        held = project.items.filter(order_key__lte=project.audit_cutoff)
        assert not Annotation.objects.filter(item__in=held).exists()
        with pytest.raises(ConflictError):
            teacher_runs.start_run(project, teacher, None, 5, pool="answered")
        ana = assigning.voice_of(project, cast.ana)
        lease = assigning.lease(project, ana, 1)[0]
        assert lease.stream == "audit"
        labeling.submit(
            project,
            ana,
            uuid="0d9b1c9e-1f0b-4f39-8a62-7a8b9a0a7a02",
            assignment_id=lease.pk,
            labels=[project.labels.first().pk],
        )
        settling.settle_now(project)
        assert run_of(project, teacher, pool="answered").answered == 1

    def test_the_queue_s_items_come_first(self, cast, good):
        project, teacher = teacher_on(good, cast)
        items = list(project.items.order_by("number"))
        for rank, item in enumerate((items[7], items[2])):
            for slot in range(2):
                Pick.objects.create(project=project, item=item, slot=slot, rank=2 * rank + slot)
        assert teacher_runs.drawn(project, teacher, 1) == [7]
        found = teacher_runs.drawn(project, teacher, 12)
        assert found[:2] == [7, 2]
        assert sorted(found) == list(range(12))
        rest = sorted(items, key=lambda item: -item.order_key)
        assert found[2:] == [item.number for item in rest if item.number not in {7, 2}]

    def test_hostile_texts_bring_only_labels_of_the_schema(self, cast):
        with Loopback(plays.obedient) as server:
            texts = [text.replace("\0", "") for text in plays.hostile_texts(21)]
            project, teacher = teacher_on(server, cast, items=0, texts=texts)
            run = run_of(project, teacher)
        assert run.asked == 21
        ours = set(project.labels.values_list("pk", flat=True))
        said = Annotation.objects.filter(annotator=teacher.voice)
        assert {label for each in said for label in each.labels} <= ours
        assert run.abstained > 0
        assert run.held == 0

    @pytest.mark.parametrize("items", [3, 60])
    def test_a_broken_endpoint_ends_the_run_with_its_cause(self, cast, items):
        """Also where there are too few items for it to be given up."""
        with Loopback(plays.error(401)) as server:
            project, teacher = teacher_on(server, cast, items=items)
            run = run_of(project, teacher)
        assert (run.state, run.answered) == ("failed", 0)
        assert "refuses the key" in run.error
        assert len(server.requests) < 10
        assert project.items.filter(open=True).count() == items

    def test_an_answer_that_repeats_the_key_is_dropped(self, cast, caplog):
        with Loopback(echo) as server:
            project, teacher = teacher_on(server, cast, items=3)
            run = run_of(project, teacher)
        assert run.answered == 0
        kept = [run.error, *TeacherAnswer.objects.values_list("abstained", flat=True)]
        assert not any(KEY in text for text in [*kept, caplog.text])


class TestStopping:
    def finish_beside(self, run, act):
        worker = threading.Thread(target=self.work, args=(run,))
        worker.start()
        assert wait_until(lambda: self.server.requests)
        act()
        worker.join(40)  # its server is silent for longer
        assert not worker.is_alive()
        run.refresh_from_db()

    def work(self, run):
        try:
            jobs.execute(run.job_id)
        finally:
            connection.close()

    @pytest.mark.parametrize("how", ["cancel", "teacher", "endpoint"])
    def test_a_run_ends_while_its_endpoint_is_silent(self, cast, how):
        with Loopback(silent) as self.server:
            project, teacher = teacher_on(self.server, cast, items=30)
            run = teacher_runs.start_run(project, teacher, None, 30)
            act = {
                "cancel": lambda: teacher_runs.cancel(run),
                "teacher": lambda: teachers.change_teacher(teacher, None, enabled=False),
                "endpoint": lambda: endpoints.change(
                    teacher.endpoint, teacher.endpoint.created_by, enabled=False
                ),
            }[how]
            self.finish_beside(run, act)
        assert run.state == "cancelled"
        assert run.held == 0, "what was under way is settled at its worst"
        assert run.spent > 0
        assert not Spending.objects.filter(state="held").exists()

    def test_a_killed_worker_s_successor_asks_only_what_is_missing(self, cast, good, monkeypatch):
        project, teacher = teacher_on(good, cast)
        run = teacher_runs.start_run(project, teacher, None, 12)
        count, lots = annotating._count, []

        def dies_at_the_second(run, rows):
            lots.append(rows)
            count(run, rows)
            if len(lots) == 2:
                raise MemoryError

        monkeypatch.setattr(annotating, "WRITE_AT", 4)
        monkeypatch.setattr(annotating, "_count", dies_at_the_second)
        with pytest.raises(MemoryError):
            jobs.execute(run.job_id)
        written = set(TeacherAnswer.objects.filter(run=run).values_list("item__text", flat=True))
        assert 0 < len(written) < 12
        Job.objects.filter(pk=run.job_id).update(lease_until="2001-01-01T00:00Z")
        jobs.execute(run.job_id)
        run.refresh_from_db()
        assert (run.state, run.answered) == ("done", 12)
        assert Annotation.objects.filter(annotator=teacher.voice).count() == 12
        asked = Counter(text for sent in good.requests for text in plays.items_of(sent).values())
        assert all(asked[text] == 1 for text in written)
        # Whose answer was under way when the worker died is asked again, and nothing else.
        assert 12 <= asked.total() <= 12 + teacher.concurrency

    def test_what_a_killed_worker_held_back_counts_as_spent(self, cast, good):
        project, teacher = teacher_on(good, cast)
        run = teacher_runs.start_run(project, teacher, None, 2)
        budgets.reserve(run, 0, 3.5)
        jobs.execute(run.job_id)
        run.refresh_from_db()
        assert run.held == 0
        assert run.spent == Decimal("3.5") + 2 * Decimal("0.14")

    def test_a_deleted_project_is_purged_with_its_teachers(self, cast, good):
        project, teacher = teacher_on(good, cast)
        run_of(project, teacher)
        projects.delete_project(project)
        project.refresh_from_db()
        purging.purge_now(project)
        for model in (TeacherAnswer, TeacherRun, TeacherCache, Spending, EndpointKey, Purse):
            assert not model.objects.exists()
        assert Endpoint.objects.exists()


class TestMoney:
    def test_caps_hold_whatever_runs_at_once(self, cast):
        with Loopback(slow(0.01, plays.good)) as server:
            project, teacher = teacher_on(server, cast, items=60, concurrency=8, cap_run=5)
            run = run_of(project, teacher)
        assert run.state == "failed"
        assert "budget of this run is spent" in run.error
        assert run.answered == len(server.requests) > 0
        assert 0 < run.spent <= 5
        assert run.held == 0

    def test_two_who_reserve_at_once_never_pass_a_cap(self, cast, good):
        project, teacher = teacher_on(good, cast)
        budgets.change_caps(project, cap_day=10, cap_project=1000)
        run = teacher_runs.start_run(project, teacher, None, 1)
        refused, start = [], threading.Barrier(8)

        def spend():
            start.wait()
            for _ in range(5):
                try:
                    budgets.reserve(run, 1, 1.0)
                except BudgetSpentError as error:
                    refused.append(str(error))
            connection.close()

        threads = [threading.Thread(target=spend) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert Spending.objects.count() == 10
        assert len(refused) == 30
        assert "of the project for today" in refused[0]

    def test_the_day_s_cap_is_fresh_the_next_day_and_the_project_s_is_not(
        self, cast, good, monkeypatch
    ):
        from datetime import timedelta

        project, teacher = teacher_on(good, cast)
        budgets.change_caps(project, cap_day=5, cap_project=8)
        run = teacher_runs.start_run(project, teacher, None, 1)
        first = budgets.reserve(run, 1, 5.0)
        with pytest.raises(BudgetSpentError, match="for today"):
            budgets.reserve(run, 1, 0.1)
        tomorrow = budgets.today() + timedelta(days=1)
        monkeypatch.setattr(budgets, "today", lambda: tomorrow)
        budgets.settle(first, 4.0)
        budgets.settle(first, 4.0)
        purse = Purse.objects.get(pk=project.pk)
        assert (purse.spent, purse.held, budgets.spent_today(purse)) == (4, 0, 0)
        budgets.reserve(run, 1, 4.0)
        with pytest.raises(BudgetSpentError, match="of the project is"):
            budgets.reserve(run, 1, 0.5)

    def test_an_estimate_holds_what_the_run_then_costs(self, cast):
        with Loopback(honest) as server:
            self.compare_estimates(*teacher_on(server, cast, items=60))

    def compare_estimates(self, project, teacher):
        first = run_of(project, teacher, 20)
        assert first.estimate["source"] == "prompts"
        assert first.estimate["low"] <= first.spent <= first.estimate["high"]
        second = run_of(project, teacher, 40)
        assert second.estimate["source"] == "calls"
        # The interval is one of 95 %: a hundredth beside it is the other 5 %, not a wrong estimate.
        assert second.estimate["low"] * 0.99 <= float(second.spent)
        assert float(second.spent) <= second.estimate["high"] * 1.01


def test_the_ledger_of_a_project_with_teachers_is_whole(cast, good):
    project, teacher = teacher_on(good, cast)
    run_of(project, teacher)
    settling.settle_now(project)
    assert sealing.verify(project) == []


def test_label_names_alone_answer_without_a_network(cast):
    texts = [f"{word} matter number {n}" for n in range(6) for word in ("billing", "delivery")]
    project = make_project(
        cast, audit_share=0, encoder="tfidf-svd", encoder_params={"components": 8, "features": 512}
    )
    make_items(project, texts)
    teacher = teachers.create_teacher(project, cast.lea, name="Names", plugin="zero-shot")
    early = run_of(project, teacher)
    assert (early.state, early.answered) == ("failed", 0)
    assert "not encoded yet" in early.error
    encoding.wish_encoding(project)
    jobs.execute(Job.objects.get(kind="encode").pk)
    run = run_of(project, teacher)
    assert (run.state, run.answered, run.spent, run.estimate["source"]) == ("done", 12, 0, "free")
    said = Annotation.objects.filter(annotator=teacher.voice).select_related("item")
    names = dict(project.labels.values_list("pk", "key"))
    right = sum(names[each.labels[0]] in each.item.text for each in said)
    assert right >= 10
    assert "closest to" in said[0].reason


def test_students_are_not_trained_for_what_a_teacher_said(cast, good):
    project, teacher = teacher_on(good, cast)
    run_of(project, teacher)
    settling.settle_now(project)
    settling.wish_training(project)
    assert not Job.objects.filter(kind="train").exists()


def test_the_sweeper_ends_a_run_whose_job_died(cast, good):
    project, teacher = teacher_on(good, cast)
    run = teacher_runs.start_run(project, teacher, None, 2)
    budgets.reserve(run, 0, 2.0)
    Job.objects.filter(pk=run.job_id).update(state="failed", error="Its worker died 5 times.")
    assert teacher_runs.mark_stranded() == 1
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "Its worker died 5 times.")
    assert (run.held, run.spent) == (0, 2)
