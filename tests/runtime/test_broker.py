"""The filesystem broker: a reader never meets half a message."""

import json
import threading
from pathlib import Path

from kombu import Connection

from annotator.celery import app


def test_a_message_has_its_name_only_when_it_is_whole(tmp_path):
    options = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out")}
    options["control_folder"] = str(tmp_path / "control")
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
    with Connection("filesystem://localhost/", transport_options=options) as connection:
        queue = connection.SimpleQueue("ring")
        for number in range(300):
            queue.put({"job_id": number})
        stop.set()
        reader.join()
        assert halves == []
        assert {queue.get(timeout=1).payload["job_id"] for _ in range(300)} == set(range(300))
        queue.close()
