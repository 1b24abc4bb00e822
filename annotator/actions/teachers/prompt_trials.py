"""Versions of a prompt put to the same items, one after the other, and compared pair by pair.

On audited items where there are enough, else on open ones by what other teachers agree on. Trials
write no annotations; what was answered is kept, so that a version is not paid for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.actions.teachers import committees, lending, prompt_versions, prompts, teacher_runs
from annotator.errors import ConflictError, InvalidError
from annotator.models import Teacher, TeacherAnswer, TeacherRun, TeacherRunKind, User
from learning.errors import NotEnoughDataError

if TYPE_CHECKING:
    from learning.teachers.prompt_trials import Compared
    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherSchema

FEWEST, MOST = 20, 50
MOST_VERSIONS = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How versions did, best first; `problem` says why there is no order yet.

    by: "audit" where people answered the items blind, else "agreement" of the other voices.
    """

    versions: list[int]
    by: str
    items: int
    live: TeacherRun | None
    rows: list[Compared]
    problem: str = ""


def start(teacher: Teacher, versions: Sequence[int], by: User | None) -> TeacherRun:
    """Put versions to the same items. Raises InvalidError for fewer than two of them, ConflictError where
    answers are orders or texts."""
    prompts.require_prompt(teacher)
    task = teacher.project.task
    if not task.has_labels:
        raise ConflictError(
            f"Versions are compared by the labels that they give; there is no comparison of {task.called} "
            "yet. Ask each about the random sample, and compare scorecards."
        )
    wanted = sorted(set(versions))
    if not 2 <= len(wanted) <= MOST_VERSIONS:
        raise InvalidError(f"Compare 2 to {MOST_VERSIONS} versions.", field="versions")
    for version in wanted:
        prompts.version_of(teacher, version)
    audited = sorted(committees.truth_of(teacher.project))[:MOST]
    if len(audited) >= FEWEST:
        return _ask(teacher, by, wanted, wanted, audited, "audit")
    numbers = teacher_runs.untouched(teacher.project, MOST)
    if len(numbers) < FEWEST:
        raise ConflictError(f"Prompts are compared on at least {FEWEST} items; there are fewer.")
    return _ask(teacher, by, wanted, wanted, numbers, "agreement")


def _ask(
    teacher: Teacher,
    by: User | None,
    versions: list[int],
    left: list[int],
    numbers: list[int],
    source: str,
) -> TeacherRun:
    """Start the run of the first version that is left; the others follow it."""
    told = prompts.version_of(teacher, left[0])
    return teacher_runs.start_test(
        teacher.project,
        teacher,
        by,
        TeacherRunKind.TRY,
        numbers,
        params={**teacher.params, **told.settings},
        basis={"prompt": told.version, "versions": versions, "left": left[1:], "by": source},
    )


def go_on(run: TeacherRun) -> None:
    """After a version's run the next one's; in the transaction that ended the run."""
    left = run.basis.get("left")
    if left:
        source = str(run.basis["by"])
        _ask(run.teacher, run.created_by, run.basis["versions"], left, run.numbers, source)


def latest(teacher: Teacher) -> Comparison | None:
    """The last comparison of a teacher's prompts; None before there was any."""
    if teacher.plugin != prompt_versions.KIND:
        return None
    tried = TeacherRun.objects.filter(teacher=teacher, basis__has_key="versions").order_by("-pk")
    last = tried.first()
    if last is None:
        return None
    same = tried.filter(basis__versions=last.basis["versions"], numbers=last.numbers)
    runs = {run.basis["prompt"]: run for run in reversed(same[:MOST_VERSIONS])}
    found: dict[str, Any] = {
        "versions": last.basis["versions"],
        "by": last.basis["by"],
        "items": len(last.numbers),
        "live": last if last.is_live else None,
    }
    if last.is_live or len(runs) < len(last.basis["versions"]):
        return Comparison(**found, rows=[], problem="" if last.is_live else last.error)
    try:
        return Comparison(**found, rows=_compared(teacher, runs, last.basis["by"]))
    except NotEnoughDataError as refusal:
        return Comparison(**found, rows=[], problem=str(refusal))


def _compared(teacher: Teacher, runs: dict[int, TeacherRun], by: str) -> list[Compared]:
    from learning.teachers.prompt_trials import compare_on_agreement, compare_on_truth

    schema = lending.schema_of(teacher.project)
    answers = {str(version): _said(run, schema) for version, run in runs.items()}
    numbers = next(iter(runs.values())).numbers
    if by == "audit":
        live = set(schema.ids)
        truth = {
            number: frozenset(labels)
            for number, labels in committees.truth_of(teacher.project).items()
            if number in set(numbers) and live.issuperset(labels)
        }
        return compare_on_truth(answers, truth, schema)
    return compare_on_agreement(answers, schema, others=_others(teacher, numbers, schema))


def _said(run: TeacherRun, schema: TeacherSchema) -> dict[int, Said]:
    rows = TeacherAnswer.objects.filter(run=run).select_related("item")
    return {row.item.number: _answer(row, schema) for row in rows}


def _answer(row: TeacherAnswer, schema: TeacherSchema) -> Said:
    from dataclasses import replace

    from learning.teachers.types import TeacherAnswer as Answer

    number, money = row.item.number, float(row.money)
    said = None if row.abstained else committees.said_then(row, schema, number)
    if said is None:
        return Answer(
            number=number, abstained=row.abstained or "Nothing is left of it.", money=money
        )
    return replace(said, money=money)


def _others(teacher: Teacher, numbers: list[int], schema: TeacherSchema) -> list[dict[int, Said]]:
    """What the project's other teachers said about these items."""
    rows = (
        TeacherAnswer.objects.filter(project=teacher.project_id, item__number__in=numbers)
        .filter(run__kind=TeacherRunKind.LABEL, abstained="")
        .exclude(run__teacher=teacher)
        .select_related("item", "run")
        .order_by("pk")
    )
    found: dict[int, dict[int, Said]] = {}
    for row in rows:
        found.setdefault(row.run.teacher_id, {})[row.item.number] = _answer(row, schema)
    return list(found.values())
