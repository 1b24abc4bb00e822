"""From whose answers a project's head begins: what may be chosen, how labels match, and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from annotator import jobs
from annotator.actions.encoders.encoding import current_encodings
from annotator.actions.students import warming
from annotator.actions.students.distilling import MOST_LABELS
from annotator.errors import ConflictError, InvalidError
from annotator.models import Can, Encoding, Job, JobState, Label, Project, Shape, User, WarmStart

# Encoders without weights of their own: what each is depends on the items of one project.
OWN_ENCODERS = {"tfidf-svd", "pixels-pca"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A project that could be begun with, or why it cannot and what to do; `trouble` is "" where it can."""

    project: Project
    trouble: str


def suits(project: Project) -> bool:
    """Whether answers are labels of which each means the same without the others."""
    return project.shape == Shape.LABELS and not project.has_questions and not project.task.ordered


def check(project: Project) -> None:
    """Raises InvalidError where no head of such answers begins elsewhere."""
    if not suits(project):
        raise InvalidError(
            "Only projects whose answers are labels start from another one: not spans, rankings, "
            "ratings or forms."
        )


def sources(project: Project, by: User | None) -> list[Source]:
    """Other projects that this person may see and whose answers are of the same kind, by name; the operator,
    who is nobody, may see all."""
    alike = list(_alike(project, by))
    encodings = current_encodings([project, *alike])
    ours = encodings.get(project.pk)
    return [
        Source(project=each, trouble=_trouble(each, ours, encodings.get(each.pk))) for each in alike
    ]


def _alike(project: Project, by: User | None) -> QuerySet[Project]:
    seen = Project.objects.for_user(by, Can.SEE) if by else Project.objects.active()
    alike = seen.filter(task_type=project.task_type, item_kind=project.item_kind)
    return alike.exclude(pk=project.pk).order_by("name", "pk")


def source_named(project: Project, by: User | None, source_id: int) -> Project:
    """One of them. Raises InvalidError for one that they may not see, ConflictError for one that does not fit."""
    found = _alike(project, by).filter(pk=source_id).first()
    if found is None:
        raise InvalidError(
            "There is no such project with answers of the same kind, or you may not see it.",
            field="source",
        )
    encodings = current_encodings([project, found])
    if trouble := _trouble(found, encodings.get(project.pk), encodings.get(found.pk)):
        raise ConflictError(trouble)
    return found


def _trouble(source: Project, ours: Encoding | None, theirs: Encoding | None) -> str:
    from learning.encoders import ENCODERS

    if ours is None or not ours.rows:
        return "This project's items are not encoded yet. Import some, and come back when they are."
    if source.current_student_id is None:
        return f"“{source.name}” has no student yet."
    if warming.differs(ours, theirs):
        own = {ours.encoder, source.encoder} & OWN_ENCODERS
        return (
            f"“{source.name}” is encoded in another way, so its weights mean nothing here. Give both projects "
            "the same encoder under Settings → Encoder"
            + "".join(
                f"; {ENCODERS.entry(name).label} is another one for each project"
                for name in sorted(own)
            )
            + "."
        )
    return ""


def suggested(project: Project, source: Project) -> dict[int, int]:
    """Their label's id -> the id of ours that means the same, as far as names and words tell."""
    return matched(list(project.live_labels()), list(source.live_labels()))


def matched(ours: Sequence[Label], theirs: Sequence[Label]) -> dict[int, int]:
    """Their label's id -> the id of ours: the same name, else the same letters, else one is among the
    words of the other. What fits two fits none."""
    from learning.teachers.names import plain

    found: dict[int, int] = {}
    for keys in (
        lambda label: {label.name},
        lambda label: {plain(label.name)},
        lambda label: {plain(label.name), *map(plain, label.words)},
    ):
        free = [one for one in ours if one.pk not in found.values()]
        by_key = _unique([(key, one.pk) for one in free for key in keys(one)])
        for label in theirs:
            meant = {by_key[key] for key in keys(label) if key and key in by_key}
            if label.pk not in found and len(meant) == 1:
                found[label.pk] = meant.pop()
    return found


def _unique(pairs: list[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, set[int]] = {}
    for key, pk in pairs:
        found.setdefault(key, set()).add(pk)
    return {key: pks.pop() for key, pks in found.items() if len(pks) == 1}


def begin(
    project: Project, by: User | None, source_id: int, matches: Mapping[int, int] | None = None
) -> Job:
    """Take over what the source's answers say of matched labels, by a job; as suggested without `matches`.

    It takes the place of an earlier one. Raises InvalidError for labels that there are not or too few,
    and what `source_named` raises.
    """
    check(project)
    source = source_named(project, by, source_id)
    wanted = suggested(project, source) if matches is None else dict(matches)
    rows = _checked(project, source, wanted)
    with transaction.atomic():
        # Parts two managers who choose at the same moment.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        warming.forget(project)
        WarmStart.objects.create(
            project=project, source=source, source_name=source.name, matches=rows, created_by=by
        )
        key = f"warm:{project.pk}"
        job = jobs.enqueue("warm", project=project, key=key, started_by=by)
        return job or Job.objects.get(key=key, state=JobState.QUEUED)


def _checked(
    project: Project, source: Project, wanted: Mapping[int, int]
) -> list[dict[str, object]]:
    ours = set(project.live_labels().values_list("pk", flat=True))
    theirs = dict(Label.objects.filter(project=source).values_list("pk", "name"))
    for their, our in wanted.items():
        if their not in theirs:
            raise InvalidError(f"Label {their} is not one of “{source.name}”.", field="labels")
        if our not in ours:
            raise InvalidError(f"Label {our} is not one of this project's.", field="labels")
    fewest = 1 if project.multi_label else 2
    if len(set(wanted.values())) < fewest:
        raise InvalidError(
            f"At least {fewest} of the labels here need a counterpart in “{source.name}”.",
            field="labels",
        )
    most = max(len(wanted), project.labels.count())  # archived ones keep their columns
    if most > MOST_LABELS:
        raise InvalidError(
            f"Heads of more than {MOST_LABELS:,} labels start from no other project.",
            field="labels",
        )
    return [
        {"theirs": their, "called": theirs[their], "ours": our} for their, our in wanted.items()
    ]


def withdraw(project: Project) -> None:
    """Let the head begin with nothing again, from its next training on, which is asked for."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if not WarmStart.objects.live().filter(project=project).exists():
            raise ConflictError("This project starts from no other one.")
        warming.forget(project)
        if project.current_student_id and not project.training_paused:
            jobs.enqueue("train", project=project, key=f"train:{project.pk}")
