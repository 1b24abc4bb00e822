"""From a file to items, on good days."""

import io
import json
from uuid import uuid4

import pytest

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.imports import importing, looking, undoing, uploads
from annotator.actions.imports.importing import Options
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    Annotator,
    BatchState,
    ImportBatch,
    Item,
    ItemSearch,
    Job,
    JobState,
    Suggestion,
    Verdict,
    VerdictSource,
)
from tests.annotator.formats.test_images import packed, picture
from tests.factories import make_project

pytestmark = pytest.mark.django_db

CSV = b"id,text,label,source\n1,My card was charged twice,Billing,mail\n2,Where is my parcel?,Delivery,web\n"
MAPPED = Mapping(text="text", label="label", id="id", metadata=("source",))


def run(job):
    jobs.execute(job.pk)
    job.refresh_from_db()
    return job


def imported(project, data, mapping=None, name="rows.csv", **options):
    """Import some bytes and do the job; the batch as it is afterwards."""
    batch = importing.start_import(
        project, io.BytesIO(data), mapping, Options(**options), name=name
    )
    run(batch.job)
    batch.refresh_from_db()
    return batch


def texts(project):
    return list(
        Item.objects.filter(project=project).order_by("number").values_list("text", flat=True)
    )


@pytest.fixture
def empty(cast):
    return make_project(cast)


class TestItems:
    def test_carry_everything_that_was_mapped(self, empty):
        batch = imported(empty, CSV, MAPPED)
        assert (batch.state, batch.items_added, batch.rows_read) == (BatchState.DONE, 2, 2)
        first = Item.objects.get(project=empty, number=0)
        assert (first.external_id, first.text, first.meta) == (
            "1", "My card was charged twice", {"source": "mail"},
        )  # fmt: skip
        assert first.batch == batch
        assert 0 <= first.order_key < 1
        assert first.open

    def test_are_numbered_on_when_another_file_follows(self, empty):
        imported(empty, CSV, MAPPED)
        batch = imported(empty, b"text\nA third one\nA fourth one\n")
        numbers = (
            Item.objects.filter(project=empty).order_by("number").values_list("number", flat=True)
        )
        assert list(numbers) == [0, 1, 2, 3]
        assert batch.first_number == 2
        empty.refresh_from_db()
        assert empty.item_count == 4

    def test_are_followed_by_encoding_and_index(self, empty):
        imported(empty, CSV, MAPPED)
        waiting = Job.objects.filter(state=JobState.QUEUED).values_list("kind", flat=True)
        assert {"encode", "index"} <= set(waiting)

    def test_can_be_searched_once_the_index_is_filled(self, empty):
        imported(empty, CSV, MAPPED)
        run(Job.objects.get(kind="index", project=empty))
        found = ItemSearch.objects.filter(project=empty, vector="parcel")
        assert [entry.item.text for entry in found] == ["Where is my parcel?"]

    def test_of_two_texts(self, cast):
        project = make_project(cast, item_kind="pair")
        imported(project, b"premise,hypothesis,label\na,b,Billing\n")
        item = Item.objects.get(project=project)
        assert (item.text, item.text_b) == ("a", "b")

    def test_keep_any_characters(self, empty):
        text = 'Tab\t"quotes" \\ back\\slash\\N 🚀 e\u0301 \u202e\u2028 end'
        imported(empty, (json.dumps({"text": text}) + "\n").encode())
        assert texts(empty) == [text]

    def test_the_upload_is_let_go(self, empty):
        batch = imported(empty, CSV, MAPPED)
        assert not (uploads.folder() / batch.stored_name).exists()


class TestDuplicates:
    DATA = b"text\nSame text\nOther\nSame  text\n"

    def test_are_skipped_and_reported(self, empty):
        batch = imported(empty, self.DATA)
        assert texts(empty) == ["Same text", "Other"]
        found = batch.report["duplicates"]
        assert (found["in_file"], found["in_project"]) == (1, 0)
        assert found["examples"] == [
            {"row": 4, "same_as_row": 2, "same_as_item": None, "text": "Same  text"}
        ]

    def test_of_the_project_are_skipped_too(self, empty):
        imported(empty, self.DATA)
        batch = imported(empty, b"text\nOther\nNew\n")
        assert texts(empty) == ["Same text", "Other", "New"]
        found = batch.report["duplicates"]
        assert (found["in_file"], found["in_project"]) == (0, 1)
        assert found["examples"][0]["same_as_item"] == 1

    def test_are_kept_when_asked(self, empty):
        batch = imported(empty, self.DATA, duplicates="keep")
        assert len(texts(empty)) == 3
        assert batch.report["duplicates"]["in_file"] == 1

    def test_of_another_project_are_none(self, empty, cast):
        imported(make_project(cast, name="Other"), self.DATA)
        assert imported(empty, self.DATA).items_added == 2

    def test_only_duplicates_add_nothing(self, empty):
        imported(empty, self.DATA)
        batch = imported(empty, self.DATA)
        assert (batch.state, batch.items_added) == (BatchState.DONE, 0)

    def test_of_accents_spelled_in_two_ways(self, empty):
        batch = imported(empty, "text\ncafé\ncafe\u0301\n".encode())
        assert batch.items_added == 1


class TestLabels:
    def _answer_as_ana(self, project, cast, item, name):
        voice = assigning.voice_of(project, cast.ana)
        lease = None
        while lease is None or lease.item_id != item.pk:
            lease = assigning.lease(project, voice, 1)[0]
            label = project.labels.get(name=name)
            labeling.submit(
                project,
                voice,
                uuid=uuid4(),
                assignment_id=lease.pk,
                labels=[label.pk],
            )
        settling.settle_now(project)

    def test_are_votes_that_one_person_outweighs(self, empty, cast):
        imported(empty, CSV, MAPPED)
        settling.settle_now(empty)
        item = Item.objects.get(project=empty, number=0)
        assert item.verdict.labels == [empty.labels.get(name="Billing").pk]
        assert item.open
        self._answer_as_ana(empty, cast, item, "Login")
        verdict = Verdict.objects.get(item=item)
        assert verdict.labels == [empty.labels.get(name="Login").pk]
        assert verdict.source == VerdictSource.CONSENSUS

    def test_belong_to_a_named_annotator(self, empty):
        imported(empty, CSV, MAPPED, voice="Last year's labels")
        voice = Annotator.objects.get(project=empty, kind="import")
        assert voice.name == "Last year's labels"
        said = Annotation.objects.filter(annotator=voice)
        assert {(one.stream, one.kind) for one in said} == {("import", "answer")}

    def test_are_suggestions_that_never_count(self, empty):
        batch = imported(empty, CSV, MAPPED, labels="suggestions")
        settling.settle_now(empty)
        assert batch.report["suggestions"] == 2
        assert not Annotation.objects.filter(project=empty).exists()
        assert not Verdict.objects.filter(project=empty).exists()
        assert Suggestion.objects.get(item__number=1).label.name == "Delivery"

    def test_are_the_truth_at_once(self, empty):
        imported(empty, CSV + b"3,No label here,,web\n", MAPPED, labels="truth")
        settling.settle_now(empty)
        verdicts = Verdict.objects.filter(project=empty)
        assert {verdict.source for verdict in verdicts} == {VerdictSource.TRUTH}
        is_open = dict(Item.objects.filter(project=empty).values_list("number", "open"))
        assert is_open == {0: False, 1: False, 2: True}

    def test_that_are_new_are_created_the_most_frequent_first(self, cast):
        project = make_project(cast, labels=())
        batch = imported(project, b"text,label\na,rare\nb,often\nc,often\n")
        assert [label.name for label in project.live_labels()] == ["often", "rare"]
        assert batch.report["new_labels"] == ["often", "rare"]
        assert batch.report["labels"] == [["often", 2], ["rare", 1]]

    def test_are_known_without_case_and_by_key(self, empty):
        imported(empty, b"text,label\na,BILLING\nb, delivery \n")
        assert empty.labels.count() == 3
        assert Annotation.objects.filter(project=empty).count() == 2

    def test_several_to_a_row(self, cast):
        project = make_project(cast, task_type="multi")
        imported(project, b"text,labels\na,Billing|Login\nb,Billing\nc,Login\n")
        first = Annotation.objects.get(item__number=0)
        assert {label.name for label in project.labels.filter(pk__in=first.labels)} == {
            "Billing", "Login",
        }  # fmt: skip

    def test_of_one_annotator_to_a_column_keep_their_voices(self, empty):
        rows = b"text,annotator_1,annotator_2\n" + b"".join(
            b"message number %d,%s,%s\n" % (n, (b"Billing", b"Delivery")[n % 2], b"Billing")
            for n in range(8)
        )
        batch = imported(empty, rows, labels="votes")
        voices = Annotator.objects.filter(project=empty, kind="import").order_by("pk")
        assert [one.name for one in voices] == ["rows.csv · annotator_1", "rows.csv · annotator_2"]
        assert [one.weight for one in voices] == [0.25, 0.25]
        assert batch.report["answers"] == Annotation.objects.filter(project=empty).count() == 16

    def test_of_label_studio_keep_their_voices(self, empty):
        def said(name):
            return [{"from_name": "q", "type": "choices", "value": {"choices": [name]}}]

        task = {
            "data": {"text": "a"},
            "annotations": [
                {"completed_by": 1, "result": said("Billing")},
                {"completed_by": 2, "result": said("Login")},
            ],
            "predictions": [{"model_version": "m1", "score": 0.7, "result": said("Delivery")}],
        }
        imported(empty, json.dumps([task]).encode(), name="export.json")
        voices = Annotator.objects.filter(project=empty, annotations__isnull=False)
        assert sorted(voice.name for voice in voices) == ["export.json · 1", "export.json · 2"]
        assert sum(voice.weight for voice in voices) < 1
        suggestion = Suggestion.objects.get(project=empty)
        assert (suggestion.label.name, suggestion.probability) == ("Delivery", 0.7)
        assert suggestion.annotator.name == "export.json · m1"

    def test_of_doccano(self, cast):
        project = make_project(cast, task_type="multi", labels=())
        imported(project, b'{"text":"a","label":["x","y"]}\n{"text":"b","label":[]}\n')
        assert Annotation.objects.get(project=project).item.text == "a"


class TestImages:
    def test_are_stored_by_their_content(self, cast):
        from annotator.actions.imports.media import image_path

        project = make_project(cast, item_kind="image", labels=(), encoder="pixels-pca")
        data = packed(
            cats__a=picture(colour=(1, 2, 3)), cats__b=picture(colour=(9, 9, 9)),
            dogs__c=picture(colour=(1, 2, 3)), dogs__d=picture("JPEG"),
        )  # fmt: skip
        batch = imported(project, data, name="pets.zip")
        assert batch.report["duplicates"]["in_file"] == 1
        items = Item.objects.filter(project=project).order_by("number")
        assert [item.external_id for item in items] == ["cats/a", "cats/b", "dogs/d"]
        assert image_path(project.pk, items[0].image).read_bytes().startswith(b"\x89PNG")
        assert items[2].image.endswith(".jpg")
        assert {label.name for label in project.labels.all()} == {"cats", "dogs"}


class TestUndo:
    def _undone(self, batch):
        job = run(undoing.undo_import(batch))
        batch.refresh_from_db()
        return job

    def test_takes_the_items_away_and_keeps_the_ledger(self, empty):
        keep = imported(empty, b"text\nStays\n")
        batch = imported(empty, CSV, MAPPED)
        settling.settle_now(empty)
        assert self._undone(batch).result["removed"] == 2
        settling.settle_now(empty)
        empty.refresh_from_db()
        assert batch.state == BatchState.UNDONE
        assert (empty.item_count, empty.present_count) == (3, 1)
        present = Item.objects.filter(project=empty).present()
        assert [item.batch for item in present] == [keep]
        assert not Verdict.objects.filter(project=empty).exists()
        assert Annotation.objects.filter(project=empty).count() == 4
        from annotator.actions.verdicts import sealing

        assert sealing.verify(empty) == []

    def test_lets_the_same_file_in_again(self, empty):
        self._undone(imported(empty, CSV, MAPPED))
        again = imported(empty, CSV, MAPPED)
        assert (again.items_added, again.first_number) == (2, 2)

    def test_nobody_is_served_what_was_undone(self, empty, cast):
        self._undone(imported(empty, CSV, MAPPED))
        imported(empty, b"text\nOnly this\n")
        voice = assigning.voice_of(empty, cast.ana)
        assert [lease.item.text for lease in assigning.lease(empty, voice, 3)] == ["Only this"]

    def test_is_refused_once_a_person_has_answered(self, empty, cast):
        batch = imported(empty, CSV, MAPPED)
        voice = assigning.voice_of(empty, cast.ana)
        lease = assigning.lease(empty, voice, 1)[0]
        labeling.skip(empty, voice, uuid=uuid4(), assignment_id=lease.pk)
        with pytest.raises(ConflictError, match="answered an item"):
            undoing.undo_import(batch)

    def test_is_refused_when_an_answer_came_while_it_waited(self, empty, cast):
        batch = imported(empty, CSV, MAPPED)
        job = undoing.undo_import(batch)
        voice = assigning.voice_of(empty, cast.ana)
        lease = assigning.lease(empty, voice, 1)[0]
        labeling.skip(empty, voice, uuid=uuid4(), assignment_id=lease.pk)
        assert run(job).state == JobState.FAILED
        batch.refresh_from_db()
        assert batch.state == BatchState.DONE

    def test_gives_leases_back(self, empty, cast):
        batch = imported(empty, CSV, MAPPED)
        voice = assigning.voice_of(empty, cast.ana)
        assigning.lease(empty, voice, 1)
        self._undone(batch)
        assert assigning.held(voice) == []

    def test_twice_is_once(self, empty):
        batch = imported(empty, CSV, MAPPED)
        self._undone(batch)
        with pytest.raises(ConflictError):
            undoing.undo_import(batch)
        empty.refresh_from_db()
        assert empty.removed_count == 2


class TestChoices:
    def test_without_a_mapping_the_encoding_is_found_too(self, empty):
        imported(empty, "text,label\nGrüße aus Köln,Billing\n".encode("windows-1252"))
        assert texts(empty) == ["Grüße aus Köln"]

    def test_without_a_mapping_the_guess_is_taken(self, empty):
        batch = imported(empty, CSV)
        assert Mapping.from_json(batch.mapping) == MAPPED

    @pytest.mark.parametrize(
        ("kind", "mapping"),
        [
            ("text", Mapping(label="label")),
            ("text", Mapping(text="text", text_b="label")),
            ("text", Mapping(text="text", label="text")),
            ("pair", Mapping(text="text")),
            ("image", Mapping(text="text")),
        ],
    )
    def test_a_mapping_that_makes_no_item_is_refused(self, cast, kind, mapping):
        project = make_project(cast, item_kind=kind)
        with pytest.raises(InvalidError):
            importing.start_import(project, io.BytesIO(CSV), mapping, name="rows.csv")

    @pytest.mark.parametrize(
        "values", [{"labels": "gospel"}, {"bad_rows": ""}, {"format": "xls"}, {"else": 1}]
    )
    def test_an_unknown_option_is_refused(self, values):
        with pytest.raises(InvalidError):
            Options.from_json(values)

    def test_an_unknown_parameter_of_the_format_is_refused(self, empty):
        batch = importing.receive(empty, io.BytesIO(CSV), name="rows.csv")
        with pytest.raises(InvalidError):
            looking.look(batch, reader={"colour": "blue"})

    def test_pressing_twice_imports_once(self, empty):
        batch = importing.start_import(empty, io.BytesIO(CSV), MAPPED, name="rows.csv")
        with pytest.raises(ConflictError):
            importing.begin(batch, MAPPED, Options())
        run(batch.job)
        with pytest.raises(ConflictError):
            importing.begin(batch, MAPPED, Options())
        assert ImportBatch.objects.count() == 1

    def test_a_name_from_outside_is_never_a_path(self, empty):
        batch = importing.receive(empty, io.BytesIO(CSV), name="../../etc/passwd")
        assert batch.file_name == "passwd"
        assert len(batch.stored_name) == 32
