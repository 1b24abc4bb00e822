"""The loop on real data: people label a little, a student takes over, all items end with a label."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.routing.sets import RoutingSet
from learning.routing.crossfit import unseen_wrong
from learning.routing.error_model import ErrorModel
from learning.routing.loop import LoopPolicy, Voices, finished
from learning.routing.types import Candidates, Seed
from learning.selection.margin import Margin
from learning.students.folds import out_of_fold
from learning.students.head import FittedHead, Head
from learning.types import Pool, TrainingData, no_report

STRENGTH = 30.0  # C of the baseline's logistic regression, and of routers' students
AUDIT = 200
FOLDS = 3
BUDGETS = (0.1, 0.2)

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What is labelled: audit: (a,) the rows that chance drew; learnt: (n,) bool, the rows that the
    student may learn from; labelled: (n,) bool; head: the student."""

    data: RoutingSet
    audit: Rows
    labelled: NDArray[np.bool_]
    learnt: NDArray[np.bool_]
    head: Head = field(default_factory=Head)

    @classmethod
    def open(cls, data: RoutingSet, audit: int, seed: int, *, held_out: bool) -> "Desk":
        """With the audit answered; held out, no student may learn from it."""
        rows = drawn(data, audit, seed)
        labelled = np.zeros(data.rows, dtype=np.bool_)
        labelled[rows] = True
        learnt = np.zeros_like(labelled) if held_out else labelled.copy()
        return cls(data=data, audit=rows, labelled=labelled, learnt=learnt)

    def answer(self, rows: Rows) -> "Desk":
        """People label these."""
        labelled, learnt = self.labelled.copy(), self.learnt.copy()
        labelled[rows] = learnt[rows] = True
        return replace(self, labelled=labelled, learnt=learnt)

    def lesson(self) -> TrainingData:
        """What the student learns from."""
        items = self.data.items
        return TrainingData(
            targets=self.data.truth[self.learnt],
            encodings=np.asarray(items.encodings)[self.learnt],
            multi_label=items.multi_label,
        )

    def student(self, former: FittedHead | None) -> FittedHead | None:
        """Fitted on the lesson; None before there is one."""
        if not self.learnt.any():
            return None
        rng = np.random.default_rng(0)
        return self.head.fit(self.lesson(), rng, no_report, former)

    def accuracy(self, answers: NDArray[np.bool_]) -> float:
        """The share of all items whose finished label is right; people's are."""
        right = (answers == (self.data.truth >= 0.5)).all(axis=1)
        return float((right | self.labelled).mean())


def drawn(data: RoutingSet, count: int, seed: int) -> Rows:
    """(count,) rows that chance drew, whole groups at a time, ascending."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(int(data.groups.max()) + 1)
    place = np.argsort(order)[data.groups]
    return np.sort(np.argsort(place, kind="stable")[:count]).astype(np.int64)


def voices(desk: Desk, fitted: FittedHead | None, seed: int, *, routed: bool) -> Voices:
    """What everybody says now; the student's word on what it learned from is out of fold. routed:
    a router says how far each answer of the teacher can be trusted."""
    items = desk.data.items
    if fitted is None:
        return Voices(items=items, labelled=desk.labelled, answers=desk.data.truth[desk.labelled])
    said = fitted.predict(np.asarray(items.encodings))
    rng = np.random.default_rng([seed, 3])
    learnt = np.flatnonzero(desk.learnt)
    drawn = np.isin(np.flatnonzero(desk.labelled), desk.audit) & desk.learnt[desk.labelled]
    if drawn.any():  # nobody reads what is said of the others
        settled = desk.head.settle(fitted)
        said[learnt] = out_of_fold(settled, desk.lesson(), rng, FOLDS).probabilities
    items = replace(items, student=said)
    return Voices(
        items=items,
        labelled=desk.labelled,
        answers=desk.data.truth[desk.labelled],
        drawn=drawn,
        wrong=_wrong(desk, items, seed) if routed else None,
    )


def _wrong(desk: Desk, items: Candidates, seed: int) -> NDArray[np.float64] | None:
    """(n,) by the error model, out of fold on what it learned from; None where it may not learn."""
    rows = desk.audit[desk.learnt[desk.audit] & items.answered[desk.audit]]
    router, rng = ErrorModel(), np.random.default_rng([seed, 6])
    if len(rows) < 2 * router.fewest:
        return None
    given = Seed(items=items.subset(rows), truth=desk.data.truth[rows])
    wrong = router.fit(given, rng, no_report).wrong(items)
    wrong[rows] = unseen_wrong(router, given, rng)
    return wrong


Step = Callable[[Desk, FittedHead | None, int, np.random.Generator], tuple[Rows, NDArray[np.bool_]]]
"""(desk, student, how many, generator) -> (rows to ask about, finished answers (n, k))."""


def ours(policy: LoopPolicy, seed: int, *, routed: bool = False) -> Step:
    """The product's loop policy."""

    def step(desk: Desk, fitted: FittedHead | None, n: int, rng: Any) -> Any:
        heard = voices(desk, fitted, seed, routed=routed)
        opinion = policy.opinion(heard)
        return policy.ask(heard, opinion, n, rng).rows, finished(heard, opinion)

    return step


def baseline(desk: Desk, fitted: FittedHead | None, n: int, rng: Any) -> Any:
    """`loop_human` of the measured baselines: the student alone, and its smallest margins."""
    items = desk.data.items
    assert fitted is not None, "the baseline trains on its audit"
    said = fitted.predict(np.asarray(items.encodings))
    pool = Pool(
        eligible=np.ones(desk.data.rows, dtype=np.bool_),
        labelled=desk.labelled,
        probabilities=said,
        multi_label=items.multi_label,
    )
    answers = np.eye(said.shape[1], dtype=np.bool_)[said.argmax(axis=1)]
    return Margin().select(pool, n, rng).rows, answers


def replay(desk: Desk, step: Step, budgets: Sequence[int], batch: int, seed: int) -> list[float]:
    """Accuracy of the finished labels at each budget (ascending counts of people's answers)."""
    return [at.accuracy(answers) for at, answers in course(desk, step, budgets, batch, seed)]


def course(
    desk: Desk, step: Step, budgets: Sequence[int], batch: int, seed: int
) -> Iterator[tuple[Desk, NDArray[np.bool_]]]:
    """What is labelled at each budget, and the finished answers (n, k) by then."""
    rng = np.random.default_rng([seed, 2])
    fitted: FittedHead | None = None
    for budget in budgets:
        while True:
            fitted = desk.student(fitted)
            left = budget - int(desk.labelled.sum())
            rows, answers = step(desk, fitted, min(batch, max(left, 0)), rng)
            if left <= 0:
                yield desk, answers
                break
            desk = desk.answer(rows)
