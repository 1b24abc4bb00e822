"""The one command: what it starts, what it survives, and that it leaves nothing behind."""

import itertools
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from annotator.runtime import services
from annotator.runtime.postgres import Postgres
from tests.faults.people import Person
from tests.runtime.running import System, environment, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.fault]

CHILDREN = {
    "web": ["gunicorn"],
    "worker": ["celery", "worker@"],
    "fast": ["celery", "fast@"],
    "encode": ["celery", "encode@"],
    "train": ["celery", "train@"],
    "model": ["annotator.runtime.modelserver"],
    "sweeper": ["manage.py", "sweep"],
}


@pytest.fixture(scope="module")
def system(passable_folder):
    """One system for all tests, which go on where the one before left it."""
    started = System(passable_folder / "data")
    assert started.line.startswith("Concord runs at http://127.0.0.1:"), (
        started.process.communicate()
    )
    yield started
    started.stop()


@pytest.fixture
def data_dir(short_folder):
    return short_folder / "data"


def refusal(data_dir, **variables):
    """Start one that must refuse; returns what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "annotator.runtime.supervisor"],
        cwd=services.CODE,
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


class TestUp:
    def test_what_dies_is_restarted(self, system):
        assert system.get("/health") == 200
        assert wait_until(lambda: all(system.named(*words) for words in CHILDREN.values()))
        assert "already runs" in refusal(system.data_dir)

        before = {name: system.named(*words) for name, words in CHILDREN.items()}
        for one in itertools.chain(*before.values()):
            with suppress(psutil.NoSuchProcess):  # some go with their parent
                one.kill()
        for name, words in CHILDREN.items():
            assert wait_until(lambda: set(system.named(*words)) - set(before[name])), name  # noqa: B023
            assert wait_until(lambda: f"{name} ended with -9" in system.logs()), name  # noqa: B023
        assert wait_until(lambda: system.get("/health") == 200)

    def test_requests_wait_or_are_told_while_the_database_is_gone(self, system):
        server = Postgres(system.data_dir).running()
        assert server is not None
        server.kill()
        seen = []

        def is_back():
            seen.append(system.get("/"))
            return seen[-1] == 200 and "PostgreSQL ended" in system.logs()

        assert wait_until(is_back), seen
        assert set(seen) <= {200, 503}, seen

    def test_a_database_that_was_told_to_stop_is_not_waited_for(self, system):
        """By SIGTERM it takes nobody new, and would wait for ever for the services that are connected."""
        assert wait_until(lambda: system.get("/") == 200)
        server = Postgres(system.data_dir).running()
        assert server is not None
        server.terminate()
        assert wait_until(lambda: "waits for its clients" in system.logs())
        assert wait_until(lambda: Postgres(system.data_dir).running() not in (None, server))
        assert wait_until(lambda: system.get("/") == 200)

    def test_the_database_comes_back_though_it_is_killed_while_it_starts(self, system, seed):
        draw = random.Random(seed)
        for _ in range(4):
            server = Postgres(system.data_dir).running()
            if server is not None:
                with suppress(psutil.NoSuchProcess):  # one that could not start ends by itself
                    server.kill()
            time.sleep(draw.uniform(0, 1))
        assert wait_until(lambda: system.get("/") == 200)
        assert system.process.poll() is None

    def test_after_kill_9_the_next_start_works_and_the_printed_log_ins_open_the_demo(self, system):
        system.process.kill()
        system.process.communicate()
        if sys.platform == "linux":
            assert wait_until(lambda: system.alive() == []), system.alive()
        # Elsewhere the kernel may leave a child, and the next start ends it.
        mark = {"CONCORD_SUPERVISED": str(system.data_dir), "PATH": "/usr/bin:/bin"}
        left = subprocess.Popen(["sleep", "600"], env=mark, start_new_session=True)
        again = System(system.data_dir, HOST="0.0.0.0", DEMO="1")
        assert left.wait(timeout=60) == -signal.SIGTERM
        assert again.process.stdout is not None
        assert "HTTPS is missing" in again.process.stdout.readline()

        logins = again.log_ins()
        assert set(logins) == {"lea", "ana", "ben"}
        for name, password in logins.items():
            assert "Support tickets" in Person(again.url, name, password).get("/")[1]
        assert again.stop(signal.SIGTERM) == 0
        assert again.alive() == []
        assert Postgres(system.data_dir).running() is None

        once_more = System(system.data_dir, DEMO="1")
        assert once_more.log_ins() == logins
        assert once_more.stop() == 0


class TestRefusals:
    def test_a_taken_port_is_named_with_the_way_out(self, data_dir):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            said = refusal(data_dir, PORT=str(port))
        assert f"Port {port}" in said
        assert f"PORT={port + 1}" in said

    def test_a_port_that_is_none(self, data_dir):
        assert "PORT=80a is not a whole number" in refusal(data_dir, PORT="80a")

    def test_a_data_folder_below_a_file(self, short_folder):
        (short_folder / "file").write_text("")
        assert "cannot be written" in refusal(short_folder / "file" / "data")
