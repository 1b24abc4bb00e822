"""The embedded PostgreSQL, with real servers in temporary folders."""

import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from annotator.runtime import launch, postgres, sockets
from annotator.runtime.errors import StartError
from annotator.runtime.postgres import NAME, Postgres
from tests.runtime.running import wait_until

CODE = Path(postgres.__file__).parent.parent.parent
FAST = ["fsync=off"]

pytestmark = pytest.mark.fault
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture(scope="module")
def used_before(passable_folder):
    """A data folder with an empty database, which takes longest to make."""
    with Postgres(passable_folder / "data", FAST).in_use():
        return passable_folder / "data"


@pytest.fixture
def server(short_folder, used_before):
    # With the owners of the files, among whom is the account that runs PostgreSQL.
    subprocess.run(["cp", "-a", used_before, short_folder / "data"], check=True)
    made = Postgres(short_folder / "data", FAST)
    yield made
    made.stop()


def ask(server: Postgres, query: str) -> object:
    with psycopg.connect(host=str(server.sockets), user=NAME, dbname=NAME) as connection:
        cursor = connection.execute(query)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def holder(data_dir: Path, body: str) -> subprocess.Popen[str]:
    """Start a process which does `body` with `server`, says so, and then waits to be ended."""
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from annotator.runtime.postgres import Postgres\n"
        f"server = Postgres(Path(sys.argv[1]), {FAST})\n{body}\n"
        "print('there', flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)], cwd=CODE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def python_for(account: pwd.struct_passwd) -> tuple[str, dict[str, str]]:
    """Find a Python that the account may run, with our libraries, or skip and say why."""
    libraries = Path(psycopg.__file__).parent.parent
    candidates = [sys.executable, f"/usr/bin/python3.{sys.version_info[1]}"]
    for path in [CODE, libraries]:
        if blocked := postgres.blocked_at(path, account):
            pytest.skip(f"{account.pw_name} cannot enter {blocked} on the way to {path}")
    for candidate in candidates:
        real = Path(candidate).resolve()
        if real.exists() and not postgres.blocked_at(real, account):
            return candidate, {"PYTHONPATH": str(libraries)}
    pytest.skip(f"no Python that {account.pw_name} may run: {candidates}")


def manage(
    arguments: list[str], data_dir: Path, user: int | None
) -> subprocess.CompletedProcess[str]:
    """Run a management command as another user, in that data folder and without DATABASE_URL."""
    python, variables = python_for(pwd.getpwnam("nobody"))
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    return subprocess.run(
        [python, "manage.py", *arguments],
        cwd=CODE,
        env={**environment, **variables, "DATA_DIR": str(data_dir)},
        user=user,
        check=False,
        capture_output=True,
        text=True,
    )


def test_starts_stops_and_keeps_what_was_committed(server):
    server.start(dies_with_us=True)
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert ask(server, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    server.stop()
    assert server.running() is None
    server.start(dies_with_us=True)
    assert ask(server, "SELECT answer FROM kept") == 42


def test_a_second_start_adopts_the_server_that_runs(server):
    server.start(dies_with_us=True)
    other = Postgres(server.data_dir)
    other.start(dies_with_us=True)
    assert other.process is None
    assert other.running().pid == server.running().pid


def test_a_killed_server_starts_again_with_what_was_committed(server):
    server.extra_settings = []  # with fsync, as in life
    server.start(dies_with_us=True)
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.running().pid, signal.SIGKILL)
    assert wait_until(lambda: server.running() is None)
    server.start(dies_with_us=True)
    assert ask(server, "SELECT answer FROM kept") == 42


def test_a_lock_file_whose_number_is_now_a_strangers_does_not_stop_it(server):
    server.start(dies_with_us=True)
    server.stop()
    lock = server.cluster / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{server.cluster}\n0\n5432\n\n\n")
    server.start(dies_with_us=True)
    assert ask(server, "SELECT 1") == 1


def test_half_a_cluster_counts_as_none(server):
    server.start(dies_with_us=True)
    server.stop()
    server.cluster.rename(server.folder / "data.new")  # as if initdb had been killed
    (server.folder / "data.new" / "PG_VERSION").unlink()
    server.start(dies_with_us=True)
    assert ask(server, "SELECT 1") == 1


def test_refuses_the_folder_of_another_major_and_names_the_way(server):
    server.start(dies_with_us=True)
    server.stop()
    (server.cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(StartError, match=r"PostgreSQL 15.*backup.*restore"):
        server.start(dies_with_us=True)
    assert server.running() is None


def test_the_last_one_out_stops_it(server):
    with server.in_use():
        other = holder(server.data_dir, "use = server.in_use()\nuse.__enter__()")
    assert server.running() is not None  # the other one still needs it
    with server.in_use():
        other.kill()
        other.communicate()
    assert server.running() is None


def test_it_goes_when_its_supervisor_is_killed_and_the_next_start_works(server):
    first = holder(server.data_dir, "use = server.supervised()\nuse.__enter__()")
    assert server.running() is not None
    first.kill()
    first.communicate()
    if sys.platform == "linux":
        assert wait_until(lambda: server.running() is None)
    with server.supervised():
        assert ask(server, "SELECT 1") == 1
    assert server.running() is None


def test_a_supervisor_leaves_a_server_alone_that_a_command_uses(server):
    with Postgres(server.data_dir, FAST).in_use():
        before = server.running().pid
        with server.supervised():
            assert server.running().pid == before
    assert server.running() is None


def test_long_data_folders_get_a_short_socket(short_folder):
    deep = short_folder / ("x" * 60) / ("y" * 60)
    folder = postgres.socket_folder(deep)
    assert len(str(folder / ".s.PGSQL.5432")) <= sockets.LONGEST
    assert folder != postgres.socket_folder(short_folder)
    server = Postgres(deep, FAST)
    with server.in_use():
        assert ask(server, "SELECT 1") == 1
    folder.rmdir()


@as_root
def test_as_root_it_runs_without_rights_and_says_when_it_cannot(short_folder):
    closed = short_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(StartError, match=rf"cannot enter {closed} .*chmod o\+x"):
        Postgres(closed / "data", FAST).start(dies_with_us=True)
    server = Postgres(short_folder / "open", FAST)
    with server.in_use():
        assert server.running().uids().effective != 0


@as_root
def test_root_and_an_ordinary_user_take_turns_in_the_users_folder(short_folder):
    account = pwd.getpwnam("nobody")
    home = short_folder / "home"
    home.mkdir()
    os.chown(home, account.pw_uid, account.pw_gid)
    for user in (None, account.pw_uid, None):
        done = manage(["shell", "--no-imports", "-c", "print(6 * 7)"], home / "data", user)
        assert done.stdout.strip() == "42", done.stderr
        owners = {path.stat().st_uid for path in (home / "data").rglob("*")}
        assert owners == {account.pw_uid}


@as_root
def test_an_ordinary_user_is_told_that_the_folder_is_roots(short_folder):
    with Postgres(short_folder, FAST).in_use():
        pass
    done = manage(["migrate"], short_folder, pwd.getpwnam("nobody").pw_uid)
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr
    assert "Traceback" not in done.stderr


def test_become_owner_leaves_an_ordinary_user_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    launch.become_owner(tmp_path)


def test_blocked_at_reads_the_permissions_of_every_folder(short_folder):
    account = pwd.getpwnam("nobody")
    outer = short_folder / "a"
    inner = outer / "b"
    inner.mkdir(parents=True)
    outer.chmod(0o700)
    assert postgres.blocked_at(inner, account) == outer
    outer.chmod(0o711)
    assert postgres.blocked_at(inner, account) is None


def test_no_statement_or_detail_reaches_the_log(server):
    server.start(dies_with_us=True)
    ask(server, "CREATE TABLE secret (text text UNIQUE)")
    ask(server, "INSERT INTO secret VALUES ('the words of a customer')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(server, "INSERT INTO secret VALUES ('the words of a customer')")
    log = server.log_path.read_text()
    assert "duplicate key" in log
    assert "words of a customer" not in log


def test_the_programs_are_there():
    assert postgres.binary("pg_dump").exists()
