"""Students: versions, comparing honestly, promoting, downloading, and who may."""

import pytest

from annotator.models import Membership, Role
from tests.annotator.web.versions_made import url, version, with_files
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def test_an_empty_page_teaches(lea, project):
    assert b"No student yet" in lea.get(url(project)).content


def test_versions_show_where_they_were_measured(lea, project):
    version(project, 1, accuracy=0.8, accuracy_low=0.7, accuracy_high=0.9, estimate="out-of-fold")
    version(project, 2, accuracy=0.8, accuracy_low=0.7, accuracy_high=0.9, estimate="audit")
    text = lea.get(url(project)).content.decode()
    assert "cross-validated" in text
    assert "random sample" in text


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((0.8, 0.7, 0.88, "audit"), (0.82, 0.72, 0.9, "audit"), "may be chance"),
        ((0.6, 0.5, 0.65, "audit"), (0.9, 0.85, 0.95, "audit"), "Student 2 is better by 30.0"),
        ((0.6, 0.5, 0.65, "out-of-fold"), (0.9, 0.85, 0.95, "audit"), "not comparable"),
        ((None, None, None, ""), (0.9, 0.85, 0.95, "audit"), "cannot be compared"),
    ],
)
def test_comparing_says_no_more_than_is_known(lea, project, one, other, said):
    for number, (accuracy, low, high, estimate) in ((1, one), (2, other)):
        version(
            project,
            number,
            accuracy=accuracy,
            accuracy_low=low,
            accuracy_high=high,
            estimate=estimate,
        )
    response = lea.get(url(project, "students/compare?number=1&number=2"))
    assert said in response.content.decode()


def test_comparing_wants_two(lea, project):
    version(project, 1)
    response = lea.get(url(project, "students/compare?number=1"), follow=True)
    assert response.redirect_chain[-1][0] == url(project, "students")
    assert "Tick two students to compare them." in response.content.decode()
    assert lea.get(url(project, "students/compare?number=1&number=9")).status_code == 404


def test_a_refusal_leads_back_to_the_page_of_ours_that_it_came_from(lea, project):
    def refused(came_from):
        address = url(project, "students/compare?number=1&number=x")
        return lea.get(address, headers={"referer": came_from}).content.decode()

    ours = f"http://testserver{url(project, 'students')}"
    assert f'href="{ours}">Back</a>' in refused(ours)
    assert "Back</a>" not in refused("https://elsewhere.example/students")
    assert "Back</a>" not in refused("javascript:alert(1)")
    assert "Back</a>" not in refused(
        f"http://testserver{url(project, 'students/compare?number=1&number=x')}"
    )


def test_rolling_back_pins_and_unpinning_lets_go(lea, project):
    with_files(project, 1)
    project.current_student = with_files(project, 2)
    project.save()
    assert lea.post(url(project, "students/1/promote")).status_code == 302
    project.refresh_from_db()
    assert (project.current_student.number, project.student_pinned) == (1, True)
    with_files(project, 3)
    project.current_student = version(project, 4)
    project.save()
    listed = lea.get(url(project)).content.decode()
    assert 'Roll back<span class="visually-hidden"> to student 1<' in listed
    assert 'Promote<span class="visually-hidden"> to student 3<' in listed, "it never served"
    assert b"Somebody went back to it: newer ones wait" in lea.get(url(project)).content
    lea.post(url(project, "students/unpin"))
    project.refresh_from_db()
    assert not project.student_pinned


def test_a_student_without_files_is_not_promoted(lea, project):
    version(project, 1, folder="gone")
    refused = lea.post(url(project, "students/1/promote"))
    assert refused.status_code == 409
    assert b"removed to save space" in refused.content


def test_a_download_of_removed_files_says_so(lea, project):
    version(project, 1, folder="gone")
    assert lea.get(url(project, "students/1/download")).status_code == 404


def test_reviewers_look_and_managers_act(sign_in, ben, cast, project):
    with_files(project, 1)
    assert ben.get(url(project)).status_code == 200
    for rest in ("students/1/promote", "students/unpin", "students/finetune"):
        assert ben.post(url(project, rest)).status_code == 404
    assert ben.get(url(project, "students/1/download")).status_code == 404
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    assert sign_in(cast.cleo).get(url(project, "students/1/download")).status_code == 200
    assert sign_in(cast.ana).get(url(project)).status_code == 404


def test_another_projects_student_is_not_found(lea, cast, project):
    other = make_project(cast, name="Other")
    with_files(other, 1)
    assert lea.post(url(project, "students/1/promote")).status_code == 404
    assert lea.get(url(project, "students/1/download")).status_code == 404


def test_the_number_of_queries_does_not_grow(lea, project, django_assert_max_num_queries):
    for number in range(1, 20):
        version(project, number)
    with django_assert_max_num_queries(13):
        lea.get(url(project))
