"""Image files as a sequence of their bytes, each read when it is asked for, so that they are never held all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from learning.errors import UnreadableItemError

# One white pixel (PNG): what stands for the image of an item that was redacted.
BLANK = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da63f80f00010101001cb08c990000000049454e44ae426082"
)


@dataclass(frozen=True, kw_only=True)
class ImageFiles(Sequence[bytes]):
    """paths: one a file, "" for an image that was redacted, which reads as `BLANK`.
    names: what a refusal calls each of them, as the people who could mend it do.
    was_redacted: asked for the path of a file that is not there any more; where it says so, that reads as `BLANK` too.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    was_redacted: Callable[[str], bool] = lambda _path: False

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> ImageFiles: ...
    def __getitem__(self, place: int | slice) -> bytes | ImageFiles:
        """The bytes of one file, or a part of the sequence, which reads nothing yet.

        Raises UnreadableItemError for a file that is not there.
        """
        if isinstance(place, slice):
            return replace(self, paths=self.paths[place], names=self.names[place])
        if not self.paths[place]:
            return BLANK
        try:
            return Path(self.paths[place]).read_bytes()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self.was_redacted(self.paths[place]):
                return BLANK
            raise UnreadableItemError(
                f"{self.names[place]}: its file cannot be read: {error.strerror}."
            ) from error


def of_rows(images: Sequence[bytes], rows: NDArray[np.int64]) -> Sequence[bytes]:
    """The images of some rows, in this order; of files none is read yet."""
    if isinstance(images, ImageFiles):
        return replace(
            images,
            paths=tuple(images.paths[row] for row in rows),
            names=tuple(images.names[row] for row in rows),
        )
    return [images[row] for row in rows]


def name_of(images: Sequence[bytes], place: int) -> str:
    """What a refusal calls one of them."""
    return images.names[place] if isinstance(images, ImageFiles) else f"Image {place} (from 0)"
