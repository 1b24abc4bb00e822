"""Low-rank adapters, and labels that count more because they are rare."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learning import students
from learning.errors import ModelUnavailableError, ParameterError
from learning.students.balance import label_weights
from learning.students.finetune import Finetune
from learning.students.lora import adapt, merge
from learning.students.losses import cross_entropy
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import lesson

__all__ = ["models"]


def test_adapters_begin_as_nothing_and_end_in_the_weights() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Linear(6, 3))
    x = torch.randn(5, 4)
    plain, before = network(x), {n: v.clone() for n, v in network.state_dict().items()}
    trained = adapt(network, rank=2, alpha=8.0, dropout=0.0)
    torch.testing.assert_close(network(x), plain)
    assert sorted(tuple(each.shape) for each in trained) == [(2, 4), (2, 6), (3, 2), (6, 2)]
    for each in trained:
        torch.nn.init.normal_(each)
    learnt = network(x)
    assert not torch.allclose(learnt, plain)
    merge(network)
    torch.testing.assert_close(network(x), learnt)
    assert {n: v.shape for n, v in network.state_dict().items()} == {
        n: v.shape for n, v in before.items()
    }
    torch.testing.assert_close(network[0].bias, before["0.bias"])


def test_a_model_without_linear_layers_is_refused() -> None:
    with pytest.raises(ModelUnavailableError, match="no linear layers"):
        adapt(torch.nn.Sequential(torch.nn.Conv1d(3, 3, 1)), rank=2, alpha=8.0, dropout=0.0)


def test_fine_tuning_by_adapters_learns_and_resumes(models: Path, tmp_path: Path) -> None:
    student = Finetune(
        model=str(models / "text"),
        method="lora",
        epochs=12,
        batch=8,
        learning_rate=3e-2,
        checkpoint_steps=10,
    )
    data = lesson()

    def stop(done: int, total: int) -> None:
        if done == 25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        student.fit(data, np.random.default_rng(1), stop, checkpoint=tmp_path / "state")
    whole = sum(path.stat().st_size for path in (models / "text").glob("*.safetensors"))
    state = next((tmp_path / "state").glob("*.safetensors"))
    assert state.stat().st_size < whole / 10, "frozen weights are not kept in checkpoints"
    fitted = student.fit(data, np.random.default_rng(9), no_report, checkpoint=tmp_path / "state")
    p = fitted.predict(data.texts)
    assert (p.argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.5, "chance is a third"
    straight = student.fit(data, np.random.default_rng(1), no_report)
    np.testing.assert_array_equal(p, straight.predict(data.texts))
    fitted.save(tmp_path / "student")
    np.testing.assert_array_equal(students.load(tmp_path / "student").predict(data.texts), p)


def test_rare_labels_count_more() -> None:
    targets = np.repeat(np.eye(3, dtype=np.float32), [6, 3, 1], axis=0)
    data = TrainingData(targets=np.c_[targets, np.zeros(10)], texts=["a"] * 10)
    weights = label_weights(data)
    np.testing.assert_allclose(weights[:3] * [6, 3, 1], weights[0] * 6, rtol=1e-6)
    assert (data.targets @ weights).mean() == pytest.approx(1), "items count 1 on average"
    several = label_weights(replace(data, multi_label=True))
    np.testing.assert_allclose(several, [1, 2, 6, 1])


@pytest.mark.parametrize("multi_label", [False, True])
def test_balanced_costs_are_least_where_both_answers_are_as_likely(multi_label: bool) -> None:
    """Nine answers of one kind and one of another: plain costs are least at 0.9, these at 0.5."""
    targets = np.repeat(np.eye(2, dtype=np.float32), [9, 1], axis=0)
    data = TrainingData(targets=targets, texts=["a"] * 10, multi_label=multi_label)
    balance = torch.from_numpy(label_weights(data))
    logits = torch.zeros(10, 2, requires_grad=True)
    known = torch.ones(10, 2, dtype=torch.bool)
    told = (logits, torch.from_numpy(targets), known)
    cross_entropy(*told, multi_label=multi_label, balance=balance).sum().backward()
    slope = logits.grad.sum(dim=0)
    assert slope[1] == pytest.approx(0, abs=1e-5), "the rare label is heard as it is believed"
    logits.grad = None
    cross_entropy(*told, multi_label=multi_label).sum().backward()
    assert logits.grad.sum(dim=0)[1] > 3


def test_balanced_fine_tuning_finds_the_rare_label_likelier(models: Path) -> None:
    data = lesson(30)
    rows = np.concatenate([np.arange(0, 30, 3), np.arange(1, 30, 3), np.arange(2, 6, 3)])
    student = Finetune(model=str(models / "text"), epochs=4, batch=8, learning_rate=1e-3)
    rare = {
        weights: replace(student, class_weights=weights)
        .fit(data.subset(rows), np.random.default_rng(0), no_report)
        .predict(data.texts)[:, 2]
        .mean()
        for weights in ("none", "balanced")
    }
    assert rare["balanced"] > 1.1 * rare["none"]


def test_refuses_bad_parameters() -> None:
    for wrong in ({"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}, {"weight_decay": -1.0}):
        with pytest.raises(ParameterError):
            Finetune(method="lora", **wrong)
