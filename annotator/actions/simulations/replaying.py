"""What a simulation replays: items, their labels and the test part, frozen before the first run.

Labelling goes on while a simulation runs, so its data is written to a folder once; every run, also
after a killed worker, reads that. Equal hashes mean equal items, labels, parts and vectors.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from annotator import jobs
from annotator.actions.encoders import naming
from annotator.actions.encoders.encoding import current_encoding, open_matrix, wish_encoding
from annotator.actions.imports import uploads
from annotator.actions.queue import auditing
from annotator.actions.simulations import form_replays, marked_files, value_replays
from annotator.actions.simulations.file_replays import WORDS, of_file
from annotator.actions.simulations.frozen import Frozen, sealed, write
from annotator.actions.simulations.parting import Answered, part
from annotator.actions.students.recipes import registry_of
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError
from annotator.models import Encoding, Item, Label, Part, Project, Shape, Simulation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.simulation import Replay, Replayed
    from learning.tasks import Task

_DECIDED = """
SELECT i.number, v.labels, i.content_hash, i.answers, v.value::text
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND i.number < %s AND v.state = 'decided' AND i.removed_at IS NULL
  AND v.source <> 'teacher'
ORDER BY i.number
"""


def folder_of(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "simulations" / str(project_id)


def labelled_count(project: Project) -> int:
    """Items with a verdict of people's or a file's, which is what a simulation can replay."""
    from annotator.models import Verdict, VerdictSource, VerdictState

    decided = Verdict.objects.filter(
        project=project, state=VerdictState.DECIDED, item__removed_at=None
    )
    return decided.exclude(source=VerdictSource.TEACHER).count()


def whole_encoding(project: Project) -> Encoding:
    """The project's matrix once it has every item. Raises ConflictError before, and asks for it."""
    encoding = current_encoding(project)
    have = encoding.rows if encoding is not None else 0
    if encoding is None or have < project.item_count:
        wish_encoding(project)
        raise ConflictError(
            f"The items are still being encoded, {have:,} of {project.item_count:,} so far. "
            "Start again when they all are."
        )
    return encoding


def freeze(run: jobs.Run, simulation: Simulation) -> None:
    """Gather what is replayed, write it down, and note it in the simulation."""
    home = folder_of(simulation.project_id)
    for left in home.glob(f"{simulation.pk}-*"):  # by a worker that was killed before it noted it
        shutil.rmtree(left, ignore_errors=True)
    name = f"{simulation.pk}-{secrets.token_hex(6)}"
    if simulation.stored_name:
        found = of_file(run, simulation, home / name)
    else:
        found = _of_project(run, simulation.project)
    write(home / name, found)
    with run.fence():
        noted = (
            Simulation.objects.live()
            .filter(pk=simulation.pk)
            .update(
                folder=name,
                data_hash=found.digest,
                position=found.position,
                encoding=found.encoding,
                facts=found.facts,
            )
        )
    if not noted:
        shutil.rmtree(home / name, ignore_errors=True)
        raise jobs.CancelledError("Cancelled.")
    simulation.refresh_from_db()


def load(simulation: Simulation) -> tuple[Replayed, Task]:
    """The frozen data as the learning side replays it. Raises ConflictError when it is gone."""
    import numpy as np

    from learning.replayed import taught_task
    from learning.storage import load_folder

    arrays, manifest = load_folder(folder_of(simulation.project_id) / simulation.folder)
    held_out = arrays["held_out"].astype(np.bool_)
    pool, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    vectors, texts = _vectors(simulation, arrays), _texts(simulation, arrays)
    if "values" not in arrays:
        replay = _of_labels(simulation, arrays, manifest, (vectors, texts), (pool, test))
        return replay, form_replays.task_of(manifest["task_type"], manifest.get("questions", []))
    task, home = taught_task(manifest["task_type"]), folder_of(simulation.project_id)
    words = home / simulation.folder / WORDS
    uploaded = "encodings" in arrays
    of_values = value_replays.replay_of(
        task,
        marked_files.opened(words)
        if uploaded
        else value_replays.opened(task, _encoding(simulation)),
        value_replays.unpacked(arrays["values"]),
        parts=(pool, test),
        rows=np.arange(len(held_out)) if uploaded else arrays["numbers"],
        encodings=vectors,
        names=tuple(manifest["names"]),
        texts=texts,
    )
    return of_values, task


def _of_labels(
    simulation: Simulation,
    arrays: dict[str, NDArray[Any]],
    manifest: dict[str, Any],
    items: tuple[Any, list[str] | None],
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Replay:
    import numpy as np

    from learning.simulation import Replay

    vectors, texts = items
    pool, test = parts
    targets = arrays["targets"].astype(np.float32)
    return Replay(
        encodings=vectors[pool],
        targets=targets[pool],
        test_encodings=vectors[test],
        test_targets=targets[test],
        label_names=tuple(manifest["names"]),
        texts=None if texts is None else [texts[row] for row in pool],
        test_texts=None if texts is None else [texts[row] for row in test],
        label_vectors=arrays.get("label_vectors"),
        paired="encodings" not in arrays and _encoding(simulation).apart,
        sided=manifest.get("sided", False),
    )


def _vectors(simulation: Simulation, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    if "encodings" in arrays:
        return arrays["encodings"]
    found: NDArray[Any] = open_matrix(_encoding(simulation)).view()[arrays["numbers"]]
    return found


def _encoding(simulation: Simulation) -> Encoding:
    if simulation.encoding is None:
        raise ConflictError("The vectors that this simulation replays are gone. Start a new one.")
    return simulation.encoding


def _texts(simulation: Simulation, arrays: dict[str, NDArray[Any]]) -> list[str] | None:
    """For a student that reads them."""
    from learning.encoders.apart import kept_apart

    student = simulation.settings["student"]
    if registry_of(student)[student].needs != "texts":
        return None
    items = Item.objects.filter(project=simulation.project, number__in=arrays["numbers"].tolist())
    return [kept_apart(a, b) for a, b in items.order_by("number").values_list("text", "text_b")]


def forget(simulation: Simulation) -> None:
    """Let go what only a running simulation needs: an uploaded file, and vectors made of it."""
    uploads.remove(simulation.stored_name)
    if simulation.stored_name and simulation.folder:
        shutil.rmtree(folder_of(simulation.project_id) / simulation.folder, ignore_errors=True)


def _of_project(run: jobs.Run, project: Project) -> Frozen:
    run.progress(0, 1, "Reading the labels")
    encoding = whole_encoding(project)
    value_replays.make_ready(run, project, encoding)
    position = settling.settle_now(project)
    answered, numbers, more = _decided(project, encoding)
    audited = {
        number
        for part in (Part.EVALUATION, Part.CALIBRATION, Part.SEED)
        for number, _ in auditing.answered(project, part)
    }
    audit = [place for place, number in enumerate(numbers) if number in audited]
    parted = part(answered, audit=audit, where="this project")
    chosen = {numbers[place] for place in parted.pool} & more.pop("by_people") - audited
    sided = more.pop("sided")
    facts = parted.facts | more | {"chosen": len(chosen), "encoder": encoding.encoder}
    return sealed(
        parted,
        facts=facts | {"task_type": project.task_type},
        numbers=[numbers[place] for place in parted.places],
        fingerprint=encoding.fingerprint,
        label_vectors=naming.by_name(project, encoding, parted.answered.names),
        position=position,
        encoding=encoding,
        sided=sided,
    )


def _decided(project: Project, encoding: Encoding) -> tuple[Answered, list[int], dict[str, Any]]:
    """Decided items under the live labels that occur, their numbers, and what else is told."""
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk, encoding.rows])
        rows = cursor.fetchall()
    seen = {pk for _, labels, *_ in rows for pk in labels}
    live = Label.objects.filter(project=project, archived_at=None, pk__in=seen).order_by("column")
    asked = form_replays.occurring(project.task.questions, [label.pk for label in live])
    if project.has_questions:
        live = live.filter(pk__in=[pk for one in asked for pk in one.labels])
    column = {label.pk: place for place, label in enumerate(live)}
    kept = [row for row in rows if _is_whole(project, row[1], row[-1], column)]
    answered = Answered(
        columns=[[column[pk] for pk in labels if pk in column] for _, labels, *_ in kept],
        hashes=[bytes(content) for _, _, content, *_ in kept],
        names=tuple(label.name for label in live),
        questions=form_replays.noted(asked, column),
        values=value_replays.in_columns(project, [value for *_, value in kept], column),
    )
    more = {
        "by_people": {number for number, _, _, answers, _ in rows if answers},
        "archived": len(rows) - len(kept),
        "sided": project.task.sided and [label.column for label in live][:2] == [0, 1],
    }
    return answered, [number for number, *_ in kept], more


def _is_whole(
    project: Project, labels: list[int], value: str | None, column: dict[int, int]
) -> bool:
    """Whether an answer is one without its archived labels."""
    if project.has_questions:
        return set(labels) <= set(column)
    if project.shape != Shape.LABELS:
        return value is not None
    return project.multi_label or len(set(labels) & set(column)) == 1
