"""The teachers of a project: set up, changed, switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from django.db import transaction

from annotator.actions import budgets, endpoints
from annotator.errors import ConflictError, InvalidError
from annotator.models import Annotator, AnnotatorKind, Endpoint, ItemKind, Project, Teacher, User

# What the application can lend its means to, so far.
OFFERED = ("zero-shot", "openai")
# Those that call an endpoint.
CALLING = ("openai",)
LONGEST_NAME = 100
MOST_CONCURRENT = 32
SETTINGS = (
    *("name", "params", "endpoint", "key", "cap_run", "concurrency", "requests_per_minute"),
    "enabled",
)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a plugin as a form shows it."""

    name: str
    kind: str
    default: Any


def offered(project: Project) -> list[tuple[str, str]]:
    """(name, label) of the kinds of teacher that this project can have."""
    from learning.teachers import TEACHERS

    images = project.item_kind == ItemKind.IMAGE
    return [
        (name, label)
        for name, label in TEACHERS.choices()
        if name in OFFERED and not (images and name == "zero-shot")
    ]


def parameters(plugin: str) -> list[Parameter]:
    """The parameters of a kind of teacher, with the type's name and the default."""
    from learning.teachers import TEACHERS

    return [
        Parameter(
            name=each.name,
            kind=str(each.type),
            default=None if each.default is MISSING else each.default,
        )
        for each in fields(TEACHERS[plugin])  # type: ignore[arg-type]
    ]


def checked_params(plugin: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a teacher, the given ones checked. Raises InvalidError with what is wrong."""
    from learning.errors import LearningError
    from learning.registry import parameters_of
    from learning.teachers import TEACHERS

    try:
        return parameters_of(TEACHERS.create(plugin, dict(params)))
    except (LearningError, ValueError) as error:
        raise InvalidError(str(error), field="params") from error


def create_teacher(
    project: Project, by: User | None, *, name: str, plugin: str, **settings: Any
) -> Teacher:
    """Set up a teacher with a voice of its own. Raises InvalidError with the field that is wrong."""
    if plugin not in dict(offered(project)):
        kinds = ", ".join(dict(offered(project))) or "none"
        told = f"“{plugin}” is no teacher for this project; there are: {kinds}."
        raise InvalidError(told, field="plugin")
    teacher = Teacher(project=project, plugin=plugin, created_by=by)
    teacher.params = checked_params(plugin, {})
    with transaction.atomic():
        budgets.purse_of(project)
        name = _free_name(project, name)
        teacher.voice = Annotator.objects.create(
            project=project, kind=AnnotatorKind.TEACHER, name=name
        )
        _assign(teacher, by, settings)
        _check_calling(teacher)
        teacher.save(force_insert=True)
    return teacher


def change_teacher(teacher: Teacher, by: User | None, **settings: Any) -> Teacher:
    """Change a teacher; parameters that are not named stay as they are.

    What it said stays its word. Switched off, what it asks now ends within seconds.
    """
    with transaction.atomic():
        Teacher.objects.select_for_update(no_key=True).get(pk=teacher.pk)
        teacher.refresh_from_db()  # what somebody else changed meanwhile stays changed
        if "name" in settings:
            voice = teacher.voice
            voice.name = _free_name(teacher.project, settings.pop("name"), but=voice)
            voice.save(update_fields=["name"])
        _assign(teacher, by, settings)
        _check_calling(teacher)
        teacher.save()
    return teacher


def _assign(teacher: Teacher, by: User | None, settings: Mapping[str, Any]) -> None:
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise InvalidError(f"A teacher has no setting {', '.join(sorted(unknown))}.")
    if "endpoint" in settings:
        teacher.endpoint = _allowed(settings["endpoint"])
    if "params" in settings:
        teacher.params = checked_params(teacher.plugin, {**teacher.params, **settings["params"]})
    if "cap_run" in settings:
        teacher.cap_run = budgets.amount(settings["cap_run"], "cap_run")
    if "concurrency" in settings:
        teacher.concurrency = _between("concurrency", settings["concurrency"], 1, MOST_CONCURRENT)
    if "requests_per_minute" in settings:
        wanted = settings["requests_per_minute"]
        teacher.requests_per_minute = (
            None if wanted is None else _between("requests_per_minute", wanted, 1, 1_000_000)
        )
    if "enabled" in settings:
        teacher.enabled = bool(settings["enabled"])
    if settings.get("key"):
        if teacher.endpoint is None:
            raise InvalidError("Choose the endpoint that this key is for.", field="endpoint")
        endpoints.set_key(teacher.project, teacher.endpoint, str(settings["key"]), by)


def _allowed(endpoint: Endpoint | None) -> Endpoint | None:
    if endpoint is not None and not endpoint.enabled:
        raise InvalidError(f"The endpoint {endpoint} is closed.", field="endpoint")
    return endpoint


def _check_calling(teacher: Teacher) -> None:
    calls = teacher.plugin in CALLING
    if calls and teacher.endpoint is None:
        raise InvalidError(
            "Choose an endpoint; an instance admin puts addresses on the list.", field="endpoint"
        )
    if not calls and teacher.endpoint is not None:
        raise InvalidError("This kind of teacher calls no endpoint.", field="endpoint")
    if calls and not str(teacher.params.get("model", "")).strip():
        raise InvalidError("Name the model as the endpoint knows it.", field="model")
    if calls and not (_priced(teacher) or endpoints.is_near(teacher.endpoint)):
        raise InvalidError(
            "Enter the price of its tokens: without one no cap would hold. Only an endpoint of this "
            "machine or of your own network may cost nothing.",
            field="price_in",
        )


def _priced(teacher: Teacher) -> bool:
    return any(teacher.params.get(name, 0) > 0 for name in ("price_in", "price_out"))


def _between(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise InvalidError(f"Choose {low:,} to {high:,}.", field=name)
    return value


def _free_name(project: Project, name: str, but: Annotator | None = None) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidError(f"A name has 1 to {LONGEST_NAME} characters.", field="name")
    taken = Annotator.objects.filter(project=project, kind=AnnotatorKind.TEACHER, name=name)
    if but is not None:
        taken = taken.exclude(pk=but.pk)
    if taken.exists():
        raise ConflictError(f"There is a teacher called “{name}” already.", field="name")
    return name


def named(project: Project, name: str) -> Teacher:
    """A project's teacher by its name or number. Raises InvalidError with those there are."""
    rows = Teacher.objects.filter(project=project).select_related("voice", "endpoint", "project")
    found = rows.filter(voice__name=name).first()
    if found is None and name.isascii() and name.isdigit() and len(name) < 18:
        found = rows.filter(pk=int(name)).first()
    if found is None:
        known = ", ".join(f"{one.pk} {one.voice.name}" for one in rows.order_by("pk")[:20])
        raise InvalidError(f"There is no teacher “{name}”. There are: {known or 'none'}.")
    return found
