"""Answers that are values as a simulation replays them: kept as JSON, read with what students read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders import reading_lists, reading_words
from annotator.errors import ConflictError
from annotator.models import Encoding, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.replayed import Known, TaughtTask, ValueReplay

# By what a task type's students read.
READERS = {"words": reading_words, "lists": reading_lists}


def task_of(project: Project) -> TaughtTask | None:
    """The project's task where a student learns from its values; None where answers are labels."""
    from learning.replayed import taught_task
    from learning.tasks import TASKS

    if TASKS[project.task_type].shape == "labels":
        return None
    return taught_task(project.task_type)


def make_ready(run: jobs.Run, project: Project, encoding: Encoding) -> None:
    """See that what students of values read of the items is on disk."""
    task = task_of(project)
    if task is not None:
        READERS[task.reads].read(run, encoding)


def opened(task: TaughtTask, encoding: Encoding) -> Any:
    """What students read of the items, as memory maps. Raises ConflictError when it is gone."""
    reader = READERS[task.reads]
    if not reader.folder_of(encoding).is_dir():
        raise ConflictError("The vectors that this simulation replays are gone. Start a new one.")
    return reader.view(encoding)


def replay_of(
    task: TaughtTask,
    read: Any,
    values: Sequence[Any],
    *,
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    rows: NDArray[np.int64],
    encodings: Any,
    names: tuple[str, ...],
    texts: Sequence[str] | None,
) -> ValueReplay:
    """The values as they are replayed. parts: places of the pool and of the test part; rows: (n,) where
    in what students read each item is.
    """
    from learning.replayed import ValueReplay

    def known(part: NDArray[np.int64]) -> Known:
        own = [values[place] for place in part]
        own_texts = None if texts is None else [texts[place] for place in part]
        return task.known_of(read, rows[part], own, len(names), own_texts)

    pool, test = parts
    return ValueReplay(
        pool=known(pool), test=known(test), encodings=encodings[pool], label_names=names
    )


def in_columns(
    project: Project, values: Sequence[str | None], column: Mapping[int, int]
) -> list[Any]:
    """Stored values with columns for labels; none where answers are labels."""
    task = task_of(project)
    if task is None:
        return []
    return [task.in_columns(json.loads(value), column) for value in values if value is not None]


def packed(values: Sequence[Any]) -> NDArray[np.uint8]:
    """Values as bytes, for a folder of arrays."""
    import numpy as np

    return np.frombuffer(json.dumps(values, separators=(",", ":")).encode(), dtype=np.uint8)


def unpacked(content: NDArray[np.uint8]) -> list[Any]:
    """What `packed` packed."""
    found: list[Any] = json.loads(content.tobytes())
    return found
