"""Label attention: what each label reads of a text, the problem that is solved, and how the focus is chosen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learning import students
from learning.encoders import ENCODERS
from learning.errors import ParameterError, ShapeError
from learning.students import label_attention
from learning.students.head import Head
from learning.students.label_attention import LabelAttention
from learning.students.reading import FOCI, USUAL_FOCUS
from learning.students.regression import OwnVectors, Problem
from learning.students.strength import USUAL, USUAL_SCALE
from learning.students.transformer import by_label
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import WORDS, lesson

__all__ = ["models"]

KEYS = ("refund", "parcel", "password")
SAID = (
    ("money back", "reimbursed", "repaid"),
    ("package", "delivery", "shipment"),
    ("login", "sign in", "PIN"),
)
TOPICS = (
    ("fish", "river", "boat", "sea", "net", "water"),
    ("oven", "flour", "bread", "sugar", "dough", "cake"),
    ("guitar", "drum", "song", "choir", "piano", "chord"),
)
OTHERS = """the a yesterday we river green walked under music because seven window tall friend apple grey
slowly over winter paper when table dog cat sun moon stone garden blue happy morning road""".split()  # noqa: SIM905 - reads better


@pytest.fixture
def tiny(models: Path) -> LabelAttention:
    return LabelAttention(model=str(models / "text"))


def named(rows: int = 60) -> TrainingData:
    return replace(lesson(rows), label_texts=(*WORDS, ""), encodings=None)


def hidden_words(rows: int, seed: int, others: int = 40) -> TrainingData:
    """Texts of many words, of which one or two tell the label; none is its name."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % 3
    texts = [
        " ".join(rng.permutation([*rng.choice(OTHERS, others), rng.choice(SAID[label])]))
        for label in group
    ]
    targets = np.eye(3, dtype=np.float32)[group]
    return TrainingData(targets=targets, texts=texts, label_texts=KEYS)


def fit(plan: LabelAttention, data: TrainingData):
    return plan.fit(data, np.random.default_rng(0), no_report)


def focus_of(fitted) -> float:
    return float(fitted.network.called.norm(dim=1).max())


class TestReading:
    def test_a_label_reads_the_tokens_like_it_and_no_padding(self) -> None:
        hidden = torch.tensor([[[2.0, 0, 0], [0, 3.0, 0], [0, 0, 5.0]]])
        mask = torch.tensor([[1, 1, 0]])
        called = 50 * torch.eye(3)
        own = by_label(hidden, mask, called)[0]
        torch.testing.assert_close(own[0], torch.tensor([1.0, 0, 0]))
        torch.testing.assert_close(own[1], torch.tensor([0, 1.0, 0]))
        assert own[2, 2] == 0, "what it is like is padding"

    def test_a_label_that_is_called_nothing_reads_the_mean(self) -> None:
        hidden = torch.tensor([[[2.0, 0], [0, 4.0], [9.0, 9.0]]])
        own = by_label(hidden, torch.tensor([[1, 1, 0]]), torch.zeros(1, 2))
        expected = torch.nn.functional.normalize(torch.tensor([1.0, 2.0]), dim=0)
        torch.testing.assert_close(own[0, 0], expected)


class TestProblem:
    def given(self, *, multi_label: bool) -> tuple[Problem, np.ndarray]:
        data = replace(lesson(12, multi_label=multi_label), known=None)
        rng = np.random.default_rng(1)
        return Problem.of(data), rng.normal(size=9 * 4).astype(np.float32)

    @pytest.mark.parametrize("multi_label", [False, True])
    def test_is_that_of_a_head_where_all_labels_read_the_same(self, *, multi_label: bool) -> None:
        plain, point = self.given(multi_label=multi_label)
        own = OwnVectors.beside(plain, np.repeat(plain.x[:, None], 4, axis=1))
        for one, other in zip(plain.loss(3, point), own.loss(3, point), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        rows, warm = np.array([1, 5, 7]), np.array([0.5, 2.0])
        np.testing.assert_allclose(
            plain.subset(rows).costs(point, warm), own.subset(rows).costs(point, warm), rtol=1e-5
        )

    @pytest.mark.parametrize("multi_label", [False, True])
    def test_its_gradient_is_the_numerical_one(self, *, multi_label: bool) -> None:
        plain, point = self.given(multi_label=multi_label)
        x = np.random.default_rng(2).normal(size=(12, 4, 8)).astype(np.float32)
        own = OwnVectors.beside(plain, x)
        _, gradient = own.loss(1, point)
        for place in (0, 13, 30, 35):
            step = np.zeros_like(point)
            step[place] = 1e-2
            slope = (own.loss(1, point + step)[0] - own.loss(1, point - step)[0]) / 2e-2
            assert gradient[place] == pytest.approx(slope, rel=2e-2, abs=2e-2)


def test_finds_the_word_that_a_mean_drowns() -> None:
    data, asked = hidden_words(30, 0), hidden_words(45, 9)
    fitted = fit(LabelAttention(), data)
    assert focus_of(fitted) > 0
    right = [
        (each.predict(asked.texts).argmax(axis=1) == asked.targets.argmax(axis=1)).mean()
        for each in (fitted, fit(LabelAttention(focus=0.0), data))
    ]
    assert right[0] > right[1] + 0.05, right


def test_without_focus_it_is_the_head_of_the_same_lesson_with_its_strength_and_scale() -> None:
    encoder = ENCODERS.create("minilm").fit([])
    data, asked = hidden_words(60, 0), hidden_words(30, 9).texts or []
    labels = encoder.encode(list(KEYS))
    data = replace(data, encodings=encoder.encode(data.texts or []), label_vectors=labels)
    plain = replace(data, texts=None)
    choice = Head().fit_one(plain, np.random.default_rng(0), no_report).choice
    assert choice.strength != USUAL
    assert choice.scale not in (0, USUAL_SCALE), (
        "what is chosen could be mistaken for what is usual"
    )
    head = Head().fit(plain, np.random.default_rng(0), no_report)
    same = fit(LabelAttention(focus=0.0), data)
    np.testing.assert_allclose(same.predict(asked), head.predict(encoder.encode(asked)), atol=1e-3)


def test_held_out_answers_weaken_the_focus_where_names_mislead() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(60) % 3
    texts = [
        " ".join(rng.permutation([*rng.choice(TOPICS[label], 3), *rng.choice(KEYS, 3)]))
        for label in group
    ]
    data = TrainingData(targets=np.eye(3, dtype=np.float32)[group], texts=texts, label_texts=KEYS)
    assert focus_of(fit(LabelAttention(), data)) < max(FOCI)


def test_label_vectors_of_another_encoder_are_not_taken(tiny: LabelAttention, models: Path) -> None:
    encoder = ENCODERS.create("transformers", {"name": str(models / "text")}).fit([])
    data = named()
    own, odd = encoder.encode(data.texts), encoder.encode(["odd", "even", "late", "again"])
    plain = fit(replace(tiny, focus=20.0), data)
    taken = fit(replace(tiny, focus=20.0), replace(data, encodings=own, label_vectors=odd))
    turned = replace(data, encodings=np.roll(own, 1, axis=1), label_vectors=odd)
    left = fit(replace(tiny, focus=20.0), turned)
    assert torch.equal(left.network.called, plain.network.called)
    assert not torch.allclose(taken.network.called, plain.network.called)
    np.testing.assert_allclose(taken.network.called, 20 * odd, atol=1e-4)


def test_few_rows_take_the_usual_focus_and_no_names_none(tiny: LabelAttention) -> None:
    assert focus_of(fit(tiny, named(9))) == pytest.approx(USUAL_FOCUS, rel=1e-4)
    assert focus_of(fit(tiny, replace(named(), label_texts=None))) == 0
    chosen = fit(tiny, named())
    assert min(abs(focus_of(chosen) - focus) for focus in FOCI) < 1e-3
    assert tiny.settle(chosen).focus == pytest.approx(focus_of(chosen))


def test_a_label_without_a_text_reads_the_mean_and_comes_back_from_disk(
    tiny: LabelAttention, tmp_path: Path
) -> None:
    data = hidden_words(60, 0)
    fitted = fit(replace(tiny, focus=20.0), replace(data, label_texts=(*KEYS[:2], " ")))
    lengths = fitted.network.called.norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([20.0, 20.0, 0.0]))
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    assert again.student == "label-attention"
    np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))


def test_of_more_texts_a_part_is_learnt(
    tiny: LabelAttention, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit(replace(tiny, most=20), named()).margins.shape == (0, 20)
    monkeypatch.setattr(label_attention, "PAIRS", 120)
    assert fit(tiny, named()).margins.shape == (0, 30), "four labels"


def test_refuses_encodings_alone_and_bad_parameters(tiny: LabelAttention) -> None:
    with pytest.raises(ShapeError, match="texts"):
        fit(tiny, replace(lesson(), texts=None))
    for wrong in ({"focus": -1.0}, {"most": 0}):
        with pytest.raises(ParameterError):
            LabelAttention(**wrong)


@pytest.mark.parametrize("known", [None, np.ones((600, 3), dtype=bool)], ids=["all", "table"])
def test_of_more_texts_than_it_reads_each_label_keeps_some_answers(tiny, known) -> None:
    group = np.repeat([0, 1, 2], [594, 3, 3])
    data = TrainingData(
        targets=np.eye(3, dtype=np.float32)[group],
        texts=[f"{SAID[label][0]} {row}" for row, label in enumerate(group)],
        label_texts=KEYS,
        known=known,
    )
    fitted = fit(replace(tiny, most=20), data)
    assert (fitted.predict(["sign in", "package"])[:, 1:] > 0).all()
    kept = label_attention._drawn(data, 20, np.random.default_rng(0))
    assert np.bincount(group[kept], minlength=3).tolist() == [14, 3, 3]


def test_a_label_that_few_items_were_asked_about_keeps_them(tiny) -> None:
    known = np.zeros((600, 40), dtype=bool)
    known[np.arange(600), np.arange(600) % 39] = True
    known[:2, 39] = True
    data = TrainingData(
        targets=np.zeros((600, 40), dtype=np.float32),
        texts=[f"text {row}" for row in range(600)],
        known=known,
        multi_label=True,
    )
    kept = label_attention._drawn(data, 200, np.random.default_rng(0))
    assert len(set(kept.tolist())) == 200
    assert known[kept].any(axis=0).all()
    assert {0, 1} <= set(kept.tolist())


def test_more_labels_than_it_can_learn_some_answers_of_are_refused(tiny) -> None:
    data = TrainingData(targets=np.eye(224, dtype=np.float32), texts=["a text"] * 224)
    with pytest.raises(ParameterError, match=r"up to 223 labels, these are 224: train a dual"):
        fit(tiny, data)


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        (100, 6, ""),
        (307, 77, "from 4 answers a label on, 308 in all"),
        (308, 77, ""),
        (2_597, 77, ""),
        (2_598, 77, "learns from 2,597 answers, and the head from all 2,598"),
        (4_001, 6, "learns from 4,000 answers"),
        (100_000, 224, "up to 223 labels"),
    ],
)
def test_it_says_where_it_does_not_pay(rows, labels, told):
    said = students.unpaid(LabelAttention(), rows, labels)
    assert told in said
    assert bool(said) == bool(told)
