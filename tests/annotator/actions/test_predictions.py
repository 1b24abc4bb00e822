"""A whole file is labelled: the same file whatever happens to its worker, and nothing is left over."""

import csv
import io
import json
from importlib import import_module

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.imports import uploads
from annotator.actions.instance import sweeping
from annotator.actions.projects import schema
from annotator.actions.students import predicting, predictions, teaching
from annotator.actions.students.training import students_folder
from annotator.errors import ConflictError, InvalidError
from annotator.job_kinds import KINDS
from annotator.models import Job, JobState, PredictedFile, PredictionState
from learning.students import load
from tests.annotator.actions.test_leaving import taught  # noqa: F401 - a fixture
from tests.annotator.pages import Client
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = ["refund to my bank card", "the parcel is late", "", "locked account"] * 3


def table(extra=""):
    rows = "".join(f"{number},{text},=1+1\n" for number, text in enumerate(TEXTS))
    return f"id,text,note\n{rows}{extra}".encode()


def begin(project, content=None, name="tickets.csv", **wish):
    return predictions.create(
        project, io.BytesIO(content or table()), predictions.Wish(**wish), name=name
    )


def finish(made):
    jobs.execute(made.job_id)
    made.refresh_from_db()
    assert made.state == "done", made.error
    return predictions.path_of(made)


def test_every_row_comes_back_with_what_the_student_says(taught):  # noqa: F811
    made = begin(taught, table("9,a,b,c,d\n"))
    rows = list(csv.DictReader(io.StringIO(finish(made).read_text())))
    assert [row["id"] for row in rows] == [str(number) for number in range(len(TEXTS))]
    assert list(rows[0]) == ["id", "text", "note", "predicted_label", "predicted_probability"]
    version = taught.current_student
    fitted = load(students_folder(taught.pk) / version.folder)
    said = fitted.predict(encoding.encoder_of(version.encoding).encode(TEXTS)).max(axis=1)
    told = [(row["predicted_label"], row["predicted_probability"]) for row in rows]
    assert told[2] == ("", "")
    np.testing.assert_allclose(
        [float(told[row][1]) for row in (0, 1, 3)], said[[0, 1, 3]], atol=1e-5
    )
    assert [label for label, _ in told[:4]] == ["Billing", "Delivery", "", "Login"]
    assert (made.rows, made.report["silent"], made.report["unreadable"]) == (12, 3, 1)
    assert not predictions.parts_of(made).exists()
    assert not (uploads.folder() / made.stored_name).exists()


def test_no_label_is_given_that_was_archived_since(taught):  # noqa: F811
    schema.archive_label(taught.labels.get(name="Billing"))
    rows = list(csv.DictReader(io.StringIO(finish(begin(taught, soft=True)).read_text())))
    assert {row["predicted_label"] for row in rows} == {"", "Delivery", "Login"}
    assert all("Billing" not in row["predicted_soft"] for row in rows)


def test_a_killed_worker_loses_one_part_at_most(taught, monkeypatch):  # noqa: F811
    monkeypatch.setattr(predicting, "CHUNK", 5)
    whole = finish(begin(taught, soft=True)).read_bytes()
    made, kept = begin(taught, soft=True), predicting._keep
    written = []

    def killed(path, probabilities):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        kept(path, probabilities)

    monkeypatch.setattr(predicting, "_keep", killed)
    with pytest.raises(KeyboardInterrupt):
        jobs.execute(made.job_id)
    Job.objects.filter(pk=made.job_id).update(lease_until=timezone.now())
    monkeypatch.setattr(
        predicting, "_keep", lambda *given: (written.append(given[0].name), kept(*given))
    )
    assert finish(made).read_bytes() == whole
    assert len(written) == len(set(written)) == 3


def test_cancelling_leaves_nothing(taught, monkeypatch):  # noqa: F811
    made, kept = begin(taught), predicting._keep

    def cancelled(path, probabilities):
        kept(path, probabilities)
        raise jobs.CancelledError("Cancelled.")

    monkeypatch.setattr(predicting, "_keep", cancelled)
    jobs.execute(made.job_id)
    waiting = begin(taught)
    jobs.request_cancel(waiting.job)
    sweeping.sweep()
    for each in (made, waiting):
        each.refresh_from_db()
        assert (each.state, each.result_name) == ("cancelled", "")
        assert not predictions.parts_of(each).exists()
        assert not (uploads.folder() / each.stored_name).exists()


def test_json_stays_json_and_parquet_has_types(taught, tmp_path, capsys):  # noqa: F811
    lines = [{"body": "the parcel is late", "tags": ["a"], "predicted_label": "old"}, {"n": 5}]
    content = "\n".join(map(json.dumps, lines)).encode()
    path = finish(begin(taught, content, "t.jsonl", text="body", format="jsonl", soft=True))
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["tags"], first["n"], first["predicted_label"]) == (["a"], None, "Delivery")
    assert first["predicted_label_before"] == "old", "what the file said itself stays"
    assert sum(first["predicted_soft"].values()) == pytest.approx(1, abs=1e-4)
    assert (second["n"], second["predicted_label"], second["predicted_soft"]) == (5, None, None)
    (tmp_path / "t.jsonl").write_bytes(content)
    call_command(
        "predict", str(taught.pk), tmp_path / "t.jsonl", tmp_path / "o.parquet", text="body"
    )
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["silent"]) == (2, 1)
    found = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert found[0]["predicted_label"] == "Delivery"
    assert found[0]["tags"] == '["a"]'


def test_what_cannot_be_labelled_is_refused_with_a_sentence(taught, cast):  # noqa: F811
    with pytest.raises(InvalidError, match="no column “body”; it has: id, text, note"):
        begin(taught, text="body")
    with pytest.raises(InvalidError, match="which column holds the text; it has: a, b"):
        begin(taught, b"a,b\n1,2\n")
    with pytest.raises(InvalidError, match="one text"):
        begin(taught, text_b="note")
    with pytest.raises(ConflictError, match="no student yet"):
        begin(make_project(cast, name="New"))
    with pytest.raises(InvalidError, match="written as csv, jsonl, parquet"):
        begin(taught, format="label-studio")
    with pytest.raises(ConflictError, match="two answers, with a mark among them, on"):
        begin(make_project(cast, name="Names", task_type="spans"))
    made = begin(taught, b"text,note\n ,a\n ,b\n", text="text")
    jobs.execute(made.job_id)
    made.refresh_from_db()
    assert (made.state, made.error[:10]) == ("failed", "No row of ")
    assert Job.objects.get(pk=made.job_id).state == JobState.FAILED


def test_on_the_page_and_over_the_api(taught, cast):  # noqa: F811
    lea, here = Client(), f"/projects/{taught.pk}/students/files"
    lea.force_login(cast.lea)
    form = {"file": SimpleUploadedFile("<b>.csv", table()), "format": "csv"}
    form["student"] = taught.current_student.number
    assert lea.post(here, form).status_code == 302
    made = PredictedFile.objects.get()
    finish(made)
    page = lea.get(here).content.decode()
    assert "&lt;b&gt;.csv" in page
    assert "3 rows have no text and no label" in page
    content = b"".join(lea.get(f"{here}/{made.pk}/download").streaming_content)
    assert content == predictions.path_of(made).read_bytes()
    api = f"/api/v1/projects/{taught.pk}/predictions"
    answer = lea.post(api, {"file": SimpleUploadedFile("t.csv", table()), "format": "jsonl"})
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    finish(PredictedFile.objects.get(pk=answer.json()["id"]))
    assert lea.get(f"{api}/{answer.json()['id']}").json()["rows"] == len(TEXTS)
    PredictedFile.objects.update(finished_at=timezone.now() - timezone.timedelta(days=15))
    assert predictions.let_old_ones_go() == 2
    assert lea.get(f"{here}/{made.pk}/download").status_code == 404
    assert "removed after 14 days" in lea.get(here).content.decode()


def test_many_texts_are_asked_about_at_once(taught, cast, monkeypatch):  # noqa: F811
    asked = []

    def predict(texts, **_):
        asked.append(len(texts))
        return np.array([[float(text), 0.3, 0.1] for text in texts], dtype=np.float32)

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    lea, here = Client(), f"/api/v1/projects/{taught.pk}/predict"
    lea.force_login(cast.lea)
    texts = [f"0.{n:03d}" for n in range(130)]
    told = lea.post(here, {"texts": texts, "top": 1}, content_type="application/json").json()
    assert asked == [130]
    assert told["number"] == taught.current_student.number
    said = [result["labels"] for result in told["results"]]
    assert {len(labels) for labels in said} == {1}
    billing, delivery = taught.current_student.label_ids[:2]
    assert told["names"] == {str(delivery): "Delivery"}
    assert said[0] == [[delivery, 0.3]]
    told = lea.post(here, {"texts": ["0.9"] * 3}, content_type="application/json").json()
    assert told["results"][2]["labels"][0][0] == billing
    refused = lea.post(here, {"texts": ["0.1", " "]}, content_type="application/json")
    assert (refused.status_code, "Text 1" in refused.content.decode()) == (422, True)
    too_many = {"texts": ["0.1"] * (teaching.TEXTS_AT_MOST + 1)}
    assert lea.post(here, too_many, content_type="application/json").status_code == 422


def test_a_column_of_words_is_the_text_whatever_it_is_called(taught):  # noqa: F811
    assert begin(taught, "a,b\n1,склад закрыт\n".encode()).settings["text"] == "b"
    assert begin(taught, b"a,b\n1,2\n", text="b").settings["text"] == "b"


@pytest.mark.parametrize(
    "said",
    [
        "मौसम विभाग ने कहा कि कल भी बारिश होगी",  # Hindi
        "నిన్న రాత్రి వర్షం కురిసింది",  # Telugu
        "မနေ့ညက မိုးရွာခဲ့သည်",  # Burmese
        "เมื่อคืนนี้ฝนตกหนัก",  # Thai
        "هوا امروز بارانی می‌شود",  # Persian
        "昨夜下了大雨",  # Chinese
        "I am at 9 on it",
    ],
)
def test_words_of_any_script_are_a_text(taught, said):  # noqa: F811
    content = f"number,headline\n1,{said}\n2,{said}\n".encode()
    assert begin(taught, content).settings["text"] == "headline"


def test_a_file_does_not_wait_where_students_are_trained(taught):  # noqa: F811
    assert begin(taught).job.queue != KINDS["finetune"].queue


def test_an_upgrade_moves_files_that_wait_and_those_whose_worker_was_stopped(cast):
    project = make_project(cast)
    old = {"kind": "predict", "queue": "train", "project": project}
    for state in ("queued", "running", "done"):
        Job.objects.create(**old, state=state, rung_at=timezone.now())
    Job.objects.create(**old | {"kind": "finetune"})
    import_module("annotator.migrations.0024_files_beside_encoding").move(apps, None)
    found = Job.objects.filter(project=project, queue="encode", rung_at=None, kind="predict")
    assert {job.state for job in found} == {"queued", "running"}


def test_what_was_cancelled_is_no_error(taught, cast):  # noqa: F811
    made, lea = begin(taught), Client()
    lea.force_login(cast.lea)
    predictions.end(made, PredictionState.CANCELLED, "Cancelled.")
    page = lea.get(f"/projects/{taught.pk}/students/files").content.decode()
    assert '<span class="tag push">Cancelled</span>' in page
    assert "job-error" not in page


class TestPieces:
    """A file is labelled in turns with whatever waits for the same worker."""

    @pytest.fixture
    def hurried(self, monkeypatch):
        monkeypatch.setattr(predicting, "CHUNK", 5)
        monkeypatch.setattr(predicting, "PIECE_SECONDS", 0.0)

    def test_a_piece_labels_a_part_however_long_loading_took(self, taught, hurried):  # noqa: F811
        made = begin(taught)
        Job.objects.create(kind="map", queue=made.job.queue, project=taught)
        pieces = []
        while made.is_live and len(pieces) < 5:
            jobs.execute(made.job_id)
            pieces.append(Job.objects.get(pk=made.job_id).result)
            made.refresh_from_db()
        assert pieces == [{"rows": 5, "of": 12}, {"rows": 10, "of": 12}, {"rows": 12}]

    def test_it_waits_between_two_pieces_and_says_how_far_it_is(self, taught, hurried):  # noqa: F811
        made = begin(taught)
        Job.objects.create(kind="map", queue=made.job.queue, project=taught)
        jobs.execute(made.job_id)
        made.refresh_from_db()
        assert made.state == "waiting"
        assert (made.job.state, made.job.done, made.job.total) == ("queued", 5, 13)

    def test_a_file_that_came_later_waits_for_its_turn(self, taught, hurried):  # noqa: F811
        files = [begin(taught), begin(taught)]
        ended = []
        for _ in range(6):
            job = Job.objects.filter(kind="predict", state="queued").order_by("pk").first()
            jobs.execute(job.pk)
            over = PredictedFile.objects.exclude(finished_at=None).order_by("finished_at")
            ended = list(over.values_list("pk", flat=True))
        assert ended == [each.pk for each in files]

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_cancel_between_two_pieces_is_heard(self, taught, hurried, monkeypatch, moment):  # noqa: F811
        made, go_on = begin(taught), predictions.go_on
        Job.objects.create(kind="map", queue=made.job.queue, project=taught)
        first, give_way = made.job, predicting._should_give_way

        def cancelled_before(run, began):
            jobs.request_cancel(first)
            return give_way(run, began)

        def cancelled_after(predicted, done):
            go_on(predicted, done)
            jobs.request_cancel(first)

        if moment == "before":
            monkeypatch.setattr(predicting, "_should_give_way", cancelled_before)
        else:
            monkeypatch.setattr(predictions, "go_on", cancelled_after)
        jobs.execute(first.pk)
        first.refresh_from_db()
        assert first.state == {"before": JobState.CANCELLED, "after": JobState.DONE}[moment]
        for job in Job.objects.filter(kind="predict", state="queued"):
            jobs.execute(job.pk)
        made.refresh_from_db()
        assert (made.state, made.result_name) == ("cancelled", "")

    def test_one_that_nobody_waits_for_goes_on(self, taught, hurried):  # noqa: F811
        made = begin(taught)
        finish(made)
        assert Job.objects.filter(kind="predict").count() == 1
