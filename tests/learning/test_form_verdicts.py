"""The verdict on a form, question by question."""

from learning.consensus import CONSENSUS
from learning.form_verdicts import settle
from learning.tasks.values import Given
from tests.learning.test_forms import CALM, COLUMNS, FIRE, FORM, PAPER, PLACE, SHORT, URGENT, WHOLE

METHODS = dict.fromkeys(COLUMNS, CONSENSUS.create("majority"))


def verdicts(*items):
    given = [[Given(voice, value) for voice, value in enumerate(values)] for values in items]
    return settle(FORM, METHODS, given, COLUMNS)


def test_the_verdict_of_one_voice_is_that_voice():
    whole, short = verdicts([WHOLE], [SHORT])
    assert (whole.value, whole.tied) == (WHOLE, False)
    assert whole.shares[URGENT] == whole.shares[FIRE] == whole.shares[PLACE] == 1
    assert (short.value, short.tied) == (SHORT, False)


def test_what_the_verdict_does_not_lead_to_is_left_out():
    (found,) = verdicts([SHORT, WHOLE, SHORT])
    assert found.value["answers"]["urgency"] == {"labels": [CALM]}
    assert not {"causes", "why"} & set(found.value["answers"])


def test_only_voices_that_were_asked_a_question_decide_it():
    paper = {"answers": {"urgency": {"labels": [URGENT]}, "causes": {"labels": [PAPER]}}}
    (found,) = verdicts([paper, paper, SHORT])
    assert (found.value, found.tied) == (paper, False)


def test_one_tied_question_ties_the_form():
    (found,) = verdicts([WHOLE, SHORT])
    assert found.tied
