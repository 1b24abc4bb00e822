"""Webhooks over the API, from the host on the list to a message sent again."""

import pytest

from annotator.models import Delivery, User, Webhook
from tests.annotator.hooked import SOUND, deliver, verified
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def here(project):
    return f"/api/v1/projects/{project.pk}/webhooks"


def test_an_engineer_is_told_and_sends_again(lea, cast, project, here):
    with Loopback(SOUND) as server:
        wish = {"name": "CI", "url": f"http://127.0.0.1:{server.port}/in", "events": ["job.failed"]}
        refused = lea.post(here, wish, format="json")
        assert (refused.status_code, refused.json()["code"]) == (403, "outbound_not_allowed")
        User.objects.filter(pk=cast.lea.pk).update(is_superuser=True)
        host = {"host": "127.0.0.1", "port": server.port}
        assert lea.post("/api/v1/webhook-hosts", host, format="json").status_code == 201
        made = lea.post(here, wish, format="json")
        assert made.status_code == 201
        assert "no-store" in made["Cache-Control"]
        one = f"{here}/{made.json()['id']}"
        assert "secret" not in lea.get(one).json()
        test = lea.post(f"{one}/test")
        assert (test.status_code, test.json()["state"]) == (202, "waiting")
        deliver()
        [told] = lea.get(f"{one}/deliveries").json()["results"]
        assert (told["state"], told["status"], told["tries"]) == ("delivered", 204, 1)
        whole = lea.get(f"{one}/deliveries/{told['id']}").json()
        assert whole["body"] == verified(server.requests[0], made.json()["secret"])
        assert lea.post(f"{one}/deliveries/{told['id']}/again").status_code == 202
        deliver()
        new = lea.post(f"{one}/secret").json()["secret"]
        lea.post(f"{one}/test")
        deliver()
        assert server.requests[0]["body"] == server.requests[1]["body"]
        verified(server.requests[2], new, made.json()["secret"])


def test_what_is_not_known_is_refused(lea, cast, project, here):
    for wish in ({}, {"name": "CI", "url": "x", "events": ["everything"]}, {"secret": "mine"}):
        assert lea.post(here, wish, format="json").status_code == 422
    assert not Webhook.objects.exists()


def test_it_is_switched_off_and_on_and_removed(lea, cast, project, here):
    made = Webhook.objects.create(
        project=project, name="CI", url="https://a.org/", events=["job.failed"], sealed=b"x",
        enabled=False, off_reason="It was gone.",
    )  # fmt: skip
    one = f"{here}/{made.pk}"
    assert lea.get(one).json()["off_reason"] == "It was gone."
    on = lea.patch(one, {"enabled": True}, format="json").json()
    assert (on["enabled"], on["off_reason"]) == (True, "")
    assert lea.delete(one).status_code == 204
    assert not Delivery.objects.exists()
