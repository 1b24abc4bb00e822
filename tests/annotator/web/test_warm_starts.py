"""A start from another project is chosen on a page, over the API and by a command, and refused in words."""

import json

import pytest
from django.core.management import CommandError, call_command

from annotator import jobs
from annotator.actions.students import warming
from annotator.models import (
    Item,
)
from annotator.web import warm_starts as pages
from tests.annotator.pages import Client
from tests.annotator.warmed import ours, start, theirs
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def test_the_page_shows_the_match_takes_a_changed_one_and_refuses_a_name_that_is_none(
    cast, monkeypatch
):
    source, (project, _) = theirs(cast), ours(cast)
    client = Client()
    client.force_login(cast.lea)
    address = f"/projects/{project.pk}/students/start"
    page = client.get(f"{address}?source={source.pk}").content.decode()
    there = {label.name: label.pk for label in source.labels.all()}
    assert f'name="label-{there["delivery"]}" value="Delivery"' in page
    assert f'name="label-{there["Praise"]}" value=""' in page
    assert "Without a counterpart: <strong>Login</strong>." in page
    monkeypatch.setattr(pages, "MOST_ROWS", 2)
    short = client.get(f"{address}?source={source.pk}").content.decode()
    assert "first 2; 1 label more can be matched over the API" in short
    monkeypatch.undo()
    typed = {"source": source.pk, f"label-{there['Praise']}": "Nonsense"}
    refused = client.post(address, typed)
    assert (refused.status_code, "“Nonsense” is no label" in refused.content.decode()) == (
        422,
        True,
    )
    typed |= {f"label-{there['Praise']}": "Login", f"label-{there['Billing']}": "Billing"}
    assert client.post(address, typed).status_code == 302
    found = warming.start_of(project)
    assert [one["called"] for one in found.matches] == ["Billing", "Praise"]
    assert (found.created_by, found.folder) == (cast.lea, "")
    waiting = client.get(f"{address}?source={source.pk}").content.decode()
    assert 'hx-select="#from"' in waiting, "what is typed below stays while it is looked at again"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", ""),
        ("bare", "has no student yet"),
        ("nobody's", "There is no such project with answers of the same kind"),
        ("7000000", "There is no such project with answers of the same kind"),
        ("x", "“x” is not a project&#x27;s number"),
    ],
)
def test_a_project_that_cannot_be_chosen_is_refused_in_words(cast, given, told):
    project, _ = ours(cast)
    others = {name: make_project(cast, name=name) for name in ("bare", "nobody's")}
    others["nobody's"].memberships.all().delete()
    source = others[given].pk if given in others else given
    client = Client()
    client.force_login(cast.lea)
    answer = client.get(f"/projects/{project.pk}/students/start?source={source}")
    page = answer.content.decode()
    assert answer.status_code == (422 if told else 200)
    assert told in page
    assert ('role="alert"' in page) == bool(told)
    assert "Labels of “" not in page


def test_over_the_api_a_source_is_listed_chosen_looked_at_and_withdrawn(cast):
    source, (project, _) = theirs(cast), ours(cast)
    client = Client()
    client.force_login(cast.lea)
    address = f"/api/v1/projects/{project.pk}/students/start"
    (one,) = client.get(f"{address}/sources").json()["results"]
    assert (one["project_id"], len(one["matches"])) == (source.pk, 2)
    body = {
        "project_id": source.pk,
        "matches": [{"theirs": each["theirs"], "ours": each["ours"]} for each in one["matches"]],
    }
    made = client.put(address, json.dumps(body), "application/json")
    assert made.status_code == 202
    jobs.execute(made.json()["id"])
    told = client.get(address).json()["start"]
    assert (told["source_name"], told["taken"], len(told["matches"])) == ("Old", True, 2)
    body["matches"] = [{"theirs": 1, "ours": 1}]
    assert client.put(address, json.dumps(body), "application/json").status_code == 422
    assert client.delete(address).status_code == 204
    assert client.get(address).json() == {"start": None}


def test_the_command_takes_over_with_matches_of_its_own_and_starts_alone_again(cast, capsys):
    source, (project, _) = theirs(cast), ours(cast)
    call_command(
        "train", str(project.pk), start_from="Old", match=["Praise=Login"], wait=True, by="lea"
    )
    assert json.loads(capsys.readouterr().out)["labels"] == 3
    for wrong in ({"match": ["A=B"]}, {"start_from": "Old", "start_alone": True}):
        with pytest.raises(CommandError, match="start-from"):
            call_command("train", str(project.pk), **wrong)
    call_command("train", str(project.pk), start_alone=True)
    assert warming.start_of(project) is None
    assert source.pk


def test_a_refusal_is_told_where_it_was_asked_for(cast):
    source, (project, _) = theirs(cast), ours(cast)
    for number, content in Item.objects.filter(project=source, number__lt=80).values_list(
        "number", "content_hash"
    ):
        Item.objects.filter(project=project, number=number).update(content_hash=content)
    job = start(project, source, cast.lea)
    assert "Import its answers instead" in job.error
    client = Client()
    client.force_login(make_user("other"))
    assert client.get(f"/projects/{project.pk}/students/start").status_code == 404
    client.force_login(cast.lea)
    for address in ("students/start", "students"):
        page = client.get(f"/projects/{project.pk}/{address}").content.decode()
        assert "Import its answers instead" in page
