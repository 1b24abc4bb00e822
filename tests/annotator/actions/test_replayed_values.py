"""What a simulation replays of projects whose answers are spans or orders, and what of others it says."""

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotator import jobs
from annotator.actions.encoders import reading_lists, reading_words
from annotator.actions.encoders.encoding import current_encoding, wish_encoding
from annotator.actions.projects import projects
from annotator.actions.simulations import comparing, replaying, simulations
from annotator.errors import ConflictError, InvalidError
from annotator.models import Item, Job, Project, Verdict, VerdictSource, VerdictState
from tests.annotator.actions.test_ordering import TEXTS, candidates, truth
from tests.annotator.actions.test_tagging import CITIES, NAMES, marked, text
from tests.annotator.simulated import start, wish, work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 80


@pytest.fixture(autouse=True)
def no_bells(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)


def encoded(project):
    """Without the training that waits for it."""
    wish_encoding(project)
    jobs.execute(Job.objects.get(project=project, kind="encode").pk)
    return Project.objects.get(pk=project.pk)


def decide(project, value_of):
    items = list(project.items.order_by("number"))
    Verdict.objects.bulk_create(
        Verdict(
            item=item,
            project=project,
            labels=project.task.labels_of(value_of(item)),
            value=value_of(item),
            state=VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
            position=1,
        )
        for item in items
    )


@pytest.fixture
def letters(cast):
    """Persons and places in texts."""
    labels = ("Other", "Person", "Place")
    made = make_project(cast, labels=labels, task_type="spans", audit_share=0, strategy="mixed")
    make_items(made, [text(number) for number in range(ITEMS)])
    made = encoded(made)
    decide(made, lambda item: marked(made, item))
    return made


@pytest.fixture
def offers(cast):
    """Candidates in order."""
    made = projects.create_project(
        cast.lea, "Offers", task_type="ranking", item_kind="list", audit_share=0
    )
    make_items(made, [f"question {number}" for number in range(ITEMS)])
    for item in Item.objects.filter(project=made):
        Item.objects.filter(pk=item.pk).update(candidates=candidates(item.number))
    made = encoded(made)
    decide(made, lambda item: {"order": truth(item)})
    return made


def test_curves_of_spans_are_their_f1_up_to_what_all_marks_give(letters):
    simulation = start(letters, "mixed", "random", start=4, batch=8, budget=28)
    work(simulation)
    assert (simulation.state, simulation.error) == ("done", "")
    assert simulation.settings["student"] == "token-head"
    assert comparing.measure_of(simulation) == "span F1"
    assert simulation.full["score"] == simulation.full["metrics"]["span_f1"] > 0.9
    runs = list(simulation.runs.order_by("pk"))
    assert [(run.strategy, run.seed) for run in runs] == [
        *(("mixed", 0), ("random", 0), ("mixed", 1), ("random", 1))
    ]
    assert [point["labels"] for point in runs[0].points] == [4, 12, 20, 28]
    assert runs[0].points[0]["score"] == runs[1].points[0]["score"], "the same start"
    assert simulation.advice["current"] == "mixed"
    best = comparing.standings(simulation)[0]
    assert best.labels_to[0.9] is not None


def test_the_words_that_are_replayed_are_those_that_the_project_keeps(letters):
    simulation = start(letters, "random", seeds=1, start=4)
    work(simulation, pieces=1)
    replay, task = replaying.load(simulation)
    words = reading_words.view(current_encoding(letters))
    assert task.shape == "spans"
    assert replay.label_names == ("Person", "Place"), "a label that nobody gave is not learnt"
    assert isinstance(replay.pool.words.vectors, np.memmap)
    assert words.texts == ITEMS
    tested = set(replay.test.rows.tolist())
    assert tested.isdisjoint(replay.pool.rows.tolist())
    number = int(replay.test.rows[0])
    item = letters.items.get(number=number)
    named = {
        (replay.label_names[span["label"]], item.text[span["start"] : span["end"]])
        for span in replay.test.values[0]["spans"]
    }
    assert ("Person", NAMES[number % 4]) in named


def test_spans_of_an_archived_label_are_left_out_and_their_texts_stay(letters):
    place = letters.labels.get(name="Place")
    place.archived_at = letters.created_at
    place.save()
    simulation = start(letters, "random", seeds=1, start=4)
    work(simulation)
    replay, _ = replaying.load(simulation)
    assert (simulation.state, simulation.facts["items"]) == ("done", ITEMS)
    assert replay.label_names == ("Person",), "one label is enough: where it is, is what is learnt"
    assert all(len(value["spans"]) == 1 for value in replay.pool.values)


def test_other_marks_make_other_data_and_equal_ones_the_same(letters):
    one, other = start(letters, "random", seeds=1, start=4), None
    work(one)
    other = start(letters, "mixed", seeds=1, start=4)
    work(other)
    assert one.data_hash == other.data_hash
    assert other in comparing.laid_over(one)
    verdict = Verdict.objects.filter(project=letters).order_by("pk").first()
    verdict.value["spans"][0]["end"] -= 1
    verdict.save()
    third = start(letters, "random", seeds=1, start=4)
    work(third)
    assert third.data_hash != one.data_hash


def test_curves_of_rankings_are_kendalls_tau(offers):
    simulation = start(offers, "mixed", "random", seeds=1, start=8, batch=12, budget=44)
    work(simulation)
    assert (simulation.state, simulation.error) == ("done", "")
    assert simulation.settings["student"] == "order-head"
    assert comparing.measure_of(simulation) == "Kendall's tau"
    assert simulation.full["metrics"]["tau"] == simulation.full["score"] > 0.7
    assert simulation.facts["labels"] == 0
    assert simulation.runs.filter(state="done").count() == 2
    replay, _ = replaying.load(simulation)
    item = offers.items.get(number=int(replay.test.rows[0]))
    assert replay.test.values[0] == {"order": truth(item)}
    assert len(TEXTS) == 6
    assert int(replay.pool.lists.counts.max()) <= 5


def test_words_that_went_meanwhile_end_it_with_a_sentence(letters):
    simulation = start(letters, "random", seeds=1, start=4)
    work(simulation, pieces=1)
    folder = reading_words.folder_of(current_encoding(letters))
    folder.rename(folder.with_name("gone"))
    with pytest.raises(ConflictError, match="are gone"):
        replaying.load(simulation)
    assert not reading_lists.folder_of(current_encoding(letters)).exists()


def test_students_are_those_of_the_task_and_its_quick_one_is_the_default(letters):
    with pytest.raises(InvalidError, match="A student is one of token-head, token-finetune"):
        start(letters, "random", student="head")
    assert simulations.suggested(letters).student == "token-head"
    assert [name for name, _ in simulations.students_for(letters)] == [
        *("token-head", "token-finetune")
    ]
    with pytest.raises(InvalidError, match="no strategy for this project"):
        start(letters, "label-margin")


@pytest.mark.parametrize(("task_type", "item_kind"), [("boxes", "image"), ("text", "text")])
def test_answers_that_no_student_learns_from_are_refused_and_the_page_says_so(
    cast, client, task_type, item_kind
):
    made = projects.create_project(cast.lea, "Else", task_type=task_type, item_kind=item_kind)
    with pytest.raises(InvalidError, match="No student learns from the answers"):
        start(made, "random")
    client.force_login(cast.lea)
    page = client.get(f"/projects/{made.pk}/settings/strategy").content.decode()
    assert "No student learns from the answers" in page
    assert 'name="strategies"' not in page


def test_the_page_offers_what_fits_spans_and_shows_the_curves(letters, client, cast):
    client.force_login(cast.lea)
    address = f"/projects/{letters.pk}/settings/strategy"
    page = client.get(address).content.decode()
    assert 'value="token-head"' in page
    assert 'value="label-margin"' not in page
    assert 'name="file"' in page
    wished = {**wish("mixed", "random", start=4).to_json(), "student": "token-head", "seeds": "1"}
    answer = client.post(address, wished)
    assert answer.status_code == 302, answer.content.decode()
    simulation = letters.simulations.get()
    work(simulation)
    shown = client.get(answer["Location"]).content.decode()
    assert "Span F1 by labels for each strategy" in shown
    assert "Mean span F1 over all rounds" in shown


def marked_rows(count=90):
    """Lines of a file that marks persons and places, and two that do not."""
    rows = []
    for number in range(count):
        own = text(number)
        name, city = NAMES[number % 4], CITIES[number // 4 % 4]
        spans = [
            [own.index(said), own.index(said) + len(said), label]
            for said, label in ((name, "person"), (city, "place"))
        ]
        rows.append({"text": own, "spans": spans})
    rows.append({"text": "Nobody has looked at this."})
    rows.append({"text": "Too short.", "spans": [[0, 99, "person"]]})
    return "\n".join(map(json.dumps, rows)).encode()


@pytest.fixture
def empty(cast):
    return make_project(cast, labels=("Person",), task_type="spans", audit_share=0)


def from_file(project, content=None, **changes):
    return simulations.create_simulation(
        project,
        wish("mixed", "random", **{"seeds": 1, "start": 6, "batch": 20, "budget": 26, **changes}),
        file=io.BytesIO(marked_rows() if content is None else content),
        file_name="old.jsonl",
    )


def test_a_file_that_marks_spans_is_replayed_and_removed(empty):
    simulation = from_file(empty)
    folder = replaying.folder_of(empty.pk)
    work(simulation, pieces=1)
    work(simulation)
    assert (simulation.state, simulation.error) == ("done", "")
    assert simulation.facts["items"] == 90
    assert simulation.facts["unlabelled"] == 2, "one row without spans, one beyond its text"
    assert simulation.facts["labels"] == 2
    assert simulation.full["metrics"]["span_f1"] > 0.9
    assert not list(folder.glob(f"{simulation.pk}-*")), "nor do the words of its texts stay"
    assert not empty.items.exists()


def test_a_file_without_marked_places_ends_in_a_sentence(empty):
    rows = [{"text": f"ticket {n}", "label": "ab"[n % 2]} for n in range(90)]
    simulation = from_file(empty, "\n".join(map(json.dumps, rows)).encode())
    work(simulation)
    assert simulation.state == "failed"
    assert "No row of the file marks a place of its text" in simulation.error


def test_rankings_are_replayed_from_the_project_alone(offers):
    with pytest.raises(InvalidError, match="import the file first"):
        from_file(offers)
    assert not simulations.reads_files(offers)


def test_the_command_refuses_a_student_that_does_not_learn_from_such_a_file(tmp_path):
    path = tmp_path / "marked.jsonl"
    path.write_bytes(marked_rows())
    with pytest.raises(CommandError, match="A student is one of token-head, token-finetune"):
        call_command("simulate", str(path), "--student", "head")


def test_the_command_replays_a_file_of_spans_without_a_project(tmp_path):
    path = tmp_path / "marked.jsonl"
    path.write_bytes(marked_rows())
    out, err = io.StringIO(), io.StringIO()
    given = ("--strategies", "mixed,random", "--start", "6", "--batch", "20", "--labels", "26")
    call_command("simulate", str(path), *given, stdout=out, stderr=err)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["labels"] for line in lines[:4]] == [6, 26, 6, 26]
    assert all("span_f1" in line["metrics"] for line in lines[:4])
    assert {line["student"] for line in lines[:4]} == {"token-head"}
    assert {line["comparison"] for line in lines[4:]} == {"mixed", "random"}
    assert lines[4]["full"] > 0.9
    assert "rows left out" in err.getvalue()
