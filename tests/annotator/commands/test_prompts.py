"""`manage.py prompts`: versions of what a teacher is told."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.annotator.teaching import teacher_on
from tests.llm import plays
from tests.llm.loopback import Loopback


def run(project, *words):
    out = io.StringIO()
    args = ("--project", str(project.pk), "--teacher", "Fake", *map(str, words))
    call_command("prompts", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_versions_are_listed_compared_written_from_a_file_and_restored(cast, tmp_path):
    with Loopback(plays.good) as server:
        project, _ = teacher_on(server, cast, texts=["late parcel"])
    told = tmp_path / "instructions.txt"
    told.write_text("Label tickets.\nBe exact.", encoding="utf-8")
    made = json.loads(run(project, "--new", told, "--demonstrations", 2, "--no-confidence"))
    assert (made["version"], made["told"], made["confidence"]) == (2, True, False)
    listed = [json.loads(line) for line in run(project).splitlines()]
    assert [(row["version"], row["told"]) for row in listed] == [(2, True), (1, False)]
    assert "Be exact." in run(project, "--show", 2).splitlines()
    difference = run(project, "--diff", 1, 2).splitlines()
    assert {"+ Label tickets.", "+ Solved examples shown: 2"} <= set(difference)
    assert "- Solved examples shown: none" in difference
    sent = run(project, "--written", 0)
    assert sent.startswith("Label tickets.")
    assert "late parcel" in sent
    assert json.loads(run(project, "--restore", 1))["version"] == 3
    assert run(project, "--diff", 1, 3).count("+ ") == 0
    assert server.requests == []


@pytest.mark.django_db
def test_refusals_are_one_sentence_and_looking_changes_nothing(cast, tmp_path):
    with Loopback(plays.good) as server:
        project, _ = teacher_on(server, cast, items=1)
    for words, told in (
        (("--show", 9), "no such version"),
        (("--show", 1, "--candidates", 3), "changes nothing"),
        (("--restore", 1, "--reason"), "give no settings"),
        (("--new", tmp_path / "none.txt"), "cannot be read"),
        (("--demonstrations", 99), "50"),
    ):
        with pytest.raises(CommandError, match=told):
            run(project, *words)
    assert len(run(project).splitlines()) == 1
