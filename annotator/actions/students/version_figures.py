"""What is measured about versions: on evaluation items that they never learned from, as far as there are
enough of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.figures import scorecards
from annotator.actions.queue import auditing
from annotator.actions.students import sheets
from annotator.models import (
    AnnotatorKind,
    AuditSheet,
    EstimateSource,
    Part,
    Project,
    StudentVersion,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annotator.actions.students.sheets import Judged
    from learning.audit.estimates import Sample
    from learning.audit.intervals import Estimate
    from learning.audit.reliability import Reliability


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A version's one figure, 0 … 1, with its 95 % interval, on `n` items; None while it was never measured.

    source: whether chance drew the items, or they are its own, asked out of fold.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    source: str


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """One label's figures, each with its interval and the items that tell of it."""

    label: int
    f1: Estimate
    recall: Estimate
    precision: Estimate


@dataclass(frozen=True, kw_only=True)
class VersionFigures:
    """`score` has the accuracy and the confusions; `missing` more answers are needed for any figure.

    reliability is None where the files are gone; `points` are the versions of its kind that were
    judged on the same items: (version, accuracy), fewest labels first.
    """

    score: scorecards.Score
    labels: list[LabelFigures]
    reliability: Reliability | None
    points: list[tuple[StudentVersion, Estimate]]
    missing: int


def headlines(project: Project, versions: Iterable[StudentVersion]) -> dict[int, Headline]:
    """Each version's figure by its id: on the evaluation answers of now where they are enough, else as it
    was when it was trained. As many queries for one as for many."""
    asked = sorted({each.pk: each for each in versions}.values(), key=lambda each: each.trained_on)
    learned = [each for each in asked if each.trained_on]
    found = sheets.between(project, learned, auditing.answered(project, Part.EVALUATION))
    return {each.pk: when_trained(each) for each in asked} | {
        each.pk: Headline(
            value=told.value, low=told.low, high=told.high, n=told.n, source=EstimateSource.AUDIT
        )
        for each, told in _measured(found)
    }


def headline(version: StudentVersion) -> Headline:
    """The same of one."""
    return headlines(version.project, [version])[version.pk]


def kept(version: StudentVersion) -> Headline:
    """Its figure as it was computed last, which costs nothing to read; else the one of its training."""
    sheet = AuditSheet.objects.filter(version=version).first()
    found = (sheet.figures or {}).get("accuracy") if sheet else None
    if not found:
        return when_trained(version)
    ends = {name: found[name] for name in ("value", "low", "high", "n")}
    return Headline(**ends, source=EstimateSource.AUDIT)


def flattered(version: StudentVersion) -> bool:
    """Whether the sample that measures it also chose between it and its like."""
    told = version.beside
    return any(
        "bought" in each for each in (told, *(told.get(x, {}) for x in ("unanswered", "warm")))
    )


def when_trained(version: StudentVersion) -> Headline:
    """The figure that it got when it was trained, which stays."""
    return Headline(
        value=version.accuracy,
        low=version.accuracy_low,
        high=version.accuracy_high,
        n=version.evaluated_on,
        source=version.estimate,
    )


def figures_of(project: Project, version: StudentVersion) -> VersionFigures:
    """The version on the evaluation answers of now; without a sheet as if nobody had answered."""
    from learning.audit.estimates import Sample

    answers = auditing.answered(project, Part.EVALUATION)
    found = sheets.between(project, [version], answers)
    kept = found.known[0] if found.versions else []
    shared = int(sum(kept))
    missing = max(auditing.FEWEST_TO_SHOW - shared, 0)
    right = int((found.rights()[0][kept] == 1).sum()) if shared else 0
    early = _early(shared=shared, right=right)
    if not found.versions or missing:
        return VersionFigures(score=early, labels=[], reliability=None, points=[], missing=missing)
    if found.credit is not None:
        (accuracy,) = found.measured(auditing.FEWEST_TO_SHOW).points()
        return VersionFigures(
            score=early if accuracy.value is None else replace(early, accuracy=accuracy),
            labels=_labels_of_parts(project, version, found),
            reliability=None,
            points=_points(project, version, answers),
            missing=0,
        )
    sample = Sample(truth=found.truth[kept], predicted=found.said[0][kept])
    labels = _labels(found, sample)
    return VersionFigures(
        score=_scored(project, found, sample, labels),
        labels=labels,
        reliability=_reliability(project, version, found),
        points=_points(project, version, answers),
        missing=0,
    )


def _early(*, shared: int, right: int) -> scorecards.Score:
    return scorecards.Score(
        kind=AnnotatorKind.STUDENT,
        shared=shared,
        right=right,
        stale=0,
        accuracy=None,
        labels=[],
        confusions=[],
    )


def _scored(
    project: Project, found: Judged, sample: Sample, labels: list[LabelFigures]
) -> scorecards.Score:
    from learning.audit import estimates

    ids = found.columns.label_ids
    pairs = [
        (
            frozenset(label for label, there in zip(ids, truth, strict=True) if there),
            frozenset(label for label, there in zip(ids, said, strict=True) if there),
        )
        for truth, said in zip(sample.truth, sample.predicted, strict=True)
    ]
    return replace(
        _early(shared=len(pairs), right=sum(truth == said for truth, said in pairs)),
        accuracy=estimates.accuracy(sample),
        labels=[
            scorecards.LabelScore(label=each.label, recall=each.recall, precision=each.precision)
            for each in labels
        ],
        confusions=scorecards.confusions(pairs, multi_label=project.multi_label),
    )


def _labels(found: Judged, sample: Sample) -> list[LabelFigures]:
    from learning.audit import estimates

    f1s, recalls = estimates.f1s(sample), estimates.recalls(sample)
    precisions = estimates.precisions(sample)
    return [
        LabelFigures(
            label=label, f1=f1s[column], recall=recalls[column], precision=precisions[column]
        )
        for column, label in enumerate(found.columns.label_ids)
        if found.columns.active[column]
    ]


def _labels_of_parts(
    project: Project, version: StudentVersion, found: Judged
) -> list[LabelFigures]:
    from learning.audit import estimates

    ids, active = found.columns.label_ids, found.columns.active
    parts = estimates.of_parts(sheets.by_label(project, version, found))
    return [
        LabelFigures(label=label, f1=each.f1, recall=each.recall, precision=each.precision)
        for label, used, each in zip(ids, active, parts, strict=True)
        if used
    ]


def _reliability(project: Project, version: StudentVersion, found: Judged) -> Reliability | None:
    """Of each answer, how sure it was; with several labels per item, of each yes and no."""
    import numpy as np

    from learning.audit.reliability import reliability
    from learning.errors import DamagedFileError
    from learning.students.predictions import read_predictions

    if not version.folder or tuple(version.label_ids) != found.columns.label_ids:
        return None
    try:
        predictions = read_predictions(students_folder(project.pk) / version.folder / "pool")
    except DamagedFileError:
        return None
    rows = [row for row in np.flatnonzero(found.asked[0]) if found.numbers[row] < predictions.rows]
    if not rows:
        return None
    said = np.stack([predictions.row(found.numbers[row]) for row in rows])[:, found.columns.active]
    truth = found.truth[rows][:, found.columns.active]
    if project.multi_label:
        confidence, right = np.maximum(said, 1 - said).ravel(), ((said >= 0.5) == truth).ravel()
    else:
        confidence, right = said.max(axis=1), said.argmax(axis=1) == truth.argmax(axis=1)
    return reliability(np.clip(confidence, 0, 1), right)


def _points(
    project: Project, version: StudentVersion, answers: list[tuple[int, list[int]]]
) -> list[tuple[StudentVersion, Estimate]]:
    return _measured(sheets.judged(project, version, answers))


def _measured(judged: Judged) -> list[tuple[StudentVersion, Estimate]]:
    """Those that enough of the items tell of; the versions in the order of what they learned from."""
    enough = judged.known.sum(axis=1) >= auditing.FEWEST_TO_SHOW
    versions = [each for each, kept in zip(judged.versions, enough, strict=True) if kept]
    measured = judged.measured(auditing.FEWEST_TO_SHOW)
    found = zip(versions, measured.points(), strict=True)
    return [(version, estimate) for version, estimate in found if estimate.value is not None]
