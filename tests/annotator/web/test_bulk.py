"""Labelling many at once: what it touches, what it leaves alone, and taking it back as one."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.explore import bulk, searching
from annotator.actions.projects import form_questions, projects
from annotator.actions.verdicts import sealing, settling
from annotator.errors import ForbiddenError, InvalidError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Assignment,
    AssignmentState,
    Item,
    Job,
    Part,
    Pick,
    Project,
    Role,
    Verdict,
)
from tests.annotator.web.helpers import say
from tests.factories import join, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, 8)
    return made


def label(project, name="Billing"):
    return project.labels.get(name=name).pk


def work(job):
    """Do a job as its worker would."""
    Job.objects.filter(pk=job.pk).update(state="running", attempt=1)
    job.refresh_from_db()
    result = bulk.run_bulk(jobs.Run(job))
    Job.objects.filter(pk=job.pk).update(state="done", result=result)
    job.refresh_from_db()
    settling.settle_now(job.project)
    return result


def start(project, user, name="Billing", *, overrule=False, **wanted):
    wish = searching.Filter(**wanted)
    return bulk.start_bulk(project, user, wish, [label(project, name)], overrule=overrule)


def standing(project):
    return Annotation.objects.filter(project=project, kind=AnnotationKind.ANSWER, successor=None)


def test_all_hits_are_answered_in_the_persons_name(tickets, cast):
    assert work(start(tickets, cast.lea, status="none"))["labelled"] == 8
    assert {row.annotator.user for row in standing(tickets)} == {cast.lea}
    assert set(Verdict.objects.values_list("state", flat=True)) == {"decided"}
    assert not Item.objects.filter(project=tickets, open=True).exists()
    assert set(tickets.items.values_list("answers", flat=True)) == {1}
    assert sealing.verify(tickets) == []


def test_nobody_is_served_what_was_labelled(tickets, cast):
    first = tickets.items.get(number=0)
    Pick.objects.create(project=tickets, item=first, rank=1)
    work(start(tickets, cast.lea, status="none"))
    assert not Pick.objects.exists()
    assert assigning.lease(tickets, assigning.voice_of(tickets, cast.ana), 3) == []


@pytest.mark.parametrize("part", [Part.EVALUATION, Part.CALIBRATION])
def test_audit_items_are_never_labelled_this_way(tickets, cast, part):
    Item.objects.filter(project=tickets, number=2).update(part=part)
    seen = bulk.preview(tickets, cast.lea, searching.Filter(status="none"), [label(tickets)])
    assert (seen.hits, seen.audit, seen.fresh) == (8, 1, 7)
    work(start(tickets, cast.lea, status="none", overrule=True))
    assert not Annotation.objects.filter(item__number=2).exists()


def test_items_that_wait_to_be_drawn_for_the_audit_are_left_out_too(tickets, cast):
    keys = sorted(tickets.items.values_list("order_key", flat=True))
    tickets.audit_share, tickets.audit_cutoff = 0.1, keys[2]
    tickets.save()
    assert work(start(tickets, cast.lea, status="none"))["labelled"] == 5
    assert tickets.items.filter(order_key__lte=keys[2], answers=0).count() == 3


def test_decided_items_are_left_alone_unless_overruled(tickets, cast):
    ana = assigning.voice_of(tickets, cast.ana)
    say(tickets, ana, tickets.items.get(number=0), "Login")
    say(tickets, ana, tickets.items.get(number=1), "Billing")
    seen = bulk.preview(tickets, cast.lea, searching.Filter(query=""), [label(tickets)])
    assert (seen.decided_other, seen.decided_same, seen.fresh) == (1, 1, 6)
    ids = tuple(tickets.items.values_list("pk", flat=True))
    work(start(tickets, cast.lea, items=ids))
    assert Verdict.objects.get(item__number=0).labels == [label(tickets, "Login")]
    work(start(tickets, cast.lea, items=ids, overrule=True))
    assert Verdict.objects.get(item__number=0).state == "tie"
    assert standing(tickets).filter(annotator__user=cast.lea).count() == 8


def test_own_earlier_answers_stay(tickets, cast):
    lea = assigning.voice_of(tickets, cast.lea)
    said = say(tickets, lea, tickets.items.get(number=3), "Login")
    work(start(tickets, cast.lea, status="none"))
    work(start(tickets, cast.lea, annotator=lea.pk, overrule=True))
    assert standing(tickets).get(item__number=3).pk == said.pk


def test_an_item_that_somebody_holds_is_left_to_them(tickets, cast):
    ana = assigning.voice_of(tickets, cast.ana)
    (lease,) = assigning.lease(tickets, ana, 1)
    assert work(start(tickets, cast.lea, status="none"))["labelled"] == 7
    said = labeling.submit(
        tickets, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label(tickets, "Login")]
    )
    assert not said.extra
    assert Item.objects.get(pk=lease.item_id).answers == 1


def test_a_lease_that_ran_out_holds_nothing(tickets, cast):
    (lease,) = assigning.lease(tickets, assigning.voice_of(tickets, cast.ana), 1)
    Assignment.objects.filter(pk=lease.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    assert work(start(tickets, cast.lea, status="none"))["labelled"] == 8
    lease.refresh_from_db()
    assert lease.state == AssignmentState.EXPIRED


def test_taken_up_again_it_answers_nothing_twice(tickets, cast):
    job = start(tickets, cast.lea, status="none")
    work(job)
    work(job)
    assert standing(tickets).count() == 8
    assert set(tickets.items.values_list("answers", flat=True)) == {1}


def test_undo_takes_back_all_of_it_and_only_that(tickets, cast):
    ana = assigning.voice_of(tickets, cast.ana)
    say(tickets, ana, tickets.items.get(number=0), "Login")
    job = start(tickets, cast.lea, status="none")
    work(job)
    undo = bulk.undo_bulk(tickets, cast.lea, job)
    assert work(undo)["taken_back"] == 7
    assert [row.item.number for row in standing(tickets)] == [0]
    assert Verdict.objects.count() == 1
    assert tickets.items.filter(answers=0, open=True).count() == 8
    assert not Assignment.objects.filter(state=AssignmentState.ANSWERED).exists()
    assert sealing.verify(tickets) == []
    assert len(assigning.lease(tickets, ana, 3)) == 3


def test_undo_twice_takes_back_once(tickets, cast):
    job = start(tickets, cast.lea, status="none")
    work(job)
    undo = bulk.undo_bulk(tickets, cast.lea, job)
    work(undo)
    assert work(undo)["taken_back"] == 0
    assert bulk.undoable(tickets) == []


def test_the_whole_pool_is_never_labelled_by_accident(tickets, cast):
    with pytest.raises(InvalidError, match="would label everything"):
        bulk.start_bulk(tickets, cast.lea, searching.Filter(), [label(tickets)])


def test_chosen_items_go_from_the_preview_into_the_form(lea, tickets):
    chosen = list(tickets.items.filter(number__in=(1, 3)).values_list("pk", flat=True))
    form = {"items": chosen, "labels": label(tickets)}
    page = lea.post(f"/projects/{tickets.pk}/bulk/preview", form)
    assert page.context["preview"].fresh == 2
    for pk in chosen:
        assert f'<input type="hidden" name="items" value="{pk}">' in page.content.decode()
    assert (
        lea.get(f"/projects/{tickets.pk}/explore?items={chosen[0]}&items={chosen[1]}").status_code
        == 200
    )


def test_the_page_previews_starts_and_takes_back(lea, tickets):
    base = f"/projects/{tickets.pk}/bulk"
    form = {"status": "none", "labels": label(tickets)}
    preview = lea.post(f"{base}/preview", form)
    assert preview.context["preview"].fresh == 8
    assert b"Kept for the audit sample" in preview.content
    assert lea.post(f"{base}/start", form).status_code == 302
    job = Job.objects.get(kind="bulk")
    work(job)
    assert b"Take back" in lea.get(base).content
    assert lea.post(f"{base}/{job.pk}/undo").status_code == 302
    assert Job.objects.filter(kind="bulk", params__undo=job.pk).count() == 1
    assert b"Nothing to take back" in lea.get(base).content


def test_beside_an_item_only_what_is_chosen_is_labelled(lea, tickets):
    form = {"example": "2", "labels": label(tickets)}
    asked = lea.post(f"/projects/{tickets.pk}/bulk/preview", form, follow=True)
    assert asked.redirect_chain[-1][0] == f"/projects/{tickets.pk}/items/2/similar"
    assert "Choose the items to label first." in asked.content.decode()
    chosen = {**form, "items": [tickets.items.get(number=3).pk]}
    seen = lea.post(f"/projects/{tickets.pk}/bulk/preview", chosen)
    assert seen.context["preview"].hits == 1


def test_without_a_choice_the_bar_says_that_all_are_meant(lea, tickets):
    url = f"/projects/{tickets.pk}/explore"
    assert "Nothing chosen: all items" in lea.get(url).content.decode()
    assert "Nothing chosen: all hits" in lea.get(url, {"status": "none"}).content.decode()


def test_a_label_must_be_chosen(lea, tickets):
    response = lea.post(f"/projects/{tickets.pk}/bulk/preview", {"status": "none"})
    assert response.status_code == 422
    assert b"Choose a label first" in response.content


def test_somebody_elses_labelling_cannot_be_taken_back(ben, tickets, cast):
    job = start(tickets, cast.lea, status="none")
    work(job)
    assert ben.post(f"/projects/{tickets.pk}/bulk/{job.pk}/undo").status_code == 403


@pytest.mark.parametrize("rest", ["bulk/preview", "bulk/start"])
def test_annotators_and_strangers_cannot(sign_in, cast, tickets, rest):
    for person in (cast.ana, cast.cleo):
        url = f"/projects/{tickets.pk}/{rest}"
        assert sign_in(person).post(url, {"labels": label(tickets)}).status_code == 404


def test_a_label_of_another_project_is_refused(lea, tickets, cast):
    other = make_project(cast, name="Other")
    form = {"status": "none", "labels": label(other)}
    assert lea.post(f"/projects/{tickets.pk}/bulk/start", form).status_code == 422
    assert not Job.objects.filter(kind="bulk").exists()


def test_who_may_review_no_longer_labels_nothing_by_a_waiting_job(tickets, cast):
    job = start(tickets, cast.ben, status="none")
    tickets.memberships.filter(user=cast.ben).delete()
    with pytest.raises(ForbiddenError):
        work(job)
    assert not standing(tickets).exists()


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_changed_while_all_are_taken_back_stays(tickets, cast):
    job = start(tickets, cast.lea, status="none")
    work(job)
    lea = assigning.voice_of(tickets, cast.lea)
    undo = bulk.undo_bulk(tickets, cast.lea, job)

    def take_back(_):
        try:
            return work(undo)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            changed = revising.revise(
                tickets,
                lea,
                uuid=uuid.uuid4(),
                annotation_uuid=standing(tickets).first().uuid,
                labels=[label(tickets, "Login")],
            )
            undone = threads.submit(take_back, None)
            with pytest.raises(TimeoutError):
                undone.result(timeout=0.7)
        undone.result()
    assert list(standing(tickets)) == [changed]


class TestForms:
    @pytest.fixture
    def form(self, cast):
        """Is it a complaint? Only then: where, marked, and why, in words. A note may be left empty."""
        made = projects.create_project(cast.lea, "Complaints", task_type="form", audit_share=0)
        asked = form_questions.add_question(
            made, "Complaint", labels=[("yes", ""), ("no", ""), ("unclear", "")]
        )
        yes = [asked.labels.get(name="Complaint > yes").pk]
        form_questions.add_question(made, "Where", kind="spans", labels=[("part", "")], only_if=yes)
        form_questions.add_question(made, "Note", kind="text", optional=True)
        make_items(made, 4)
        return Project.objects.get(pk=made.pk)

    def test_many_items_are_asked_what_they_have_in_common_and_taken_back(self, lea, form):
        base = f"/projects/{form.pk}/bulk"
        wish = {"status": "none"}
        asks = lea.post(f"{base}/preview", wish)
        assert "What do 4 items have in common?" in asks.text
        assert "are given item by item" in asks.text
        wish |= {"answered": "1"}
        refused = lea.post(f"{base}/preview", wish)
        assert refused.status_code == 422
        assert "Still to be answered: Complaint" in refused.text
        yes = lea.post(
            f"{base}/preview", wish | {"labels:complaint": label(form, "Complaint > yes")}
        )
        assert yes.status_code == 422
        assert "Labels alone are no answer to “Where”" in yes.text
        no = label(form, "Complaint > no")
        seen = lea.post(f"{base}/preview", wish | {"labels:complaint": no})
        assert seen.context["preview"].fresh == 4
        assert lea.post(f"{base}/start", {"status": "none", "labels": no}).status_code == 302
        job = Job.objects.get(kind="bulk")
        assert work(job) == {"labelled": 4, "hits": 4}
        verdicts = Verdict.objects.filter(project=form)
        assert {(*one.labels, str(one.value)) for one in verdicts} == {
            (no, str({"spans": [], "texts": {}}))
        }
        seen = bulk.preview(form, job.started_by, searching.Filter(status="decided"), [no])
        assert (seen.mine, seen.fresh) == (4, 0)
        assert work(bulk.undo_bulk(form, job.started_by, job)) == {"taken_back": 4}
        assert not Verdict.objects.filter(project=form).exists()

    def test_a_form_whose_every_answer_needs_a_text_says_so_at_once(self, lea, form):
        form_questions.add_question(form, "Summary", kind="text")
        asks = lea.post(f"/projects/{form.pk}/bulk/preview", {"status": "none"}).text
        assert "has a text of its own here (“Summary”)" in asks
        assert "Look first" not in asks

    def test_what_others_decided_the_same_is_told_apart(self, cast, form):
        no, unclear = (label(form, f"Complaint > {name}") for name in ("no", "unclear"))
        join(form, cast.ben, Role.REVIEWER)
        bulk_of = [searching.Filter(status="none"), [no]]
        work(bulk.start_bulk(form, cast.lea, *bulk_of))
        others = searching.Filter(status="decided")
        same = bulk.preview(form, cast.ben, others, [no])
        other = bulk.preview(form, cast.ben, others, [unclear])
        assert (same.decided_same, same.decided_other) == (4, 0)
        assert (other.decided_same, other.decided_other) == (0, 4)
