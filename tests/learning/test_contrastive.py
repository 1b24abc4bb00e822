"""Tuning by comparison: the costs, the fusion, and what both copies add up to."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from learning import students
from learning.errors import ParameterError, ShapeError
from learning.students.comparisons import decoupled_softmax, label_places, pair_costs
from learning.students.contrastive import Contrastive
from learning.students.fusion import fuse, slerp
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


class TestSlerp:
    def test_ends_are_the_two_and_equal_ones_stay(self) -> None:
        one, other = (torch.randn(3, 4, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
        torch.testing.assert_close(slerp(one, other, 0.0), one)
        torch.testing.assert_close(slerp(one, other, 1.0), other)
        torch.testing.assert_close(slerp(one, one.clone(), 0.5), one)

    def test_keeps_the_length_between_right_angles(self) -> None:
        half = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
        torch.testing.assert_close(half, torch.full((2,), 2**0.5))

    def test_zeros_and_opposites_are_numbers(self) -> None:
        zeros, ones = torch.zeros(3), torch.ones(3)
        torch.testing.assert_close(slerp(zeros, ones, 0.5), torch.full((3,), 0.5))
        assert torch.isfinite(slerp(ones, -ones, 0.5)).all()

    def test_whole_numbers_are_not_mixed(self) -> None:
        kept = fuse({"n": torch.tensor([1, 2])}, {"n": torch.tensor([5, 6])}, 0.5)
        assert kept["n"].tolist() == [1, 2]


class TestCosts:
    def test_pairs_cost_nothing_when_alike_are_one_and_others_at_right_angles(self) -> None:
        targets = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
        assert pair_costs(torch.eye(2)[[0, 0, 1]], targets).tolist() == [0, 0, 0]
        mixed = pair_costs(torch.eye(2)[[0, 1, 0]], targets)
        assert mixed.tolist() == pytest.approx([1.0, 0.5, 0.25])

    def test_one_text_alone_costs_nothing(self) -> None:
        assert pair_costs(torch.ones(1, 2), torch.ones(1, 3)).tolist() == [0]

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


def test_both_copies_are_made_and_fused(tiny: Contrastive, tmp_path: Path) -> None:
    data = named()
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))

    fitted = tiny.fit(data, np.random.default_rng(0), watch)
    assert seen[-1] == (8, 8), "two copies, two epochs of two steps each"
    ends = [
        replace(tiny, fusion=share).fit(data, np.random.default_rng(0), no_report)
        for share in (0.0, 1.0)
    ]
    name = "embeddings.word_embeddings.weight"
    fused, one, other = (each.network.encoder.state_dict()[name] for each in (fitted, *ends))
    assert not torch.equal(one, other)
    assert torch.dist(fused, one) < torch.dist(other, one)
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    assert again.student == "contrastive"
    np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))


def test_what_was_saved_in_bfloat16_is_tuned_in_float32(models: Path, tmp_path: Path) -> None:
    half = shutil.copytree(models / "text", tmp_path / "half")
    AutoModel.from_pretrained(half).bfloat16().save_pretrained(half)
    network, _, _ = unit_classifier(str(half), None, 16, 3)
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_without_label_texts_there_is_one_copy(tiny: Contrastive) -> None:
    seen: list[tuple[int, int]] = []
    data = lesson(30)
    tiny.fit(data, np.random.default_rng(0), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)
    assert label_places(data).tolist() == []
    assert label_places(named()).tolist() == [0, 1, 2]


def test_goes_on_behind_the_checkpoints_of_both_copies(tiny: Contrastive, tmp_path: Path) -> None:
    plan = replace(tiny, checkpoint_steps=1)

    def killed(done: int, total: int) -> None:
        if done == 6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan.fit(named(), np.random.default_rng(3), killed, None, tmp_path)
    first: list[int] = []
    resumed = plan.fit(
        named(), np.random.default_rng(3), lambda done, total: first.append(done), None, tmp_path
    )
    assert [done for done in first if done] == [4, 6, 7, 8], "one copy whole, the other went on"
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
    for wrong in ({"batch": 1}, {"fusion": 1.5}, {"learning_rate": 0.0}, {"most": 0}):
        with pytest.raises(ParameterError):
            Contrastive(**wrong)
