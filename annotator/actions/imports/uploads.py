"""Uploaded files: kept under random names in the data folder until they are imported."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import OperationalError

from annotator.errors import InvalidError, NotFoundError, UnavailableError

MOST_BYTES = 8 * 1024**3
_BLOCK = 1 << 20
_POSTGRES_DISK_FULL = "53100"


@dataclass(frozen=True)
class Stored:
    """A file that was received: the name we gave it, its SHA-256 and its size."""

    name: str
    sha256: str
    size_bytes: int


def folder() -> Path:
    return Path(settings.DATA_DIR) / "uploads"


def path_of(stored_name: str) -> Path:
    """Where an upload lies. Raises NotFoundError when it is gone."""
    path = folder() / stored_name
    if not stored_name or not path.is_file():
        raise NotFoundError("The uploaded file is gone; upload it again.")
    return path


def beside(stored_name: str) -> Path:
    """Where what was learnt of an upload may be kept; it goes with it."""
    return folder() / f"{stored_name}.learnt"


def store(file: BinaryIO) -> Stored:
    """Keep a file, all of it or nothing. Raises InvalidError when it is too large."""
    folder().mkdir(parents=True, exist_ok=True)
    name = secrets.token_hex(16)
    fresh = folder() / f".{name}"
    digest, size = hashlib.sha256(), 0
    try:
        with sentences_for_full_disks(), fresh.open("wb") as target:
            while block := file.read(_BLOCK):
                size += len(block)
                if size > MOST_BYTES:
                    raise InvalidError(f"The file is larger than {MOST_BYTES >> 30} GB.")
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(folder() / name)
    finally:
        fresh.unlink(missing_ok=True)
    return Stored(name, digest.hexdigest(), size)


def remove(stored_name: str) -> None:
    """Let an upload go; safe when it is gone already."""
    if stored_name:
        (folder() / stored_name).unlink(missing_ok=True)
        beside(stored_name).unlink(missing_ok=True)


@contextmanager
def sentences_for_full_disks() -> Iterator[None]:
    """Turn a full disk, ours or the database's, into a refusal that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise UnavailableError(
            "The disk that holds the data folder is full. Nothing was half written; "
            "make room and try again."
        ) from error
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _POSTGRES_DISK_FULL:
            raise
        raise UnavailableError(
            "The disk of the database is full. Nothing was half written; make room and try again."
        ) from error
