"""Everything in one folder, and back: the database, the files, a manifest that vouches for both.

Files are copied before the database is dumped and again afterwards, so that whatever the dump names
is in the backup, although people and workers go on meanwhile.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

import annotator
from annotator.actions.imports.uploads import sentences_for_full_disks
from annotator.errors import ConflictError, InvalidError
from annotator.runtime.postgres import binary
from learning.errors import DamagedFileError
from learning.storage import read_json, sha256_of, write_json

VERSION = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
FOLDERS = ("uploads", "media", "matrices", "students", "snapshots", "simulations", "predictions")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """What a backup holds."""

    folder: Path
    files: int
    size_bytes: int


def backup(target: Path, report: Report) -> Written:
    """Write a backup into `target`, which must not exist yet. Raises ConflictError if it does.

    It is written beside its place and renamed at the end: a folder without the ending is whole.
    """
    target = target.absolute()
    if target.exists():
        raise ConflictError(f"{target} exists; a backup never overwrites. Name another folder.")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with sentences_for_full_disks():
            partial.mkdir(parents=True, mode=0o700)
            report("Copying the files")
            _copy_files(partial)
            report("Dumping the database")
            _dump(partial / DUMP)
            report("Copying what is new since")
            _copy_files(partial)
            report("Hashing")
            written = _vouch(partial)
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Written(target, *written)


def restore(source: Path, report: Report) -> Written:
    """Bring a backup into this installation, which must be empty.

    Every hash is checked first; the database is filled in one transaction. Raises ConflictError
    when something is here already, InvalidError for a backup that is damaged or of another kind.
    """
    manifest = _checked_manifest(source, report)
    _require_empty()
    data = Path(settings.DATA_DIR)
    copied: list[Path] = []
    try:
        with sentences_for_full_disks():
            report("Copying the files")
            for name in manifest["files"]:
                if name != DUMP:
                    target = data / name.removeprefix("files/")
                    _copy(source / name, target)
                    copied.append(target)
            report("Filling the database")
            _fill(source / DUMP)
    except BaseException:
        for path in copied:
            path.unlink(missing_ok=True)
        raise
    size = sum(one["bytes"] for one in manifest["files"].values())
    return Written(source, len(manifest["files"]), size)


def _copy_files(target: Path) -> None:
    """Copy what is missing or changed. A matrix's manifest goes first: it vouches for no row too many."""
    data = Path(settings.DATA_DIR)
    for path in _files(data):
        copy = target / "files" / path.relative_to(data)
        try:
            now = path.stat()
            if copy.exists():
                then = copy.stat()
                if (then.st_size, then.st_mtime_ns) == (now.st_size, now.st_mtime_ns):
                    continue
            _copy(path, copy)
        except FileNotFoundError:
            continue  # tidied away meanwhile; what the database still names was copied before


def _files(data: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        found = [path for path in (data / folder).rglob("*") if _belongs(path)]
        yield from sorted(found, key=lambda path: (path.suffix != ".json", str(path)))


def _belongs(path: Path) -> bool:
    """Files, but for locks and what is half written, whose names begin with a dot."""
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".lock"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _vouch(folder: Path) -> tuple[int, int]:
    hashed = {
        str(path.relative_to(folder)): (sha256_of(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    write_json(
        folder / MANIFEST,
        {
            "backup_version": VERSION,
            "made_by": f"Concord {annotator.__version__}",
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {
                name: {"sha256": digest, "bytes": size} for name, (digest, size) in hashed.items()
            },
        },
    )
    return len(hashed), sum(size for _, size in hashed.values())


def _checked_manifest(source: Path, report: Report) -> dict[str, Any]:
    try:
        manifest = read_json(source / MANIFEST)
    except DamagedFileError as error:
        raise InvalidError(f"{source} is not a backup: {error}") from error
    if manifest.get("backup_version") != VERSION or DUMP not in manifest.get("files", {}):
        raise InvalidError(f"{source} is a backup of another kind than this version restores.")
    report("Checking the hashes")
    for name, told in manifest["files"].items():
        path = (source / name).resolve()
        if not path.is_relative_to(source.resolve()):
            raise InvalidError(f"The manifest names {name}, which lies outside the backup.")
        if not path.is_file() or sha256_of(path) != told["sha256"]:
            raise InvalidError(f"{name} is missing or was changed; the backup is not restored.")
        if name != DUMP and name.split("/")[:1] != ["files"]:
            raise InvalidError(f"The manifest names {name}, which no backup holds.")
    return manifest


def _require_empty() -> None:
    with connection.cursor() as cursor:
        for table in ("annotator_user", "annotator_project"):
            cursor.execute("SELECT to_regclass(%s)", [table])
            if cursor.fetchone()[0] is None:
                continue
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table})")  # noqa: S608 - our own names
            if cursor.fetchone()[0]:
                raise ConflictError(
                    "This installation has accounts or projects already. Restore into an empty "
                    "one: a new DATA_DIR, or a new database in DATABASE_URL."
                )
    data = Path(settings.DATA_DIR)
    for folder in FOLDERS:
        if next(filter(_belongs, (data / folder).rglob("*")), None) is not None:
            raise ConflictError(f"{data / folder} holds files already. Restore into an empty one.")


def _dump(target: Path) -> None:
    _run([_program("pg_dump"), "--format=custom", "--no-owner", "--no-acl", f"--file={target}"])


def _fill(dump: Path) -> None:
    """Put the dump in the place of an empty schema, all of it or nothing."""
    program = _program("pg_restore")
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    connection.close()
    _run(
        [
            *(program, "--single-transaction", "--exit-on-error"),
            *("--no-owner", "--no-acl", f"--dbname={connection.settings_dict['NAME']}", str(dump)),
        ]
    )


def _program(name: str) -> str:
    """The program of the server's own major; else a newer one, which can read an older server."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    found = {_major(path): path for path in reversed(_installed(name))}
    if server in found:
        return found[server]
    newer = [major for major in found if major > server]
    if newer:
        return found[min(newer)]
    raise InvalidError(
        f"The database is PostgreSQL {server}, and this machine has no {name} as new as that. "
        f"Install the client programs of PostgreSQL {server}."
    )


def _installed(name: str) -> list[str]:
    """Every copy of a program of PostgreSQL, the one beside our own server first."""
    yours = shutil.which(name)
    others = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return [str(binary(name)), *([yours] if yours else []), *map(str, others)]


def _major(program: str) -> int:
    told = subprocess.run(  # noqa: S603 - a list, and the program is one of PostgreSQL's
        [program, "--version"], capture_output=True, text=True, check=True
    )
    number = re.search(r"\) (\d+)", told.stdout)
    return int(number[1]) if number else 0


def _run(program: list[str]) -> None:
    """Run one of PostgreSQL's programs against our database; its last words become the refusal."""
    known = connection.settings_dict
    surroundings = {
        "PGHOST": known["HOST"],
        "PGPORT": str(known["PORT"]),
        "PGUSER": known["USER"],
        "PGPASSWORD": known["PASSWORD"],
        "PGDATABASE": known["NAME"],
        "PGSSLMODE": known["OPTIONS"].get("sslmode", ""),
    }
    environment = os.environ | {name: value for name, value in surroundings.items() if value}
    done = subprocess.run(  # noqa: S603 - a list, and the program is one of ours
        program, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["it said nothing"]
        raise InvalidError(f"{Path(program[0]).name} failed: {told[-1]}")
