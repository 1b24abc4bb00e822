"""Preferences: sides drawn for each person, answers about the item's own two texts."""

import io
import json
import zipfile
from dataclasses import replace
from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling, siding
from annotator.actions.desk.assigning import voice_of
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options
from annotator.actions.figures import scorecards, sides
from annotator.actions.projects import projects, redacting, schema, starting
from annotator.actions.review import flagging, suspecting_circles
from annotator.actions.teachers import foretelling, identity, lending, teacher_runs
from annotator.actions.trust import qualifying
from annotator.actions.verdicts import agreeing, sealing
from annotator.errors import ConflictError, InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    Assignment,
    Flag,
    Item,
    Label,
    Membership,
    Project,
    Qualification,
    Role,
    Teacher,
    TeacherRun,
)
from annotator.web.label import card_of
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.actions.test_loop import work
from tests.annotator.teaching import teacher_on, work_off
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_items
from tests.llm import plays
from tests.llm.loopback import Loopback
from tests.llm.test_sided_teacher import FIRST, SECOND, judges, longer

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    made = projects.create_project(
        cast.lea, "Replies", task_type="preference", item_kind="pair", audit_share=0
    )
    Membership.objects.create(project=made, user=cast.ana, role=Role.ANNOTATOR)
    make_items(made, [f"reply {number} of A" for number in range(40)])
    Item.objects.filter(project=made).update(text_b="reply of B")
    return Project.objects.get(pk=made.pk)


def answered(project, user, choose):
    """Answer every item with the label that `choose(shown)` names."""
    voice, labels = voice_of(project, user), dict(project.labels.values_list("key", "pk"))
    for _ in range(40):
        (lease,) = assigning.lease(project, voice, 1)
        shown = siding.shown(project, lease)
        pk = labels[choose(shown)]
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=[pk])


class TestAnswers:
    def test_they_are_fixed_but_for_their_names_and_what_may_be_left_out(self, project):
        labels = {label.key: label for label in project.live_labels()}
        assert [labels[key].hotkey for key in ("a", "b", "tie", "bad")] == ["1", "2", "=", "0"]
        assert [labels[key].column for key in ("a", "b")] == [0, 1]
        with pytest.raises(ConflictError, match="fixed"):
            schema.add_label(project, "Neither")
        with pytest.raises(ConflictError, match="cannot be compared"):
            schema.archive_label(labels["a"])
        schema.archive_label(labels["tie"])
        assert Label.objects.live().filter(project=project).count() == 3

    def test_they_need_two_texts(self, cast):
        with pytest.raises(InvalidError, match="two texts") as refusal:
            projects.create_project(cast.lea, "Replies", task_type="preference")
        assert refusal.value.data["field"] == "item_kind"


class TestFiles:
    def test_answers_may_be_called_as_the_columns_are(self, cast):
        made = projects.create_project(
            cast.lea, "Replies", task_type="preference", item_kind="pair", audit_share=0
        )
        rows = b"prompt,draft,final,by_1,by_2\n" + b"".join(
            b"Say hello %d,hello,good day to you %d,%s,%s\n" % (n, n, one, other)
            for n, (one, other) in enumerate([(b"draft", b"final"), (b"model_b", b"tie")])
        )
        mapping = Mapping(text="draft", text_b="final", voices=("by_1", "by_2"))
        imported(made, rows, mapping)
        names = dict(made.labels.values_list("pk", "key"))
        said = Annotation.objects.filter(project=made).order_by("pk")
        assert [names[one.labels[0]] for one in said] == ["a", "b", "b", "tie"]

    def test_a_file_of_two_responses_begins_a_comparison(self, cast):
        rows = "instruction,response_1,response_2,winner\n" + "".join(
            f"Name a river of the north {n},{'The Elbe is one of them. ' * 3},"
            f"{'The Po is none of them. ' * 3},{winner}\n"
            for n, winner in enumerate(["response_1", "response_2", "tie"])
        )
        batch = starting.open_project(cast.lea, io.BytesIO(rows.encode()), file_name="replies.csv")
        assert (batch.project.task_type, batch.project.item_kind) == ("preference", "pair")


class TestSides:
    def test_chance_decides_the_order_for_the_first_and_the_second_sees_the_other_one(
        self, cast, project
    ):
        Project.objects.filter(pk=project.pk).update(overlap=2)
        project.refresh_from_db()
        for who in (cast.ana, cast.lea):
            answered(project, who, lambda shown: "a")
        seen = {
            who: dict(
                Annotation.objects.filter(annotator__user=who).values_list("item", "value__shown")
            )
            for who in (cast.ana, cast.lea)
        }
        assert len(seen[cast.ana]) == 40
        other = {"ab": "ba", "ba": "ab"}
        assert seen[cast.lea] == {item: other[shown] for item, shown in seen[cast.ana].items()}
        assert 8 < list(seen[cast.ana].values()).count("ba") < 32

    def test_a_lease_shows_the_same_as_long_as_it_is(self, cast, project):
        voice = voice_of(project, cast.ana)
        for lease in assigning.lease(project, voice, 3):
            again = Assignment.objects.get(pk=lease.pk)
            assert siding.shown(project, lease) == siding.shown(project, again) != ""

    def test_the_page_shows_the_texts_in_that_order_and_names_no_side(self, cast, project):
        voice = voice_of(project, cast.ana)
        for lease in assigning.lease(project, voice, 3):
            card = card_of(project, lease)
            texts = [lease.item.text, lease.item.text_b]
            assert [card.text, card.text_b] == (texts if card.shown == "ab" else texts[::-1])

    def test_the_order_is_kept_with_the_answer_and_sealed(self, cast, project):
        answered(project, cast.ana, lambda shown: "a")
        said = Annotation.objects.all()
        assert {each.value["shown"] for each in said} == {"ab", "ba"}
        sealing.seal(project)
        assert sealing.verify(project) == []

    def test_ones_own_answer_can_be_changed_to_another_of_the_four(self, cast, project, client):
        answered(project, cast.ana, lambda shown: "a")
        said = Annotation.objects.first()
        client.force_login(cast.ana, backend=BACKEND)
        address = reverse("label_change", args=[project.pk, said.uuid])
        page = client.get(address).content.decode()
        names = list(project.live_labels().values_list("name", flat=True))
        assert [name for name in names if f"> <span>{name}" in page] == names
        other = project.live_labels().exclude(pk__in=said.labels).first()
        client.post(address, {"uuid": str(uuid4()), "labels": other.pk})
        assert Annotation.objects.get(previous=said).labels == [other.pk]

    def test_an_export_of_the_answers_tells_the_order(self, cast, project, settings, tmp_path):
        settings.DATA_DIR = tmp_path
        answered(project, cast.ana, lambda shown: "a" if shown == "ab" else "b")
        options = Options.from_json({"contents": ["annotations"]})
        snapshot = exporting.create_snapshot(project, options)
        run(snapshot.job)
        snapshot.refresh_from_db()
        with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
            rows = [json.loads(line) for line in archive.read("annotations.jsonl").splitlines()]
        assert {(row["label"], row["shown"]) for row in rows} == {
            ("A is better", "ab"),
            ("B is better", "ba"),
        }

    def test_another_type_of_answer_keeps_no_order(self, cast):
        plain = projects.create_project(cast.lea, "Plain", item_kind="pair")
        assert siding.shown(plain, Assignment(item=Item(pk=1), annotator_id=1)) == ""
        assert siding.noted(plain, Assignment(item_id=1), 1, None) is None


class TestEffectOfTheOrder:
    def test_who_always_takes_the_first_is_told(self, cast, project):
        answered(project, cast.ana, lambda shown: shown[0])
        order = agreeing.figures(project)["order"]
        assert (order["share"], order["answers"], order["told"]) == (1, 40, True)
        assert order["low"] > 0.8

    def test_who_takes_a_text_for_itself_is_not(self, cast, project, monkeypatch):
        def alternating(project, seat, candidates):
            return siding.SWAPPED if seat.item % 2 else siding.OWN

        monkeypatch.setattr(siding, "_drawn", alternating)  # an uneven draw may tell of an effect
        answered(project, cast.ana, lambda shown: "b")
        order = agreeing.figures(project)["order"]
        assert order["low"] < 0.5 < order["high"]
        assert not order["told"]

    def test_without_a_choice_there_is_nothing_to_tell(self, cast, project):
        answered(project, cast.ana, lambda shown: "tie")
        assert agreeing.figures(project)["order"] is None


class TestEffectOnEachVoice:
    def test_it_is_told_of_each_and_on_the_scorecards(self, cast, project, client):
        answered(project, cast.ana, lambda shown: shown[0])
        found = sides.effects(project)
        ana = voice_of(project, cast.ana)
        assert set(found) == {ana.pk}
        assert (found[ana.pk].share, found[ana.pk].answers, found[ana.pk].is_told) == (1, 40, True)
        client.force_login(cast.lea, backend=BACKEND)
        cards = client.get(reverse("annotators", args=[project.pk])).content.decode()
        assert "takes the first</dt><dd>100" in cards
        assert "swayed" in cards
        card = client.get(reverse("scorecard", args=[project.pk, ana.pk])).content.decode()
        assert "shown first was found better in 100" in card
        told = client.get(f"/api/v1/projects/{project.pk}/scorecards/{ana.pk}").json()
        assert told["side_effect"]["share"] == 1
        assert told["asked_both_ways"] is None

    def test_other_answers_have_no_sides(self, cast, client):
        plain = projects.create_project(cast.lea, "Plain", item_kind="pair")
        assert sides.effects(plain) == {}


@pytest.mark.django_db(transaction=True)
class TestTeachers:
    def test_one_that_favours_a_place_gives_no_answer_and_the_scorecard_tells_it(
        self, cast, project, client
    ):
        def first_when_short(one, other):
            return longer(one, other) if "reply 1" in one + other else FIRST

        with Loopback(judged(project, first_when_short)) as server:
            _, teacher = teacher_on(server, cast, items=0, project=project)
            run = teacher_runs.start_run(project, teacher, cast.lea, 40)
            work_off(run)
        assert (run.state, run.answered, run.abstained) == ("done", 11, 29)
        names = dict(project.labels.values_list("pk", "key"))
        given = Annotation.objects.filter(project=project, annotator=teacher.voice)
        assert {names[one.labels[0]] for one in given} == {"a"}, "the first text is the longer one"
        taught = scorecards.taught(project)[teacher.voice_id]
        found = sides.asked_both_ways(teacher, taught.fingerprint)
        assert (found.asked, found.first, found.second) == (40, 29, 0)
        assert found.is_told
        assert not replace(found, first=15, second=14).is_told, "as often as whoever guesses"
        client.force_login(cast.lea, backend=BACKEND)
        page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id]))
        assert "stood first both times on 29" in page.content.decode()
        told = client.get(f"/api/v1/projects/{project.pk}/scorecards/{teacher.voice_id}").json()
        assert told["asked_both_ways"]["share"] == 29 / 40

    def test_a_test_of_a_local_model_from_before_it_was_asked_in_both_orders_is_stale(
        self, cast, project, monkeypatch
    ):
        voice = voice_of(project, cast.ana)
        teacher = Teacher.objects.create(project=project, voice=voice, plugin="local")
        schema_now = lending.schema_of(project)
        with monkeypatch.context() as before:
            before.setattr(identity, "BOTH_ORDERS", "one order")
            old = identity.identity(teacher, schema_now)
        run = TeacherRun.objects.create(
            project=project, teacher=teacher, kind="qualify", state="done"
        )
        kept = Qualification.objects.create(
            project=project, teacher=teacher, run=run, identity=old, qualified=True
        )
        assert qualifying.state(teacher).state == "changed"
        kept.identity = identity.identity(teacher, schema_now)
        kept.save()
        assert qualifying.state(teacher).state == "qualified"

    def test_how_often_it_is_asked_is_what_it_is_and_costs(self, cast, project):
        with Loopback(plays.good) as server:
            _, teacher = teacher_on(server, cast, items=0, project=project)
        schema = lending.schema_of(project)
        assert schema.sided
        numbers = list(range(40))
        twice, print_ = foretelling.estimate(teacher, numbers), identity.identity(teacher, schema)
        teacher.params = {**teacher.params, "passes": 1}
        once = foretelling.estimate(teacher, numbers)
        assert twice.low == pytest.approx(2 * once.low)
        assert twice.high == pytest.approx(2 * once.high)
        assert identity.identity(teacher, schema) != print_
        print_ = identity.identity(teacher, schema)
        teacher.params = {**teacher.params, "window": 5}
        assert identity.identity(teacher, schema) == print_


def judged(project, choose):
    """As `judges`, with the ids of this project's labels."""
    ids = dict(
        zip("ab", project.labels.order_by("column").values_list("pk", flat=True), strict=False)
    )
    own = {FIRST: str(ids["a"]), SECOND: str(ids["b"])}
    return judges(lambda one, other: own[choose(one, other)], confidence=0.9)


def scored(number):
    """Ten wordings; of two the one with the higher number is better."""
    return f"Wording {number}: {'click ' * number}here"


@pytest.mark.django_db(transaction=True)
class TestCircles:
    @pytest.fixture
    def tournament(self, cast):
        return self.made(cast)

    def made(self, cast, asked=lambda low, high: "How does one open a file here?"):
        """Every two of ten wordings, of which the better one won but for the last against the first."""
        made = projects.create_project(
            cast.lea,
            "Wordings",
            task_type="preference",
            item_kind="pair",
            audit_share=0,
            encoder="tfidf-svd",
        )
        rows = ["id,one,two,winner,asked"] + [
            f"w{low}-{high},{scored(low)},{scored(high)},{won},{asked(low, high)}"
            for low in range(10)
            for high in range(low + 1, 10)
            for won in ["one" if (low, high) == (0, 9) else "two"]
        ]
        mapping = Mapping(text="one", text_b="two", label="winner", id="id", metadata=("asked",))
        imported(made, "\n".join(rows).encode(), mapping)
        work()
        return Project.objects.get(pk=made.pk)

    def test_an_answer_that_closes_circles_is_flagged_with_the_items_that_close_one(
        self, cast, tournament
    ):
        flagging.look_now(tournament, cast.lea)
        work()
        flag = Flag.objects.get(project=tournament, kind="detector", item__external_id="w0-9")
        (told,) = [one for one in flag.evidence if one["detector"] == "circles"]
        low, high = scored(0), scored(9)[:40].rstrip() + "…"
        assert told["words"].startswith(f"“{low}” over “{high}” here, but “{high}” over “Wording ")
        assert f"over “{low}” in #w0-" in told["words"]
        assert "by all other answers this one has a chance of less than 1 %;" in told["words"]
        assert told["words"].endswith("; so it is in 8 circles")
        names = {one["name"]: one["number"] for one in told["others"]}
        assert len(names) == 2
        assert all(name in told["words"] for name in names)
        others = Item.objects.filter(project=tournament, number__in=names.values())
        assert {f"#{one.external_id}" for one in others} == set(names)
        assert flag.score < 0.2
        names = dict(tournament.labels.values_list("pk", "key"))
        assert [names[pk] for pk in flag.suggested] == ["b"]
        circles = [
            flag
            for flag in Flag.objects.filter(project=tournament)
            if any(one["detector"] == "circles" for one in flag.evidence)
        ]
        assert circles == [flag], "one answer explains all circles"

    def test_what_was_redacted_is_quoted_by_no_flag_of_another_item(self, cast, tournament):
        flagging.look_now(tournament, cast.lea)
        work()
        flag = Flag.objects.get(project=tournament, kind="detector", item__external_id="w0-9")
        number = flag.evidence[0]["others"][0]["number"]
        redacting.redact_item(tournament.items.get(number=number), "test")
        flag.refresh_from_db()
        assert flag.evidence == []

    def test_nor_where_it_is_redacted_during_the_look(self, cast, tournament, monkeypatch):
        def told(self, rows):
            found = said(self, rows)
            for one in [one for each in found for one in each if one.get("others")]:
                redacting.redact_item(tournament.items.get(number=one["others"][0]["number"]), "x")
            return found

        said = suspecting_circles.CircleSuspicion.told
        monkeypatch.setattr(suspecting_circles.CircleSuspicion, "told", told)
        flagging.look_now(tournament, cast.lea)
        work()
        flag = Flag.objects.get(project=tournament, kind="detector", item__external_id="w0-9")
        assert flag.score < 0.2
        assert flag.evidence == []

    def test_the_same_words_to_other_questions_are_other_texts(self, cast):
        made = self.made(cast, lambda low, high: f"How does one open file {low} of {high} here?")
        flagging.look_now(made, cast.lea)
        work()
        evidence = Flag.objects.filter(project=made).values_list("evidence", flat=True)
        assert evidence
        assert not [one for each in evidence for one in each if one["detector"] == "circles"]
