"""Spans from a file to the desk, and from verdicts to a file."""

import io
import json
from uuid import uuid4

import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options, create_snapshot
from annotator.actions.imports import importing
from annotator.actions.imports.looking import look
from annotator.actions.projects import projects, starting
from annotator.errors import InvalidError
from annotator.formats import FORMATS
from annotator.models import Annotation, BatchState, Job, JobState, Project, Verdict
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.actions.test_loop import work
from tests.factories import make_project

pytestmark = pytest.mark.django_db

TEXT = "👍 Ada met Bob in Rome."
ADA, ROME = (2, 5), (17, 21)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person",), task_type="spans", audit_share=0)
    data = lines(
        {"id": "a", "text": TEXT, "spans": [[*ROME, "Place"], [*ADA, "person"], [*ADA, "Person"]]},
        {"id": "b", "text": "Nobody.", "spans": []},
        {"id": "c", "text": "Not looked at.", "spans": None},
    )
    imported(made, data, name="own.jsonl", labels="truth")
    return Project.objects.get(pk=made.pk)


def ids(project):
    return dict(project.labels.values_list("name", "pk"))


def value(project, *spans):
    names = ids(project)
    return {
        "spans": [
            {"start": start, "end": end, "label": names[name]} for (start, end), name in spans
        ]
    }


class TestImport:
    def test_spans_become_values_with_the_labels_they_brought(self, project):
        said = list(Annotation.objects.filter(project=project).order_by("item__number"))
        assert [each.item.external_id for each in said] == ["a", "b"]
        assert said[0].value == value(project, (ADA, "Person"), (ROME, "Place"))
        assert said[0].labels == sorted(ids(project).values())
        assert (said[1].value, said[1].labels) == ({"spans": []}, [])

    def test_a_span_beyond_its_text_and_labels_of_the_whole_are_bad_rows(self, cast):
        made = make_project(cast, labels=("Person",), task_type="spans")
        data = lines(
            {"text": "Ada", "spans": [[0, 9, "Person"]]}, {"text": "Bob", "spans": "Person"}
        )
        batch = imported(made, data, name="own.jsonl")
        assert batch.state == BatchState.NEEDS_DECISION
        first, second = batch.report["problems"]
        assert first[:2] == [1, "spans"]
        assert "the text has 3 characters" in first[2]
        assert "marks places" in second[2]

    def test_spans_are_no_answers_where_labels_are_asked(self, cast):
        batch = imported(make_project(cast), lines({"text": "Ada", "spans": [[0, 3, "Person"]]}))
        assert "labels whole items" in batch.report["problems"][0][2]

    def test_a_list_of_no_places_says_no_label_where_labels_are_asked(self, cast):
        made = make_project(cast, labels=("Person",), task_type="multi")
        data = [
            {"data": {"text": "Ada"}, "annotations": [{"result": [], "was_cancelled": False}]},
            {"data": {"text": "Bob"}, "annotations": []},
        ]
        batch = imported(made, json.dumps(data).encode(), name="tasks.json", format="label-studio")
        assert batch.report["problems"] == []
        (said,) = Annotation.objects.filter(project=made)
        assert (said.item.text, said.labels, said.value) == ("Ada", [], None)

    def test_suggested_spans_come_with_the_lease_and_never_count(self, cast):
        made = make_project(cast, labels=("Person",), task_type="spans", audit_share=0)
        task = {"text": TEXT, "spans": [{"start": 2, "end": 5, "label": "Person"}], "tokens": []}
        imported(made, lines(task), name="tasks.jsonl", format="prodigy")
        assert not Annotation.objects.filter(project=made).exists()
        made.refresh_from_db()
        (lease,) = assigning.lease(made, assigning.voice_of(made, cast.ana), 1)
        (span,) = lease.suggestion["spans"]
        assert span == {"start": 2, "end": 5, "label": ids(made)["Person"], "probability": 1}

    def test_a_file_with_spans_proposes_a_project_of_spans(self, cast):
        file = io.BytesIO(lines({"text": TEXT, "label": [[*ADA, "Person"]]}))
        batch = starting.open_project(cast.lea, file, file_name="ner.jsonl")
        assert batch.project.task_type == "spans"
        assert look(batch).format == "doccano"

    def test_so_does_one_whose_first_spans_come_late(self, cast):
        """A file is often sorted, or labelled here and there."""
        rows = [{"text": f"Note {n}", "label": []} for n in range(500)]
        file = io.BytesIO(lines(*rows, {"text": TEXT, "label": [[*ADA, "Person"]]}))
        assert (
            starting.open_project(cast.lea, file, file_name="x.jsonl").project.task_type == "spans"
        )

    def test_places_are_marked_in_single_texts_only(self, cast):
        with pytest.raises(InvalidError, match="one text"):
            projects.create_project(cast.lea, "Pairs", task_type="spans", item_kind="pair")


class TestExport:
    def taken(self, project, **options):
        snapshot = create_snapshot(project, Options.from_json(options))
        run(snapshot.job)
        snapshot.refresh_from_db()
        return snapshot

    def read(self, snapshot):
        format = snapshot.options["format"]
        with exporting.path_of(snapshot).open("rb") as stream:
            return list(FORMATS.create(format).read(stream))

    def test_our_own_rows_name_the_words_and_say_where_nothing_is_known(self, cast, project):
        voice = assigning.voice_of(project, cast.ana)
        (lease,) = assigning.lease(project, voice, 1)
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value={"spans": []})
        rows = [row.fields for row in self.read(self.taken(project, pack="file"))]
        assert rows[0]["labels"] == ["Person", "Place"]
        assert rows[0]["spans"] == [
            {"start": 2, "end": 5, "label": "Person", "text": "Ada"},
            {"start": 17, "end": 21, "label": "Place", "text": "Rome"},
        ]
        assert [row["spans"] for row in rows[1:]] == [[], []]
        assert "known" not in rows[0]
        words = self.read(self.taken(project, contents=["annotations"], pack="file"))
        assert words[0].fields["spans"][0] == {"start": 2, "end": 5, "label": "Person"}

    @pytest.mark.parametrize("format", ["label-studio", "doccano", "prodigy", "spacy", "conll"])
    def test_other_tools_get_what_they_read(self, project, format):
        snapshot = self.taken(project, format=format, pack="file")
        first = self.read(snapshot)[0]
        assert first.given[0].spans == ((2, 5, "Person"), (17, 21, "Place"))
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256

    def test_what_a_format_cannot_hold_is_refused(self, cast, project):
        with pytest.raises(InvalidError, match="hold the verdicts"):
            Options.from_json({"format": "doccano", "contents": ["annotations"]})
        with pytest.raises(InvalidError, match="no place for answers"):
            create_snapshot(make_project(cast), Options(format="conll"))


@pytest.mark.django_db(transaction=True)
def test_the_loop_goes_round_from_a_file_to_picks(cast):
    made = make_project(cast, labels=(), task_type="spans", encoder="tfidf-svd", audit_share=0)
    text = ("Ada met Bob in {}.", "Nobody came to {} today.", "From {} to Rome by train.")
    rows = [
        {"text": text[n % 3].format(place), "spans": [[0, 3, "Person"]] if n % 3 == 0 else []}
        for n, place in enumerate(("Bern", "Oslo", "Kyiv", "Lima", "Nice", "Bonn", "Cork", "York"))
    ]
    batch = importing.start_import(
        made,
        io.BytesIO(lines(*rows, {"text": "Bob is late."}, {"text": "No news."})),
        name="a.jsonl",
    )
    work()
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.DONE}, batch.report
    assert Verdict.objects.filter(project=made, state="decided").count() == 8
    assert made.picks.exists()
