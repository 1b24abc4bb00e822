"""`manage.py gold` and `alarms`: what the pages do, with the page's rights."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotator.actions.verdicts import alarming
from annotator.models import GoldItem
from tests.annotator.actions.test_gold import gold_project

pytestmark = pytest.mark.django_db


def run(*words):
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_gold_items_are_listed_ended_and_added_again_by_a_file(cast, tmp_path):
    project, (first, second, *_), _ = gold_project(cast)
    listed = run("gold", "--project", str(project.pk))
    assert [line["labels"] for line in listed] == [["Billing"]] * 4
    assert listed[0] | {"id": ""} == {
        "item": first.number,
        "id": "",
        "labels": ["Billing"],
        "note": "It is about an invoice.",
    }
    names = tmp_path / "ids.txt"
    names.write_text(f"#{first.number}\n\n#{second.number}\n")
    left = run("gold", "--project", str(project.pk), "--remove", str(names), "--by", "lea")
    assert [line["item"] for line in left] == [line["item"] for line in listed[2:]]
    run("gold", "--project", str(project.pk), "--add", str(names), "--by", "lea")
    again = GoldItem.objects.standing().get(item=first)
    assert again.created_by == cast.lea
    GoldItem.objects.update(ended_at="2026-01-01T00:00Z")
    assert len(run("gold", "--project", str(project.pk), "--draw", "3")) == 3


def test_what_is_no_item_or_has_no_known_answer_is_refused_by_its_place(cast, tmp_path):
    project, *_ = gold_project(cast)
    names = tmp_path / "ids.txt"
    names.write_text("#0\nnobody\n")
    with pytest.raises(CommandError, match="line 2: the project has no item “nobody”"):
        run("gold", "--project", str(project.pk), "--add", str(names))
    names.write_text("#29\n")
    with pytest.raises(CommandError, match="#29 is not known"):
        run("gold", "--project", str(project.pk), "--add", str(names))
    with pytest.raises(CommandError, match=r"#29 .* is no gold item"):
        run("gold", "--project", str(project.pk), "--remove", str(names))
    with pytest.raises(CommandError, match="has a known answer"):
        run("gold", "--project", str(project.pk), "--query", "xylophone")


def test_a_role_may_no_more_than_on_the_page(cast, monkeypatch):
    project, *_ = gold_project(cast)
    alarm = alarming.Alarm(annotator_id=1, name="Ana", kind="speed", evidence="0.2 s")
    monkeypatch.setattr(alarming, "of", lambda project: [alarm])
    assert run("alarms", "--project", str(project.pk), "--by", "ben")[0]["evidence"] == "0.2 s"
    for name, command in (("ben", "gold"), ("ana", "gold"), ("ana", "alarms"), ("cleo", "alarms")):
        with pytest.raises(CommandError, match="may not do that"):
            run(command, "--project", str(project.pk), "--by", name)
