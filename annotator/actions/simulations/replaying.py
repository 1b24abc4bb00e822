"""What a simulation replays: items, their labels and the test part, frozen before the first run.

Labelling goes on while a simulation runs, so its data is written to a folder once; every run, also
after a killed worker, reads that. Equal hashes mean equal items, labels, parts and vectors.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from annotator import jobs
from annotator.actions.encoders import naming
from annotator.actions.encoders.encoding import current_encoding, open_matrix, wish_encoding
from annotator.actions.imports import uploads
from annotator.actions.queue import auditing
from annotator.actions.simulations import form_replays, labelled
from annotator.actions.simulations.parting import Answered, Parted, part
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import Encoding, Item, ItemKind, Label, Part, Project, Simulation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.encoders import Encoder
    from learning.simulation import Replay
    from learning.tasks import Task

MOST_FILE_ROWS = 200_000
ENCODED_AT_ONCE = 1_024
FITTED_ON = 20_000

_DECIDED = """
SELECT i.number, v.labels, i.content_hash, i.answers
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND i.number < %s AND v.state = 'decided' AND i.removed_at IS NULL
  AND v.source <> 'teacher'
ORDER BY i.number
"""


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The data of a simulation: n items beside their answers and parts.

    numbers: (n,) int64 rows of the project's matrix, or None for a file, whose vectors are in
        `encodings`: (n, d) float16; targets: (n, k) uint8; held_out: (n,) bool, the test part.
    label_vectors: (k, d) what the labels are called, None where the encoder reads no words.
    questions: of a form, as `form_replays.noted`; sided: columns 0 and 1 say which of two texts is better.
    """

    names: tuple[str, ...]
    questions: list[dict[str, Any]]
    targets: NDArray[np.uint8]
    held_out: NDArray[np.bool_]
    numbers: NDArray[np.int64] | None = None
    encodings: NDArray[np.float16] | None = None
    position: int = 0
    encoding: Encoding | None = None
    sided: bool = False
    label_vectors: NDArray[np.float32] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


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
    if simulation.stored_name:
        found = _of_file(run, simulation)
    else:
        found = _of_project(run, simulation.project)
    name = f"{simulation.pk}-{secrets.token_hex(6)}"
    _write(home / name, found)
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


def load(simulation: Simulation) -> tuple[Replay, Task]:
    """The frozen data as the learning side replays it. Raises ConflictError when it is gone."""
    import numpy as np

    from learning.simulation import Replay
    from learning.storage import load_folder
    from learning.students import STUDENTS

    arrays, manifest = load_folder(folder_of(simulation.project_id) / simulation.folder)
    if "encodings" in arrays:
        vectors = arrays["encodings"]
    elif simulation.encoding is None:
        raise ConflictError("The vectors that this simulation replays are gone. Start a new one.")
    else:
        vectors = open_matrix(simulation.encoding).view()[arrays["numbers"]]
    held_out = arrays["held_out"].astype(np.bool_)
    texts = None
    if STUDENTS[simulation.settings["student"]].needs == "texts":
        texts = _texts(simulation.project, arrays["numbers"])
    pool, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    targets = arrays["targets"].astype(np.float32)
    replay = Replay(
        encodings=vectors[pool],
        targets=targets[pool],
        test_encodings=vectors[test],
        test_targets=targets[test],
        label_names=tuple(manifest["names"]),
        texts=None if texts is None else [texts[row] for row in pool],
        test_texts=None if texts is None else [texts[row] for row in test],
        label_vectors=arrays.get("label_vectors"),
        paired="encodings" not in arrays
        and simulation.encoding is not None
        and simulation.encoding.apart,
        sided=manifest.get("sided", False),
    )
    return replay, form_replays.task_of(manifest["task_type"], manifest.get("questions", []))


def forget(simulation: Simulation) -> None:
    """Let go what only a running simulation needs: an uploaded file, and vectors made of it."""
    uploads.remove(simulation.stored_name)
    if simulation.stored_name and simulation.folder:
        shutil.rmtree(folder_of(simulation.project_id) / simulation.folder, ignore_errors=True)


def _of_project(run: jobs.Run, project: Project) -> Frozen:
    run.progress(0, 1, "Reading the labels")
    encoding = whole_encoding(project)
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
    return _sealed(
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
    kept = [
        (number, [column[pk] for pk in labels if pk in column], bytes(content))
        for number, labels, content, _ in rows
        if not project.has_questions or set(labels) <= set(column)
    ]
    if not project.multi_label:
        kept = [row for row in kept if len(row[1]) == 1]
    answered = Answered(
        columns=[columns for _, columns, _ in kept],
        hashes=[content for *_, content in kept],
        names=tuple(label.name for label in live),
        questions=form_replays.noted(asked, column),
    )
    more = {
        "by_people": {number for number, _, _, answers in rows if answers},
        "archived": len(rows) - len(kept),
        "sided": project.task.sided and [label.column for label in live][:2] == [0, 1],
    }
    return answered, [number for number, *_ in kept], more


def _of_file(run: jobs.Run, simulation: Simulation) -> Frozen:
    from learning.encoders import ENCODERS

    project = simulation.project
    run.progress(0, 1, "Reading the file")
    found = labelled.read(
        uploads.path_of(simulation.stored_name),
        simulation.file_name,
        text=simulation.settings.get("text", ""),
        label=simulation.settings.get("label", ""),
        rows=MOST_FILE_ROWS,
        beat=lambda count: run.progress(0, 1, f"Reading the file, {count:,} rows"),
    )
    images = isinstance(found.items[0], bytes)
    if images != (project.item_kind == ItemKind.IMAGE):
        kinds = ("images", "texts") if images else ("texts", "images")
        raise InvalidError(
            f"The file holds {kinds[0]}, and this project's encoder reads {kinds[1]}."
        )
    task_type = _task_of(found.labels, project)
    names = sorted({name for labels in found.labels for name in labels})
    column = {name: place for place, name in enumerate(names)}
    answered = Answered(
        columns=[[column[name] for name in labels] for labels in found.labels],
        hashes=[labelled.hash_of(item) for item in found.items],
        names=tuple(names),
    )
    parted = part(answered, audit=[], where="the file")
    items = [found.items[place] for place in parted.places]
    facts = parted.facts | {
        "task_type": task_type,
        "encoder": project.encoder,
        "unlabelled": found.left_out,
    }
    encoder = ENCODERS.create(project.encoder, project.encoder_params)
    return _sealed(parted, facts=facts, **_in_vectors(run, encoder, items, parted))


def _task_of(labels: list[tuple[str, ...]], project: Project) -> str:
    """The file's task, which is the project's: the strategies were chosen from those that fit it."""
    single = all(len(names) == 1 for names in labels)
    if single and project.multi_label:
        raise InvalidError(
            "Every item of the file has one label, and this project's items may have several. "
            "Replay it in a project with one label per item."
        )
    if not single and not project.multi_label:
        raise InvalidError(
            "Some items of the file have several labels or none, and this project's items have "
            "one. Replay it in a project with several labels per item."
        )
    return project.task_type


def _in_vectors(
    run: jobs.Run, encoder: Encoder, items: list[Any], parted: Parted
) -> dict[str, Any]:
    """The items and their labels as an encoder sees them, and the encoder's name."""
    from learning.teachers.types import LabelText
    from learning.teachers.zero_shot import label_vectors

    run.progress(0, 1, "Loading the encoder")
    ready = encoder.fit(items[:FITTED_ON])
    vectors = _encoded(run, ready, items)
    found = {"fingerprint": ready.fingerprint, "encodings": vectors}
    if encoder.modality == "text":
        texts = [LabelText(id=n, name=name) for n, name in enumerate(parted.answered.names)]
        found["label_vectors"] = label_vectors(texts, ready, vectors)
    return found


def _encoded(run: jobs.Run, ready: Any, items: list[Any]) -> NDArray[np.float16]:
    import numpy as np

    vectors = np.empty((len(items), ready.dimensions), dtype=np.float16)
    for start in range(0, len(items), ENCODED_AT_ONCE):
        run.progress(start, len(items), "Encoding the file")
        block = slice(start, start + ENCODED_AT_ONCE)
        vectors[block] = ready.encode(items[block])
    return vectors


def _sealed(
    parted: Parted,
    *,
    facts: dict[str, Any],
    fingerprint: str,
    numbers: list[int] | None = None,
    encodings: NDArray[np.float16] | None = None,
    label_vectors: NDArray[np.float32] | None = None,
    position: int = 0,
    encoding: Encoding | None = None,
    sided: bool = False,
) -> Frozen:
    import numpy as np

    answered = parted.answered
    targets = np.zeros((len(parted.places), len(answered.names)), dtype=np.uint8)
    for row, place in enumerate(parted.places):
        targets[row, answered.columns[place]] = 1
    held_out = np.array(parted.held_out, dtype=np.bool_)
    digest = hashlib.sha256(repr((facts["task_type"], fingerprint, answered.names)).encode())
    digest.update(repr(answered.questions).encode() if answered.questions else b"")
    for place in parted.places:
        digest.update(answered.hashes[place])
    digest.update(targets.tobytes())
    digest.update(held_out.tobytes())
    digest.update(b"" if label_vectors is None else label_vectors.tobytes())
    return Frozen(
        names=answered.names,
        questions=answered.questions,
        targets=targets,
        held_out=held_out,
        numbers=None if numbers is None else np.array(numbers, dtype=np.int64),
        encodings=encodings,
        label_vectors=label_vectors,
        position=position,
        encoding=encoding,
        sided=sided,
        facts=facts,
        digest=digest.hexdigest(),
    )


def _write(folder: Path, found: Frozen) -> None:
    import numpy as np

    from learning.storage import save_folder

    arrays: dict[str, NDArray[Any]] = {
        "targets": found.targets,
        "held_out": found.held_out.astype(np.uint8),
    }
    if found.numbers is not None:
        arrays["numbers"] = found.numbers
    if found.encodings is not None:
        arrays["encodings"] = found.encodings
    if found.label_vectors is not None:
        arrays["label_vectors"] = found.label_vectors
    manifest = {
        "names": list(found.names),
        "task_type": found.facts["task_type"],
        "questions": found.questions,
        "sided": found.sided,
    }
    with uploads.sentences_for_full_disks():
        save_folder(folder, arrays, manifest)


def _texts(project: Project, numbers: NDArray[np.int64]) -> list[str]:
    from learning.encoders import pair

    items = Item.objects.filter(project=project, number__in=numbers.tolist())
    return [pair(a, b) for a, b in items.order_by("number").values_list("text", "text_b")]
