"""Which items people are asked about next: a lead's wishes, then what the strategy chooses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.explore import seeding
from annotator.actions.queue import queueing
from annotator.actions.routing import sending
from annotator.actions.students import conforming, form_tagging
from annotator.actions.teachers import disagreeing, teacher_runs
from annotator.models import Label, Pick, Project, Verdict, VerdictState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.conforming import Sets
    from annotator.actions.students.lessons import Learnt
    from learning.errors import LearningError
    from learning.rankers import Ordered
    from learning.students.predictions import Predictions
    from learning.taggers.types import Tagged
    from learning.types import Part, Pool, Selection

logger = logging.getLogger(__name__)

PICKS = 3_000
# What simulations and the docs' figures ask a strategy for at once.
BATCH = 50
# Before there is a student, this many representatives per label open the queue.
REPRESENTATIVES_PER_LABEL = 2
FEWEST_REPRESENTATIVES = 20
COLD_START = "representatives"
BY_SETS = "set-size"
# What chooses while the project's strategy still lacks something.
MEANWHILE = "margin"
# What chooses where the student's word is none either: it reads nothing.
BLIND = "random"
WAITS, CANNOT = "has to wait", "cannot choose"
# The confidence of the interval whose upper end is the teacher's error.
CONFIDENCE = 0.9

# Of the drawn items that a person answered whole and blind: how many some machine spoke of too, by
# an answer or a suggestion, and on how many of them it said something else.
_MACHINES = """
WITH people AS (
    SELECT DISTINCT ON (a.item_id) a.item_id, a.labels
    FROM annotator_item i
    JOIN annotator_annotation a ON a.item_id = i.id AND a.kind = 'answer' AND a.stream = 'audit'
    JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind = 'person'
    WHERE i.project_id = %(project)s AND i.part <> '' AND i.answers > 0 AND a.question_id IS NULL
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
    ORDER BY a.item_id, a.id DESC
), machines AS (
    SELECT a.item_id, a.labels
    FROM people JOIN annotator_annotation a USING (item_id)
    JOIN annotator_annotator v ON v.id = a.annotator_id
        AND v.kind IN ('teacher', 'import') AND NOT v.truth
    WHERE a.kind = 'answer' AND a.question_id IS NULL
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
    UNION ALL
    SELECT s.item_id, CASE WHEN %(multi)s
        THEN coalesce(array_agg(s.label_id) FILTER (WHERE coalesce(s.probability, 1) >= 0.5), '{}')
        ELSE (array_agg(s.label_id ORDER BY s.probability DESC NULLS FIRST))[1:1] END
    FROM people JOIN annotator_suggestion s USING (item_id)
    GROUP BY s.item_id, s.annotator_id
)
SELECT count(*), count(*) FILTER (WHERE NOT (m.labels @> p.labels AND p.labels @> m.labels))
FROM people p JOIN machines m USING (item_id)
"""


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known of the pool when the queue is chosen: rows 0…n-1, maybe a student's word, and
    the verdicts that it learnt from; `parts` are the questions of a form, as far as it knows their
    labels, and `marked` what is said of those among them that mark the text, by their places."""

    encodings: Any = None
    predictions: Predictions | None = None
    label_ids: tuple[int, ...] = ()
    learnt: Learnt | None = None
    sets: Sets | None = None
    tagged: Tagged | None = None
    ordered: Ordered | None = None
    parts: tuple[Part, ...] = ()
    marked: Mapping[int, Tagged] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        if self.predictions is not None:
            return self.predictions.rows
        return 0 if self.encodings is None else len(self.encodings)

    @property
    def doubted(self) -> str:
        """What of an item its student is unsure of, where that is no label."""
        if self.ordered is not None:
            return "the order"
        return "" if self.tagged is None else "the spans"


def choose(project: Project, knowledge: Knowledge, rng: np.random.Generator) -> Selection:
    """What leads wished for, what the policy sends to people, then what the project's strategy
    chooses; before there is a student, the cold start."""
    pool = pool_of(project, knowledge)
    wished = seeding.wished(project, pool.rows)
    first = seeding.first(pool, wished, rng)
    first = _joined(first, sending.first(project, pool, first.rows))
    left = pool.eligible.copy()
    left[first.rows] = False
    rest = replace(pool, eligible=left, wanted=wished.numbers)
    return _joined(first, _asked(project, knowledge, rest, _by_strategy(project, rest, rng)))


def pool_of(project: Project, knowledge: Knowledge) -> Pool:
    """The project's items as a strategy sees them."""
    import numpy as np

    from learning.types import Pool

    eligible = np.zeros(knowledge.rows, dtype=np.bool_)
    eligible[queueing.open_numbers(project, knowledge.rows)] = True
    eligible[[row for row in teacher_runs.busy(project) if row < knowledge.rows]] = False
    labelled, answers = _answers(knowledge, eligible)
    known = knowledge.predictions
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    return Pool(
        eligible=eligible,
        labelled=labelled,
        probabilities=None if known is None else known.probabilities,
        columns=None if known is None else known.columns,
        margins=None if known is None else known.margins,
        encodings=None if knowledge.encodings is None else knowledge.encodings[: knowledge.rows],
        label_names=tuple(names.get(pk, "?") for pk in knowledge.label_ids),
        multi_label=project.multi_label,
        answers=answers,
        teacher_error=teacher_error(project),
        set_sizes=_set_sizes(project, knowledge),
        lengths=_lengths(project, knowledge.rows),
        apart=_apart(project, knowledge.rows),
        doubted=knowledge.doubted,
        parts=knowledge.parts,
        marked={
            place: form_tagging.margins(said, knowledge.rows)
            for place, said in knowledge.marked.items()
        },
    )


def _set_sizes(project: Project, knowledge: Knowledge) -> NDArray[np.int64] | None:
    """(n,) for the one strategy that reads them: they cost a pass over the pool."""
    if project.strategy != BY_SETS:
        return None
    return conforming.sizes(knowledge.sets, knowledge.predictions)


def _lengths(project: Project, rows: int) -> NDArray[np.int64] | None:
    """(n,) for strategies that read them: they cost a pass over the texts."""
    from learning.selection import MEASURED

    return queueing.lengths(project, rows) if project.strategy in MEASURED else None


def _apart(project: Project, rows: int) -> NDArray[np.float32] | None:
    """(n,) for strategies that read them, how far what teachers wrote lies apart."""
    from learning.selection import HEARD

    return disagreeing.apart(project, rows) if project.strategy in HEARD else None


def _answers(
    knowledge: Knowledge, eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float32] | None]:
    """(n,) which items the student has whole answers of, and their targets by its columns.

    Not those that another person's answer is still wanted of: they may be chosen again.
    """
    import numpy as np

    labelled = np.zeros(len(eligible), dtype=np.bool_)
    learnt = knowledge.learnt
    if learnt is None:
        return labelled, None
    kept = learnt.whole & (learnt.numbers < len(eligible))
    kept[kept] = ~eligible[learnt.numbers[kept]]
    labelled[learnt.numbers[kept]] = True
    return labelled, learnt.targets[kept][:, : len(knowledge.label_ids)]


def teacher_error(project: Project) -> float | None:
    """The upper end of the interval (90 %) for how often the project's machines differ from people,
    on the items drawn at random; None while there is no such item."""
    from learning.metrics import wilson

    with connection.cursor() as cursor:
        cursor.execute(_MACHINES, {"project": project.pk, "multi": project.multi_label})
        both, differing = cursor.fetchone()
    return wilson(differing, both, CONFIDENCE)[1] if both else None


def _by_strategy(project: Project, pool: Pool, rng: np.random.Generator) -> Selection:
    """What the project's strategy chooses, or another one where it cannot: an empty queue would be
    worse. Each pick says then what happened."""
    from learning.errors import LearningError

    told = ""
    for name, most in [*_first_choice(project, pool), (MEANWHILE, PICKS)]:
        try:
            return _saying(listed(name, pool, most, rng), told)
        except LearningError as refusal:
            told = told or _refused(project, name, refusal)
    return _saying(listed(BLIND, pool, PICKS, rng), told)


def _first_choice(project: Project, pool: Pool) -> list[tuple[str, int]]:
    """The strategy that should choose, and how many items."""
    if pool.probabilities is not None or not project.task.students:
        return [(project.strategy, PICKS)]
    labels = Label.objects.filter(project=project, archived_at=None).count()
    return [(COLD_START, max(FEWEST_REPRESENTATIVES, REPRESENTATIVES_PER_LABEL * labels))]


def listed(name: str, pool: Pool, most: int, rng: np.random.Generator) -> Selection:
    """`most` picks of a strategy as they were measured: the beginning is the batch that it chooses.

    Behind it stands what the strategy chooses of a long list, for people who are faster than the next
    student. A draw probability is that of the draw that the pick came from.
    """
    from learning.selection import NESTED, STRATEGIES

    strategy = STRATEGIES[name]()
    if name in NESTED or most <= BATCH or (name == COLD_START and pool.probabilities is None):
        return strategy.select(pool, most, rng)
    batch = strategy.select(pool, BATCH, rng)
    return _joined(batch, _without(strategy.select(pool, most, rng), batch.rows, most))


def _without(chosen: Selection, rows: NDArray[np.int64], most: int) -> Selection:
    """What is chosen but these rows, so that both together are `most` at most."""
    import numpy as np

    kept = np.flatnonzero(~np.isin(chosen.rows, rows))[: max(0, most - len(rows))]
    asked = chosen.questions
    return replace(
        chosen,
        rows=chosen.rows[kept],
        probabilities=chosen.probabilities[kept],
        reasons=[chosen.reasons[place] for place in kept],
        questions=None if asked is None else asked[kept],
    )


def _refused(project: Project, name: str, refusal: LearningError) -> str:
    from learning.errors import NeedsStudentError, NotEnoughDataError
    from learning.selection import STRATEGIES

    label = STRATEGIES.entry(name).label
    if isinstance(refusal, NotEnoughDataError | NeedsStudentError):
        return f"“{label}” {WAITS}: {refusal}"
    logger.error("%s cannot choose in project %s: %s", name, project.pk, refusal)
    return f"“{label}” {CANNOT}: {refusal}"


def refused(project: Project) -> str:
    """Why another strategy than the one that should filled the queue, "" where it did not."""
    from learning.selection import STRATEGIES

    for name in (project.strategy, COLD_START):
        for how in (WAITS, CANNOT):
            begins = f"“{STRATEGIES.entry(name).label}” {how}: "
            told = Pick.objects.filter(project=project, reason__contains=begins).order_by("rank")
            if (pick := told.first()) is not None:
                return pick.reason[pick.reason.index(begins) :]
    return ""


def _saying(chosen: Selection, told: str) -> Selection:
    if not told:
        return chosen
    return replace(chosen, reasons=[f"{reason}. {told}" for reason in chosen.reasons])


def _asked(project: Project, knowledge: Knowledge, pool: Pool, chosen: Selection) -> Selection:
    """The selection with the questions that may be asked now; the others ask the whole answer."""
    import numpy as np

    if chosen.questions is None:
        return chosen
    may = project.label_questions and not project.blind and project.multi_label
    answered = _answered_questions(project)
    live = set(Label.objects.filter(project=project, archived_at=None).values_list("pk", flat=True))
    questions, reasons = chosen.questions.copy(), list(chosen.reasons)
    for place in np.flatnonzero(questions >= 0).tolist():
        row, label = int(chosen.rows[place]), knowledge.label_ids[int(questions[place])]
        known = label in answered.get(row, ())
        if may and label in live and not known:
            continue
        questions[place] = -1
        reasons[place] = _whole(pool, row)
        if may and known:
            reasons[place] += "; its one question was answered, and now the whole answer is asked"
    return replace(chosen, questions=questions if may else None, reasons=reasons)


def _whole(pool: Pool, row: int) -> str:
    """Why an item is asked about whole whose strategy asks about one label."""
    from learning.selection.label_questions import LabelQuestions

    return LabelQuestions().whole(pool, row)


def _answered_questions(project: Project) -> dict[int, list[int]]:
    """Item number -> labels that questions were answered about."""
    partial = Verdict.objects.filter(project=project, state=VerdictState.PARTIAL)
    return {number: known or [] for number, known in partial.values_list("item__number", "known")}


def _joined(first: Selection, then: Selection) -> Selection:
    import numpy as np

    from learning.types import Selection

    if not len(first.rows):
        return then
    asked = [
        np.full(len(each.rows), -1) if each.questions is None else each.questions
        for each in (first, then)
    ]
    none = first.questions is None and then.questions is None
    return Selection(
        rows=np.concatenate([first.rows, then.rows]),
        probabilities=np.concatenate([first.probabilities, then.probabilities]),
        reasons=[*first.reasons, *then.reasons],
        questions=None if none else np.concatenate(asked),
    )
