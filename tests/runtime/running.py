"""Starts the whole system as a person would, and looks at its processes."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from django.db import connection

from annotator.runtime import processes, services


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """Return ours, without the tests' database, and with no model to warm and no demo."""
    clean = {
        k: v
        for k, v in os.environ.items()
        if k not in {"DATABASE_URL", processes.MARK, "OMP_NUM_THREADS"}
    }
    quiet = {"DATA_DIR": str(data_dir), "PORT": "0", "MODEL_PRELOAD": "", "DEMO": "0"}
    return {**clean, **quiet, **variables}


class System:
    """One supervisor and all below it."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "annotator.runtime.supervisor"],
            cwd=services.CODE,
            env=environment(data_dir, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()

    @property
    def url(self) -> str:
        return self.line.split()[3].rstrip("/")

    def log_ins(self) -> dict[str, str]:
        """Return the password of each person of the demo, as printed."""
        words = self.line.partition("log-ins:")[2].split(",")
        return dict((part.strip() for part in word.split("/")) for word in words)  # type: ignore[misc]

    def command(self, *words: str, said: str = "") -> str:
        """Do a management command beside it, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=services.CODE,
            env=environment(self.data_dir),
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def get(self, path: str) -> int:
        """Return the status with which the path is answered, 0 for no answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def alive(self) -> list[psutil.Process]:
        """List every process below this supervisor or left by it, itself not counted."""
        return [one for one in processes.marked(self.data_dir) if one.pid != self.process.pid]

    def named(self, *words: str) -> list[psutil.Process]:
        """List those whose command line holds all the words."""
        found = []
        for one in self.alive():
            try:
                line = " ".join(one.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                found.append(one)
        return found

    def logs(self) -> str:
        return (self.data_dir / "logs" / "supervisor.log").read_text()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.said = self.process.communicate(timeout=120)
        return self.process.returncode


def wait_until(condition: Callable[[], object], seconds: float = 150) -> bool:
    """Wait for the condition; a bound on hanging and no claim about speed."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(holds)


def others_connected() -> int:
    """Count the other clients of the database: a killed one's last words may still be under way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])
