"""The demo's corpus: what its authors promised about it."""

import json
import re
from collections import Counter
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

import annotator
from learning.tasks.preference import Preference

FOLDER = Path(annotator.__file__).parent / "demo"
LONGEST_LIKENESS = 0.6  # of the words of two tickets, Jaccard


@pytest.fixture(scope="module")
def tickets():
    return [json.loads(line) for line in (FOLDER / "tickets.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def keys():
    return [label["key"] for label in json.loads((FOLDER / "labels.json").read_text())]


def test_many_tickets_of_eight_labels_numbered_without_a_gap(tickets, keys):
    assert len(tickets) >= 600
    assert len(set(keys)) == len(keys) == 8
    assert [ticket["id"] for ticket in tickets] == [
        f"T-{n:04d}" for n in range(1, len(tickets) + 1)
    ]
    counts = Counter(ticket["label"] for ticket in tickets)
    assert set(counts) == set(keys)
    assert min(counts.values()) >= 20


def test_every_ticket_has_text_channel_and_date(tickets):
    for ticket in tickets:
        assert 0 < len(ticket["text"].split()) <= 90, ticket["id"]
        assert ticket["channel"] in {"e-mail", "chat", "form", "social"}
        date.fromisoformat(ticket["date"])


def test_no_two_tickets_are_nearly_the_same(tickets):
    bags = [frozenset(re.findall(r"\w+", ticket["text"].lower())) for ticket in tickets]
    for (i, one), (j, other) in combinations(enumerate(bags), 2):
        likeness = len(one & other) / len(one | other)
        assert likeness <= LONGEST_LIKENESS, (tickets[i]["id"], tickets[j]["id"])


def test_labels_say_what_they_mean():
    for label in json.loads((FOLDER / "labels.json").read_text()):
        assert len(label["description"]) > 20, label["name"]


def test_the_import_knows_150_tickets_and_errs_on_about_one_in_twenty(tickets, keys):
    imported = json.loads((FOLDER / "prelabelled.json").read_text())
    truth = {ticket["id"]: ticket["label"] for ticket in tickets}
    answers = imported["answers"]
    assert len(answers) == 150
    assert set(answers.values()) <= set(keys)
    wrong = sorted(name for name, label in answers.items() if truth[name] != label)
    assert wrong == sorted(imported["wrong"])
    assert 5 <= len(wrong) <= 10


def test_notices_are_marked_word_by_word_in_their_first_half():
    rows = [json.loads(line) for line in (FOLDER / "notices.jsonl").read_text().splitlines()]
    assert len(rows) == len({row["text"] for row in rows}) == 60
    assert [row["id"] for row in rows if "spans" in row] == [f"N{n:02}" for n in range(1, 31)]
    for row in rows[:30]:
        for span in row["spans"]:
            words = row["text"][span["start"] : span["end"]]
            assert words == words.strip(), row["id"]
            assert words, row["id"]
    named = {span["label"] for row in rows[:30] for span in row["spans"]}
    assert named == {"Person", "Place", "Organiser", "Date"}


def test_wordings_are_all_different_and_answered_in_their_first_half():
    rows = [json.loads(line) for line in (FOLDER / "wordings.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"W{n:02}" for n in range(1, 49)]
    assert len({text for row in rows for text in (row["text"], row["text_b"])}) == 96
    said = [row["label"] for row in rows if "label" in row]
    assert said == [row.get("label") for row in rows[:24]]
    assert set(said) == {name for name, _, _ in Preference.begins_with}
