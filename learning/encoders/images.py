"""From the bytes of an image file to arrays, by way of Pillow."""

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError, UnreadableItemError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_PIXELS = 50_000_000  # a small file can name a size that no memory holds


def open_image(content: object) -> "Picture":
    """The decoded picture in RGB on white, turned as its camera noted.

    Raises UnreadableItemError for what Pillow cannot read, or for more than MOST_PIXELS.
    """
    from PIL import Image, ImageOps

    if not isinstance(content, bytes):
        raise ShapeError("An image encoder encodes the bytes of image files.")
    try:
        picture = Image.open(io.BytesIO(content))  # reads the header only
        if picture.width * picture.height > MOST_PIXELS:
            raise UnreadableItemError(
                f"An image of {picture.width} × {picture.height} pixels is too large."
            )
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableItemError(f"An image cannot be read: {error}") from error
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("RGB")


def pixels(content: object, size: int, mode: str) -> NDArray[np.float32]:
    """The picture as `size` × `size` values in 0 … 1, flat; `mode` is "L" (grey) or "RGB"."""
    from PIL import Image

    small = open_image(content).convert(mode).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32).ravel() / np.float32(255)
