"""Exports: choosing, following, checking, taking away."""

import hashlib
import io
import json
import zipfile

import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.exports import exporting
from annotator.models import Job, Snapshot
from tests.annotator.web.helpers import say
from tests.factories import make_project

pytestmark = pytest.mark.django_db

FORM = {"format": "jsonl", "contents": ["verdicts"], "only_decided": "on", "streams": "on"}


def url(project, rest="exports"):
    return f"/projects/{project.pk}/{rest}"


@pytest.fixture
def labelled(project, cast):
    ana = assigning.voice_of(project, cast.ana)
    for item in project.items.order_by("number")[:4]:
        say(project, ana, item, "Billing")
    return project


def work(snapshot):
    """Write the snapshot as its worker would."""
    Job.objects.filter(pk=snapshot.job_id).update(state="running", attempt=1)
    exporting.run_export(jobs.Run(Job.objects.get(pk=snapshot.job_id)))
    Job.objects.filter(pk=snapshot.job_id).update(state="done")
    snapshot.refresh_from_db()


def test_an_empty_page_teaches(lea, project):
    assert b"No snapshot yet" in lea.get(url(project)).content


def test_formats_are_offered_that_have_a_place_for_the_answers(lea, project, cast):
    assert b"CoNLL-2003" not in lea.get(url(project)).content
    assert b"CoNLL-2003" in lea.get(url(make_project(cast, task_type="spans"))).content


def test_a_snapshot_is_made_followed_and_taken_away(lea, labelled):
    assert lea.post(url(labelled), FORM).status_code == 302
    snapshot = Snapshot.objects.get()
    assert snapshot.options["only_decided"] is True
    assert snapshot.options["soft"] is False
    shown = lea.get(url(labelled)).content
    assert b"being written" in shown
    assert b'hx-select="#snapshots"' in shown
    assert lea.get(url(labelled, f"exports/{snapshot.pk}/download")).status_code == 404
    work(snapshot)
    shown = lea.get(url(labelled)).content
    assert snapshot.sha256.encode() in shown
    pool = f"{labelled.item_count} items"
    assert f"items.jsonl, 4 rows · of {pool} there were" in shown.decode()
    assert b'hx-select="#snapshots"' not in shown
    response = lea.get(url(labelled, f"exports/{snapshot.pk}/download"))
    content = b"".join(response.streaming_content)
    assert hashlib.sha256(content).hexdigest() == snapshot.sha256
    rows = zipfile.ZipFile(io.BytesIO(content)).read("items.jsonl").decode().splitlines()
    assert [json.loads(row)["label"] for row in rows] == ["Billing"] * 4


def test_a_label_may_be_called_like_a_part_of_a_template(lea, labelled):
    labelled.labels.filter(name="Billing").update(name="items")
    lea.post(url(labelled), FORM)
    snapshot = Snapshot.objects.get()
    work(snapshot)
    page = lea.get(url(labelled, f"exports/{snapshot.pk}")).content
    assert b"<dt>items</dt><dd>4</dd>" in page


def test_the_manifest_is_shown(lea, labelled):
    lea.post(url(labelled), FORM)
    snapshot = Snapshot.objects.get()
    work(snapshot)
    text = lea.get(url(labelled, f"exports/{snapshot.pk}")).content.decode()
    assert "items.jsonl" in text
    assert "schema_version" in text


def test_splits_are_shares(lea, labelled):
    splits = {"train": "80", "validation": "10", "test": "10"}
    lea.post(url(labelled), FORM | splits)
    assert Snapshot.objects.get().options["splits"] == {
        "train": 0.8,
        "validation": 0.1,
        "test": 0.1,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"train": "80", "test": "10"}, {"format": "xlsx"}, {"contents": []}, {"train": "-1"}],
)
def test_choices_that_cannot_be_are_refused(lea, labelled, wrong):
    assert lea.post(url(labelled), FORM | wrong).status_code == 422
    assert not Snapshot.objects.exists()


def test_images_are_offered_only_where_there_are_some(lea, cast, project):
    assert "images" not in lea.get(url(project)).context["form"].fields
    pictures = make_project(cast, name="Digits", item_kind="image", encoder="pixels-pca")
    assert "images" in lea.get(url(pictures)).context["form"].fields


@pytest.mark.parametrize("who", ["ana", "ben", "cleo"])
def test_exports_are_for_managers(sign_in, cast, labelled, who):
    client = sign_in(getattr(cast, who))
    snapshot = exporting.create_snapshot(labelled)
    for rest in ("exports", f"exports/{snapshot.pk}", f"exports/{snapshot.pk}/download"):
        assert client.get(url(labelled, rest)).status_code == 404
    assert client.post(url(labelled), FORM).status_code == 404


def test_another_projects_snapshot_is_not_found(lea, cast, labelled):
    other = make_project(cast, name="Other")
    snapshot = exporting.create_snapshot(other)
    assert lea.get(url(labelled, f"exports/{snapshot.pk}")).status_code == 404


def test_the_number_of_queries_does_not_grow(lea, labelled, django_assert_max_num_queries):
    for _ in range(8):
        exporting.create_snapshot(labelled)
    with django_assert_max_num_queries(8):
        lea.get(url(labelled))
