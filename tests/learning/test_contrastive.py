"""Tuning by comparison: the costs, and the student that comes of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from learning import students
from learning.errors import ParameterError, ShapeError
from learning.students.comparisons import decoupled_softmax, label_places, together_costs
from learning.students.contrastive import Contrastive
from learning.students.head import Head
from learning.students.transformer import unit_classifier
from learning.types import no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import WORDS, lesson

__all__ = ["models"]


@pytest.fixture
def tiny(models: Path) -> Contrastive:
    return Contrastive(model=str(models / "text"), epochs=2, batch=20, learning_rate=1e-3)


def named(rows: int = 30):
    return replace(lesson(rows), label_texts=(*WORDS, ""))


class TestCosts:
    def test_texts_of_a_label_want_each_other_before_all_others(self) -> None:
        targets = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
        close = together_costs(torch.eye(2)[[0, 0, 1]], targets)
        far = together_costs(torch.eye(2)[[0, 1, 0]], targets)
        expected = np.log1p(np.exp(-10))
        np.testing.assert_allclose(close, [expected, expected, 0], atol=1e-6)
        np.testing.assert_allclose(far[:2], [10 + expected, np.log(2)], rtol=1e-5)

    def test_a_shared_label_of_two_counts_by_half(self) -> None:
        targets = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1]])
        costs = together_costs(torch.eye(3), targets)
        torch.testing.assert_close(costs, torch.full((3,), float(np.log(2))))

    def test_a_text_alone_with_its_labels_or_without_any_costs_nothing(self) -> None:
        assert together_costs(torch.ones(1, 2), torch.ones(1, 3)).tolist() == [0]
        vectors = torch.ones(2, 2, requires_grad=True)
        costs = together_costs(vectors, torch.tensor([[1.0, 0], [0, 0]]))
        costs.sum().backward()
        assert costs.tolist() == [0, 0]
        assert torch.isfinite(vectors.grad).all()

    def test_with_one_label_decoupled_softmax_is_cross_entropy(self) -> None:
        scores = torch.tensor([[1.0, -2.0, 0.5], [0.1, 0.2, 3.0]])
        found = decoupled_softmax(scores, torch.eye(3)[[0, 2]], torch.ones(2, 3, dtype=torch.bool))
        expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 2]), reduction="none")
        torch.testing.assert_close(found, expected)

    def test_labels_of_one_text_do_not_compete(self) -> None:
        scores = torch.tensor([[2.0, -1.0, 0.3]], requires_grad=True)
        known = torch.ones(1, 3, dtype=torch.bool)
        decoupled_softmax(scores, torch.tensor([[1.0, 1.0, 0.0]]), known).sum().backward()
        alone = torch.tensor([[2.0, 5.0, 0.3]], requires_grad=True)
        decoupled_softmax(alone, torch.tensor([[1.0, 1.0, 0.0]]), known).sum().backward()
        assert scores.grad[0, 0] == alone.grad[0, 0] < 0
        assert scores.grad[0, 2] > 0

    def test_unknown_labels_and_rows_without_any_have_no_part(self) -> None:
        scores = torch.tensor([[2.0, 9.0, 0.3], [1.0, 1.0, 1.0]])
        known = torch.tensor([[True, False, True], [True, True, True]])
        targets = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
        costs = decoupled_softmax(scores, targets, known)
        assert costs[0] == pytest.approx(float(np.log1p(np.exp(0.3 - 2.0))))
        assert costs[1] == 0


def test_label_texts_have_a_part_and_word_vectors_stay(tiny: Contrastive, tmp_path: Path) -> None:
    data = named()
    seen: list[tuple[int, int]] = []
    fitted = tiny.fit(
        data, np.random.default_rng(0), lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (4, 4), "two epochs of two steps each"
    without = tiny.fit(lesson(30), np.random.default_rng(0), no_report)
    fresh, _, _ = unit_classifier(tiny.model, None, tiny.tokens, 4)
    states = [each.encoder.state_dict() for each in (fitted.network, without.network, fresh)]
    layer = next(name for name in states[0] if name.endswith("attention.self.query.weight"))
    assert torch.dist(states[0][layer], states[2][layer]) > 0
    assert torch.dist(states[0][layer], states[1][layer]) > 0
    words = "embeddings.word_embeddings.weight"
    assert torch.equal(states[0][words], states[2][words])
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    assert again.student == "contrastive"
    np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))


def test_what_was_saved_in_bfloat16_is_tuned_in_float32(models: Path, tmp_path: Path) -> None:
    half = shutil.copytree(models / "text", tmp_path / "half")
    AutoModel.from_pretrained(half).bfloat16().save_pretrained(half)
    network, _, _ = unit_classifier(str(half), None, 16, 3)
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_labels_without_a_text_or_unknown_are_not_compared_with() -> None:
    assert label_places(lesson(30)).tolist() == []
    assert label_places(named()).tolist() == [0, 1, 2]


def test_goes_on_behind_the_checkpoint(tiny: Contrastive, tmp_path: Path) -> None:
    plan = replace(tiny, checkpoint_steps=1)

    def killed(done: int, total: int) -> None:
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan.fit(named(), np.random.default_rng(3), killed, None, tmp_path)
    seen: list[int] = []
    resumed = plan.fit(
        named(), np.random.default_rng(3), lambda done, total: seen.append(done), None, tmp_path
    )
    assert [done for done in seen if done] == [3, 4]
    whole = plan.fit(named(), np.random.default_rng(3), no_report)
    np.testing.assert_array_equal(resumed.predict(WORDS), whole.predict(WORDS))


def test_more_texts_are_seen_fewer_times(tiny: Contrastive) -> None:
    seen: list[int] = []
    few = replace(tiny, most=30)
    few.fit(lesson(30), np.random.default_rng(0), lambda done, total: seen.append(total))
    assert seen[-1] == 2


def test_refuses_encodings_alone_and_bad_parameters(tiny: Contrastive) -> None:
    with pytest.raises(ShapeError, match="texts"):
        tiny.fit(replace(lesson(), texts=None), np.random.default_rng(0), no_report)
    for wrong in ({"batch": 1}, {"warmup": 1.0}, {"learning_rate": 0.0}, {"most": 0}):
        with pytest.raises(ParameterError):
            Contrastive(**wrong)


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        (23, 6, "4 to 50 answers a label, here 24 to 300 in all, and these are 23"),
        (24, 6, ""),
        (300, 6, ""),
        (301, 6, "these are 301"),
        (200, 20, ""),
        (200, 21, "up to 20 labels"),
    ],
)
def test_it_says_where_it_does_not_pay(rows, labels, told):
    said = students.unpaid(Contrastive(), rows, labels)
    assert told in said
    assert bool(said) == bool(told)
    assert students.unpaid(Head(), rows, labels) == "", "one that knows of nothing says nothing"
