"""Webhooks on bad days: whatever the receiver does, nothing is lost, doubled or out of order."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotator import outbox
from annotator.actions.webhooks import courier, hosts, letters, packing, webhooks
from annotator.models import Delivery, Project, Webhook, WebhookHost
from tests.annotator.hooked import SOUND, allow, deliver, hook_to, make_due, told
from tests.llm.loopback import (
    Loopback,
    cut,
    endless,
    hang_up,
    not_http,
    redirect,
    silent,
    text,
)

pytestmark = pytest.mark.django_db(transaction=True)


class TestFaults:
    @pytest.mark.parametrize(
        ("play", "words"),
        [
            (text(b"", 500), "500 Internal Server Error"),
            (text(b"", 404), "404 Not Found"),
            (redirect("http://127.0.0.1:1/"), "redirect"),
            (not_http, "speaks no HTTP"),
            (cut, "cut its answer short"),
            (hang_up, "cut its answer short"),
            (endless, "larger than"),
            (silent, "did not answer in time"),
        ],
        ids=["500", "404", "redirect", "garbage", "cut", "hang up", "endless", "silent"],
    )
    @pytest.mark.usefixtures("long_pauses")
    def test_a_fault_is_told_and_the_same_message_sent_again(
        self, project, play, words, monkeypatch
    ):
        # Only for an answer that never comes; what does come may take its time on a busy machine.
        quick = replace(letters.LIMITS, whole_seconds=0.6, silence_seconds=0.6)
        usual = letters.LIMITS
        monkeypatch.setattr(letters, "LIMITS", quick if play is silent else usual)
        with Loopback([play, play, SOUND]) as server:
            allow(server)
            made, secret = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            outbox.note(project.pk, "job.failed", {"job": 2})
            assert deliver() == 1, "what comes after a failed one waits for it"
            row = Delivery.objects.earliest("pk")
            assert words in row.error
            assert (row.state, row.tries) == ("waiting", 1)
            made.refresh_from_db()
            assert made.retry_at > timezone.now()
            assert deliver() == 0, "not before the pause is over"
            make_due()
            deliver()
            monkeypatch.setattr(letters, "LIMITS", usual)
            make_due()
            deliver()
            payloads = told(server, secret)
        assert [each["data"]["job"] for each in payloads] == [1, 1, 1, 2]
        assert len({each["id"] for each in payloads[:3]}) == 1
        assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}

    def test_nothing_of_the_answer_or_the_path_is_kept_or_logged(self, project, caplog):
        caplog.set_level("DEBUG")
        with Loopback(text(b"SECRET-ANSWER", 500)) as server:
            allow(server)
            _, secret = hook_to(server, project, path="/hidden-token")
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
        shown = caplog.text + str(list(Delivery.objects.values()))
        assert "SECRET-ANSWER" not in shown
        assert "hidden-token" not in shown
        assert secret[6:] not in shown

    def test_gone_switches_it_off_at_once(self, project):
        with Loopback(text(b"", 410)) as server:
            allow(server)
            made, _ = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
            made.refresh_from_db()
            assert (made.enabled, made.went_off) == (False, True)
            assert "410 Gone" in made.off_reason
            outbox.note(project.pk, "job.failed", {"job": 2})
            make_due()
            assert deliver() == 0
        assert Delivery.objects.count() == 1, "while it is off, nothing is kept for it"

    @pytest.mark.usefixtures("long_pauses")
    def test_a_day_of_failures_switches_it_off_and_on_again_it_goes_on(self, project):
        with Loopback([text(b"", 500), text(b"", 500), text(b"", 500), SOUND]) as server:
            allow(server)
            made, _ = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
            made.refresh_from_db()
            assert made.enabled
            Delivery.objects.update(first_tried_at=timezone.now() - timedelta(hours=25))
            make_due()
            deliver()
            made.refresh_from_db()
            assert not made.enabled
            assert made.off_reason.startswith("It failed for 24 hours, 2 times.")
            webhooks.change(made, enabled=True)
            deliver()
            made.refresh_from_db()
            assert made.enabled, "its day begins anew"
            make_due()
            deliver()
        assert Delivery.objects.get().state == "delivered"
        assert len({json.loads(each["body"])["id"] for each in server.requests}) == 1

    def test_a_receiver_that_asks_for_time_gets_it(self, project):
        with Loopback(text(b"", 429, {"Retry-After": "1200"})) as server:
            allow(server)
            made, _ = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
        made.refresh_from_db()
        assert made.retry_at > timezone.now() + timedelta(seconds=1100)

    def test_pauses_grow_and_chance_draws_them(self):
        early = [packing.pause_seconds(1) for _ in range(200)]
        late = [packing.pause_seconds(30) for _ in range(200)]
        assert min(early) >= 1
        assert max(early) <= packing.FIRST_PAUSE_SECONDS
        assert max(late) <= packing.LONGEST_PAUSE_SECONDS
        assert len(set(late)) == 200
        assert sum(late) / 200 > 1000

    def test_a_host_taken_off_the_list_is_called_no_more(self, project, sound):
        hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        hosts.withdraw(None, WebhookHost.objects.get().pk)
        deliver()
        assert sound.requests == []
        assert "is not on this server's list" in Delivery.objects.get().error

    def test_two_couriers_at_once_send_nothing_twice(self, project, sound):
        hook_to(sound, project)
        for number in range(20):
            outbox.note(project.pk, "job.failed", {"job": number})
        with courier.Courier() as one, courier.Courier() as other:
            one.look()
            other.look()
            one.wait()
            other.wait()
        deliver()
        assert [each["data"]["job"] for each in told(sound)] == list(range(20))

    def test_an_import_that_holds_the_project_holds_up_no_event(self, project, sound):
        hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        with transaction.atomic():
            Project.objects.select_for_update(no_key=True).get(pk=project.pk)
            turn = threading.Thread(target=courier.deliver_due)
            turn.start()
            turn.join(60)
            heard = len(sound.requests)
        turn.join()
        assert heard == 1

    def test_a_courier_that_lost_its_lease_writes_nothing(self, project):
        def lose(request, wire):
            Webhook.objects.update(lease=1)
            connection.close()  # this thread's own
            wire.send(b"", 204)

        with Loopback([lose, SOUND]) as server:
            allow(server)
            hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
            assert Delivery.objects.get().state == "waiting"
            Webhook.objects.update(leased_until=None)
            deliver()
        assert Delivery.objects.get().state == "delivered"
        assert len(server.requests) == 2

    def test_a_bug_at_one_webhook_is_told_there_and_stops_no_other(
        self, project, sound, monkeypatch
    ):
        broken, _ = hook_to(sound, project, events=["job.failed"])
        hook_to(sound, project, events=["snapshot.ready"])
        outbox.note(project.pk, "job.failed", {"job": 1})
        outbox.note(project.pk, "snapshot.ready", {"snapshot": 1})
        webhooks.send_test(broken)
        send = letters.send

        def faulty(way, delivery, stop):
            if delivery.webhook_id == broken.pk:
                raise ZeroDivisionError
            return send(way, delivery, stop)

        monkeypatch.setattr(letters, "send", faulty)
        deliver()
        assert [each["type"] for each in told(sound)] == ["snapshot.ready"]
        test = Delivery.objects.get(type="webhook.test")
        assert (test.state, "ZeroDivisionError" in test.error) == ("failed", True)
        broken.refresh_from_db()
        assert broken.retry_at > timezone.now() + timedelta(minutes=5)
        assert broken.leased_until is None
        assert Delivery.objects.get(type="job.failed").state == "waiting"
