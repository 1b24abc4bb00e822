"""Which labels look wrong: the decided items as evidence, and what the detectors make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection

from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.projects.schema import columns_of
from annotator.models import (
    Encoding,
    Flag,
    FlagKind,
    FlagState,
    Label,
    Outcome,
    Project,
    VerdictSource,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.detectors.belief import Belief
    from learning.audit.detectors.evidence import Evidence
    from learning.tasks import Columns, Task

# Below this many labels every one is looked at sooner by people.
FEWEST = 30
# Probabilities that are held at once: more labels than fit are drawn at random among all.
MOST_CELLS = 40_000_000
TOLD = 4
# Of so many next cases the share of errors is told.
NEXT = 50
WRONG = (Outcome.CHANGE, Outcome.BAD)
# The source of verdicts that rest on a teacher's word alone.
TEACHER = "teacher"

_DECIDED = """
SELECT i.id, i.number, v.labels, i.content_hash, v.source
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.state = 'decided' AND i.number < %s AND i.removed_at IS NULL
ORDER BY i.number
"""
# Each teacher's latest word on an item; where it abstained it is silent.
_JUDGED = """
SELECT DISTINCT ON (r.teacher_id, a.item_id) r.teacher_id, a.item_id, a.probabilities
FROM annotator_teacheranswer a JOIN annotator_teacherrun r ON r.id = a.run_id
WHERE a.project_id = %s AND a.abstained = '' AND a.probabilities <> '{}'
ORDER BY r.teacher_id, a.item_id, a.id DESC
"""


@dataclass(frozen=True, kw_only=True)
class Population:
    """The labels that can be looked at: (n,) items and numbers, their labels, who gave them."""

    items: NDArray[np.int64]
    numbers: NDArray[np.int64]
    labels: list[list[int]]
    groups: NDArray[np.int64]
    reviewed: NDArray[np.bool_]
    by_teacher: NDArray[np.bool_]
    columns: Columns
    task: Task

    @classmethod
    def of(cls, project: Project, columns: Columns, rows: Sequence[Sequence[Any]]) -> Population:
        """rows: id and number of an item, its labels, its content's hash, who gave them, in this order."""
        import numpy as np

        sources = np.array([row[4] for row in rows])
        return cls(
            items=np.array([row[0] for row in rows], dtype=np.int64),
            numbers=np.array([row[1] for row in rows], dtype=np.int64),
            labels=[list(row[2]) for row in rows],
            groups=np.array([int.from_bytes(bytes(row[3])[:7]) for row in rows], dtype=np.int64),
            reviewed=sources == VerdictSource.REVIEWER,
            by_teacher=sources == TEACHER,
            columns=columns,
            task=project.task,
        )


@dataclass(frozen=True, kw_only=True)
class ByOne:
    """What one detector makes of a population of values; as `Suspicion`."""

    detector: ClassVar[str]

    population: Population
    scores: NDArray[np.float64]

    @property
    def by_detector(self) -> dict[str, NDArray[np.float64]]:
        return {self.detector: self.scores}

    def each(self, row: int) -> dict[str, float]:
        """What is kept of one answer's score."""
        return {self.detector: round(float(self.scores[row]), 6)}


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """What detectors make of a population.

    scores: (n,) 0 surely wrong … 1 surely right; by_detector: name -> (n,) likewise; column: (n,)
    which of several labels is in question; suggested: (n,) the likeliest other column.
    """

    population: Population
    evidence: Evidence
    scores: NDArray[np.float64]
    by_detector: dict[str, NDArray[np.float64]]
    column: NDArray[np.int64]

    def each(self, row: int) -> dict[str, float]:
        """What every detector says of one label."""
        return {name: round(float(said[row]), 6) for name, said in self.by_detector.items()}

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row: what the most telling detectors say, in sentences with their scores."""
        import numpy as np

        from learning.audit.detectors import DETECTORS
        from learning.audit.detectors.scoring import words

        found: list[list[dict[str, Any]]] = [[] for _ in rows]
        at = np.asarray(rows, dtype=np.int64)
        for name, scores in self.by_detector.items():
            detector = DETECTORS[name]()
            said = self._by_column(at, lambda chosen, column, d=detector: words(  # type: ignore[misc]
                d, self.evidence, chosen, column))  # fmt: skip
            for place, row in enumerate(at.tolist()):
                one = {"detector": name, "score": round(float(scores[row]), 4)}
                found[place].append(one | {"words": said[place]})
        return [sorted(each, key=lambda one: one["score"])[:TOLD] for each in found]

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """For each row the labels that the student would have given instead."""
        import numpy as np

        from learning.audit.detectors.scoring import suggestions

        at = np.asarray(rows, dtype=np.int64)
        ids = self.population.columns.label_ids
        if not self.evidence.multi_label:
            return [[ids[column]] for column in suggestions(self.evidence, at).tolist()]
        return [
            self.population.task.mended(
                self.population.labels[row],
                ids[int(self.column[row])],
                self.evidence.probabilities[row],
                self.population.columns,
            )
            for row in at.tolist()
        ]

    def _by_column(
        self, rows: NDArray[np.int64], ask: Callable[[NDArray[np.int64], int | None], list[Any]]
    ) -> list[Any]:
        """Ask about rows in the order of the label in question; answers in the order of `rows`."""
        import numpy as np

        if not self.evidence.multi_label:
            return list(ask(rows, None))
        found: list[Any] = [None] * len(rows)
        for column in np.unique(self.column[rows]).tolist():
            places = np.flatnonzero(self.column[rows] == column)
            for place, answer in zip(places.tolist(), ask(rows[places], column), strict=True):
                found[place] = answer
        return found


def read(project: Project, encoding: Encoding, rng: np.random.Generator) -> Population | None:
    """The decided items that are encoded, whose labels all are in the schema; None when too few."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk, encoding.rows])
        rows = cursor.fetchall()
    columns = columns_of(project)
    if len(rows) < FEWEST:
        return None
    task = project.task
    usable = np.asarray(task.usable(task.encode([row[2] for row in rows], columns)))
    kept = np.flatnonzero(usable)
    most = MOST_CELLS // max(1, len(columns))
    if len(kept) > most:
        kept = np.sort(rng.choice(kept, most, replace=False))
    rows = [rows[place] for place in kept.tolist()]
    if len(rows) < FEWEST or len({tuple(row[2]) for row in rows}) < 2:
        return None
    return Population.of(project, columns, rows)


def gather(
    project: Project,
    encoding: Encoding,
    population: Population,
    rng: np.random.Generator,
    report: Callable[[int, int], None],
) -> Evidence:
    """Evidence by students that were fitted without the item they speak about."""
    import numpy as np

    from learning.audit.detectors.gathering import gather as gathered
    from learning.types import TrainingData

    task, columns = project.task, population.columns
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    rows = open_matrix(encoding).view()[population.numbers]
    targets = task.encode(population.labels, columns)
    return gathered(
        TrainingData(
            targets=targets,
            encodings=np.asarray(rows, dtype=np.float32),
            known=task.known(targets, columns),
            multi_label=project.multi_label,
            ordered=task.ordered,
            parts=task.parts,
            paired=encoding.apart,
            sided=task.sided,
        ),
        rng,
        groups=population.groups,
        judges=_judges(project, population),
        label_names=tuple(names[pk] for pk in columns.label_ids),
        report=report,
    )


def _judges(project: Project, population: Population) -> NDArray[np.float64] | None:
    """(j, n, k) what each teacher said, asked blind; NaN where it was not asked or abstained."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_JUDGED, [project.pk])
        said = cursor.fetchall()
    place = {item: row for row, item in enumerate(population.items.tolist())}
    said = [row for row in said if row[1] in place]
    teachers = sorted({row[0] for row in said})
    if not teachers:
        return None
    columns = population.columns
    heard = np.full((len(teachers), len(place), len(columns)), np.nan)
    for teacher, item, probabilities in said:
        shares = np.zeros(len(columns))
        for label, share in _json(probabilities).items():
            shares[columns.column(int(label))] = share
        total = shares.sum()
        if not project.multi_label and total > 0:
            shares /= total
        heard[teachers.index(teacher), place[item]] = shares
    heard[:, population.by_teacher] = np.nan  # nobody judges what may be their own word
    return heard


def _json(value: Any) -> dict[str, float]:
    import json

    found: dict[str, float] = json.loads(value) if isinstance(value, str) else value
    return found


def suspect(
    population: Population, evidence: Evidence, belief: Belief, report: Callable[[int, int], None]
) -> Suspicion:
    """Ask every detector for which the evidence suffices, and weigh what they say by a belief.

    With several labels an item is as doubtful as its most doubtful label.
    """
    import numpy as np

    from learning.audit.detectors import DETECTORS
    from learning.audit.detectors.combined import PARTS
    from learning.audit.detectors.scoring import applicable, score

    parts = [name for name in applicable(evidence) if name in PARTS]
    said = {}
    for place, name in enumerate(parts):
        report(place, len(parts))
        said[name] = score(DETECTORS.create(name), evidence)
    combined = _weighed(said, belief)
    column = np.zeros(len(population.items), dtype=np.int64)
    if evidence.multi_label:
        column = np.asarray(np.nanargmin(combined, axis=1), dtype=np.int64)
        rows = np.arange(len(column))
        said = {name: scores[rows, column] for name, scores in said.items()}
        combined = combined[rows, column]
    return Suspicion(
        population=population,
        evidence=evidence,
        scores=combined,
        by_detector=said,
        column=column,
    )


def _weighed(said: dict[str, NDArray[np.float64]], belief: Belief) -> NDArray[np.float64]:
    """(n,) or (n, k): how likely each label is right; NaN where nothing is known of it."""
    import numpy as np

    from learning.audit.detectors.combined import features

    first = next(iter(said.values()))
    if first.ndim == 1:
        return np.asarray(1 - belief.chance(features(said)))
    columns = [
        1 - belief.chance(features({name: scores[:, column] for name, scores in said.items()}))
        for column in range(first.shape[1])
    ]
    return np.where(np.isnan(first), np.nan, np.stack(columns, axis=1))


def believed(project: Project) -> Belief:
    """How much each detector counts here: as on development data, then as settled reviews teach."""
    import numpy as np

    from learning.audit.detectors.combined import prior

    cases = [flag for flag in settled_before(project) if flag.scores]
    if not cases:
        return prior()
    wrong = np.array([flag.outcome in WRONG for flag in cases], dtype=np.bool_)
    return prior().learn(_weighable(cases), wrong)


def expected(project: Project) -> dict[str, float] | None:
    """What share of the next flagged cases is wrong, by all reviews up to now; None without a view."""
    import numpy as np

    from learning.audit.detectors.combined import PARTS

    flags = Flag.objects.filter(project=project, state=FlagState.OPEN, kind=FlagKind.DETECTOR)
    cases = [flag for flag in flags.order_by("rank")[:NEXT] if set(PARTS) & set(flag.scores)]
    if not cases:
        return None
    told = believed(project).precision(_weighable(cases), np.random.default_rng(project.pk))
    if told.value is None:
        return None
    return {"cases": len(cases), "rate": told.value, "low": told.low, "high": told.high}


def _weighable(cases: Sequence[Flag]) -> NDArray[np.float64]:
    """(c, 1 + parts) what a belief weighs, from the scores that flags keep."""
    import numpy as np

    from learning.audit.detectors.combined import PARTS, features

    return features(
        {
            name: np.array([flag.scores.get(name, np.nan) for flag in cases], dtype=np.float64)
            for name in PARTS
        }
    )


def settled_before(project: Project) -> list[Flag]:
    """Machines' flags that reviewers settled, the training cases of the combined score."""
    settled = Flag.objects.filter(project=project, state=FlagState.SETTLED).by_machines()
    return list(settled.exclude(outcome="").order_by("settled_at", "pk"))
