"""Clients of the API: by token, by session, and nobody's."""

import pytest


def client_of(user):
    """A program with a token of this person's."""
    from rest_framework.test import APIClient

    from annotator.actions.projects import tokens

    client = APIClient()
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Token {tokens.create_token(user)[1]}")
    return client


@pytest.fixture
def lea(cast):
    return client_of(cast.lea)


@pytest.fixture
def ana(cast):
    return client_of(cast.ana)


@pytest.fixture
def ben(cast):
    return client_of(cast.ben)


@pytest.fixture
def cleo(cast):
    return client_of(cast.cleo)
