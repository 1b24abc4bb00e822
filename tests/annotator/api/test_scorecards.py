"""Scorecards, tests and replays over the API."""

import pytest

from annotator.actions.trust import calibrating
from annotator.models import Job, TeacherRun
from tests.annotator.audited import running
from tests.annotator.teaching import work_off
from tests.annotator.trusting import Scripted, audited_teacher
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_the_test_to_the_scorecard(cast, lea, monkeypatch):
    Scripted(monkeypatch)
    with Loopback(plays.good) as server:
        project, teacher = audited_teacher(server, cast, audited=80, items=80)
    here = f"/api/v1/projects/{project.pk}"
    one = f"{here}/teachers/{teacher.pk}"
    plan = lea.get(f"{one}/tests/plan?items=30").json()
    assert (plan["gold"], plan["missing"]) == (30, 0)
    assert lea.post(f"{one}/tests", {"items": 10}).status_code == 422
    run = lea.post(f"{one}/tests", {}).json()
    assert run["kind"] == "qualify"
    work_off(TeacherRun.objects.get(pk=run["id"]))
    (found,) = lea.get(f"{one}/tests").json()["results"]
    assert (found["qualified"], found["items_per_prompt"]) == (True, 40)
    assert found["report"]["sentences"]
    run = lea.post(f"{one}/replays").json()
    work_off(TeacherRun.objects.get(pk=run["id"]))
    (replay,) = lea.get(f"{one}/replays").json()["results"]
    assert (replay["alarms"], replay["qualification_id"]) == ([], found["id"])
    run = lea.post(f"{one}/runs", {"items": 100, "pool": "audited"}).json()
    work_off(TeacherRun.objects.get(pk=run["id"]))
    assert lea.post(f"{here}/teachers/calibrate").status_code == 202
    assert Job.objects.filter(kind="calibrate", state="queued").exists()
    calibrating.run_calibrate(running(project, "calibrate"))
    card = lea.get(f"{here}/scorecards/{teacher.voice_id}").json()
    assert (card["shared"], card["right"], card["kind"]) == (80, 64, "teacher")
    assert card["accuracy"]["low"] < 0.8 < card["accuracy"]["high"]
    trust = card["teacher"]
    assert trust["standing"]["may_label"] is True
    assert (trust["calibration"]["is_fitted"], trust["calibration"]["answers"]) == (True, 40)
    assert trust["costs"]["answered"] == 80
    told = {each["kind"]: each for each in lea.get(f"{here}/scorecards").json()}
    assert (told["person"]["missing"], told["teacher"]["missing"]) == (30, 0)
    assert lea.get(f"{here}/scorecards/999999").status_code == 404
