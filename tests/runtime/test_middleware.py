"""What every response carries, and what a lost database looks like."""

import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory

from annotator.models.statements import run_prepared
from annotator.runtime import middleware


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/accounts/login/"])
def test_every_response_carries_the_strict_policy(client, db, path):
    response = client.get(path)
    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"


class TestDatabaseGone:
    def test_pages_and_the_api_say_when_to_come_back(self):
        gone = middleware.DatabaseGoneMiddleware(lambda request: None)
        for path, kind in (("/", "text/html"), ("/api/v1/projects/", "application/json")):
            request = RequestFactory().get(path)
            response = gone.process_exception(request, OperationalError("server closed"))
            assert response.status_code == 503
            assert response["Retry-After"] == "3"
            assert response["Content-Type"].startswith(kind)

    def test_other_errors_stay_what_they_are(self):
        gone = middleware.DatabaseGoneMiddleware(lambda request: None)
        assert gone.process_exception(RequestFactory().get("/"), ValueError("a bug")) is None

    def test_a_session_that_cannot_be_read_is_503_too(self, client, settings, monkeypatch):
        """The session is read outside of any page's own code."""

        def gone(*args):
            raise OperationalError("server closed the connection")

        monkeypatch.setattr("annotator.runtime.sessions.run_prepared", gone)
        client.cookies[settings.SESSION_COOKIE_NAME] = "k" * 32
        client.raise_request_exception = False
        response = client.get("/accounts/login/")
        assert response.status_code == 503
        assert response["Retry-After"] == "3"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_database_dropped_is_made_anew():
    """As Django does for its own queries at the first one of a request."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()
    connection.health_check_enabled, connection.health_check_done = True, False
    assert run_prepared("SELECT 1", {}) == [(1,)]


def test_nobody_signs_up_by_themselves(client, db):
    assert b"password1" not in client.get("/accounts/signup/").content
