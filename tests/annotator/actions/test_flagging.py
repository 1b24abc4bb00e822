"""Labels that look wrong: found out of sample, put before reviewers, and counted honestly."""

import uuid

import numpy as np
import pytest
from django.db import transaction

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.review import cases, corrections, flagging, reviewed, reviewing, suspecting
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError
from annotator.models import (
    Annotation,
    Flag,
    Item,
    Job,
    Part,
    Project,
    Verdict,
)
from tests.annotator.actions.test_reviewing import settle
from tests.annotator.audited import answer_all, running
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project

ITEMS, WRONG = 150, 12


@pytest.fixture(autouse=True)
def same_draws(monkeypatch):
    """Folds and draws are nobody's to foresee; here they are the same each time."""
    monkeypatch.setattr(flagging.secrets, "randbits", lambda bits: 7)


@pytest.fixture
def shop(cast, db):
    """150 items in three clear clusters; twelve labels are of another cluster."""
    project = make_project(cast, audit_share=0)
    items = make_items(project, ITEMS)
    rng = np.random.default_rng(5)
    project.truth = np.arange(ITEMS) % 3
    vectors = np.eye(4)[project.truth] * 3 + rng.normal(size=(ITEMS, 4))
    project.encoding = encode(project, vectors)
    project.wrong = rng.choice(ITEMS, WRONG, replace=False)
    given = project.truth.copy()
    given[project.wrong] = (given[project.wrong] + 1) % 3
    project.ids = list(project.labels.order_by("column").values_list("pk", flat=True))
    ana = assigning.voice_of(project, cast.ana)
    answer_all(project, ana, items, [project.ids[column] for column in given], "active")
    return project


def look(project):
    run = running(project, "flag")
    with transaction.atomic():
        result = flagging.run_flag(run)
    Job.objects.filter(pk=run.job.pk).update(state="done", result=result)
    return result


def right(project, flag):
    return project.ids[project.truth[flag.item.number]]


def machine_flags(project):
    return (
        Flag.objects.filter(project=project).by_machines().select_related("item").order_by("rank")
    )


def review_all(project, reviewer, count):
    """A reviewer who is always right settles so many cases in their order."""
    for _ in range(count):
        item, _ = cases.take_next(project, reviewer)
        labels = [project.ids[project.truth[item.number]]]
        reviewing.settle(project, reviewer, uuid=uuid.uuid4(), item=item, labels=labels)
    settling.settle_now(project)


class TestLook:
    def test_it_tells_how_far_it_is_and_can_be_ended_in_each_part(self, shop, monkeypatch):
        told = []
        monkeypatch.setattr(
            jobs.Run, "progress", lambda run, done, total, message="": told.append((done, message))
        )
        look(shop)
        assert told == sorted(told, key=lambda one: one[0])
        assert {message for _, message in told} == {
            "Comparing labels with the others",
            "Weighing the evidence",
        }
        assert len({done for done, _ in told}) > 30

    def test_the_wrong_labels_come_first_with_evidence_and_a_suggestion(self, shop):
        result = look(shop)
        assert result["labels"] == ITEMS
        flags = list(machine_flags(shop).order_by("score"))
        first = [flag.item.number in shop.wrong for flag in flags[:10]]
        assert sum(first) >= 8
        assert {flag.kind for flag in flags[:10]} == {"detector"}
        best = flags[0]
        assert best.suggested == [right(shop, best)]
        assert best.labels == Verdict.objects.get(item=best.item).labels
        assert all(one["words"] and 0 <= one["score"] <= 1 for one in best.evidence)
        assert set(best.scores) >= {"self-confidence", "neighbours"}

    def test_every_fifth_case_was_drawn_and_its_probability_is_kept(self, shop):
        result = look(shop)
        flags = list(machine_flags(shop))
        drawn = [flag for flag in flags if flag.probability is not None]
        assert len(drawn) == result["drawn"] == flagging.DRAWN_READY
        assert {round(flag.probability, 6) for flag in drawn} == {flagging.DRAWN_READY / ITEMS}
        assert flags[4].probability is not None
        assert all(flag.probability is None for flag in flags[:4])

    def test_another_look_keeps_what_was_drawn_and_asks_no_settled_label_again(self, cast, shop):
        look(shop)
        drawn = set(machine_flags(shop).exclude(probability=None).values_list("item", flat=True))
        review_all(shop, cast.ben, 6)
        settled = set(Flag.objects.filter(state="settled").values_list("item", flat=True))
        look(shop)
        waiting = machine_flags(shop).filter(state="open")
        assert not settled & set(waiting.values_list("item", flat=True))
        assert drawn - settled <= set(
            waiting.exclude(probability=None).values_list("item", flat=True)
        )

    def test_a_label_that_changed_since_is_asked_about_again(self, shop, monkeypatch):
        monkeypatch.setattr(flagging, "DOUBTED", 2.0)  # every label is asked about
        look(shop)
        flag = machine_flags(shop).filter(kind="detector").first()
        Flag.objects.filter(pk=flag.pk).update(state="settled", outcome="keep")
        look(shop)
        assert not cases.open_flags(flag.item)
        wrong = next(pk for pk in shop.ids if pk not in (flag.labels[0], right(shop, flag)))
        Verdict.objects.filter(item=flag.item).update(labels=[wrong], soft={wrong: 1.0})
        look(shop)
        assert [each.labels for each in cases.open_flags(flag.item)] == [[wrong]]

    def test_what_a_reviewer_looks_at_stays(self, cast, shop):
        look(shop)
        item, _ = cases.take_next(shop, cast.ben)
        held = Flag.objects.get(item=item)
        Verdict.objects.filter(item=item).update(
            labels=[right(shop, held)], soft={right(shop, held): 1.0}
        )
        look(shop)
        assert Flag.objects.filter(item=item).exists()

    def test_an_item_settled_while_labels_are_compared_is_not_asked_about(
        self, cast, shop, monkeypatch
    ):
        look(shop)
        item, _ = cases.take_next(shop, cast.ben)
        compare = suspecting.suspect

        def slowly(*given):
            found = compare(*given)
            settle(shop, cast.ben, item, "Billing")
            return found

        monkeypatch.setattr(suspecting, "suspect", slowly)
        look(shop)
        assert not cases.open_flags(item)

    def test_a_student_never_judges_what_it_has_learnt_from(self, shop, monkeypatch):
        """The out-of-sample promise: each item's probability comes from folds without it."""
        seen = {}

        class Remembering:
            def gather(self, *given):
                seen["evidence"] = gathered(*given)
                return seen["evidence"]

        gathered = suspecting.gather
        monkeypatch.setattr(suspecting, "gather", Remembering().gather)
        # Twice the same text is one group: both are in one fold.
        Item.objects.filter(project=shop, number=1).update(
            content_hash=Item.objects.get(project=shop, number=4).content_hash
        )
        look(shop)
        fold = seen["evidence"].held_out.fold
        assert len(set(fold.tolist())) == 5
        assert fold[1] == fold[4]

    def test_too_few_labels_are_said_to_be_too_few(self, cast, db):
        project = make_project(cast, audit_share=0)
        make_items(project, 5)
        encode(project)
        assert "It takes 30 labelled items" in look(project)["why"]

    def test_a_deleted_project_ends_the_job(self, shop):
        run = running(shop, "flag")
        Project.objects.filter(pk=shop.pk).update(archived_at="2026-01-01T00:00Z")
        with pytest.raises(jobs.CancelledError):
            flagging.run_flag(run)

    def test_a_worker_that_lost_its_lease_writes_nothing(self, shop):
        run = running(shop, "flag")
        Job.objects.filter(pk=run.job.pk).update(attempt=7)
        with pytest.raises(jobs.FencedError):
            flagging.run_flag(run)
        assert not Flag.objects.exists()

    def test_a_look_follows_enough_new_words_and_one_waits_at_a_time(self, cast, shop):
        flagging.wish(shop)
        flagging.wish(shop)
        assert Job.objects.filter(kind="flag", state="queued").count() == 1
        with pytest.raises(ConflictError):
            flagging.look_now(shop, cast.ben)
        Job.objects.filter(kind="flag").delete()
        look(shop)
        flagging.wish(shop)
        assert not Job.objects.filter(kind="flag", state="queued").exists()

    def test_several_labels_are_judged_one_by_one(self, cast, db):
        project = make_project(cast, task_type="multi", audit_share=0)
        items = make_items(project, 90)
        rng = np.random.default_rng(2)
        there = rng.random((90, 3)) < 0.4
        there[~there.any(axis=1), 0] = True
        signs = np.hstack([there * 2.0 - 1, np.ones((90, 1))])
        vectors = signs + rng.normal(scale=0.2, size=(90, 4))
        encode(project, vectors)
        ids = list(project.labels.order_by("column").values_list("pk", flat=True))
        there[7, 1] = ~there[7, 1]  # one label of one item
        ana = assigning.voice_of(project, cast.ana)
        Annotation.objects.bulk_create(
            Annotation(
                uuid=f"00000000-0000-4000-8000-{item.number:012}",
                project=project,
                item=item,
                annotator=ana,
                labels=[
                    pk for pk, is_there in zip(ids, there[item.number], strict=True) if is_there
                ],
            )
            for item in items
        )
        settling.settle_now(project)
        look(project)
        best = machine_flags(project).order_by("score").first()
        assert best.item.number == 7
        assert set(best.labels) ^ set(best.suggested) == {ids[1]}


class TestFigures:
    def test_errors_found_and_errors_left_are_two_figures(self, cast, shop):
        look(shop)
        assert reviewed.figures(shop).to_json()["remaining"] is None
        review_all(shop, cast.ben, 60)
        figures = reviewed.figures(shop)
        told = figures.to_json()
        assert told["settled"] == 60
        assert told["errors_found"] >= 9
        assert told["labels"] == ITEMS
        assert told["remaining"] is not None
        left = WRONG - told["errors_found"]
        assert told["remaining_low"] <= left / ITEMS <= told["remaining_high"]
        assert told["more_to_halve"] is None or told["more_to_halve"] > 0
        assert (
            len(figures.found.curve)
            == Flag.objects.filter(state="settled", kind="detector").count()
        )

    def test_a_bad_item_counts_on_after_the_next_look(self, cast, shop):
        look(shop)
        review_all(shop, cast.ben, 60)
        drawn = machine_flags(shop).filter(probability__isnull=False, state="open")
        for flag in drawn[:3]:
            settle(shop, cast.ben, flag.item, outcome="bad")
        before = reviewed.figures(shop).remaining
        look(shop)
        after = reviewed.figures(shop).remaining
        assert (after.labels, after.found) == (before.labels, before.found)

    def test_they_wait_for_a_look_whose_scores_are_gone(self, shop):
        result = look(shop)
        for file in flagging.scores_folder(shop, result["scores"]).iterdir():
            file.unlink()
        assert reviewed.figures(shop).remaining is None


class TestCombination:
    def test_settled_reviews_teach_which_detectors_count_here(self, cast, shop):
        from learning.audit.detectors.combined import prior

        look(shop)
        assert suspecting.believed(shop) is prior()
        review_all(shop, cast.ben, 20)
        taught = suspecting.believed(shop)
        assert not np.allclose(taught.mean, prior().mean)
        assert np.trace(taught.covariance) < np.trace(prior().covariance)

    def test_the_share_of_errors_to_come_is_told_and_follows_the_reviews(self, cast, shop):
        look(shop)
        expected = reviewed.figures(shop).to_json()["precision_next"]
        assert 0 <= expected["low"] <= expected["rate"] <= expected["high"] <= 1
        assert expected["cases"] <= suspecting.NEXT
        for flag in machine_flags(shop)[:15]:  # a reviewer who finds every label right
            reviewing.settle(shop, cast.ben, uuid=uuid.uuid4(), item=flag.item, labels=flag.labels)
        settling.settle_now(shop)
        then = reviewed.figures(shop).precision
        assert then is None or then["rate"] < expected["rate"] / 2


class TestCorrections:
    @pytest.fixture
    def audited(self, cast, shop):
        order = list(Item.objects.filter(project=shop).order_by("order_key")[:60])
        Item.objects.filter(pk__in=[item.pk for item in order]).update(part=Part.EVALUATION)
        Project.objects.filter(pk=shop.pk).update(audit_cutoff=order[-1].order_key)
        Item.objects.filter(project=shop).exclude(part=Part.EVALUATION).update(part="seed")
        shop.refresh_from_db()
        return shop

    def test_the_student_is_measured_with_and_without_them(self, cast, audited):
        assert corrections.run_corrections(running(audited, "corrections"))["compared"] is False
        for number in audited.wrong:
            item = Item.objects.get(project=audited, number=number)
            name = audited.labels.get(pk=audited.ids[audited.truth[number]]).name
            settle(audited, cast.ben, item, name)
        told = corrections.run_corrections(running(audited, "corrections"))
        learnt = Item.objects.filter(project=audited, number__in=audited.wrong, part="seed")
        assert told["compared"]
        assert told["changed"] == learnt.count()
        assert told["evaluated_on"] == 60
        low, high = told["difference_interval"]
        assert low < told["difference"] < high
        assert told["difference"] == pytest.approx(told["with"] - told["without"])
        again = corrections.run_corrections(running(audited, "corrections"))
        assert again == told  # the same seed

    def test_it_takes_an_audit_sample(self, cast, shop):
        with pytest.raises(ConflictError, match="audit sample"):
            corrections.start(shop, cast.ben)
