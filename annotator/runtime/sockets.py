"""Where unix sockets lie: their paths may be about a hundred bytes long, folders longer."""

import hashlib
import os
import tempfile
from pathlib import Path

LONGEST = 103  # bytes: macOS allows 103, Linux 107


def folder(wanted: Path, name: str) -> Path:
    """Return `wanted`, or a short folder of its own when `wanted/name` is too long a path."""
    if len(os.fsencode(wanted / name)) <= LONGEST:
        return wanted
    digest = hashlib.blake2b(os.fsencode(wanted), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"concord-{digest}"


def model(data_dir: Path) -> Path:
    """Return the path of the model process's socket."""
    return folder(data_dir / "run", "model.sock") / "model.sock"
