"""A PostgreSQL for the tests, the services that some need, and the cast.

`DATABASE_URL` names a server of yours; without it an embedded one runs in a temporary folder for
the length of the run. Set before Django reads its settings, so this file imports nothing of it.
Tests run in several processes, each with a folder and a database of its own in that one server.
"""

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import hypothesis
import pytest

from annotator.runtime.postgres import Postgres, socket_url

SERVICES = ("redis", "rabbitmq", "browser")
OURS = ("HOST", "PORT", "PUBLIC_URL", "SECRET_KEY", "BROKER_URL", "DEBUG", "DEMO", "CONCORD_ROLE")

data_dir = Path(tempfile.mkdtemp(prefix="concord-tests-"))
data_dir.chmod(0o711)  # as root, the account that runs PostgreSQL must pass through
embedded = None

for name in OURS:
    os.environ.pop(name, None)
os.environ["DATA_DIR"] = str(data_dir)
os.environ["DJANGO_SETTINGS_MODULE"] = "annotator.settings"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores
if not os.environ.get("DATABASE_URL"):
    # A vacuum that finds a table empty between two tests says so to the planner, which then joins as
    # for one row: minutes of nested loops in all.
    settings = ["fsync=off", "full_page_writes=off", "max_connections=100", "autovacuum=off"]
    embedded = Postgres(data_dir, settings)
    embedded.start(dies_with_us=True)
    os.environ["DATABASE_URL"] = socket_url(data_dir)
    os.environ["TESTS_SHARED"] = str(data_dir)


# The same examples in every run of a commit, so that what one run finds another finds too; a busy
# machine fails no test for being slow.
patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("default", derandomize=True, **patient)
hypothesis.settings.register_profile("soak", max_examples=2000, print_blob=True, **patient)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each process read the settings after it has made its folder, not at its very start."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_configure() -> None:
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
    }
    settings.WHITENOISE_USE_FINDERS = True  # the live server has nothing collected
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while everything is imported, nor ever again in what stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by what a test is, so that `make check` and `make soak` find all of its kind."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("fuzz")
        if "tests/browser" in item.path.as_posix():
            item.add_marker("browser")
        if "tests/faults" in item.path.as_posix():
            item.add_marker("fault")
            item.add_marker("slow")
    # The long files first, so that no process is left alone with one at the end.
    long = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "browser")))}
    items.sort(key=lambda item: item.path not in long)


def pytest_unconfigure() -> None:
    if embedded is not None:
        embedded.stop()
    shutil.rmtree(data_dir, ignore_errors=True)


def missing(what: str) -> NoReturn:
    """Skip and say why; fail instead where the machine promises every service."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but {what}", pytrace=False)
    pytest.skip(what)


@pytest.fixture
def seed() -> int:
    """The one seed of a fault or race: fixed in every run, fresh in each round of `make soak`."""
    return int(os.environ.get("SOAK_SEED", "7"))


@pytest.fixture(scope="session")
def redis_url() -> str:
    import redis

    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/15")
    try:
        redis.Redis.from_url(url, socket_connect_timeout=30).ping()
    except redis.RedisError as error:
        missing(f"no Redis answers at {url} ({error})")
    return url


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    url = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 5672), timeout=30).close()
    except OSError as error:
        missing(f"no RabbitMQ answers at {parts.hostname}:{parts.port or 5672} ({error})")
    return url


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium to drive; the one without windows starts and draws with less work."""
    names = (
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    )
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing("no Chromium was found; install it or set CHROMIUM to its path")
    return found


@pytest.fixture(scope="session")
def datasets() -> Path:
    """Folder of real datasets, in the format that docs/datasets.md describes."""
    folder = os.environ.get("DATASETS")
    if not folder:
        pytest.skip("DATASETS is not set: no real data to read")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f"DATASETS={folder} is not a folder", pytrace=False)
    return path


def _passable_folder() -> Iterator[Path]:
    """Make a folder with a short path which any account may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


short_folder = pytest.fixture(_passable_folder, name="short_folder")
passable_folder = pytest.fixture(_passable_folder, name="passable_folder", scope="module")


@pytest.fixture
def cast(db):
    """Lea leads, Ana labels, Ben reviews, and Cleo is a stranger."""
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def project(cast):
    """Lea's project with three labels and twelve items."""
    from tests.factories import make_items, make_project

    made = make_project(cast)
    make_items(made, 12)
    return made


# Written once by the migrations, and the same for every test
LASTING = ("django_content_type", "auth_permission")
# Emptying only what has rows takes a tenth of what truncating every table takes, so these are cut
# only once they have grown. The locks wait for whoever still writes, a request that nobody waited
# for; as a replica, no trigger refuses.
GROWN = 16_000_000  # bytes
EMPTY = """
DO $$
DECLARE name text; filled boolean;
BEGIN
    IF (SELECT sum(pg_relation_size(one)) FROM unnest(ARRAY[{names}]) one) > {grown} THEN
        TRUNCATE {tables};
    END IF;
    FOREACH name IN ARRAY ARRAY[{names}] LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %I', name); END IF;
    END LOOP;
END $$
"""


MIGRATED = "migrated"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request, django_db_modify_db_settings_parallel_suffix, django_db_blocker
):
    """Let one process migrate and all copy what it made: migrating is most of what a start takes."""
    from django.db import connection
    from filelock import FileLock

    shared = os.environ.get("TESTS_SHARED")
    if shared is None or not hasattr(request.config, "workerinput"):
        return  # a server of yours keeps nothing of ours, and one process has nobody to copy for
    known, done = connection.settings_dict, Path(shared) / MIGRATED
    with FileLock(done.with_suffix(".lock")), django_db_blocker.unblock():
        if not done.exists():
            names = known["NAME"], known["TEST"]["NAME"]
            known["TEST"]["NAME"] = MIGRATED
            connection.creation.create_test_db(verbosity=0, serialize=False)
            connection.close()  # a database is copied only while nobody is connected to it
            known["NAME"], known["TEST"]["NAME"] = names
            done.touch()
    known["TEST"]["TEMPLATE"] = MIGRATED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """Let the test runner empty tables between tests, which the ledger refuses to everybody."""
    from django.core.management.commands import flush
    from django.db.backends.postgresql.operations import DatabaseOperations

    # What follows a flush writes what is LASTING anew, in ten times the time of the flush
    flush.emit_post_migrate_signal = lambda *_, **__: None

    def sql_flush(_: object, style: object, tables: list[str], **options: object) -> list[str]:
        names = sorted(set(tables) - set(LASTING))
        return [
            "SET LOCAL session_replication_role = replica",
            f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE",
            EMPTY.format(
                names=", ".join(f"'{name}'" for name in names),
                tables=", ".join(names),
                grown=GROWN,
            ),
        ]

    DatabaseOperations.sql_flush = sql_flush
