"""Settings → Webhooks: added with a secret shown once, watched, tested, switched, removed."""

import html

import pytest

from annotator.actions.webhooks import hosts, webhooks
from annotator.models import Delivery, User, Webhook, WebhookHost
from tests.factories import make_project

pytestmark = pytest.mark.django_db

FORM = {"name": "Pipeline", "url": "https://hooks.example.org/in", "events": ["job.failed"]}


@pytest.fixture
def listed(db):
    return hosts.allow(None, "hooks.example.org")


@pytest.fixture
def hook(listed, project):
    return webhooks.register(project, project.created_by, **FORM)[0]


def url(project, rest=""):
    return f"/projects/{project.pk}/settings/webhooks{rest}"


def text(response):
    return html.unescape(response.content.decode())


def test_the_secret_is_shown_once_and_never_again(lea, project, listed):
    shown = lea.post(url(project), FORM)
    made = Webhook.objects.get()
    assert (made.name, made.events, made.created_by.username) == ("Pipeline", ["job.failed"], "lea")
    assert "whsec_" in text(shown)
    assert "no-store" in shown["Cache-Control"]
    assert "whsec_" not in text(lea.get(url(project, f"/{made.pk}")))
    assert "Pipeline" in text(lea.get(url(project)))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "https://other.org/in"}, "is not on this server's list"),
        ({"url": "https://hooks.example.org/in?key=1#here"}, "no #"),
        ({"events": []}, "Choose at least one event."),
        ({"name": " "}, "required"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_added(lea, project, listed, changed, words):
    response = lea.post(url(project), FORM | changed)
    assert response.status_code == 422
    assert words in text(response)
    assert not Webhook.objects.exists()


def test_a_token_behind_the_address_is_shown_in_its_field_alone(lea, project, listed):
    address = "https://hooks.example.org/in?token=top&to=a/b"
    made, _ = webhooks.register(project, project.created_by, **FORM | {"url": address})
    assert made.url == address
    assert "token=top" not in text(lea.get(url(project)))
    page = text(lea.get(url(project, f"/{made.pk}")))
    assert "https://hooks.example.org/in?…" in page
    assert page.count("token=top") == 1
    assert f'value="{address}"' in page


def test_settings_change_and_a_new_secret_is_shown(lea, project, hook):
    changed = {**FORM, "name": "Else", "events": ["snapshot.ready", "job.failed"]}
    assert lea.post(url(project, f"/{hook.pk}"), changed).status_code == 302
    hook.refresh_from_db()
    assert (hook.name, hook.events) == ("Else", ["snapshot.ready", "job.failed"])
    shown = text(lea.post(url(project, f"/{hook.pk}/secret")))
    assert "whsec_" in shown
    assert "The one before signs until" in shown


def test_a_test_waits_and_the_page_looks_again_until_it_is_over(lea, project, hook):
    page = url(project, f"/{hook.pk}")
    assert lea.post(f"{page}/test").status_code == 302
    assert f'hx-get="{page}/state"' in text(lea.get(page))
    Delivery.objects.update(state="failed", apart=False, tries=1, status=500, error="It said 500.")
    over = text(lea.get(f"{page}/state"))
    assert "hx-get" not in over
    assert "It said 500." in over
    assert lea.post(f"{page}/deliveries/{Delivery.objects.get().pk}/again").status_code == 302
    assert Delivery.objects.get().state == "waiting"


def test_what_is_sent_is_shown_and_escaped(lea, project, hook):
    made = Delivery.objects.create(
        webhook=hook, type="job.failed", data={"job": 1, "kind": "<script>alert(1)</script>"}
    )
    shown = lea.get(url(project, f"/{hook.pk}/deliveries/{made.pk}")).content.decode()
    assert "<script>alert" not in shown
    assert made.message_id in shown


def test_one_that_went_off_says_why_here_and_at_home_until_it_is_on(lea, project, hook):
    Webhook.objects.update(enabled=False, off_at="2026-01-02T03:04Z", off_reason="It was gone.")
    assert "It was gone." in text(lea.get(url(project, f"/{hook.pk}")))
    home = text(lea.get("/"))
    assert "webhook that went off" in home
    assert url(project) in home
    lea.post(url(project, f"/{hook.pk}/switch"), {"enabled": "1"})
    hook.refresh_from_db()
    assert (hook.enabled, hook.off_reason) == (True, "")
    assert "webhook that went off" not in text(lea.get("/"))
    lea.post(url(project, f"/{hook.pk}/switch"), {"enabled": "0"})
    assert "webhook that went off" not in text(lea.get("/")), "a person wanted that"


def test_removed_it_is_gone_with_its_messages(lea, project, hook):
    webhooks.send_test(hook)
    assert lea.post(url(project, f"/{hook.pk}/remove")).status_code == 302
    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()


def test_hooks_of_another_project_are_not_there(lea, cast, project, hook):
    other = make_project(cast, name="Other")
    delivery = webhooks.send_test(hook)
    for rest in ("", "/state", f"/deliveries/{delivery.pk}"):
        assert lea.get(url(other, f"/{hook.pk}{rest}")).status_code == 404
    for rest in ("/switch", "/secret", "/test", "/remove", f"/deliveries/{delivery.pk}/again"):
        assert lea.post(url(other, f"/{hook.pk}{rest}")).status_code == 404
    assert Webhook.objects.get().enabled


def test_admins_list_hosts_and_take_them_off(lea, cast):
    assert lea.get("/webhook-hosts").status_code == 403
    User.objects.filter(pk=cast.lea.pk).update(is_superuser=True)
    assert lea.post("/webhook-hosts", {"host": "hooks.example.org", "port": 443}).status_code == 302
    assert "hooks.example.org:443" in text(lea.get("/webhook-hosts"))
    again = lea.post("/webhook-hosts", {"host": "hooks.example.org", "port": 443})
    assert (again.status_code, "on the list already" in text(again)) == (422, True)
    assert lea.post("/webhook-hosts", {"host": "169.254.169.254", "port": 80}).status_code == 422
    lea.post(f"/webhook-hosts/{WebhookHost.objects.get().pk}/withdraw")
    assert not WebhookHost.objects.exists()
