"""Forms that ask which of two texts is better, by several criteria."""

import io
import json
import re
import zipfile
from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling, siding
from annotator.actions.desk.assigning import voice_of
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options
from annotator.actions.figures import sides
from annotator.actions.imports import importing, looking
from annotator.actions.projects import copying, form_questions, projects, schema, starting
from annotator.actions.review import flagging
from annotator.actions.teachers import foretelling, identity, lending, teacher_runs
from annotator.actions.verdicts import agreeing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    Flag,
    FormQuestion,
    Item,
    Label,
    Membership,
    Project,
    Role,
    Verdict,
)
from annotator.web import asked
from annotator.web.choosing import label_views
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_preference import scored
from tests.annotator.teaching import teacher_on, work_off
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_items
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db


def ids(project):
    return dict(project.labels.values_list("name", "pk"))


@pytest.fixture
def project(cast):
    """Which reply helps more, which is kinder; and how much, where the first one helps more."""
    made = projects.create_project(
        cast.lea, "Replies", task_type="form", item_kind="pair", audit_share=0, encoder="tfidf-svd"
    )
    for user in (cast.ana, cast.ben):
        Membership.objects.create(project=made, user=user, role=Role.ANNOTATOR)
    form_questions.add_question(made, "Helps", kind="preference")
    form_questions.add_question(made, "Kinder", kind="preference")
    form_questions.add_question(
        made,
        "How much",
        kind="rating",
        labels=[("little", ""), ("much", "")],
        only_if=[ids(made)["Helps > A is better"]],
    )
    make_items(made, [f"reply {number} of A" for number in range(40)])
    Item.objects.filter(project=made).update(text_b="reply of B")
    return Project.objects.get(pk=made.pk)


def answered(project, user, choose, count=40):
    """Answer items with the names that `choose(shown)` gives."""
    voice, known = voice_of(project, user), ids(project)
    for _ in range(count):
        (lease,) = assigning.lease(project, voice, 1)
        labels = [known[name] for name in choose(siding.shown(project, lease))]
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=labels)


class TestQuestions:
    def test_a_comparison_brings_its_four_answers(self, project):
        question = FormQuestion.objects.get(project=project, name="Kinder")
        names = [label.part for label in question.labels.order_by("position")]
        assert names == ["A is better", "B is better", "Equally good", "Both bad"]

    def test_no_others_are_added_and_it_stays_what_it_is(self, project):
        question = FormQuestion.objects.get(project=project, name="Kinder")
        with pytest.raises(InvalidError, match="its answers are fixed"):
            form_questions.add_answers(question, [("Neither", "")])
        with pytest.raises(InvalidError, match="its answers are fixed"):
            form_questions.add_question(
                project, "Longer", kind="preference", labels=[("neither", "")]
            )
        assert not FormQuestion.objects.filter(project=project, name="Longer").exists()
        with pytest.raises(ConflictError, match="answers of its own"):
            form_questions.change_question(question, kind="single")
        other = FormQuestion.objects.get(project=project, name="How much")
        with pytest.raises(ConflictError, match="answers of its own"):
            form_questions.change_question(other, kind="preference")
        assert form_questions.change_question(question, kind="preference", name="Nicer").kind == (
            "preference"
        )

    def test_its_sides_stay_and_no_answer_moves_but_a_tie_may_go(self, project):
        labels = {label.name: label for label in project.live_labels()}
        with pytest.raises(ConflictError, match="cannot be compared"):
            schema.archive_label(labels["Kinder > B is better"])
        with pytest.raises(ConflictError, match="keep their order"):
            schema.move_label(labels["Kinder > Both bad"], up=True)
        reversed_ = [labels[name].pk for name in ("Kinder > B is better", "Kinder > A is better")]
        with pytest.raises(ConflictError, match="keep their order"):
            schema.reorder_labels(project, reversed_)
        schema.archive_label(labels["Kinder > Equally good"])
        assert not Label.objects.live().filter(project=project, name="Kinder > Equally good")

    def test_nor_by_any_other_way(self, cast, project, client):
        client.force_login(cast.lea, backend=BACKEND)
        address = f"/api/v1/projects/{project.pk}/labels"
        told = client.post(address, {"name": "Kinder > Neither"}, "application/json")
        assert told.status_code == 409
        assert "fixed" in told.json()["detail"]
        client.post(reverse("labels", args=[project.pk]), {"names": "Kinder > Nobody"})
        assert project.labels.filter(name__startswith="Kinder").count() == 4

    def test_a_question_that_goes_leaves_no_gap(self, cast, project, client):
        form_questions.add_question(project, "Longer", kind="preference")
        form_questions.remove_question(FormQuestion.objects.get(project=project, name="How much"))
        form_questions.remove_question(FormQuestion.objects.get(project=project, name="Kinder"))
        project = Project.objects.get(pk=project.pk)
        columns = list(project.labels.order_by("column").values_list("column", flat=True))
        assert columns == list(range(8))
        assert project.task.sides == ((0, 1), (4, 5))
        client.force_login(cast.lea, backend=BACKEND)
        assert client.get(reverse("label", args=[project.pk])).status_code == 200

    def test_its_keys_go_with_its_answers_through_the_archive_and_copies(self, cast, project):
        def keys_of(made):
            views = label_views(made)
            kinder = next(one for one in asked.questions_of(made, views) if one["name"] == "Kinder")
            names = [view["name"].rpartition(" › ")[2] for view in kinder["views"]]
            return dict(zip(names, kinder["keys"], strict=True))

        tie = project.labels.get(name="Kinder > Equally good")
        schema.archive_label(tie)
        whole = {"A is better": "1", "B is better": "2", "Equally good": "=", "Both bad": "0"}
        without = {name: key for name, key in whole.items() if key != "="}
        assert keys_of(project) == without
        made = copying.create_like(project, cast.lea, "Again", item_kind="pair")
        assert keys_of(made) == without
        rows = "one,two,helps,kinder\nhello,good day,B,tie\nbye,fare well,B,both bad\n"
        mapping = Mapping(text="one", text_b="two", answers=("helps", "kinder"))
        batch = imported(made, rows.encode(), mapping, bad_rows="skip")
        assert batch.report["problem_count"] == 1, "a tie is no answer there"
        said = Annotation.objects.get(project=made)
        assert {Label.objects.get(pk=pk).begun_as for pk in said.labels} == {"b", "bad"}
        schema.restore_label(Label.objects.get(pk=tie.pk))
        assert keys_of(project) == whole

    def test_items_of_one_text_cannot_be_compared(self, cast):
        made = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
        with pytest.raises(InvalidError, match="two texts"):
            form_questions.add_question(made, "Better", kind="preference")

    def test_the_settings_offer_it_where_items_are_two_texts_alone(self, cast, project, client):
        plain = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
        client.force_login(cast.lea, backend=BACKEND)
        for made, offered in ((project, True), (plain, False)):
            page = client.get(reverse("form_questions", args=[made.pk])).content.decode()
            assert ("which of the two texts is better</option>" in page) is offered

    def test_the_api_asks_and_refuses_likewise(self, cast, project, client):
        client.force_login(cast.lea, backend=BACKEND)
        address = reverse("api_form_questions", args=[project.pk])
        made = client.post(address, {"name": "Longer", "kind": "preference"}, "application/json")
        assert made.status_code == 201
        assert len(made.json()["labels"]) == 4
        wish = {"name": "Clearer", "kind": "preference", "answers": ["left"]}
        refused = client.post(address, wish, "application/json")
        assert refused.status_code == 422
        assert "fixed" in refused.json()["detail"]


class TestSides:
    def test_the_order_of_the_texts_is_drawn_kept_and_told_to_the_page(self, cast, project):
        answered(project, cast.ana, lambda shown: ["Helps > B is better", "Kinder > Both bad"])
        shown = list(Annotation.objects.values_list("value__shown", flat=True))
        assert 8 < shown.count("ba") < 32
        views = {view["name"]: view["side"] for view in label_views(project)}
        assert views["Helps › A is better"] == views["Kinder › A is better"] == "First"
        assert views["Kinder › B is better"] == "Second"
        assert views["Kinder › Equally good"] == views["How much › much"] == ""

    def test_a_form_without_a_comparison_keeps_no_order(self, cast):
        made = projects.create_project(
            cast.lea, "Pairs", task_type="form", item_kind="pair", audit_share=0
        )
        form_questions.add_question(made, "Same", labels=[("yes", ""), ("no", "")])
        assert not Project.objects.get(pk=made.pk).task.drawn

    def test_an_answer_counts_once_for_the_text_that_more_questions_found_better(
        self, cast, project
    ):
        def the_first_shown(shown):
            return (
                ["Helps > A is better", "Kinder > Equally good", "How much > much"]
                if shown == "ab"
                else ["Helps > B is better", "Kinder > B is better"]
            )

        Project.objects.filter(pk=project.pk).update(overlap=2)
        project.refresh_from_db()
        answered(project, cast.ana, the_first_shown)
        answered(
            project, cast.ben, lambda shown: ["Helps > B is better", "Kinder > A is better"], 10
        )
        found = sides.effects(project)
        ana = voice_of(project, cast.ana)
        assert set(found) == {ana.pk}, "who finds each text better once has chosen none"
        assert (found[ana.pk].share, found[ana.pk].answers, found[ana.pk].is_told) == (1, 40, True)
        assert agreeing.figures(project)["order"]["answers"] == 40


class TestStudents:
    def test_a_lesson_says_of_which_questions_the_texts_are_sides(self, cast, project):
        assert [part.sided for part in project.task.parts] == [True, True, False]
        assert project.task.sides == ((0, 1), (4, 5))
        assert not project.task.sided, "its first two labels are no sides of all that is asked"


class TestFiles:
    ROWS = (
        "prompt,draft,final,helps,kinder\n"
        "Say hello,hello,good day to you,draft,tie\n"
        "Say bye,bye,fare well,model_b,both bad\n"
        "Say yes,yes,certainly,draft,final\n"
    )

    def test_columns_of_sides_begin_comparisons(self, cast):
        file = io.BytesIO(self.ROWS.encode())
        batch = starting.open_project(cast.lea, file, file_name="replies.csv")
        mapping = Mapping(text="draft", text_b="final", answers=("helps", "kinder"))
        run(starting.begin(batch, mapping, importing.Options(), cast.lea, task_type="form").job)
        made = Project.objects.get(pk=batch.project_id)
        kinds = dict(FormQuestion.objects.filter(project=made).values_list("name", "kind"))
        assert kinds == {"helps": "preference", "kinder": "preference"}
        names = dict(made.labels.values_list("pk", "name"))
        said = Annotation.objects.filter(project=made).order_by("pk")
        assert [sorted(names[pk] for pk in one.labels) for one in said] == [
            ["helps > A is better", "kinder > Equally good"],
            ["helps > B is better", "kinder > Both bad"],
            ["helps > A is better", "kinder > B is better"],
        ]

    def test_typed_answers_add_none_to_a_comparison(self, cast):
        file = io.BytesIO(self.ROWS.encode())
        batch = starting.open_project(cast.lea, file, file_name="replies.csv")
        mapping = Mapping(text="draft", text_b="final", answers=("helps", "kinder"))
        typed = [("helps > draft", ""), ("helps > final", ""), ("Sure > yes", "")]
        run(
            starting.begin(
                batch, mapping, importing.Options(bad_rows="skip"), cast.lea,
                task_type="form", labels=typed,
            ).job
        )  # fmt: skip
        made = Project.objects.get(pk=batch.project_id)
        helps = FormQuestion.objects.get(project=made, name="helps")
        assert (helps.kind, helps.labels.count()) == ("preference", 4)

    def test_what_names_no_side_is_told_by_its_row(self, cast, project):
        rows = "one,two,helps,kinder\nhello,good day,A,perhaps\n"
        mapping = Mapping(text="one", text_b="two", answers=("helps", "kinder"))
        batch = imported(project, rows.encode(), mapping)
        assert batch.report["problem_count"] == 1
        row, _, told = batch.report["problems"][0]
        assert row == 2
        assert "“Kinder > perhaps” is no answer to “Kinder”." in told

    def test_our_own_export_comes_back_with_its_questions(self, cast, project, settings, tmp_path):
        settings.DATA_DIR = tmp_path
        said = ["Helps > A is better", "Kinder > Both bad", "How much > much"]
        other = ["Helps > B is better", "Kinder > A is better"]
        answered(project, cast.ana, lambda shown: said if shown == "ab" else other)
        settling.settle_now(project)
        snapshot = exporting.create_snapshot(
            project, Options.from_json({"contents": ["verdicts", "annotations"]})
        )
        run(snapshot.job)
        snapshot.refresh_from_db()
        with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
            rows = [json.loads(line) for line in archive.read("annotations.jsonl").splitlines()]
            items = archive.read("items.jsonl")
        assert {(row["labels"][0], row["shown"]) for row in rows} == {
            ("Helps > A is better", "ab"),
            ("Helps > B is better", "ba"),
        }
        batch = starting.open_project(cast.lea, io.BytesIO(items), file_name="items.jsonl")
        mapping = looking.look(batch).mapping
        run(starting.begin(batch, mapping, importing.Options(), cast.lea, task_type="form").job)
        again = FormQuestion.objects.filter(project=batch.project)
        assert {one.name: one.kind for one in again} == {
            "Helps": "preference",
            "Kinder": "preference",
            "How much": "single",
        }
        ((waits,),) = again.filter(name="How much").values_list("only_if")
        assert [Label.objects.get(pk=pk).name for pk in waits] == ["Helps > A is better"]
        settling.settle_now(batch.project)
        assert Verdict.objects.filter(project=batch.project, state="decided").count() == 40

    def test_sides_that_were_renamed_come_back_with_their_names_and_conditions(
        self, cast, project, settings, tmp_path
    ):
        settings.DATA_DIR = tmp_path
        for name, other in (("A is better", "Model A"), ("B is better", "Model B")):
            label = project.labels.get(name=f"Helps > {name}")
            schema.change_label(label, name=other, description="", hotkey="")
        said = ["Helps > Model A", "Kinder > Both bad", "How much > much"]
        other = ["Helps > Model B", "Kinder > A is better"]
        answered(project, cast.ana, lambda shown: said if shown == "ab" else other)
        settling.settle_now(project)
        snapshot = exporting.create_snapshot(project, Options.from_json({"contents": ["verdicts"]}))
        run(snapshot.job)
        snapshot.refresh_from_db()
        with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
            items = archive.read("items.jsonl")
        batch = starting.open_project(cast.lea, io.BytesIO(items), file_name="items.jsonl")
        mapping = looking.look(batch).mapping
        run(starting.begin(batch, mapping, importing.Options(), cast.lea, task_type="form").job)
        made = Project.objects.get(pk=batch.project_id)
        helps = FormQuestion.objects.get(project=made, name="Helps")
        names = {label.begun_as: label.part for label in helps.labels.all()}
        assert (names["a"], names["b"]) == ("Model A", "Model B")
        waits = FormQuestion.objects.get(project=made, name="How much").only_if
        assert [Label.objects.get(pk=pk).name for pk in waits] == ["Helps > Model A"]
        batch.refresh_from_db()
        assert batch.report["problem_count"] == 0


@pytest.mark.django_db(transaction=True)
class TestTeachers:
    def test_what_it_enters_is_a_whole_form_whichever_text_wins(self, cast, project):
        """The longer reply helps more, and much where it is the first; people are told of no place."""
        Item.objects.filter(project=project, number__lt=20).update(text_b="reply of B, " * 3)
        known = {name: str(pk) for name, pk in ids(project).items()}

        def fills(request):
            told = plays.user_of(request).partition("Items to label:")[2]
            texts = [block.group(2) for block in plays.BLOCK.finditer(told)]
            system = plays.system_of(request)
            waits = re.search(r"How much.*Asked only if.*?: (\d+) ", system)[1]
            entries = []
            for key, one, other in zip(
                plays.items_of(request), texts[::2], texts[1::2], strict=True
            ):
                side = "A" if len(one) > len(other) else "B"
                first = known[f"Helps > {side} is better"]
                form = {"helps": first, "kinder": known["Kinder > Equally good"]}
                form["how-much"] = known["How much > much"] if first == waits else None
                entries.append({"item": key, "form": form, "confidence": 0.9})
            return json.dumps({"answers": entries})

        with Loopback(plays.says(fills)) as server:
            _, teacher = teacher_on(server, cast, items=0, project=project)
            job = teacher_runs.start_run(project, teacher, cast.lea, 40)
            work_off(job)
        assert (job.state, job.answered, job.abstained) == ("done", 40, 0)
        names = {pk: name for name, pk in ids(project).items()}
        said = {
            one.item.number: {names[pk] for pk in one.labels}
            for one in Annotation.objects.filter(annotator=teacher.voice).select_related("item")
        }
        assert said[30] == {"Helps > A is better", "Kinder > Equally good", "How much > much"}
        assert said[3] == {"Helps > B is better", "Kinder > Equally good"}

    def test_a_form_with_a_comparison_is_asked_in_both_orders_and_paid_for(self, cast, project):
        with Loopback(plays.good) as server:
            _, teacher = teacher_on(server, cast, items=0, project=project)
        schema_ = lending.schema_of(project)
        assert schema_.sides == ((0, 1), (4, 5))
        numbers = list(range(40))
        twice, print_ = foretelling.estimate(teacher, numbers), identity.identity(teacher, schema_)
        teacher.params = {**teacher.params, "passes": 1}
        assert twice.low == pytest.approx(2 * foretelling.estimate(teacher, numbers).low)
        assert identity.identity(teacher, schema_) != print_


@pytest.mark.django_db(transaction=True)
class TestCircles:
    def test_each_comparison_has_its_own(self, cast):
        """Every two of ten wordings: by length the better one won but for the last against the first, by
        tone nobody did."""
        made = projects.create_project(
            cast.lea,
            "Wordings",
            task_type="form",
            item_kind="pair",
            audit_share=0,
            encoder="tfidf-svd",
        )
        form_questions.add_question(made, "Tone", kind="preference")
        form_questions.add_question(made, "Length", kind="preference")
        rows = ["id,one,two,tone,length"] + [
            f"w{low}-{high},{scored(low)},{scored(high)},tie,{won}"
            for low in range(10)
            for high in range(low + 1, 10)
            for won in ["one" if (low, high) == (0, 9) else "two"]
        ]
        mapping = Mapping(text="one", text_b="two", answers=("tone", "length"), id="id")
        imported(made, "\n".join(rows).encode(), mapping)
        work()
        flagging.look_now(made, cast.lea)
        work()
        flag = Flag.objects.get(project=made, kind="detector", item__external_id="w0-9")
        (told,) = [one for one in flag.evidence if one["detector"] == "circles"]
        low, high = scored(0), scored(9)[:40].rstrip() + "…"
        assert told["words"].startswith(f"Length: “{low}” over “{high}” here, but “{high}” over ")
        known = ids(made)
        assert set(flag.suggested) == {known["Tone > Equally good"], known["Length > B is better"]}
