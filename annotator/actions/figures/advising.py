"""What the next labels will bring and cost, in figures and in the one sentence for a manager."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.queue import auditing
from annotator.models import Item, Part, Project, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from annotator.actions.students.sheets import Judged
    from learning.audit.curves import Curve
    from learning.audit.intervals import Estimate

# What a student's figure is called, and the beginning of the sentence that tells it.
NAMES = {
    "accuracy": "accuracy",
    "span_f1": "F1 of spans",
    "pairs_right": "pairs in the right order",
}
_SAID = {
    "accuracy": "{} accurate",
    "span_f1": "an F1 of spans of {}",
    "pairs_right": "{} of pairs in the right order",
}
# The pace is that of the latest answers.
TIMED_ANSWERS = 500
# Versions that the rules of others compare.
COMPARED = 4

_SECONDS = """
SELECT a.seconds FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind = 'person'
WHERE a.project_id = %s AND a.kind = 'answer' AND a.seconds IS NOT NULL AND a.seconds > 0
  AND a.question_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id DESC LIMIT %s
"""


def name_of(project: Project) -> str:
    """What a student's figure is called where it stands alone: of several labels an item, that it has all."""
    if project.multi_label and project.task.figure == "accuracy":
        return "all labels right"
    return NAMES[project.task.figure]


def next_labels(project: Project, curve: Curve | None) -> dict[str, Any]:
    """Gain and cost of the next labels, as stored: `gain` is None while nothing can be forecast."""
    from learning.audit.advice import MORE, advise

    left = _left(project)
    labels = min(MORE, left)
    found: dict[str, Any] = {"labels": labels, "left": left, "gain": None}
    if labels:
        found["cost"] = _cost(project, labels)
    if curve is not None and labels:
        learned = max(round(labels * _learned_share(project)), 1)
        advice = asdict(advise(curve, learned))
        found["gain"] = {**advice, "verdict": str(advice["verdict"])}
    return found


def learnable(project: Project) -> int:
    """How many labels a student may still come to learn from."""
    return round(_left(project) * _learned_share(project))


def _left(project: Project) -> int:
    decided = Verdict.objects.filter(project=project).decided().count()
    return max(int(project.present_count) - decided, 0)


def _learned_share(project: Project) -> float:
    """How many of the next labels the student may learn from: audit items are held back."""
    waiting = Item.objects.filter(
        project=project, order_key__lte=project.audit_cutoff, answers=0, part=""
    )
    if not waiting.present().exists():
        return 1.0
    held = auditing.SHARES[Part.EVALUATION] + auditing.SHARES[Part.CALIBRATION]
    return 1 - project.audit_share * held


def seconds_per_label(project: Project) -> float | None:
    """What a label takes of people's time, all answers that it wants together; None while too few
    were timed."""
    found = _cost(project, 1)
    return None if found is None else float(found["seconds"])


def _cost(project: Project, labels: int) -> dict[str, Any] | None:
    """Seconds of people for so many labels, each of which takes as many answers as the overlap."""
    import numpy as np

    from learning.audit.advice import cost

    with connection.cursor() as cursor:
        cursor.execute(_SECONDS, [project.pk, TIMED_ANSWERS])
        seconds = np.array([row[0] for row in cursor.fetchall()], dtype=np.float64)
    found = cost(seconds, labels * project.overlap)
    return None if found is None else asdict(found)


def criteria(
    project: Project, judged: Judged, precisions: Sequence[Estimate]
) -> list[dict[str, Any]]:
    """Other people's stopping rules, on the items that the latest versions were all asked about."""
    import numpy as np

    from learning.audit import criteria as rules

    latest = np.arange(len(judged.versions))[-COMPARED:]
    shared = judged.asked[latest].all(axis=0) if len(latest) else np.zeros(0, dtype=np.bool_)
    said = rules.columns_of(judged.said[latest][:, shared], multi_label=project.multi_label)
    doubts: np.ndarray[Any, Any] = judged.doubts[latest[-1], shared] if len(latest) else np.zeros(0)
    active = [each for each, used in zip(precisions, judged.columns.active, strict=True) if used]
    found = [
        rules.kappa_average(said),
        rules.classification_change(said),
        rules.overall_uncertainty(doubts),
        rules.label_sleuth(active),
    ]
    return [asdict(each) for each in found]


def sentence(project: Project, figures: dict[str, Any]) -> str:
    """What a manager can paste into an e-mail: how good, how sure, what more would bring and cost.

    `figures` are those of `estimating`, with an accuracy.
    """
    accuracy = figures["accuracy"]
    measured = _SAID[measure_of(figures)].format(f"{accuracy['value'] * 100:.0f} %")
    said = (
        f"{project.name}: {measured}, between "
        f"{accuracy['low'] * 100:.0f} and {accuracy['high'] * 100:.0f} %, on a random sample of "
        f"{accuracy['n']:,} items that the student never learned from"
    )
    return f"{said}{_outlook(figures['next'], word_of(figures))}"


def measure_of(figures: dict[str, Any]) -> str:
    """A task type's `figure` that these are of."""
    return str(figures.get("measure", "accuracy"))


def word_of(figures: dict[str, Any]) -> str:
    """What one more of them is called: a label, where that is all there is to an answer."""
    return "label" if measure_of(figures) == "accuracy" else "answer"


def _outlook(coming: dict[str, Any], word: str) -> str:
    if not coming["labels"]:
        return f"; every item has its {word}."
    place = "last" if coming["labels"] == coming["left"] else "next"
    which = f"the {place} {amount(coming['labels'], word)}"
    gain, took = coming["gain"], coming.get("cost")
    time = f" take {hours(took)}" if took else ""
    if gain is None:
        later = f"; {which} should{time}" if time else ""
        return f"{later}. What more {word}s would add cannot be told yet."
    span = f"{points(gain['low'])} to {points(gain['high'])}"
    if gain["verdict"] == "empty":
        told = f"; what {which} would add cannot be told, it may be {span} points"
        return f"{told}{' and would' + time if time else ''}. More audit answers narrow that."
    told = f"; {which} should add about {points(gain['gain'], sign='')} points ({span})"
    told += f" and{time}." if time else "."
    if gain["verdict"] == "stop":
        chance = max(gain["chance"] * 100, 1)
        told += f" It may be time to stop: the chance of another point is {chance:.0f} %."
    return told


def amount(number: int, word: str) -> str:
    """ "1 label", "1,200 labels" """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def points(share: float, sign: str = "+") -> str:
    """A change of accuracy in points, with a typographic minus."""
    text = f"{share * 100:{sign}.1f}"
    return text.replace("-", "−")


def hours(cost: dict[str, Any]) -> str:
    """ "about 2 h (1.8–2.3 h)", or minutes where it is less than an hour and a half"""
    size, unit = (3_600.0, "hours") if cost["seconds"] >= 5_400 else (60.0, "minutes")
    middle, low, high = (cost[name] / size for name in ("seconds", "low", "high"))
    digits = 1 if middle < 10 else 0
    return f"about {middle:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"
