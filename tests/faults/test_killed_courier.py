"""SIGKILL while a message is on its way: it stays in the outbox, and the next courier sends it again."""

import json
import os
import signal
import threading
import time

import pytest
from django.db import connections

from annotator import outbox
from annotator.actions.webhooks import courier
from annotator.models import Delivery, Webhook
from tests.annotator.hooked import SOUND, allow, deliver, hook_to
from tests.llm.loopback import Loopback

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
PATIENCE_SECONDS = 60


def killed_on_the_way(server):
    """Deliver in a process of its own, and kill it when the receiver has the message in its hands."""
    pid = os.fork()
    if not pid:
        for one in connections.all():
            one.connection = None  # the parent's: closing it here would end it there
        courier.deliver_due()
        os._exit(0)
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while not server.requests:
            assert time.monotonic() < until, "nothing was sent"
            time.sleep(0.005)
    finally:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "it was over before it was killed"


def test_a_killed_couriers_message_is_sent_again_under_its_id_and_the_rest_in_order(project):
    gone = threading.Event()

    def late(request, wire):
        """Take the message, and answer when nobody is there to hear it."""
        gone.wait(PATIENCE_SECONDS)
        SOUND(request, wire)

    with Loopback([late, SOUND]) as server:
        allow(server)
        hook_to(server, project)
        for number in range(3):
            outbox.note(project.pk, "job.failed", {"job": number})
        killed_on_the_way(server)
        gone.set()
        assert Delivery.objects.filter(state="waiting").count() == 3, "nothing is lost"
        assert courier.deliver_due() == 0, "its lease holds: it might be slow and not dead"
        Webhook.objects.update(leased_until="2001-01-01T00:00Z")  # the lease is over
        deliver()
        sent = [json.loads(request["body"]) for request in server.requests]
    assert [each["data"]["job"] for each in sent] == [0, 0, 1, 2]
    assert sent[0]["id"] == sent[1]["id"]
    assert Delivery.objects.filter(state="delivered").count() == 3
