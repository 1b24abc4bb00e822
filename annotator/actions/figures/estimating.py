"""Honest numbers of a project: from the audit sample, at the sealed position, kept with the version.

A job computes them after every training; pages and the API only read what is kept.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.explore.searching import predictions_of
from annotator.actions.figures import advising
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import conforming, sheets
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import AuditSheet, Part, Project, StudentVersion, Verdict

if TYPE_CHECKING:
    import numpy as np

    from annotator.actions.students.sheets import Judged
    from learning.audit.curves import Curve, Measured
    from learning.audit.intervals import Estimate

# A burst of trainings is estimated once.
WAIT_SECONDS = 2.0
FORECAST_POINTS = 12
# How far ahead the curve is drawn: by half as many labels again, or so many.
AHEAD_SHARE, AHEAD_LABELS = 0.5, 200

_GIVEN = """
SELECT chosen.label, count(*) FROM annotator_verdict v CROSS JOIN unnest(v.labels) chosen(label)
WHERE v.project_id = %s AND v.state = 'decided' GROUP BY chosen.label
"""


def wish(project: Project) -> None:
    """Ask that the figures be computed anew; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue(
            "estimate",
            project=project,
            key=f"estimate:{project.pk}",
            due_in_seconds=WAIT_SECONDS,
        )


def current_sheet(project: Project) -> AuditSheet | None:
    """The current student's sheet with the figures kept on it; None while there is none."""
    sheets_of = AuditSheet.objects.filter(version_id=project.current_student_id)
    return sheets_of.select_related("version").first()


def shown_sheet(project: Project) -> AuditSheet | None:
    """The current student's sheet; while its figures are computed, the last one that has them."""
    current = current_sheet(project)
    if current is not None and current.figures is not None:
        return current
    measured = AuditSheet.objects.filter(project=project, figures__isnull=False)
    return measured.select_related("version").order_by("-computed_at").first() or current


def run_estimate(run: jobs.Run) -> dict[str, Any]:
    """Compute the current student's figures from the rows of now, unless they are kept already."""
    project = run.project
    version = project.current_student
    if version is None:
        return {"estimated": False, "why": "There is no student yet."}
    sheet = current_sheet(project) or _late_sheet(run, version)
    if sheet is None:
        return {"estimated": False, "why": "The current student's files are gone."}
    position, basis = sealed_position(project), _basis(project)
    kept = sheet.figures
    if kept is not None and (sheet.position, kept.get("basis")) == (position, basis):
        return {"estimated": False, "why": "Nothing has changed."}
    run.progress(0, 1, "Estimating")
    figures = compute(project, version)
    predictions = predictions_of(project)
    if predictions is not None:
        conforming.calibrate(run, version, predictions, sheet.held)
    with run.fence():
        figures |= {"domains": _kept_domains(project), "basis": basis}
        AuditSheet.objects.filter(pk=sheet.pk).update(
            figures=figures, position=position, computed_at=Now()
        )
    return {"estimated": True, "student": version.number, "audited": figures["evaluated_on"]}


def _basis(project: Project) -> list[Any]:
    """What figures rest on beside the ledger: the pool, the drawn sample, the live labels,
    and how sets are made."""
    return [
        project.present_count,
        project.audit_cutoff,
        [label.pk for label in project.live_labels()],
        [project.answer_sets, project.set_coverage, project.set_method],
    ]


def _late_sheet(run: jobs.Run, version: StudentVersion) -> AuditSheet | None:
    """A sheet for a version that was trained before there were any."""
    predictions = predictions_of(run.project)
    return None if predictions is None else sheets.write(run, version, predictions, [])


def _kept_domains(project: Project) -> dict[str, Any] | None:
    """Shares by a column stay with the project until they are asked for again."""
    last = (
        AuditSheet.objects.filter(project=project, figures__domains__isnull=False)
        .exclude(figures__domains=None)
        .order_by("-computed_at")
        .first()
    )
    return None if last is None or last.figures is None else last.figures.get("domains")


def compute(project: Project, version: StudentVersion) -> dict[str, Any]:
    """Every figure with its interval and what it rests on, as JSON; see the API's schema."""
    import numpy as np

    answers = auditing.answered(project, Part.EVALUATION)
    judged = sheets.judged(project, version, answers)
    rng = np.random.default_rng([project.pk, version.pk, len(answers)])
    row = judged.row_of(version)
    asked = 0 if row is None else int(judged.known[row].sum())
    measured = judged.measured(auditing.FEWEST_TO_SHOW)
    curve = _fit(measured, judged, rng)
    points = _points(judged, measured)
    own = [each["accuracy"] for each in points if each["student"] == version.number]
    found: dict[str, Any] = {
        "student": version.number,
        "trained_on": version.trained_on,
        "evaluated_on": asked,
        "needed": auditing.FEWEST_TO_SHOW,
        "measure": project.task.figure,
        "accuracy": own[0] if own else None,
        "macro_f1": None,
        "labels": [],
        "criteria": [],
        **_shares(project),
        "curve": points,
        "forecast": _forecast(project, curve),
        "next": advising.next_labels(project, curve),
    }
    if row is not None and own and judged.credit is None:
        found |= _quality(project, judged, row)
    elif own:
        found["labels"] = _quality_of_parts(project, version, judged)
    return found


def _quality(project: Project, judged: Judged, row: int) -> dict[str, Any]:
    from learning.audit import estimates

    kept = judged.asked[row]
    sample = estimates.Sample(truth=judged.truth[kept], predicted=judged.said[row][kept])
    active = judged.columns.active
    macro = estimates.macro_f1(sample, active)
    recalls, precisions = estimates.recalls(sample), estimates.precisions(sample)
    return {
        "macro_f1": {
            **asdict(macro.estimate),
            "labels": macro.labels,
            "unseen": macro.unseen,
        },
        "labels": [
            {
                "id": judged.columns.label_ids[column],
                "recall": asdict(recalls[column]),
                "precision": asdict(precisions[column]),
            }
            for column in range(len(judged.columns))
            if active[column]
        ],
        "criteria": advising.criteria(project, judged, precisions),
    }


def _quality_of_parts(
    project: Project, version: StudentVersion, judged: Judged
) -> list[dict[str, Any]]:
    from learning.audit import estimates

    ids, active = judged.columns.label_ids, judged.columns.active
    found = estimates.of_parts(sheets.by_label(project, version, judged))
    return [
        {"id": pk, "recall": asdict(each.recall), "precision": asdict(each.precision)}
        for pk, used, each in zip(ids, active, found, strict=True)
        if used
    ]


def _shares(project: Project) -> dict[str, Any]:
    """Class shares of the pool from all three parts, beside what one would count naively."""
    from learning.audit import estimates

    columns = columns_of(project)
    task = project.task
    drawn = [
        labels
        for part in (Part.EVALUATION, Part.CALIBRATION, Part.SEED)
        for _, labels in auditing.answered(project, part)
    ]
    targets = task.encode(drawn, columns)
    truth = targets[task.usable(targets)] > 0.5
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, [project.pk])
        given = dict(cursor.fetchall())
    decided = Verdict.objects.filter(project=project).decided().count()
    found = estimates.class_shares(truth)
    return {
        "drawn": len(truth),
        "decided": decided,
        "shares": [
            {"id": label, "share": asdict(found[column]), "given": given.get(label, 0)}
            for column, label in enumerate(columns.label_ids)
            if columns.active[column]
        ],
    }


def _fit(measured: Measured, judged: Judged, rng: np.random.Generator) -> Curve | None:
    from learning.audit.curves import fit
    from learning.errors import NotEnoughDataError

    try:
        return fit(measured, max(int(judged.columns.active.sum()), 2), rng)
    except NotEnoughDataError:
        return None


def _points(judged: Judged, measured: Measured) -> list[dict[str, Any]]:
    enough = judged.known.sum(axis=1) >= auditing.FEWEST_TO_SHOW
    versions = [each for each, kept in zip(judged.versions, enough, strict=True) if kept]
    return [
        {"student": version.number, "labels": version.trained_on, "accuracy": asdict(estimate)}
        for version, estimate in zip(versions, measured.points(), strict=True)
        if estimate.value is not None
    ]


def _forecast(project: Project, curve: Curve | None) -> list[dict[str, Any]]:
    """The curve ahead, as far as there are items left to learn from; none where there are not."""
    import numpy as np

    if curve is None:
        return []
    ahead = max(curve.at * AHEAD_SHARE, AHEAD_LABELS)
    end = min(curve.at + min(ahead, advising.learnable(project)), project.present_count)
    if end <= curve.at:
        return []
    labels = np.unique(np.linspace(curve.at, end, FORECAST_POINTS).astype(np.int64))
    found: list[Estimate] = curve.forecast(labels)
    return [
        {"labels": int(at), "accuracy": asdict(estimate)}
        for at, estimate in zip(labels, found, strict=True)
    ]
