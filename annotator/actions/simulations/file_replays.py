"""A labelled file as a simulation of a project replays it: read as an import would, with the project's encoder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.simulations import labelled, marked_files, value_replays
from annotator.actions.simulations.frozen import Frozen, sealed
from annotator.actions.simulations.labelled import Labelled
from annotator.actions.simulations.parting import Answered, Parted, part
from annotator.errors import InvalidError
from annotator.models import ItemKind, Project, Simulation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.encoders import Encoder

MOST_FILE_ROWS = 200_000
ENCODED_AT_ONCE = 1_024
FITTED_ON = 20_000
# The folder of the words, beside the frozen data.
WORDS = "words"


def of_file(run: jobs.Run, simulation: Simulation, folder: Path) -> Frozen:
    """What of the file is replayed; the words of its texts go into `folder` where its rows mark places."""
    from learning.encoders import ENCODERS

    project = simulation.project
    found = _labelled(run, simulation)
    values, task = list[Any](), value_replays.task_of(project)
    if task is None:
        _check_labels(found.labels, project)
        names = sorted({name for labels in found.labels for name in labels})
    else:
        names = marked_files.names_in(found)
        found, values = marked_files.read(task, found, names)
    column = {name: place for place, name in enumerate(names)}
    answered = Answered(
        columns=[[column[name] for name in labels] for labels in found.labels],
        hashes=[labelled.hash_of(item) for item in found.items],
        names=tuple(names),
        values=values,
    )
    parted = part(answered, audit=[], where="the file")
    items = [found.items[place] for place in parted.places]
    facts = parted.facts | {
        "task_type": project.task_type,
        "encoder": project.encoder,
        "unlabelled": found.left_out,
    }
    encoder = ENCODERS.create(project.encoder, project.encoder_params)
    return sealed(parted, facts=facts, **_in_vectors(run, encoder, items, parted, folder))


def _labelled(run: jobs.Run, simulation: Simulation) -> Labelled:
    """The labelled rows. Raises InvalidError for items of another kind than the project's."""
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
    if images != (simulation.project.item_kind == ItemKind.IMAGE):
        kinds = ("images", "texts") if images else ("texts", "images")
        raise InvalidError(
            f"The file holds {kinds[0]}, and this project's encoder reads {kinds[1]}."
        )
    return found


def _check_labels(labels: list[tuple[str, ...]], project: Project) -> None:
    """The file's task is the project's: the strategies were chosen from those that fit it."""
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


def _in_vectors(
    run: jobs.Run, encoder: Encoder, items: list[Any], parted: Parted, folder: Path
) -> dict[str, Any]:
    """The items and their labels as an encoder sees them, and the encoder's name."""
    from learning.students.patience import beside
    from learning.teachers.types import LabelText
    from learning.teachers.zero_shot import label_vectors

    loading = partial(run.progress, 0, 1, "Loading the encoder")
    loading()
    ready = beside(lambda: encoder.fit(items[:FITTED_ON]), loading)
    vectors = _encoded(run, ready, items)
    found = {"fingerprint": ready.fingerprint, "encodings": vectors}
    if parted.answered.values:
        marked_files.read_words(
            folder / WORDS,
            ready,
            items,
            lambda done: run.progress(done, len(items), "Reading the words of the file"),
        )
    elif encoder.modality == "text":
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
