"""`manage.py teach`: an estimate, a trial and a run, each told as one line."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotator.models import Annotation
from tests.annotator.teaching import teacher_on
from tests.annotator.trusting import Scripted, audited_teacher
from tests.llm import plays
from tests.llm.loopback import Loopback


def run(project, *words):
    out, err = io.StringIO(), io.StringIO()
    args = ("--project", str(project.pk), "--teacher", "Fake", *map(str, words))
    call_command("teach", *args, stdout=out, stderr=err)
    return json.loads(out.getvalue())


@pytest.mark.django_db(transaction=True)
class TestTeach:
    def test_estimates_tries_and_runs(self, cast):
        with Loopback(plays.good) as server:
            project, teacher = teacher_on(server, cast)
            assert run(project, "--items", 12, "--estimate")["source"] == "prompts"
            assert server.requests == []
            tried = run(project, "--items", 3, "--try")
            assert (tried["state"], tried["answered"]) == ("done", 3)
            assert not Annotation.objects.exists()
            told = run(project, "--items", 50)
        assert (told["items"], told["answered"], told["causes"]) == (12, 12, {})
        assert told["money"] == pytest.approx(9 * 0.14)
        assert Annotation.objects.filter(annotator=teacher.voice).count() == 12

    def test_refusals_are_one_sentence(self, cast):
        with Loopback(plays.good) as server:
            project, _ = teacher_on(server, cast)
        with pytest.raises(CommandError, match="no teacher"):
            call_command("teach", "--project", str(project.pk), "--teacher", "Other")
        with pytest.raises(CommandError):
            run(project, "--items", 0)

    def test_tests_and_replays(self, cast, monkeypatch):
        Scripted(monkeypatch)
        with Loopback(plays.good) as server:
            project, _ = audited_teacher(server, cast, audited=32, items=32)
            plan = run(project, "--qualify", "--estimate")
            assert (plan["gold"], plan["missing"]) == (32, 0)
            found = run(project, "--qualify")
            assert (found["state"], found["qualified"]) == ("done", True)
            assert found["report"]["sentences"]
            assert run(project, "--replay")["alarms"] == []
