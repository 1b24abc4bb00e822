"""How well teachers' orders meet those that people decided on, and how steady they are by themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from django.db import connection

from annotator.actions.figures.marking import NOT_DOUBTED_ALONE
from annotator.actions.queue import auditing
from annotator.models import Annotation, Project, Teacher, TeacherAnswer, TeacherRunKind, Verdict

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Items of the random sample below which no figure is shown.
FEWEST = 30
SEED = 0
LATEST = 2_000
# Of each voice, so that none crowds out another and a page of all voices is quick.
LATEST_OF_VOICE = 500

_AGAINST_VERDICTS: LiteralString = f"""
SELECT voice.id, latest.said, latest.decided FROM annotator_annotator voice
CROSS JOIN LATERAL (
    SELECT a.value::text AS said, v.value::text AS decided FROM annotator_annotation a
    JOIN annotator_item i ON i.id = a.item_id
    JOIN annotator_verdict v ON v.item_id = a.item_id AND v.state = 'decided'
        AND (v.voices > 1 OR (voice.kind = 'teacher' AND i.answers > 0))
    WHERE a.annotator_id = voice.id AND a.kind = 'answer' AND a.value IS NOT NULL AND v.value IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
      AND {NOT_DOUBTED_ALONE}
    ORDER BY a.id DESC LIMIT %s) latest
WHERE voice.project_id = %s
"""  # noqa: S608 - of our own text


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure that lies between -1 and 1, with its 95 % interval and the items that tell of it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class OrderScore:
    """A teacher's orders on the drawn items. `shared` of them can be compared, `missing` more are needed;
    `stale` more were answered with earlier settings.

    tau: Kendall's, 1 the same orders … -1 the reverse; pairs: of two candidates those that stand as
    decided; exact: orders without any difference. All None while too few are shared. steady: tau of the
    orders given to two sequences of the same candidates; None where none was asked twice.
    """

    shared: int
    stale: int
    tau: Interval | None = None
    pairs: Estimate | None = None
    exact: Estimate | None = None
    steady: Interval | None = None

    @property
    def missing(self) -> int:
        return max(FEWEST - self.shared, 0)


def score(project: Project, teacher: Teacher, fingerprint: str) -> OrderScore:
    """How a teacher, by its settings of this print, meets people on the drawn items."""
    from learning.audit.intervals import share

    truth = decided(project, teacher)
    said, stale = said_now(teacher, fingerprint, list(truth))
    pairs = [(truth[number], value) for number, value in said.items()]
    steady = _steadiness(teacher, fingerprint)
    if len(pairs) < FEWEST:
        return OrderScore(shared=len(pairs), stale=stale, steady=steady)
    import numpy as np

    found = _pairs_right(pairs)
    return OrderScore(
        shared=len(pairs),
        stale=stale,
        tau=Interval(
            value=2 * (found.value or 0.0) - 1,
            low=2 * found.low - 1,
            high=2 * found.high - 1,
            n=found.n,
        ),
        pairs=found,
        exact=share(np.array([true["order"] == told["order"] for true, told in pairs])),
        steady=steady,
    )


def agreement(project: Project) -> dict[int, Estimate]:
    """Per voice, the share of pairs that stand as in the verdict, on items that others answered too, the
    latest ones of each voice."""
    found = against_verdicts(project, LATEST_OF_VOICE)
    return {voice: _pairs_right(pairs) for voice, pairs in found.items()}


def against_verdicts(project: Project, most: int) -> dict[int, list[tuple[Any, Any]]]:
    """Per voice the verdict's value and its own, of so many items that others answered too, the latest."""
    found: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_AGAINST_VERDICTS, [most, project.pk])
        for voice, said, true in cursor.fetchall():
            found[voice].append((json.loads(true), json.loads(said)))
    return found


def decided(project: Project, teacher: Teacher) -> dict[int, Any]:
    """Number -> value of the drawn items that are fair to this teacher."""
    drawn = [
        number
        for part in auditing.fair_parts(teacher.plugin)
        for number, _ in auditing.answered(project, part)
    ]
    rows = Verdict.objects.filter(project=project, item__number__in=drawn).exclude(value=None)
    return dict(rows.values_list("item__number", "value"))


def said_now(
    teacher: Teacher, fingerprint: str, numbers: Sequence[int]
) -> tuple[dict[int, Any], int]:
    """Number -> value of what it says now of these items, and how many it answered otherwise set up."""
    rows = Annotation.objects.filter(
        annotator=teacher.voice_id, item__number__in=numbers
    ).standing()
    mine = rows.exclude(value=None)
    now = mine.filter(teacher_answer__fingerprint=fingerprint)
    said = dict(now.values_list("item__number", "value"))
    return said, mine.count() - len(said)


def _steadiness(teacher: Teacher, fingerprint: str) -> Interval | None:
    rows = TeacherAnswer.objects.filter(
        run__teacher=teacher, run__kind=TeacherRunKind.LABEL, fingerprint=fingerprint
    )
    told = rows.filter(value__has_key="steady").order_by("-pk").values_list("value", flat=True)
    values = [value["steady"] for value in told[:LATEST] if value and value["steady"] is not None]
    return mean(values) if values else None


def mean(values: Sequence[float]) -> Interval:
    """The mean of values between -1 and 1, its interval by drawing items again, and never narrower than
    that of a share of so many items, which few or equal ones belie.
    """
    import numpy as np

    from learning.metrics import wilson

    shares = (np.asarray(values, dtype=np.float64) + 1) / 2
    n = len(shares)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(n, np.full(n, 1 / n), 1_000) @ shares / n
    low, high = (float(edge) for edge in np.quantile(drawn, [0.025, 0.975]))
    mean = float(shares.mean())
    least, most = wilson(round(mean * n), n)
    return Interval(
        value=2 * mean - 1, low=2 * min(low, least) - 1, high=2 * max(high, most) - 1, n=n
    )


def _pairs_right(pairs: Sequence[tuple[Any, Any]]) -> Estimate:
    import numpy as np

    from learning.audit.intervals import Estimate
    from learning.rankers.scores import pairs_interval, right_pairs

    right = right_pairs([true for true, _ in pairs], [told for _, told in pairs])
    low, high = pairs_interval(right, np.random.default_rng(SEED))
    value = float((right[:, 0] / right[:, 1]).mean())  # a list has two candidates at least
    return Estimate(value=value, low=low, high=high, n=len(pairs))
