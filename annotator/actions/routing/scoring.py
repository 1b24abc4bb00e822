"""The scoreboard: students taught by people only, by the teacher only, and by both under the policy, at
equal money, on the same audit items; kept up to date by a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.encoders import naming
from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.routing import budgeting, policies
from annotator.actions.students import lessons
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Encoding, Part, Policy, Project, Routing, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.tasks import Columns

# A burst of trainings is scored once.
WAIT_SECONDS = 60.0
STEPS = 5
# More labels than these are not learned from: every point is a student of its own.
MOST_LABELS = 5_000
PEOPLE, TEACHER, BOTH = "people", "teacher", "both"

# What people decided, in the order of their last word.
_PEOPLE = f"""
SELECT i.number, v.position, i.answers
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND i.number < %s AND v.state = 'decided' AND i.answers > 0
  AND i.removed_at IS NULL AND NOT {auditing.untrainable_items()}
"""  # noqa: S608 - only our own condition is put in
# What the teacher said, what it cost, and how far the policy relies on it; null where it does not.
_TEACHER = f"""
SELECT i.number, e.position, a.labels, t.money, c.p_right
FROM annotator_annotation a
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
JOIN annotator_teacheranswer t ON t.annotation_id = a.id
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_verdict v ON v.item_id = i.id AND v.source = 'teacher'
LEFT JOIN annotator_acceptance c
    ON c.annotation_id = a.id AND c.ended_at IS NULL AND v.item_id IS NOT NULL
WHERE a.annotator_id = %s AND i.number < %s AND a.kind = 'answer' AND i.removed_at IS NULL
  AND NOT {auditing.untrainable_items()}
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
"""  # noqa: S608 - only our own condition is put in


@dataclass(frozen=True, kw_only=True)
class Bought:
    """An answer that was paid for: what it says, of which labels, how far it is relied on, and
    whether anything may be learned from it."""

    position: int
    number: int
    cost: float
    target: NDArray[np.float32]
    known: NDArray[np.bool_]
    weight: float = 1.0
    believed: bool = True


def wish(project: Project) -> None:
    """Ask for a fresh scoreboard where there is a teacher; safe to ask twice."""
    if Policy.objects.filter(pk=project.pk).exclude(teacher=None).exists():
        with transaction.atomic():
            key = f"scoreboard:{project.pk}"
            jobs.enqueue("scoreboard", project=project, key=key, due_in_seconds=WAIT_SECONDS)


def run_scoreboard(run: jobs.Run) -> dict[str, Any]:
    """Train and measure, unless nothing was answered since the last time."""
    project = run.project
    policy = policies.policy_of(project)
    if project.shape != Shape.LABELS:
        return {"scored": False, "why": "Students of labels alone are compared."}
    encoding = current_encoding(project)
    if policy.teacher is None or encoding is None or not encoding.rows:
        return {"scored": False, "why": "There is no teacher, or the items are not encoded."}
    position = sealed_position(project)
    kept = Routing.objects.filter(pk=project.pk, teacher=policy.teacher).first()
    if kept is not None and kept.scoreboard.get("position") == position:
        return {"scored": False, "why": "Nothing has changed."}
    asked = auditing.answered(project, Part.EVALUATION)
    found: dict[str, Any] = {"position": position, "evaluated_on": len(asked), "arms": []}
    found["needed"] = max(auditing.FEWEST_TO_SHOW - len(asked), 0)
    if not found["needed"]:
        found |= _scored(run, policy, _Exam.of(run, project, asked, encoding))
    with run.fence():
        Routing.objects.update_or_create(
            project=project,
            defaults={"teacher": policy.teacher, "scoreboard": found, "scored_at": Now()},
        )
    return {"scored": not found["needed"], "audited": len(asked)}


@dataclass(frozen=True, kw_only=True)
class _Exam:
    """The audit items that every student is asked about, and the vectors of all items."""

    vectors: Any
    numbers: list[int]
    truth: NDArray[np.float32]
    task: Any
    columns: Columns
    multi_label: bool
    label_vectors: NDArray[np.float32] | None
    paired: bool
    check: Callable[[], None]

    @classmethod
    def of(
        cls, run: jobs.Run, project: Project, asked: list[tuple[int, list[int]]], encoding: Encoding
    ) -> _Exam:

        columns, task = columns_of(project), project.task
        vectors = open_matrix(encoding).view()
        there = [(number, labels) for number, labels in asked if number < len(vectors)]
        truth = task.encode([labels for _, labels in there], columns)
        usable = task.usable(truth)
        numbers = [number for (number, _), kept in zip(there, usable, strict=True) if kept]
        return cls(
            vectors=vectors,
            numbers=numbers,
            truth=truth[usable],
            task=task,
            columns=columns,
            multi_label=project.multi_label,
            label_vectors=naming.of(project, encoding, columns),
            paired=encoding.apart,
            check=run.check,
        )

    def of_student(self, labels: dict[int, Bought]) -> dict[str, Any] | None:
        """A fresh student's accuracy with its interval; None where nothing can be learned."""
        import numpy as np

        from learning.errors import LearningError
        from learning.metrics import wilson
        from learning.students import STUDENTS
        from learning.types import TrainingData

        taken = sorted(labels)[:MOST_LABELS]
        targets = [labels[number].target for number in taken]
        if len(taken) < 2 or (np.stack(targets) > 0).any(axis=0).sum() < 2:
            return None
        data = TrainingData(
            targets=np.stack(targets),
            encodings=np.asarray(self.vectors[taken], dtype=np.float32),
            weights=np.array([labels[number].weight for number in taken], dtype=np.float32),
            known=np.stack([labels[number].known for number in taken]),
            multi_label=self.multi_label,
            label_vectors=self.label_vectors,
            ordered=self.task.ordered,
            paired=self.paired,
            sided=self.task.sided,
        )
        try:
            fitted = STUDENTS["head"]().fit(
                data, np.random.default_rng(len(taken)), lambda done, total: self.check()
            )
        except LearningError:
            return None
        said = fitted.predict(np.asarray(self.vectors[self.numbers], dtype=np.float32))
        right = self.task.correct(self.truth, said)
        low, high = wilson(int(right.sum()), len(right))
        return {
            "value": round(float(right.mean()), 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }


def _scored(run: jobs.Run, policy: Policy, exam: _Exam) -> dict[str, Any]:
    """The three arms at the same sums of money, up to what both together cost so far.

    While nobody said what an hour costs, the sums are answers: money would make people free.
    """
    priced = budgeting.work_left(policy).person_money
    people = _people(policy.project, exam, priced or 1.0)
    teacher = _teacher(policy, exam, answers_only=not priced)
    arms = {PEOPLE: people, TEACHER: _all_believed(teacher), BOTH: [*people, *teacher]}
    total = sum(one.cost for one in arms[BOTH])
    sums = [total * (step + 1) / STEPS for step in range(STEPS)]
    found = []
    for place, (name, bought) in enumerate(arms.items()):
        bought.sort(key=lambda one: (one.position, one.number))
        points = []
        for step, money in enumerate(sums):
            run.progress(place * STEPS + step, len(arms) * STEPS, "Training students to compare")
            labels, spent = _within(bought, money)
            figure = exam.of_student(labels)
            if figure is not None:
                points.append({"money": round(money, 6), "spent": round(spent, 6)})
                points[-1] |= {"labels": len(labels)} | figure
        found.append({"arm": name, "labels": len(_within(bought, total)[0]), "points": points})
    return {"unit": "money" if priced else "answers", "total": round(total, 6), "arms": found}


def _within(bought: list[Bought], money: float) -> tuple[dict[int, Bought], float]:
    """The labels that this money buys in the order in which they were given, and what they cost.

    A later answer to an item takes the place of an earlier one.
    """
    labels: dict[int, Bought] = {}
    spent = 0.0
    for one in bought:
        if spent + one.cost > money * (1 + 1e-9):
            break
        spent += one.cost
        if one.believed:
            labels[one.number] = one
    return labels, spent


def _people(project: Project, exam: _Exam, price: float) -> list[Bought]:
    learnt = lessons.read(project, len(exam.vectors), exam.columns)
    rows = {number: row for row, number in enumerate(learnt.numbers.tolist())}
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [project.pk, len(exam.vectors)])
        return [
            Bought(
                position=position,
                number=number,
                cost=price * answers / project.overlap,
                target=learnt.targets[rows[number]],
                known=learnt.known[rows[number]],
            )
            for number, position, answers in cursor.fetchall()
            if number in rows
        ]


def _teacher(policy: Policy, exam: _Exam, *, answers_only: bool) -> list[Bought]:
    if policy.teacher is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TEACHER, [policy.teacher.voice_id, len(exam.vectors)])
        rows = cursor.fetchall()
    hot = exam.columns.hot([labels for _, _, labels, _, _ in rows]).astype("float32")
    hot[:, ~exam.columns.active] = 0
    return [
        Bought(
            position=position,
            number=number,
            cost=1.0 if answers_only else float(money),
            target=said,
            known=exam.columns.active,
            weight=1.0 if p_right is None else p_right,
            believed=p_right is not None,
        )
        for (number, position, _, money, p_right), said in zip(rows, hot, strict=True)
        if exam.multi_label or said.any()
    ]


def _all_believed(words: list[Bought]) -> list[Bought]:
    return [replace(one, believed=True, weight=1.0) for one in words]
