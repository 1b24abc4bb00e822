"""Webhooks: what is told, that it is signed, in order, again until it arrives, and nowhere else."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotator import jobs, outbox
from annotator.actions.projects import projects, redacting
from annotator.actions.webhooks import courier, hosts, letters, packing, webhooks
from annotator.errors import ConflictError, ForbiddenError, InvalidError
from annotator.event_kinds import EVENTS, MOST_ENTRIES
from annotator.models import Delivery, Item, Project, Webhook, WebhookHost
from annotator.runtime.destinations import NotAllowedError
from tests.annotator.hooked import SOUND, admin, allow, deliver, hook_to, make_due, verified
from tests.factories import make_project
from tests.llm.loopback import (
    Loopback,
    cut,
    endless,
    hang_up,
    not_http,
    redirect,
    silent,
    slow,
    text,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sound():
    """A receiver that takes everything."""
    with Loopback(SOUND) as server:
        allow(server)
        yield server


def told(server, *keys):
    return [verified(request, *keys) for request in server.requests]


class TestRegistering:
    def test_only_admins_keep_the_list_of_hosts(self, cast):
        with pytest.raises(ForbiddenError):
            hosts.allow(cast.lea, "example.org")
        root = admin()
        made = hosts.allow(root, " Example.org ")
        assert (str(made), made.private) == ("example.org:443", False)
        with pytest.raises(ConflictError):
            hosts.allow(root, "example.org")
        with pytest.raises(InvalidError):
            hosts.allow(root, "169.254.169.254", 80)
        with pytest.raises(ForbiddenError):
            hosts.withdraw(cast.lea, made.pk)
        hosts.withdraw(root, made.pk)
        assert not WebhookHost.objects.exists()

    @pytest.mark.parametrize(
        ("url", "error"),
        [
            ("https://other.org/in", NotAllowedError),
            ("https://example.org:8443/in", NotAllowedError),
            ("http://example.org:443/in", InvalidError),
            ("https://u:p@example.org/in", InvalidError),
            ("https://example.org/in?token=ä", InvalidError),
            ("https://example.org/in?token=1#a", InvalidError),
            ("https://example.org/in#a?token=1", InvalidError),
            ("ftp://example.org/in", InvalidError),
            ("https://example.org/" + "a" * 500, InvalidError),
        ],
    )
    def test_an_address_is_on_the_list_and_encrypted_or_refused(self, project, url, error):
        hosts.allow(None, "example.org")
        with pytest.raises(error):
            webhooks.register(project, None, name="Ours", url=url, events=["job.failed"])
        assert not Webhook.objects.exists()

    def test_the_path_stays_as_it_was_typed(self, project):
        hosts.allow(None, "example.org")
        made, _ = webhooks.register(
            project, None, name=" My  hook ", url="https://Example.org/in/", events=["job.failed"]
        )
        assert (made.url, made.name) == ("https://example.org/in/", "My hook")

    @pytest.mark.parametrize("events", [[], ["job.failed", "everything"]])
    def test_events_are_chosen_out_of_those_there_are(self, project, events):
        hosts.allow(None, "example.org")
        with pytest.raises(InvalidError):
            webhooks.register(project, None, name="Ours", url="https://example.org/", events=events)

    def test_the_secret_lies_sealed_and_opens_for_its_project_only(self, cast, project, sound):
        made, secret = hook_to(sound, project)
        assert secret[6:].encode() not in bytes(made.sealed)
        Webhook.objects.filter(pk=made.pk).update(project=make_project(cast, name="Other"))
        webhooks.send_test(made)
        deliver()
        assert sound.requests == []
        assert "another SECRET_KEY" in Delivery.objects.get().error


class TestDelivering:
    def test_a_message_says_what_happened_and_where_to_read_more(self, project, sound):
        _, secret = hook_to(sound, project)
        outbox.note(project.pk, "snapshot.ready", {"snapshot": 7, "path": "snapshots/7"})
        assert deliver() == 1
        (payload,) = told(sound, secret)
        row = Delivery.objects.get()
        assert payload.pop("timestamp").endswith("Z")
        base = payload["project"]["url"]
        assert base.endswith(f"/api/v1/projects/{project.pk}")
        assert payload == {
            "id": row.message_id,
            "type": "snapshot.ready",
            "project": {"id": project.pk, "url": base},
            "data": {"snapshot": 7, "url": f"{base}/snapshots/7"},
        }
        assert (row.state, row.status, row.tries, row.error) == ("delivered", 204, 1, "")
        assert sound.requests[0]["path"] == "/in"
        assert sound.requests[0]["headers"]["content-type"] == "application/json"

    def test_a_query_of_the_address_arrives_and_no_log_has_it(self, project, sound, caplog):
        hook_to(sound, project, path="/in?token=top&to=a/b")
        outbox.note(project.pk, "job.failed", {"job": 1})
        with caplog.at_level("DEBUG", logger="annotator"):
            deliver()
        assert sound.requests[0]["path"] == "/in?token=top&to=a/b"
        assert "outbound call" in caplog.text
        assert "token" not in caplog.text

    def test_a_forged_body_is_told_by_the_signature(self, project, sound):
        _, secret = hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        deliver()
        request = sound.requests[0]
        verified(request, secret)
        for changed in (
            {**request, "body": request["body"] + b" "},
            {**request, "headers": {**request["headers"], "webhook-id": "msg_other"}},
        ):
            with pytest.raises(AssertionError):
                verified(changed, secret)

    def test_only_chosen_events_of_the_own_project_are_told(self, cast, project, sound):
        hook_to(sound, project, events=["job.failed"])
        hook_to(sound, make_project(cast, name="Other"))
        outbox.note(project.pk, "job.failed", {"job": 1})
        outbox.note(project.pk, "student.promoted", {"student": 1})
        outbox.note(None, "job.failed", {"job": 2})
        deliver()
        assert [each["data"] for each in told(sound)] == [{"job": 1}]

    def test_what_is_rolled_back_is_never_told(self, project, sound):
        hook_to(sound, project)
        with transaction.atomic():
            outbox.note(project.pk, "job.failed", {"job": 1})
            transaction.set_rollback(True)
        assert deliver() == 0

    def test_events_arrive_in_the_order_in_which_they_happened(self, project, sound):
        hook_to(sound, project)
        for number in range(30):
            outbox.note(project.pk, "job.failed", {"job": number})
        deliver()
        assert [each["data"]["job"] for each in told(sound)] == list(range(30))

    def test_a_slow_receiver_holds_up_no_other(self, project, sound):
        with Loopback(slow(1.5, SOUND)) as sluggish:
            allow(sluggish)
            hook_to(sluggish, project)
            hook_to(sound, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            with courier.Courier() as at_work:
                at_work.look()
                for _ in range(100):
                    if sound.requests:
                        break
                    threading.Event().wait(0.01)
                assert len(sound.requests) == 1
                assert Delivery.objects.filter(state="waiting").count() >= 1
                at_work.wait()
        assert Delivery.objects.filter(state="delivered").count() == 2

    def test_an_archived_project_tells_nothing_until_it_is_restored(self, project, sound):
        hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        projects.delete_project(project)
        assert deliver() == 0
        projects.restore_project(project)
        assert deliver() == 1


class TestGathering:
    def test_entries_of_some_seconds_travel_in_one_call(self, project, sound):
        hook_to(sound, project)
        for number in range(40):
            outbox.note_each(project.pk, "verdict.decided", [{"item": number}])
        outbox.note(project.pk, "job.failed", {"job": 1})
        assert deliver() == 0, "the first waits for others"
        make_due()
        assert deliver() == 2
        first, second = told(sound)
        assert [each["item"] for each in first["data"]["verdicts"]] == list(range(40))
        assert second["type"] == "job.failed"
        assert Delivery.objects.count() == 2

    def test_a_call_holds_at_most_so_many_and_a_full_one_does_not_wait(self, project, sound):
        hook_to(sound, project)
        outbox.note_each(
            project.pk, "verdict.decided", [{"item": n} for n in range(2 * MOST_ENTRIES + 20)]
        )
        assert deliver() == 2
        sizes = [len(each["data"]["verdicts"]) for each in told(sound)]
        assert sizes == [MOST_ENTRIES, MOST_ENTRIES]
        assert Delivery.objects.get(state="waiting").size == 20

    def test_what_was_tried_once_never_changes(self, project):
        with Loopback([text(b"", 500), SOUND]) as server:
            allow(server)
            hook_to(server, project)
            outbox.note_each(project.pk, "flag.opened", [{"flag": 1}])
            make_due()
            deliver()
            outbox.note_each(project.pk, "flag.opened", [{"flag": 2}])
            make_due()
            deliver()
        first, again, later = server.requests
        assert first["body"] == again["body"] != later["body"]
        assert json.loads(later["body"])["data"] == {"flags": [{"flag": 2}]}


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
    def test_a_fault_is_told_and_the_same_message_sent_again(
        self, project, play, words, monkeypatch
    ):
        quick = letters.CallLimits(whole_seconds=0.6, silence_seconds=0.6, answer_bytes=64 * 1024)
        monkeypatch.setattr(letters, "LIMITS", quick)
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
            turn.join(5)
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


class TestSecrets:
    def test_for_a_day_both_secrets_sign_then_only_the_new_one(self, project, sound):
        made, old = hook_to(sound, project)
        new = webhooks.rotate(made)
        assert old != new
        outbox.note(project.pk, "job.failed", {"job": 1})
        deliver()
        verified(sound.requests[0], old, new)
        Webhook.objects.update(before_until=timezone.now() - timedelta(seconds=1))
        outbox.note(project.pk, "job.failed", {"job": 2})
        deliver()
        verified(sound.requests[1], new)
        with pytest.raises(AssertionError, match="forged"):
            verified(sound.requests[1], old)

    def test_a_new_secret_helps_after_the_secret_key_was_changed(self, project, sound, settings):
        made, _ = hook_to(sound, project)
        settings.SECRET_KEY = "another one " * 5
        webhooks.send_test(made)
        deliver()
        assert "Make a new one" in Delivery.objects.get().error
        new = webhooks.rotate(made)
        assert made.before_until is None
        webhooks.send_test(made)
        deliver()
        verified(sound.requests[0], new)


class TestRedacting:
    def test_a_redacted_items_own_id_is_blanked_in_what_waits_and_what_is_kept(
        self, project, sound
    ):
        hook_to(sound, project)
        one, other = Item.objects.filter(project=project).order_by("number")[:2]
        for item, name in ((one, "ada@example.org"), (other, "bob@example.org")):
            item.external_id = name
            item.save()
        told_of = [{"item": each.pk, "external_id": each.external_id} for each in (one, other)]
        outbox.note_each(project.pk, "verdict.decided", told_of)
        make_due()
        deliver()
        outbox.note_each(project.pk, "review.settled", told_of)
        redacting.redact_item(one, "test")
        kept, waiting = Delivery.objects.order_by("pk")
        right = [{"item": one.pk, "external_id": ""}, told_of[1]]
        assert (kept.data, waiting.data) == ({"verdicts": right}, {"reviews": right})


class TestAsking:
    def test_a_test_goes_at_once_past_what_waits_even_where_it_is_off(self, project):
        with Loopback([text(b"", 500), SOUND]) as server:
            allow(server)
            made, secret = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
            webhooks.change(made, enabled=False)
            row = webhooks.send_test(made)
            deliver()
            row.refresh_from_db()
            assert (row.state, row.status) == ("delivered", 204)
            assert verified(server.requests[1], secret)["type"] == "webhook.test"
        assert Delivery.objects.get(type="job.failed").state == "waiting"

    def test_a_failed_test_is_not_tried_again(self, project):
        with Loopback(text(b"", 500)) as server:
            allow(server)
            made, _ = hook_to(server, project)
            row = webhooks.send_test(made)
            deliver()
            make_due()
            deliver()
            row.refresh_from_db()
            made.refresh_from_db()
        assert (row.state, row.tries, made.retry_at, made.enabled) == ("failed", 1, None, True)

    def test_again_sends_the_same_message_under_the_same_id(self, project, sound):
        hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        deliver()
        webhooks.send_again(Delivery.objects.get())
        deliver()
        first, again = sound.requests
        assert first["body"] == again["body"]
        assert first["headers"]["webhook-id"] == again["headers"]["webhook-id"]
        assert Delivery.objects.get().tries == 2

    def test_again_of_what_waits_tries_it_now(self, project):
        with Loopback([text(b"", 500), SOUND]) as server:
            allow(server)
            made, _ = hook_to(server, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            deliver()
            assert deliver() == 0
            webhooks.send_again(Delivery.objects.get())
            assert deliver() == 1
            webhooks.change(made, enabled=False)
        row = Delivery.objects.create(webhook=made, type="job.failed")
        with pytest.raises(ConflictError):
            webhooks.send_again(row)

    def test_only_the_latest_deliveries_are_kept(self, project, sound, monkeypatch):
        monkeypatch.setattr(packing, "KEPT", 5)
        hook_to(sound, project)
        for number in range(12):
            outbox.note(project.pk, "job.failed", {"job": number})
        deliver()
        kept = Delivery.objects.order_by("pk").values_list("data__job", flat=True)
        assert list(kept) == [7, 8, 9, 10, 11]


def test_a_failed_job_is_told_without_its_reason(project, sound, monkeypatch):
    def refuse(run):
        raise InvalidError("Row 7, “my own words”, has no label.")

    monkeypatch.setattr(jobs, "_action", lambda kind: refuse)
    hook_to(sound, project)
    job = jobs.enqueue("export", project=project)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    deliver()
    (payload,) = told(sound)
    assert payload["type"] == "job.failed"
    assert {key: payload["data"][key] for key in ("job", "kind", "attempt")} == {
        "job": job.pk,
        "kind": "export",
        "attempt": 1,
    }
    assert job.error not in json.dumps(payload)


def test_every_event_has_words_and_a_stable_name():
    assert all(kind.says.endswith(".") for kind in EVENTS.values())
    promised = {
        "import.finished",
        "verdict.decided",
        "student.promoted",
        "flag.opened",
        "review.settled",
        "teacher_run.finished",
        "snapshot.ready",
        "job.failed",
    }
    assert set(EVENTS) == promised
