"""Soft top-k: how surely each of many scores is among the k largest, as a smooth function.

Source: Gupta et al. 2024 (DEXML). Imports torch: only reached from a fit.
"""

from typing import Any

import torch

SHARPNESS = 2.0
HALVINGS = 40


class _LogSoftTopK(torch.autograd.Function):
    """log sigmoid(a (s + t)) with the t of each row for which the sigmoids sum to k.

    t is found by bisection and differentiated implicitly: with σ the sigmoids, u = g a (1 - σ) and
    v = a σ (1 - σ), the gradient by s is u - v Σu / Σv.
    """

    @staticmethod
    def forward(context: Any, scores: torch.Tensor, k: int) -> torch.Tensor:
        shift = _shift(scores, k)
        context.save_for_backward(torch.sigmoid(SHARPNESS * (scores + shift)))
        return torch.nn.functional.logsigmoid(SHARPNESS * (scores + shift))

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (share,) = context.saved_tensors
        u = gradients[0] * SHARPNESS * (1 - share)
        v = SHARPNESS * share * (1 - share)
        total = v.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return u - v * u.sum(dim=1, keepdim=True) / total, None


def log_soft_top_k(scores: torch.Tensor, k: int) -> torch.Tensor:
    """(b, m) scores -> (b, m) logarithms of shares in 0 … 1 that sum to k in each row; k below m."""
    found: torch.Tensor = _LogSoftTopK.apply(scores, k)
    return found


def top_k_costs(
    scores: torch.Tensor, targets: torch.Tensor, known: torch.Tensor, k: int
) -> torch.Tensor:
    """(b, m) scores, soft targets and what is known of them -> (b,) costs, 0 for a row without labels.

    The mean over a row's labels of -log of how surely each is among the k nearest; k is at most one
    less than there are labels to compare.
    """
    hidden = scores.masked_fill(~known, -1e4)
    logs = log_soft_top_k(hidden, max(1, min(k, scores.shape[1] - 1)))
    return -(targets * logs).sum(dim=1) / targets.sum(dim=1).clamp(min=1)


def _shift(scores: torch.Tensor, k: int) -> torch.Tensor:
    """(b, 1) what to add to the scores of each row so that their sigmoids sum to k."""
    ordered = scores.sort(dim=1, descending=True).values
    width = 1 + torch.log(torch.tensor(float(scores.shape[1]))) * 2 / SHARPNESS
    low, high = -ordered[:, :1] - width, -ordered[:, k - 1 : k] + width
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        many = torch.sigmoid(SHARPNESS * (scores + middle)).sum(dim=1, keepdim=True) > k
        high, low = torch.where(many, middle, high), torch.where(many, low, middle)
    return (low + high) / 2
