"""Every refusal has one shape, whoever refuses: us, the framework, Django or the database."""

import json

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from annotator.actions.desk import assigning, labeling
from annotator.api import throttles
from annotator.errors import ConflictError, UnavailableError
from tests.factories import PASSWORD


def check(answer, status, code, field=None):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) == ({"code", "detail", "field"} if field else {"code", "detail"})
    assert body["code"] == code
    assert body["detail"].endswith((".", "”.", "?"))
    if field:
        assert body["field"] == field


@pytest.mark.django_db
class TestOneShape:
    def test_nobody(self):
        answer = APIClient().get("/api/v1/whoami")
        check(answer, 401, "not_authenticated")
        assert "Authorization: Token" in answer.json()["detail"]
        assert answer["WWW-Authenticate"] == "Token"

    @pytest.mark.parametrize("header", ["Token", "Token a b", "Token nonsense", "Token \xff\xfe"])
    def test_a_wrong_token(self, header):
        answer = APIClient().get("/api/v1/whoami", HTTP_AUTHORIZATION=header)
        check(answer, 401, "authentication_failed")

    def test_an_expired_token(self, cast, lea):
        from datetime import timedelta

        from django.utils import timezone
        from knox.models import AuthToken

        AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
        check(lea.get("/api/v1/whoami"), 401, "authentication_failed")

    def test_a_switched_off_account(self, cast, lea):
        cast.lea.is_active = False
        cast.lea.save()
        check(lea.get("/api/v1/whoami"), 401, "authentication_failed")

    def test_an_address_that_does_not_exist(self, lea):
        check(lea.get("/api/v1/nonsense"), 404, "not_found")
        check(APIClient().post("/api/v1/nonsense"), 404, "not_found")

    def test_a_project_that_does_not_exist(self, lea):
        check(lea.get("/api/v1/projects/99999999999999999999999"), 404, "not_found")

    def test_another_method(self, lea):
        check(lea.put("/api/v1/whoami"), 405, "method_not_allowed")
        check(lea.options("/api/v1/whoami"), 405, "method_not_allowed")

    def test_too_small_a_role(self, project, ana):
        check(ana.patch(f"/api/v1/projects/{project.pk}", {"name": "x"}), 403, "forbidden")

    def test_no_csrf_token(self, cast):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(cast.lea)
        answer = browser.post("/api/v1/projects", {"name": "x"}, content_type="application/json")
        check(answer, 403, "forbidden")

    @pytest.mark.parametrize(
        "body", ["{", "[1", "nonsense", '{"name": NaN}', "[" * 100_000, "\xff".encode("latin-1")]
    )
    def test_a_body_that_is_not_json(self, lea, body):
        answer = lea.generic("POST", "/api/v1/projects", body, content_type="application/json")
        check(answer, 400, "malformed")

    @pytest.mark.parametrize("body", ["[]", "1", '"x"', "null"])
    def test_json_that_is_no_object(self, lea, body):
        answer = lea.generic("POST", "/api/v1/projects", body, content_type="application/json")
        check(answer, 422, "invalid")

    def test_another_content_type(self, lea):
        answer = lea.generic("POST", "/api/v1/projects", "a=1", content_type="text/plain")
        check(answer, 415, "unsupported_media_type")

    def test_a_body_that_is_too_large(self, lea, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        check(lea.post("/api/v1/projects", {"name": "x" * 200}), 413, "too_large")

    def test_a_missing_field(self, lea):
        check(lea.post("/api/v1/projects", {}), 422, "invalid", "name")

    def test_a_field_nobody_knows(self, lea):
        check(lea.post("/api/v1/projects", {"name": "x", "nmae": 1}), 422, "invalid", "nmae")

    def test_a_field_deep_inside(self, project, lea):
        answer = lea.put(f"/api/v1/projects/{project.pk}/labels/order", {"labels": [1, "x"]})
        check(answer, 422, "invalid", "labels.1")

    @pytest.mark.parametrize("value", ["a\0b", "\ud800"])
    def test_what_the_database_cannot_hold(self, lea, value):
        body = json.dumps({"name": "x", "encoder_params": {"model": value}})
        answer = lea.generic("POST", "/api/v1/projects", body, content_type="application/json")
        check(answer, 422, "invalid", "encoder_params")
        body = json.dumps({"name": value})
        answer = lea.generic("POST", "/api/v1/projects", body, content_type="application/json")
        check(answer, 422, "invalid", "name")

    def test_a_filter_nobody_knows(self, project, lea):
        answer = lea.get(f"/api/v1/projects/{project.pk}/items?project__created_by=1")
        check(answer, 422, "invalid", "project__created_by")

    @pytest.mark.parametrize(
        "cursor", ["nonsense", "cD1hYmM=", "cD0tMQ==", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk="]
    )
    def test_a_cursor_that_we_did_not_give(self, project, lea, cursor):
        answer = lea.get(f"/api/v1/projects/{project.pk}/items?cursor={cursor}")
        check(answer, 404, "not_found")

    def test_a_refusal_of_ours(self, project, lea, monkeypatch):
        def refuse(*_, **__):
            raise ConflictError("Somebody was faster.", field="count")

        monkeypatch.setattr(assigning, "lease", refuse)
        check(lea.post(f"/api/v1/projects/{project.pk}/next"), 409, "conflict", "count")

    def test_too_many_requests(self, lea, monkeypatch):
        from django.core.cache import cache

        cache.clear()
        monkeypatch.setitem(throttles.BUDGETS, "usual", 2)
        answers = [lea.get("/api/v1/whoami") for _ in range(4)]
        assert answers[0].status_code == 200
        check(answers[-1], 429, "throttled")
        assert 1 <= int(answers[-1]["Retry-After"]) <= 60
        cache.clear()

    def test_a_database_that_is_away(self, project, lea, monkeypatch):
        def away(*_, **__):
            raise OperationalError("server closed the connection")

        monkeypatch.setattr(labeling, "submit", away)
        answer = lea.post(
            f"/api/v1/projects/{project.pk}/answers",
            {"uuid": "6b7b9a44-0000-4000-8000-000000000000", "assignment": 1, "labels": [1]},
        )
        check(answer, 503, "database_unavailable")
        assert int(answer["Retry-After"]) > 0

    def test_a_model_process_that_is_away(self, project, lea, monkeypatch):
        def away(*_, **__):
            raise UnavailableError("The model is starting.")

        monkeypatch.setattr("annotator.actions.students.teaching.asked", lambda *_: None)
        monkeypatch.setattr("annotator.actions.students.teaching.predict", away)
        answer = lea.post(f"/api/v1/projects/{project.pk}/predict", {"texts": ["x"]})
        check(answer, 503, "unavailable")
        assert int(answer["Retry-After"]) > 0

    def test_a_defect_stays_a_defect(self, project, lea, monkeypatch):
        def broken(*_, **__):
            raise ZeroDivisionError

        monkeypatch.setattr(assigning, "lease", broken)
        with pytest.raises(ZeroDivisionError):
            lea.post(f"/api/v1/projects/{project.pk}/next")


@pytest.mark.django_db
class TestTokens:
    def test_a_token_is_shown_once_and_revoked(self, cast):
        browser = APIClient()
        browser.login(username="lea", password=PASSWORD)
        made = browser.post("/api/v1/tokens", {"days": 3}).json()
        program = APIClient()
        program.credentials(HTTP_AUTHORIZATION=f"Bearer {made['token']}")
        assert program.get("/api/v1/whoami").json()["username"] == "lea"
        listed = program.get("/api/v1/tokens").json()["results"]
        assert [each["prefix"] for each in listed] == [made["prefix"]]
        assert made["token"] not in json.dumps(listed)
        assert program.delete(f"/api/v1/tokens/{made['prefix']}").status_code == 204
        check(program.get("/api/v1/whoami"), 401, "authentication_failed")

    def test_a_token_makes_no_token(self, lea):
        check(lea.post("/api/v1/tokens", {}), 403, "forbidden")

    def test_nobody_revokes_a_token_of_another(self, cast, lea, ana):
        prefix = ana.get("/api/v1/tokens").json()["results"][0]["prefix"]
        check(lea.delete(f"/api/v1/tokens/{prefix}"), 404, "not_found")
        assert ana.get("/api/v1/whoami").status_code == 200

    def test_only_the_hash_is_kept(self, cast):
        from knox.models import AuthToken

        from annotator.actions.projects import tokens

        kept, secret = tokens.create_token(cast.ana)
        assert secret not in str(AuthToken.objects.filter(pk=kept.pk).values().get())
