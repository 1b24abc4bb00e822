"""Teachers in a browser: set up, tried, run, watched, stopped; the key is on no page."""

import pytest
from django.urls import reverse

from annotator.actions import teacher_runs
from annotator.models import Endpoint, Teacher, TeacherRun
from tests.annotator.teaching import KEY, admin, teacher_on, work_off
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {
    "name": "Fake",
    "plugin": "openai",
    "model": "fake",
    "key": KEY,
    "price_in": "1000",
    "price_out": "4000",
    "cap_run": "1000",
    "batch_size": "1",
    "concurrency": "4",
}


def test_from_the_endpoint_to_the_answers(cast, lea, sign_in):
    project = make_project(cast, audit_share=0)
    make_items(project, ["where is <b>my</b> parcel?", *(f"ticket {n}" for n in range(11))])
    ada = sign_in(admin())
    url = reverse("teachers", args=[project.pk])
    assert "No teacher yet" in lea.get(url).content.decode()
    with Loopback(plays.good) as server:
        page = ada.post("/endpoints", {"name": "Local", "base_url": server.base_url}, follow=True)
        assert "Local may be called" in page.content.decode()
        form = FORM | {"endpoint": Endpoint.objects.get().pk}
        page = lea.post(reverse("teacher_new", args=[project.pk]), form, follow=True)
        teacher = Teacher.objects.get()
        assert page.redirect_chain[-1][0] == reverse("teacher", args=[project.pk, teacher.pk])
        assert "by the length of a few prompts" in page.content.decode()
        caps = {"cap_day": "1000", "cap_project": "1000"}
        assert lea.post(reverse("teachers_money", args=[project.pk]), caps).status_code == 302
        lea.post(reverse("teacher_try", args=[project.pk, teacher.pk]))
        trial = TeacherRun.objects.get()
        waiting = lea.get(reverse("teacher_run", args=[project.pk, trial.pk])).content.decode()
        assert "Waiting for a worker" in waiting
        work_off(trial)
        page = lea.get(reverse("teacher_run", args=[project.pk, trial.pk])).content.decode()
        assert "What it said" in page
        assert "&lt;b&gt;my" in page or "parcel" not in page
        form = {"items": "12", "pool": "open"}
        lea.post(reverse("teacher_begin", args=[project.pk, teacher.pk]), form)
        work_off(TeacherRun.objects.latest("pk"))
    shown = [
        lea.get(reverse("teacher", args=[project.pk, teacher.pk])).content.decode(),
        lea.get(reverse("teacher_change", args=[project.pk, teacher.pk])).content.decode(),
        lea.get(url).content.decode(),
        lea.get(reverse("annotators", args=[project.pk])).content.decode(),
        ada.get("/endpoints").content.decode(),
    ]
    assert "1.68" in shown[0]
    assert "has a key" in shown[1]
    assert not any(KEY in page for page in shown)


def test_what_is_wrong_stands_beside_its_field(cast, lea):
    project = make_project(cast)
    make_items(project, 3)
    url = reverse("teacher_new", args=[project.pk])
    answer = lea.post(url, FORM)
    assert answer.status_code == 422
    assert "Choose the endpoint" in answer.content.decode()
    assert KEY not in answer.content.decode()
    answer = lea.post(url, FORM | {"plugin": "zero-shot", "name": "Names"})
    assert answer.status_code == 302
    assert Teacher.objects.get().endpoint is None


def test_a_run_is_watched_and_stopped(cast, lea, ben):
    with Loopback(plays.good) as server:
        project, teacher = teacher_on(server, cast)
    run = teacher_runs.start_run(project, teacher, None, 5)
    state = reverse("teacher_run_state", args=[project.pk, run.pk])
    assert "0 of 5 items" in lea.get(state).content.decode()
    assert 'id="answers"' in lea.get(f"{state}?seen=3").content.decode()
    assert "Cancel" not in ben.get(state).content.decode(), "a reviewer looks on"
    lea.post(reverse("teacher_run_cancel", args=[project.pk, run.pk]))
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert lea.get(state)["HX-Refresh"] == "true"


def test_a_teacher_is_switched_off_and_says_so(cast, lea):
    with Loopback(plays.good) as server:
        project, teacher = teacher_on(server, cast)
    for _ in range(2):  # two leads, or a page that is old: off stays off
        lea.post(reverse("teacher_switch", args=[project.pk, teacher.pk]), {"enabled": "0"})
    page = lea.get(reverse("teacher", args=[project.pk, teacher.pk])).content.decode()
    assert "switched off" in page
    form = {"items": "5", "pool": "open"}
    answer = lea.post(reverse("teacher_begin", args=[project.pk, teacher.pk]), form)
    assert answer.status_code == 422
    assert "switched off" in answer.content.decode()
    asked = reverse("teacher_estimate", args=[project.pk, teacher.pk])
    assert "will cost" in lea.get(f"{asked}?items=7&pool=open").content.decode()
    assert "Enter a number" in lea.get(f"{asked}?items=x&pool=open").content.decode()


def test_only_admins_see_the_list_of_endpoints(cast, lea):
    assert lea.get("/endpoints").status_code == 403
