"""The frozen data of a simulation, named by a hash of all that decides its curves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.actions.imports import uploads
from annotator.actions.simulations import value_replays
from annotator.actions.simulations.parting import Parted
from annotator.models import Encoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The data of a simulation: n items beside their answers and parts.

    numbers: (n,) int64 rows of the project's matrix, or None for a file, whose vectors are in
        `encodings`: (n, d) float16; targets: (n, k) uint8, the labels that occur; held_out: (n,) bool, the
        test part.
    values: n with columns for labels, where answers are more than labels; else none.
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
    values: list[Any] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def sealed(
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
    values = [answered.values[place] for place in parted.places] if answered.values else []
    digest.update(value_replays.packed(values).tobytes() if values else b"")
    return Frozen(
        names=answered.names,
        questions=answered.questions,
        targets=targets,
        held_out=held_out,
        numbers=None if numbers is None else np.array(numbers, dtype=np.int64),
        encodings=encodings,
        label_vectors=label_vectors,
        values=values,
        position=position,
        encoding=encoding,
        sided=sided,
        facts=facts,
        digest=digest.hexdigest(),
    )


def write(folder: Path, found: Frozen) -> None:
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
    if found.values:
        arrays["values"] = value_replays.packed(found.values)
    manifest = {
        "names": list(found.names),
        "task_type": found.facts["task_type"],
        "questions": found.questions,
        "sided": found.sided,
    }
    with uploads.sentences_for_full_disks():
        save_folder(folder, arrays, manifest)
