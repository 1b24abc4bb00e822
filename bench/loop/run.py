"""What the label loop costs and how it feels, on 10,000 and 100,000 items."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, code_hash, conclude, kept
from bench.loop import page
from bench.loop.clients import Client, Window, run_window
from bench.loop.system import CLIENT_CORE, ROOT, System, fresh_system

SIZES = (10_000, 100_000)
CROWDS = (1, 8, 32)
WARM_SECONDS = 4.0
SECONDS = {"quick": 15.0, "full": 60.0}
# A window ends early when so many of all items were answered in it: the last ones must still find
# an item that nobody else holds.
MOST_OF_ITEMS = 0.08
# Answers given before the first window, so that there is a student and a queue it filled; how long
# a refresh takes is asked at this many.
FIRST_ANSWERS = 1_000
PATIENCE_SECONDS = 120
CSRF = "b" * 32


def run(grid: str) -> list[Figure]:
    """Measure each size, or take its kept result, and print all figures of the loop."""
    figures: list[Figure] = []
    code = code_hash("annotator", "learning", "bench/loop")
    for size in SIZES:
        measured = partial(measure, size, SECONDS[grid])
        figures += _figures(size, kept(f"loop/{grid}-{size}", code, measured))
    return conclude("loop", grid, figures)


def measure(size: int, seconds: float) -> dict[str, Any]:
    """One fresh system: import, one to 32 people with training paused and on, export, the page."""
    most = int(size * MOST_OF_ITEMS)
    folder = Path(os.environ.get("BENCH_FOLDER", "/tmp")) / f"concord-bench-{size}"  # noqa: S108
    with fresh_system(folder) as system:
        result: dict[str, Any] = {"import_rows_per_second": import_rate(system, size)}
        setting = _prepare(system, size)
        system.start_web()
        time.sleep(2)
        result["web_idle_mb"] = system.web_memory_mb()
        os.sched_setaffinity(0, {CLIENT_CORE})
        clients = [
            Client(system.port, setting["project"], cookie, CSRF, setting["labels"])
            for cookie in setting["people"]
        ]
        system.start_workers(core=None)
        _first_student(system, setting, clients)
        result["refresh_seconds"] = _refresh(system, setting, clients[0])
        _training(system, setting, "on")
        _until_idle(system)
        result["page"] = page.measure(system, setting)
        result["paused"] = {n: _crowd(system, clients[:n], seconds, most) for n in CROWDS}
        _training(system, setting, "off")
        result["training"] = {n: _crowd(system, clients[:n], seconds, most) for n in CROWDS}
        result["lost"] = _lost(system, clients)
        _training(system, setting, "on")
        _until_idle(system)
        result["export_rows_per_second"] = export_rate(system, setting, size)
    return result


def _prepare(system: System, size: int) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "bench.loop.prepare", str(size), str(max(CROWDS))],
        cwd=ROOT,
        env=system.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    setting: dict[str, Any] = json.loads(done.stdout)
    return setting


def import_rate(system: System, size: int) -> float:
    """Rows a second of a CSV with a label column, from the start of its job to its end."""
    from bench.loop.prepare import texts

    files = {}
    for name, rows in (("first", 100), ("path", size)):
        path = system.data_dir / f"{name}.csv"
        with path.open("w") as stream:
            stream.write("text,label\n")
            for number, text in enumerate(texts(rows)):
                quoted = text.replace('"', '""')
                stream.write(f'"{quoted}",label {number % 77:02}\n')
        files[name] = str(path)
    seconds = json.loads(system.command("shell", "-c", _IMPORT.format(**files)).split("\n")[-2])
    return size / float(seconds)


# Each is done twice and the second time counts: a worker lives long and has its libraries loaded.
# Training is paused: what follows an import, a look at all its labels above all, is not timed here.
_IMPORT = """
import json, time
from annotator import jobs
from annotator.actions.imports import importing
from annotator.actions.projects import projects
from annotator.models import User
from annotator.formats.mapping import Mapping
jobs.ring = lambda *a, **k: None
owner, _ = User.objects.get_or_create(username="importer")
for name, file in (("First import", {first!r}), ("Import", {path!r})):
    project = projects.create_project(owner, name, encoder="tfidf-svd")
    projects.change_project(project, training_paused=True)
    batch = importing.start_import(
        project, open(file, "rb"), Mapping(text="text", label="label"),
        importing.Options(duplicates="keep"), owner, name="rows.csv")
    began = time.monotonic()
    jobs.execute(batch.job_id)
    spent = time.monotonic() - began
    batch.refresh_from_db()
    assert batch.state == "done", batch.report
print(json.dumps(spent))
"""

_EXPORT = """
import json, time
from annotator import jobs
from annotator.actions.exports import exporting
from annotator.models import Project, User
jobs.ring = lambda *a, **k: None
project = Project.objects.get(name="Import")
importer = User.objects.get(username="importer")
for _ in range(2):
    snapshot = exporting.create_snapshot(project, exporting.Options(), importer)
    began = time.monotonic()
    jobs.execute(snapshot.job_id)
    spent = time.monotonic() - began
    snapshot.refresh_from_db()
    assert snapshot.state == "ready", snapshot.job.error
print(json.dumps(spent))
"""


def export_rate(system: System, setting: dict[str, Any], size: int) -> float:
    """Items a second written by a snapshot of the imported project, all labelled."""
    seconds = json.loads(system.command("shell", "-c", _EXPORT).split("\n")[-2])
    return size / float(seconds)


def _training(system: System, setting: dict[str, Any], paused: str) -> None:
    system.command(
        "shell",
        "-c",
        "from annotator.models import Project; from annotator.actions.projects import projects; "
        f"projects.change_project(Project.objects.get(pk={setting['project']}), "
        f"training_paused={paused == 'on'})",
    )


def _students(system: System, setting: dict[str, Any]) -> int:
    printed = system.command(
        "shell",
        "-c",
        "from annotator.models import StudentVersion; "
        f"print(StudentVersion.objects.filter(project_id={setting['project']}).count())",
    )
    return int(printed.strip().split("\n")[-1])


def _first_student(system: System, setting: dict[str, Any], clients: list[Client]) -> None:
    for client in clients:
        client.open_page()
    window = Window()
    for number in range(FIRST_ANSWERS):
        clients[number % 8].answer(window)
    _training(system, setting, "off")
    end = time.monotonic() + PATIENCE_SECONDS
    while _students(system, setting) == 0 and time.monotonic() < end:
        time.sleep(0.5)
    _until_idle(system)


def _until_idle(system: System) -> None:
    """Wait until no job waits or runs: what the import left behind is not what we time."""
    count = "from annotator.models import Job; print(Job.objects.live().count())"
    end = time.monotonic() + PATIENCE_SECONDS * 5
    while time.monotonic() < end:
        if system.command("shell", "-c", count).strip().split("\n")[-1] == "0":
            return
        time.sleep(2)


def _refresh(system: System, setting: dict[str, Any], client: Client) -> float:
    """Seconds from an answer to the commit of the queue that a student trained on it filled."""
    window = Window()
    client.open_page()
    client.answer(window)
    printed = system.command("shell", "-c", _WAIT_FOR_QUEUE.format(uuid=window.acknowledged[0]))
    return float(printed.strip().split("\n")[-1])


_WAIT_FOR_QUEUE = """
import time
from annotator.models import Annotation, Job
said = Annotation.objects.select_related("ledger").get(uuid="{uuid}")
for _ in range(600):
    job = Job.objects.filter(project_id=said.project_id, kind="train", state="done",
                             result__trained=True, started_at__gt=said.created_at).order_by("id").first()
    if job:
        break
    time.sleep(0.1)
print((job.finished_at - said.created_at).total_seconds())
"""


def _crowd(system: System, clients: list[Client], seconds: float, most: int) -> dict[str, Any]:
    for client in clients:
        client.open_page()
    run_window(clients, WARM_SECONDS, most)
    before = system.server_cpu_seconds()
    window = run_window(clients, seconds, most)
    spent = system.server_cpu_seconds() - before
    return {
        "labels_per_second": window.rate,
        "p50_ms": window.quantile(0.5) * 1e3,
        "p95_ms": window.quantile(0.95) * 1e3,
        "cpu_ms_per_label": spent / max(len(window.times), 1) * 1e3,
        "errors": len(window.errors),
        "first_errors": window.errors[:3],
        "served_twice": len(window.items) - len(set(window.items)),
    }


def _lost(system: System, clients: list[Client]) -> int:
    """Acknowledged answers of one last round that the ledger does not have."""
    window = Window()
    for client in clients:
        client.answer(window)
    printed = system.command(
        "shell",
        "-c",
        "from annotator.models import Annotation; "
        f"print(Annotation.objects.filter(uuid__in={window.acknowledged!r}).count())",
    )
    return len(window.acknowledged) - int(printed.strip().split("\n")[-1])


def _figures(size: int, result: dict[str, Any]) -> list[Figure]:
    k = f"{size // 1000}k"
    one, crowd = _at(result["paused"], 1), _at(result["paused"], 32)
    busy = _at(result["training"], 32)
    windows = [_at(result[mode], n) for mode in ("paused", "training") for n in CROWDS]
    figures = [
        _figure(f"import_{k}", result["import_rows_per_second"], "rows/s", ">=", 20_000),
        _figure(f"export_{k}", result["export_rows_per_second"], "rows/s", ">=", 20_000),
        _figure(f"server_cpu_per_label_{k}", one["cpu_ms_per_label"], "ms", "<=", 10),
        _figure(f"answer_and_next_p95_1_{k}", one["p95_ms"], "ms"),
        _figure(f"labels_per_second_8_{k}", _at(result["paused"], 8)["labels_per_second"], "1/s"),
        _figure(f"labels_per_second_32_{k}", crowd["labels_per_second"], "1/s", ">=", 80),
        _figure(f"p95_32_{k}", crowd["p95_ms"], "ms", "<=", 600),
        _figure(f"p95_32_while_training_{k}", busy["p95_ms"], "ms", "<=", 2 * crowd["p95_ms"]),
        _figure(f"errors_{k}", sum(w["errors"] for w in windows), "requests", "<=", 0),
        _figure(f"served_twice_{k}", sum(w["served_twice"] for w in windows), "items", "<=", 0),
        _figure(f"acknowledged_and_lost_{k}", result["lost"], "answers", "<=", 0),
        _figure(f"answer_to_refreshed_queue_{k}", result["refresh_seconds"], "s", "<=", 5),
        _figure(f"web_memory_idle_{k}", result["web_idle_mb"], "MB", "<=", 250),
    ]
    return figures + page.figures(k, result["page"])


def _at(windows: dict[Any, Any], people: int) -> dict[str, Any]:
    """A window by its crowd; JSON has turned the numbers into text."""
    found: dict[str, Any] = windows.get(people) or windows[str(people)]
    return found


def _figure(name: str, value: float, unit: str, compare: str = "", target: float = 0.0) -> Figure:
    return Figure(name=name, value=value, unit=unit, op=compare, target=target)
