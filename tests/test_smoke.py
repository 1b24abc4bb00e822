import pytest


@pytest.mark.django_db
def test_the_server_answers(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "default-src 'none'" in response["Content-Security-Policy"]


def test_the_cast_has_a_project(cast, project):
    from annotator.models import Can, Project

    assert Project.objects.for_user(cast.ana, Can.LABEL).get() == project
    assert not Project.objects.for_user(cast.cleo).exists()
    assert project.items.count() == 12
