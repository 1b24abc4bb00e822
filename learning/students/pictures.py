"""Images as networks take them, decoded when they are needed. Imports torch: only reached from a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.encoders.images import open_image
from learning.errors import UnreadableItemError
from learning.image_files import name_of
from learning.students.devices import device
from learning.students.small_network import numbers_of

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# Of a lesson, so much is kept as numbers once it is decoded; the rest is decoded each time.
KEPT_BYTES = 256_000_000

Eye = Callable[["Picture"], torch.Tensor]
"""A decoded picture -> (3, h, w) float32, of the size that a network was made for."""


def small_eye(picture: Picture) -> torch.Tensor:
    """As the built-in network takes it."""
    return torch.from_numpy(numbers_of(picture))


@dataclass(frozen=True, kw_only=True)
class ProcessorEye:
    """As a model of transformers takes it. processor: what was saved with the model."""

    processor: Any

    def __call__(self, picture: Picture) -> torch.Tensor:
        found: torch.Tensor = self.processor(images=[picture], return_tensors="pt")["pixel_values"][
            0
        ]
        return found.float()


def seen(images: Sequence[bytes], place: int, eye: Eye) -> torch.Tensor:
    """(3, h, w) of one of the images; raises UnreadableItemError, which names it."""
    try:
        return eye(open_image(images[place]))
    except UnreadableItemError as error:
        name = name_of(images, place)
        told = str(error)
        raise UnreadableItemError(told if told.startswith(name) else f"{name}: {told}") from error


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The images of a lesson, as `learning.students.classification.Inputs`."""

    images: Sequence[bytes]
    eye: Eye
    kept: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) zeros: all are as large."""
        return np.zeros(len(self.images), dtype=np.int64)

    def take(self, rows: NDArray[np.int64]) -> torch.Tensor:
        """(b, 3, h, w) on the device."""
        return torch.stack([self._one(int(row)) for row in rows]).to(device())

    def _one(self, row: int) -> torch.Tensor:
        found = self.kept.get(row)
        if found is None:
            found = seen(self.images, row, self.eye)
            if (len(self.kept) + 1) * found.nbytes <= KEPT_BYTES:
                self.kept[row] = found
        return found
