"""Images of a project: stored under the hash of their content, never under a name from outside."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from django.conf import settings

from annotator.errors import NotFoundError
from annotator.models import Item

_NAME = re.compile(r"^[0-9a-f]{32}\.(png|jpg|webp|gif)$")
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


def media_folder(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "media" / str(project_id)


def store_image(project_id: int, content: bytes, extension: str) -> str:
    """Keep an image that was verified already. Returns the name that items refer to."""
    name = f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.{extension}"
    folder = media_folder(project_id)
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.write_bytes(content)
        fresh.replace(path)
    return name


def image_path(project_id: int, name: str) -> Path:
    """Where an image lies. Raises NotFoundError for a name that we did not give or no longer have."""
    path = media_folder(project_id) / name
    if not _NAME.match(name) or not path.is_file():
        raise NotFoundError("That image is not here.")
    return path


def read_image(project_id: int, name: str) -> bytes:
    return image_path(project_id, name).read_bytes()


def size_of(project_id: int, name: str) -> tuple[int, int] | None:
    """Width and height in pixels, from the head of the file; None for one that is no longer here."""
    from PIL import Image

    try:
        with Image.open(image_path(project_id, name)) as image:
            return image.size
    except NotFoundError:
        return None


def sweep_images(project_id: int) -> int:
    """Remove the images that no item refers to; only while nothing is being imported."""
    folder = media_folder(project_id)
    if not folder.is_dir():
        return 0
    items = Item.objects.filter(project_id=project_id)
    used = set(items.values_list("image", flat=True).iterator(chunk_size=10_000))
    orphans = [path for path in folder.iterdir() if path.name not in used]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)
