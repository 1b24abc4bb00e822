"""Review: blind first, one word that is final, and taken back when it was wrong."""

import re
import uuid
from types import SimpleNamespace

import numpy as np
import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Flag, Item, Verdict
from annotator.web import words
from annotator.web.review_figures import next_sentence
from tests.annotator.web.helpers import encode, say
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def tickets(cast):
    made = make_project(cast, audit_share=0, overlap=2)
    make_items(made, 6)
    return made


@pytest.fixture
def tie(cast, tickets):
    """Item 2 with one vote each for two labels."""
    item = tickets.items.get(number=2)
    say(tickets, assigning.voice_of(tickets, cast.ana), item, "Billing")
    say(tickets, assigning.voice_of(tickets, cast.lea), item, "Login")
    assert Verdict.objects.get(item=item).state == "tie"
    return item


def url(project, rest="review"):
    return f"/projects/{project.pk}/{rest}"


def label(project, name):
    return project.labels.get(name=name).pk


def decide(client, project, number, name):
    form = {"labels": label(project, name), "uuid": uuid.uuid4()}
    response = client.post(url(project, f"review/{number}/settle"), form)
    settling.settle_now(project)
    return response


def test_an_empty_page_teaches(ben, tickets):
    assert b"Nothing waits for review" in ben.get(url(tickets)).content


def test_the_texts_an_item_is_read_with_stand_above_it(ben, tickets, tie):
    tickets.items.update(meta={"prompt": "What should this customer do next?", "channel": "mail"})
    shown = ben.get(url(tickets, "review/2")).content.decode()
    assert '<div class="context-text" dir="auto">What should this customer do next?</div>' in shown
    assert '<span title="channel">mail</span>' in shown


def test_why_a_case_came_is_said_of_that_case_alone(ben, tickets, tie):
    shown = ben.get(url(tickets, "review/2")).content.decode()
    assert "1 item waits. This one: voices disagree evenly" in shown


def test_the_first_look_is_blind(ben, cast, tickets, tie):
    assert ben.get(url(tickets))["Location"] == url(tickets, "review/2")
    blind = ben.get(url(tickets, "review/2")).content.decode()
    assert "What would you say?" in blind
    assert not re.search(r"\bana\b", blind)
    assert "The voices" not in blind


def test_after_the_own_word_the_voices_are_shown_and_nothing_is_stored(ben, tickets, tie):
    before = Annotation.objects.count()
    seen = ben.get(url(tickets, f"review/2?guess={label(tickets, 'Delivery')}")).content.decode()
    assert "The voices" in seen
    assert not re.search(r"\bana\b", seen)  # a word is judged, not the person who said it
    assert "Decide Delivery" in seen
    assert Annotation.objects.count() == before


def test_the_student_speaks_of_a_tie_but_not_of_a_label_that_it_learned(
    ben, cast, tickets, tie, monkeypatch
):
    said = [words.Guess(tickets.labels.get(name="Login"), 0.6)]
    monkeypatch.setattr(words.StudentWord, "guesses", lambda word, item, count: said)
    say(tickets, assigning.voice_of(tickets, cast.ana), tickets.items.get(number=4), "Login")
    guess = f"guess={label(tickets, 'Login')}"
    assert ben.get(url(tickets, f"review/2?{guess}")).context["guesses"] == said
    assert ben.get(url(tickets, f"review/4?{guess}")).context["guesses"] == []


def test_the_nearest_labelled_items_speak(ben, cast, tickets, tie):
    angles = np.array([0.0, 0.3, 0.1, 0.2, 2.0, 3.0])
    vectors = np.stack([np.cos(angles), np.sin(angles), angles * 0, angles * 0], axis=1)
    encode(tickets, vectors)
    ana = assigning.voice_of(tickets, cast.ana)
    for number, name in ((0, "Billing"), (3, "Billing"), (5, "Login")):
        say(tickets, ana, tickets.items.get(number=number), name)
    response = ben.get(url(tickets, f"review/2?guess={label(tickets, 'Login')}"))
    near = [each["row"].item.number for each in response.context["neighbours"]]
    assert near == [0, 3, 5]
    assert response.context["sentence"] == "2 of 3 nearest labelled items say “Billing”."
    tickets.items.update(text_b="the other <text>")
    shown = ben.get(url(tickets, f"review/2?guess={label(tickets, 'Login')}")).content.decode()
    near = shown.partition("The nearest labelled items")[2]
    assert near.count("the other &lt;text&gt;") == 3


def test_a_word_is_final_and_leads_on(ben, cast, tickets, tie):
    say(tickets, assigning.voice_of(tickets, cast.ana), tickets.items.get(number=4), "Billing")
    say(tickets, assigning.voice_of(tickets, cast.lea), tickets.items.get(number=4), "Login")
    response = decide(ben, tickets, 2, "Login")
    assert response["Location"] == url(tickets, "review?after=0-0-2")
    verdict = Verdict.objects.get(item=tie)
    assert (verdict.labels, verdict.source) == ([label(tickets, "Login")], "reviewer")
    assert ben.get(response["Location"])["Location"] == url(tickets, "review/4")


def test_a_settled_tie_waits_no_more_before_its_verdict_is_derived(ben, tickets, tie):
    form = {"labels": label(tickets, "Login"), "uuid": uuid.uuid4()}
    ben.post(url(tickets, "review/2/settle"), form)
    assert Verdict.objects.get(item=tie).state == "tie"
    assert b"Nothing waits for review" in ben.get(url(tickets)).content


def test_a_double_press_says_it_once(ben, tickets, tie):
    form = {"labels": label(tickets, "Login"), "uuid": uuid.uuid4()}
    for _ in range(2):
        assert ben.post(url(tickets, "review/2/settle"), form).status_code == 302
    assert Annotation.objects.filter(stream="review").count() == 1


def test_a_word_is_taken_back_and_the_tie_waits_again(ben, tickets, tie):
    decide(ben, tickets, 2, "Login")
    last = ben.get(url(tickets)).context["last"]
    form = {"annotation": last.uuid, "uuid": uuid.uuid4()}
    assert ben.post(url(tickets, "review/undo"), form)["Location"] == url(tickets, "review/2")
    assert ben.post(url(tickets, "review/undo"), form).status_code == 302
    settling.settle_now(tickets)
    assert Verdict.objects.get(item=tie).state == "tie"
    assert ben.get(url(tickets))["Location"] == url(tickets, "review/2")
    again = {**form, "uuid": uuid.uuid4()}
    assert ben.post(url(tickets, "review/undo"), again).status_code == 409


def test_nobody_takes_anothers_word_back(ben, lea, tickets, tie):
    decide(ben, tickets, 2, "Login")
    word = Annotation.objects.get(stream="review")
    form = {"annotation": word.uuid, "uuid": uuid.uuid4()}
    assert lea.post(url(tickets, "review/undo"), form).status_code == 404


def test_a_flag_is_a_question_that_is_closed_and_opened_again(ben, cast, tickets):
    ana = assigning.voice_of(tickets, cast.ana)
    item = tickets.items.get(number=3)
    say(tickets, ana, item, "Billing")
    labeling.flag(tickets, ana, item=item, reason="Or is it login?")
    assert b"Or is it login?" in ben.get(url(tickets, "review/3")).content
    decide(ben, tickets, 3, "Login")
    assert Flag.objects.get().state == "settled"
    last = ben.get(url(tickets)).context["last"]
    ben.post(url(tickets, "review/undo"), {"annotation": last.uuid, "uuid": uuid.uuid4()})
    assert Flag.objects.get().state == "open"
    ben.post(url(tickets, "review/3/dismiss"))
    assert Flag.objects.get().state == "settled"
    settling.settle_now(tickets)
    assert Verdict.objects.get(item=item).labels == [label(tickets, "Billing")]


def test_many_labels_are_decided_together(ben, cast):
    project = make_project(cast, task_type="multi", audit_share=0)
    make_items(project, 2)
    item = project.items.get(number=0)
    ana = assigning.voice_of(project, cast.ana)
    labeling.flag(project, ana, item=item)
    ids = [label(project, "Billing"), label(project, "Login")]
    seen = ben.get(url(project, f"review/0?guess={ids[0]}&guess={ids[1]}")).content.decode()
    assert seen.count("checked") == 2
    form = {"labels": ids, "uuid": uuid.uuid4()}
    assert ben.post(url(project, "review/0/settle"), form).status_code == 302
    settling.settle_now(project)
    assert sorted(Verdict.objects.get(item=item).labels) == sorted(ids)


def test_an_old_page_is_refused(ben, tickets, tie):
    form = {"labels": label(tickets, "Login"), "uuid": ""}
    assert ben.post(url(tickets, "review/2/settle"), form).status_code == 422
    assert ben.get(url(tickets, "review/2?guess=x")).status_code == 422


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.4, 0.7, "Of the next 15 flagged cases 52\u202f% are expected to be wrong"), (0, 1, "")],
)
def test_what_might_be_any_share_is_not_told(low, high, told):
    figures = SimpleNamespace(precision={"cases": 15, "rate": 0.52, "low": low, "high": high})
    assert next_sentence(figures).startswith(told)
    assert bool(next_sentence(figures)) is bool(told)


@pytest.mark.parametrize("who", ["ana", "cleo"])
def test_review_is_for_reviewers(sign_in, cast, tickets, tie, who):
    client = sign_in(getattr(cast, who))
    assert client.get(url(tickets)).status_code == 404
    assert client.get(url(tickets, "review/2")).status_code == 404
    form = {"labels": label(tickets, "Login"), "uuid": uuid.uuid4()}
    assert client.post(url(tickets, "review/2/settle"), form).status_code == 404
    assert Item.objects.get(pk=tie.pk).verdict.state == "tie"


def test_the_number_of_queries_does_not_grow(
    ben, cast, tickets, tie, django_assert_max_num_queries
):
    encode(tickets)
    for number in (0, 1, 3, 4, 5):
        say(
            tickets,
            assigning.voice_of(tickets, cast.ana),
            tickets.items.get(number=number),
            "Login",
        )
    with django_assert_max_num_queries(26):
        ben.get(url(tickets, f"review/2?guess={label(tickets, 'Login')}"))
    for number in (0, 1, 3, 4, 5):
        form = {"outcome": "ambiguous", "labels": label(tickets, "Billing"), "uuid": uuid.uuid4()}
        ben.post(url(tickets, f"review/{number}/settle"), form)
    settling.settle_now(tickets)
    with django_assert_max_num_queries(20):
        assert ben.get(url(tickets, "review/report")).context["divided_count"] == 5


def test_a_label_that_changed_behind_the_page_is_not_kept(ben, cast, tickets):
    item = tickets.items.get(number=3)
    say(tickets, assigning.voice_of(tickets, cast.ana), item, "Billing")
    page = ben.get(url(tickets, f"review/3?guess={label(tickets, 'Billing')}")).content.decode()
    assert f'name="question" value="{label(tickets, "Billing")}"' in page
    form = {"outcome": "keep", "uuid": uuid.uuid4(), "question": label(tickets, "Login")}
    assert ben.post(url(tickets, "review/3/settle"), form).status_code == 409
    form["question"] = label(tickets, "Billing")
    assert ben.post(url(tickets, "review/3/settle"), form).status_code == 302
