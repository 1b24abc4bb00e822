"""Texts of a form in files: exports that come back, what is guessed of columns, what rows are refused."""

import csv
import io
import json

import pytest

from annotator.actions.exports import exporting
from annotator.actions.imports import importing, looking
from annotator.actions.projects import copying, projects, starting
from annotator.actions.verdicts import settling
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    BatchState,
    Project,
    Verdict,
)
from tests.annotator.actions.test_forms import exported
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.written import HOSTILE, KETTLE, give, labelled, written_project
from tests.factories import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    return written_project(cast)


def form_like(cast, project, name="Again"):
    return copying.create_like(project, cast.lea, name)


class TestFiles:
    @pytest.fixture
    def told(self, project, cast):
        make_items(project, [f"{KETTLE} {number}" for number in range(3)])
        give(project, cast.ana, "yes", {"why": HOSTILE})
        give(project, cast.ana, "no", {"note": "fine"})
        return project

    @pytest.mark.parametrize("format", ["jsonl", "csv"])
    @pytest.mark.parametrize("label", ["labels", "answer_complaint"])
    def test_an_export_has_a_column_for_each_text_and_comes_back(self, told, cast, format, label):
        content, snapshot = exported(told, format)
        found = (
            [json.loads(line) for line in content.splitlines()]
            if format == "jsonl"
            else list(csv.DictReader(io.StringIO(content)))
        )
        said = sorted((row["answer_why"] or "", row["answer_note"] or "") for row in found)
        assert said == sorted([(HOSTILE, ""), ("", "fine"), ("", "")])
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        texts = ("answer_why", "answer_note")
        columns = (
            {"label": label, "answers": texts}
            if label == "labels"
            else {"answers": (label, *texts)}
        )
        again = form_like(cast, told)
        batch = imported(
            again,
            content.encode(),
            Mapping(text="text", **columns),
            name=f"x.{format}",
            labels="truth",
        )
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        settling.settle_now(again)
        values = [one.value["texts"] for one in Verdict.objects.filter(project=again)]
        wanted = [{"why": {"text": HOSTILE}}, {"note": {"text": "fine"}}]
        assert sorted(map(str, values)) == sorted(map(str, wanted))

    def test_columns_that_are_called_as_questions_are_guessed_to_answer_them(self, told, cast):
        content, _ = exported(told, "jsonl")
        again = form_like(cast, told)
        batch = importing.receive(again, io.BytesIO(content.encode()), cast.lea, name="x.jsonl")
        guess = looking.look(batch).mapping
        assert (guess.label, guess.text) == ("", "text")
        assert set(guess.answers) == {"answer_complaint", "answer_why", "answer_note"}
        other = io.BytesIO(b"text,complaint,WHY,channel\na,yes,It leaks,mail\n")
        guess = looking.look(importing.receive(again, other, cast.lea, name="y.csv")).mapping
        assert (guess.label, guess.answers) == ("", ("complaint", "WHY"))
        assert guess.metadata == ("channel",)

    def test_columns_of_texts_alone_are_guessed_beside_the_one_of_all_labels(self, told, cast):
        data = io.BytesIO(b"text,labels,why,channel\na,Complaint > yes,It leaks,mail\n")
        batch = importing.receive(form_like(cast, told), data, cast.lea, name="y.csv")
        guess = looking.look(batch).mapping
        assert (guess.label, guess.answers) == ("labels", ("why",))

    def test_argillas_one_question_may_be_called_like_a_column_of_ours(self, cast):
        labels = projects.create_project(cast.lea, "Labels", encoder="tfidf-svd")
        said = {"answer_type": [{"value": "yes", "user_id": "u"}]}
        content = json.dumps([{"fields": {"text": KETTLE}, "responses": said}]).encode()
        batch = imported(labels, content, Mapping(text="text"), name="x.json", labels="truth")
        assert (batch.report["bad_rows"], batch.report["labels"]) == (0, [["yes", 1]])

    @pytest.mark.parametrize("format", ["label-studio", "argilla"])
    def test_formats_of_other_tools_hold_the_texts_as_questions_and_give_them_back(
        self, told, cast, format
    ):
        content, _ = exported(told, format)
        again = form_like(cast, told)
        batch = imported(
            again, content.encode(), Mapping(text="text"), name="x.json", labels="truth"
        )
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        settling.settle_now(again)
        found = Verdict.objects.filter(project=again).order_by("item__number")
        told_verdicts = Verdict.objects.filter(project=told).order_by("item__number")
        settling.settle_now(told)
        assert [one.value for one in found] == [one.value for one in told_verdicts]
        assert len(found) == 2

    def test_label_studios_own_questions_are_read_with_a_star(self, project, cast):
        part = {"to_name": "text", "id": "a"}
        result = [
            part | {"from_name": "complaint", "type": "choices", "value": {"choices": ["yes"]}},
            part | {"from_name": "why", "type": "textarea", "value": {"text": ["It", "leaks"]}},
        ]
        task = {"data": {"text": KETTLE}, "annotations": [{"result": result}]}
        batch = imported(
            project,
            json.dumps([task]).encode(),
            Mapping(text="text"),
            name="x.json",
            labels="truth",
            reader={"question": "*"},
        )
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        assert Annotation.objects.get(project=project).value == {
            "texts": {"why": {"text": "It\nleaks"}}
        }

    def test_argillas_own_questions_are_read_with_a_star_voice_by_voice(self, project, cast):
        long = "It leaks > " * 40
        record = {
            "id": "a",
            "fields": {"text": KETTLE},
            "responses": {
                "complaint": [{"value": "yes", "user_id": "u"}, {"value": "no", "user_id": "v"}],
                "Why": [{"value": long, "user_id": "u", "status": "submitted"}],
            },
            "suggestions": {"complaint": {"value": "no", "agent": "m"}, "why": {"value": "x"}},
        }
        batch = imported(
            project,
            json.dumps([record]).encode(),
            Mapping(text="text"),
            name="x.json",
            labels="votes",
            reader={"question": "*"},
        )
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        found = Annotation.objects.filter(project=project).order_by("labels")
        assert [one.value["texts"] for one in found] == [{"why": {"text": long}}, {}]
        assert [one.labels for one in found] == [labelled(project, "yes"), labelled(project, "no")]

    def test_a_row_that_is_no_whole_answer_is_refused_with_the_question(self, project):
        data = f"text,Complaint,Why\na,yes,\nb,no,leaks\nc,yes,{'x' * 20_001}\nd,no,\ne,yes,ok\n"
        batch = imported(
            project,
            data.encode(),
            Mapping(text="text", answers=("Complaint", "Why")),
            labels="truth",
            bad_rows="skip",
        )
        told = {row: message for row, _, message in batch.report["problems"]}
        assert told[2] == "Still to be written: Why."
        assert "“Why” is not asked" in told[3]
        assert "“Why”: A text has 20,000" in told[4]
        assert batch.items_added == 2

    def test_a_label_cannot_stand_for_a_text(self, project):
        data = b'{"text": "a", "labels": ["Complaint > yes", "Why > leaks"]}\n'
        mapping = Mapping(text="text", label="labels")
        batch = imported(project, data, mapping, name="x.jsonl", labels="truth", bad_rows="skip")
        assert "in a column of its own" in batch.report["problems"][0][2]

    def test_suggestions_of_a_form_leave_its_texts_out(self, project, cast):
        data = b"text,Complaint,Why\na,yes,It leaks\n"
        mapping = Mapping(text="text", answers=("Complaint", "Why"))
        batch = imported(project, data, mapping, labels="suggestions")
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        assert not Annotation.objects.filter(project=project).exists()

    def test_a_first_file_makes_a_question_of_a_column_of_long_texts(self, cast):
        lines = "".join(f"item {n},yes,Because of the thing number {n} that is broken here\n" for n in range(12))  # fmt: skip
        batch = starting.open_project(
            cast.lea, io.BytesIO(f"text,Complaint,Why\n{lines}".encode()), file_name="calls.csv"
        )
        mapping = Mapping(text="text", answers=("Complaint", "Why"))
        assert looking.look(batch, mapping=mapping).labels == [("Complaint > yes", 12)]
        batch = starting.begin(
            batch, mapping, importing.Options(labels="truth"), cast.lea, task_type="form"
        )
        project = Project.objects.get(pk=batch.project_id)
        asked = {one.name: (one.kind, one.optional) for one in project.task.questions}
        assert asked == {"Complaint": ("single", False), "Why": ("text", True)}
        run(batch.job)
        batch.refresh_from_db()
        assert (batch.report["bad_rows"], batch.report["answers"]) == (0, 12)
