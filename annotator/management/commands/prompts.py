"""What a teacher that is a language model is told: its versions, what parts them, and the next one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.teachers import prompts, teachers
from annotator.actions.teachers.prompt_versions import latest
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.models import Teacher, TeacherPrompt

NUMBERS = ("demonstrations", "candidates", "text_limit")
ASKED = ("confidence", "reason")
SIGNS = {"same": "  ", "added": "+ ", "removed": "- "}


class Command(Base):
    help = "List, show, compare and write versions of what a teacher is told."
    example = """
Examples:
  manage.py prompts --project 1 --teacher GPT
  manage.py prompts --project 1 --teacher GPT --show 3
  manage.py prompts --project 1 --teacher GPT --diff 2 3
  manage.py prompts --project 1 --teacher GPT --written 17
  manage.py prompts --project 1 --teacher GPT --new instructions.txt --demonstrations 4 --no-confidence
  manage.py prompts --project 1 --teacher GPT --restore 2

One JSON line a version, the latest first: that one is told. --show prints one whole, --diff what
parts two, line by line, --written the present one as it is sent about an item, by its number.
--new takes the instructions from a file; without it the other options change the present version.
Versions are put to the same items on the teacher's page or over the API.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--project", required=True, help="number or name")
        add("--teacher", required=True, help="name or number")
        does = parser.add_mutually_exclusive_group()
        does.add_argument("--show", type=int, metavar="VERSION", help="one version, whole")
        does.add_argument("--diff", type=int, nargs=2, metavar=("OLD", "NEW"), help="line by line")
        does.add_argument("--written", type=int, metavar="ITEM", help="as it is sent about an item")
        does.add_argument("--restore", type=int, metavar="VERSION", help="tell it again")
        does.add_argument(
            "--new", type=Path, metavar="FILE", help="the next version's instructions"
        )
        add("--demonstrations", type=int, help="solved items that a prompt shows")
        add("--candidates", type=int, help="labels offered for an item, 0 for all")
        add("--text-limit", type=int, help="characters of a text, at most")
        for name in ASKED:
            either = parser.add_mutually_exclusive_group()
            either.add_argument(f"--{name}", action="store_true", default=None, help="ask for it")
            either.add_argument(f"--no-{name}", action="store_false", dest=name)

    def handle(self, *args: Any, **options: Any) -> None:
        teacher = teachers.named(project_named(options["project"]), options["teacher"])
        prompts.require_prompt(teacher)
        wished = {name: options[name] for name in (*NUMBERS, *ASKED) if options[name] is not None}
        if options["new"] is not None:
            wished["instructions"] = _read(options["new"])
        elif wished and any(options[name] is not None for name in ("show", "diff", "written")):
            raise CommandError("Looking at a prompt changes nothing: give settings without it.")
        if options["restore"] is not None:
            if wished:
                raise CommandError("An earlier version is told again as it was: give no settings.")
            self._line(prompts.restore(teacher, options["restore"], None))
        elif wished:
            self._line(prompts.change(teacher, None, **wished))
        elif options["show"] is not None:
            self._whole(prompts.version_of(teacher, options["show"]))
        elif options["diff"] is not None:
            old, new = (prompts.version_of(teacher, version) for version in options["diff"])
            for line in prompts.difference(old, new):
                self.say(f"{SIGNS[line.kind]}{line.text}")
        elif options["written"] is not None:
            written = prompts.written(teacher, options["written"])
            if written.missing:
                self.note(written.missing)
            self.say(f"{written.system}\n\n{written.user}")
        else:
            self._all(teacher)

    def _all(self, teacher: Teacher) -> None:
        for row in TeacherPrompt.objects.filter(teacher=teacher).order_by("-version"):
            self._line(row)

    def _line(self, row: TeacherPrompt) -> None:
        row.refresh_from_db()
        now = latest(row.teacher)
        told = {"version": row.version, "told": now is not None and now.pk == row.pk}
        at = row.created_at.isoformat(timespec="seconds")
        self.say(json.dumps({**told, "created_at": at, **row.settings}, ensure_ascii=False))

    def _whole(self, row: TeacherPrompt) -> None:
        for line in prompts.difference(None, row):
            self.say(line.text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
