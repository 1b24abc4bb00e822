"""Sign-in pages in our look, under our content security policy."""

import re

import pytest
from allauth.account.models import EmailAddress

from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_sign_in_leads_home_and_out_again(client, cast):
    form = {"login": "ana", "password": PASSWORD}
    assert client.post("/accounts/login/", form).url == "/"
    assert "Projects" in client.get("/").content.decode()
    assert client.post("/accounts/logout/").url == "/"
    assert client.get("/").url == "/accounts/login/"


def test_a_wrong_password_is_said_without_telling_who_exists(client, cast):
    def told(name):
        response = client.post("/accounts/login/", {"login": name, "password": "wrong"})
        return re.search(r'role="alert".*?</div></div>', response.content.decode(), re.DOTALL)[0]

    assert told("ana") == told("nobody-of-this-name")


def test_nobody_signs_up_alone(client, db):
    assert "Sign-up is closed" in client.get("/accounts/signup/").content.decode()


def test_two_step_sign_in_draws_its_code_without_inline_images(client, cast):
    client.post("/accounts/login/", {"login": "ana", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert re.search(r'viewBox="0 0 [\d.]+ [\d.]+"><path d="M[^"]{100,}"', page)
    assert "data:image" not in page


def test_an_address_that_nobody_could_verify_keeps_nobody_from_two_steps(client, cast):
    EmailAddress.objects.create(user=cast.ana, email=cast.ana.email)
    client.post("/accounts/login/", {"login": cast.ana.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    assert page.status_code == 200
    assert "Not now" in page.content.decode(), "the form that switches it on"


def test_nothing_is_sent_by_mail_and_no_page_tries(client, cast, mailoutbox):
    asked = {"email": cast.ana.email, "action_send": "", "action_add": ""}
    assert "No e-mail is sent from here" in client.get("/accounts/password/reset/").content.decode()
    assert client.post("/accounts/password/reset/", asked).status_code == 405
    client.post("/accounts/login/", {"login": "ana", "password": PASSWORD})
    for page in ("/accounts/email/", "/accounts/confirm-email/", "/accounts/confirm-email/key/"):
        assert client.get(page).status_code == client.post(page, asked).status_code == 404
    assert mailoutbox == []


def test_the_librarys_pages_are_written_as_ours_are(client, cast):
    client.post("/accounts/login/", {"login": "ana", "password": PASSWORD})
    page = client.get("/accounts/password/change/").content.decode()
    assert "<h1>Change password</h1>" in page
    assert ">Current password</label>" in page
    assert "<title>Change password – Concord</title>" in page
    assert "<h1>Two-factor authentication</h1>" in client.get("/accounts/2fa/").content.decode()


@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/welcome", "/nowhere"])
def test_pages_carry_no_inline_code(client, cast, address):
    page = client.get(address, follow=True).content.decode()
    assert not re.search(r"\son[a-z]+=|\sstyle=|<script>|<style", page)
