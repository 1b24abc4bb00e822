"""Runs everything on one machine: database, web server, workers, model process, sweeper.

It stays small (no Django), starts its children so that the kernel takes them down with it, and at
its own start ends whatever an earlier one that was killed may have left.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from django.core.exceptions import ImproperlyConfigured

from annotator import environment
from annotator.runtime import launch, processes, services
from annotator.runtime.errors import StartError
from annotator.runtime.postgres import Postgres
from annotator.runtime.services import Service

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0  # who ran that long starts again without a pause
GRACE_SECONDS = 6.0
LONGEST_LOG = 20_000_000  # bytes
READY_SECONDS = 120


@dataclass
class Child:
    """A service and its present process; restarted with growing pauses when it ends."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    restarts: int = 0


@dataclass
class Supervisor:
    """All children of one data folder."""

    data_dir: Path
    host: str
    port: int
    stopping: threading.Event = field(default_factory=threading.Event)
    children: list[Child] = field(default_factory=list)
    database_pause_seconds: float = FIRST_PAUSE_SECONDS

    def run(self) -> None:
        """Start everything, print the one line, and keep it running until told to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        with self._only_one(), self._listener() as listener:
            self._end_leftovers()
            postgres = None if environment.text("DATABASE_URL") else Postgres(self.data_dir)
            with postgres.supervised() if postgres else nullcontext():
                try:
                    self._run(listener, postgres)
                finally:
                    self._stop_children()

    def _run(self, listener: socket.socket, postgres: Postgres | None) -> None:
        logins = self._prepare()
        if self.stopping.is_set():
            return
        web, *others = [Child(service) for service in services.every(listener.fileno())]
        self.children = [web]  # alone at first, so that people wait for nothing else
        self._wait_until_ready()
        if not self.stopping.is_set():
            sys.stdout.write(self._line(logins))
            sys.stdout.flush()
        self.children += others
        while not self.stopping.wait(0.5):
            self._start_due()
            self._trim_logs()
            if postgres is not None:
                self._keep_alive(postgres)

    def _asked_to_stop(self, number: int, frame: object) -> None:
        if self.stopping.is_set():  # asked twice: at once
            for child in self.children:
                self._signal(child, signal.SIGKILL)
        self.stopping.set()

    # --- before ------------------------------------------------------------------------------

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Hold the data folder: the lock parts two supervisors, and dies with its holder."""
        folder = self.data_dir / "run"
        try:
            self.data_dir.mkdir(
                mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True
            )
            folder.mkdir(mode=0o700, exist_ok=True)
            file = (folder / "supervisor").open("a+")
        except OSError as error:
            raise StartError(
                f"The data folder {self.data_dir} cannot be written ({error.strerror}). Start as "
                "the user it belongs to, give it to yourself with chown -R, or set DATA_DIR."
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise StartError(
                    f"It already runs from {self.data_dir} ({file.read().strip()}). "
                    "Stop that one with Ctrl-C, or set DATA_DIR to another folder."
                ) from error
            file.truncate(0)
            file.write(f"process {os.getpid()}, port {self.port}")
            file.flush()
            yield

    @contextmanager
    def _listener(self) -> Iterator[socket.socket]:
        """Take the port now and keep it, so that a restarted web server loses no connection."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._bind(listener)
            except (OSError, OverflowError) as error:
                raise StartError(
                    f"Port {self.port} on {self.host} cannot be taken ({error}). If another "
                    f"program has it, choose one: PORT={self.port + 1} make run."
                ) from error
            self.port = listener.getsockname()[1]
            yield listener

    def _bind(self, listener: socket.socket) -> None:
        try:
            listener.bind((self.host, self.port))
        except OSError:
            if not list(processes.marked(self.data_dir)):
                raise
            self._end_leftovers()  # a killed supervisor's web server still holds the port
            listener.bind((self.host, self.port))
        listener.listen(2048)

    def _end_leftovers(self) -> None:
        processes.end(processes.marked(self.data_dir), grace_seconds=5)

    def _prepare(self) -> list[dict[str, str]]:
        """Migrate, collect static files and make the demo, in a process that then is gone."""
        answer = self.data_dir / "run" / "prepared.json"
        answer.unlink(missing_ok=True)
        program = (sys.executable, "manage.py", "prepare", "--answer", str(answer))
        child = Child(Service(name="prepare", program=program, role="command"))
        self.children = [child]
        self._start(child)
        assert child.process is not None  # noqa: S101 (for the type checker)
        while child.process.poll() is None:
            if self.stopping.wait(0.05):
                return []
        if child.process.returncode:
            raise StartError(
                f"The database could not be prepared; {self._log_path('prepare')} says why: "
                f"{self._last_line('prepare')}"
            )
        logins: list[dict[str, str]] = json.loads(answer.read_text())["logins"]
        answer.unlink()
        return logins

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        address = "127.0.0.1" if self.host in environment.EVERY_ADDRESS else self.host
        host = f"[{address}]" if ":" in address else address
        while not self.stopping.is_set():
            self._start_due()
            with suppress(urllib.error.URLError, TimeoutError, ConnectionError):
                urllib.request.urlopen(f"http://{host}:{self.port}/health", timeout=5).close()
                return
            if time.monotonic() > deadline:
                raise StartError(f"The web server does not answer; see {self._log_path('web')}.")
            self.stopping.wait(0.1)

    def _line(self, logins: list[dict[str, str]]) -> str:
        host = "127.0.0.1" if self.host in environment.EVERY_ADDRESS else self.host
        public = environment.text("PUBLIC_URL").rstrip("/")
        url = public or f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        line = f"Concord runs at {url}"
        if logins:
            people = ", ".join(f"{one['username']} / {one['password']}" for one in logins)
            line += f"  Demo log-ins: {people}"
        if self.host not in environment.LOOPBACK_HOSTS and not public.startswith("https://"):
            line += (
                "\nHTTPS is missing: passwords and labels cross the network readable. Put a proxy "
                "in front and set PUBLIC_URL=https://…"
            )
        return line + "\n"

    # --- meanwhile ---------------------------------------------------------------------------

    def _start_due(self) -> None:
        """Start what has not been started or has ended, each with its own growing pause."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._note_end(child, now)
            if child.process is None and now >= child.start_again_at and not self.stopping.is_set():
                self._start(child)

    def _keep_alive(self, postgres: Postgres) -> None:
        """Start an ended database again; if it ends while it starts, or the disk is full, go on.

        One that somebody else told to stop would wait until our own services let it go.
        """
        try:
            if postgres.waits_for_clients():
                self._log("PostgreSQL was told to stop, and waits for its clients; stopping it")
                postgres.stop()
            if postgres.running() is not None:
                return
            self._log("PostgreSQL ended; starting it again")
            postgres.start(dies_with_us=True)
        except StartError as error:
            self._log(f"{error} Trying again in {self.database_pause_seconds:.1f} s")
            self.stopping.wait(self.database_pause_seconds)
            self.database_pause_seconds = min(
                2 * self.database_pause_seconds, LONGEST_PAUSE_SECONDS
            )
        else:
            self.database_pause_seconds = FIRST_PAUSE_SECONDS

    def _note_end(self, child: Child, now: float) -> None:
        code = child.process.returncode if child.process else None
        self._sweep_group(child)
        if now - child.started_at > CALM_SECONDS:
            child.pause_seconds = FIRST_PAUSE_SECONDS
        self._log(f"{child.service.name} ended with {code}; again in {child.pause_seconds:.1f} s")
        child.process = None
        child.restarts += 1
        child.start_again_at = now + child.pause_seconds
        child.pause_seconds = min(2 * child.pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start(self, child: Child) -> None:
        service = child.service
        variables = services.surroundings(self.data_dir, self.port)
        variables |= {"CONCORD_ROLE": service.role, **service.environment}
        path = self._log_path(service.name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("ab") as log:
            child.process = processes.spawn(
                service.program,
                log,
                nice=service.nice,
                dies_by=service.dies_by,
                environment=variables,
                folder=services.CODE,
                pass_fds=service.pass_fds,
            )
        child.started_at = time.monotonic()

    def _log_path(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"

    def _last_line(self, name: str) -> str:
        lines = self._log_path(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    def _log(self, message: str) -> None:
        with self._log_path("supervisor").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {message}\n")

    def _trim_logs(self) -> None:
        """Keep each log and one older copy; writers append, so cutting in place is safe."""
        for path in (self.data_dir / "logs").glob("*.log"):
            if path.stat().st_size > LONGEST_LOG:
                path.with_suffix(".log.1").write_bytes(path.read_bytes())
                os.truncate(path, 0)

    # --- after -------------------------------------------------------------------------------

    def _stop_children(self) -> None:
        """End every child and all they started; the database is stopped after this."""
        for child in self.children:
            self._signal(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self.children:
            if child.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                self._sweep_group(child)
                child.process.wait()
        self._end_leftovers()

    def _signal(self, child: Child, number: signal.Signals) -> None:
        if child.process is not None and child.process.poll() is None:
            child.process.send_signal(number)

    def _sweep_group(self, child: Child) -> None:
        """Kill what is left of a child's process group; each child leads one of its own."""
        if child.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)


def main() -> None:
    """Run in the foreground; says in one sentence why it cannot."""
    try:
        data_dir = environment.data_folder()
        launch.become_owner(data_dir)
        host = environment.text("HOST", "127.0.0.1")
        Supervisor(data_dir, host, environment.number("PORT", 8000)).run()
    except (StartError, ImproperlyConfigured) as error:
        sys.exit(f"concord: {error}")
    except psutil.Error as error:
        sys.exit(f"concord: a process could not be looked at: {error}")


if __name__ == "__main__":
    main()
