"""Images as what looks at them takes them."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

Picture = str | Path | bytes  # a path, or a file's content


def opened(image: Picture) -> Any:
    """The picture in RGB on white, turned as its camera noted."""
    picture = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("RGB")
