"""What a student chose by itself where it was not told, as its manifest says."""

from __future__ import annotations

from typing import Any

from annotator.actions.encoders.encoding import students_folder
from annotator.models import StudentVersion

HALF = 0.5
# Parameters of a head by what a choice calls them.
CALLED = {
    "strength": "strength",
    "scale": "prior_scale",
    "cut": "cut",
    "temperature": "temperature",
}


def chosen(version: StudentVersion) -> dict[str, Any]:
    """By parameter: a number, or the different ones of several questions, or the project's class weights; {} where
    the files are gone."""
    from learning.storage import MANIFEST, read_json

    path = students_folder(version.project_id) / version.folder / MANIFEST
    if not version.folder or not path.is_file():
        return {}
    manifest = read_json(path)
    choices = manifest.get("choices", [manifest.get("choice")])
    owns = manifest.get("owns", [manifest.get("own")])
    found = {
        ours: [choice.get(theirs) for choice in choices if choice]
        for theirs, ours in CALLED.items()
    } | {"own": owns, "focus": [manifest.get("focus")]}
    chosen = {
        name: _one(values)
        for name, values in found.items()
        if any(value is not None for value in values)
    }
    weighed = manifest.get("class_weights")
    return chosen | ({"class_weights": weighed} if weighed else {})


def draws_a_line(version: StudentVersion) -> bool:
    """Whether it gives labels from another probability than a half on, and so moves what it states."""
    return bool(chosen(version).get("cut", HALF) != HALF)


def _one(values: list[float | None]) -> float | str:
    different = list(dict.fromkeys(value for value in values if value is not None))
    return different[0] if len(different) == 1 else ", ".join(f"{each:.4g}" for each in different)
