"""What a language model is told: versions that people edit, compare and restore."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from annotator.actions.teachers import demonstrating, lending, teachers
from annotator.actions.teachers.prompt_versions import KIND, SETTINGS, latest
from annotator.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from annotator.models import Teacher, TeacherPrompt, User

_ASKED = {"orders": "order", "forms": "form", "texts": "text"}

if TYPE_CHECKING:
    from learning.teachers.openai import OpenAITeacher
    from learning.teachers.types import Example


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of two versions put side by side: same, added or removed."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """A prompt as it is sent about one item: the system part, the user part, and the shape of the
    answer as a JSON schema, for endpoints that take one.

    examples: solved items in it; labels: how many it offers. missing: why solved items or likely
    labels are not chosen now, "" where all is as it is sent.
    """

    number: int
    system: str
    user: str
    answer_format: dict[str, Any]
    examples: int
    labels: int
    missing: str = ""


def version_of(teacher: Teacher, version: int) -> TeacherPrompt:
    """Raises NotFoundError when there is none of this number."""
    found = TeacherPrompt.objects.filter(teacher=teacher, version=version).first()
    if found is None:
        raise NotFoundError("There is no such version of this prompt.")
    return found


def change(teacher: Teacher, by: User | None, **settings: Any) -> TeacherPrompt:
    """The next version, or the present one when nothing changed."""
    require_prompt(teacher)
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise InvalidError(f"A prompt has no setting {', '.join(sorted(unknown))}.")
    changed = teachers.change_teacher(teacher, by, params=settings)
    return cast("TeacherPrompt", latest(changed))


def restore(teacher: Teacher, version: int, by: User | None) -> TeacherPrompt:
    """Tell again what an earlier version told: as a new version, so that none is lost."""
    require_prompt(teacher)
    return change(teacher, by, **version_of(teacher, version).settings)


def require_prompt(teacher: Teacher) -> None:
    """Raise ConflictError for a kind of teacher that is told nothing."""
    if teacher.plugin != KIND:
        raise ConflictError(f"{teacher.name} is told nothing: only language models read a prompt.")


def difference(old: TeacherPrompt | None, new: TeacherPrompt) -> list[Line]:
    """Line by line; everything is new where there is nothing before."""
    before = _lines(old) if old is not None else []
    kinds = {" ": "same", "+": "added", "-": "removed"}
    found = difflib.ndiff(before, _lines(new))
    return [Line(kind=kinds[line[0]], text=line[2:]) for line in found if line[0] in kinds]


def _lines(prompt: TeacherPrompt) -> list[str]:
    settings, idle = prompt.settings, idle_settings(prompt.teacher)
    told = str(settings.get("instructions") or "").strip() or "(the usual instructions)"
    asked = [name for name in ("confidence", "reason") if settings.get(name) and name not in idle]
    lines = {
        "reason": f"Asked for beside the {_ASKED.get(prompt.teacher.project.task.called, 'label')}: {', '.join(asked) or 'nothing'}",
        "demonstrations": f"Solved examples shown: {settings.get('demonstrations') or 'none'}",
        "candidates": f"Labels offered: {settings.get('candidates') or 'all'}",
        "text_limit": f"Characters of a text, at most: {settings.get('text_limit')}",
    }
    return [*told.splitlines(), *(line for name, line in lines.items() if name not in idle)]


def idle_settings(teacher: Teacher) -> tuple[str, ...]:
    """Settings that change nothing here: a form offers the labels of all its questions, orders and texts have
    none to offer, nobody's orders are shown, and two sequences tell by themselves how sure an order is."""
    task = teacher.project.task
    if task.questions or task.written:
        return ("candidates",)
    if not task.ranked:
        return ()
    twice = teacher.params.get("passes", 2) > 1
    return ("demonstrations", "candidates", *(["confidence"] if twice else []))


def usual_instructions(teacher: Teacher) -> str:
    """What is told when nobody wrote anything."""
    from learning.teachers.prompting import first_prompt

    return first_prompt(lending.schema_of(teacher.project)).instructions


def written(teacher: Teacher, number: int) -> Written:
    """The present prompt about an item, as a run that asks about it alone would send it now."""
    from learning.teachers import TEACHERS
    from learning.teachers.prompting import answer_format, write_request

    require_prompt(teacher)
    plugin = cast("OpenAITeacher", TEACHERS.create(teacher.plugin, teacher.params))
    project, schema = teacher.project, lending.schema_of(teacher.project)
    items = lending.items_of(project, [number])
    if not items:
        raise NotFoundError("There is no such item in this project.")
    examples: Sequence[Example] = ()
    columns: Sequence[int] | None = None
    missing = ""
    try:
        examples, columns = demonstrating.shown_with(project, schema, teacher.params, items[0])
    except (ConflictError, UnavailableError) as refusal:
        missing = refusal.detail
    prompt = plugin.prompt(schema)
    request = write_request(prompt, schema, items, examples, columns=columns)
    return Written(
        number=number,
        system=request.system,
        user=request.user,
        answer_format=answer_format(prompt, schema, request.columns, len(items[0].candidates)),
        examples=len(examples),
        labels=schema.size if request.columns is None else len(request.columns),
        missing=missing,
    )
