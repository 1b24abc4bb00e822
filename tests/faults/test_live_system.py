"""Kill what can be killed while somebody labels: nothing acknowledged is lost, nothing is doubled."""

import os
import random
import signal
import threading
import time
from contextlib import suppress
from itertools import pairwise

import psutil
import psycopg
import pytest

from annotator.runtime.postgres import Postgres, socket_url
from tests.faults.people import Person
from tests.runtime.running import System, wait_until

SEED = int(os.environ.get("SOAK_SEED", "1"))
ANSWERS = 40
ITEMS = 250
PASSWORD = "correct horse battery staple"
# Three commands by one process, since each would start Python anew
PREPARE = """
import io
from django.core.management import call_command
from annotator.actions.projects import people
people.create_user("ana", {password!r}, "")
made = io.StringIO()
labels = ["--label", "Billing", "--label", "Delivery"]
call_command("create_project", "Tickets", "--owner", "ana", *labels, stdout=made)
project = made.getvalue().strip()
call_command("import", project, {file!r}, stdout=io.StringIO())
print(project)
"""
pytestmark = [pytest.mark.fault, pytest.mark.slow]


@pytest.fixture(scope="module")
def system(passable_folder):
    running = System(passable_folder / "data")
    yield running
    running.stop()
    assert wait_until(lambda: not running.alive())


@pytest.fixture(scope="module")
def tickets(system, passable_folder):
    """The id of Ana's project with items enough for every fault."""
    file = passable_folder / "tickets.csv"
    file.write_text("text\n" + "".join(f"parcel {n} was charged twice\n" for n in range(ITEMS)))
    code = PREPARE.format(password=PASSWORD, file=str(file))
    return int(system.command("shell", "--no-imports", "-c", code))


def rows(system, sql, *values):
    """Ask the database, which a test may just have killed."""
    assert wait_until(lambda: answers(system))
    with psycopg.connect(socket_url(system.data_dir)) as connection:
        return connection.execute(sql, values).fetchall()


def answers(system):
    try:
        psycopg.connect(socket_url(system.data_dir)).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def labels(system, tickets):
    found = rows(system, "SELECT id FROM annotator_label WHERE project_id = %s", tickets)
    return [pk for (pk,) in found]


def kill(system, *words):
    assert wait_until(lambda: system.named(*words)), (words, system.logs())
    for process in system.named(*words):
        with suppress(psutil.NoSuchProcess):  # some go with their parent
            process.send_signal(signal.SIGKILL)


def kill_postgres(system):
    """Kill the server, which is not among `named` because it carries no mark."""
    assert wait_until(lambda: Postgres(system.data_dir).running())
    server = Postgres(system.data_dir).running()
    if server is not None:
        with suppress(psutil.NoSuchProcess):
            server.send_signal(signal.SIGKILL)


FAULTS = {
    "the web server": lambda system: kill(system, "gunicorn"),
    "PostgreSQL": kill_postgres,
    "every worker": lambda system: kill(system, "celery"),
    "the sweeper": lambda system: kill(system, "sweep"),
}


def label(person, project, labels, count):
    """Answer `count` items, opening the page anew when it has run out."""
    held = person.open_label_page(project)
    for _ in range(count):
        if not held:
            held = person.open_label_page(project)
        assignment, _ = held.pop(0)
        held += person.answer(project, assignment, labels)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_acknowledged_answer_is_lost_when_this_is_killed(system, tickets, labels, fault):
    person = Person(system.url, "ana", PASSWORD)
    draw = random.Random(f"{SEED} {fault}")
    work = threading.Thread(target=label, args=(person, tickets, labels, ANSWERS))
    work.start()
    try:
        time.sleep(draw.uniform(0.1, 0.6))
        FAULTS[fault](system)
    finally:
        work.join(600)  # or it would answer the items of the next test
    assert not work.is_alive()
    assert len(person.acknowledged) == ANSWERS
    stored = rows(
        system,
        "SELECT uuid::text, assignment_id FROM annotator_annotation WHERE uuid::text = ANY(%s)",
        list(person.acknowledged),
    )
    lost = set(person.acknowledged) - {key for key, _ in stored}
    doubled = [key for key, item in stored if person.acknowledged[key] != item]
    assert (lost, doubled) == (set(), [])
    assert person.statuses <= {0, 200, 502, 503}


@pytest.mark.timeout(1200)  # workers give way to the other tests
def test_afterwards_the_loop_goes_on_and_the_ledger_is_whole(system, tickets):
    unsealed = "SELECT count(*) FROM annotator_ledgerentry WHERE position IS NULL"
    assert wait_until(lambda: rows(system, unsealed)[0][0] == 0), "the sweeper finds every answer"
    positions = rows(
        system,
        "SELECT position FROM annotator_ledgerentry WHERE project_id = %s ORDER BY position",
        tickets,
    )
    assert all(after == before + 1 for (before,), (after,) in pairwise(positions))
    over = rows(
        system,
        """
        SELECT item_id FROM annotator_annotation a
        JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind = 'person'
        WHERE a.kind = 'answer' AND NOT a.extra GROUP BY item_id HAVING count(*) > 1
        """,
    )
    assert over == [], "no item has more answers than were wanted"
    trained = "SELECT count(*) FROM annotator_studentversion WHERE project_id = %s"
    assert wait_until(lambda: rows(system, trained, tickets)[0][0] > 0, 900), "a student learns"
