"""The dual encoder: soft top-k and its gradient, and labels that are known by their text alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learning.errors import ParameterError
from learning.students.dual_encoder import DualEncoder
from learning.students.top_k import log_soft_top_k, top_k_costs
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import WORDS, lesson

__all__ = ["models"]


@pytest.fixture
def tiny(models: Path) -> DualEncoder:
    return DualEncoder(model=str(models / "text"), epochs=6, batch=10, learning_rate=1e-3)


def scores(rows: int = 4, labels: int = 9) -> torch.Tensor:
    return 3 * torch.randn(
        rows, labels, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )


class TestSoftTopK:
    @pytest.mark.parametrize("k", [1, 3, 8])
    def test_shares_sum_to_k_and_keep_the_order(self, k: int) -> None:
        shares = log_soft_top_k(scores(), k).exp()
        torch.testing.assert_close(
            shares.sum(dim=1), torch.full((4,), float(k), dtype=torch.float64), atol=1e-4, rtol=0
        )
        assert torch.equal(shares.argsort(dim=1), scores().argsort(dim=1))

    def test_the_implicit_gradient_is_the_numerical_one(self) -> None:
        given = scores(2, 6).requires_grad_()
        assert torch.autograd.gradcheck(lambda s: log_soft_top_k(s, 2), (given,), atol=1e-4)

    def test_far_scores_stay_numbers(self) -> None:
        far = torch.tensor([[1e4, -1e4, 0.0, 5.0]], requires_grad=True)
        log_soft_top_k(far, 2).sum().backward()
        assert torch.isfinite(far.grad).all()

    def test_labels_among_the_nearest_cost_little(self) -> None:
        known = torch.ones(1, 4, dtype=torch.bool)
        given = torch.tensor([[9.0, 8.0, -5.0, -6.0]])
        near = top_k_costs(given, torch.tensor([[1.0, 1, 0, 0]]), known, 2)
        far = top_k_costs(given, torch.tensor([[0, 0, 1.0, 0]]), known, 2)
        assert near < 0.1 < 3 < far


@pytest.mark.parametrize("loss", ["softmax", "top-k"])
def test_learns_from_texts_and_label_texts(tiny: DualEncoder, loss: str) -> None:
    data = replace(lesson(30), label_texts=(*WORDS, ""))
    fitted = replace(tiny, loss=loss, top=1).fit(data, np.random.default_rng(0), no_report)
    right = fitted.predict(data.texts).argmax(axis=1) == data.targets.argmax(axis=1)
    assert right.mean() > 0.9
    norms = fitted.network.head.weight.norm(dim=1)
    assert norms[:3].tolist() == pytest.approx([20, 20, 20], rel=1e-3)
    assert norms[3] == 0


def test_a_label_without_an_example_is_found_by_its_text(tiny: DualEncoder) -> None:
    whole = lesson(60)
    seen = np.flatnonzero(whole.targets.argmax(axis=1) < 2)
    known = np.ones((len(seen), 3), dtype=np.bool_)
    known[:, 2] = False  # the label is newer than every answer
    data = TrainingData(
        targets=whole.targets[seen][:, :3],
        texts=[whole.texts[row] for row in seen],
        known=known,
        label_texts=WORDS,
    )
    fitted = tiny.fit(data, np.random.default_rng(0), no_report)
    p = fitted.predict([WORDS[2], f"{WORDS[2]} 3", WORDS[0]])
    assert (p[:, 2] > 0).all()
    assert p[:2, 2].min() > p[2, 2]


def test_refuses_bad_parameters() -> None:
    for wrong in ({"top": 0}, {"compared": 0}, {"label_rate": 0.0}, {"epochs": 0}):
        with pytest.raises(ParameterError):
            DualEncoder(**wrong)
