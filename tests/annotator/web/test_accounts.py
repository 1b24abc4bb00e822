"""Sign-in pages in our look, under our content security policy."""

import re

import pytest

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


@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/welcome", "/nowhere"])
def test_pages_carry_no_inline_code(client, cast, address):
    page = client.get(address, follow=True).content.decode()
    assert not re.search(r"\son[a-z]+=|\sstyle=|<script>|<style", page)
