"""Class shares by a metadata column: each value of it is a domain with a mixture of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.explore.searching import predictions_of
from annotator.actions.figures.estimating import shown_sheet
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import sheets
from annotator.errors import ConflictError, InvalidError
from annotator.models import AuditSheet, Item, Job, Part, Project, User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.shift import Audited, DomainShares
    from learning.students.predictions import Predictions

# A column makes domains when it has so many different values, in a sample of the pool.
FEWEST, MOST = 2, 12
SAMPLED = 5_000
LONGEST_VALUE = 80
FEWEST_ITEMS = 30

_COLUMNS = """
SELECT pair.key, pair.value, count(*)
FROM (SELECT meta FROM annotator_item WHERE project_id = %s AND removed_at IS NULL
      ORDER BY order_key LIMIT %s) sampled
CROSS JOIN LATERAL jsonb_each_text(sampled.meta) AS pair(key, value)
WHERE jsonb_typeof(sampled.meta) = 'object' AND pair.value <> ''
GROUP BY pair.key, pair.value
"""


def columns(project: Project) -> dict[str, list[str]]:
    """Metadata columns that make domains, with their values, the most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [project.pk, SAMPLED])
        rows = cursor.fetchall()
    values: dict[str, list[tuple[int, str]]] = {}
    for key, value, count in rows:
        values.setdefault(key, []).append((count, value))
    return {
        key: [value for _, value in sorted(found, key=lambda each: (-each[0], each[1]))]
        for key, found in sorted(values.items())
        if FEWEST <= len(found) <= MOST and all(len(value) <= LONGEST_VALUE for _, value in found)
    }


def start(project: Project, column: str, user: User) -> Job:
    """Ask for the class shares by this column. Raises InvalidError for one that makes no domains."""
    if column not in columns(project):
        raise InvalidError(
            f"“{column[:80]}” is no metadata column with {FEWEST} to {MOST} different values.",
            field="column",
        )
    _require_enough(project)
    with transaction.atomic():
        job = jobs.enqueue(
            "domains",
            project=project,
            params={"column": column},
            key=f"domains:{project.pk}",
            started_by=user,
        )
    if job is None:
        raise ConflictError("Another column waits to be estimated; ask again in a moment.")
    return job


def _require_enough(project: Project) -> AuditSheet:
    sheet = shown_sheet(project)
    if sheet is None or sheet.figures is None or sheet.figures["macro_f1"] is None:
        raise ConflictError(
            f"Class shares by domain need {auditing.FEWEST_TO_SHOW} answered evaluation items. "
            f"{auditing.reach(project).told}".strip()
        )
    return sheet


def run_domains(run: jobs.Run) -> dict[str, Any]:
    """Estimate the shares of every value of the column and keep them with the figures."""
    import numpy as np

    project, column = run.project, str(run.params["column"])
    sheet, predictions = _require_enough(project), predictions_of(run.project)
    if predictions is None:
        raise ConflictError("The current student's files are gone. Train again, then ask again.")
    audited, places = _audited(project, predictions)
    values = columns(project).get(column, [])
    rng = np.random.default_rng([project.pk, sheet.pk])
    found = []
    for done, value in enumerate(values):
        run.progress(done, len(values), f"Estimating {value}"[:300])
        numbers = _numbers(project, column, value, predictions.rows)
        if numbers:
            found.append({"value": value, **_estimated(audited, places, predictions, numbers, rng)})
    result = {
        "column": column,
        "student": sheet.version.number,
        "domains": found,
        "label_ids": list(sheet.version.label_ids),
    }
    with run.fence():
        # A newer student's figures may have taken the place meanwhile.
        shown = _require_enough(project)
        fresh = AuditSheet.objects.select_for_update().get(pk=shown.pk)
        if fresh.figures is not None:
            fresh.figures["domains"] = result
            AuditSheet.objects.filter(pk=fresh.pk).update(figures=fresh.figures, computed_at=Now())
    return {"column": column, "domains": len(found)}


def _audited(project: Project, predictions: Predictions) -> tuple[Audited, dict[int, int]]:
    """Items that the student never learned from, with its word on them, and their places."""
    import numpy as np

    from learning.audit.shift import Audited

    task, known = project.task, columns_of(project)
    version = project.current_student
    sheet = None if version is None else sheets.of(version)
    answers = [
        (number, labels)
        for part in (Part.EVALUATION, Part.CALIBRATION)
        for number, labels in auditing.answered(project, part)
        if number < predictions.rows
    ]
    if version is not None:  # some may have been drawn only after it had learned from them
        answers = sheets.unlearnt(version, answers, [] if sheet is None else sheet.held)
    truth = task.encode([labels for _, labels in answers], known)
    usable = task.usable(truth)
    kept = [number for (number, _), good in zip(answers, usable, strict=True) if good]
    if not kept:
        raise ConflictError("No audit item is answered that this student never learned from.")
    said = np.stack([predictions.row(number) for number in kept])
    audited = Audited(
        probabilities=said,
        truth=truth[usable][:, : said.shape[1]] > 0.5,
        multi_label=project.multi_label,
    )
    return audited, {number: place for place, number in enumerate(kept)}


def _numbers(project: Project, column: str, value: str, below: int) -> list[int]:
    """The domain's items, in the secret order: the first ones are a uniform sample."""
    rows = Item.objects.filter(project=project, number__lt=below).present()
    inside = rows.annotate(value=_text_of(column)).filter(value=value)
    return list(inside.order_by("order_key").values_list("number", flat=True))


def _text_of(column: str) -> Any:
    from django.db.models.fields.json import KeyTextTransform

    return KeyTextTransform(column, F("meta"))


def _estimated(
    audited: Audited,
    places: dict[int, int],
    predictions: Predictions,
    numbers: list[int],
    rng: np.random.Generator,
) -> dict[str, Any]:
    import numpy as np

    from learning.audit.shift import MOST_ROWS, domain_shares

    inside = np.zeros(len(places), dtype=np.bool_)
    inside[[places[number] for number in numbers if number in places]] = True
    if len(numbers) < FEWEST_ITEMS:
        return {"items": len(numbers), "audited": int(inside.sum()), "labels": None}
    looked: NDArray[np.float32] = np.stack([predictions.row(each) for each in numbers[:MOST_ROWS]])
    found: DomainShares = domain_shares(audited, looked, inside, rng, size=len(numbers))
    return {
        "items": len(numbers),
        "audited": int(inside.sum()),
        "disagree": found.disagree,
        "labels": [
            {"share": asdict(shifted), "direct": asdict(direct), "counted": counted}
            for shifted, direct, counted in zip(
                found.shifted, found.direct, found.counted, strict=True
            )
        ],
    }
