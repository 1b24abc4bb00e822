"""Two networks of one shape made into one: each tensor goes half the way along the arc between them.

Source: Shoemake 1985 (SLERP); Schopf, Blatzheim, Machner, Matthes 2024 (FusionSent).
"""

import torch

PARALLEL = 0.9995  # cosine from which the arc is a line

Weights = dict[str, torch.Tensor]


def slerp(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """A tensor `share` (0 … 1) of the way from `one` to `other` along the arc, lengths kept apart.

    The angle is that between the flattened tensors, the weights are applied to them as they are:
    0 gives `one`, 1 gives `other`, equal ones stay. Nearly parallel ones go along the line.
    """
    a, b = one.double().flatten(), other.double().flatten()
    lengths = a.norm() * b.norm()
    cosine = float((a @ b / lengths).clamp(-1, 1)) if lengths > 0 else 1.0
    if abs(cosine) > PARALLEL:
        mixed = (1 - share) * a + share * b
    else:
        angle = torch.arccos(torch.tensor(cosine, dtype=torch.float64))
        mixed = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(
            angle
        )
    return mixed.reshape(one.shape).to(one.dtype)


def fuse(one: Weights, other: Weights, share: float) -> Weights:
    """Each floating-point tensor of two networks by `slerp`; whole numbers are those of `one`."""
    return {
        name: slerp(value, other[name], share) if value.is_floating_point() else value
        for name, value in one.items()
    }
