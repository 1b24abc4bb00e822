"""What each teacher does beyond what all of them promise."""

from dataclasses import replace

import numpy as np
import pytest

from learning.encoders import ENCODERS
from learning.errors import LearningError, NotEnoughDataError, ParameterError, ShapeError
from learning.students import STUDENTS
from learning.students.head import Head
from learning.teachers import TEACHERS
from learning.teachers.asking import ask
from learning.teachers.names import NameTable
from learning.teachers.types import (
    LabelText,
    Means,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    check_answer,
)
from learning.types import TrainingData, no_report
from tests.contracts.plugins import three_colours
from tests.contracts.teaching import WordHash, items, schema


def labels(*names: str, multi_label: bool = False) -> TeacherSchema:
    texts = tuple(LabelText(id=place, name=name) for place, name in enumerate(names, start=1))
    return TeacherSchema(labels=texts, multi_label=multi_label)


def asked(teacher, texts, over) -> list[TeacherAnswer]:
    given = [TeacherItem(number=n, text=text) for n, text in enumerate(texts)]
    return list(ask(teacher, given, over))


# The records that pass


def test_an_answer_is_a_distribution_or_says_why_not() -> None:
    half = np.array([0.5, 0.5], dtype=np.float32)
    with pytest.raises(ShapeError, match="says why"):
        TeacherAnswer(number=1)
    with pytest.raises(ShapeError, match="says why"):
        TeacherAnswer(number=1, probabilities=half, abstained="both")
    with pytest.raises(ShapeError, match="between 0 and 1"):
        TeacherAnswer(number=1, probabilities=np.array([np.nan, 1], dtype=np.float32))
    with pytest.raises(ShapeError, match="confidence"):
        TeacherAnswer(number=1, probabilities=half, confidence=float("nan"))
    with pytest.raises(ShapeError, match="money"):
        TeacherAnswer(number=1, probabilities=half, money=float("inf"))
    answer = TeacherAnswer(number=1, probabilities=np.array([0.5, 0.6], dtype=np.float32))
    with pytest.raises(ShapeError, match="sum to 1"):
        check_answer(answer, labels("a", "b"))
    check_answer(answer, labels("a", "b", multi_label=True))
    with pytest.raises(ShapeError, match="does not fit"):
        check_answer(answer, labels("a"))


def test_only_several_labels_can_be_partly_known() -> None:
    known = np.array([True, False])
    p = np.array([1, 0], dtype=np.float32)
    answer = TeacherAnswer(number=1, probabilities=p, known=known)
    check_answer(answer, labels("a", "b", multi_label=True))
    with pytest.raises(ShapeError, match="some labels alone"):
        check_answer(answer, labels("a", "b"))
    with pytest.raises(ShapeError, match="says nothing"):
        TeacherAnswer(number=1, probabilities=p, known=~known)


def test_a_schema_has_labels_with_different_ids() -> None:
    with pytest.raises(ShapeError, match="at least one label"):
        TeacherSchema(labels=())
    with pytest.raises(ShapeError, match="two columns"):
        TeacherSchema(labels=(LabelText(id=1, name="a"), LabelText(id=1, name="b")))
    assert schema().target([30, 10]).tolist() == [1, 0, 1]
    assert schema().column(99) is None
    with pytest.raises(ShapeError, match="99"):
        schema().target([99])


def test_names_match_by_letters_and_never_by_guess() -> None:
    table = NameTable(labels("Card arrival", "e-mail", "Refund", "refund", "Straße"))
    assert table.column("card_arrival") == 0
    assert table.column(" E Mail ") == 1
    assert table.column("Refund") == 2
    assert table.column("refund") == 3
    assert table.column("REFUND") is None, "two labels could be meant"
    assert table.column("STRASSE") == 4
    assert table.column("card") is None, "a part of a name is not the name"
    assert table.column("!!") is None


# zero-shot


def test_zero_shot_reads_names_descriptions_and_words() -> None:
    teacher = TEACHERS.create("zero-shot").ready(Means(encoder=WordHash()))
    bare = labels("alpha", "beta")
    told = TeacherSchema(
        labels=(
            replace(bare.labels[0], description="apples"),
            replace(bare.labels[1], words=("pears",)),
        )
    )
    texts = ["alpha", "apples apples", "pears pears"]
    assert [int(a.probabilities.argmax()) for a in asked(teacher, texts, told)] == [0, 0, 1]
    unclear = asked(teacher, texts, bare)
    assert unclear[2].probabilities == pytest.approx([0.5, 0.5])
    assert "closest to alpha (similarity 1.00)" in unclear[0].reason


def test_zero_shot_with_several_labels_may_find_none_or_all() -> None:
    teacher = TEACHERS.create("zero-shot").ready(Means(encoder=WordHash()))
    over = labels("alpha", "beta", multi_label=True)
    none, both = asked(teacher, ["gamma", "alpha beta"], over)
    assert (none.probabilities < 0.01).all()
    assert (both.probabilities > 0.99).all()


def test_the_pool_says_from_what_likeness_on_a_label_holds() -> None:
    """With a pool of one label an item, one is found on average, however alike all texts are."""
    same = "the same long beginning of every text "
    texts = [same + ("alpha alpha", "beta beta", "gamma gamma")[n % 3] for n in range(90)]
    pool = WordHash().encode(texts)
    over = labels(*(same + name for name in ("alpha", "beta", "gamma")), multi_label=True)
    for lent, expected in ((pool, 1), (None, 3)):
        teacher = TEACHERS.create("zero-shot").ready(Means(encoder=WordHash(), encodings=lent))
        found = np.stack([a.probabilities for a in asked(teacher, texts[:30], over)]) > 0.5
        assert found.sum(axis=1).mean() == pytest.approx(expected, abs=0.1)
    fixed = TEACHERS.create("zero-shot", {"threshold": 0.999}).ready(
        Means(encoder=WordHash(), encodings=pool)
    )
    assert fixed.threshold(over) == 0.999


def test_zero_shot_spares_what_is_encoded_and_encodes_the_rest() -> None:
    class Counting(WordHash):
        def encode(self, texts):
            seen.extend(texts)
            return super().encode(texts)

    seen: list[str] = []
    lent = np.zeros((3, 64), dtype=np.float16)
    lent[:2] = WordHash().encode(["beta", "alpha"])
    teacher = TEACHERS.create("zero-shot", {"pool_weight": 0.0}).ready(
        Means(encoder=Counting(), encodings=lent)
    )
    answers = asked(teacher, ["lent", "lent", "alpha", "beta"], labels("alpha", "beta"))
    assert [int(a.probabilities.argmax()) for a in answers] == [1, 0, 0, 1]
    assert "lent" not in seen
    assert {"alpha", "beta"} <= set(seen)
    with pytest.raises(ShapeError, match="encoder"):
        TEACHERS.create("zero-shot").ready(Means(encoder=WordHash(), encodings=lent[:, :9]))


def test_zero_shot_learns_from_the_pool_what_items_of_a_label_look_like() -> None:
    rng = np.random.default_rng(0)
    texts = [
        ("alpha lemon lime", "beta cliff gravel")[n % 2] + f" {rng.integers(99)}" for n in range(60)
    ]
    encodings = WordHash().encode(texts)
    over, hidden = labels("alpha", "beta"), ["lemon lime", "cliff gravel"]
    blind = TEACHERS.create("zero-shot", {"pool_weight": 0.0})
    for plugin, sure in ((blind, False), (TEACHERS.create("zero-shot"), True)):
        teacher = plugin.ready(Means(encoder=WordHash(), encodings=encodings))
        unseen = [TeacherItem(number=1000 + n, text=text) for n, text in enumerate(hidden)]
        found = [a.probabilities for a in ask(teacher, unseen, over)]
        assert bool(found[0][0] > 0.9 and found[1][1] > 0.9) is sure


# recorded


def recorded(*records: dict, **parameters):
    return TEACHERS.create("recorded", parameters).ready(Means(records=records))


def one(record: dict, over: TeacherSchema) -> TeacherAnswer:
    return next(
        iter(ask(recorded({"number": 0, **record}), [TeacherItem(number=0, text="t")], over))
    )


def test_recorded_answers_keep_label_confidence_model_and_cost() -> None:
    answer = one(
        {
            "label": "b",
            "confidence": 0.8,
            "model": "m",
            "money": 0.002,
            "tokens_in": 7,
            "reason": "so",
        },
        labels("a", "b", "c"),
    )
    assert answer.probabilities == pytest.approx([0.1, 0.8, 0.1])
    assert (answer.confidence, answer.model, answer.money) == (0.8, "m", 0.002)
    assert (answer.tokens_in, answer.tokens_out, answer.reason) == (7, 0, "so")


def test_a_confidence_that_was_not_recorded_stays_unknown() -> None:
    answer = one({"label": "b", "confidence": None}, labels("a", "b"))
    assert answer.confidence is None
    assert answer.probabilities.tolist() == [0, 1]
    for odd in ("high", float("nan"), 7, True):
        strange = one({"label": "b", "confidence": odd}, labels("a", "b"))
        assert strange.confidence is None
        assert strange.flags == ("unreadable confidence",)


def test_a_label_named_with_little_confidence_is_still_the_likeliest() -> None:
    for k, stated in ((2, 0.1), (3, 0.0), (50, 0.01)):
        answer = one({"label": "l1", "confidence": stated}, labels(*(f"l{n}" for n in range(k))))
        assert answer.probabilities.argmax() == 1
        assert answer.confidence == stated


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"label": None}, "names no label"),
        ({"label": None, "raw": "I cannot\x00 say"}, "I cannot� say"),
        ({"label": "other"}, "“other” is no label"),
        ({"label": "x" * 500}, "x…”"),
        ({"label": 99}, "99"),
        ({"label": True}, "True"),
        ({"labels": ["a", "b"]}, "names 2 labels"),
        ({"labels": []}, "names 0 labels"),
        ({"labels": "a"}, "no label"),
        ({"probabilities": {"a": 0.5}}, "leave out"),
        ({"probabilities": {"a": 0.5, "b": 0.9}}, "sum to 1"),
        ({"probabilities": {"a": -1, "b": 2}}, "between 0 and 1"),
        ({"probabilities": [0.5, 0.5]}, "no label"),
    ],
)
def test_what_cannot_be_read_is_an_abstention_that_says_why(record: dict, why: str) -> None:
    answer = one(record, labels("a", "b"))
    assert answer.probabilities is None
    assert why in answer.abstained


def test_records_name_labels_by_id_and_give_whole_distributions() -> None:
    over = labels("a", "b", "c")
    assert one({"label": 3}, over).probabilities.argmax() == 2
    given = one({"probabilities": {"A": 0.2, "c": 0.33, "b": 0.46}}, over).probabilities
    assert given == pytest.approx(np.array([0.2, 0.46, 0.33]) / 0.99)
    assert given.sum() == pytest.approx(1)


def test_an_empty_list_of_labels_is_an_answer_where_several_may_hold() -> None:
    over = labels("a", "b", multi_label=True)
    assert one({"labels": []}, over).probabilities.tolist() == [0, 0]
    sure = one({"labels": ["b"], "confidence": 0.8}, over)
    assert sure.probabilities == pytest.approx([0.1, 0.8])


def test_two_answers_to_one_item_need_a_model() -> None:
    both = [{"number": 0, "label": "a", "model": "m"}, {"number": 0, "label": "b", "model": "n"}]
    with pytest.raises(ShapeError, match="name the model"):
        recorded(*both)
    answer = next(iter(ask(recorded(*both, model="n"), items(1), labels("a", "b"))))
    assert answer.probabilities.argmax() == 1
    with pytest.raises(ShapeError, match="number"):
        recorded({"label": "a"})


# student


def a_student(*names: str, multi_label: bool = False):
    """A head that knows texts by the name of their label."""
    texts = [name for name in names for _ in range(6)]
    targets = np.repeat(np.eye(len(names), dtype=np.float32), 6, axis=0)
    data = TrainingData(
        targets=targets, encodings=WordHash().encode(texts), multi_label=multi_label
    )
    return Means(
        student=Head(strength=100.0).fit(data, np.random.default_rng(0), no_report),
        student_labels=names,
        student_encoder=WordHash(),
    )


def test_a_student_of_another_project_answers_by_label_names() -> None:
    teacher = TEACHERS.create("student").ready(a_student("Card_arrival", "REFUND", "other"))
    over = labels("refund", "card arrival", "new")
    by_text = asked(teacher, ["Card_arrival", "REFUND", "other"], over)
    assert [int(a.probabilities.argmax()) for a in by_text[:2]] == [1, 0]
    assert by_text[0].probabilities[2] == 0
    assert "thinks of “other”" in by_text[2].abstained


@pytest.mark.parametrize("kind", ["head", "image-finetune"])
def test_a_student_looks_at_images_and_says_nothing_of_an_item_without_one(kind: str) -> None:
    images, group = three_colours(30)
    encoder = ENCODERS.create("pixels-pca", {"colour": "rgb"}).fit(images)
    targets = np.eye(3, dtype=np.float32)[group]
    data = TrainingData(targets=targets, encodings=encoder.encode(images), images=images)
    quick = {"epochs": 12, "batch": 8} if kind == "image-finetune" else {}
    fitted = STUDENTS.create(kind, quick).fit(data, np.random.default_rng(0), no_report)
    means = Means(
        student=fitted,
        student_labels=("red", "green", "blue"),
        student_encoder=encoder if kind == "head" else None,
    )
    seen = [TeacherItem(number=n, text="", image=image) for n, image in enumerate(images[:6])]
    blind = TeacherItem(number=6, text=" ")
    teacher = TEACHERS.create("student").ready(means)
    answers = list(ask(teacher, [*seen, blind], labels("red", "green", "blue")))
    assert [int(a.probabilities.argmax()) for a in answers[:6]] == [0, 1, 2, 0, 1, 2]
    assert "nothing that the student could read" in answers[6].abstained


def test_a_mapping_joins_labels_that_are_called_differently() -> None:
    plugin = TEACHERS.create("student", {"mapping": {"chargeback": "refund"}})
    teacher = plugin.ready(a_student("refund", "chargeback", "card"))
    over = labels("refund", "card")
    answers = asked(teacher, ["chargeback", "refund chargeback", "card"], over)
    assert [int(a.probabilities.argmax()) for a in answers] == [0, 0, 1]
    assert answers[1].probabilities[0] > 0.9, "belief in both adds up"


def test_a_student_speaks_only_about_labels_that_it_knows_where_several_may_hold() -> None:
    teacher = TEACHERS.create("student").ready(a_student("a", "b", multi_label=True))
    over = labels("b", "new", multi_label=True)
    (answer,) = asked(teacher, ["b"], over)
    assert answer.known.tolist() == [True, False]
    assert answer.probabilities[0] > 0.5
    assert answer.probabilities[1] == 0


def test_a_student_without_a_common_label_or_of_another_kind_is_refused() -> None:
    teacher = TEACHERS.create("student").ready(a_student("a", "b"))
    with pytest.raises(NotEnoughDataError, match="No label"):
        asked(teacher, ["a"], labels("c"))
    with pytest.raises(NotEnoughDataError, match="several"):
        asked(teacher, ["a"], labels("a", "b", multi_label=True))
    with pytest.raises(ShapeError, match="named"):
        TEACHERS.create("student").ready(replace(a_student("a", "b"), student_labels=("a",)))


def test_a_student_uses_encodings_of_an_equal_encoder_only() -> None:
    lent = WordHash().encode(["b", "a"]).astype(np.float16)
    student = a_student("a", "b")
    same = replace(student, encoder=WordHash(), encodings=lent)
    other = replace(same, encoder=WordHash(fingerprint="another"))
    for means, expected in ((same, [1, 0]), (other, [0, 1])):
        found = asked(TEACHERS.create("student").ready(means), ["a", "b"], labels("a", "b"))
        assert [int(a.probabilities.argmax()) for a in found] == expected


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("zero-shot", {"temperature": 0.0}),
        ("zero-shot", {"pool_weight": -1.0}),
        ("student", {"least_mapped": 0.0}),
        ("committee", {"quorum": 0}),
        ("committee", {"sharpness": 0.0}),
    ],
)
def test_refuses_senseless_parameters(name: str, wrong: dict) -> None:
    with pytest.raises(ParameterError):
        TEACHERS.create(name, wrong)


def test_every_refusal_is_one_of_ours() -> None:
    with pytest.raises(LearningError, match="no parameter 'colour'"):
        TEACHERS.create("recorded", {"colour": "blue"})
