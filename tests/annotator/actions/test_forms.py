"""Forms round the loop: questions with conditions, answers, verdicts, students, review, files."""

import csv
import io
import json
import re
import zipfile
from uuid import uuid4

import pytest
from django.db import transaction

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders import encoding
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options
from annotator.actions.imports import importing
from annotator.actions.projects import form_questions, projects, schema, starting
from annotator.actions.review import reviewing
from annotator.actions.students import teaching
from annotator.actions.verdicts import agreeing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    BatchState,
    FormQuestion,
    Item,
    Label,
    Membership,
    Pick,
    Project,
    Role,
    Verdict,
    VerdictState,
)
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.actions.test_loop import WORDS, work
from tests.annotator.formats.test_spreadsheet import book_of
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def add(project, name, *labels, kind="single", only_if=()):
    return form_questions.add_question(
        project, name, kind=kind, labels=[(label, "") for label in labels], only_if=only_if
    )


def ids(project):
    return dict(project.labels.values_list("name", "pk"))


@pytest.fixture
def project(cast):
    """Is it urgent? Only then: why, several answers; and for fire how bad, from 1 to 3."""
    made = projects.create_project(
        cast.lea, "Calls", task_type="form", encoder="tfidf-svd", audit_share=0, overlap=1
    )
    for user, role in ((cast.ana, Role.ANNOTATOR), (cast.ben, Role.REVIEWER)):
        Membership.objects.create(project=made, user=user, role=role)
    add(made, "Urgent", "yes", "no")
    add(made, "Why", "fire", "water", kind="multi", only_if=[ids(made)["Urgent > yes"]])
    add(made, "How bad", "1", "2", "3", kind="rating", only_if=[ids(made)["Why > fire"]])
    return Project.objects.get(pk=made.pk)


def give(project, user, names, lease=None):
    voice = voice_of(project, user)
    lease = lease or assigning.lease(project, voice, 1)[0]
    known = ids(project)
    return labeling.submit(
        project,
        voice,
        uuid=uuid4(),
        assignment_id=lease.pk,
        labels=[known[name] for name in names],
    )


FIRE = ("Urgent > yes", "Why > fire", "How bad > 3")
CALM = ("Urgent > no",)


class TestQuestions:
    def test_their_labels_are_named_after_them(self, project):
        why = FormQuestion.objects.get(project=project, key="why")
        label = why.labels.get(name="Why > fire")
        assert (label.branch, label.part) == ("Why", "fire")
        schema.change_label(label, name="a fire", description="", hotkey="")
        form_questions.change_question(why, name="Reason")
        assert "Reason > a fire" in ids(project)
        assert [one.name for one in project.task.questions] == ["Urgent", "Reason", "How bad"]

    @pytest.mark.parametrize(
        ("name", "kind", "only_if", "sentence"),
        [
            ("", "single", [], "needs a name"),
            ("Why", "single", [], "already"),
            ("A > b", "single", [], "no “>”"),
            ("Mood", "boxes", [], "takes one of"),
            ("Mood", "single", ["Urgent > yes", "Why > fire"], "one earlier"),
        ],
    )
    def test_what_cannot_be_asked_is_refused(self, project, name, kind, only_if, sentence):
        wanted = [ids(project)[each] for each in only_if]
        with pytest.raises((InvalidError, ConflictError), match=sentence):
            add(project, name, "x", "y", kind=kind, only_if=wanted)

    def test_a_question_stays_behind_the_one_it_waits_for(self, project):
        first, why, _ = FormQuestion.objects.filter(project=project)
        with pytest.raises(ConflictError, match="asked after"):
            form_questions.move_question(why, up=True)
        with pytest.raises(ConflictError, match="Change that first"):
            form_questions.remove_question(first)
        with pytest.raises(InvalidError, match="asked before"):
            form_questions.change_question(first, only_if=[ids(project)["Why > fire"]])
        with pytest.raises(ConflictError, match="nobody could be asked"):
            schema.archive_label(Label.objects.get(project=project, name="Urgent > yes"))

    def test_they_are_fixed_once_something_is_answered(self, project, cast):
        make_items(project, 2)
        give(project, cast.ana, CALM)
        why = FormQuestion.objects.get(project=project, key="why")
        for change in (
            lambda: add(project, "More", "a", "b"),
            lambda: form_questions.move_question(why, up=False),
            lambda: form_questions.change_question(why, kind="single"),
            lambda: form_questions.remove_question(why),
        ):
            with pytest.raises(ConflictError, match="answered already"):
                change()
        form_questions.change_question(why, name="Reason", kind="multi")
        assert form_questions.add_answers(why, [("storm", "")])

    def test_grades_keep_their_places_and_other_answers_move_among_their_own(self, project):
        def shown(key):
            own = project.live_labels().filter(form_question__key=key)
            return [label.part for label in own]

        known = {label.name: label for label in project.labels.all()}
        with pytest.raises(ConflictError, match="keep their order"):
            schema.move_label(known["How bad > 1"], up=False)
        turned = [known[f"How bad > {grade}"].pk for grade in (3, 1, 2)]
        with pytest.raises(ConflictError, match="keep their order"):
            schema.reorder_labels(project, turned)
        schema.archive_label(known["How bad > 1"])
        schema.restore_label(known["How bad > 1"])
        schema.move_label(known["Why > fire"], up=True)
        assert shown("why") == ["fire", "water"], "it is the first answer to its question"
        schema.move_label(known["Why > fire"], up=False)
        schema.reorder_labels(project, [known["Urgent > no"].pk])
        assert [shown(key) for key in ("urgent", "why", "how-bad")] == [
            ["no", "yes"],
            ["water", "fire"],
            ["1", "2", "3"],
        ]

    def test_a_label_answers_a_question(self, project):
        with pytest.raises(InvalidError, match="which question"):
            schema.add_label(project, "Elsewhere")
        assert schema.add_label(project, "why>wind").name == "Why > wind"


class TestAnswers:
    def test_only_a_whole_answer_is_taken(self, project, cast):
        make_items(project, 3)
        (lease,) = assigning.lease(project, voice_of(project, cast.ana), 1)
        for names, sentence in (
            ((), "Still to be answered: Urgent"),
            (("Urgent > no", "Why > fire"), "“Why” is not asked"),
            (("Urgent > yes", "Why > fire"), "Still to be answered: How bad"),
        ):
            with pytest.raises(InvalidError, match=sentence):
                give(project, cast.ana, names, lease)
        assert give(project, cast.ana, FIRE, lease).labels

    def test_each_question_is_decided_by_those_who_were_asked_it(self, project, cast):
        projects.change_project(project, overlap=3)
        make_items(project, 1)
        for user, names in (
            (cast.ana, ("Urgent > yes", "Why > fire", "How bad > 3")),
            (cast.ben, ("Urgent > yes", "Why > fire", "Why > water", "How bad > 3")),
            (cast.lea, CALM),
        ):
            give(project, user, names)
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.state == VerdictState.TIE, "one of two says water"
        reviewing.settle(
            project,
            cast.ben,
            uuid=uuid4(),
            item=Item.objects.get(project=project),
            labels=[ids(project)[name] for name in FIRE],
        )
        settling.settle_now(project)
        verdict.refresh_from_db()
        assert {ids(project)[name] for name in FIRE} == set(verdict.labels)
        figures = {one["key"]: one for one in agreeing.figures(project)["questions"]}
        assert figures["urgent"]["answers"] == 3
        assert figures["how-bad"]["answers"] == 2

    def test_a_question_that_cannot_be_answered_leaves_no_item_undecided(self, project, cast):
        add(project, "Still empty")
        add(project, "Mood", "good")
        make_items(project, 2)
        give(project, cast.ana, (*CALM, "Mood > good"))
        schema.archive_label(Label.objects.get(project=project, name="Mood > good"))
        give(project, cast.ana, CALM)
        settling.settle_now(project)
        states = Verdict.objects.filter(project=project).values_list("state", flat=True)
        assert list(states) == [VerdictState.DECIDED] * 2


def a_pool(project, cast, count=60, answered=36, slips=()):
    """Items of three kinds that a student can tell apart; the first are answered by Ana.

    slips: numbers of items that she answers as the next kind.
    """
    said = (CALM, FIRE, ("Urgent > yes", "Why > water"))
    kinds = [number % 3 for number in range(count)]
    words = [list(WORDS.values())[kind].split() for kind in kinds]
    make_items(
        project,
        [f"{w[n % 7]} {w[(n * 3 + 1) % 7]} {w[(n * 5 + 2) % 7]} {n}" for n, w in enumerate(words)],
    )
    voice = voice_of(project, cast.ana)
    for _ in range(answered):
        (lease,) = assigning.lease(project, voice, 1)
        kind = lease.item.number + (lease.item.number in slips)
        give(project, cast.ana, said[kind % 3], lease)
    settling.settle_now(project)
    with transaction.atomic():
        encoding.wish_encoding(project)
    return said


@pytest.mark.django_db(transaction=True)
class TestLoop:
    def test_a_student_answers_the_questions_and_the_queue_asks_the_neediest(self, project, cast):
        said = a_pool(project, cast)
        assert project.strategy == "neediest"
        work()
        project.refresh_from_db()
        assert project.current_student is not None
        with pytest.raises(InvalidError, match="No student of forms"):
            teaching.start_finetune(project, cast.lea)
        pick = Pick.objects.filter(project=project).order_by("rank").first()
        assert re.match(r"the student (is|says|hesitates) .*\d %", pick.reason)
        names = {pk: name for name, pk in ids(project).items()}
        for pick in Pick.objects.filter(project=project).select_related("item"):
            told = {names[pk]: share for pk, share in pick.suggestion}
            right = said[pick.item.number % 3][0]
            assert told[right] >= 0.5, "shares within the question"

    def test_a_planted_error_is_flagged_with_a_whole_answer_instead(self, project, cast):
        from annotator.actions.review import flagging
        from annotator.models import Flag

        a_pool(project, cast, count=45, answered=45, slips=[0])
        work()
        flagging.look_now(project, cast.ben)
        work()
        flags = Flag.objects.filter(project=project, kind="detector")
        for flag in flags:
            project.task.check(flag.suggested)
        worst = flags.order_by("score").first()
        assert worst.item.number == 0
        assert not set(FIRE[1:]) & {
            name for name, pk in ids(project).items() if pk in worst.suggested
        }


def exported(project, format):
    """What an export's file of items holds, and the snapshot that it was made of."""
    snapshot = exporting.create_snapshot(project, Options(format=format))
    run(snapshot.job)
    snapshot.refresh_from_db()
    with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
        names = [name for name in archive.namelist() if name.startswith("items")]
        return archive.read(names[0]).decode(), snapshot


class TestFiles:
    def test_exports_have_a_column_for_each_question_and_come_back(self, project, cast):
        make_items(project, 4)
        for names in (FIRE, CALM, ("Urgent > yes",)):
            give(project, cast.ana, names)
        content, snapshot = exported(project, "csv")
        rows = list(csv.DictReader(io.StringIO(content)))
        said = [(r["answer_urgent"], r["answer_why"], r["answer_how-bad"]) for r in rows]
        assert sorted(said) == sorted(
            [("yes", '["fire"]', "3"), ("no", "", ""), ("yes", "[]", ""), ("", "", "")]
        )
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        content, _ = exported(project, "jsonl")
        rows = [json.loads(line) for line in content.splitlines()]
        (fire,) = [row for row in rows if row["answer_why"] == ["fire"]]
        assert set(fire["labels"]) == set(FIRE)
        again = projects.create_project(cast.lea, "Again", task_type="form", audit_share=0)
        for key, kind in (("Urgent", "single"), ("Why", "multi"), ("How bad", "rating")):
            add(again, key, *(("1", "2", "3") if kind == "rating" else ()), kind=kind)
        known = ids(again)
        FormQuestion.objects.filter(project=again, key="how-bad").update(only_if=[])
        form_questions.add_answers(
            FormQuestion.objects.get(project=again, key="urgent"), [("yes", "")]
        )
        form_questions.add_answers(
            FormQuestion.objects.get(project=again, key="why"), [("fire", "")]
        )
        known = ids(again)
        why = FormQuestion.objects.get(project=again, key="why")
        form_questions.change_question(why, only_if=[known["Urgent > yes"]])
        form_questions.change_question(
            FormQuestion.objects.get(project=again, key="how-bad"), only_if=[known["Why > fire"]]
        )
        for mapping in (
            Mapping(text="text", label="labels"),
            Mapping(text="text", answers=("answer_urgent", "answer_why", "answer_how-bad")),
        ):
            batch = imported(
                again, content.encode(), mapping, name="x.jsonl", labels="truth", duplicates="keep"
            )
            assert (batch.state, batch.report["bad_rows"]) == (BatchState.DONE, 0), batch.report
            assert batch.report["answers"] == 3
        assert "Urgent > no" in ids(again)

    @pytest.mark.parametrize("topic", ["label", "answers"])
    def test_a_first_file_makes_the_questions_that_its_columns_answer(self, cast, topic):
        data = io.BytesIO(b"text,Urgent,Topic\na,yes,x|y\nb,no,x\nc,no,\n")
        batch = starting.open_project(cast.lea, data, file_name="calls.csv")
        columns = {"label": "Urgent"} if topic == "label" else {"answers": ("Urgent", "Topic")}
        batch = starting.begin(
            batch,
            Mapping(text="text", separator="|", **columns),
            importing.Options(labels="truth"),
            cast.lea,
            task_type="form",
            labels=[("Mood > good", ""), ("Mood > bad", "")] if topic == "label" else [],
        )
        project = Project.objects.get(pk=batch.project_id)
        kinds = {one.name: one.kind for one in project.task.questions}
        if topic == "label":
            assert kinds == {"Mood": "single", "Urgent": "single"}
            return
        assert kinds == {"Urgent": "single", "Topic": "multi"}
        run(batch.job)
        named = ids(project)
        first = Verdict.objects.filter(project=project)
        settling.settle_now(project)
        said = {frozenset(one.labels) for one in first}
        assert frozenset(named[n] for n in ("Urgent > yes", "Topic > x", "Topic > y")) in said
        assert frozenset([named["Urgent > no"]]) in said

    @pytest.mark.parametrize("column", ["labels", "answers"])
    def test_our_own_export_makes_the_questions_of_a_new_form(self, cast, column):
        rows = [
            {"text": "a", "labels": ["Mood > good", "Why > x", "Why > y"]},
            {"text": "b", "labels": ["Mood > bad"]},
        ]
        for row, mood, why in zip(rows, ("good", "bad"), (["x", "y"], []), strict=True):
            row |= {"answer_mood": mood, "answer_why": why}
        data = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
        batch = starting.open_project(cast.lea, data, file_name="calls.jsonl")
        columns = {"answers": ("answer_mood", "answer_why")}
        batch = starting.begin(
            batch,
            Mapping(text="text", **({"label": "labels"} if column == "labels" else columns)),
            importing.Options(labels="truth"),
            cast.lea,
            task_type="form",
            labels=[("Mood > good", ""), ("Why > x", "")] if column == "labels" else [],
        )
        project = Project.objects.get(pk=batch.project_id)
        kinds = {one.name.casefold(): one.kind for one in project.task.questions}
        assert kinds == {"mood": "single", "why": "multi"}
        run(batch.job)
        batch.refresh_from_db()
        assert (batch.report["bad_rows"], batch.report["answers"]) == (0, 2)

    def test_a_first_file_makes_questions_as_its_chosen_sheet_and_later_rows_have_them(self, cast):
        rows = [["text", "Topic"], *([f"call {n}", "x|y" if n == 99 else "x"] for n in range(120))]
        book = io.BytesIO(book_of(Notes=[["what"], ["made by hand"]], Calls=rows))
        batch = starting.open_project(cast.lea, book, file_name="calls.xlsx")
        starting.begin(
            batch,
            Mapping(text="text", separator="|", answers=("Topic",)),
            importing.Options(reader={"sheet": "Calls"}),
            cast.lea,
            task_type="form",
        )
        assert FormQuestion.objects.get(project=batch.project).kind == "multi"

    def test_a_row_that_is_no_whole_answer_is_refused_with_the_question(self, project):
        data = "text,Urgent,Why\na,yes,fire\nb,no,\nc,perhaps,\nd,no,fire\n,no,\n"
        mapping = Mapping(text="text", answers=("Urgent", "Why"))
        batch = imported(project, data.encode(), mapping, labels="truth", bad_rows="skip")
        told = {row: message for row, _, message in batch.report["problems"]}
        assert "How bad" in told[2]
        assert "not asked" in told[5]
        assert batch.items_added == 2
        assert "Urgent > perhaps" in ids(project), "labels may be new, questions not"
