"""Audit sheets: what each version says of the audit items, and which of them it may be judged on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Exists, OuterRef

from annotator import jobs
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import recipes, warming
from annotator.models import AuditSheet, Item, Project, StudentVersion, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.curves import Measured
    from learning.students.predictions import Predictions
    from learning.tasks import Columns

# Items of the secret order that a sheet speaks of, at most.
LONGEST = 2_000
# Versions that are compared, at even steps of log labels.
MOST_VERSIONS = 60
# Sheets are thinned so that the labels behind two kept ones differ by this factor; not the newest.
STEP, NEWEST = 1.02, 20

# When a content was first spoken of outside the audit stream, and so could be learnt. Answers that
# were taken back count too, and words of a teacher that were ever accepted: a version in between may
# have learned from them.
_LEARNABLE = """
SELECT i.number, min(e.position)
FROM annotator_item i
JOIN annotator_item twin ON twin.project_id = i.project_id AND twin.content_hash = i.content_hash
JOIN annotator_annotation a ON a.item_id = twin.id AND a.kind = 'answer'
    AND a.stream NOT IN ('audit', 'gold')
JOIN annotator_annotator v ON v.id = a.annotator_id AND (v.kind <> 'teacher' OR EXISTS (
    SELECT 1 FROM annotator_acceptance c WHERE c.annotation_id = a.id))
JOIN annotator_ledgerentry e ON e.annotation_id = a.id
WHERE i.project_id = %s AND i.number = ANY(%s) AND e.position IS NOT NULL
GROUP BY i.number
"""


def write(
    run: jobs.Run,
    version: StudentVersion,
    predictions: Predictions,
    held: list[int],
    told: Callable[[int], Any] | None = None,
) -> AuditSheet:
    """Keep what a fresh version says of the audit sample; `held` are items it surely never met.

    told: the value that it gives an item, by the item's number, where answers are more than labels.
    """
    import numpy as np

    project = run.project
    kept = Item.objects.filter(
        project=project, order_key__lte=_spared(version), number__lt=predictions.rows
    ).present()
    task = project.task
    numbers = list(kept.order_by("order_key").values_list("number", flat=True)[:LONGEST])
    said, doubts = [], []
    for number in numbers:
        row = predictions.row(number)
        columns = np.flatnonzero(task.chosen(row[None])[0])
        said.append([version.label_ids[column] for column in columns])
        doubts.append(_doubt(float(predictions.entropies[number]), predictions))
    with run.fence():
        sheet, _ = AuditSheet.objects.update_or_create(
            version=version,
            defaults={
                "project": project,
                "numbers": numbers,
                "said": said,
                "doubts": doubts,
                "values": None if told is None else [told(number) for number in numbers],
                "held": held,
            },
        )
        _thin(project, version)
    return sheet


def _spared(version: StudentVersion) -> float:
    """How far the secret order was surely kept from it: soft rows may lie behind where the sample ended
    when it was taught, whatever the sample is now."""
    cutoff = version.project.audit_cutoff
    return float(min(cutoff, version.beside.get("cutoff", cutoff)))


def _doubt(entropy: float, predictions: Predictions) -> float:
    """0 sure … 1 as doubtful as can be."""
    import math

    most = math.log(2 if predictions.multi_label else max(predictions.labels, 2))
    return round(min(entropy / most, 1.0), 4)


def _thin(project: Project, version: StudentVersion) -> None:
    """Drop sheets of old versions that learned from nearly as many labels as a kept one."""
    rows = list(
        AuditSheet.objects.filter(version__in=recipes.like(version))
        .order_by("version__trained_on", "version__number")
        .values_list("version_id", "version__trained_on")
    )
    newest = {pk for pk, _ in sorted(rows)[-NEWEST:]}
    current = Project.objects.values_list("current_student_id", flat=True).get(pk=project.pk)
    last, dropped = 0.0, []
    for pk, labels in rows:
        if pk in newest or pk == current or labels >= last * STEP:
            last = float(labels)
        else:
            dropped.append(pk)
    AuditSheet.objects.filter(version_id__in=dropped).delete()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Versions of students on the answered evaluation items.

    truth: (m, k) bool of `numbers`; said: (v, m, k) bool; asked: (v, m) bool, what each version may
    be judged on; doubts: (v, m), NaN where a version was not asked; credit: (v, m, 2) how much of an
    item is right and how much there is, where answers are more than labels.
    """

    versions: list[StudentVersion]
    numbers: list[int]
    columns: Columns
    truth: NDArray[np.bool_]
    said: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    doubts: NDArray[np.float64]
    credit: NDArray[np.float64] | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """(v, m) which of the items it was asked tell how right a version is."""
        import numpy as np

        if self.credit is None:
            return self.asked
        known: NDArray[np.bool_] = self.asked & np.isfinite(self.credit).all(axis=2)
        return known

    def rights(self) -> NDArray[np.float64]:
        """(v, m) how right each version is on each item, 0 … 1; where there is nothing to say and nothing
        is said, 1.
        """
        import numpy as np

        from learning.audit.promotion import scores

        if self.credit is None:
            rows = [scores(self.truth, said) for said in self.said]
            return np.array(rows, dtype=np.float64).reshape(self.asked.shape)
        right, whole = self.credit[..., 0], self.credit[..., 1]
        return np.where(whole > 0, right / np.maximum(whole, 1e-12), 1.0)

    def row_of(self, version: StudentVersion) -> int | None:
        """The version's row, or None when it has no sheet."""
        ids = [each.pk for each in self.versions]
        return ids.index(version.pk) if version.pk in ids else None

    def measured(self, fewest: int) -> Measured:
        """Right and wrong, of the versions that were asked about so many items or more."""
        import numpy as np

        from learning.audit.curves import Measured

        known = self.known
        rows = np.flatnonzero(known.sum(axis=1) >= fewest)
        labels = np.array([each.trained_on for each in self.versions], dtype=np.int64)[rows]
        if self.credit is not None:
            right, whole = self.credit[rows, :, 0], self.credit[rows, :, 1]
            kept = known[rows]
            right, whole = (np.where(kept, part, 0.0) for part in (right, whole))
            return Measured(labels=labels, right=right, whole=whole, asked=kept)
        right = (self.said == self.truth[None]).all(axis=2)[rows]
        return Measured(labels=labels, right=right, asked=known[rows])


def judged(
    project: Project, current: StudentVersion, answers: list[tuple[int, list[int]]]
) -> Judged:
    """The versions of the current student's recipe on the answered items (number, label ids)."""
    return _judged(project, _chosen(current), answers)


def between(
    project: Project, versions: Sequence[StudentVersion], answers: list[tuple[int, list[int]]]
) -> Judged:
    """Just these versions, in this order; those without a sheet are left out."""
    found = AuditSheet.objects.filter(version__in=versions).select_related("version")
    by_version = {sheet.version_id: sheet for sheet in found}
    kept = [by_version[each.pk] for each in versions if each.pk in by_version]
    return _judged(project, kept, answers)


def _judged(
    project: Project, sheets: list[AuditSheet], answers: list[tuple[int, list[int]]]
) -> Judged:
    import numpy as np

    columns = columns_of(project)
    task = project.task
    truth = task.encode([labels for _, labels in answers], columns)
    usable = task.usable(truth)
    numbers = [number for (number, _), kept in zip(answers, usable, strict=True) if kept]
    place = {number: row for row, number in enumerate(numbers)}
    learnable = _learnable(project, numbers)
    said = np.zeros((len(sheets), len(numbers), len(columns)), dtype=np.bool_)
    asked = np.zeros((len(sheets), len(numbers)), dtype=np.bool_)
    doubts = np.full((len(sheets), len(numbers)), np.nan)
    for row, sheet in enumerate(sheets):
        held = set(sheet.held)
        for number, labels, doubt in zip(sheet.numbers, sheet.said, sheet.doubts, strict=True):
            at = place.get(number)
            if at is None:
                continue
            met = learnable.get(number)
            asked[row, at] = number in held or met is None or met > sheet.version.position
            said[row, at] = columns.hot([labels])[0] > 0
            doubts[row, at] = doubt
    return Judged(
        versions=[sheet.version for sheet in sheets],
        numbers=numbers,
        columns=columns,
        truth=truth[usable] > 0.5,
        said=said,
        asked=asked,
        doubts=doubts,
        credit=_credit(project, sheets, numbers, columns),
    )


def _credit(
    project: Project, sheets: list[AuditSheet], numbers: list[int], columns: Columns
) -> NDArray[np.float64] | None:
    """(v, m, 2) of `Judged`, NaN where a value is not known; None where labels are the whole answer."""
    import numpy as np

    from learning.tasks.values import credited_task

    if not hasattr(project.task, "credit"):
        return None
    task, truth = credited_task(project.task_type), _decided(project, numbers)
    found = np.full((len(sheets), len(numbers), 2), np.nan)
    for row, sheet in enumerate(sheets):
        said = _told(sheet)
        for place, number in enumerate(numbers):
            if number in truth and number in said:
                found[row, place] = task.credit(truth[number], said[number], columns)
    return found


def by_label(project: Project, version: StudentVersion, judged: Judged) -> NDArray[np.int64]:
    """(m, k, 3) of each item that the version is judged on and each label: parts of its value that are in
    both, said, true; 0 where answers are labels alone, or their parts have none.
    """
    import numpy as np

    from learning.tasks.values import credited_task

    found = np.zeros((len(judged.numbers), len(judged.columns), 3), dtype=np.int64)
    row, sheet = judged.row_of(version), of(version)
    if judged.credit is None or row is None or sheet is None:
        return found
    task, said = credited_task(project.task_type), _told(sheet)
    truth = _decided(project, judged.numbers)
    for place in np.flatnonzero(judged.known[row]).tolist():
        number = judged.numbers[place]
        for label, counted in task.by_label(truth[number], said[number]).items():
            found[place, judged.columns.column(label)] = counted
    return found


def _decided(project: Project, numbers: list[int]) -> dict[int, Any]:
    decided = Verdict.objects.filter(project=project, item__number__in=numbers, value__isnull=False)
    return dict(decided.values_list("item__number", "value"))


def _told(sheet: AuditSheet) -> dict[int, Any]:
    return dict(zip(sheet.numbers, sheet.values or [], strict=False))


def _chosen(current: StudentVersion) -> list[AuditSheet]:
    """At most MOST_VERSIONS sheets of this recipe; the current one is always among them."""
    import numpy as np

    rows = list(
        AuditSheet.objects.filter(version__in=recipes.like(current), version__trained_on__gt=0)
        .order_by("version__trained_on", "version__number")
        .values_list("version_id", "version__trained_on")
    )
    chosen = {pk for pk, _ in rows}
    if len(rows) > MOST_VERSIONS:
        labels = np.array([trained_on for _, trained_on in rows], dtype=np.float64)
        wanted = np.geomspace(labels[0], labels[-1], MOST_VERSIONS)
        places = np.minimum(np.searchsorted(labels, wanted - 1e-9), len(rows) - 1)
        chosen = {rows[place][0] for place in places} | {rows[-1][0], current.pk}
    found = AuditSheet.objects.filter(version_id__in=chosen).select_related("version")
    return list(found.order_by("version__trained_on", "version__number"))


def of(version: StudentVersion) -> AuditSheet | None:
    """The version's sheet, or None for one that is older than sheets or was thinned out."""
    return AuditSheet.objects.filter(version=version).first()


def unlearnt(
    version: StudentVersion, answers: list[tuple[int, list[int]]], held: Collection[int]
) -> list[tuple[int, list[int]]]:
    """Those of the answered items (number, label ids) that the version surely never learned from.

    `held` were drawn and answered when it was trained, and so kept out.
    """
    numbers, kept = [number for number, _ in answers], set(held)
    learnable, soft = _learnable(version.project, numbers), _maybe_soft(version, numbers)
    return [
        (number, labels)
        for number, labels in answers
        if number in kept
        or (learnable.get(number, version.position + 1) > version.position and number not in soft)
    ]


def _maybe_soft(version: StudentVersion, numbers: list[int]) -> set[int]:
    """Those that may have been among the soft rows it learned from, they or one of the same content:
    drawn, or imported beside it, only since; or among those of another project that it began with."""
    elsewhere = warming.learnt_by(version, numbers)
    if "cutoff" not in version.beside:
        return elsewhere
    items = Item.objects.filter(project=version.project_id)
    behind = items.filter(
        order_key__gt=version.beside["cutoff"], content_hash=OuterRef("content_hash")
    )
    found = items.filter(Exists(behind), number__in=numbers)
    return elsewhere | set(found.values_list("number", flat=True))


def _learnable(project: Project, numbers: list[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_LEARNABLE, [project.pk, numbers])
        rows: list[Any] = cursor.fetchall()
    return dict(rows)
