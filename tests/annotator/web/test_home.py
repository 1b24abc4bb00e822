"""Home: the projects, what needs me, and nothing of others."""

import pytest

from annotator import jobs
from annotator.models import BatchState, Flag, ImportBatch, Project, User
from tests.annotator.web.helpers import teach
from tests.factories import join, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


def page(client, person):
    client.force_login(person)
    return client.get("/").content.decode()


def test_an_empty_installation_asks_for_its_owner(client):
    assert client.get("/").url == "/welcome"


def test_a_stranger_is_asked_to_sign_in(client, cast):
    assert client.get("/").url == "/accounts/login/"


def test_nobody_sees_projects_without_a_part_in_them(client, project, cast):
    assert "Tickets" in page(client, cast.ana)
    assert "Tickets" not in page(client, cast.cleo)
    assert "No projects yet" in page(client, cast.cleo)


def test_reviewers_are_told_of_flags_and_annotators_are_not(client, project, cast):
    voice = project.annotators.create(user=cast.ana, name="ana")
    Flag.objects.create(project=project, item=project.items.first(), raised_by=voice)
    assert "1 open flag</strong>" in page(client, cast.ben)
    assert "open flag" not in page(client, cast.ana)


def test_a_project_whose_first_file_is_being_read_says_so(client, cast):
    fresh = make_project(cast)
    batch = ImportBatch.objects.create(project=fresh, file_name="a.csv", format="csv")
    assert "being read" not in page(client, cast.lea)  # it was uploaded, and not begun
    batch.job = jobs.enqueue("import", project=fresh, params={"batch": batch.pk})
    batch.save()
    assert "Its file is being read" in page(client, cast.lea)


def test_managers_are_told_of_imports_that_wait(client, project, cast):
    ImportBatch.objects.create(
        project=project, file_name="a.csv", state=BatchState.NEEDS_DECISION, format="csv"
    )
    assert "1 import with bad rows" in page(client, cast.lea)
    assert "import with bad rows" not in page(client, cast.ben)


def test_a_project_without_items_leads_to_its_imports(client, cast):
    empty = make_project(cast, name="Empty")
    assert f"/projects/{empty.pk}/imports" in page(client, cast.lea)


def test_many_projects_cost_as_many_queries_as_one(client, cast, django_assert_max_num_queries):
    for number in range(6):
        make_items(make_project(cast, name=f"P{number}"), 3)
    client.force_login(cast.lea)
    with django_assert_max_num_queries(12):
        client.get("/")


def test_an_archived_project_is_gone(client, project, cast):
    Project.objects.update(archived_at="2026-01-01T00:00Z")
    assert "Tickets" not in page(client, cast.lea)


class TestWelcome:
    FORM = {"username": "olga", "password": "a long sentence", "again": "a long sentence"}

    def test_makes_the_owner_once(self, client, db):
        assert client.post("/welcome", self.FORM).url == "/"
        owner = User.objects.get()
        assert owner.is_superuser
        client.logout()
        assert client.post("/welcome", {**self.FORM, "username": "eve"}).url == "/accounts/login/"
        assert User.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"again": "another"}, "The two passwords differ."),
            ({"password": "password", "again": "password"}, "too common"),
            ({"username": ""}, "required"),
        ],
    )
    def test_says_what_is_wrong(self, client, db, change, told):
        response = client.post("/welcome", {**self.FORM, **change})
        assert told in response.content.decode()
        assert not User.objects.exists()


def test_a_viewer_is_led_to_what_they_may_open(client, project):
    viewer = make_user("vic")
    join(project, viewer, "viewer")
    client.force_login(viewer)
    response = client.get(f"/projects/{project.pk}/", follow=True)
    assert response.status_code == 200
    assert "/label" not in response.redirect_chain[-1][0]


@pytest.mark.parametrize(("estimate", "wanted"), [("out-of-fold", True), ("audit", False)])
def test_a_figure_from_items_of_its_own_is_called_early(lea, project, estimate, wanted):
    version = teach(project, [[0.5, 0.3, 0.2]])
    type(version).objects.filter(pk=version.pk).update(accuracy=0.8, estimate=estimate)
    assert ("student 80\u202f%, early estimate" in lea.get("/").content.decode()) is wanted
