"""The one command: what it starts, what it survives, and that it leaves nothing behind."""

import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from annotator.runtime import services
from annotator.runtime.postgres import Postgres
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
def used_before(passable_folder):
    """A data folder that one system has made and left in peace."""
    system = System(passable_folder / "data")
    assert system.get("/health") == 200
    assert system.stop() == 0
    return system.data_dir


@pytest.fixture
def data_dir(short_folder, used_before):
    # With the owners of the files, among whom is the account that runs PostgreSQL.
    subprocess.run(["cp", "-a", used_before, short_folder / "data"], check=True)
    return short_folder / "data"


@pytest.fixture
def system(data_dir):
    started = System(data_dir)
    assert started.line.startswith("Concord runs at http://127.0.0.1:"), (
        started.process.communicate()
    )
    yield started
    started.stop()


def refusal(data_dir, **variables):
    """Start one that must refuse; returns what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "annotator.runtime.supervisor"],
        cwd=services.CODE,
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


class TestUp:
    def test_starts_everything_restarts_what_dies_and_leaves_nothing(self, system, data_dir):
        assert system.get("/health") == 200
        assert wait_until(lambda: all(system.named(*words) for words in CHILDREN.values()))
        assert "already runs" in refusal(system.data_dir)

        for name, words in CHILDREN.items():
            before = {one.pid for one in system.named(*words)}
            for one in system.named(*words):
                one.kill()
            assert wait_until(lambda: {p.pid for p in system.named(*words)} - before), name  # noqa: B023
            assert f"{name} ended with -9" in system.logs()
        assert wait_until(lambda: system.get("/health") == 200)

        server = Postgres(data_dir).running()
        assert server is not None
        server.kill()
        seen = [system.get("/")]
        while seen[-1] != 200 and len(seen) < 300:  # a bound on hanging
            time.sleep(0.1)
            seen.append(system.get("/"))
        assert set(seen) <= {200, 503}, seen
        assert "PostgreSQL ended" in system.logs()

        assert system.stop(signal.SIGINT) == 0
        assert system.alive() == []
        assert Postgres(data_dir).running() is None

    def test_the_database_comes_back_though_it_is_killed_while_it_starts(
        self, system, data_dir, seed
    ):
        draw = random.Random(seed)
        for _ in range(4):
            server = Postgres(data_dir).running()
            if server is not None:
                server.kill()
            time.sleep(draw.uniform(0, 1))
        assert wait_until(lambda: system.get("/") == 200)
        assert system.process.poll() is None

    def test_after_kill_9_no_child_is_left_and_the_next_start_works(self, system):
        system.process.kill()
        system.process.communicate()
        if sys.platform == "linux":
            assert wait_until(lambda: system.alive() == [], 20), system.alive()
        again = System(system.data_dir)
        assert again.get("/health") == 200
        assert again.stop(signal.SIGTERM) == 0
        assert again.alive() == []

    def test_what_the_kernel_did_not_take_down_is_ended_at_the_next_start(self, data_dir):
        mark = {"CONCORD_SUPERVISED": str(data_dir), "PATH": "/usr/bin:/bin"}
        left = subprocess.Popen(["sleep", "600"], env=mark, start_new_session=True)
        system = System(data_dir)
        assert left.wait(timeout=10) == -signal.SIGTERM
        assert system.stop() == 0


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


def test_another_host_sets_names_and_says_that_https_is_missing(data_dir):
    system = System(data_dir, HOST="0.0.0.0")
    assert system.process.stdout is not None
    assert "HTTPS is missing" in system.process.stdout.readline()
    assert system.get("/health") == 200
    assert system.stop() == 0


def sign_in(url: str, name: str, password: str) -> str:
    """Sign in as a browser does, and return the first page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = browser.open(f"{url}/accounts/login/", timeout=30).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "login": name, "password": password}
    answer = browser.open(
        f"{url}/accounts/login/", urllib.parse.urlencode(form).encode(), timeout=30
    )
    return str(answer.read().decode())


def test_the_printed_demo_log_ins_open_the_demo(data_dir):
    system = System(data_dir, DEMO="1")
    logins = re.findall(r"(\w+) / ([\w-]+)", system.line)
    assert {name for name, _ in logins} == {"lea", "ana", "ben"}
    for name, password in logins:
        assert "Support tickets" in sign_in(system.url, name, password)
    assert system.stop() == 0
    again = System(data_dir, DEMO="1")
    assert re.findall(r"(\w+) / ([\w-]+)", again.line) == logins
    assert again.stop() == 0
