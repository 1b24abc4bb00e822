"""`manage.py webhooks` and `sweep --once`: an operator without a browser is told too."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotator.actions.instance import sweeping
from annotator.actions.webhooks import courier
from annotator.models import Webhook, WebhookHost
from tests.annotator.hooked import SOUND, verified
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words):
    out = io.StringIO()
    call_command("webhooks", *words, stdout=out, stderr=io.StringIO())
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_operator_adds_tests_and_removes_one(project):
    number = str(project.pk)
    with Loopback(SOUND) as server:
        url = f"http://127.0.0.1:{server.port}/in"
        with pytest.raises(CommandError, match="not on this server's list"):
            run("--project", number, "--add", url)
        assert run("--allow", url) == [{"host": "127.0.0.1", "port": server.port, "private": False}]
        [made] = run("--project", number, "--add", url, "--by", "lea", "--events", "job.failed")
        assert (made["name"], made["events"]) == ("127.0.0.1", ["job.failed"])
        assert Webhook.objects.get().created_by.username == "lea"
        hook = str(made["webhook"])
        run("--project", number, "--test", hook)
        call_command("sweep", "--once")
        verified(server.requests[0], made["secret"])
    [told] = run("--project", number, "--deliveries", hook)
    assert (told["type"], told["state"], told["status"]) == ("webhook.test", "delivered", 204)
    [off] = run("--project", number, "--off", hook)
    assert off["enabled"] is False
    assert run("--project", number, "--remove", hook) == []
    assert run("--project", number) == []
    assert run("--withdraw", url) == []
    assert not WebhookHost.objects.exists()


def test_others_than_managers_add_none(project):
    run("--allow", "https://hooks.example.org")
    with pytest.raises(CommandError, match="may not do that"):
        run("--project", str(project.pk), "--add", "https://hooks.example.org/", "--by", "ana")
    with pytest.raises(CommandError, match="There is no webhook 7"):
        run("--project", str(project.pk), "--test", "7")


def test_a_defect_of_the_sweeping_ends_the_process_so_that_it_is_started_again(monkeypatch):
    def broken():
        raise ZeroDivisionError

    stopped = []
    monkeypatch.setattr(sweeping, "sweep", broken)
    monkeypatch.setattr(courier, "deliver_until", lambda stop: stopped.append(stop.wait(60)))
    with pytest.raises(ZeroDivisionError):
        call_command("sweep")
    assert stopped == [True], "the courier would have kept it alive"
