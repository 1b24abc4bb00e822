"""What a training that gave way had begun to learn, so that it goes on with just that: answers come while
it waits, and with others every step that was taken would be in vain.

Beside the checkpoints lie which items it learns from and what was answered about them, and no word of
them: an item that was redacted or removed meanwhile, another label or another name of one, or other
vectors, and it begins anew with the answers of then.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.actions.encoders import naming
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons, marked_lessons
from annotator.models import Encoding, Item, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson
    from annotator.actions.students.marked_lessons import MarkedLesson
    from learning.taggers.types import Words
    from learning.tasks import Columns

FOLDER = "lesson"
OF_ITEMS, OF_ANSWERS = ("numbers", "groups", "whole", "taught"), ("targets", "known")
MAYBE = ("weights", "younger")


def keep(folder: Path, lesson: Lesson | MarkedLesson, seen: str) -> None:
    """Write what is learned from beside the checkpoints in this folder. seen: what it was gathered with, see `seen`."""
    from learning.storage import save_folder

    found = {name: getattr(lesson, name, None) for name in OF_ITEMS}
    found |= {name: getattr(lesson.data, name, None) for name in (*OF_ANSWERS, *MAYBE)}
    told = {
        "seen": seen,
        "audited": lesson.audited,
        "held": lesson.held,
        "answers": lesson.answers,
        "position": lesson.position,
        "spans": getattr(lesson.data, "spans", None),
    }
    arrays = {name: array for name, array in found.items() if array is not None}
    save_folder(folder / FOLDER, arrays, told)


def read(folder: Path, project: Project, encoding: Encoding) -> Lesson | None:
    """What was kept, with its items; None where nothing was, or it is not so any more."""
    found = _kept(folder, project, encoding)
    if found is None:
        return None
    arrays, told = found
    columns, answers = columns_of(project), {name: arrays.get(name) for name in MAYBE}
    answers |= {name: arrays[name] for name in OF_ANSWERS}
    return lessons.Lesson(
        **{name: arrays[name] for name in OF_ITEMS},
        data=lessons.data_of(
            project, encoding, columns, arrays["numbers"], whole_items=True, **answers
        ),
        columns=columns,
        audited=[(number, labels) for number, labels in told.pop("audited")],
        **told,
    )


def read_marked(
    folder: Path, project: Project, encoding: Encoding, words: Words
) -> MarkedLesson | None:
    """The same where answers mark spans."""
    from learning.spans import Span
    from learning.taggers.types import Marked

    found = _kept(folder, project, encoding)
    if found is None:
        return None
    arrays, told = found
    numbers, columns = arrays["numbers"], columns_of(project)
    spans, audited = told.pop("spans"), told.pop("audited")
    return marked_lessons.MarkedLesson(
        **{name: arrays[name] for name in OF_ITEMS if name in arrays},
        data=Marked(
            words=words.subset(numbers),
            spans=[[Span(*span) for span in each] for each in spans],
            labels=len(columns),
            weights=arrays.get("weights"),
            texts=marked_lessons.texts_of(project, numbers.tolist()),
        ),
        columns=columns,
        audited=[(number, [Span(*span) for span in each]) for number, each in audited],
        **told,
    )


def _kept(
    folder: Path, project: Project, encoding: Encoding
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    from learning.errors import DamagedFileError
    from learning.storage import load_folder

    try:
        arrays, told = load_folder(folder / FOLDER)
    except DamagedFileError:
        return None
    if told["seen"] != seen(project, encoding, columns_of(project), arrays["numbers"]):
        return None
    names = ("audited", "held", "answers", "position", "spans")
    return arrays, {name: told[name] for name in names if told[name] is not None}


def seen(project: Project, encoding: Encoding, columns: Columns, numbers: NDArray[np.int64]) -> str:
    """A hash of what a lesson is read with: the labels, how they are called, the vectors, and how many of the
    items are there and say something. It is taken when the lesson is: all may change while it is learned."""
    labels = (columns.label_ids, sorted(columns.archived), naming.texts_of(project, columns))
    there = Item.objects.filter(project=project, removed_at=None, number__in=numbers.tolist())
    items = there.exclude(text="", image="").count()
    return hashlib.sha256(json.dumps([*labels, encoding.fingerprint, items]).encode()).hexdigest()
