"""Versions of students as trainings would have left them."""

import json

from annotator.actions.students import training
from annotator.models import StudentVersion


def url(project, rest="students"):
    return f"/projects/{project.pk}/{rest}"


def version(project, number, **fields):
    fields = {"kind": "head", "state": "ready", "trained_on": 10 * number, **fields}
    return StudentVersion.objects.create(project=project, number=number, **fields)


def with_files(project, number, **fields):
    made = version(project, number, folder=f"head-{number}", **fields)
    folder = training.students_folder(project.pk) / made.folder
    (folder / "pool").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"student": "head", "sha256": {}}))
    (folder / "head.safetensors").write_bytes(b"\x00" * 1000)
    (folder / "pool" / "margins.bin").write_bytes(b"private")
    return made
