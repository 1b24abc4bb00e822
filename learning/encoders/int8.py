"""Linear layers that multiply whole numbers of 8 bits, for transformers on a processor."""

import torch
from torch import nn

LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer by whole numbers: a scale for each row of its weights, fixed, and one for each token that it is
    shown. No token's scale depends on others. Source: Dettmers et al. 2022 (vector-wise quantisation, without
    its outliers).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weights, self.scales = rounded(linear.weight.detach())
        self.weights = weights.t()  # (in, out)
        self.scales = self.scales.flatten()  # (out,)
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """(…, in) -> (…, out)"""
        tokens, scales = rounded(shown.reshape(-1, shown.shape[-1]))
        sums = torch._int_mm(tokens, self.weights).float()
        told = sums.mul_(scales).mul_(self.scales)
        if self.bias is not None:
            told.add_(self.bias)
        return told.reshape(*shown.shape[:-1], -1)


def rounded(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, d) whole numbers and (n, 1) scales, whose product is nearly `rows`."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny) / LARGEST
    return (rows / scales).round_().to(torch.int8), scales


def in_int8(model: nn.Module) -> nn.Module:
    """`model` itself, its linear layers replaced."""
    for name, part in model.named_children():
        setattr(model, name, Int8Linear(part) if isinstance(part, nn.Linear) else in_int8(part))
    return model
