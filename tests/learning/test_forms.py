"""Forms: which questions are asked, what answers amount to, and what is learnt of each question."""

import numpy as np
import pytest

from learning import students
from learning.audit.detectors.gathering import gather
from learning.consensus import CONSENSUS
from learning.errors import ShapeError
from learning.leaving.student.model import Model
from learning.parts import chances, margins
from learning.selection import STRATEGIES
from learning.students import STUDENTS
from learning.tasks import TASKS, Columns, Question
from learning.types import Part, Pool, TrainingData, Votes, no_report
from tests.contracts.plugins import three_groups

HIGH, LOW, PAPER, FIRE, BAD, FAIR, GOOD = range(1, 8)
COLUMNS = Columns(label_ids=tuple(range(1, 8)))


def question(key: str, kind: str, labels: tuple[int, ...], after: tuple[int, ...] = ()) -> Question:
    return Question(
        key=key,
        name=key.capitalize(),
        kind=kind,
        labels=labels,
        columns=tuple(label - 1 for label in labels),
        live=frozenset(labels),
        after=after,
    )


URGENCY = question("urgency", "single", (HIGH, LOW))
CAUSES = question("causes", "multi", (PAPER, FIRE), (HIGH,))
MOOD = question("mood", "rating", (BAD, FAIR, GOOD), (FIRE,))
FORM = TASKS.create("form").asking([URGENCY, CAUSES, MOOD])
PARTS = FORM.parts
MAJORITY = CONSENSUS.create("weighted-majority")


@pytest.mark.parametrize(
    ("labels", "asked"),
    [
        ([LOW], ["urgency"]),
        ([HIGH], ["urgency", "causes"]),
        ([HIGH, PAPER], ["urgency", "causes"]),
        ([HIGH, PAPER, FIRE, GOOD], ["urgency", "causes", "mood"]),
    ],
)
def test_a_whole_answer_is_taken_and_tells_what_was_asked(labels, asked):
    FORM.check(labels)
    assert list(FORM.answers(labels)) == asked
    assert [label for given in FORM.answers(labels).values() for label in given] == labels


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "Still to be answered: Urgency"),
        ([HIGH, LOW], "“Urgency” takes one answer"),
        ([LOW, FIRE], "“Causes” is not asked"),
        ([HIGH, FIRE], "Still to be answered: Mood"),
        ([HIGH, PAPER, GOOD], "“Mood” is not asked"),
        ([HIGH, 99], "Label 99"),
    ],
)
def test_a_refusal_names_the_question_and_what_is_wrong(labels, sentence):
    with pytest.raises(ShapeError, match=sentence):
        FORM.check(labels)


@pytest.mark.parametrize(
    ("questions", "sentence"),
    [
        ([CAUSES, URGENCY], "waits for answers to one earlier"),
        ([URGENCY, question("x", "single", (3, 4), (HIGH, 99))], "one earlier"),
        ([URGENCY, question("x", "single", (LOW,))], "shares a label"),
        ([question("x", "boxes", (HIGH,))], "asks labels"),
    ],
)
def test_a_form_that_could_not_be_asked_is_refused(questions, sentence):
    with pytest.raises(ShapeError, match=sentence):
        FORM.asking(questions)


def test_equal_answers_are_not_apart_and_a_question_that_one_alone_was_asked_is():
    whole, short = [HIGH, PAPER, FIRE, GOOD], [LOW]
    assert FORM.distance(whole, whole, COLUMNS) == 0
    assert FORM.distance(whole, short, COLUMNS) == FORM.distance(short, whole, COLUMNS) == 1
    other = [HIGH, FIRE, FAIR]  # of three questions: the same, half the same, one grade off of two
    assert FORM.distance(whole, other, COLUMNS) == pytest.approx((0 + 0.5 + 0.5) / 3)


def verdicts(*items):
    said = [(row, labels) for row, given in enumerate(items) for labels in given]
    return FORM.agree(
        MAJORITY,
        Votes(
            items=len(items),
            item=np.array([row for row, _ in said]),
            annotator=np.arange(len(said)),
            answers=COLUMNS.hot([labels for _, labels in said]),
            multi_label=True,
        ),
    )


def test_each_question_is_settled_by_the_voices_that_were_asked_it():
    found = verdicts(
        [[HIGH, PAPER], [HIGH, PAPER], [LOW]],
        [[LOW], [LOW], [HIGH, FIRE, BAD]],
        [[HIGH, FIRE, GOOD], [HIGH, FIRE, GOOD], [HIGH, FIRE, BAD]],
    )
    chosen = [[int(column) + 1 for column in np.flatnonzero(row)] for row in found.answers]
    assert chosen == [[HIGH, PAPER], [LOW], [HIGH, FIRE, GOOD]]
    assert not found.tied.any()
    assert not found.shares[1, PAPER - 1 :].any(), "what is not asked is not believed in"


def test_one_tied_question_ties_the_form():
    assert verdicts([[HIGH], [LOW]]).tied.all()
    assert verdicts([[HIGH, FIRE, GOOD], [HIGH, FIRE, BAD]]).tied.all()


def test_the_likeliest_answer_follows_the_questions():
    p = np.array(
        [[0.9, 0.1, 0.2, 0.5, 0.1, 0.3, 0.1], [0.4, 0.6, 0.3, 0.3, 0.1, 0.1, 0.1]], dtype=np.float32
    )
    assert FORM.decode(p, COLUMNS) == [[HIGH, FIRE, FAIR], [LOW]]
    assert FORM.known(FORM.chosen(p).astype(np.float32), COLUMNS).sum(axis=1).tolist() == [7, 2]


def test_a_doubted_question_is_answered_otherwise_and_the_others_stay():
    said = np.array([0.6, 0.4, 0.5, 0.2, 0.1, 0.0, 0.1], dtype=np.float32)
    assert FORM.mended([HIGH, PAPER], HIGH, said, COLUMNS) == [LOW]
    assert FORM.mended([HIGH, PAPER], PAPER, said, COLUMNS) == [HIGH]
    assert FORM.mended([HIGH, FIRE, GOOD], GOOD, said, COLUMNS) == [HIGH, FIRE, BAD]
    assert FORM.mended([LOW], LOW, said, COLUMNS) == [HIGH], "newly asked, none of its labels yet"


def a_lesson(rows: int = 120) -> TrainingData:
    """Three groups of items: low; high because of paper; high because of fire, in a bad or good mood."""
    points, group = three_groups(rows, 8)
    answers = [[[LOW], [HIGH, PAPER], [HIGH, FIRE, BAD]][each] for each in group]
    answers[2] = [HIGH, FIRE, GOOD]
    targets = COLUMNS.hot(answers)
    known = FORM.known(targets, COLUMNS)
    return TrainingData(
        targets=np.where(known, targets, 0),
        encodings=points,
        known=known,
        multi_label=True,
        parts=PARTS,
    )


def test_a_student_learns_each_question_from_those_that_were_asked_it(tmp_path):
    data = a_lesson()
    fitted = STUDENTS.create("head").fit(data, np.random.default_rng(0), no_report)
    p = fitted.predict(data.encodings)
    assert (FORM.chosen(p) == (data.targets > 0)).all(axis=1).mean() > 0.9
    assert FORM.metrics(data.targets, p)["questions_right"] > 0.9
    assert (chances(p, PARTS)[data.targets[:, LOW - 1] > 0, 1] < 0.5).mean() > 0.9
    fitted.save(tmp_path)
    np.testing.assert_array_equal(students.load(tmp_path).predict(data.encodings), p)
    elsewhere = Model(tmp_path)
    np.testing.assert_allclose(elsewhere.predict(data.encodings), p, atol=1e-5)
    np.testing.assert_array_equal(elsewhere.chosen(p), FORM.chosen(p))
    again = STUDENTS.create("head").fit(data, np.random.default_rng(0), no_report, fitted)
    np.testing.assert_allclose(again.predict(data.encodings), p, atol=0.02)


def test_a_question_of_which_nothing_is_known_yet_gets_no_probability():
    data = a_lesson()
    rows = np.flatnonzero(data.targets[:, FIRE - 1] == 0)  # nobody was asked for the mood
    fitted = STUDENTS.create("head").fit(data.subset(rows), np.random.default_rng(0), no_report)
    p = fitted.predict(data.encodings)
    assert not p[:, BAD - 1 :].any()
    assert p[:, [HIGH - 1, LOW - 1]].sum(axis=1) == pytest.approx(1)


def test_what_all_answer_alike_is_expected_the_surer_the_more_they_are(tmp_path):
    data = a_lesson()
    low = np.flatnonzero(data.targets[:, LOW - 1] > 0)
    for rows in (low[:1], low[:9]):
        fitted = STUDENTS.create("head").fit(data.subset(rows), np.random.default_rng(0), no_report)
        p = fitted.predict(data.encodings)
        count = len(rows)
        assert p[:, LOW - 1] == pytest.approx((count + 1) / (count + 2))
        assert not p[:, BAD - 1 :].any(), "nobody was asked for the mood"
    fitted.save(tmp_path)
    np.testing.assert_array_equal(students.load(tmp_path).predict(data.encodings), p)
    np.testing.assert_allclose(Model(tmp_path).predict(data.encodings), p, atol=1e-6)


def test_an_answer_that_all_give_to_a_question_is_in_no_doubt():
    data = a_lesson()
    rows = np.flatnonzero(data.targets[:, GOOD - 1] == 0)  # whoever was asked for the mood says bad
    data = data.subset(rows)
    evidence = gather(data, np.random.default_rng(0))
    asked = np.flatnonzero(data.targets[:, BAD - 1] > 0)
    assert np.median(evidence.probabilities[asked, BAD - 1]) > 0.6


def test_the_question_in_most_doubt_is_needed_as_far_as_it_is_asked():
    parts = (
        Part(columns=(0, 1)),
        Part(columns=(2, 3, 4), after=(0,)),
    )
    p = np.array(
        [
            [0.95, 0.05, 0.35, 0.35, 0.25],  # surely asked, and hesitates
            [0.05, 0.95, 0.02, 0.02, 0.01],  # hesitates, but it is hardly asked
            [0.95, 0.05, 0.93, 0.01, 0.01],
        ],
        dtype=np.float32,
    )
    told = margins(p, parts)
    assert told.argmin(axis=1).tolist()[0] == 1
    pool = Pool(
        eligible=np.ones(3, dtype=bool),
        labelled=np.zeros(3, dtype=bool),
        probabilities=p,
        label_names=("High", "Low", "Paper", "Fire", "Water"),
        multi_label=True,
        parts=parts,
    )
    picked = STRATEGIES.create("neediest").select(pool, 3, np.random.default_rng(0))
    assert picked.rows[0] == 0
    assert "hesitates between Paper" in picked.reasons[0] or "between Fire" in picked.reasons[0]
