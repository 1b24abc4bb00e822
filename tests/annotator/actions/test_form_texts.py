"""Forms with questions that are written to, round the loop: the texts beside the labels of one answer."""

import json
from uuid import uuid4

import pytest
from django.db import connection, transaction

from annotator.actions.desk import assigning, golding, labeling, revising
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders import encoding
from annotator.actions.projects import copying, form_questions, projects, redacting
from annotator.actions.review import reviewing
from annotator.actions.verdicts import agreeing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    FormQuestion,
    Item,
    Job,
    Project,
    Verdict,
    VerdictState,
)
from tests.annotator.actions.test_forms import add, exported, ids
from tests.annotator.actions.test_loop import work
from tests.annotator.written import HOSTILE, KETTLE, give, labelled, several, written_project
from tests.factories import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    return written_project(cast)


class TestQuestions:
    def test_a_question_that_is_written_to_has_no_answers_to_choose(self, project):
        with pytest.raises(InvalidError, match="“More” is answered with a text"):
            add(project, "More", "yes", kind="text")
        asked = FormQuestion.objects.get(project=project, name="Complaint")
        with pytest.raises(ConflictError, match="has answers to choose"):
            form_questions.change_question(asked, kind="text")

    @pytest.mark.parametrize("wish", ["optional", "edits"])
    def test_only_a_text_may_be_left_empty_or_edit_the_second_one(self, project, wish):
        with pytest.raises(InvalidError, match="Only a question that takes a text") as refusal:
            form_questions.add_question(project, "Mood", **{wish: True})
        assert refusal.value.data["field"] == wish

    def test_only_items_of_two_texts_have_one_to_be_edited(self, project, cast):
        with pytest.raises(InvalidError, match="edits the second text, and items have one"):
            form_questions.add_question(project, "Better", kind="text", edits=True)
        pairs = projects.create_project(cast.lea, "Pairs", task_type="form", item_kind="pair")
        form_questions.add_question(pairs, "Better", kind="text", edits=True)
        with pytest.raises(InvalidError, match="edits the second text, and items have one"):
            copying.create_like(pairs, cast.lea, "Texts", item_kind="text")

    def test_once_answered_it_is_asked_as_it_was_and_may_be_renamed(self, project, cast):
        make_items(project, [KETTLE])
        give(project, cast.ana, "no")
        note = FormQuestion.objects.get(project=project, name="Note")
        with pytest.raises(ConflictError, match="answered already"):
            form_questions.change_question(note, optional=False)
        form_questions.change_question(note, name="Remark")

    def test_a_copy_asks_the_same(self, project, cast):
        made = copying.create_like(project, cast.lea, "Again")
        asked = [(one.key, one.kind, one.optional, bool(one.only_if)) for one in FormQuestion.objects.filter(project=made)]  # fmt: skip
        assert asked == [
            ("complaint", "single", False, False),
            ("why", "text", False, True),
            ("note", "text", True, False),
        ]


class TestAnswers:
    def test_an_answer_is_the_labels_and_the_texts(self, project, cast):
        make_items(project, [KETTLE])
        said = give(project, cast.ana, "yes", {"why": f"{HOSTILE}\r\nmore", "note": " \n"})
        assert said.labels == labelled(project, "yes")
        assert said.value == {"texts": {"why": {"text": f"{HOSTILE}\nmore"}}}
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.state == VerdictState.DECIDED
        assert (verdict.labels, verdict.value) == (said.labels, said.value)

    def test_labels_alone_are_an_answer_where_nothing_has_to_be_written(self, project, cast):
        make_items(project, [KETTLE, "Thanks"])
        assert give(project, cast.ana, "no").value == {"texts": {}}
        with pytest.raises(InvalidError, match="Still to be written: Why") as refusal:
            give(project, cast.ana, "yes")
        assert refusal.value.data["field"] == "value"

    @pytest.mark.parametrize(
        ("said", "texts", "told"),
        [
            ("yes", {"why": ""}, "Still to be written: Why"),
            ("no", {"why": "It leaks"}, "“Why” is not asked"),
            ("no", {"note": "x" * 20_001}, "“Note”: A text has 20,000 characters at most"),
            ("no", {"complaint": "yes"}, "“complaint” is no question that is written to"),
        ],
    )
    def test_what_is_no_whole_answer_is_refused_with_the_question(
        self, project, cast, said, texts, told
    ):
        make_items(project, [KETTLE])
        with pytest.raises(InvalidError, match=told):
            give(project, cast.ana, said, texts)

    def test_labels_alone_cannot_be_given_to_many_items_at_once(self, project):
        from annotator.actions.projects import schema

        with pytest.raises(InvalidError, match="answered with a text"):
            schema.check_labels(project, labelled(project, "no"))

    def test_an_answer_is_changed_and_its_text_goes_with_it(self, project, cast):
        make_items(project, [KETTLE])
        said = give(project, cast.ana, "yes", {"why": "It leaks"})
        fresh = revising.revise(
            project,
            voice_of(project, cast.ana),
            uuid=uuid4(),
            annotation_uuid=said.uuid,
            labels=labelled(project, "no"),
            value={"texts": {"note": "Was it?"}},
        )
        assert fresh.value == {"texts": {"note": {"text": "Was it?"}}}
        settling.settle_now(project)
        assert Verdict.objects.get(project=project).value == fresh.value

    def test_how_many_edits_made_the_second_text_is_kept(self, cast):
        pairs = projects.create_project(
            cast.lea, "Pairs", task_type="form", item_kind="pair", audit_share=0
        )
        add(pairs, "Complaint", "yes", "no")
        form_questions.add_question(pairs, "Better", kind="text", edits=True)
        pairs = Project.objects.get(pk=pairs.pk)
        make_items(pairs, [KETTLE])
        Item.objects.filter(project=pairs).update(text_b="Le bouilloire")
        said = give(pairs, cast.lea, "yes", {"better": "La bouilloire"})
        assert said.value == {"texts": {"better": {"text": "La bouilloire", "edits": 1}}}
        settling.settle_now(pairs)
        (row,) = rows(pairs, "jsonl")
        assert (row["answer_better"], row["edits_better"]) == ("La bouilloire", 1)


def rows(project, format):
    return [json.loads(line) for line in exported(project, format)[0].splitlines()]


class TestVoices:
    def test_the_text_nearest_to_the_others_is_the_verdict_and_far_ones_tie(self, project, cast):
        project = several(project, cast, overlap=3)
        make_items(project, [KETTLE])
        for user, why in ((cast.ana, "It leaks."), (cast.ben, "It leaks"), (cast.lea, "it leaks")):
            give(project, user, "yes", {"why": why})
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.state == VerdictState.DECIDED
        assert verdict.value == {"texts": {"why": {"text": "It leaks"}}}

    def test_a_reviewer_decides_texts_that_have_nothing_in_common(self, project, cast):
        project = several(project, cast)
        make_items(project, [KETTLE])
        give(project, cast.ana, "yes", {"why": "It leaks"})
        give(project, cast.lea, "yes", {"why": "Too loud and dear"})
        settling.settle_now(project)
        assert Verdict.objects.get(project=project).state == VerdictState.TIE
        item = Item.objects.get(project=project)
        word = {"labels": labelled(project, "yes"), "value": {"texts": {"why": "It leaks."}}}
        reviewing.settle(project, cast.ben, uuid=uuid4(), item=item, **word)
        settling.settle_now(project)
        verdict = Verdict.objects.get(project=project)
        assert verdict.state == VerdictState.DECIDED
        assert verdict.value == {"texts": {"why": {"text": "It leaks."}}}

    def test_agreement_tells_each_question_by_the_edits_between_its_texts(self, project, cast):
        project = several(project, cast)
        make_items(project, [f"{KETTLE} {number}" for number in range(4)])
        for number in range(4):
            give(project, cast.ana, "yes", {"why": f"It leaks {'abcd'[number] * 9}"})
            give(project, cast.lea, "yes", {"why": f"It leaks {'abcd'[number] * 8}"})
        found = agreeing.figures(project)
        told = {one["key"]: one for one in found["questions"]}
        assert told["why"]["items"] == 4
        assert 0.8 < told["why"]["value"] < 1
        assert told["note"]["value"] is None
        assert 0.8 < found["alpha"]["value"] < 1
        assert found["fleiss"]["value"] is None, "labels alone are all the same"


class TestGold:
    def test_gold_compares_the_labels_and_passes_over_the_texts(self, project, cast):
        make_items(project, [KETTLE])
        give(project, cast.lea, "yes", {"why": "It leaks"})
        item = Item.objects.get(project=project)
        word = {"labels": labelled(project, "yes"), "value": {"texts": {"why": "Leaks."}}}
        reviewing.settle(project, cast.ben, uuid=uuid4(), item=item, **word)
        settling.settle_now(project)
        (gold,) = golding.add(project, cast.lea, [item])
        assert gold.labels == labelled(project, "yes")
        projects.change_project(project, gold_share=0.5)
        project = Project.objects.get(pk=project.pk)
        (lease,) = assigning.lease(project, voice_of(project, cast.ana), 1)
        assert (lease.item_id, lease.stream) == (item.pk, "gold")
        give(project, cast.ana, "yes", {"why": "Water everywhere"}, lease)
        score = golding.scores(project)[voice_of(project, cast.ana).pk]
        assert (score.asked, score.right) == (1, 1)

    def test_a_form_of_texts_alone_has_no_gold(self, cast):
        notes = projects.create_project(cast.lea, "Notes", task_type="form")
        form_questions.add_question(notes, "Note", kind="text")
        make_items(notes, [KETTLE])
        notes = Project.objects.get(pk=notes.pk)
        with pytest.raises(InvalidError, match="texts alone"):
            golding.add(notes, cast.lea, list(Item.objects.filter(project=notes)))


class TestRedaction:
    def test_what_was_written_about_an_item_goes_with_it(self, project, cast):
        make_items(project, [KETTLE])
        give(project, cast.ana, "yes", {"why": "Ada's kettle", "note": "Ask Ada"})
        settling.settle_now(project)
        redacting.redact_item(Item.objects.get(project=project), "lea")
        blank = {"texts": {"why": {"text": ""}, "note": {"text": ""}}}
        assert Annotation.objects.get(project=project).value == blank
        assert Verdict.objects.get(project=project).value == blank
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM annotator_ledgerentry WHERE redacted_at IS NOT NULL"
            )
            assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
class TestStudents:
    def test_a_student_learns_the_labels_and_leaves_the_texts_alone(self, project, cast):
        make_items(
            project, [f"the kettle leaks {n}" if n % 2 else f"thank you {n}" for n in range(24)]
        )
        for _ in range(20):
            lease = assigning.lease(project, voice_of(project, cast.ana), 1)[0]
            bad = "kettle" in lease.item.text
            give(
                project,
                cast.ana,
                "yes" if bad else "no",
                {"why": "It leaks"} if bad else None,
                lease,
            )
        settling.settle_now(project)
        with transaction.atomic():
            encoding.wish_encoding(project)
        work()
        project = Project.objects.get(pk=project.pk)
        assert project.current_student is not None
        (lease,) = assigning.lease(project, voice_of(project, cast.ana), 1)
        assert {pk for pk, _ in lease.suggestion} <= set(ids(project).values())

    def test_a_form_of_texts_alone_trains_nobody_and_breaks_nothing(self, cast):
        made = projects.create_project(
            cast.lea, "Notes", task_type="form", encoder="tfidf-svd", audit_share=0
        )
        form_questions.add_question(made, "Note", kind="text")
        made = Project.objects.get(pk=made.pk)
        make_items(made, [f"the kettle leaks {n}" for n in range(14)])
        voice = voice_of(made, cast.lea)
        for lease in [assigning.lease(made, voice, 1)[0] for _ in range(3)]:
            value = {"texts": {"note": "x"}}
            labeling.submit(made, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
        settling.settle_now(made)
        with transaction.atomic():
            encoding.wish_encoding(made)
        work()
        assert Project.objects.get(pk=made.pk).current_student is None
        assert not Job.objects.filter(project=made, state="failed").exists()
