"""Make, change, delete a project."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.desk import assigning, entering
from annotator.actions.encoders import switching
from annotator.actions.encoders.encoding import current_encoding, wish_encoding
from annotator.actions.projects import adapting, asking, codebook, schema
from annotator.actions.queue import auditing
from annotator.actions.students import background
from annotator.actions.verdicts import settling, skills
from annotator.errors import InvalidError, NotFoundError
from annotator.models import (
    Assignment,
    AssignmentState,
    ItemKind,
    Job,
    JobState,
    Membership,
    Pick,
    Project,
    Role,
    Simulation,
    StrategyChange,
    User,
)

PURGE_AFTER_DAYS = 7
LEAST_COVERAGE, MOST_COVERAGE = 0.5, 0.99
KIND_WORDS = {
    ItemKind.TEXT: "one text",
    ItemKind.PAIR: "two texts",
    ItemKind.LIST: "lists of candidates",
    ItemKind.IMAGE: "an image",
}
# How a file brings such items.
WAYS = {
    ItemKind.PAIR: "Call one column “Text” and one “Second text”.",
    ItemKind.LIST: "Call two columns or more “Candidate”, or one that holds a list.",
}
IMAGE_ENCODER = "pixels-pca"
SETTINGS = {
    "name",
    "description",
    "guidelines",
    "overlap",
    "blind",
    "digit_answers",
    "audit_share",
    "audit_size",
    "encoder",
    "encoder_params",
    "strategy",
    "label_questions",
    "consensus",
    "sure_at",
    "voices_at_most",
    "share_at_most",
    "gold_share",
    "entry_items",
    "entry_pass",
    "answer_sets",
    "set_coverage",
    "set_method",
    "retrain_answers",
    "retrain_seconds",
    "training_paused",
    "soft_rows",
    "best_f1",
    "balanced",
}

ASKING_PEOPLE = {
    *("sure_at", "voices_at_most", "share_at_most", "gold_share", "entry_items", "entry_pass"),
}

# What the queue was filled by; blind, nobody is asked about single labels.
REFILLING = {
    *("strategy", "label_questions", "blind", "audit_share", "audit_size"),
    *("answer_sets", "set_coverage", "set_method"),
}


def create_project(
    owner: User,
    name: str,
    *,
    task_type: str = "single",
    item_kind: str = ItemKind.TEXT,
    **settings: Any,
) -> Project:
    """Make a project with its first owner. Raises InvalidError with the field that is wrong."""
    kind = _kind(item_kind)
    check_shape(task_type, kind)
    if kind == ItemKind.IMAGE:
        settings.setdefault("encoder", IMAGE_ENCODER)
    project = Project(created_by=owner, task_type=task_type, item_kind=kind)
    fit(project)
    _assign(project, {"name": name, **_with_questions(project, settings, begin=True)})
    with transaction.atomic():
        project.save()
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
        assigning.voice_of(project, owner)
        schema.begin_labels(project)
    return project


def check_shape(task_type: str, kind: str) -> None:
    """Raise InvalidError for a task type that there is not, or that cannot be done with such items."""
    from learning.tasks import TASKS

    if task_type not in TASKS:
        raise InvalidError(f"An item takes: {', '.join(TASKS)}.", field="task_type")
    kinds = TASKS[task_type].item_kinds
    if kind not in kinds:
        wanted = " or ".join(KIND_WORDS[each] for each in ItemKind if each in kinds)
        needs = f"“{TASKS.entry(task_type).label}” needs items that are {wanted}."
        ways = [WAYS[each] for each in ItemKind if each in kinds & WAYS.keys()]
        raise InvalidError(" ".join([needs, *ways]), field="item_kind")


def fit(project: Project) -> None:
    """Let a project begin with a strategy and a consensus method that its answers allow."""
    task = project.task
    if project.strategy not in project.strategies:
        project.strategy = project.strategies[0]
    if project.consensus not in task.consensus:
        project.consensus = task.consensus[0]


def change_project(
    project: Project,
    *,
    by: User | None = None,
    because: Simulation | None = None,
    **settings: Any,
) -> Project:
    """Change settings. What follows from them (audit items, matrix, queue) is brought along.

    Another encoder follows when every item is encoded by it; the present one serves until then.
    A change of strategy leaves a line in the project's trail: by whom, and on which advice. One to a
    strategy that asks about single labels switches those questions on, one away from it off.
    """
    settings = _with_questions(project, settings)
    another = None
    if _changes_encoder(project, settings):
        encoder = settings.pop("encoder", project.encoder)
        another = (encoder, settings.pop("encoder_params", {}))
    before = {name: getattr(project, name) for name in settings}
    _assign(project, settings)
    if another is not None:  # once nothing else is refused: all is changed, or nothing
        switching.start(project, *another, by)
    changed = {name for name in settings if getattr(project, name) != before[name]}
    if not changed:
        return project
    with transaction.atomic():
        project.save(update_fields=sorted(changed))
        if changed & {"audit_share", "audit_size"}:
            auditing.recut(project)
        if changed & {"encoder", "encoder_params"}:
            wish_encoding(project)
        if "guidelines" in changed:
            codebook.note_guidelines(project, before["guidelines"], by)
        for setting in changed & set(adapting.SETTINGS):
            adapting.wish(project, setting)
        if "consensus" in changed:
            skills.wish(project)
        if "strategy" in changed:
            _note_strategy(project, before["strategy"], because, by)
        if "entry_items" in changed and before["entry_items"] == 0:
            entering.admit_those_at_work(project)
        if changed & REFILLING:
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
        if "training_paused" in changed and not project.training_paused:
            settling.wish_training(project)
            background.look_again(project)
    return project


def _note_strategy(
    project: Project, before: str, because: Simulation | None, by: User | None
) -> None:
    StrategyChange.objects.create(
        project=project,
        before=before,
        after=project.strategy,
        simulation=because,
        changed_by=by,
    )


def _changes_encoder(project: Project, settings: dict[str, Any]) -> bool:
    """Whether another encoder is wanted where one serves already."""
    present = {"encoder": project.encoder, "encoder_params": project.encoder_params}
    if all(settings.get(name, value) == value for name, value in present.items()):
        return False
    serving = current_encoding(project)
    return serving is not None and serving.rows > 0


def _with_questions(
    project: Project, settings: dict[str, Any], *, begin: bool = False
) -> dict[str, Any]:
    """The settings, with what a strategy says of questions about single labels."""
    from learning.selection import ASKING

    wanted = settings.get("strategy", project.strategy)
    if wanted in ASKING and (begin or project.strategy not in ASKING):
        return {**settings, "label_questions": True}
    if project.strategy in ASKING and wanted not in ASKING:
        # A form sends every setting: what was on before is no wish that it stay so.
        wished = settings.get("label_questions", False) and not project.label_questions
        return {**settings, "label_questions": wished}
    return settings


def _assign(project: Project, settings: dict[str, Any]) -> None:
    unknown = set(settings) - SETTINGS
    if unknown:
        raise InvalidError(f"There is no setting {', '.join(sorted(unknown))}.")
    for name, value in settings.items():
        # The database holds no NUL, and nobody types one on purpose.
        setattr(project, name, value.replace("\x00", "") if isinstance(value, str) else value)
    project.name = " ".join(project.name.split())
    _check(project)
    if "consensus" in settings:
        _check_consensus(project)
    if "strategy" in settings or "label_questions" in settings:
        _check_choosing(project)
    if settings.keys() & {"set_coverage", "set_method"}:
        _check_sets(project)
    if settings.keys() & ASKING_PEOPLE:
        asking.check(project)


def _check(project: Project) -> None:
    from django.core.exceptions import ValidationError

    if not project.name:
        raise InvalidError("A project needs a name.", field="name")
    if project.encoder not in switching.ENCODERS_BY_KIND[ItemKind(project.item_kind)]:
        raise InvalidError(
            f"The encoder {project.encoder} does not read {project.get_item_kind_display()} items.",
            field="encoder",
        )
    if not 0 <= project.audit_share <= 1:
        raise InvalidError("The audit share lies between 0 and 1.", field="audit_share")
    if not 1 <= project.overlap <= 100:
        raise InvalidError("Ask 1 to 100 people per item.", field="overlap")
    if project.retrain_answers < 1:
        raise InvalidError("Retrain after one answer at least.", field="retrain_answers")
    try:
        project.clean_fields(exclude=["current_student", "created_by"])
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidError(" ".join(problems), field=field) from error


def _check_consensus(project: Project) -> None:
    from learning.consensus import CONSENSUS
    from learning.tasks import TASKS

    if project.consensus not in project.task.consensus:
        label = CONSENSUS.entry(project.consensus).label
        task = TASKS.entry(project.task_type).label.lower()
        raise InvalidError(f"“{label}” does not fit a project with {task}.", field="consensus")


def _check_choosing(project: Project) -> None:
    from learning.selection import STRATEGIES
    from learning.tasks import TASKS

    task = TASKS.entry(project.task_type).label.lower()
    if project.strategy not in project.strategies:
        label = STRATEGIES.entry(project.strategy).label
        items = KIND_WORDS[ItemKind(project.item_kind)]
        fits_answers = project.strategy in project.task.strategies
        told = f"items that are {items}" if fits_answers else task
        raise InvalidError(f"“{label}” does not fit a project with {told}.", field="strategy")
    if project.label_questions and not project.asks_labels:
        raise InvalidError(
            f"People are asked about single labels only where an item has several; this project "
            f"has {task}.",
            field="label_questions",
        )


def _check_sets(project: Project) -> None:
    from learning.audit.conformal import CONFORMAL
    from learning.tasks import TASKS

    if not LEAST_COVERAGE <= project.set_coverage <= MOST_COVERAGE:
        raise InvalidError(
            f"Answer sets promise {LEAST_COVERAGE:.0%} to {MOST_COVERAGE:.0%}.",
            field="set_coverage",
        )
    if project.set_method and project.set_method not in project.task.conformal:
        label = CONFORMAL.entry(project.set_method).label
        task = TASKS.entry(project.task_type).label.lower()
        raise InvalidError(f"“{label}” does not fit a project with {task}.", field="set_method")


def _kind(item_kind: str) -> ItemKind:
    if item_kind not in ItemKind.values:
        raise InvalidError(f"“{item_kind}” is not a kind of item.", field="item_kind")
    return ItemKind(item_kind)


def delete_project(project: Project) -> None:
    """Take a project off every screen at once; its rows and files are purged a week later."""
    with transaction.atomic():
        Project.objects.filter(pk=project.pk, archived_at=None).update(archived_at=Now())
        for job in Job.objects.filter(
            project=project, state__in=[JobState.QUEUED, JobState.RUNNING]
        ):
            jobs.request_cancel(job)
        Pick.objects.filter(project=project).delete()
        Assignment.objects.filter(project=project, state=AssignmentState.LEASED).update(
            state=AssignmentState.RELEASED, finished_at=Now()
        )
        jobs.enqueue(
            "purge",
            params={"project": project.pk},
            key=f"purge:{project.pk}",
            due_in_seconds=timedelta(days=PURGE_AFTER_DAYS).total_seconds(),
        )


def restore_project(project: Project) -> None:
    """Bring a deleted project back. Raises NotFoundError once it was purged."""
    with transaction.atomic():
        if not Project.objects.filter(pk=project.pk).update(archived_at=None):
            raise NotFoundError("This project was purged; it can't be brought back.")
        Job.objects.filter(key=f"purge:{project.pk}", state=JobState.QUEUED).update(
            state=JobState.CANCELLED, finished_at=Now()
        )
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
