"""Answer sets: the labels that hold with a stated coverage, calibrated on drawn items alone.

A calibration is made with each student and again as calibration items are answered; the queue takes
its thresholds along, so that a label page never computes anything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import sheets
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Item, Part, Project, SetCalibration, StudentVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.conformal import ConformalMethod
    from learning.audit.conformal.calibrated import Calibrated, Sample
    from learning.students.predictions import Predictions

# Labels of a set that a page is told; the size counts all.
SHOWN = 50
# Items of the pool that the calibration's are compared with.
LOOKED_AT = 400


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Thresholds ready to be applied to the predictions of one version."""

    method: ConformalMethod
    calibrated: Calibrated
    version: StudentVersion


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """What holds of one item: labels surely there, labels in doubt, likeliest first.

    size: labels left to decide between, also those beyond what is shown.
    """

    coverage: float
    sure: list[int]
    maybe: list[int]
    size: int

    def shown(self) -> dict[str, Any]:
        """As the picks keep it."""
        return {"coverage": self.coverage, "sure": self.sure, "maybe": self.maybe}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Answered items of one part: their numbers, and what the student says of them."""

    numbers: list[int]
    sample: Sample

    def __len__(self) -> int:
        return len(self.numbers)


def method_of(project: Project) -> str:
    """The project's conformal method, or the one that its task type begins with; "" if it has none."""

    fitting = project.task.conformal
    return project.set_method or (fitting[0] if fitting else "")


def calibrate(
    run: jobs.Run, version: StudentVersion, predictions: Predictions, held: Collection[int]
) -> SetCalibration | None:
    """Calibrate a version on the answered calibration items and keep it; None where sets are off.

    `held` are items that the version surely never learned from.
    """
    import numpy as np

    from learning.audit.conformal import CONFORMAL
    from learning.audit.conformal.calibrated import items_needed

    project = run.project
    if not project.has_sets:
        SetCalibration.objects.filter(version=version).delete()
        return None
    position, name = sealed_position(project), method_of(project)
    method, rng = CONFORMAL.create(name), np.random.default_rng([version.pk, position])
    sample = _sample(version, predictions, Part.CALIBRATION, held)
    needed = items_needed(project.set_coverage)
    figures: dict[str, Any] = {"needed": needed}
    thresholds = None
    if len(sample) >= needed:
        calibrated = method.calibrate(sample.sample, project.set_coverage, rng)
        thresholds = calibrated.to_json()
        later = _sample(version, predictions, Part.EVALUATION, held)
        figures |= _figures(method, calibrated, sample, later, rng)
        figures["difference"] = _difference(version, sample, rng)
    with run.fence():
        kept, _ = SetCalibration.objects.update_or_create(
            version=version,
            defaults={
                "project": project,
                "method": name,
                "coverage": project.set_coverage,
                "items": len(sample),
                "thresholds": thresholds,
                "figures": figures,
                "position": position,
            },
        )
    return kept


def follow(run: jobs.Run, version: StudentVersion, predictions: Predictions | None) -> Sets | None:
    """The version's sets, calibrated anew where the project's settings are others by now."""
    project = run.project
    kept = SetCalibration.objects.filter(version=version).first()
    as_wanted = kept is not None and (kept.method, kept.coverage) == (
        method_of(project),
        project.set_coverage,
    )
    if predictions is not None and not (as_wanted and project.has_sets):
        sheet = sheets.of(version)
        calibrate(run, version, predictions, [] if sheet is None else sheet.held)
    return ready(version)


def ready(version: StudentVersion) -> Sets | None:
    """The version's sets as they were calibrated, or None while nothing may be promised."""
    from learning.audit.conformal import CONFORMAL
    from learning.audit.conformal.calibrated import Calibrated

    kept = SetCalibration.objects.filter(version=version, thresholds__isnull=False).first()
    if kept is None or kept.thresholds is None:
        return None
    return Sets(
        method=CONFORMAL.create(kept.method),
        calibrated=Calibrated.from_json(kept.thresholds),
        version=version,
    )


def label_sets(
    sets: Sets | None, predictions: Predictions | None, rows: NDArray[np.int64]
) -> list[LabelSet | None]:
    """The set of each item in `rows`; None where there is no promise or it says nothing.

    It says nothing where no label conforms (the item is unlike the rest), or all do.
    """
    import numpy as np

    if sets is None or predictions is None or not len(rows):
        return [None] * len(rows)
    p = np.stack([predictions.row(int(row)) for row in rows])
    rng = np.random.default_rng([sets.version.pk, sets.calibrated.n, len(rows)])
    found = sets.method.sets(_trimmed(sets.calibrated, p.shape[1]), p, rng)
    sizes = found.sizes.tolist()
    told = found.fits & ~_all(found.possible & ~found.certain)
    return [
        _label_set(sets, p[place], found.possible[place], found.certain[place], sizes[place])
        if told[place]
        else None
        for place in range(len(rows))
    ]


def sizes(sets: Sets | None, predictions: Predictions | None) -> NDArray[np.int64] | None:
    """(n,) labels left to decide between, of every item; all where none conforms.

    None while nothing is promised, or where only the likeliest labels are kept and each label has a
    threshold of its own.
    """
    import numpy as np

    from learning.types import row_blocks

    if sets is None or predictions is None:
        return None
    calibrated = _trimmed(sets.calibrated, predictions.labels)
    if predictions.columns is not None:
        if len(set(calibrated.thresholds.tolist())) > 1:
            return None
        calibrated = _trimmed(calibrated, predictions.probabilities.shape[1])
    found = np.empty(predictions.rows, dtype=np.int64)
    for block in row_blocks(predictions.rows):
        found[block] = _sizes(sets, calibrated, np.asarray(predictions.probabilities[block]))
    return np.where(found < 0, predictions.labels, found)


def sizes_of(sets: Sets | None, p: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """(n,) the same of probabilities (n, k) of the version's labels, out of fold for example."""
    import numpy as np

    if sets is None:
        return None
    found = _sizes(sets, _trimmed(sets.calibrated, p.shape[1]), p)
    return np.where(found < 0, p.shape[1], found)


def _sizes(sets: Sets, calibrated: Calibrated, p: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) sizes, -1 where no label conforms."""
    import numpy as np

    rng = np.random.default_rng([sets.version.pk, calibrated.n])
    found = sets.method.sets(calibrated, p, rng)
    return np.where(found.fits, found.sizes, -1)


def _all(open_labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether every label is in doubt."""
    import numpy as np

    return np.asarray(open_labels.all(axis=1), dtype=np.bool_)


def _label_set(
    sets: Sets,
    p: NDArray[np.float32],
    possible: NDArray[np.bool_],
    certain: NDArray[np.bool_],
    size: int,
) -> LabelSet:
    order = (-p).argsort(kind="stable")
    ids = sets.version.label_ids
    return LabelSet(
        coverage=sets.calibrated.coverage,
        sure=[ids[column] for column in order[certain[order]].tolist()][:SHOWN],
        maybe=[ids[column] for column in order[(possible & ~certain)[order]].tolist()][:SHOWN],
        size=size,
    )


def _trimmed(calibrated: Calibrated, columns: int) -> Calibrated:
    """Thresholds for the labels that the student knows; it never says others."""
    from dataclasses import replace

    one = len(calibrated.thresholds) == 1
    return calibrated if one else replace(calibrated, thresholds=calibrated.thresholds[:columns])


def _sample(
    version: StudentVersion, predictions: Predictions, part: Part, held: Collection[int]
) -> Drawn:
    """The part's answered items that the version may be judged on, by the project's columns.

    Of labels that are younger than the student it knows nothing: their probability is 0.
    """
    import numpy as np

    from learning.audit.conformal.calibrated import Sample

    project = version.project
    columns, task = columns_of(project), project.task
    answers = sheets.unlearnt(version, auditing.answered(project, part), held)
    answers = [(number, labels) for number, labels in answers if number < predictions.rows]
    truth = task.encode([labels for _, labels in answers], columns)
    usable = np.asarray(task.usable(truth))
    p = np.zeros((len(answers), len(columns)), dtype=np.float32)
    for place, (number, _) in enumerate(answers):
        row = predictions.row(number)
        p[place, : len(row)] = row
    return Drawn(
        numbers=[answers[place][0] for place in np.flatnonzero(usable)],
        sample=Sample(probabilities=p[usable], truth=truth[usable] > 0.5),
    )


def _figures(
    method: ConformalMethod,
    calibrated: Calibrated,
    sample: Drawn,
    later: Drawn,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What is promised, how it held on the evaluation items, and how long sets are there."""
    from learning.audit.conformal.calibrated import coverage_band
    from learning.audit.conformal.watch import chance_of_so_few
    from learning.audit.intervals import share

    holds = method.holds(calibrated, later.sample, rng)
    luck = chance_of_so_few(int(holds.sum()), len(later), len(sample), calibrated.coverage)
    found: dict[str, Any] = {
        "band": coverage_band(len(sample), calibrated.coverage),
        "held": asdict(share(holds, exact=True)),
        "luck": round(luck, 6),
    }
    if len(later):
        sets = method.sets(calibrated, later.sample.probabilities, rng)
        found |= {
            "size": round(float(sets.sizes.mean()), 4),
            "one": round(float((sets.sizes <= 1)[sets.fits].sum() / len(later)), 4),
            "none": round(float((~sets.fits).mean()), 4),
        }
    return found


def _difference(version: StudentVersion, sample: Drawn, rng: np.random.Generator) -> float | None:
    """How likely the calibration items lie so differently from the pool while drawn from it.

    By their encodings: of items that it learned from, the student's own word is too sure to compare.
    """
    from learning.audit.conformal.watch import chance_of_difference

    encoding = version.encoding
    if encoding is None:
        return None
    pool = Item.objects.filter(project=version.project, number__lt=encoding.rows).present()
    others = pool.filter(order_key__gt=version.project.audit_cutoff).order_by("order_key")
    numbers = list(others.values_list("number", flat=True)[:LOOKED_AT])
    matrix = open_matrix(encoding).view()
    ours = [number for number in sample.numbers if number < encoding.rows]
    found = chance_of_difference([matrix[ours]], [matrix[numbers]], rng)
    return round(found, 4)
