"""Forms that mark the text, round the loop: the spans beside the labels of one answer."""

import csv
import io
import json
from uuid import uuid4

import pytest
from django.db import connection

from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.desk.assigning import voice_of
from annotator.actions.exports import exporting
from annotator.actions.imports import importing
from annotator.actions.projects import form_questions, projects, starting
from annotator.actions.review import reviewing
from annotator.actions.verdicts import agreeing, sealing, settling
from annotator.errors import InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    BatchState,
    Item,
    Membership,
    Project,
    Role,
    Verdict,
    VerdictState,
)
from tests.annotator.actions.test_forms import add, exported, ids
from tests.annotator.actions.test_importing import imported, run
from tests.factories import make_items

pytestmark = pytest.mark.django_db

KETTLE = "The kettle leaks"


@pytest.fixture
def project(cast):
    """Is it a complaint? Only then: which product and which problem, marked in the text."""
    made = projects.create_project(
        cast.lea, "Complaints", task_type="form", encoder="tfidf-svd", audit_share=0, overlap=1
    )
    for user, role in ((cast.ana, Role.ANNOTATOR), (cast.ben, Role.REVIEWER)):
        Membership.objects.create(project=made, user=user, role=role)
    add(made, "Complaint", "yes", "no")
    add(made, "Where", "product", "problem", kind="spans", only_if=[ids(made)["Complaint > yes"]])
    return Project.objects.get(pk=made.pk)


def spans(project, *places):
    """The value of (start, end, label name) places."""
    known = ids(project)
    return {
        "spans": [
            {"start": start, "end": end, "label": known[f"Where > {name}"]}
            for start, end, name in places
        ]
    }


PLACES = ((4, 10, "product"), (11, 16, "problem"))


def give(project, user, said, *places, lease=None, value=True):
    voice = voice_of(project, user)
    lease = lease or assigning.lease(project, voice, 1)[0]
    return labeling.submit(
        project,
        voice,
        uuid=uuid4(),
        assignment_id=lease.pk,
        labels=[ids(project)[f"Complaint > {said}"]],
        value=spans(project, *places) if value else None,
    )


class TestQuestions:
    def test_only_items_that_are_one_text_are_marked(self, cast):
        pairs = projects.create_project(cast.lea, "Pairs", task_type="form", item_kind="pair")
        with pytest.raises(InvalidError, match="needs items that are one text"):
            add(pairs, "Where", "product", kind="spans")
        one = add(pairs, "Mood", "good")
        with pytest.raises(InvalidError, match="needs items that are one text"):
            form_questions.change_question(one, kind="spans")

    def test_no_first_file_makes_it_a_form_of_pairs(self, cast):
        made = projects.create_project(cast.lea, "Complaints", task_type="form")
        add(made, "Where", kind="spans")
        data = io.BytesIO(b"a,b\nx,y\n")
        batch = importing.receive(made, data, cast.lea, name="pairs.csv")
        with pytest.raises(InvalidError, match="needs items that are one text"):
            starting.begin(batch, Mapping(text="a", text_b="b"), importing.Options(), cast.lea)
        made.refresh_from_db()
        assert made.item_kind == "text"

    def test_a_later_question_may_wait_for_something_to_be_marked(self, project, cast):
        waiting = [ids(project)["Where > problem"]]
        add(project, "How bad", "1", "2", kind="rating", only_if=waiting)
        project = Project.objects.get(pk=project.pk)
        make_items(project, [KETTLE])
        with pytest.raises(InvalidError, match="Still to be answered: How bad"):
            give(project, cast.ana, "yes", *PLACES)


class TestAnswers:
    def test_an_answer_is_the_labels_and_the_spans(self, project, cast):
        make_items(project, [KETTLE])
        said = give(project, cast.ana, "yes", *reversed(PLACES))
        known = ids(project)
        wanted = ("Complaint > yes", "Where > product", "Where > problem")
        assert said.labels == [known[name] for name in wanted]
        assert said.value == spans(project, *PLACES), "in the one order"
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.state == VerdictState.DECIDED
        assert (verdict.labels, verdict.value) == (said.labels, said.value)

    def test_nothing_to_mark_is_an_answer_where_it_is_sent(self, project, cast):
        make_items(project, [KETTLE, "Thanks"])
        (lease,) = assigning.lease(project, voice_of(project, cast.ana), 1)
        with pytest.raises(InvalidError, match="no answer to “Where”: send a value"):
            give(project, cast.ana, "yes", value=False, lease=lease)
        assert give(project, cast.ana, "yes", lease=lease).value == {"spans": []}
        assert give(project, cast.ana, "no", value=False).value == {"spans": []}

    @pytest.mark.parametrize(
        ("said", "places", "sentence"),
        [
            ("no", PLACES[:1], "“Where” is not asked"),
            ("yes", [(4, 99, "product")], "“Where”: Span 1 goes from 4 to 99"),
            ("yes", [(4, 4, "product")], "“Where”: Span 1 is empty"),
        ],
    )
    def test_a_refusal_names_the_question(self, project, cast, said, places, sentence):
        make_items(project, [KETTLE])
        with pytest.raises(InvalidError, match=sentence):
            give(project, cast.ana, said, *places)

    def test_an_answer_is_changed_with_its_spans(self, project, cast):
        make_items(project, [KETTLE])
        first = give(project, cast.ana, "yes", *PLACES)
        known = ids(project)
        changed = revising.revise(
            project,
            voice_of(project, cast.ana),
            uuid=uuid4(),
            annotation_uuid=first.uuid,
            labels=[known["Complaint > yes"]],
            value=spans(project, PLACES[0]),
        )
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.value == changed.value == spans(project, PLACES[0])

    def test_the_ledger_seals_the_spans(self, project, cast):
        make_items(project, [KETTLE])
        said = give(project, cast.ana, "yes", *PLACES)
        settling.settle_now(project)
        assert sealing.verify(project) == []
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # past the guards
            cursor.execute(
                "UPDATE annotator_annotation SET value = %s WHERE id = %s",
                [json.dumps(spans(project, PLACES[0])), said.pk],
            )
        assert sealing.verify(project)


class TestVerdicts:
    @pytest.fixture
    def several(self, project, cast):
        projects.change_project(project, overlap=3)
        make_items(project, [KETTLE])
        return Project.objects.get(pk=project.pk)

    def verdict(self, project):
        settling.settle_now(project)
        return Verdict.objects.get(project=project)

    def test_spans_are_settled_among_those_who_were_asked(self, several, cast):
        give(several, cast.ana, "yes", *PLACES)
        give(several, cast.ben, "yes", *PLACES)
        give(several, cast.lea, "no")
        verdict = self.verdict(several)
        assert verdict.state == VerdictState.DECIDED
        assert verdict.value == spans(several, *PLACES)
        assert verdict.soft[str(ids(several)["Where > product"])] == 1

    def test_agreement_tells_how_alike_the_places_are(self, several, cast):
        make_items(several, [KETTLE] * 7)
        for number in range(8):
            for user in (cast.ana, cast.ben):
                places = PLACES if user == cast.ana or number else [(0, 3, "product")]
                give(several, user, "yes", *places)
            give(several, cast.lea, "no")
        figures = agreeing.figures(several)
        by_key = {one["key"]: one for one in figures["questions"]}
        assert by_key["where"]["answers"] == 16, "of those who were asked"
        assert by_key["where"]["same"] == pytest.approx(7 / 8)
        assert 0.7 < by_key["where"]["value"] < 1
        assert figures["alpha"]["answers"] == 24
        pairs = {(one["one"], one["other"]): one["value"] for one in figures["pairs"]}
        ana, ben, lea = (voice_of(several, who).pk for who in (cast.ana, cast.ben, cast.lea))
        assert pairs[ana, ben] > pairs[tuple(sorted((ben, lea)))]

    def test_what_is_not_asked_is_not_marked(self, several, cast):
        give(several, cast.ana, "yes", *PLACES)
        give(several, cast.ben, "no")
        give(several, cast.lea, "no")
        verdict = self.verdict(several)
        assert verdict.value == {"spans": []}
        assert verdict.labels == [ids(several)["Complaint > no"]]

    def test_other_places_with_the_same_labels_tie_and_a_reviewer_decides(self, several, cast):
        give(several, cast.ana, "yes", (4, 10, "product"))
        give(several, cast.ben, "yes", (0, 3, "product"))
        give(several, cast.lea, "no")
        assert self.verdict(several).state == VerdictState.TIE
        reviewing.settle(
            several,
            cast.ben,
            uuid=uuid4(),
            item=Item.objects.get(project=several),
            labels=[ids(several)["Complaint > yes"]],
            value=spans(several, *PLACES),
        )
        verdict = self.verdict(several)
        assert (verdict.state, verdict.source) == (VerdictState.DECIDED, "reviewer")
        assert verdict.value == spans(several, *PLACES)


def say_of_each(project, user, said):
    """Answer every item as `said` tells by its text: yes or no, and the places."""
    for _ in said:
        (lease,) = assigning.lease(project, voice_of(project, user), 1)
        answer, *places = said[lease.item.text]
        give(project, user, answer, *places, lease=lease)


class TestFiles:
    SAID = {KETTLE: ("yes", *PLACES), "Thanks": ("no",), "It broke": ("yes",)}

    def test_a_question_has_a_column_of_its_spans(self, project, cast):
        make_items(project, list(self.SAID))
        say_of_each(project, cast.ana, self.SAID)
        content, snapshot = exported(project, "jsonl")
        rows = {row["text"]: row for row in map(json.loads, content.splitlines())}
        told = [
            {"start": 4, "end": 10, "label": "product", "text": "kettle"},
            {"start": 11, "end": 16, "label": "problem", "text": "leaks"},
        ]
        assert {text: row["answer_where"] for text, row in rows.items()} == {
            KETTLE: told,
            "Thanks": None,
            "It broke": [],
        }
        wanted = ["Complaint > yes", "Where > product", "Where > problem"]
        assert rows[KETTLE]["labels"] == wanted
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        rows = list(csv.DictReader(io.StringIO(exported(project, "csv")[0])))
        cells = {row["text"]: row["answer_where"] for row in rows}
        assert json.loads(cells[KETTLE]) == told
        assert (cells["Thanks"], cells["It broke"]) == ("", "[]")

    def again(self, cast, **fields):
        """A form with the same questions in another project."""
        made = projects.create_project(
            cast.lea, "Again", task_type="form", audit_share=0, encoder="tfidf-svd"
        )
        add(made, "Complaint", "yes", "no")
        waiting = [ids(made)["Complaint > yes"]]
        add(made, "Where", "product", "problem", kind="spans", only_if=waiting)
        return Project.objects.get(pk=made.pk)

    @pytest.mark.parametrize("format", ["jsonl", "csv", "label-studio"])
    def test_what_went_out_comes_in_again(self, project, cast, format):
        make_items(project, list(self.SAID))
        say_of_each(project, cast.ana, self.SAID)
        content, _ = exported(project, format)
        again = self.again(cast)
        own = Mapping(text="text", answers=("answer_complaint", "answer_where"))
        batch = imported(
            again,
            content.encode(),
            Mapping(text="text") if format == "label-studio" else own,
            name=f"x.{'json' if format == 'label-studio' else format}",
            labels="truth",
        )
        assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
        settling.settle_now(again)
        found = {one.item.text: one for one in Verdict.objects.filter(project=again)}
        named = {pk: name for name, pk in ids(again).items()}
        for text, (said, *places) in self.SAID.items():
            assert found[text].value == spans(again, *places)
            wanted = {f"Complaint > {said}", *(f"Where > {name}" for *_, name in places)}
            assert {named[pk] for pk in found[text].labels} == wanted

    def test_label_studio_tasks_with_several_controls_answer_a_form(self, cast):
        again = self.again(cast)
        task = {
            "data": {"text": KETTLE},
            "annotations": [
                {
                    "result": [
                        {
                            "from_name": "Complaint",
                            "type": "choices",
                            "value": {"choices": ["yes"]},
                        },
                        {
                            "from_name": "where",
                            "type": "labels",
                            "value": {
                                "start": 4,
                                "end": 10,
                                "text": "kettle",
                                "labels": ["product"],
                            },
                        },
                    ]
                }
            ],
        }
        file = {"data": json.dumps([task]).encode(), "name": "x.json"}
        refused = imported(again, mapping=Mapping(text="text"), bad_rows="ask", **file)
        assert "or * for a form" in refused.report["problems"][0][2]
        batch = imported(
            again, mapping=Mapping(text="text"), reader={"question": "*"}, labels="truth", **file
        )
        assert batch.report["bad_rows"] == 0, batch.report
        settling.settle_now(again)
        assert Verdict.objects.get(project=again).value == spans(again, PLACES[0])

    @pytest.mark.parametrize(
        ("row", "sentence"),
        [
            ({"answer_complaint": "yes", "answer_where": ["product"]}, "does not say where"),
            (
                {"answer_complaint": [[0, 3, "yes"]], "answer_where": []},
                "“Complaint” is answered by a label",
            ),
            (
                {"answer_complaint": "no", "answer_where": [[4, 10, "product"]]},
                "“Where” is not asked",
            ),
            ({"answer_complaint": "yes", "answer_where": [[4, 99, "product"]]}, "Span 1 goes"),
        ],
    )
    def test_a_row_that_does_not_fit_the_form_is_refused(self, cast, row, sentence):
        again = self.again(cast)
        data = json.dumps({"text": KETTLE} | row).encode()
        mapping = Mapping(text="text", answers=("answer_complaint", "answer_where"))
        batch = imported(again, data, mapping, name="x.jsonl", labels="truth", bad_rows="ask")
        assert sentence in batch.report["problems"][0][2]

    def test_a_first_file_makes_a_question_that_marks(self, cast):
        row = {"text": KETTLE, "answer_mood": "bad", "answer_where": [[4, 10, "product"]]}
        data = io.BytesIO(json.dumps(row).encode())
        batch = starting.open_project(cast.lea, data, file_name="calls.jsonl")
        batch = starting.begin(
            batch,
            Mapping(text="text", answers=("answer_mood", "answer_where")),
            importing.Options(labels="truth"),
            cast.lea,
            task_type="form",
        )
        made = Project.objects.get(pk=batch.project_id)
        kinds = {one.name.casefold(): one.kind for one in made.task.questions}
        assert kinds == {"mood": "single", "where": "spans"}
        run(batch.job)
        settling.settle_now(made)
        (label,) = [pk for name, pk in ids(made).items() if name.casefold() == "where > product"]
        assert Verdict.objects.get(project=made).value == {
            "spans": [{"start": 4, "end": 10, "label": label}]
        }

    def test_what_a_file_suggests_comes_to_the_desk_with_its_places(self, cast):
        again = self.again(cast)
        row = {"text": KETTLE, "answer_complaint": "yes", "answer_where": [[4, 10, "product"]]}
        mapping = Mapping(text="text", answers=("answer_complaint", "answer_where"))
        imported(again, json.dumps(row).encode(), mapping, name="x.jsonl", labels="suggestions")
        (lease,) = assigning.lease(again, voice_of(again, cast.lea), 1)
        known = ids(again)
        place = {"start": 4, "end": 10, "label": known["Where > product"], "probability": 1}
        assert lease.suggestion == {"labels": [[known["Complaint > yes"], 1]], "spans": [place]}
