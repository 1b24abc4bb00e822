"""A small network for pictures that begins with weights by chance, so that nothing is to be downloaded.

Needs torch alone, and leaves beside the weights that it was trained to.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

SIDE = 32  # pixels; a picture is made so wide and so high
WIDTHS = (16, 32, 64)
GROUP = 4  # channels that are brought to one scale together


class SmallNetwork(torch.nn.Module):
    """Pictures (b, 3, SIDE, SIDE) -> (b, 64): three stages of convolutions, each of which halves the side, then the
    mean over all places.

    What one picture becomes does not depend on those beside it. Source: Wu, He 2018 (groups of channels).
    """

    dimensions = WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        before, deep = (3, *WIDTHS[:-1]), (1, 2, 2)
        self.stages = torch.nn.ModuleList(
            _stage(taken, width, layers)
            for taken, width, layers in zip(before, WIDTHS, deep, strict=True)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            pixels = stage(pixels)
        return pixels.mean(dim=(2, 3))


def numbers_of(picture: Any) -> NDArray[np.float32]:
    """A picture (of Pillow, RGB) -> (3, SIDE, SIDE), as the network takes it."""
    small = picture.resize((SIDE, SIDE), resample=2)  # 2: Pillow's bilinear
    shares = np.asarray(small, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(((shares - 0.5) / 0.25).transpose(2, 0, 1), dtype=np.float32)


def _stage(before: int, width: int, layers: int) -> torch.nn.Sequential:
    made: list[torch.nn.Module] = []
    for layer in range(layers):
        taken = before if layer == 0 else width
        made += [
            torch.nn.Conv2d(taken, width, 3, padding=1, bias=False),
            torch.nn.GroupNorm(width // GROUP, width),
            torch.nn.GELU(),
        ]
    return torch.nn.Sequential(*made, torch.nn.MaxPool2d(2))
