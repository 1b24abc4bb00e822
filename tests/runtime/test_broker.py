"""The filesystem broker: a reader never meets half a message, and hears soon that it shall stop."""

import json
import socket
import threading
from pathlib import Path

import pytest
from kombu import Connection
from kombu.transport.virtual import base

from annotator.celery import app


def connected(folder, **options):
    options |= {name: str(folder) for name in ("data_folder_in", "data_folder_out")}
    options["control_folder"] = str(folder / "control")
    return Connection("filesystem://localhost/", transport_options=options)


def test_a_message_has_its_name_only_when_it_is_whole(tmp_path):
    assert app.main == "annotator"
    halves, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            for path in Path(tmp_path).glob("*.msg"):
                try:
                    json.loads(path.read_text())
                except ValueError:
                    halves.append(path.name)

    reader = threading.Thread(target=read)
    reader.start()
    with connected(tmp_path) as connection:
        queue = connection.SimpleQueue("ring")
        for number in range(300):
            queue.put({"job_id": number})
        stop.set()
        reader.join()
        assert halves == []
        assert {queue.get(timeout=60).payload["job_id"] for _ in range(300)} == set(range(300))
        queue.close()


def test_who_waits_for_messages_is_free_between_two_looks(tmp_path, monkeypatch):
    now, looks = [0.0], []

    def sleep(seconds):
        looks.append(1)
        now[0] += seconds

    monkeypatch.setattr(base, "sleep", sleep)
    monkeypatch.setattr(base, "monotonic", lambda: now[0])  # or a slow look would fill the wait
    with connected(tmp_path, polling_interval=0.05) as connection:
        queue = connection.SimpleQueue("ring")
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=2)
        assert len(looks) == 1
        queue.close()
