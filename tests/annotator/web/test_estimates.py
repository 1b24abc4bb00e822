"""The honest numbers on Progress: what is shown, what is withheld, and what is warned of."""

import numpy as np
import pytest

from annotator.actions.figures import domains, estimating
from annotator.actions.queue import auditing
from annotator.models import (
    AuditSheet,
    ImportBatch,
    Item,
    Job,
    Project,
    StudentVersion,
    Verdict,
)
from annotator.web import estimates, measures
from tests.annotator.audited import (
    audited_project,
    grown,
    learn,
    project_with_channels,
    running,
    version,
)
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def audited(cast):
    return audited_project(cast)


OUT_OF_FOLD = {
    "estimate": "out-of-fold",
    "evaluated_on": 60,
    "accuracy": 0.8,
    "accuracy_low": 0.7,
    "accuracy_high": 0.88,
}


def url(project, rest="progress"):
    return f"/projects/{project.pk}/{rest}"


def told(client, project, rest="progress"):
    return client.get(url(project, rest)).content.decode()


def estimated(project):
    estimating.run_estimate(running(project))
    project.refresh_from_db()
    return AuditSheet.objects.get(version=project.current_student)


def difference(project, **changes):
    """The report of an import that was found to differ."""
    report = {
        "differs": True,
        "p": 0.0025,
        "telling": 0.8,
        "old": 600,
        "new": 200,
        "labels": [
            {
                "id": project.labels.get(name="Login").pk,
                "before": 0.06,
                "after": 0.13,
                "factor": 2.1,
                "low": 1.6,
                "high": 2.8,
            }
        ],
        "words": ["<voucher>"],
        "examples": [{"item": 3, "text": "The voucher is void"}],
        **changes,
    }
    return ImportBatch.objects.create(
        project=project,
        state="done",
        file_name="march.csv",
        format="csv",
        items_added=200,
        report={"difference": report},
    )


class TestFewData:
    def test_without_a_figure_nothing_is_said_about_quality(self, lea, cast):
        project = make_project(cast, audit_share=0.1)
        make_items(project, 300)
        text = told(lea, project)
        for heading in ("Quality by label", "Class shares by domain", "Other rules for stopping"):
            assert heading not in text
        assert "No student was measured yet" in text

    def test_too_few_audit_answers_keep_every_figure_back(self, lea, audited):
        project, truth, order = audited
        Item.objects.filter(project=project, number__in=order[40:]).update(part="")
        learn(project, truth, number=1, trained_on=60, wrong=10)
        assert estimated(project).figures["accuracy"] is None
        text = told(lea, project)
        assert "Quality by label" not in text
        assert "that is estimated from 50 answered audit items on" in text

    def test_one_version_has_a_figure_but_no_forecast(self, lea, audited):
        project, truth, _ = audited
        learn(project, truth, number=1, trained_on=60, wrong=20)
        estimated(project)
        text = told(lea, project)
        assert "accuracy on 100 drawn items" in text
        assert "Cannot be told yet. It takes 50 answered evaluation items" in text
        assert "What more labels would add cannot be told yet." in text

    def test_a_sample_that_can_never_grow_enough_is_said_to_be_too_small(self, lea, cast):
        project = make_project(cast, audit_share=0.1)
        make_items(project, 300)
        assert "it takes 84 audit items" in told(lea, project)
        Project.objects.filter(pk=project.pk).update(audit_size=84)
        assert "it takes 84 audit items" not in told(lea, project)

    def test_nobody_is_told_to_wait_for_a_figure_that_cannot_come(self, lea, cast):
        project = make_project(cast, audit_share=0.1)
        make_items(project, 300)
        assert measures.too_small(measures.audit_fill(project))
        project.current_student = version(project, 1, 30, **OUT_OF_FOLD)
        project.save()
        summary = lea.get(url(project)).context["summary"]
        assert "The audit sample is too small for an honest figure" in summary

    def test_after_an_import_every_page_tells_that_items_joined_the_sample(self, lea, audited):
        project, truth, _ = audited
        made = learn(project, truth, number=1, trained_on=60, wrong=20)
        for name, value in (OUT_OF_FOLD | {"estimate": "audit", "evaluated_on": 100}).items():
            setattr(made, name, value)
        made.save()
        make_items(project, [f"later {n}" for n in range(60)], seed=3)
        auditing.recut(project)
        estimated(project)
        why = auditing.reach(project).told
        assert "have to be answered first" in why
        assert lea.get(url(project)).context["summary"].endswith(why)
        text = told(lea, project)
        assert text.count(why) == 3, "the sentence, the advice, the audit sample"
        assert "It takes 50 answered evaluation items" not in text
        page = told(lea, project, "students/1")
        assert why in page
        assert "So far right" not in page
        ana = project.annotators.get(user__username="ana")
        card = told(lea, project, f"annotators/{ana.pk}")
        assert "items joined the random sample" not in card, "nobody to compare Ana with"

    def test_an_early_figure_waits_for_what_joined(self, lea, audited):
        project, truth, _ = audited
        learn(project, truth, number=1, trained_on=60, wrong=20)
        StudentVersion.objects.update(**OUT_OF_FOLD)
        make_items(project, [f"later {n}" for n in range(60)], seed=3)
        auditing.recut(project)
        summary = lea.get(url(project)).context["summary"]
        assert summary.endswith(auditing.reach(project).told)


class TestRichData:
    def test_figures_come_with_their_intervals_and_items(self, lea, audited):
        project, truth, _ = audited
        grown(project, truth)
        estimated(project)
        response = lea.get(url(project))
        text = response.content.decode()
        assert "Tickets: 80 % accurate, between 71 and 87 %" in response.context["summary"]
        assert "<small>71\u202f% – 87\u202f%</small>" in text
        assert "accuracy on 100 drawn items" in text
        assert "The next 100 labels add" in text
        assert "about 10 minutes" in text
        assert [one.name for one in response.context["curve"].series] == [
            "random sample (audit)",
            "forecast",
        ]

    def test_surely_weak_labels_come_first(self, lea, audited):
        project, truth, _ = audited
        learn(project, truth, number=1, trained_on=60, wrong=20)
        estimated(project)
        rows = lea.get(url(project)).context["quality"].first
        assert [row.recall.high for row in rows] == sorted(row.recall.high for row in rows)

    def test_labels_given_more_often_than_they_are_in_the_pool_are_marked(self, lea, audited):
        project, truth, _ = audited
        learn(project, truth, number=1, trained_on=60, wrong=20)
        sheet = estimated(project)
        sheet.figures["shares"][0]["given"] = 90
        sheet.save()
        rows = lea.get(url(project)).context["shares"].first
        billing = next(row for row in rows if row.name == "Billing")
        assert billing.misleads == "more often than in the pool"
        assert 'title="more often than in the pool"' in told(lea, project)

    def test_a_label_that_was_deleted_since_is_left_out(self, lea, audited):
        project, truth, _ = audited
        learn(project, truth, number=1, trained_on=60, wrong=20)
        sheet = estimated(project)
        sheet.figures["labels"][0]["id"] = sheet.figures["shares"][0]["id"] = 10**9
        sheet.save()
        context = lea.get(url(project)).context
        assert len(context["quality"].first) == len(context["shares"].first) == 2

    def test_the_number_of_queries_does_not_grow(self, lea, audited, django_assert_max_num_queries):
        project, truth, _ = audited
        grown(project, truth)
        estimated(project)
        difference(project)
        with django_assert_max_num_queries(22):
            lea.get(url(project))


class TestAdvice:
    def shown(self, lea, audited, **gain):
        project, truth, _ = audited
        grown(project, truth)
        sheet = estimated(project)
        sheet.figures["next"]["gain"] |= gain
        sheet.save()
        return told(lea, project)

    def test_time_to_stop(self, lea, audited):
        text = self.shown(lea, audited, verdict="stop", chance=0.04)
        assert "It may be time to stop" in text
        assert "Advised when the chance of another point is 10 % or less" in text

    def test_an_interval_too_wide_to_advise_is_said_to_be_so(self, lea, audited):
        text = self.shown(lea, audited, verdict="empty", low=-0.03, high=0.08)
        assert "Too early to advise" in text
        assert "The interval is too wide to advise anything" in text

    def test_everything_labelled(self, lea, audited):
        project, truth, _ = audited
        grown(project, truth)
        sheet = estimated(project)
        sheet.figures["next"] = {"labels": 0, "left": 0, "gain": None}
        sheet.save()
        assert "Every item has its label" in told(lea, project)


class TestCriteria:
    def row(self, **changes):
        estimate = {"value": 0.9, "low": 0.7, "high": 0.98, "n": 25}
        kept = {"name": "label-sleuth", "estimate": estimate, "threshold": 0.8, "stops": False}
        return estimates._criteria({"criteria": [kept | changes]})[0]

    def test_a_rule_that_some_labels_meet_waits_for_the_others(self):
        assert self.row()["waits"]
        assert not self.row(stops=True)["waits"]
        assert not self.row(threshold=0.95)["waits"]

    def test_all_four_are_beside_the_advice(self, lea, audited):
        project, truth, _ = audited
        grown(project, truth)
        estimated(project)
        text = told(lea, project)
        for name in ("Kappa average", "Classification change", "Overall uncertainty"):
            assert name in text
        assert "Label Sleuth" in text


class TestDomains:
    def test_shares_stand_beside_each_value_of_the_column(self, lea, cast):
        project, _, _ = project_with_channels(cast)
        assert "By metadata column" in told(lea, project)
        domains.run_domains(running(project, "domains", column="channel"))
        shown = lea.get(url(project)).context["domains"]
        assert {each["name"] for each in shown["values"]} == {"chat", "mail"}
        assert all(len(each["rows"].first) == 3 for each in shown["values"])

    def test_a_manager_asks_for_them_by_post(self, lea, cast):
        project, _, _ = project_with_channels(cast)
        response = lea.post(url(project, "progress/domains"), {"column": "channel"})
        assert response["Location"].endswith("/progress#domains")
        assert Job.objects.get(kind="domains").params == {"column": "channel"}

    def test_a_column_that_makes_no_domains_is_refused_in_a_sentence(self, lea, cast):
        project, _, _ = project_with_channels(cast)
        response = lea.post(url(project, "progress/domains"), {"column": "id"}, follow=True)
        assert "is no metadata column with 2 to 12 different values" in response.content.decode()

    def test_where_the_audit_contradicts_the_correction_only_the_audit_is_shown(self, lea, cast):
        project, _, _ = project_with_channels(cast)
        domains.run_domains(running(project, "domains", column="channel"))
        sheet = AuditSheet.objects.get(version=project.current_student)
        kept = sheet.figures["domains"]["domains"][0]
        kept["disagree"] = True
        sheet.save()
        response = lea.get(url(project))
        assert "Its own audit items contradict the correction" in response.content.decode()
        shown = response.context["domains"]["values"][0]["rows"].first
        assert {row.share.value for row in shown} == {
            each["direct"]["value"] for each in kept["labels"]
        }

    def test_a_reviewer_sees_them_without_the_button(self, ben, cast):
        text = told(ben, project_with_channels(cast)[0])
        assert "By metadata column" not in text
        assert "A manager chooses the column." in text


class TestImportThatDiffers:
    def test_progress_warns_and_names_what_differs(self, lea, audited):
        project, _, _ = audited
        batch = difference(project)
        text = told(lea, project)
        assert "march.csv differs from the items before it." in text
        assert "2.1 times as many about Login (1.6 to 2.8" in text
        assert "&lt;voucher&gt;" in text
        assert url(project, f"imports/{batch.pk}") in text

    def test_its_own_page_shows_examples(self, lea, audited):
        project, _, _ = audited
        batch = difference(project)
        text = told_at(lea, url(project, f"imports/{batch.pk}"))
        assert "These items differ." in text
        assert "The voucher is void" in text

    def test_an_import_that_is_alike_is_no_warning(self, lea, audited):
        project, _, _ = audited
        batch = difference(project, differs=False)
        assert "march.csv" not in told(lea, project)
        text = told_at(lea, url(project, f"imports/{batch.pk}"))
        assert "No difference worth a warning" in text


def told_at(client, address):
    return client.get(address).content.decode()


def test_a_share_has_its_place_on_the_bar():
    share = estimates.Share(value=0.1, low=0.05, high=0.2, n=40, scale=0.2)
    assert (share.start, share.width, share.at, share.digits) == (25.0, 75.0, 50.0, 1)
    whole = estimates.Share(value=1.0, low=0.9, high=1.0, n=40)
    assert (whole.at, whole.digits) == (99.2, 0), "the mark stays inside"
    unknown = estimates.Share(value=None, low=0.0, high=1.0, n=0)
    assert unknown.at == 0.0


def test_only_when_many_rows_would_wait_do_they_wait():
    assert len(estimates.listed(list(range(11))).rest) == 0
    assert len(estimates.listed(list(np.arange(12))).rest) == 4


def test_drawn_items_on_which_people_disagree_are_told(lea, audited):
    project, _, _ = audited
    assert "People disagree on" not in told(lea, project)
    drawn = Item.objects.filter(project=project, part="evaluation", answers__gt=0).first()
    Verdict.objects.filter(item=drawn).update(state="tie", labels=[])
    assert "People disagree on 1 drawn item." in told(lea, project)


def test_figures_stay_until_those_of_a_new_student_are_there(lea, audited):
    project, truth, _ = audited
    learn(project, truth, number=1, trained_on=60, wrong=10)
    shown = estimated(project)
    learn(project, truth, number=2, trained_on=90, wrong=5)
    project.refresh_from_db()
    assert project.current_student.number == 2
    assert estimating.shown_sheet(project) == shown
    assert "drawn items" in told(lea, project)
