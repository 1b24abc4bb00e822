"""Teachers over the API: set up, tried, run; the key is never told."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator import jobs
from annotator.models import Annotation, TeacherRun
from tests.annotator.api.conftest import client_of
from tests.annotator.teaching import KEY, PRICES, admin, work_off
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1"


@pytest.fixture
def project(cast):
    made = make_project(cast, audit_share=0)
    make_items(made, 12)
    return made


@pytest.fixture
def server():
    with Loopback(plays.good) as running:
        yield running


def set_up(lea, project, server):
    ada = client_of(admin())
    wish = {"name": "Loopback", "base_url": server.base_url}
    assert lea.post(f"{API}/endpoints", wish).status_code == 403
    endpoint = ada.post(f"{API}/endpoints", wish).json()
    here = f"{API}/projects/{project.pk}/teachers"
    wish = {
        "name": "Fake",
        "plugin": "openai",
        "endpoint_id": endpoint["id"],
        "key": KEY,
        "cap_run": 1000,
        "params": {"model": "fake", **PRICES},
    }
    made = lea.post(here, wish)
    assert made.status_code == 201, made.content
    assert lea.patch(f"{here}/money", {"cap_day": 1000, "cap_project": 1000}).status_code == 200
    return here, made.json()


class TestTeachers:
    def test_from_the_endpoint_to_the_answers(self, lea, project, server):
        here, teacher = set_up(lea, project, server)
        one = f"{here}/{teacher['id']}"
        estimate = lea.get(f"{one}/estimate?items=12").json()
        assert (estimate["items"], estimate["source"]) == (12, "prompts")
        assert 0 < estimate["low"] < estimate["high"]
        seen = lea.get(f"{one}/prompts/written?item=3").json()
        assert ("ticket number 3" in seen["user"], "<<<" in seen["user"]) == (True, True)
        assert "ticket number 3" not in seen["system"]
        assert lea.get(f"{one}/prompts/written?item=99").status_code == 404
        trial = lea.post(f"{one}/try", {}).json()
        work_off(TeacherRun.objects.get(pk=trial["id"]))
        told = lea.get(f"{here}/runs/{trial['id']}").json()
        assert (told["state"], told["answered"], len(told["answers"])) == ("done", 5, 5)
        assert not Annotation.objects.exists()
        run = lea.post(f"{one}/runs", {"items": 12}).json()
        assert lea.post(f"{one}/runs", {"items": 12}).status_code == 409
        work_off(TeacherRun.objects.get(pk=run["id"]))
        told = lea.get(one).json()
        assert told["figures"]["answers"] == 12
        assert float(told["figures"]["spent"]) == pytest.approx(12 * 0.14)
        assert lea.get(f"{one}/runs").json()["results"][0]["state"] == "done"
        assert lea.post(f"{here}/runs/{run['id']}/cancel").status_code == 409

    def test_the_key_is_never_told(self, lea, project, server, caplog):
        here, teacher = set_up(lea, project, server)
        one = f"{here}/{teacher['id']}"
        run = lea.post(f"{one}/runs", {"items": 3}).json()
        work_off(TeacherRun.objects.get(pk=run["id"]))
        seen = [lea.get(url).content.decode() for url in (here, one, f"{here}/runs/{run['id']}")]
        seen += [json.dumps(teacher), caplog.text, lea.get(f"{API}/endpoints").content.decode()]
        seen.append(lea.patch(one, {"key": KEY}).content.decode())
        assert not any(KEY in text for text in seen)
        assert teacher["has_key"] is True

    def test_refusals_are_sentences(self, lea, project, server):
        here, teacher = set_up(lea, project, server)
        one = f"{here}/{teacher['id']}"
        assert lea.patch(one, {"params": {"model": ""}}).status_code == 422
        assert lea.patch(one, {"params": {"nonsense": 1}}).status_code == 422
        assert lea.patch(one, {"endpoint_id": 999}).status_code == 404
        assert lea.post(f"{one}/runs", {"items": 1, "pool": "all"}).status_code == 422
        assert lea.patch(one, {"enabled": False}).json()["enabled"] is False
        answer = lea.post(f"{one}/runs", {"items": 1})
        assert answer.status_code == 409
        assert "switched off" in answer.json()["detail"]
        assert server.requests == []

    def test_a_run_is_cancelled_before_it_begins(self, lea, project, server):
        here, teacher = set_up(lea, project, server)
        run = lea.post(f"{here}/{teacher['id']}/runs", {"items": 3}).json()
        assert lea.post(f"{here}/runs/{run['id']}/cancel").json()["state"] == "cancelled"
        work_off(TeacherRun.objects.get(pk=run["id"]))
        assert server.requests == []

    def test_an_admin_closes_an_endpoint(self, lea, project, server):
        here, teacher = set_up(lea, project, server)
        from annotator.models import User

        ada = client_of(User.objects.get(username="ada"))
        url = f"{API}/endpoints/{teacher['endpoint_id']}"
        assert lea.patch(url, {"enabled": False}).status_code == 403
        assert ada.patch(url, {"enabled": False}).json()["enabled"] is False
        assert lea.post(f"{here}/{teacher['id']}/runs", {"items": 1}).status_code == 409
        assert lea.get(f"{API}/endpoints").json()["results"] == []


class TestOtherKinds:
    def test_answers_made_elsewhere_and_a_committee(self, lea, project):
        here = f"{API}/projects/{project.pk}"
        file = SimpleUploadedFile("a.csv", b"number,label,model\n0,Login,x\n1,Bills,y\n2,,y\n")
        made = lea.post(f"{here}/recordings", {"file": file}, format="multipart").json()
        one = f"{here}/recordings/{made['id']}"
        look = lea.post(f"{one}/preview", {}).json()
        assert look["mapping"]["number"] == "number"
        assert look["models"] == [["y", 2], ["x", 1]]
        assert (look["unknown"], look["mapping"]["answers"]) == ([["Bills", 3, "label"]], [])
        bad = {"mapping": {"label": "label"}}
        assert lea.post(f"{one}/start", bad).status_code == 422
        begun = lea.post(f"{one}/start", {"name": "Old"}).json()
        jobs.execute(begun["job_id"])
        told = lea.get(one).json()
        assert (told["state"], told["report"]["answers"]) == ("done", 3)
        wish = {"name": "Both", "plugin": "committee", "member_ids": told["teacher_ids"]}
        both = lea.post(f"{here}/teachers", wish).json()
        assert both["member_ids"] == told["teacher_ids"]
        refused = lea.patch(f"{here}/teachers/{both['id']}", {"member_ids": [10**6]})
        assert refused.status_code == 404
        assert lea.post(f"{one}/discard").json()["state"] == "done", "what was read stays"
        assert lea.get(f"{here}/recordings").json()["results"][0]["teacher_ids"]

    def test_a_student_of_a_project_that_one_may_not_see_is_not_there(self, cast, lea, project):
        strange = make_project(cast)
        strange.memberships.all().delete()
        wish = {"name": "S", "plugin": "student", "source_id": strange.pk}
        here = f"{API}/projects/{project.pk}/teachers"
        assert lea.post(here, wish).status_code == 404
        made = lea.post(here, wish | {"source_id": project.pk})
        assert made.json()["source_id"] == project.pk
