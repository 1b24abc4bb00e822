"""Write a student into a folder that works elsewhere."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.students import leaving
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.models import Project, StudentVersion


class Command(Base):
    help = "Write a student as a folder with its weights, a loader and a model card."
    example = """
Examples:
  manage.py download_student 1
  manage.py download_student 1 --student 12 --into models

Writes models/concord_1_student_12; its README.md says how to load it: one line of Python, without
Concord. Nothing is overwritten.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument("--student", type=int, help="its number; the current one")
        parser.add_argument("--into", type=Path, default=Path(), help="where the folder goes")

    def handle(self, *args: Any, **options: Any) -> None:
        version = _student(project_named(options["project"]), options["student"])
        target = options["into"] / leaving.package_of(version)
        if target.exists():
            raise CommandError(
                f"{target} is there already; remove it first, or name another --into."
            )
        members = leaving.members(version)
        try:
            options["into"].mkdir(parents=True, exist_ok=True)
            # Made beside its place, then moved: a half-written folder never has the name.
            with tempfile.TemporaryDirectory(dir=options["into"]) as fresh:
                for name, content in members:
                    path = Path(fresh) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    if isinstance(content, bytes):
                        path.write_bytes(content)
                    else:
                        shutil.copyfile(content, path)
                (Path(fresh) / target.name).rename(target)
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}.") from error
        self.say(
            json.dumps({"student": version.number, "kind": version.kind, "folder": str(target)})
        )


def _student(project: Project, number: int | None) -> StudentVersion:
    rows = StudentVersion.objects.filter(project=project).select_related("project", "encoding")
    if number is None:
        found = rows.filter(pk=project.current_student_id or 0).first()
        if found is None:
            raise CommandError("This project has no student yet; it trains from two labels on.")
        return found
    found = rows.filter(number=number).first()
    if found is None:
        raise CommandError(f"This project has no student {number}.")
    return found
