"""Folders of arrays on disk: safetensors beside a manifest with hashes. No pickle.

The manifest is written last, so a folder without one was never finished; reading checks every
file against its sha256 and refuses the folder when one differs.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError

MANIFEST = "manifest.json"
ARRAYS = "arrays.safetensors"


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` by `content` in one step that survives a power cut."""
    write_bytes(path, json.dumps(content, indent=1, sort_keys=True).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` in one step: a reader sees the old file or the new one, never half."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    with fresh.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and new files in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; raises DamagedFileError when it is missing or unreadable."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DamagedFileError(f"{path} is missing.") from None
    except ValueError as error:
        raise DamagedFileError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} does not hold a JSON object.")
    return content


def save_folder(
    folder: Path, arrays: Mapping[str, NDArray[Any]], manifest: Mapping[str, Any]
) -> None:
    """Write `arrays` and `manifest` into `folder` (made if missing, finished by the manifest)."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # an older manifest must not vouch for new files
    write_bytes(folder / ARRAYS, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
    finish_folder(folder, manifest)


def finish_folder(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Hash every file in `folder` and write the manifest that vouches for them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    hashes = {str(path.relative_to(folder)): sha256_of(path) for path in files}
    write_json(folder / MANIFEST, {**manifest, "sha256": hashes})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`, after every file that it names was found unchanged."""
    manifest = read_json(folder / MANIFEST)
    for name, expected in manifest.get("sha256", {}).items():
        path = folder / name
        if not path.is_file():
            raise DamagedFileError(f"{path} is missing.")
        if sha256_of(path) != expected:
            raise DamagedFileError(f"{path} was changed after it was saved; it will not be loaded.")
    return manifest


def load_folder(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, manifest) of a folder that `save_folder` wrote."""
    from safetensors.numpy import load

    manifest = read_manifest(folder)
    if ARRAYS not in manifest.get("sha256", {}):
        raise DamagedFileError(f"The manifest in {folder} does not vouch for {ARRAYS}.")
    return load((folder / ARRAYS).read_bytes()), manifest


def note(folder: Path, facts: Mapping[str, Any]) -> None:
    """Add facts to the manifest of a finished folder; the files that it vouches for stay as they are."""
    write_json(folder / MANIFEST, {**read_json(folder / MANIFEST), **facts})
