"""What the labels are called, as vectors by the project's encoder: kept beside its matrix.

The job that encodes items writes them; training reads them and asks for that job when a label was
added, renamed or described anew since. Until then such a label has no vector, and students learn
it from its answers alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.actions.encoders import encoding as encodings
from annotator.models import Encoding, Label, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.tasks import Columns


def keep(project: Project, encoding: Encoding, ready: Any) -> None:
    """Encode the live labels' names, descriptions and words, unless that was done already."""
    from learning.storage import save_folder
    from learning.teachers.types import LabelText
    from learning.teachers.zero_shot import label_vectors

    labels = list(project.live_labels())
    told = _told(labels)
    if not labels or not _in_words(encoding) or _kept(encoding)[1] == told:
        return
    texts = [
        LabelText(
            id=label.pk,
            name=label.name,
            description=label.description,
            words=tuple(label.words),
        )
        for label in labels
    ]
    rows = encodings.open_matrix(encoding).view()
    arrays = {"vectors": label_vectors(texts, ready, rows)}
    save_folder(_folder(encoding), arrays, {"labels": list(told.items())})


def of(project: Project, encoding: Encoding, columns: Columns) -> NDArray[np.float32] | None:
    """(k, d) by column, zeros where a label was not encoded as it is called now; None without any."""
    found = _current(project, encoding)
    rows = {columns.column(label.pk): vector for label, vector in found}
    return _table(rows, (len(columns), encoding.dimensions))


def by_name(
    project: Project, encoding: Encoding, names: Sequence[str]
) -> NDArray[np.float32] | None:
    """The same for the live labels with these names, in their order."""
    column = {name: place for place, name in enumerate(names)}
    found = _current(project, encoding)
    rows = {column[label.name]: vector for label, vector in found if label.name in column}
    return _table(rows, (len(names), encoding.dimensions))


def texts_of(project: Project, columns: Columns) -> tuple[str, ...]:
    """What is said about each label, by column; "" for an archived one."""
    from learning.teachers.names import told

    texts = {
        label.pk: told(label.name, label.description, label.words)
        for label in project.live_labels()
    }
    return tuple(texts.get(pk, "") for pk in columns.label_ids)


def behind(project: Project, encoding: Encoding) -> bool:
    """Whether a live label waits for its vector."""
    if not _in_words(encoding):
        return False
    return not _told(project.live_labels()).items() <= _kept(encoding)[1].items()


def _current(project: Project, encoding: Encoding) -> list[tuple[Label, NDArray[np.float32]]]:
    """The live labels that were encoded as they are called now, with their vectors."""
    vectors, known = _kept(encoding)
    row = {label: place for place, label in enumerate(known)}
    labels = {str(label.pk): label for label in project.live_labels()}
    told = _told(labels.values())
    return [(labels[pk], vectors[row[pk]]) for pk in told if known.get(pk) == told[pk]]


def _table(
    rows: dict[int, NDArray[np.float32]], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    import numpy as np

    table = np.zeros(shape, dtype=np.float32)
    for place, row in rows.items():
        table[place] = row
    return table if table.any() else None


def _told(labels: Iterable[Label]) -> dict[str, str]:
    """Label id -> a hash of all that is said about the label."""
    return {str(label.pk): _hash(label) for label in labels}


def _hash(label: Label) -> str:
    said = json.dumps([label.name, label.description, list(label.words)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _in_words(encoding: Encoding) -> bool:
    from learning.encoders import ENCODERS

    return ENCODERS[encoding.encoder].modality == "text"


def _kept(encoding: Encoding) -> tuple[Any, dict[str, str]]:
    """The vectors with what they were made of, in the order of the rows; nothing while there are none."""
    from learning.errors import DamagedFileError
    from learning.storage import load_folder

    try:
        arrays, manifest = load_folder(_folder(encoding))
    except DamagedFileError:  # not made yet, or half of it: the next encoding job makes it anew
        return None, {}
    return arrays["vectors"], dict(manifest["labels"])


def _folder(encoding: Encoding) -> Path:
    return encodings.matrix_folder(encoding.project_id) / f"{encoding.fingerprint}.labels"
