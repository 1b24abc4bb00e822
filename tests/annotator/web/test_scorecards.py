"""Scorecards on pages: figures with what they rest on, or how much is missing; tests by a button."""

from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.actions.queue import auditing
from annotator.actions.routing import policies
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import calibrating
from annotator.models import Annotation, TeacherRun
from tests.annotator.audited import running
from tests.annotator.teaching import work_off
from tests.annotator.trusting import Scripted, audited_teacher
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def card(client, project, voice):
    page = client.get(reverse("scorecard", args=[project.pk, voice.pk]))
    assert page.status_code == 200
    return " ".join(page.content.decode().replace("&nbsp;", " ").split())


def test_a_teacher_s_scorecard_from_nothing_to_everything(cast, lea, ben, good, monkeypatch):
    scripted = Scripted(monkeypatch)
    project, teacher = audited_teacher(good, cast, audited=80, items=90)
    empty = card(lea, project, teacher.voice)
    assert "30 more items of the random sample" in empty
    assert "30 more audited answers needed" in empty
    assert "Nobody has tested" in empty
    assert "will cost" in empty
    form = {"items": "400", "pool": "audited"}
    lea.post(reverse("teacher_begin", args=[project.pk, teacher.pk]), form)
    work_off(TeacherRun.objects.get())
    calibrating.run_calibrate(running(project, "calibrate"))
    url = reverse("teacher_qualify", args=[project.pk, teacher.pk])
    page = lea.post(url, follow=True).content.decode()
    assert "at most" in page
    assert "The test is at work" in card(ben, project, teacher.voice)
    run = work_off(TeacherRun.objects.get(kind="qualify"))
    done = lea.get(reverse("teacher_run", args=[project.pk, run.pk])).content.decode()
    assert "the scorecard of Fake" in done
    full = card(lea, project, teacher.voice)
    assert "80 %" in full
    assert "calibrated</dt>" in full
    assert "Billing</strong> taken for" in full or "Delivery</strong> taken for" in full
    assert "may label, with up to 40 in a prompt" in full
    assert "not shown to be better" not in full
    scripted.says = lambda text, ids: ids[0]
    lea.post(reverse("teacher_replay", args=[project.pk, teacher.pk]))
    work_off(TeacherRun.objects.get(kind="replay"))
    assert "got worse" in card(lea, project, teacher.voice)
    shown = card(ben, project, teacher.voice)
    assert "Test it again" not in shown, "a reviewer looks on"
    cards = lea.get(reverse("annotators", args=[project.pk])).content.decode()
    assert reverse("scorecard", args=[project.pk, teacher.voice_id]) in cards
    assert "80\u202f%" in cards
    assert ">drifted</span>" in cards


def test_after_an_import_a_teacher_s_card_tells_that_items_joined_the_sample(cast, lea, good):
    project, teacher = audited_teacher(good, cast, audited=80, items=80)
    work_off(teacher_runs.start_run(project, teacher, None, 400, pool="audited"))
    make_items(project, [f"later {n}" for n in range(60)], seed=3)
    project.audit_share, project.audit_size = 0.1, 80
    project.save()
    auditing.recut(project)
    page = card(lea, project, teacher.voice)
    parts = auditing.fair_parts(teacher.plugin)
    reach = auditing.reach(project, *parts, wanted=30, voice=teacher.voice)
    assert reach.answered == 80
    assert page.count(reach.told) == 2, "its accuracy, and why it cannot be tested"
    assert "more items of the random sample" not in page
    policies.change_policy(project, cast.lea, teacher=teacher)
    board = lea.get(reverse("routing", args=[project.pk])).content.decode()
    assert "to be answered first" in auditing.reach(project).told
    assert auditing.reach(project).told in board


def test_what_cannot_be_told_is_said_with_what_is_missing(cast, lea, good):
    project, teacher = audited_teacher(good, cast, audited=12, items=12)
    page = card(lea, project, teacher.voice)
    assert "people have answered 12 items of the random sample, 18 more are needed" in page
    assert "People are served none of it now" in page
    project.audit_share = 0.2
    project.save()
    page = card(lea, project, teacher.voice)
    assert "20 % of what people are served to label is of it" in page
    assert f'<a href="{reverse("settings", args=[project.pk])}#audit">Audit settings</a>' in page
    assert 'id="audit"' in lea.get(reverse("settings", args=[project.pk])).content.decode()
    assert f'<a href="{reverse("label", args=[project.pk])}">Label</a>' in page
    url = reverse("teacher_qualify", args=[project.pk, teacher.pk])
    refused = lea.post(url, follow=True).content.decode()
    assert "cannot be told yet" in refused
    assert "30 are needed, 18 more." in refused
    url = reverse("teacher_replay", args=[project.pk, teacher.pk])
    assert "never tested" in lea.post(url, follow=True).content.decode()
    assert good.requests == []


def test_a_person_s_scorecard_has_no_sections_of_teachers(cast, lea, good):
    project, _ = audited_teacher(good, cast, audited=12, items=12)
    page = card(lea, project, assigning.voice_of(project, cast.ana))
    assert "30 more items" in page
    assert "100 % of all" in page
    assert "Calibration" not in page
    assert "May it label" not in page


def test_an_import_has_no_pace(cast, lea):
    project = make_project(cast, audit_share=0)
    (item,) = make_items(project, 1)
    label = project.labels.first().pk
    for kind, timed in (("person", True), ("import", False)):
        voice = project.annotators.create(kind=kind, name=kind)
        Annotation.objects.create(
            uuid=uuid4(),
            project=project,
            item=item,
            annotator=voice,
            labels=[label],
            stream="active",
        )
        page = lea.get(reverse("annotators", args=[project.pk])).content.decode()
        own = page.partition(f">{kind}</a>")[2].partition("</li>")[0]
        assert "<dt>answers</dt>" in own
        assert ("<dt>pace</dt>" in own) is timed


def test_a_failed_test_says_why(cast, lea, good):
    project, teacher = audited_teacher(good, cast, audited=32, items=32)
    run = TeacherRun.objects.create(
        project=project, teacher=teacher, kind="replay", state="failed", error="No money is left."
    )
    assert run.is_test
    assert "The last replay could not be done. No money is left." in card(
        lea, project, teacher.voice
    )
