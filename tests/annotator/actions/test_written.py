"""Written answers: from a file to the desk, to the verdict that is nearest to all, to a file again."""

import io
import json
from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options, create_snapshot
from annotator.actions.projects import projects, redacting, schema
from annotator.actions.queue import choosing
from annotator.actions.review import flagging, reviewing
from annotator.actions.verdicts import agreeing, agreeing_values, settling
from annotator.errors import ConflictError, InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    Annotator,
    BatchState,
    Flag,
    ImportBatch,
    Item,
    Job,
    Project,
    Role,
    Verdict,
)
from annotator.web.settings import SettingsForm
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.web.conftest import BACKEND
from tests.factories import join, make_items

pytestmark = pytest.mark.django_db

HOSTILE = "<b>Ada</b> & “Bob” 👍\nsaid =1+1"


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    made = projects.create_project(
        cast.lea, "Summaries", task_type="text", overlap=3, audit_share=0
    )
    join(made, cast.ana, Role.ANNOTATOR)
    join(made, cast.ben, Role.REVIEWER)
    return made


def write(project, user, texts):
    """Answer items in the order in which they are served; a text belongs to an item."""
    voice = assigning.voice_of(project, user)
    for _ in texts:
        (lease,) = assigning.lease(project, voice, 1)
        value = {"text": texts[lease.item.number]}
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)


def exported(project, format):
    snapshot = create_snapshot(project, Options(format=format, pack="file"))
    run(snapshot.job)
    snapshot.refresh_from_db()
    return exporting.path_of(snapshot).read_bytes()


def test_a_project_of_texts_has_no_labels_and_begins_with_what_fits_it(cast, project):
    assert (project.strategy, project.consensus) == ("representatives", "weighted-majority")
    with pytest.raises(ConflictError, match="name no labels"):
        schema.add_labels(project, [("Refund", "", "", "")])
    make_items(project, 1)
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    for given, told in (({"text": " "}, "is empty"), ({"text": 1}, "is empty"), (None, "value")):
        with pytest.raises(InvalidError, match=told):
            labeling.submit(
                project,
                assigning.voice_of(project, cast.ana),
                uuid=uuid4(),
                assignment_id=lease.pk,
                value=given,
            )


def test_the_text_nearest_to_all_is_the_verdict_and_far_ones_go_to_a_reviewer(
    cast, project, client
):
    make_items(project, 12)
    near = {number: f"a short summary of {number}" for number in range(12)}
    write(project, cast.ana, near)
    write(project, cast.ben, near | {0: "a short summary of 0!", 1: "nothing alike whatever"})
    write(project, cast.lea, near | {0: "one short summary of 0", 1: "QQQQ 7777"})
    settling.settle_now(project)
    state = dict(Verdict.objects.values_list("item__number", "state"))
    assert (state[0], state[1], state[2]) == ("decided", "tie", "decided")
    assert Verdict.objects.get(item__number=0).value == {"text": near[0]}
    figures = agreeing.figures(project)
    assert figures["distance"] == "edits"
    assert 0.3 < figures["alpha"]["value"] < 1
    assert 0.8 < figures["closeness"]["value"] < 1
    assert [pair["items"] for pair in figures["pairs"]] == [12, 12, 12]

    client.force_login(cast.lea, backend=BACKEND)
    case = reverse("review_item", args=[project.pk, 1])
    page = client.get(case, {"none": "1"}).content.decode()
    assert "QQQQ 7777" in page
    settle = reverse("review_settle", args=[project.pk, 1])
    form = {"parts": "1", "uuid": str(uuid4()), "written": HOSTILE.replace("\n", "\r\n")}
    assert client.post(settle, form).status_code == 302
    keep = {"parts": "1", "uuid": str(uuid4()), "outcome": "keep", "had": near[2]}
    assert client.post(reverse("review_settle", args=[project.pk, 2]), keep).status_code == 302
    settling.settle_now(project)
    assert Verdict.objects.get(item__number=1).value == {"text": HOSTILE}
    assert Verdict.objects.get(item__number=2).source == "reviewer"
    for address in ("item", "review_item"):
        shown = client.get(reverse(address, args=[project.pk, 1])).content.decode()
        assert "<b>Ada" not in shown
    mine = Annotation.objects.filter(annotator__user=cast.lea, item__number=3).get()
    change = reverse("label_change", args=[project.pk, mine.uuid])
    assert near[3] in client.get(change).content.decode()
    client.post(change, {"uuid": str(uuid4()), "written": "changed"})
    assert Annotation.objects.get(previous=mine).value == {"text": "changed"}
    assert "100 %" not in client.get(reverse("annotators", args=[project.pk])).content.decode()
    for name in ("explore", "label_mine", "agreement", "students", "settings", "label", "progress"):
        assert client.get(reverse(name, args=[project.pk])).status_code == 200


def test_a_text_that_was_overruled_is_flagged_with_how_far_it_is(cast, project, client):
    make_items(project, 34)
    texts = {number: f"a short summary of ticket {number}" for number in range(34)}
    write(project, cast.ana, texts)
    write(project, cast.ben, texts | {4: HOSTILE})
    write(project, cast.lea, texts | {5: texts[5].replace("short", "brief")})
    settling.settle_now(project)
    assert set(Verdict.objects.values_list("state", flat=True)) == {"decided"}
    found = run(flagging.look_now(project, cast.lea)).result
    assert (found["labels"], found["flagged"], found["drawn"]) == (34, 2, 34)
    overruled, odd = Flag.objects.filter(kind="detector").order_by("score")
    assert (overruled.item.number, odd.item.number) == (4, 5), "where all agree a word is unusual"
    (evidence,) = overruled.evidence
    assert overruled.scores == {"voices": pytest.approx(overruled.score)}
    assert evidence["words"].startswith("1 of 3 voices wrote otherwise; from another voice's text")
    assert "where 0 % is usual here" in evidence["words"]
    client.force_login(cast.lea, backend=BACKEND)
    page = client.get(reverse("review_item", args=[project.pk, 4]), {"none": "1"}).content.decode()
    assert "voices wrote otherwise" in page
    assert "<b>Ada" not in page


@pytest.mark.django_db(transaction=True)
def test_a_text_that_was_let_stand_is_asked_about_again_once_somebody_wrote_more(cast, project):
    make_items(project, 34)
    texts = {number: f"a short summary of ticket {number}" for number in range(34)}
    for user in (cast.ana, cast.ben):
        write(project, user, texts)
    write(project, cast.lea, texts | {4: HOSTILE})

    def flagged():
        settling.settle_now(project)
        run(flagging.look_now(project, cast.lea))
        waiting = Flag.objects.filter(kind="detector", state="open")
        return set(waiting.values_list("item__number", flat=True))

    assert flagged() == {4}
    reviewing.settle_flags(project.items.get(number=4), cast.ben)
    assert flagged() == set(), "a reviewer let it stand"
    join(project, cast.cleo, Role.ANNOTATOR)

    def say(voice):
        item = project.items.get(number=4)
        made = {"uuid": uuid4(), "project": project, "item": item, "annotator": voice}
        Annotation.objects.create(**made, value={"text": texts[4]})

    say(Annotator.objects.create(project=project, kind="teacher", name="A model"))
    assert flagged() == set(), "a teacher says nothing against a reviewer"
    say(assigning.voice_of(project, cast.cleo))
    assert flagged() == {4}


def test_texts_are_chosen_evenly_over_their_lengths(cast, project):
    projects.change_project(project, strategy="length")
    make_items(project, ["x" * length for length in range(1, 41)])
    Item.objects.filter(number=39).update(open=False)
    Item.objects.filter(number=38).update(text_b="y" * 1000)
    knowledge = choosing.Knowledge(encodings=np.eye(40, dtype=np.float16))
    chosen = choosing.choose(project, knowledge, np.random.default_rng(0))
    assert sorted(chosen.rows.tolist()) == list(range(39)), "what is closed is not chosen"
    assert all(np.ptp(chosen.rows[first : first + 4]) > 15 for first in range(0, 36, 4))
    told = dict(zip(chosen.rows.tolist(), chosen.reasons, strict=True))
    assert told[38] == "1,039 characters: among the longest tenth of the 39 waiting items"


def test_pictures_have_no_length_to_choose_by(cast):
    made = projects.create_project(cast.lea, "Captions", task_type="text", item_kind="image")
    with pytest.raises(InvalidError, match="does not fit a project with items that are an image"):
        projects.change_project(made, strategy="length")
    form = SettingsForm(project=made)
    assert "length" not in dict(form.fields["strategy"].choices)
    assert "random" in dict(form.fields["strategy"].choices)


def test_a_second_text_is_given_to_be_edited_and_the_edits_are_kept(cast):
    made = projects.create_project(
        cast.lea, "Corrections", task_type="text", item_kind="pair", audit_share=0
    )
    (item,) = make_items(made, ["source"])
    type(item).objects.update(text_b="teh draft")
    write(made, cast.lea, {0: "the draft"})
    assert Annotation.objects.get().value == {"text": "the draft", "edits": 2}


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "label-studio", "doccano"])
def test_answers_leave_in_a_format_and_come_back_by_it(cast, project, format):
    make_items(project, 2)
    Project.objects.filter(pk=project.pk).update(overlap=1)
    project.refresh_from_db()
    texts = {0: HOSTILE, 1: "x" * 900}
    write(project, cast.ana, texts)
    data = exported(project, format)
    again = projects.create_project(cast.lea, "Again", task_type="text")
    own = format in {"csv", "jsonl", "parquet"}
    mapping = Mapping(text="text", label="answer" if own else "")
    name = {"label-studio": "a.json", "doccano": "a.jsonl"}.get(format, f"a.{format}")
    batch = imported(again, data, name=name, mapping=mapping, format=format)
    assert batch.state == BatchState.DONE, batch.report
    said = Annotation.objects.filter(project=again)
    assert {each.item.text: each.value["text"] for each in said} == {
        "ticket number 0": HOSTILE,
        "ticket number 1": "x" * 900,
    }


def test_a_format_without_a_place_for_texts_says_so(project):
    with pytest.raises(InvalidError, match="no place for answers of this type"):
        create_snapshot(project, Options(format="spacy", pack="file"))


def test_the_wizard_takes_a_column_of_texts_for_the_answers(cast, client):
    client.force_login(cast.lea, backend=BACKEND)
    rows = [{"text": f"article {n}", "summary": f"in short: {n} " * 30} for n in range(3)]
    file = io.BytesIO("\n".join(map(json.dumps, [*rows, {"text": "bad", "summary": [1]}])).encode())
    file.name = "articles.jsonl"
    client.post(reverse("project_new"), {"file": file})
    batch = ImportBatch.objects.get()
    page = reverse("import", args=[batch.project_id, batch.pk])
    form = {"task_type": "text", "role-0": "text", "role-1": "label", "bad_rows": "skip"}
    shown = client.post(page, form).content.decode()
    assert "now “summary”" in shown
    assert '<option value="label" selected>Answer</option>' in shown
    refused = client.post(page, {**form, "labels": "suggestions", "do": "start"})
    assert "cannot be suggested" in refused.content.decode()
    client.post(page, {**form, "do": "start"})
    run(Job.objects.get(kind="import"))
    batch.refresh_from_db()
    assert batch.report["problems"][0][1:] == [
        "summary",
        "A text was expected, and a list or an object stands here.",
    ]
    assert [said.value["text"] for said in Annotation.objects.order_by("item")] == [
        row["summary"] for row in rows
    ]


def test_redacting_an_item_blanks_what_was_written_about_it(cast, project):
    make_items(project, 1)
    write(project, cast.ana, {0: "what the item says"})
    settling.settle_now(project)
    redacting.redact_item(Item.objects.get(), "lea")
    assert Annotation.objects.get().value == {"text": ""}
    assert Verdict.objects.get().value == {"text": ""}
    assert Annotation.objects.get().ledger.redacted_at is not None


def test_of_long_texts_agreement_compares_as_many_as_it_can_in_seconds():
    said = [{1: {"text": f"{n}" * 9_000}, 2: {"text": "b" * 9_000}} for n in range(9)]
    kept = agreeing_values._few(said)
    assert 1 < len(kept) < 9
    assert kept == said[::-1][: len(kept)], "the latest ones"
    assert len(agreeing_values._few([{1: {"text": "a" * 70_000}, 2: {"text": "b"}}])) == 1
