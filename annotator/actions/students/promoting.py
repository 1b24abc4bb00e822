"""Which student is the current one: by the rule on audit items, or as a person decides.

A decision is made when a version is published, and of another recipe's version again when enough
new audit answers came. Each one is a row with its numbers.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from annotator import jobs, outbox
from annotator.actions.encoders.encoding import students_folder, wish_encoding
from annotator.actions.figures import estimating
from annotator.actions.queue import auditing
from annotator.actions.students import recipes, sheets
from annotator.errors import ConflictError, NotFoundError
from annotator.models import (
    Part,
    PredictedFile,
    Project,
    Promotion,
    PromotionRule,
    StudentState,
    StudentVersion,
    User,
)

if TYPE_CHECKING:
    from learning.audit.promotion import Decision, Paired


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a version of another recipe still needs. `tests` it has had, `answers` there are."""

    tests: int
    answers: int
    decision: Decision

    @property
    def to_win(self) -> int | None:
        """About how many answers would let it win if the difference stays; None: not ahead."""
        from learning.audit.promotion import answers_to_win

        paired = self.decision.paired
        return None if paired is None else answers_to_win(paired, self.tests + 1)


def decide(project: Project, version: StudentVersion) -> Promotion | None:
    """Decide about a version, within a transaction that holds the project's row, and record it.

    None where there is nothing to decide: a person chose the current student, which learns on unless it was
    gone back to, it is this very version, or too few new audit answers came for a test.
    """
    from learning.audit.promotion import refit

    current = project.current_student
    if current is None:
        return _record(project, version, PromotionRule.FIRST, took_over=True)
    if current.pk == version.pk or is_held(project):
        return None
    if recipes.same(current, version):
        decision = refit(paired(project, version, current))
        return _keep(project, version, current, decision, answers=0)
    if project.student_pinned:
        return None
    standing = standing_of(project, version, current)
    if standing.decision.missing:
        return None
    return _keep(project, version, current, standing.decision, answers=standing.answers)


def standing_of(project: Project, version: StudentVersion, current: StudentVersion) -> Standing:
    """How a version of another recipe stands against the current student, now."""
    from learning.audit.promotion import challenge

    # Of all encoders: their tests share one level, so that to change encoders often wins nothing.
    held = Promotion.objects.filter(
        project=project,
        kind=version.kind,
        params=version.params,
        rule=PromotionRule.CHALLENGE,
    ).order_by("id")
    tests = list(held.values_list("figures__answers", flat=True))
    answers = len(auditing.answered(project, Part.EVALUATION))
    fresh = answers - (tests[-1] if tests else 0)
    found = paired(project, version, current)
    return Standing(
        tests=len(tests),
        answers=answers,
        decision=challenge(found, tests=len(tests), fresh=fresh),
    )


def paired(project: Project, one: StudentVersion, other: StudentVersion) -> Paired:
    """Two versions on the answered evaluation items that neither of them learned from, by how right each is
    on each: by labels, the F1 of an item's spans, or its pairs in order."""
    import numpy as np

    from learning.audit.promotion import compare

    judged = sheets.between(project, [one, other], auditing.answered(project, Part.EVALUATION))
    if len(judged.versions) < 2:
        return compare(np.zeros(0), np.zeros(0), np.random.default_rng(0))
    both = judged.known.all(axis=0)
    rights = judged.rights()[:, both]
    rng = np.random.default_rng([project.pk, one.pk, other.pk, int(both.sum())])
    return compare(rights[0], rights[1], rng)


def reconsider(run: jobs.Run) -> StudentVersion | None:
    """Test the newest version of every other recipe for which enough answers came; a winner serves.

    Returns the version that took over, if one did.
    """
    with run.fence():
        project = Project.objects.select_for_update(no_key=True).get(pk=run.project.pk)
        current = project.current_student
        if current is None or project.student_pinned:
            return None
        for version in challengers(project, current):
            made = decide(project, version)
            if made is not None and made.took_over:
                jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
                return version
    return None


def challengers(project: Project, current: StudentVersion) -> list[StudentVersion]:
    """The newest version of each other recipe that has its files, latest first."""
    ready = StudentVersion.objects.filter(project=project, sheet__isnull=False).ready()
    found: list[StudentVersion] = []
    for each in ready.exclude(folder="").select_related("encoding").order_by("-number"):
        if not any(recipes.same(each, known) for known in [current, *found]):
            found.append(each)
    return found


def promote(project: Project, version: StudentVersion, by: User | None = None) -> None:
    """Make a student the current one by a person's decision, forwards or back. Students of other recipes wait
    then; of its own recipe only where somebody goes back from a later one. Who chooses what was chosen in the
    same way already, such as by a second click, changes nothing.
    """
    if version.project_id != project.pk or version.state != StudentState.READY:
        raise NotFoundError("There is no such student in this project.")
    with transaction.atomic():
        # Parts this from a deletion, and from the removal of old files.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        # Read anew: it may have been promoted, or its files removed, since the caller read it.
        fresh = StudentVersion.objects.select_related("encoding").filter(pk=version.pk).first()
        if fresh is None:
            raise NotFoundError("This student was deleted just now.")
        place = students_folder(project.pk) / fresh.folder
        if not fresh.folder or not (place / "manifest.json").is_file():
            raise ConflictError(
                f"The files of student {version.number} were removed to save space. "
                "Train again, or promote a version that still has its files."
            )
        rule = _by_hand(locked, fresh)
        if locked.current_student_id == fresh.pk and _is_chosen(locked, rule):
            return
        _record(locked, fresh, rule, took_over=True, by=by)
        Project.objects.filter(pk=project.pk).update(student_pinned=True)
        if recipes.former_encoder(locked):
            wish_encoding(project)  # it predicts what came since only once that has its vectors
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
        estimating.wish(project)


def delete(project: Project, version: StudentVersion) -> None:
    """Remove a version and its files for good; never one that serves, or that labels a file just now.
    Decisions about it stay."""
    with transaction.atomic():
        # Parts this from a promotion of the very version.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if locked.current_student_id == version.pk:
            raise ConflictError(
                f"Student {version.number} serves just now. Promote another one first."
            )
        at_work = PredictedFile.objects.live().filter(student=version).order_by("pk").first()
        if at_work is not None:
            raise ConflictError(
                f"Student {version.number} is to label the file “{at_work.file_name}”. Delete it when that "
                "file is done, or cancel that."
            )
        number = max(locked.student_number, version.number)
        Project.objects.filter(pk=project.pk).update(student_number=number)
        folder = version.folder
        StudentVersion.objects.filter(pk=version.pk, project=project).delete()
        if folder:
            path = students_folder(project.pk) / folder
            transaction.on_commit(lambda: shutil.rmtree(path, ignore_errors=True))


def is_held(project: Project) -> bool:
    """Whether somebody went back to the version that serves, so that it stays even as it is."""
    return _is_chosen(project, PromotionRule.BACK)


def _is_chosen(project: Project, rule: PromotionRule) -> bool:
    """Whether a person chose what serves, and by this rule."""
    if not project.student_pinned:
        return False
    by_hand = Promotion.objects.filter(
        project=project, rule__in=(PromotionRule.HAND, PromotionRule.BACK)
    )
    last = by_hand.order_by("-id").first()
    return last is not None and last.rule == rule


def _by_hand(project: Project, version: StudentVersion) -> PromotionRule:
    """Who takes one that served before, or instead of a later one of its recipe, goes back to that very version."""
    later = recipes.like(version).filter(state=StudentState.READY, number__gt=version.number)
    passed = {each.pk for each in later.select_related("encoding") if recipes.same(version, each)}
    served = version.promoted_at is not None or project.current_student_id in passed
    return PromotionRule.BACK if passed and served else PromotionRule.HAND


def unpin(project: Project) -> None:
    """Let newer students take over again."""
    Project.objects.filter(pk=project.pk).update(student_pinned=False)


def _keep(
    project: Project,
    version: StudentVersion,
    current: StudentVersion,
    decision: Decision,
    *,
    answers: int,
) -> Promotion:
    figures = {} if decision.paired is None else asdict(decision.paired)
    return _record(
        project,
        version,
        PromotionRule(decision.rule),
        took_over=decision.takes_over,
        against=current,
        figures={**figures, "alpha": decision.alpha, "answers": answers},
    )


def _record(
    project: Project,
    version: StudentVersion,
    rule: PromotionRule,
    *,
    took_over: bool,
    against: StudentVersion | None = None,
    figures: dict[str, object] | None = None,
    by: User | None = None,
) -> Promotion:
    before = against or project.current_student
    if took_over:
        StudentVersion.objects.filter(pk=version.pk).update(promoted_at=Now())
        Project.objects.filter(pk=project.pk).update(current_student=version)
        project.current_student = version
        told = {"student": version.pk, "number": version.number, "kind": version.kind, "rule": rule}
        path = f"students/{version.pk}"
        outbox.note(project.pk, "student.promoted", {**told, "path": path})
    return Promotion.objects.create(
        project=project,
        version=version,
        number=version.number,
        kind=version.kind,
        params=version.params,
        against=None if before is None else before.number,
        rule=rule,
        took_over=took_over,
        figures=figures or {},
        made_by=by,
    )
