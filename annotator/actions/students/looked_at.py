"""Images that somebody shows to a student: decoded as an import decodes them, and never kept."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from annotator.errors import InvalidError
from annotator.runtime.modelclient import ModelBusyError

if TYPE_CHECKING:
    from annotator.formats.images import CleanImage

IMAGES_AT_MOST = 16
# A web process decodes them: an import's largest would take 20 seconds and more than a gigabyte.
MOST_PIXELS, MOST_TOGETHER = 25_000_000, 50_000_000
# They are packed for a moment only.
EFFORT = 1
# One question's images are decoded at a time, so that memory is bounded by the largest. Nobody waits for the place,
# since who waits has a thread as well.
_place = threading.Lock()


def shown(files: Sequence[bytes], names: Sequence[str], field: str) -> list[CleanImage]:
    """The images as students of images take them, in their order; `names` are what a refusal calls them.

    Raises InvalidError for a file that is no image or too large an one, ModelBusyError while others' are decoded.
    """
    if not _place.acquire(blocking=False):
        raise ModelBusyError("Another image is being looked at; try again in a few seconds.")
    try:
        return list(_shown(files, names, field))
    finally:
        _place.release()


def _shown(files: Sequence[bytes], names: Sequence[str], field: str) -> Iterator[CleanImage]:
    from annotator.formats.images import ImageError, clean
    from annotator.formats.records import Limits

    limits, pixels = Limits(image_pixels=MOST_PIXELS), 0
    for data, name in zip(files, names, strict=True):
        try:
            if len(data) > limits.image_bytes:
                raise ImageError(f"The file is larger than {limits.image_bytes:,} bytes.")
            image = clean(data, limits, effort=EFFORT)
            if len(image.data) > limits.image_bytes:
                raise ImageError(
                    f"The image takes more than {limits.image_bytes:,} bytes as it is."
                )
        except ImageError as error:
            raise InvalidError(f"{name}: {error}", field=field) from error
        pixels += image.width * image.height
        if pixels > MOST_TOGETHER:
            raise InvalidError(
                f"The images have more than {MOST_TOGETHER:,} pixels together; ask about them in parts.",
                field=field,
            )
        yield image


def from_base64(images: Sequence[str], field: str) -> list[CleanImage]:
    """Image files' bytes in base64, which line breaks may part, as `shown` gives them."""
    names = [f"Image {number} (from 0)" for number in range(len(images))]
    files = []
    for name, each in zip(names, images, strict=True):
        try:
            files.append(base64.b64decode("".join(each.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise InvalidError(f"{name} is not written in base64.", field=field) from error
    return shown(files, names, field)
