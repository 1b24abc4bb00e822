"""The commands about accounts and projects: one action each, refusals in one sentence."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from annotator.actions.projects import projects
from annotator.models import Annotation, Invitation, Item, LedgerEntry, Membership, Project, User
from tests.factories import PASSWORD

OURS = (
    *("create_user", "create_token", "create_project", "reset_password", "invite", "simulate"),
    *("doctor", "backup", "restore", "upgrade", "purge", "redact", "gold", "alarms"),
)


def run(*words, typed="", monkeypatch=None):
    out = io.StringIO()
    if monkeypatch is not None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


@pytest.mark.parametrize("name", OURS)
def test_help_teaches_by_example(name):
    command = load_command_class(get_commands()[name], name)
    told = command.create_parser("manage.py", name).format_help()
    assert command.help.split(".")[0][:40] in " ".join(told.split())
    assert f"manage.py {name}" in told.split("Example", 1)[1]


@pytest.mark.django_db
class TestAccounts:
    def test_makes_an_account_with_a_piped_password(self, monkeypatch):
        run("create_user", "lea", "--admin", typed=f"{PASSWORD}\n", monkeypatch=monkeypatch)
        lea = User.objects.get(username="lea")
        assert lea.check_password(PASSWORD)
        assert lea.is_superuser

    def test_refuses_a_weak_password_in_one_sentence(self, monkeypatch):
        with pytest.raises(CommandError, match="too short") as refused:
            run("create_user", "lea", typed="abc\n", monkeypatch=monkeypatch)
        assert "\n" not in str(refused.value)
        assert not User.objects.exists()

    def test_a_token_opens_the_api(self, cast, client):
        secret = run("create_token", "lea", "--days", "2")
        answer = client.get("/api/v1/whoami", headers={"Authorization": f"Token {secret}"})
        assert answer.json()["username"] == "lea"

    def test_a_reset_link_ends_tokens(self, cast, client):
        from annotator.actions.projects import people

        secret = run("create_token", "ana")
        link = run("reset_password", "ana@example.org")
        assert link.startswith("http://127.0.0.1:8000/")
        people.use_reset_link(link.rstrip("/").rsplit("/", 1)[1], "another long password")
        answer = client.get("/api/v1/whoami", headers={"Authorization": f"Token {secret}"})
        assert answer.status_code == 401

    def test_a_stranger_is_named(self, db):
        with pytest.raises(CommandError, match="no account “nobody”"):
            run("reset_password", "nobody")


@pytest.mark.django_db
class TestProjects:
    def test_makes_a_project_with_labels(self, cast):
        number = run("create_project", "Topics", "--owner", "lea", "--label", "A", "--label", "B")
        project = Project.objects.get(pk=number)
        assert [label.name for label in project.live_labels()] == ["A", "B"]
        assert project.role_of(cast.lea) == "owner"

    def test_refuses_what_the_action_refuses(self, cast):
        with pytest.raises(CommandError, match="does not read"):
            run("create_project", "X", "--owner", "lea", "--items", "image", "--encoder", "minilm")

    def test_invites_by_name_or_number(self, project, cast):
        from annotator.actions.projects import people

        link = run("invite", "Tickets", "--role", "viewer", "--uses", "2")
        people.accept_invitation(link.rstrip("/").rsplit("/", 1)[1], cast.cleo)
        assert Membership.objects.get(user=cast.cleo).role == "viewer"
        run("invite", str(project.pk))
        assert Invitation.objects.count() == 2
        with pytest.raises(CommandError, match="Only an owner"):
            run("invite", "Tickets", "--role", "manager", "--by", "ana")

    def test_two_projects_of_one_name_need_a_number(self, cast):
        for _ in range(2):
            projects.create_project(cast.lea, "Twins")
        with pytest.raises(CommandError, match="number instead"):
            run("invite", "Twins")
        with pytest.raises(CommandError, match="There are: "):
            run("invite", "Triplets")


@pytest.mark.django_db(transaction=True)
class TestRemoving:
    def test_purges_only_deleted_projects_and_only_when_meant(self, project, cast):
        with pytest.raises(CommandError, match="not deleted"):
            run("purge", str(project.pk), "--yes")
        said = speak(project, cast.ana, "secret")
        projects.delete_project(project)
        assert "Tickets" in run("purge")
        with pytest.raises(CommandError, match="--yes"):
            run("purge", str(project.pk))
        assert "1 annotations" in run("purge", str(project.pk), "--yes")
        assert not Project.objects.filter(pk=project.pk).exists()
        assert not Annotation.objects.filter(pk=said.pk).exists()

    def test_redacts_an_item_and_keeps_the_ledger_whole(self, project, cast):
        from annotator.actions.verdicts import sealing

        said = speak(project, cast.ana, "their name is Bob")
        sealing.seal(project)
        with pytest.raises(CommandError, match="--yes"):
            run("redact", "--item", "Tickets", str(said.item.number))
        run("redact", "--item", "Tickets", str(said.item.number), "--yes")
        item = Item.objects.get(pk=said.item_id)
        assert (item.text, item.meta) == ("", {})
        said.refresh_from_db()
        assert said.comment == ""
        assert said.labels
        assert LedgerEntry.objects.get(annotation=said).redacted_at is not None
        assert sealing.verify(project) == []

    def test_redacts_one_annotation(self, project, cast):
        said = speak(project, cast.ana, "their name is Bob")
        run("redact", "--annotation", str(said.uuid), "--yes")
        said.refresh_from_db()
        assert said.comment == ""
        with pytest.raises(CommandError, match="not a UUID"):
            run("redact", "--annotation", "x", "--yes")

    def test_redacts_a_person_but_not_a_project_s_only_owner(self, project, cast, client):
        said = speak(project, cast.ana, "I am Ana")
        secret = run("create_token", "ana")
        run("redact", "--person", "ana", "--yes")
        cast.ana.refresh_from_db()
        assert (cast.ana.username, cast.ana.email) == (f"removed-{cast.ana.pk}", "")
        said.refresh_from_db()
        assert said.comment == ""
        assert said.annotator.name == f"removed-{cast.ana.pk}"
        answer = client.get("/api/v1/whoami", headers={"Authorization": f"Token {secret}"})
        assert answer.status_code == 401
        with pytest.raises(CommandError, match="only owner of “Tickets”"):
            run("redact", "--person", "lea", "--yes")

    def test_redacting_forgets_the_vector(self, cast):
        import numpy as np

        from annotator.actions.encoders import encoding
        from tests.annotator.actions.test_loop import make_pool, work

        project, _, _ = make_pool(cast, 12)
        encoding.wish_encoding(project)
        work()
        project.refresh_from_db()
        matrix = encoding.open_matrix(encoding.current_encoding(project))
        assert np.abs(matrix.view()[3]).sum() > 0
        run("redact", "--item", "Tickets", "3", "--yes")
        assert np.abs(matrix.view()[3]).sum() == 0
        assert np.abs(matrix.view()[4]).sum() > 0


def speak(project, user, comment):
    """One answer with a comment."""
    import uuid

    from annotator.actions.desk import assigning, labeling

    voice = assigning.voice_of(project, user)
    lease = assigning.lease(project, voice, 1)[0]
    return labeling.submit(
        project,
        voice,
        uuid=uuid.uuid4(),
        assignment_id=lease.pk,
        labels=[project.labels.first().pk],
        comment=comment,
    )
