"""Progress: what a lead reads, whom it is shown to, and how it is polled."""

import uuid

import pytest
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.verdicts import settling
from annotator.models import Job, JobState, StudentVersion
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def lea(client, cast):
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def url(project, rest="progress"):
    return f"/projects/{project.pk}/{rest}"


def answer_all(project, voice, name="Billing"):
    label = project.labels.get(name=name).pk
    while leases := assigning.lease(project, voice, 3):
        for lease in leases:
            labeling.submit(
                project,
                voice,
                uuid=uuid.uuid4(),
                assignment_id=lease.pk,
                labels=[label],
                seconds=4.0,
            )
    settling.settle_now(project)


def student(project, number, **fields):
    fields = {
        "kind": "head",
        "state": "ready",
        "trained_on": number * 10,
        "accuracy": 0.8,
        "accuracy_low": 0.7,
        "accuracy_high": 0.88,
        "evaluated_on": 60,
        "estimate": "audit",
        **fields,
    }
    return StudentVersion.objects.create(project=project, number=number, **fields)


def test_an_empty_project_teaches(lea, project):
    text = lea.get(url(project)).content.decode()
    assert "There is no student yet" in text
    assert "No student was measured yet" in text
    assert "Nobody has answered yet" in text


def test_answers_pace_and_balance_are_counted(lea, project, cast):
    answer_all(project, assigning.voice_of(project, cast.ana))
    response = lea.get(url(project))
    assert response.context["decided"] == 12
    (ana,) = response.context["speeds"]
    assert (ana.answers, ana.median_seconds, ana.per_hour) == (12, 4.0, 900.0)
    assert [(bar.name, bar.count) for bar in response.context["balance"]] == [
        ("Billing", 12),
        ("Delivery", 0),
        ("Login", 0),
    ]


def test_the_audit_sample_says_what_is_drawn_and_answered(lea, project, cast):
    project.audit_share, project.audit_cutoff = 1.0, 1.0
    project.audit_size = 12
    project.save()
    answer_all(project, assigning.voice_of(project, cast.ana))
    fill = lea.get(url(project)).context["fill"]
    assert sum(part.answered for part in fill) == 12
    assert [part.wanted for part in fill] == [7, 3, 2]


def test_the_sentence_gives_the_interval_and_where_it_was_measured(lea, project):
    project.current_student = student(project, 1)
    project.save()
    summary = lea.get(url(project)).context["summary"]
    assert "80 % accurate, between 70 and 88 %" in summary
    assert "on a random sample of 60 items" in summary


def test_an_out_of_fold_figure_is_named_as_such(lea, project):
    make_items(project, 500)
    project.refresh_from_db()
    project.current_student = student(project, 1, estimate="out-of-fold")
    project.save()
    summary = lea.get(url(project)).context["summary"]
    assert "cross-validated" in summary
    assert "50 more evaluation answers" in summary


def test_a_wide_interval_is_said_to_be_too_wide(lea, project):
    project.current_student = student(project, 1, accuracy_low=0.6, accuracy_high=0.95)
    project.save()
    assert "too wide to decide on" in lea.get(url(project)).context["summary"]


def test_the_curve_is_an_image_with_its_numbers(lea, project):
    for number in range(1, 5):
        student(project, number, accuracy=0.6 + number / 20)
    text = lea.get(url(project)).content.decode()
    assert 'role="img"' in text
    assert 'class="band"' in text
    assert "Figures of the curve" in text


@pytest.mark.parametrize(
    ("who", "status"), [("lea", 200), ("ben", 200), ("ana", 404), ("cleo", 404)]
)
def test_who_may_look(client, cast, project, who, status):
    client.force_login(
        getattr(cast, who), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert client.get(url(project)).status_code == status
    assert client.get(url(project, "jobs/all")).status_code == status


def test_a_poll_is_answered_304_until_something_moves(lea, project):
    job = jobs.enqueue("encode", project=project)
    first = lea.get(url(project, "jobs/all"))
    assert "waits for a worker" in first.content.decode()
    again = lea.get(url(project, "jobs/all"), HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, done=5, total=10)
    moved = lea.get(url(project, "jobs/all"), HTTP_IF_NONE_MATCH=first["ETag"])
    assert moved.status_code == 200


def test_work_is_told_in_items_where_its_steps_are_items_and_in_percent_elsewhere(lea, project):
    for kind, told in (("encode", "1,100 of 2,000 items"), ("finetune", "55\u202f%")):
        job = jobs.enqueue(kind, project=project)
        Job.objects.filter(pk=job.pk).update(state="running", done=1_100, total=2_000)
        assert told in lea.get(url(project, "jobs/all")).content.decode()
        Job.objects.filter(pk=job.pk).update(state="done")


def test_long_work_is_listed_however_much_came_and_went_since(lea, project):
    """A training that steps back leaves a job every half minute."""
    long = Job.objects.create(kind="finetune", queue="train", project=project, state="running")
    Job.objects.bulk_create(
        Job(kind="background", queue="train", project=project, state="done") for _ in range(70)
    )
    assert f"cancel-{long.pk}" in lea.get(url(project, "jobs/students")).content.decode()


@pytest.mark.parametrize(
    ("page", "group", "told"),
    [
        ("exports", "exports", ""),
        ("review/report", "review", "No look at the labels is under way."),
        ("progress", "all", "No work in the background. Imports, encoding"),
    ],
)
def test_where_nothing_is_at_work_a_poll_says_what_the_page_said(lea, project, page, group, told):
    polled = lea.get(url(project, f"jobs/{group}")).content.decode()
    assert told in lea.get(url(project, page)).content.decode()
    assert told in polled
    assert ("<p" in polled) is bool(told)


def test_a_step_that_is_the_whole_work_is_named_once(lea, project):
    job = jobs.enqueue("map", project=project)
    Job.objects.filter(pk=job.pk).update(state="running", message="Drawing the map")
    text = lea.get(url(project, "jobs/map")).content.decode()
    assert text.count("Drawing the map") == 3  # the name, its progress bar's and its button's
    assert "at work" in text


def test_work_whose_worker_died_is_said_to_wait(lea, project):
    job = jobs.enqueue("encode", project=project)
    gone = timezone.now() - timezone.timedelta(minutes=5)
    Job.objects.filter(pk=job.pk).update(state="running", done=5, total=9, lease_until=gone)
    text = lea.get(url(project, "jobs/all")).content.decode()
    assert "waits for a worker" in text
    assert "5 of 9" not in text


def test_work_that_waits_says_what_its_worker_is_busy_with(lea, project, cast):
    waiting = jobs.enqueue("bakeoff", project=project)
    assert "waits for a worker</span>" in lea.get(url(project, "jobs/all")).content.decode()
    first = lea.get(url(project, "jobs/all"))["ETag"]
    soon = timezone.now() + timezone.timedelta(minutes=1)
    running = jobs.enqueue("finetune", project=make_project(cast, name="Secret"))
    Job.objects.filter(pk=running.pk).update(state="running", lease_until=soon)
    told = lea.get(url(project, "jobs/all"), HTTP_IF_NONE_MATCH=first).content.decode()
    assert "busy with “Training another student” for another project" in told
    assert "Secret" not in told
    Job.objects.filter(pk=running.pk).update(project=project)
    told = lea.get(url(project, "jobs/all")).content.decode()
    assert "busy with “Training another student”</span>" in told
    Job.objects.filter(pk=running.pk).update(state="done")
    Job.objects.filter(pk=waiting.pk).update(due_at=soon, done=5, total=10)
    told = lea.get(url(project, "jobs/all")).content.decode()
    assert f"50\u202f% done, begins at {soon:%H:%M} at the soonest" in told


def test_a_student_that_waits_for_the_encoding_is_said_to_be_on_its_way(lea, project, cast):
    answer_all(project, assigning.voice_of(project, cast.ana))
    jobs.enqueue("encode", project=project)
    for page in ("progress", "students"):
        assert "The first student is on its way" in lea.get(url(project, page)).content.decode()


def test_a_manager_cancels_a_job_and_a_reviewer_only_their_own(client, lea, project, cast):
    job = jobs.enqueue("encode", project=project)
    client.force_login(cast.ben, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(url(project, f"jobs/{job.pk}/cancel")).status_code == 403
    own = jobs.enqueue("encode", project=project, started_by=cast.ben)
    assert client.post(url(project, f"jobs/{own.pk}/cancel")).status_code == 302
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(url(project, f"jobs/{job.pk}/cancel")).status_code == 302
    states = set(Job.objects.values_list("state", flat=True))
    assert states == {JobState.CANCELLED}
    assert client.get(url(project, f"jobs/{job.pk}/cancel")).status_code == 405


def test_another_projects_job_is_not_found(lea, project):
    job = jobs.enqueue("encode")
    assert lea.post(url(project, f"jobs/{job.pk}/cancel")).status_code == 404


def test_the_number_of_queries_does_not_grow(lea, project, cast, django_assert_max_num_queries):
    answer_all(project, assigning.voice_of(project, cast.ana))
    for number in range(1, 8):
        student(project, number)
        jobs.enqueue("encode", project=project)
    with django_assert_max_num_queries(23):
        lea.get(url(project))
