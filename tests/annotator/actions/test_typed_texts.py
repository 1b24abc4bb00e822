"""Students of spans have a word on texts that are no items: typed, sent to the API, rows of a file."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from annotator import jobs
from annotator.actions.projects import schema
from annotator.actions.students import predicting, predictions, teaching
from annotator.actions.students.tagged import said_by
from annotator.errors import ConflictError, InvalidError
from annotator.formats.spans import spans_of
from annotator.models import Job, Project, StudentVersion
from annotator.runtime import modelclient
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_shown_images import answering  # noqa: F401 - used by itself
from tests.annotator.actions.test_tagging import mark, project, text
from tests.annotator.actions.test_tuning_taggers import small
from tests.annotator.pages import Client
from tests.contracts.conftest import models
from tests.factories import make_project

__all__ = ["models", "project"]
pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "Please ask Ana Costa whether it rained in Rome today."
SILENT = "the the the"


@pytest.fixture
def taught(cast, project):
    mark(project, cast.ana, 24)
    work()
    return Project.objects.get(pk=project.pk)


def tune(project, models):
    teaching.start_training(project, "token-finetune", small(models, epochs=2, reach=4.0))
    work()
    return StudentVersion.objects.get(project=project, kind="token-finetune")


def send(user, project, *texts, **body):
    client = Client()
    client.force_login(user)
    body = {"texts": list(texts), **body}
    return client.post(f"/api/v1/projects/{project.pk}/predict", body, "application/json")


def type_in(user, project, text, *, part=True, **form):
    client = Client()
    client.force_login(user)
    headers = {"HTTP_HX_REQUEST": "true"} if part else {}
    return client.post(f"/projects/{project.pk}/students/try", {"text": text, **form}, **headers)


def said_of(told, at=0):
    names = told["names"]
    return [(names[str(one["label"])], one["text"]) for one in told["results"][at]["spans"]]


class TestApi:
    @pytest.mark.parametrize("kind", ["token-head", "token-finetune"])
    def test_a_text_of_the_pool_gets_the_marks_that_it_has_in_the_pool(
        self, taught, models, cast, kind
    ):
        version = taught.current_student if kind == "token-head" else tune(taught, models)
        pool = said_by(taught, version)
        texts = [text(number) for number in range(48)]
        told = send(cast.ben, taught, *texts, student=version.pk).json()
        assert told["number"] == version.number
        assert pool.texts == len(told["results"]) == 48
        for number, result in enumerate(told["results"]):
            expected = [
                {
                    "label": version.label_ids[span.label],
                    "start": span.start,
                    "end": span.end,
                    "text": texts[number][span.start : span.end],
                    "probability": pytest.approx(share, abs=1e-2),  # its words are kept in 16 bits
                }
                for span, share in pool.spans(number)
            ]
            assert result["spans"] == expected
            shares = [share for _, share in result["labels"]]
            assert shares == sorted(shares, reverse=True)
            assert dict(result["labels"]) == {
                label: pytest.approx(float(share), abs=1e-2)
                for label, share in zip(version.label_ids, pool.present[number], strict=True)
            }
        assert any(result["spans"] for result in told["results"])

    def test_offsets_count_code_points_also_behind_an_emoji(self, taught, cast):
        typed = "👩‍🚀🇵🇹 é: " + TYPED
        told = send(cast.lea, taught, typed).json()
        assert said_of(told) == [("Person", "Ana Costa"), ("Place", "Rome")]
        for one in told["results"][0]["spans"]:
            assert typed[one["start"] : one["end"]] == one["text"]
            assert 0 < one["probability"] <= 1

    def test_many_texts_and_long_ones_are_read_whole(self, taught, cast, answering):  # noqa: F811
        long = (TYPED + " ") * 360
        long = long[:19_990].ljust(20_000)
        told = send(cast.lea, taught, *[TYPED] * 40, long, SILENT, top=1).json()
        assert len(told["results"]) == 42
        assert said_of(told, 39) == said_of(told, 0)
        assert said_of(told, 40)[-2:] == [("Person", "Ana Costa"), ("Place", "Rome")]
        assert {len(result["labels"]) for result in told["results"]} == {1}
        assert told["results"][41]["spans"] == []
        assert [len(each["texts"]) for each in answering] == [32, 8, 1, 1]

    def test_texts_that_cannot_be_marked_are_refused(self, taught, cast):
        refused = send(cast.lea, taught, TYPED, " \n")
        assert (refused.status_code, refused.json()["detail"]) == (422, "Text 1 (from 0) is empty.")
        assert send(cast.lea, taught, "a" * 20_001).status_code == 422
        assert send(cast.lea, taught, *["a"] * 513).status_code == 422
        told = send(cast.lea, taught, "\u200b \u2060").json()
        assert told["results"][0]["spans"] == []

    def test_a_label_that_was_archived_since_marks_nothing(self, taught, cast):
        schema.archive_label(taught.labels.get(name="Place"))
        told = send(cast.lea, taught, TYPED).json()
        assert said_of(told) == [("Person", "Ana Costa")]
        assert list(told["names"].values()) == ["Person"]

    def test_a_student_that_is_deleted_while_it_is_asked_says_so(self, taught, cast, monkeypatch):
        def refuse(items, **_):
            StudentVersion.objects.filter(project=taught).update(folder="")
            raise InvalidError("The model could not be loaded: no such folder.")

        monkeypatch.setattr(teaching.modelclient, "mark", refuse)
        told = send(cast.lea, taught, TYPED)
        assert told.status_code == 409
        assert "was deleted, or its files were removed, just now" in told.json()["detail"]

    def test_who_may_not_see_the_project_learns_nothing(self, taught, cast):
        assert send(cast.cleo, taught, TYPED).status_code == 404
        assert send(cast.ana, taught, TYPED).status_code == 403
        assert type_in(cast.cleo, taught, TYPED).status_code == 404


class TestTryIt:
    def test_a_typed_text_is_shown_with_its_marks_and_how_sure_each_is(self, taught, cast):
        client = Client()
        client.force_login(cast.lea)
        page = client.get(f"/projects/{taught.pk}/students").content.decode()
        assert "Try it" in page
        assert "Label a whole file" in page
        told = type_in(cast.lea, taught, f"<i>\r\n{TYPED}")
        part = told.content.decode()
        assert "&lt;i&gt;\n" in part
        place = taught.labels.get(name="Place")
        assert (
            f'<mark class="span own hue-{place.colour} deep-0 from to" data-name="Place">' in part
        )
        assert '<q class="quote" dir="auto">Rome</q>' in part
        assert [p.label.name for p, _ in told.context["marks"]] == ["Person", "Place"]
        assert all(0 < share <= 1 for _, share in told.context["marks"])
        assert "Which words say so?" not in part
        assert "<html" not in part
        whole = type_in(cast.lea, taught, TYPED, part=False).content.decode()
        assert "<html" in whole
        assert TYPED in whole

    def test_that_nothing_is_marked_is_told_in_words(self, taught, cast):
        part = type_in(cast.lea, taught, SILENT).content.decode()
        assert "marks nothing in this text" in part

    def test_more_marks_than_are_listed_are_counted(self, taught, cast):
        part = type_in(cast.lea, taught, f"{TYPED} " * 30)
        marked = part.content.decode().count("data-name=")
        assert marked > 50
        assert len(part.context["marks"]) == 50
        assert f"{marked - 50} more are marked in the text" in part.content.decode()

    def test_empty_and_endless_texts_are_refused_on_the_page(self, taught, cast):
        for typed in ("", " \n", "a" * 20_001):
            part = type_in(cast.lea, taught, typed)
            assert part.status_code == 200
            assert "Type a text of 1 to 20,000 characters." in part.content.decode()
            assert type_in(cast.lea, taught, typed, part=False).status_code == 422
        assert type_in(cast.lea, taught, "a" * 20_000).status_code == 200

    def test_any_version_is_asked_on_its_own_page(self, taught, models, cast):
        version = tune(taught, models)
        client = Client()
        client.force_login(cast.lea)
        page = client.get(f"/projects/{taught.pk}/students/{version.number}").content.decode()
        assert f'name="number" value="{version.number}"' in page
        told = type_in(cast.lea, taught, TYPED, number=version.number).content.decode()
        assert f"tudent {version.number} marks" in told
        pair = f"?number={version.number}&number=1"
        assert client.get(f"/projects/{taught.pk}/students/compare{pair}").status_code == 200

    def test_which_words_say_so_is_asked_of_labels_alone(self, taught, cast):
        client = Client()
        client.force_login(cast.lea)
        part = client.post(
            f"/projects/{taught.pk}/students/explain", {"text": TYPED}, HTTP_HX_REQUEST="true"
        ).content.decode()
        assert "No words are left out to see why others are marked" in part

    def test_the_page_asks_again_while_the_model_starts(self, taught, cast, monkeypatch):
        def starting(*_, **__):
            raise modelclient.ModelStartingError("The model is starting.")

        monkeypatch.setattr(teaching.modelclient, "mark", starting)
        part = type_in(cast.lea, taught, TYPED).content.decode()
        assert "Asking again by itself." in part


class TestFile:
    ROWS = ("id,text,predicted_spans\n"
            f'1,"{TYPED}",old\n2,,\n3,{SILENT},\n4,👩‍🚀 please ask Ben whether it rained in Lima today.,\n')  # fmt: skip

    def begin(self, project, content=None, name="t.csv", **wish):
        content = (content or self.ROWS).encode()
        return predictions.create(project, io.BytesIO(content), predictions.Wish(**wish), name=name)

    def finish(self, made):
        jobs.execute(made.job_id)
        made.refresh_from_db()
        assert made.state == "done", made.error
        return predictions.path_of(made)

    def test_every_row_comes_back_with_what_is_marked(self, taught):
        made = self.begin(taught, soft=True)
        rows = list(csv.DictReader(io.StringIO(self.finish(made).read_text())))
        assert list(rows[0]) == [
            *("id", "text", "predicted_spans_before"),
            *("predicted_labels", "predicted_spans", "predicted_soft"),
        ]
        assert rows[0]["predicted_spans_before"] == "old", "what the file said itself stays"
        spans = [json.loads(row["predicted_spans"] or "null") for row in rows]
        assert spans[1:3] == [None, []], "no text, and nothing marked"
        assert (rows[1]["predicted_labels"], rows[2]["predicted_labels"]) == ("", "[]")
        assert json.loads(rows[0]["predicted_labels"]) == ["Person", "Place"]
        told = [(one["label"], one["text"]) for one in spans[3]]
        assert told == [("Person", "Ben"), ("Place", "Lima")]
        for row, own in zip(rows, spans, strict=True):
            for one in own or ():
                assert set(one) == {"start", "end", "label", "text", "probability"}
                assert row["text"][one["start"] : one["end"]] == one["text"]
        soft = json.loads(rows[0]["predicted_soft"])
        assert set(soft) == {"Person", "Place"}
        assert all(0 < share <= 1 for share in soft.values())
        assert (made.rows, made.report["silent"]) == (4, 1)

    def test_a_label_that_was_archived_since_marks_nothing_in_a_file(self, taught):
        schema.archive_label(taught.labels.get(name="Place"))
        made = self.begin(taught, format="jsonl", soft=True)
        rows = list(map(json.loads, self.finish(made).read_text().splitlines()))
        assert spans_of(rows[0]["predicted_spans"], "as imports read it") == ((11, 20, "Person"),)
        assert rows[0]["predicted_labels"] == ["Person"]
        assert list(rows[0]["predicted_soft"]) == ["Person"]

    def test_a_killed_worker_loses_one_part_at_most(self, taught, monkeypatch):
        monkeypatch.setattr(predicting, "MARKED", 1)
        whole = self.finish(self.begin(taught)).read_bytes()
        made, kept, written = self.begin(taught), predicting._keep, []

        def killed(path, said):
            if len(written) == 2:
                raise KeyboardInterrupt
            written.append(path.name)
            kept(path, said)

        monkeypatch.setattr(predicting, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            jobs.execute(made.job_id)
        Job.objects.filter(pk=made.job_id).update(lease_until=timezone.now())
        monkeypatch.setattr(
            predicting, "_keep", lambda *given: (written.append(given[0].name), kept(*given))
        )
        assert self.finish(made).read_bytes() == whole
        assert len(written) == len(set(written)) == 4

    def test_a_command_and_a_dearer_student_mark_a_file_too(self, taught, models, tmp_path, capsys):
        version = tune(taught, models)
        (tmp_path / "t.csv").write_text(self.ROWS)
        call_command(
            "predict", str(taught.pk), tmp_path / "t.csv", tmp_path / "o.parquet",
            student=version.number,
        )  # fmt: skip
        assert json.loads(capsys.readouterr().out)["rows"] == 4
        rows = pq.read_table(tmp_path / "o.parquet").to_pylist()
        api = teaching.predict(taught, [TYPED], version)[0]
        assert [(one["start"], one["end"]) for one in json.loads(rows[0]["predicted_spans"])] == [
            (each.start, each.end) for each in api.marks
        ]
        assert rows[1]["predicted_spans"] is None

    def test_a_file_is_marked_from_the_page_and_not_by_a_student_that_is_gone(self, taught, cast):
        lea, here = Client(), f"/projects/{taught.pk}/students/files"
        lea.force_login(cast.lea)
        page = lea.get(here).content.decode()
        assert "A student marks the text of every row" in page
        assert "how likely each is marked" in page
        form = {"file": SimpleUploadedFile("t.csv", self.ROWS.encode()), "format": "csv"}
        assert lea.post(here, form | {"student": 1}).status_code == 302
        (waiting,) = taught.predicted_files.all()
        StudentVersion.objects.filter(project=taught).update(folder="")
        jobs.execute(waiting.job_id)
        waiting.refresh_from_db()
        assert (waiting.state, "removed meanwhile" in waiting.error) == ("failed", True)
        with pytest.raises(ConflictError, match="removed to save space"):
            self.begin(taught)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("ranking", "Students of rankings put the candidates of their project's items in order"),
        ("boxes", "No student learns from answers of this type"),
        ("text", "No student learns from answers of this type"),
    ],
)
def test_students_that_say_nothing_of_other_items_are_refused_with_what_to_do(cast, task, told):
    kinds = {"ranking": "list", "boxes": "image", "text": "text"}
    made = make_project(cast, name=task, task_type=task, item_kind=kinds[task], labels=())
    refused = send(cast.lea, made, TYPED)
    assert (refused.status_code, refused.json()["detail"].startswith(told)) == (409, True)
    assert "mport" in refused.json()["detail"]
    with pytest.raises(ConflictError, match=told[:30]):
        predictions.create(made, io.BytesIO(b"text\na\n"), predictions.Wish(), name="t.csv")
    client = Client()
    client.force_login(cast.lea)
    assert client.get(f"/projects/{made.pk}/students/files").status_code == 404
    assert "Try it" not in client.get(f"/projects/{made.pk}/students").content.decode()
