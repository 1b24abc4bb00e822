"""Which items people are asked about next: a lead's wishes, then what the strategy chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.explore import seeding
from annotator.actions.queue import queueing
from annotator.actions.routing import sending
from annotator.actions.students import conforming, form_tagging
from annotator.actions.teachers import disagreeing, teacher_runs
from annotator.models import Label, Project, Verdict, VerdictState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.conforming import Sets
    from annotator.actions.students.lessons import Learnt
    from learning.rankers import Ordered
    from learning.students.predictions import Predictions
    from learning.taggers.types import Tagged
    from learning.types import Part, Pool, Selection

PICKS = 3_000
# Before there is a student, this many representatives per label open the queue.
REPRESENTATIVES_PER_LABEL = 2
FEWEST_REPRESENTATIVES = 20
COLD_START = "representatives"
BY_SETS = "set-size"
# What chooses while the project's strategy still lacks something.
MEANWHILE = "margin"
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
    chosen = _by_strategy(project, replace(pool, eligible=left, wanted=wished.numbers), rng)
    return _joined(first, _asked(project, knowledge, chosen))


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
    from learning.errors import NeedsStudentError, NotEnoughDataError
    from learning.selection import STRATEGIES

    if pool.probabilities is None and project.task.students:
        labels = Label.objects.filter(project=project, archived_at=None).count()
        wanted = max(FEWEST_REPRESENTATIVES, REPRESENTATIVES_PER_LABEL * labels)
        return STRATEGIES[COLD_START]().select(pool, wanted, rng)
    try:
        return STRATEGIES[project.strategy]().select(pool, PICKS, rng)
    except (NotEnoughDataError, NeedsStudentError) as refusal:
        # An empty queue would be worse; each pick says what happened.
        chosen = STRATEGIES[MEANWHILE]().select(pool, PICKS, rng)
        told = f"“{STRATEGIES.entry(project.strategy).label}” has to wait: {refusal}"
        return replace(chosen, reasons=[f"{reason}. {told}" for reason in chosen.reasons])


def _asked(project: Project, knowledge: Knowledge, chosen: Selection) -> Selection:
    """The selection with the questions that may be asked now; the others ask the whole answer."""
    import numpy as np

    if chosen.questions is None:
        return chosen
    if not project.label_questions or project.blind or not project.multi_label:
        return replace(chosen, questions=None)
    answered = _answered_questions(project)
    live = set(Label.objects.filter(project=project, archived_at=None).values_list("pk", flat=True))
    questions, reasons = chosen.questions.copy(), list(chosen.reasons)
    for place in np.flatnonzero(questions >= 0).tolist():
        label = knowledge.label_ids[int(questions[place])]
        if label not in live:
            questions[place] = -1
        elif label in answered.get(int(chosen.rows[place]), ()):
            questions[place] = -1
            reasons[place] += "; that was answered, and now the whole answer is asked"
    return replace(chosen, questions=questions, reasons=reasons)


def _answered_questions(project: Project) -> dict[int, list[int]]:
    """Item number -> labels that questions were answered about."""
    partial = Verdict.objects.filter(project=project, state=VerdictState.PARTIAL)
    return {number: known or [] for number, known in partial.values_list("item__number", "known")}


def _joined(first: Selection, then: Selection) -> Selection:
    import numpy as np

    from learning.types import Selection

    if not len(first.rows):
        return then
    asked = then.questions
    whole = np.full(len(first.rows), -1, dtype=np.int64)
    return Selection(
        rows=np.concatenate([first.rows, then.rows]),
        probabilities=np.concatenate([first.probabilities, then.probabilities]),
        reasons=[*first.reasons, *then.reasons],
        questions=None if asked is None else np.concatenate([whole, asked]),
    )
