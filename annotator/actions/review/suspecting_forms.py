"""Which answers of a form that marks the text look wrong: what detectors say of its labels, what taggers
say of its spans, and where labels and marks contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.review import suspecting_spans
from annotator.actions.review.suspecting import TOLD, Population, Suspicion
from annotator.models import Encoding, Label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.review.suspecting_spans import SpanSuspicion
    from learning.audit.contradictions import Contradiction

DETECTOR = "contradictions"


@dataclass(frozen=True, kw_only=True)
class FormSuspicion:
    """As `suspecting.Suspicion`; `found` are the contradictions of each answer, the oddest first, and
    `spans` what taggers say of each question that marks, of the answers that were asked it.
    """

    labels: Suspicion
    spans: list[SpanSuspicion]
    found: list[list[Contradiction]]
    names: tuple[str, ...]
    questions: dict[tuple[int, ...], str]

    @property
    def population(self) -> Population:
        return self.labels.population

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(n,): an answer is as doubtful as what is most doubtful in it, or as it is odd."""
        import numpy as np

        return np.minimum(np.minimum(self.labels.scores, self._odd), self._placed)

    @cached_property
    def _placed(self) -> NDArray[np.float64]:
        """(n,): how likely all spans are right; 1 where nothing is known of them."""
        import numpy as np

        found = np.ones(len(self.found))
        for one in self.spans:
            scores = dict(zip(one.population.items.tolist(), one.scores.tolist(), strict=True))
            own = [scores.get(item, 1.0) for item in self.population.items.tolist()]
            found = np.minimum(found, own)
        return found

    @cached_property
    def _odd(self) -> NDArray[np.float64]:
        import numpy as np

        return np.array([each[0].score if each else 1.0 for each in self.found])

    def each(self, row: int) -> dict[str, float]:
        """What every detector says of one answer."""
        odd, placed = float(self._odd[row]), float(self._placed[row])
        own = {DETECTOR: round(odd, 6), suspecting_spans.DETECTOR: round(placed, 6)}
        return self.labels.each(row) | own

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row its contradictions, and what taggers and detectors say, in sentences with scores."""
        placed = self._of_places(rows)
        return [
            [*self._of_odd(row), *sorted([*placed[row], *said], key=lambda one: one["score"])][
                :TOLD
            ]
            for row, said in zip(rows, self.labels.told(rows), strict=True)
        ]

    def _of_odd(self, row: int) -> list[dict[str, Any]]:
        return [
            {
                "detector": DETECTOR,
                "score": round(one.score, 4),
                "words": sentence(one, self.names, self.questions),
            }
            for one in self.found[row][:1]
        ]

    def _of_places(self, rows: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """row -> what taggers say of its spans; nothing where they agree."""
        found: dict[int, list[dict[str, Any]]] = {row: [] for row in rows}
        for one in self.spans:
            place = {item: at for at, item in enumerate(one.population.items.tolist())}
            item_of = {row: int(self.population.items[row]) for row in rows}
            asked = [row for row in rows if item_of[row] in place]
            told = one.objections([place[item_of[row]] for row in asked])
            for row, said in zip(asked, told, strict=True):
                found[row] += said
        return found

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """For each row the labels that the student would have given instead."""
        return self.labels.suggested(rows)


def checked(
    run: jobs.Run, encoding: Encoding, labels: Suspicion, rng: np.random.Generator
) -> FormSuspicion:
    """What detectors say of the labels, with what taggers say of the spans, and the contradictions."""
    from learning.audit.contradictions import contradictions

    project = run.project
    population = labels.population
    task, columns = population.task, population.columns
    keys = {one.key for one in task.marking}
    marking = [place for place, one in enumerate(task.questions) if one.key in keys]
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    return FormSuspicion(
        labels=labels,
        spans=_spans(run, encoding, labels, rng),
        found=contradictions(columns.hot(population.labels), task.parts, marking),
        names=tuple(names[pk] for pk in columns.label_ids),
        questions={
            task.parts[place].columns: task.questions[place].name
            for place in marking
            if len(task.parts[place].columns) > 1
        },
    )


def _spans(
    run: jobs.Run, encoding: Encoding, labels: Suspicion, rng: np.random.Generator
) -> list[SpanSuspicion]:
    """Of each question that marks what taggers make of its spans; none under an encoder without words."""
    from learning.errors import ParameterError

    try:
        looks = [
            suspecting_spans.look(run, encoding, rng, one) for one in labels.population.task.marking
        ]
    except ParameterError:
        return []
    return [one for one in looks if one is not None]


def sentence(
    one: Contradiction, names: Sequence[str], questions: dict[tuple[int, ...], str]
) -> str:
    """What contradicts what, for a reviewer, with the counts that show it."""
    label = f"“{names[one.label]}”"
    question = questions.get(one.marks)
    if question is None:
        told = f"“{names[one.marks[0]]}” is {'marked' if one.there else 'not marked'}"
    else:
        told = f"{'something' if one.there else 'nothing'} is marked for “{question}”"
    return (
        f"{label} is given and {told}: so it is in {one.same} of {one.others} other answers with that "
        f"label, and in {one.same_without} of {one.without} without it"
    )
