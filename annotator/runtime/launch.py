"""What happens before a management command runs: the right user, and a database under it."""

import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from annotator import environment
from annotator.runtime import child, processes
from annotator.runtime.errors import StartError
from annotator.runtime.postgres import Postgres

# These need no database, or bring their own
WITHOUT_DATABASE = {"up", "help", "version", "check", "collectstatic", "simulate"}


@contextmanager
def prepared(argv: Sequence[str]) -> Iterator[None]:
    """Run the body as the data folder's owner, with the embedded PostgreSQL if it needs one."""
    command = argv[1] if len(argv) > 1 else "help"
    try:
        data_dir = environment.data_folder()
        become_owner(data_dir)
        if _needs_database(command, argv):
            with Postgres(data_dir).in_use():
                yield
        else:
            yield
    except (StartError, ImproperlyConfigured) as error:
        sys.exit(f"concord: {error}")


def _needs_database(command: str, argv: Sequence[str]) -> bool:
    if environment.text("DATABASE_URL") or processes.MARK in os.environ:
        return False
    return command not in WITHOUT_DATABASE and not command.startswith("-") and "--help" not in argv


def become_owner(data_dir: Path) -> None:
    """As root in an ordinary user's folder, become that user, so that both can start it in turn."""
    if os.geteuid() != 0:
        return
    there = next(folder for folder in [data_dir, *data_dir.parents] if folder.exists())
    owner = there.stat().st_uid
    if owner == 0:
        return
    try:
        account = pwd.getpwuid(owner).pw_name
    except KeyError:  # a mounted folder of a user this machine does not know: stay root
        return
    child.become(account)
    if not os.access(sys.executable, os.X_OK) or not os.access(__file__, os.R_OK):
        raise StartError(
            f"{data_dir} belongs to {account}, who cannot read the program in "
            f"{Path(__file__).parent.parent.parent}. Move the program to a folder that {account} "
            "can read, or set DATA_DIR to a folder of root's."
        )
