"""Webhooks: what is told, that it is signed, in order, again until it arrives, and nowhere else."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from annotator import jobs, outbox
from annotator.actions.projects import projects, redacting
from annotator.actions.webhooks import courier, hosts, packing, webhooks
from annotator.errors import ConflictError, ForbiddenError, InvalidError
from annotator.event_kinds import EVENTS, MOST_ENTRIES
from annotator.models import Delivery, Item, Webhook, WebhookHost
from annotator.runtime.destinations import NotAllowedError
from tests.annotator.hooked import SOUND, admin, allow, deliver, hook_to, make_due, told, verified
from tests.factories import make_project
from tests.llm.loopback import Loopback, text
from tests.runtime.running import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


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
        heard = threading.Event()

        def late(request, wire):
            heard.wait(60)
            SOUND(request, wire)

        with Loopback(late) as sluggish:
            allow(sluggish)
            hook_to(sluggish, project)
            hook_to(sound, project)
            outbox.note(project.pk, "job.failed", {"job": 1})
            with courier.Courier() as at_work:
                at_work.look()
                assert wait_until(lambda: sound.requests), "while the other one is at its call"
                assert Delivery.objects.filter(state="waiting").count() >= 1
                heard.set()
                at_work.wait()
            assert len(sound.requests) == 1
        assert Delivery.objects.filter(state="delivered").count() == 2

    def test_an_archived_project_tells_nothing_until_it_is_restored(self, project, sound):
        hook_to(sound, project)
        outbox.note(project.pk, "job.failed", {"job": 1})
        projects.delete_project(project)
        assert deliver() == 0
        projects.restore_project(project)
        assert deliver() == 1


@pytest.mark.usefixtures("long_pauses")
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

    @pytest.mark.usefixtures("long_pauses")
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
