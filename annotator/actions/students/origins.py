"""Of what a version was made, as the manifest beside its weights says, so that it can be made again."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import annotator
from annotator.actions.encoders.encoding import students_folder
from annotator.models import Encoding, StudentVersion

if TYPE_CHECKING:
    from annotator.actions.students.fitting import Learned

MADE = "made"
# By what they are imported as: what a version may rest on, where the process that made it had them.
LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "transformers": "transformers",
    "safetensors": "safetensors",
}


def seed_of(project_id: int, lesson: Learned) -> list[int]:
    """Of the generator that a training is given: the same for the same lesson."""
    return [project_id, lesson.position, len(lesson.numbers)]


def note(folder: Path, encoding: Encoding, lesson: Learned, fields: dict[str, Any]) -> None:
    """Write it into the manifest of a finished folder. A model of ours goes by its name: where it lies on
    this machine is nobody's business."""
    from learning import storage

    params = dict(fields["params"])
    if Path(str(params.get("model", ""))).is_absolute():
        params["model"] = Path(params["model"]).name
    made = {
        "position": lesson.position,
        "items": len(lesson.numbers),
        "kind": fields["kind"],
        "params": params,
        "seed": seed_of(encoding.project_id, lesson),
        "encoding": encoding.fingerprint,
        "device": fields["device"],
        "libraries": libraries(),
    }
    storage.note(folder, {MADE: made})


def libraries() -> dict[str, str]:
    """The versions of what this process computes with, by name."""
    found = {name: metadata.version(name) for at, name in LIBRARIES.items() if at in sys.modules}
    python = ".".join(str(each) for each in sys.version_info[:3])
    return {"python": python, "concord": annotator.__version__, **found}


def read(version: StudentVersion) -> dict[str, Any]:
    """What `note` wrote; {} where the files are gone, or older than that."""
    from learning.storage import MANIFEST, read_json

    path = students_folder(version.project_id) / version.folder / MANIFEST
    if not version.folder or not path.is_file():
        return {}
    made: dict[str, Any] = read_json(path).get(MADE, {})
    return made
