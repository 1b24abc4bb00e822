"""Endpoints: who keeps the list, and the pace that holds for all who ask them."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from annotator.actions.teachers import (
    endpoints,
    pacing,
    teacher_runs,
    teachers,
)
from annotator.errors import ConflictError, ForbiddenError, InvalidError
from annotator.models import (
    Endpoint,
    EndpointKey,
)
from annotator.runtime.destinations import NotAllowedError
from learning.errors import RunStoppedError
from tests.annotator.teaching import KEY, PRICES, admin, teacher_on
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


class TestEndpoints:
    def test_only_admins_keep_the_list(self, cast):
        with pytest.raises(ForbiddenError):
            endpoints.register(cast.lea, "Mine", "http://127.0.0.1:11434/v1")
        made = endpoints.register(admin(), " My  model ", "http://127.0.0.1:11434/v1/")
        assert (made.name, made.base_url) == ("My model", "http://127.0.0.1:11434/v1")
        with pytest.raises(ForbiddenError):
            endpoints.change(made, cast.lea, enabled=False)
        with pytest.raises(ConflictError):
            endpoints.register(made.created_by, "Other", "http://127.0.0.1:11434/v1")

    @pytest.mark.parametrize(
        "url", ["http://169.254.169.254/v1", "ftp://host/", "https://u:p@host/", "https://host/?a"]
    )
    def test_bad_addresses_are_refused(self, db, url):
        with pytest.raises(InvalidError):
            endpoints.register(admin(), "Bad", url)
        assert not Endpoint.objects.exists()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.2"])
    def test_an_address_of_this_application_itself_is_refused(self, db, settings, host):
        ada = admin()
        with pytest.raises(InvalidError, match="this application itself"):
            endpoints.register(ada, "Me", f"http://{host}:{settings.PORT}/v1")
        endpoints.register(ada, "Other", f"http://{host}:{settings.PORT + 1}/v1")

    def test_a_gateway_may_share_this_applications_host_on_a_path_of_its_own(self, db, settings):
        settings.PUBLIC_URL = "https://label.example.org"
        ada = admin()
        with pytest.raises(InvalidError, match="this application itself"):
            endpoints.register(ada, "Me", "https://label.example.org/v1")
        endpoints.register(ada, "Gateway", "https://label.example.org/llm/v1")

    def test_a_deleted_one_takes_its_keys_along_and_its_teachers_say_what_they_need(
        self, cast, good, client
    ):
        project, teacher = teacher_on(good, cast)
        address = teacher.endpoint
        with pytest.raises(ForbiddenError):
            endpoints.delete(address, cast.lea)
        client.force_login(address.created_by)
        told = f"{teacher.name} ({project.name})"
        assert f"asked by {told}" in client.get("/endpoints").content.decode()
        page = client.post(f"/endpoints/{address.pk}/delete", follow=True).content.decode()
        assert f"They ask nothing until they have another one: {told}." in page
        assert not Endpoint.objects.exists()
        assert not EndpointKey.objects.exists()
        teacher.refresh_from_db()
        with pytest.raises(ConflictError, match="Choose another one"):
            teacher_runs.check_ready(teacher)

    def test_a_key_is_sealed_and_belongs_to_project_and_host(self, cast, good):
        project, teacher = teacher_on(good, cast)
        row = EndpointKey.objects.get()
        assert KEY.encode() not in bytes(row.sealed)
        assert endpoints.key_of(project, teacher.endpoint).value == KEY
        other = make_project(cast, name="Other")
        assert endpoints.key_of(other, teacher.endpoint) is None
        EndpointKey.objects.update(project=other)
        with pytest.raises(ConflictError):
            endpoints.key_of(other, teacher.endpoint)
        EndpointKey.objects.update(project=project, host="evil.example.org")
        with pytest.raises(ConflictError):
            endpoints.key_of(project, teacher.endpoint)

    def test_what_is_not_on_the_list_is_not_called(self, cast, good):
        project, teacher = teacher_on(good, cast)
        endpoints.change(teacher.endpoint, teacher.endpoint.created_by, enabled=False)
        with endpoints.gateway() as way, pytest.raises(NotAllowedError):
            endpoints.door(way, project, teacher.endpoint)
        with pytest.raises(ConflictError):
            teacher_runs.start_run(project, teacher, None, 5)
        assert good.requests == []


class TestPace:
    @pytest.fixture
    def waits(self, monkeypatch):
        told = []
        monkeypatch.setattr(pacing, "wait_for", lambda seconds, stopped: told.append(seconds))
        return told

    def pace(self, teacher):
        return pacing.SharedPace(
            teacher=teacher.pk, endpoint=teacher.endpoint_id, through=lambda work: work()
        )

    def other(self, teacher, cast):
        return teachers.create_teacher(
            teacher.project,
            cast.lea,
            name="Other",
            plugin="openai",
            endpoint=teacher.endpoint,
            params={"model": "fake", **PRICES},
        )

    def test_an_endpoints_rate_holds_for_all_teachers_together(self, cast, good, waits):
        _, teacher = teacher_on(good, cast)
        endpoints.change(teacher.endpoint, admin_of(teacher), requests_per_minute=1)
        for one in (teacher, teacher, self.other(teacher, cast)):
            self.pace(one).take(0, stopped=lambda: False)
        assert waits == pytest.approx([0, 60, 120], abs=20)

    def test_a_teachers_rate_holds_for_all_its_runs_and_no_other(self, cast, good, waits):
        _, teacher = teacher_on(good, cast, requests_per_minute=1)
        for one in (teacher, teacher, self.other(teacher, cast)):
            self.pace(one).take(0, stopped=lambda: False)
        assert waits == pytest.approx([0, 60, 0], abs=20)

    def test_whoever_is_told_to_wait_waits_in_all_runs(self, cast, good, waits):
        _, teacher = teacher_on(good, cast)
        self.pace(teacher).pause(600)
        self.pace(teacher).take(0, stopped=lambda: False)
        assert waits == pytest.approx([600], abs=60)

    def test_calls_at_once_hold_for_all_who_ask_a_teacher_also_when_one_is_killed(self, db):
        """Each run has a connection of its own; one that breaks off leaves its slots to others."""

        def give_up():
            return True

        def close():
            connection.close()  # that of the thread which does this

        def slots(through):
            return pacing.SharedSlots(teacher=7, count=2, through=through)

        with (
            ThreadPoolExecutor(max_workers=1) as one,
            ThreadPoolExecutor(max_workers=1) as other,
        ):
            here, there = (
                slots(lambda work, run=run: run.submit(work).result()) for run in (one, other)
            )
            first, second = here.take(give_up), there.take(give_up)
            assert first != second
            for full in (here, there):
                with pytest.raises(RunStoppedError):
                    full.take(give_up)
            here.free(first)
            assert there.take(give_up) == first
            other.submit(close).result()  # as a killed worker's; the server hears of it a bit later
            late = time.monotonic() + 20
            taken = {here.take(lambda: time.monotonic() > late) for _ in range(2)}
            assert taken == {first, second}
            one.submit(close).result()

    def test_a_rate_is_a_number_above_0_or_none(self, cast, good):
        _, teacher = teacher_on(good, cast)
        with pytest.raises(InvalidError, match="rate"):
            endpoints.change(teacher.endpoint, admin_of(teacher), requests_per_minute=0)
        endpoints.change(teacher.endpoint, admin_of(teacher), requests_per_minute=None)


def admin_of(teacher):
    return teacher.endpoint.created_by
