"""What stands beside an item: short facts, and the texts that it is read with."""

from annotator.actions.desk.beside import LONGEST_FACT
from annotator.web import facts

PROMPT = "Which of these two replies tells the customer what to do next, and when?"


def test_a_text_is_shown_whole_and_is_no_fact():
    shown = facts.shown({"prompt": PROMPT, "channel": "mail"}, 4)
    assert shown["facts"] == [("channel", "mail")]
    assert shown["beside"] == [facts.Beside("prompt", PROMPT)]
    assert shown["beside"][0].beginning == ""


def test_so_is_a_short_sentence_and_a_name_is_a_fact():
    shown = facts.shown({"ask": "Make a list of podcasts.", "shop": "Fenn & Marsh, London"}, 4)
    assert shown["beside"] == [facts.Beside("ask", "Make a list of podcasts.")]
    assert shown["facts"] == [("shop", "Fenn & Marsh, London")]


def test_a_long_text_is_folded_under_its_beginning():
    (text,) = facts.shown({"prompt": f"{PROMPT}\n" * 20}, 4)["beside"]
    assert text.beginning.startswith("Which of these two replies")
    assert len(text.beginning) < 130


def test_an_address_is_a_fact_however_long():
    shown = facts.shown({"url": "https://example.org/" + "a" * 90}, 4)
    assert shown["beside"] == []
    assert len(shown["facts"][0][1]) == LONGEST_FACT


def test_no_more_facts_than_asked_for():
    assert len(facts.shown({f"n{n}": f"v{n}" for n in range(9)}, 4)["facts"]) == 4
