"""A process that takes part in a fit which another one leads: it reads the lesson from its input, takes the same
steps on a device of its own, and ends when its input does, however the leader ended.

`python -m learning.students.companion FILE`, where FILE is the place to meet; `spread` starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors.numpy import load, save

from learning.errors import CompanionError, LearningError
from learning.image_files import ImageFiles
from learning.registry import Registry, parameters_of
from learning.spans import Span
from learning.students import STUDENTS
from learning.taggers import TAGGERS
from learning.taggers.types import Marked, Words
from learning.types import TrainingData

UNREAD = ("encodings", "label_vectors", "parts")  # of a lesson, by students that read items
LEAVING_SECONDS = 2.0  # between the leader's last word and the end of its input
Arrays = Mapping[str, Any]


class _TrainedError(Exception):
    """All steps are done."""


def tell(
    stream: IO[bytes], plan: Any, data: TrainingData | Marked, checkpoint: Path | None
) -> None:
    """Write all that a companion needs for the same fit."""
    facts, arrays = _of_marked(data) if isinstance(data, Marked) else _of_labelled(plan, data)
    told = {
        "name": _registry(data).name_of(plan),
        "parameters": parameters_of(plan),
        "checkpoint": None if checkpoint is None else str(checkpoint.absolute()),
        "marked": isinstance(data, Marked),
        "facts": facts,
    }
    packed = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    for part in (json.dumps(told).encode(), packed):
        stream.write(len(part).to_bytes(8, "big") + part)
    stream.flush()


def hear(stream: IO[bytes]) -> tuple[Any, TrainingData | Marked, Path | None]:
    """(plan, data, checkpoint) that `tell` wrote."""
    told, arrays = json.loads(_part(stream)), load(_part(stream))
    data = (_marked if told["marked"] else _labelled)(told["facts"], arrays)
    plan = _registry(data).create(told["name"], told["parameters"])
    return plan, data, told["checkpoint"] and Path(told["checkpoint"])


def _part(stream: IO[bytes]) -> bytes:
    return stream.read(int.from_bytes(stream.read(8), "big"))


def _registry(data: TrainingData | Marked) -> Registry[Any]:
    return TAGGERS if isinstance(data, Marked) else STUDENTS


def _of_labelled(plan: Any, data: TrainingData) -> tuple[dict[str, Any], Arrays]:
    told = {each.name: getattr(data, each.name) for each in fields(data) if each.name not in UNREAD}
    arrays = {name: value for name, value in told.items() if isinstance(value, np.ndarray)}
    told["images"] = _files(data.images) if plan.needs == "images" else None
    return {name: value for name, value in told.items() if name not in arrays}, arrays


def _labelled(facts: dict[str, Any], arrays: Arrays) -> TrainingData:
    called = facts.pop("label_texts")
    if facts["images"] is not None:
        paths, names = (tuple(each) for each in facts["images"])
        facts["images"] = ImageFiles(paths=paths, names=names)
    return TrainingData(**facts, **arrays, label_texts=None if called is None else tuple(called))


def _files(images: Any) -> list[list[str]]:
    """Where images lie, and what they are called: each process reads them itself."""
    if not isinstance(images, ImageFiles):
        raise CompanionError("Only images that lie in files are trained on by several processes.")
    return [list(images.paths), list(images.names)]


def _of_marked(data: Marked) -> tuple[dict[str, Any], Arrays]:
    arrays: dict[str, Any] = {"starts": data.words.starts, "edges": data.words.edges}
    if data.weights is not None:
        arrays["weights"] = data.weights
    spans, texts = [list(each) for each in data.spans], data.texts and list(data.texts)
    return {"spans": spans, "labels": data.labels, "texts": texts}, arrays


def _marked(facts: dict[str, Any], arrays: Arrays) -> Marked:
    edges = arrays["edges"]
    vectors = np.empty((len(edges), 0), dtype=np.float32)  # taggers that read texts look at none
    return Marked(
        words=Words(starts=arrays["starts"], edges=edges, vectors=vectors),
        spans=[[Span(*span) for span in each] for each in facts.pop("spans")],
        weights=arrays.get("weights"),
        **facts,
    )


def main() -> None:
    """Take part; the exit status tells whether all steps were done."""
    place, rank, count = Path(sys.argv[1]), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the leader who hears Ctrl-C
    plan, data, checkpoint = hear(sys.stdin.buffer)
    led = threading.Thread(target=_end_with_leader, args=(place.parent,), daemon=True)
    led.start()
    from learning.students.ranks import meet

    os.write(sys.stdout.fileno(), b".")  # says that it is about to be there
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on
    try:
        meet(place, rank, count)
        with suppress(_TrainedError):
            plan.fit(data, np.random.default_rng(0), _silent, None, checkpoint)
    except LearningError as error:
        if isinstance(error, CompanionError):
            led.join(LEAVING_SECONDS)  # the leader may be the one who left: nothing to be told then
        sys.exit(f"Process {rank} of {count} that train together: {error}")
    led.join()


def _silent(done: int, total: int) -> None:
    if done == total:  # what comes after the last step, the leader does alone
        raise _TrainedError


def _end_with_leader(folder: Path) -> None:
    """Wait for the end of the input, which comes with the leader's, then leave nothing behind."""
    os.read(sys.stdin.fileno(), 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
