"""What is put before a teacher: examples, candidate labels, and which prompt."""

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.teachers.candidates import Shortlist, recall, smallest_count, together
from learning.teachers.demonstrations import Bank, Demonstrations
from learning.teachers.prompt_trials import compare_on_agreement, compare_on_truth
from learning.teachers.types import LabelText, TeacherAnswer, TeacherSchema


def groups(
    n: int, k: int, seed: int = 0, noise: float = 0.6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, d) unit rows in k groups, (n,) which, and the (k, d) unit centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, 24))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    group = rng.integers(0, k, size=n)
    points = centres[group] + noise * rng.normal(size=(n, 24)) / np.sqrt(24) * 2
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), group, centres.astype(np.float32)


def bank_of(points: np.ndarray, group: np.ndarray, rows: np.ndarray, k: int) -> Bank:
    return Bank(
        numbers=rows, encodings=points[rows], targets=np.eye(k, dtype=np.float32)[group[rows]]
    )


# Demonstrations


def test_the_nearest_examples_help_a_teacher_that_copies_them() -> None:
    points, group, _ = groups(400, 6)
    bank = bank_of(points, group, np.arange(200), 6)
    rng, near, drawn = np.random.default_rng(1), [], []
    for asked in range(200, 400):
        rows = Demonstrations(count=4).choose(bank, points[asked][None], [asked])
        near.append(group[rows[-1]] == group[asked])
        drawn.append(group[rng.integers(200)] == group[asked])
    assert np.mean(near) > 0.8
    assert np.mean(drawn) < 0.3


def test_an_item_is_never_its_own_example() -> None:
    points, group, _ = groups(50, 3)
    bank = bank_of(points, group, np.arange(50), 3)
    for asked in range(50):
        rows = Demonstrations(count=5).choose(bank, points[asked][None], [asked])
        assert asked not in bank.numbers[rows]
        assert len(set(rows)) == 5


def test_the_likest_example_stands_last() -> None:
    points, group, _ = groups(80, 3)
    bank = bank_of(points, group, np.arange(1, 80), 3)
    rows = Demonstrations(count=6).choose(bank, points[:1], [0])
    near = bank.encodings[rows] @ points[0]
    assert (np.diff(near) >= 0).all()
    assert near[-1] == pytest.approx((bank.encodings @ points[0]).max())


def test_balance_brings_in_other_labels() -> None:
    points, group, _ = groups(200, 4, noise=0.2)
    bank = bank_of(points, group, np.arange(1, 200), 4)
    distinct = [
        len(
            set(
                group[
                    bank.numbers[Demonstrations(count=8, balance=b).choose(bank, points[:1], [0])]
                ]
            )
        )
        for b in (0.0, 3.0)
    ]
    assert distinct[0] == 1
    assert distinct[1] >= 3


def test_no_examples_where_there_are_none() -> None:
    points, group, _ = groups(5, 2)
    empty = bank_of(points, group, np.arange(0), 2)
    assert len(Demonstrations().choose(empty, points[:1])) == 0
    one = bank_of(points, group, np.arange(1), 2)
    assert len(Demonstrations().choose(one, points[:1], [0])) == 0
    assert len(Demonstrations(count=0).choose(one, points[:1])) == 0
    with pytest.raises(ShapeError, match="number"):
        Bank(numbers=np.arange(2), encodings=points[:1], targets=np.eye(2)[:1])


# Candidate labels


def test_verdicts_raise_the_recall_and_cost_a_label_without_any_nothing() -> None:
    k = 30
    points, group, centres = groups(900, k)
    rng = np.random.default_rng(2)
    names = centres + 0.35 * rng.normal(size=centres.shape)
    names = (names / np.linalg.norm(names, axis=1, keepdims=True)).astype(np.float32)
    covered = np.flatnonzero(group[:300] < k // 2)
    asked, truth = np.arange(300, 900), np.eye(k)[group[300:]]
    bare = Shortlist(labels=names).rank(points[asked], asked)
    helped = Shortlist(labels=names, bank=bank_of(points, group, covered, k)).rank(
        points[asked], asked
    )
    seen = group[asked] < k // 2
    assert (
        recall(helped[seen], truth[seen], 3).value > recall(bare[seen], truth[seen], 3).value + 0.1
    )
    lost = (
        recall(bare[~seen], truth[~seen], 10).value - recall(helped[~seen], truth[~seen], 10).value
    )
    assert lost < 0.1


def test_every_label_has_one_place() -> None:
    points, group, centres = groups(20, 7)
    ranked = Shortlist(labels=centres).rank(points, np.arange(20))
    assert (np.sort(ranked, axis=1) == np.arange(7)).all()
    assert recall(ranked, np.eye(7)[group], 7).value == 1


def test_recall_counts_an_item_only_when_all_its_labels_are_there() -> None:
    ranked = np.array([[0, 1, 2], [2, 1, 0], [1, 0, 2]])
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert [recall(ranked, truth, c).count for c in (1, 2, 3)] == [0, 1, 2]
    assert recall(ranked, truth, 3).n == 2, "an item without a label tells nothing"


def test_the_smallest_count_keeps_its_promise_on_other_items() -> None:
    k = 30
    points, group, centres = groups(1300, k, noise=1.2)
    ranked = Shortlist(labels=centres).rank(points, np.arange(1300))
    truth = np.eye(k)[group]
    count, found = smallest_count(ranked[:300], truth[:300], least=0.9)
    assert 1 < count < k
    assert found.low >= 0.9
    assert recall(ranked[300:], truth[300:], count).value >= 0.9
    assert recall(ranked[300:], truth[300:], count // 2).value < 0.9
    few, _ = smallest_count(ranked[:5], truth[:5], least=0.98)
    assert few == k, "five items prove nothing"
    with pytest.raises(NotEnoughDataError, match="audited"):
        smallest_count(ranked[:0], truth[:0])


def test_one_prompt_offers_what_each_of_its_items_needs() -> None:
    ranked = np.array([[5, 1, 0], [2, 5, 1]])
    assert together(ranked, [0, 1], 2) == (1, 2, 5)


def test_an_item_among_the_verdicts_is_refused() -> None:
    points, group, centres = groups(10, 3)
    shortlist = Shortlist(labels=centres, bank=bank_of(points, group, np.arange(5), 3))
    with pytest.raises(ShapeError, match="among the verdicts"):
        shortlist.rank(points[4:6], np.arange(4, 6))
    with pytest.raises(ShapeError, match="not about these labels"):
        Shortlist(labels=centres[:2], bank=bank_of(points, group, np.arange(5), 3))


# Prompts


def schema(k: int = 4) -> TeacherSchema:
    return TeacherSchema(labels=tuple(LabelText(id=n, name=f"l{n}") for n in range(k)))


def voice(truth: np.ndarray, right: float, seed: int, k: int = 4) -> dict[int, TeacherAnswer]:
    rng = np.random.default_rng(seed)
    wrong = (truth + rng.integers(1, k, size=len(truth))) % k
    said = np.where(rng.random(len(truth)) < right, truth, wrong)
    p = np.eye(k, dtype=np.float32)
    return {n: TeacherAnswer(number=n, probabilities=p[c], money=0.01) for n, c in enumerate(said)}


def test_the_better_prompt_wins_on_audited_items_and_close_ones_stay_open() -> None:
    truth = np.random.default_rng(0).integers(0, 4, size=300)
    known = {n: frozenset({int(c)}) for n, c in enumerate(truth)}
    answers = {
        "good": voice(truth, 0.9, 1),
        "twin": voice(truth, 0.88, 2),
        "bad": voice(truth, 0.6, 3),
    }
    best, second, last = compare_on_truth(answers, known, schema())
    assert {best.name, second.name} == {"good", "twin"}
    assert (best.standing, second.standing, last.standing) == ("best", "as good", "worse")
    assert last.behind == pytest.approx(best.right.value - last.right.value, abs=0.01)
    assert last.low > 0.15
    assert best.money == pytest.approx(0.01)


def test_an_abstention_is_not_right_and_is_counted() -> None:
    truth = np.zeros(40, dtype=int)
    known = {n: frozenset({0}) for n in range(40)}
    shy = voice(truth, 1.0, 1)
    for n in range(10):
        shy[n] = TeacherAnswer(number=n, abstained="unsure")
    del shy[39]
    found = {
        c.name: c
        for c in compare_on_truth({"shy": shy, "bold": voice(truth, 1, 2)}, known, schema())
    }
    assert found["shy"].abstained.count == 11
    assert found["shy"].right.count == 29
    assert found["shy"].standing == "worse"


def test_before_audits_agreement_of_others_finds_the_bad_prompt() -> None:
    truth = np.random.default_rng(0).integers(0, 4, size=300)
    answers = {
        "good": voice(truth, 0.9, 1),
        "fair": voice(truth, 0.85, 2),
        "bad": voice(truth, 0.5, 3),
    }
    found = compare_on_agreement(answers, schema(), others=[voice(truth, 0.8, 4)])
    assert found[-1].name == "bad"
    assert found[-1].standing == "worse"
    assert found[0].right.n < 300, "items on which the others disagree tell nothing"


def test_two_prompts_alone_have_nobody_to_agree_with() -> None:
    truth = np.zeros(50, dtype=int)
    two = {"a": voice(truth, 0.9, 1), "b": voice(truth, 0.9, 2)}
    with pytest.raises(NotEnoughDataError, match="there are 0"):
        compare_on_agreement(two, schema())
    with pytest.raises(ParameterError, match="two on"):
        compare_on_truth({"a": two["a"]}, {n: frozenset({0}) for n in range(50)}, schema())
    with pytest.raises(NotEnoughDataError, match="at least 20"):
        compare_on_truth(two, {n: frozenset({0}) for n in range(19)}, schema())
