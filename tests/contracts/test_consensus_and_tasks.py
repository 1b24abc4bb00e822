"""What every consensus method and every task type promises."""

import json

import numpy as np
import pytest

from learning.consensus import CONSENSUS, LEARNING
from learning.consensus.agreement import answers_of, krippendorff
from learning.consensus.skills import skills_from_json, voice_to_json
from learning.consensus.value_agreement import closeness, facet_alpha
from learning.errors import ShapeError
from learning.tasks import TASKS, Columns, Content, Question
from learning.tasks.values import Given, credited_task, spelled_task, value_task
from learning.types import Votes

each_method = pytest.mark.parametrize("name", CONSENSUS)
each_task = pytest.mark.parametrize("name", TASKS)
each_with_value = pytest.mark.parametrize(
    "name", [name for name in TASKS if TASKS[name].shape != "labels"]
)
each_spelled = pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].spelled])

# Two answers with nothing in common, by the shape of answers.
ANSWERS = {
    "labels": ([1], [2]),
    "spans": (
        {"spans": [{"start": 2, "end": 6, "label": 1}]},
        {"spans": [{"start": 2, "end": 6, "label": 2}]},
    ),
    "ranking": ({"order": [[2], [1], [3]]}, {"order": [[3], [1], [2]]}),
    "boxes": (
        {"boxes": [{"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4, "label": 1}]},
        {"boxes": [{"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4, "label": 2}]},
    ),
    "text": ({"text": "two words"}, {"text": "88_88888"}),
}
TEXT = Content("a text", candidates=("one", "two", "three"))


def made(name: str, *labels: int):
    """The task, asking one question about these labels where it asks any."""
    task = TASKS.create(name)
    question = Question(
        key="q",
        name="Which?",
        kind="single",
        labels=labels,
        columns=tuple(range(len(labels))),
        live=frozenset(labels),
    )
    return task.asking([question])


def votes(*, multi_label: bool) -> Votes:
    return Votes(
        items=4,
        item=np.array([0, 0, 0, 1, 1, 2]),
        annotator=np.array([7, 8, 9, 7, 8, 7]),
        answers=np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2]],
        multi_label=multi_label,
    )


@each_method
@pytest.mark.parametrize("multi_label", [False, True])
def test_verdicts_ties_and_silence(name: str, multi_label: bool) -> None:
    given = votes(multi_label=multi_label)
    one, two = (CONSENSUS.create(name).aggregate(given) for _ in range(2))
    np.testing.assert_array_equal(one.shares, two.shares)
    assert one.answers.shape == one.shares.shape == (4, 3)
    assert one.answers[0].tolist() == [True, False, False]
    assert one.answers[2].tolist() == [False, False, True]
    assert not one.tied[[0, 2, 3]].any()
    assert not one.answers[3].any(), "no vote, no verdict"
    assert one.votes.tolist() == [3, 2, 1, 0]
    assert one.skill[9] == 0
    if not (multi_label and name in LEARNING):  # there, that a label is rare speaks against it
        assert one.tied[1]
        assert one.skill[7] == 1
    assert all(0 <= skill <= 1 for skill in one.skill.values())


@each_method
def test_a_vote_on_one_label_counts_for_that_label_only(name: str) -> None:
    known = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)
    given = Votes(
        items=3,
        item=np.array([0, 0, 0, 1, 2]),
        annotator=np.array([7, 8, 9, 9, 9]),
        answers=np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]], dtype=np.float32),
        known=known,
        multi_label=True,
    )
    found = CONSENSUS.create(name).aggregate(given)
    assert found.answers.tolist() == [[True, True, False], [False] * 3, [False, True, False]]
    np.testing.assert_array_equal(found.shares > 0.5, found.answers)
    assert not found.shares[[1, 1, 2, 2], [0, 1, 0, 2]].any(), "nobody spoke about these"
    assert not found.tied.any()
    assert found.skill == {7: 0, 8: 1, 9: 1}
    with pytest.raises(ShapeError, match="multi-label"):
        Votes(
            items=1,
            item=given.item[:1],
            annotator=given.item[:1],
            answers=known[:1],
            known=known[:1],
        )
    with pytest.raises(ShapeError, match="says nothing"):
        Votes(
            items=1,
            item=given.item[:1],
            annotator=given.item[:1],
            answers=known[:1],
            known=~known[:1],
            multi_label=True,
        )


@each_method
@pytest.mark.parametrize("multi_label", [False, True])
def test_what_was_learnt_is_stored_and_decides_alike_item_by_item(
    name: str, multi_label: bool
) -> None:
    method, given = CONSENSUS.create(name), votes(multi_label=multi_label)
    learnt = method.fit(given)
    assert (learnt is not None) == (name in LEARNING)
    if learnt is not None:
        stored = json.dumps([learnt.to_json(), [voice_to_json(v) for v in learnt.voices.values()]])
        about, voices = json.loads(stored)
        learnt = skills_from_json(about, dict(zip(learnt.voices, voices, strict=True)))
    whole = method.aggregate(given)
    for item in range(given.items):
        rows = given.item == item
        alone = Votes(
            items=1,
            item=given.item[rows] * 0,
            annotator=given.annotator[rows],
            answers=given.answers[rows],
            multi_label=multi_label,
        )
        found = method.aggregate(alone, learnt)
        np.testing.assert_allclose(found.shares[0], whole.shares[item], atol=1e-3)
        assert found.tied[0] == whole.tied[item]
        np.testing.assert_array_equal(found.answers[0], whole.answers[item])


@each_task
def test_encodes_and_decodes_with_stable_columns(name: str) -> None:
    task = made(name, 40, 7, 19)
    columns = Columns(label_ids=(40, 7, 19), archived=frozenset({7}))
    table = task.encode([[19], [40]], columns)
    assert table.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert task.decode(table, columns) == [[19], [40]]
    assert task.usable(table).all()
    assert task.known(table, columns).tolist() == [[True, False, True]] * 2


@each_task
def test_an_archived_label_is_never_decided(name: str) -> None:
    task, columns = made(name, 1, 2), Columns(label_ids=(1, 2), archived=frozenset({1}))
    decided = task.decode(np.array([[0.9, 0.6]], dtype=np.float32), columns)
    assert decided == [[2]]
    assert task.encode([[1]], columns).tolist() == [[0, 0]]


@each_task
def test_refuses_a_label_without_a_column(name: str) -> None:
    with pytest.raises(ShapeError, match="99"):
        TASKS.create(name).encode([[99]], Columns(label_ids=(1, 2)))


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].shape == "labels"])
def test_metrics_are_best_when_right_and_name_the_headline(name: str) -> None:
    task = made(name, 4, 2, 9)
    truth = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
    right, wrong = task.metrics(truth, truth), task.metrics(truth, np.roll(truth, 1, axis=1))
    assert right[task.headline] == 1
    assert wrong[task.headline] <= 0
    assert right["n"] == 4
    assert task.correct(truth, truth).all()
    assert not task.correct(truth, np.roll(truth, 1, axis=1)).any()


@each_task
def test_distance_is_a_distance(name: str) -> None:
    task = made(name, 1, 2)
    one, other = ANSWERS[task.shape]
    columns = Columns(label_ids=(1, 2))
    assert task.distance(one, one, columns) == 0
    assert task.distance(one, other, columns) == task.distance(other, one, columns) == 1


@each_task
def test_agreement_of_equal_answers_is_one_and_of_others_less(name: str) -> None:
    task, columns = made(name, 4, 2, 9), Columns(label_ids=(4, 2, 9))
    same = answers_of(
        [(item, voice, [(4, 2, 9)[item % 3]]) for item in range(6) for voice in (1, 2)]
    )
    other = answers_of(
        [(item, voice, [(4, 2, 9)[(item + voice) % 3]]) for item in range(6) for voice in (1, 2)]
    )
    assert krippendorff(same, distance=task.apart(columns)).value == pytest.approx(1)
    assert (krippendorff(other, distance=task.apart(columns)).value or 0) < 0.2


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].shape == "labels"])
def test_the_verdict_of_one_voice_is_that_voice(name: str) -> None:
    task = made(name, 1, 2, 3)
    given = votes(multi_label=task.multi_label)
    found = task.agree(CONSENSUS.create(task.consensus[0]), given)
    assert found.answers[2].tolist() == (given.answers[5] > 0).tolist()
    assert not found.answers[3].any(), "no vote, no verdict"
    assert not found.tied[[2, 3]].any()
    table = given.answers.astype(np.float32)
    np.testing.assert_array_equal(task.chosen(table), table > 0)


@each_task
def test_a_value_is_read_into_one_form_or_refused(name: str) -> None:
    task = TASKS.create(name)
    if task.shape == "labels":
        assert task.read(None, TEXT, [1]) is None
        with pytest.raises(ShapeError, match="value"):
            task.read({"spans": []}, TEXT, [1])
        return
    one, _ = ANSWERS[task.shape]
    value = task.read(one, TEXT, [1, 2])
    assert value == task.read(value, TEXT, [1, 2]) == json.loads(json.dumps(value))
    with pytest.raises(ShapeError):
        task.read(None, TEXT, [1])
    if not task.has_labels:
        assert task.labels_of(value) == []
        return
    assert task.labels_of(value) == [1]
    with pytest.raises(ShapeError):
        task.read(one, TEXT, [2])


@each_with_value
def test_one_voice_stands_as_it_is_and_two_alike_agree(name: str) -> None:
    task, method = value_task(name), CONSENSUS.create(TASKS[name].consensus[0])
    one, other = (task.read(value, TEXT, [1, 2]) for value in ANSWERS[task.shape])
    alone, both, apart = task.settle(
        method, [[Given(7, one)], [Given(7, one), Given(8, one)], [Given(7, one), Given(8, other)]]
    )
    assert alone.value == both.value == one
    assert not alone.tied
    assert not both.tied
    assert apart.tied
    assert task.compare([one, other], [one, other])[task.headline] == 1
    assert task.compare([one, other], [other, one])[task.headline] <= 0


@each_spelled
def test_a_value_is_read_back_from_the_text_that_it_is_written_as(name: str) -> None:
    task = spelled_task(name)
    for given in ANSWERS[task.shape]:
        value = task.read(given, TEXT, [])
        assert task.read(task.unspell(task.spell(value)), TEXT, []) == value


@pytest.mark.parametrize("words", ["\x00", "[" * 100_000, "a\x00b", "a\ud83d"])
@each_spelled
def test_a_text_is_read_as_something_that_can_be_stored_or_refused(name: str, words: str) -> None:
    task = spelled_task(name)
    try:
        stored = task.spell(task.read(task.unspell(words), TEXT, []))
    except ShapeError:
        return
    assert stored.encode().decode() == stored
    assert "\x00" not in stored


@each_spelled
def test_equal_values_agree_fully_and_others_do_not(name: str) -> None:
    task = spelled_task(name)
    one, other = (task.facets(task.read(each, TEXT, [])) for each in ANSWERS[task.shape])
    same = [[one, one], [other, other]] * 6
    mixed = [[one, other], [other, one]] * 6
    for figure in (facet_alpha, closeness):
        found = figure(same, task.facets_apart, np.random.default_rng(0))
        assert found.value == found.low == found.same == pytest.approx(1)
    assert (facet_alpha(mixed, task.facets_apart).value or 0) < 0


@pytest.mark.parametrize("name", [name for name in TASKS if hasattr(TASKS[name], "credit")])
def test_credit_is_whole_for_equal_values_and_none_for_what_is_all_wrong(name: str) -> None:
    task, columns = credited_task(name), Columns(label_ids=(1, 2))
    one, other = ANSWERS[task.shape]
    right, whole = task.credit(one, one, columns)
    assert right == whole > 0
    assert 0 <= task.credit(one, other, columns)[0] < right


@pytest.mark.parametrize("name", TASKS)
def test_students_of_values_are_measured_by_credit(name: str) -> None:
    """So that their curve can be drawn and foretold."""
    task = TASKS[name]
    assert hasattr(task, "credit") == bool(task.shape != "labels" and task.students)


@each_task
def test_names_plugins_that_exist(name: str) -> None:
    from learning.rankers import RANKERS
    from learning.selection import SETWISE, STRATEGIES
    from learning.students import STUDENTS
    from learning.taggers import TAGGERS

    task = TASKS[name]
    others = {"labels": STUDENTS, "ranking": RANKERS}
    assert set(task.students) <= set(others.get(task.shape, TAGGERS))
    assert set(task.strategies) <= set(STRATEGIES)
    assert task.conformal or not SETWISE & set(task.strategies), "they would wait for ever"
    assert set(task.consensus) <= set(CONSENSUS)
