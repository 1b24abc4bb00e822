"""Teachers in a browser: set up, tried, run, watched, stopped; the key is on no page."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotator import jobs
from annotator.actions.teachers import teacher_runs, teachers
from annotator.models import (
    Annotation,
    Endpoint,
    EndpointKey,
    Job,
    Recording,
    Teacher,
    TeacherAnswer,
    TeacherRun,
)
from tests.annotator.teaching import KEY, admin, teacher_on, work_off
from tests.annotator.web.helpers import teach
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


def test_why_a_teacher_said_something_stands_beside_its_answer(cast, lea):
    project = make_project(cast)
    item = make_items(project, ["Late parcel, " + "and late again " * 20])[0]
    teacher = teachers.create_teacher(project, cast.lea, name="Names", plugin="zero-shot")
    run = TeacherRun.objects.create(project=project, teacher=teacher, state="done")
    word = Annotation.objects.create(
        uuid=uuid.uuid4(),
        project=project,
        item=item,
        annotator=teacher.voice,
        labels=[project.live_labels()[0].pk],
        reason="It <b>waits</b> for a parcel.",
    )
    TeacherAnswer.objects.create(
        project=project, run=run, item=item, annotation=word, labels=word.labels, confidence=0.9
    )
    for url in (
        reverse("teacher_run", args=[project.pk, run.pk]),
        reverse("item", args=[project.pk, item.number]),
    ):
        shown = lea.get(url).content.decode()
        assert "because: “It &lt;b&gt;waits&lt;/b&gt; for a parcel.”" in shown
    assert "…</span>" in lea.get(reverse("teacher_run", args=[project.pk, run.pk])).content.decode()


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


def test_kinds_are_chosen_before_their_settings(cast, lea):
    project = make_project(cast)
    url = reverse("teacher_new", args=[project.pk])
    assert "What kind" in lea.get(url).content.decode()
    assert lea.post(url, {"plugin": "nonsense"}).status_code == 422
    page = lea.get(f"{url}?plugin=zero-shot").content.decode()
    assert 'name="model"' not in page
    assert 'name="model"' in lea.get(f"{url}?plugin=openai").content.decode()


def test_a_teacher_may_be_called_as_its_kind_until_one_is(cast, lea):
    project = make_project(cast)
    address = f"{reverse('teacher_new', args=[project.pk])}?plugin=zero-shot"
    assert lea.get(address).context["form"]["name"].value() == "Label names alone"
    teachers.create_teacher(project, cast.lea, name="Label names alone", plugin="zero-shot")
    assert lea.get(address).context["form"]["name"].value() == ""


def test_a_student_and_a_committee_are_set_up(cast, lea):
    project, strange = make_project(cast), make_project(cast, name="Not mine")
    strange.memberships.all().delete()
    student = teach(project, [[0.9, 0.05, 0.05]])
    for other in (strange, make_project(cast, name="Photos", item_kind="image")):
        teach(other, [[0.9, 0.05, 0.05]])
    url = reverse("teacher_new", args=[project.pk])
    page = lea.get(f"{url}?plugin=student").content.decode()
    assert "Not mine" not in page
    assert "Photos" not in page, "its student reads no texts"
    form = {"plugin": "student", "name": "Own", "mapping": "There = Login\nno sign"}
    answer = lea.post(url, form | {"source": strange.pk})
    assert answer.status_code == 422
    assert "is not “there = here”" in answer.content.decode()
    lea.post(url, form | {"source": project.pk, "mapping": "There = Login"})
    own = Teacher.objects.get()
    assert (own.source, own.params["mapping"]) == (project, {"There": "Login"})
    settings = reverse("teacher_change", args=[project.pk, own.pk])
    assert "There = Login" in lea.get(settings).content.decode()
    lea.post(url, {"plugin": "zero-shot", "name": "Names"})
    form = {"plugin": "committee", "name": "All", "quorum": 1, "cap_run": 1, "members": [own.pk]}
    assert "2 to 20 members" in lea.post(url, form).content.decode()
    everyone = list(Teacher.objects.values_list("pk", flat=True))
    assert lea.post(url, form | {"members": everyone}).status_code == 302
    made = Teacher.objects.get(plugin="committee")
    page = lea.get(reverse("teacher", args=[project.pk, made.pk])).content.decode()
    assert "Names</a>" in page
    assert student.number == 1


def test_a_file_of_answers_is_seen_mapped_decided_and_becomes_a_teacher(cast, lea):
    project = make_project(cast, audit_share=0)
    make_items(project, 4)
    content = (
        "text,what,sure\nticket number 0,billing,0.9\nticket number 1,<b>x</b>,0.9\nno,Login,2\n"
    )
    file = SimpleUploadedFile("gpt.csv", content.encode())
    page = lea.post(reverse("recording_new", args=[project.pk]), {"file": file}, follow=True)
    url = page.redirect_chain[-1][0]
    assert "Say which column holds the answers" in page.content.decode()
    roles = {"role-1": "label", "role-2": "confidence", "name": "GPT in May"}
    page = lea.post(url, roles).content.decode()
    assert "no label of this project" in page
    assert "no confidence between" in page
    assert "<b>x" not in page
    twice = lea.post(url, {"role-1": "label", "role-2": "label"})
    assert "Two columns" in twice.content.decode()
    lea.post(url, roles | {"do": "start"})
    recording = Recording.objects.get()
    assert "Waiting for a worker" in lea.get(url).content.decode()
    jobs.execute(recording.job_id)
    assert lea.get(f"{url}/state")["HX-Refresh"] == "true"
    assert "1 row of 3" in lea.get(url).content.decode()
    lea.post(f"{url}/decide", {"decision": "rest"})
    recording.refresh_from_db()
    jobs.execute(recording.job_id)
    page = lea.get(url).content.decode()
    assert "GPT in May" in page
    assert "&lt;b&gt;x" in page
    assert Teacher.objects.get().name == "GPT in May"


def test_a_prompt_is_edited_seen_compared_and_restored(cast, lea):
    with Loopback(plays.good) as server:
        project, teacher = teacher_on(server, cast)
    url = reverse("teacher_prompt", args=[project.pk, teacher.pk])
    page = lea.get(url).content.decode()
    assert "Labels, by id" in page
    assert "ticket number 3" in lea.get(f"{url}?item=3").content.decode()
    assert "no such item" in lea.get(f"{url}?item=99").content.decode()
    assert "by its number" in lea.get(f"{url}?item=x").content.decode()
    form = {"instructions": "Be <b>brave</b>.", "demonstrations": 2, "candidates": 0}
    assert "Version 2 is told" in lea.post(url, form, follow=True).content.decode()
    page = lea.get(f"{url}?version=2&against=1").content.decode()
    assert "Be &lt;b&gt;brave" in page
    assert "removed" in page
    assert lea.post(url, form | {"demonstrations": 99}).status_code == 422
    restore = reverse("teacher_prompt_restore", args=[project.pk, teacher.pk, 1])
    assert "tells what version 1 told" in lea.post(restore, follow=True).content.decode()


def test_label_words_are_ticked_and_typed(cast, lea):
    project = make_project(cast)
    first, second = project.labels.order_by("pk")[:2]
    words = {str(first.pk): [{"word": "pay back", "texts": 7, "shared": ["Login"]}]}
    Job.objects.create(kind="words", project=project, state="done", result={"words": words})
    url = reverse("label_words", args=[project.pk])
    assert "also Login" in lea.get(url).content.decode()
    form = {f"words-{first.pk}": "refund, money", f"take-{first.pk}": ["pay back"]}
    assert lea.post(url, form | {f"words-{second.pk}": "late\nparcel"}).status_code == 302
    first.refresh_from_db()
    assert first.words == ["refund", "money", "pay back"]
    assert lea.post(url, {f"words-{first.pk}": "x" * 81}).status_code == 422
    lea.post(reverse("label_words_ask", args=[project.pk]))
    assert "Waiting for a worker" in lea.get(url).content.decode()


def test_what_failed_on_the_way_is_no_abstention(cast, lea):
    with Loopback(plays.error(401)) as server:
        project, teacher = teacher_on(server, cast)
        lea.post(reverse("teacher_try", args=[project.pk, teacher.pk]))
        trial = work_off(TeacherRun.objects.get())
    item = project.items.get(number=11)
    labelling = TeacherRun.objects.create(
        project=project, teacher=teacher, state="done", numbers=[11], abstained=1
    )
    TeacherAnswer.objects.create(
        project=project, run=labelling, item=item, abstained="It said that it cannot tell."
    )
    assert trial.abstained
    page = lea.get(reverse("teacher", args=[project.pk, teacher.pk])).content.decode()
    assert page.count(f"{trial.abstained} failed") == 2, "of the teacher, and of the trial"
    assert f"{trial.abstained} abstentions" not in page
    assert page.count("1 abstention") == 2
    page = lea.get(reverse("teachers", args=[project.pk])).content.decode()
    assert f"{trial.abstained} failed" in page
    told = lea.get(f"/api/v1/projects/{project.pk}/teachers/{teacher.pk}").json()["figures"]
    assert (told["abstained"], told["failed"]) == (1, trial.abstained)


def test_a_key_is_withdrawn(cast, lea):
    with Loopback(plays.good) as server:
        project, teacher = teacher_on(server, cast)
    url = reverse("teacher_key_withdraw", args=[project.pk, teacher.pk])
    assert "is forgotten" in lea.post(url, follow=True).content.decode()
    assert not EndpointKey.objects.exists()
    assert lea.post(url).status_code == 409


def test_home_offers_model_servers_of_this_machine_to_admins(cast, lea, sign_in):
    ada = sign_in(admin())
    assert "127.0.0.1:11434" in ada.get("/").content.decode()
    assert "127.0.0.1:11434" not in lea.get("/").content.decode()
    ada.post("/endpoints", {"name": "Ollama", "base_url": "http://127.0.0.1:11434/v1"})
    assert Endpoint.objects.get().name == "Ollama"
    assert "127.0.0.1" not in ada.get("/").content.decode()
