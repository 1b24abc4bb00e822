"""Signed-in clients."""

import pytest

from tests.annotator.pages import Client

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def sign_in():
    """A client of its own for each person."""

    def signed_in(person, **options):
        client = Client(**options)
        client.force_login(person, backend=BACKEND)
        return client

    return signed_in


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def ben(cast, sign_in):
    return sign_in(cast.ben)
