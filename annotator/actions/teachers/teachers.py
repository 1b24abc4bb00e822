"""The teachers of a project: set up, changed, switched off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import count
from typing import Any

from django.db import transaction

from annotator import jobs
from annotator.actions.teachers import budgets, endpoints, local_models, prompt_versions
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotator,
    AnnotatorKind,
    Can,
    Endpoint,
    ItemKind,
    Policy,
    Project,
    Teacher,
    User,
)

# What a form sets up.
OFFERED = ("zero-shot", "openai", "local", "student", "committee")
# What runs a model of its own, on a worker that may have a GPU.
HEAVY = ("local",)
# What comes into being with a file of answers.
FROM_FILES = ("recorded",)
# Those that call an endpoint.
CALLING = ("openai",)
# What has nothing to read in an image.
TEXT_ONLY = ("zero-shot", "local")
LONGEST_NAME = 100
MOST_CONCURRENT = 32
SETTINGS = (
    *("name", "params", "endpoint", "key", "cap_run", "concurrency", "requests_per_minute"),
    *("enabled", "source", "members"),
)
FEWEST_MEMBERS, MOST_MEMBERS = 2, 20


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
        if name in OFFERED and name in project.task.teachers and not (images and name in TEXT_ONLY)
    ]


def first_name(project: Project, plugin: str) -> str:
    """What a teacher of this kind may be called at first: as its kind, unless one is already."""
    name = dict(offered(project)).get(plugin, "")
    taken = Annotator.objects.filter(project=project, kind=AnnotatorKind.TEACHER, name=name)
    return "" if taken.exists() else name


def kind_of(teacher: Teacher) -> str:
    """What its kind is called."""
    from learning.teachers import TEACHERS

    return dict(TEACHERS.choices()).get(teacher.plugin, teacher.plugin)


def asked_of(teacher: Teacher) -> list[Teacher]:
    """Who is asked when it is: the members of a committee, else itself."""
    if teacher.plugin != "committee":
        return [teacher]
    return list(teacher.members.select_related("voice", "endpoint", "project", "source"))


def involved(teacher: Teacher) -> list[Teacher]:
    """All that must be switched on for it to be asked: itself, and the members of a committee."""
    asked = asked_of(teacher)
    return asked if teacher in asked else [teacher, *asked]


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
    if plugin not in project.task.teachers:
        raise InvalidError(
            "This teacher answers with labels of whole items; here answers are more than that.",
            field="plugin",
        )
    if plugin in FROM_FILES and settings.get("recording") is None:
        raise InvalidError(
            "A teacher of answers made elsewhere is set up by uploading the file that holds them.",
            field="plugin",
        )
    if plugin not in dict(offered(project)) and plugin not in FROM_FILES:
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
        teacher.recording = settings.pop("recording", None)
        members = _members(teacher, settings.pop("members", ()))
        _assign(teacher, by, settings)
        _check(teacher)
        teacher.save(force_insert=True)
        teacher.members.set(members)
        prompt_versions.keep(teacher, by)
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
        if "members" in settings:
            teacher.members.set(_members(teacher, settings.pop("members")))
        _assign(teacher, by, settings)
        _check(teacher)
        teacher.save()
        prompt_versions.keep(teacher, by)
        if Policy.objects.filter(teacher=teacher, enabled=True).exists():
            # Its items go to people, or come from them again.
            jobs.enqueue("route", project=teacher.project, key=f"route:{teacher.project_id}")
    return teacher


def withdraw_key(teacher: Teacher) -> None:
    """Forget the project's key for a teacher's endpoint; whoever is asked there needs a new one.

    Raises ConflictError when there is none.
    """
    if teacher.endpoint is None or not endpoints.forget_key(teacher.project, teacher.endpoint):
        raise ConflictError("The project has no key for this endpoint.")


def _assign(teacher: Teacher, by: User | None, settings: Mapping[str, Any]) -> None:
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise InvalidError(f"A teacher has no setting {', '.join(sorted(unknown))}.")
    if "endpoint" in settings:
        teacher.endpoint = _allowed(settings["endpoint"])
    if "source" in settings:
        teacher.source = _visible(teacher, by, settings["source"])
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


def _visible(teacher: Teacher, by: User | None, source: Project | None) -> Project | None:
    """A project whose students this person may see; without a person any."""
    if source is None or by is None or source == teacher.source:
        return source
    if not Project.objects.for_user(by, Can.SEE).filter(pk=source.pk).exists():
        raise InvalidError(
            "There is no such project, or you may not see its students.", field="source"
        )
    return source


def _members(teacher: Teacher, members: Iterable[Teacher]) -> list[Teacher]:
    """The members of a committee, checked; none for other kinds."""
    found = list({each.pk: each for each in members}.values())
    if teacher.plugin != "committee":
        if found:
            raise InvalidError("Only a committee has members.", field="members")
        return []
    if not FEWEST_MEMBERS <= len(found) <= MOST_MEMBERS:
        raise InvalidError(
            f"A committee has {FEWEST_MEMBERS} to {MOST_MEMBERS} members.", field="members"
        )
    for each in found:
        if each.project_id != teacher.project_id:
            raise InvalidError("A member is a teacher of this project.", field="members")
        if each.plugin == "committee":
            raise InvalidError("A committee cannot be a member of another one.", field="members")
    return found


def _check(teacher: Teacher) -> None:
    """Raise InvalidError, naming the field, where a setting does not fit the kind."""
    _check_calling(teacher)
    if teacher.plugin == "local":
        local_models.check(teacher.params)
    is_student = teacher.plugin == "student"
    if is_student and teacher.source is None:
        raise InvalidError("Choose the project whose student answers.", field="source")
    if is_student and (told := unlike(teacher)):
        raise InvalidError(told, field="source")
    if not is_student and teacher.source is not None:
        raise InvalidError("Only a student comes from a project.", field="source")


def unlike(teacher: Teacher) -> str:
    """Why the student of its source cannot read what this project has; "" where it can."""
    source = teacher.source
    here = teacher.project.item_kind == ItemKind.IMAGE
    if source is None or here == (source.item_kind == ItemKind.IMAGE):
        return ""
    return (
        f"The student of “{source.name}” cannot read the items here: only one of the two projects has images. "
        f"Choose a project of {'images' if here else 'texts'}."
    )


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


def free_name(project: Project, wanted: str) -> str:
    """The wanted name, with a number behind it where another teacher has it already."""
    wanted = " ".join(wanted.replace("\x00", "").split())[: LONGEST_NAME - 5]
    voices = Annotator.objects.filter(project=project, kind=AnnotatorKind.TEACHER)
    taken = set(voices.filter(name__startswith=wanted).values_list("name", flat=True))
    tries = (f"{wanted} {number}" for number in count(2))
    return wanted if wanted not in taken else next(name for name in tries if name not in taken)


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
