"""Ratings: grades keep their order from the wizard to the verdict."""

import io
from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.projects import projects, schema
from annotator.actions.verdicts import agreeing, sealing, verdicts
from annotator.errors import ConflictError, InvalidError
from annotator.models import ImportBatch, Project, Verdict
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

GRADES = ("1", "2", "3", "4", "5")


@pytest.fixture
def project(cast):
    return make_project(
        cast, labels=GRADES, task_type="rating", consensus="median", overlap=3, audit_share=0
    )


def rate(project, user, grades):
    """Answer the items in the order in which they are served; each grade belongs to an item."""
    voice, labels = voice_of(project, user), dict(project.labels.values_list("name", "pk"))
    for _ in grades:
        (lease,) = assigning.lease(project, voice, 1)
        grade = grades[lease.item.text]
        labeling.submit(
            project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=[labels[grade]]
        )


class TestScale:
    def test_a_grade_named_by_a_digit_has_it_as_its_key(self, cast):
        made = projects.create_project(cast.lea, "Stars", task_type="rating")
        names = ("0", "1", "2", "poor", "10")
        fresh = schema.add_labels(made, [(name, "", "", "") for name in names])
        assert [label.hotkey for label in fresh] == ["0", "1", "2", "3", "4"]

    def test_grades_are_not_moved_and_come_back_in_their_place(self, project):
        labels = list(project.live_labels())
        with pytest.raises(ConflictError, match="keep their order"):
            schema.reorder_labels(project, [label.pk for label in reversed(labels)])
        schema.archive_label(labels[1])
        schema.restore_label(labels[1])
        assert [label.name for label in project.live_labels()] == list(GRADES)

    @pytest.mark.parametrize("kind", ["text", "pair", "image"])
    def test_any_kind_of_item_is_rated(self, cast, kind):
        made = projects.create_project(cast.lea, "Stars", task_type="rating", item_kind=kind)
        assert (made.item_kind, made.task_type) == (kind, "rating")

    def test_the_median_is_for_grades_alone(self, cast, project):
        projects.change_project(project, consensus="median")
        with pytest.raises(InvalidError, match="Median grade"):
            projects.create_project(cast.lea, "Topics", consensus="median")


class TestWizard:
    FILE = b"text,stars\n" + b"".join(b"review %d,%d\n" % (n, (4, 1, 3)[n % 3]) for n in range(9))

    @pytest.fixture
    def lea(self, cast, client):
        client.force_login(cast.lea, backend=BACKEND)
        return client

    @pytest.fixture
    def batch(self, lea):
        file = io.BytesIO(self.FILE)
        file.name = "reviews.csv"
        lea.post(reverse("project_new"), {"file": file})
        return ImportBatch.objects.get()

    def test_numbers_of_the_file_become_the_scale_in_their_order(self, lea, batch):
        page = reverse("import", args=[batch.project_id, batch.pk])
        form = {"task_type": "rating", "role-0": "text", "role-1": "label"}
        shown = lea.post(page, form).content.decode()
        assert "Grades, the lowest first" in shown
        assert '<option value="label" selected>Grade</option>' in shown
        assert ">1\n3\n4</textarea>" in shown
        assert (
            ">1\n3\n4</textarea>"
            not in lea.post(
                page, {**form, "task_type": "single", "typed": "1\r\n3\r\n4"}
            ).content.decode()
        )
        refused = lea.post(page, {**form, "task_type": "hexagon", "do": "start"})
        assert refused.status_code == 422
        lea.post(page, {**form, "typed": "1\r\n3\r\n4: good", "do": "start"})
        project = Project.objects.get()
        assert project.task_type == "rating"
        assert [label.name for label in project.live_labels()] == ["1", "3", "4"]


class TestLoop:
    def test_the_verdict_is_the_median_and_agreement_is_ordinal(self, cast, project):
        make_items(project, 12)
        texts = [f"ticket number {number}" for number in range(12)]
        near = dict.fromkeys(texts, "3") | {texts[0]: "1", texts[1]: "5"}
        for user, grades in (
            (cast.ana, near),
            (cast.ben, near | {texts[0]: "3", texts[2]: "2"}),
            (cast.lea, near | {texts[0]: "5", texts[3]: "4"}),
        ):
            rate(project, user, grades)
        sealing.seal(project)
        verdicts.decide(project, project.items.values_list("pk", flat=True))
        names = dict(project.labels.values_list("pk", "name"))
        verdict = Verdict.objects.get(item__text=texts[0])
        assert (verdict.state, [names[pk] for pk in verdict.labels]) == ("decided", ["3"])
        figures = agreeing.figures(project)
        assert figures["distance"] == "ordinal"
        assert 0 < figures["alpha"]["value"] < 1
        assert figures["masi"] is None
        assert len(figures["pairs"]) == 3
