"""A system of our own under measurement: started like the product's, pinned to one core."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from annotator.runtime.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
SERVER_CORE, CLIENT_CORE = 0, 1
START_SECONDS = 120


@dataclass
class System:
    """The processes of one data folder, by role."""

    data_dir: Path
    port: int
    postgres: Postgres
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "DEMO": "0",
            "HF_HUB_OFFLINE": "1",
        }

    def start(
        self, role: str, *program: str, core: int | None = SERVER_CORE, nice: int = 0
    ) -> None:
        """Start a program of this system, on one core unless `core` is None."""
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        log = (self.data_dir / f"bench-{role}.log").open("ab")
        with log:
            self.processes[role] = subprocess.Popen(  # noqa: S603 - our own programs
                [*pinned, "nice", "-n", str(nice), *program],
                cwd=ROOT,
                env={**self.environment, "CONCORD_ROLE": role},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_web(self) -> None:
        """One gunicorn worker with threads, as `make run` has it on a machine of two cores."""
        self.start(
            "web",
            *(sys.executable, "-m", "gunicorn", "annotator.wsgi", "--bind"),
            *(f"127.0.0.1:{self.port}", "--worker-class", "gthread", "--workers", "1"),
            *("--threads", "8", "--preload", "--timeout", "120", "--keep-alive", "30"),
            *("--no-control-socket", "--log-level", "warning"),
        )
        self._wait_for_port()

    def start_workers(self, *, core: int | None) -> None:
        """The workers at low priority, and the sweeper that calls them, as `make run` has them."""
        celery = (sys.executable, "-m", "celery", "-A", "annotator", "worker", "-P", "solo")
        quiet = ("-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
        for queue, nice in (("fast", 5), ("io", 5), ("encode", 5), ("train", 10)):
            self.start(
                queue, *celery, "-Q", queue, "-n", f"{queue}@%h", *quiet, core=core, nice=nice
            )
        self.start("sweeper", sys.executable, "manage.py", "sweep", core=core, nice=5)

    def stop(self, role: str) -> None:
        process = self.processes.pop(role, None)
        if process is None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def command(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def server_cpu_seconds(self) -> float:
        """CPU spent so far by the web server and the database, in seconds."""
        return sum(cpu_of(root) for root in self._server_roots())

    def web_memory_mb(self) -> float:
        """Proportional memory of the web server's processes, in MB."""
        web = psutil.Process(self.processes["web"].pid)
        family = [web, *web.children(recursive=True)]
        return sum(each.memory_full_info().pss for each in family) / 1e6

    def _server_roots(self) -> list[psutil.Process]:
        postmaster = self.postgres.running()
        web = psutil.Process(self.processes["web"].pid)
        return [web, postmaster] if postmaster else [web]

    def _wait_for_port(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"The web server did not start; see {self.data_dir}/bench-web.log.")


def cpu_of(root: psutil.Process) -> float:
    """User and system seconds of a process, its living descendants and those it reaped."""
    spent = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system + times.children_user + times.children_system
    return spent


@contextmanager
def fresh_system(data_dir: Path, *, keep: bool = False) -> Iterator[System]:
    """An empty installation with its own PostgreSQL on the server's core."""
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o711)
    postgres = Postgres(data_dir, [])
    system = System(data_dir, free_port(), postgres)
    with postgres.supervised():
        pin(postgres)
        try:
            system.command("migrate", "--verbosity", "0")
            system.command("collectstatic", "--no-input", "--verbosity", "0")
            yield system
        finally:
            for role in list(system.processes):
                system.stop(role)
    if not keep:
        shutil.rmtree(data_dir, ignore_errors=True)


def pin(postgres: Postgres) -> None:
    postmaster = postgres.running()
    if postmaster is not None:
        for process in [postmaster, *postmaster.children()]:
            with suppress(psutil.NoSuchProcess):  # a worker of the start that is done by now
                process.cpu_affinity([SERVER_CORE])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
