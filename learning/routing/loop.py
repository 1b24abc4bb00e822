"""The loop: people's labels train a student that takes over from the teacher."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.routing.regression import sigmoid
from learning.routing.types import Candidates, Shares, decided
from learning.scores import margins
from learning.selection import STRATEGIES
from learning.types import Bools, Floats, Pool, Selection, require

TINY = 1e-6
STUDENT_WEIGHTS = (0.5, 0.7, 1.0, 1.4, 2.0)
TEACHER_WEIGHTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
FEWEST = 20  # people's answers on items that chance drew, below which no blend is fitted


@dataclass(frozen=True, kw_only=True)
class Voices:
    """What people, the teacher and the student say when a round begins.

    items: all n items of the pool; where the student learned from an item, its word about it must
        be out of fold.
    labelled: (n,) bool, a person answered; answers: (l, k), 0 or 1, in ascending order of row.
    drawn: (l,) bool, chance drew the item and nobody's doubt; None means all.
    wrong: (n,) 0 … 1, a router's P(the teacher is wrong), out of fold on what it learned from. With
        it the teacher's answer counts as far as it can be trusted on this very item; None takes the
        teacher's own distribution.
    """

    items: Candidates
    labelled: Bools
    answers: Floats
    drawn: Bools | None = None
    wrong: Floats | None = None

    def __post_init__(self) -> None:
        n, answered = self.items.rows, int(self.labelled.sum())
        require(self.labelled.shape == (n,), "labelled must hold one yes or no for each item.")
        require(
            self.answers.shape == (answered, self.items.labels),
            "Each labelled item needs one row of answers.",
        )
        require(
            self.drawn is None or self.drawn.shape == (answered,),
            "drawn must hold one yes or no for each labelled item.",
        )
        require(
            self.wrong is None or self.wrong.shape == (n,),
            "wrong must hold one chance for each item.",
        )

    @property
    def heard(self) -> Candidates:
        """The items with the teacher's answers as far as they can be trusted."""
        if self.wrong is None:
            return self.items
        return replace(self.items, teacher=trusted(self.items, self.wrong))


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How student and teacher make one opinion: student ** student_weight times teacher **
    teacher_weight, scaled to sum 1. Fitted on n people's answers out of fold.

    student_weight: where the teacher has an answer; alone: where it has none.
    cost, alone_cost: mean cross-entropy of people's
    answers under the blend, and under the student alone, in nats.
    """

    student_weight: float = 1.0
    teacher_weight: float = 0.0
    alone: float = 1.0
    cost: float = 0.0
    alone_cost: float = 0.0
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """The best guess for each item: probabilities (n, k), and how it was made.

    right: (n,) how likely the teacher's own answer is right, 0 … 1; 0 where it has none.
    """

    probabilities: NDArray[np.float32]
    right: Shares
    blend: Blend


@dataclass(frozen=True, kw_only=True)
class LoopPolicy:
    """Let people's labels train a student, mix it with the teacher at weights fitted out of fold,
    and send people where the mix is in doubt. Source: own (`loop_blend` of the measured baselines);
    Genest, Zidek 1986 (logarithmic opinion pool).

    strategy: chooses the items that people are asked about, by the opinion.
    """

    strategy: str = "mixed"

    def __post_init__(self) -> None:
        STRATEGIES.entry(self.strategy)

    def opinion(self, voices: Voices) -> Opinion:
        """Raises NotEnoughDataError where neither the student nor the teacher says anything."""
        items = voices.heard
        if items.student is None and not items.answered.any():
            raise NotEnoughDataError("There is neither a student nor an answer of a teacher yet.")
        blend = fit_blend(voices)
        probabilities = opinion_of(items, blend).astype(np.float32)
        said = voices.items.said()
        if items.multi_label:
            each = np.where(said, probabilities, 1 - probabilities)
            right = each.min(axis=1, initial=1.0)
        else:
            right = (probabilities * said).sum(axis=1)
        return Opinion(
            probabilities=probabilities,
            right=np.where(items.answered, np.minimum(right, 1), 0).astype(np.float64),
            blend=blend,
        )

    def ask(
        self,
        voices: Voices,
        opinion: Opinion,
        n: int,
        rng: np.random.Generator,
        eligible: Bools | None = None,
    ) -> Selection:
        """Whom people are asked about next: at most n items without a person's answer."""
        free = np.ones(voices.items.rows, dtype=np.bool_) if eligible is None else eligible
        pool = Pool(
            eligible=free,
            labelled=voices.labelled,
            probabilities=opinion.probabilities,
            encodings=voices.items.encodings,
            label_names=voices.items.label_names,
            multi_label=voices.items.multi_label,
            answers=np.asarray(voices.answers, dtype=np.float32),
        )
        return STRATEGIES.create(self.strategy).select(pool, n, rng)


def believed(voices: Voices, opinion: Opinion, confidence: float) -> Bools:
    """(n,) whose answer of the teacher may stand as a verdict: no person answered, and it is right
    with at least this chance (0 … 1) by all that is known."""
    sure = opinion.right >= confidence
    return np.asarray(sure & voices.items.answered & ~voices.labelled, dtype=np.bool_)


def finished(voices: Voices, opinion: Opinion) -> Bools:
    """(n, k) the answer of each item: a person's where there is one, else the opinion."""
    answers = decided(opinion.probabilities, multi_label=voices.items.multi_label)
    answers[voices.labelled] = np.asarray(voices.answers, dtype=np.float64) >= 0.5
    return answers


def fit_blend(voices: Voices) -> Blend:
    """The weights under which people's answers are likeliest. Only items that chance drew count:
    those chosen for doubt are not like the others.
    """
    if voices.items.student is None:
        return Blend(student_weight=0.0, teacher_weight=1.0, alone=0.0)
    rows, truth = _like_the_rest(voices, voices.items.student)
    items = voices.heard.subset(rows)
    spoke = np.flatnonzero(items.answered)
    if len(rows) < FEWEST:
        return Blend()
    alone = {weight: _costs(items, weight, 0.0, truth) for weight in STUDENT_WEIGHTS}
    own = min(alone, key=lambda weight: float(alone[weight].mean()))
    blend = Blend(student_weight=own, alone=own, n=len(rows))
    if len(spoke) < FEWEST:
        return blend
    heard, said = items.subset(spoke), truth[spoke]
    base = float(alone[own][spoke].mean())
    best = replace(blend, cost=base, alone_cost=base, n=len(spoke))
    for student, teacher in product((0.0, *STUDENT_WEIGHTS), TEACHER_WEIGHTS):
        cost = float(_costs(heard, student, teacher, said).mean())
        if cost < best.cost:
            best = replace(best, student_weight=student, teacher_weight=teacher, cost=cost)
    return best


def _like_the_rest(voices: Voices, student: Floats) -> tuple[NDArray[np.int64], Floats]:
    """(m,) labelled rows that chance drew and that are like what is left to the machines, and (m, k)
    their answers.

    People were asked about the doubtful items first, and of those none is left. So of the drawn ones
    as large a share goes, the most doubtful first.
    """
    labelled = np.flatnonzero(voices.labelled)
    drawn = np.ones(len(labelled), dtype=np.bool_) if voices.drawn is None else voices.drawn
    rows, answers = labelled[drawn], voices.answers[drawn]
    others = voices.items.rows - len(rows)
    gone = (len(labelled) - len(rows)) / others if others else 0.0
    doubt = -margins(student[rows], multi_label=voices.items.multi_label)
    kept = np.sort(np.argsort(doubt, kind="stable")[: len(rows) - round(gone * len(rows))])
    return rows[kept], answers[kept]


def trusted(items: Candidates, wrong: Floats) -> Shares:
    """(n, k) the teacher's answers with the chance 1 - wrong (n,) each.

    Single label: the rest is spread as the teacher spreads it, evenly where it does not; several
    labels: yes and no are as likely as the whole answer. Rows of zeros stay.
    """
    said = items.said()
    sure = 1 - np.asarray(wrong, dtype=np.float64)[:, None]
    if items.multi_label:
        return np.where(items.answered[:, None], np.where(said, sure, 1 - sure), 0.0)
    others = np.where(said, 0.0, np.asarray(items.teacher, dtype=np.float64) + TINY)
    others /= np.maximum(others.sum(axis=1, keepdims=True), TINY)
    return np.where(items.answered[:, None], np.where(said, sure, (1 - sure) * others), 0.0)


def opinion_of(items: Candidates, blend: Blend, student: Floats | None = None) -> Shares:
    """(n, k) the blend of student and teacher; student: (n, k) in place of the one that items have."""
    if student is not None:
        items = replace(items, student=student)
    weight = np.where(items.answered, blend.student_weight, blend.alone)
    return pooled(items, weight, np.where(items.answered, blend.teacher_weight, 0.0))


def pooled(items: Candidates, student: Floats | float, teacher: Floats | float) -> Shares:
    """(n, k) student and teacher multiplied with these weights, (n,) or one for all.

    Single-label rows sum to 1; with several labels yes and no are pooled for each.
    """
    log = _log_odds if items.multi_label else _logs
    score = np.broadcast_to(teacher, items.rows)[:, None] * log(items.teacher)
    if items.student is not None:
        score += np.broadcast_to(student, items.rows)[:, None] * log(items.student)
    if items.multi_label:
        return sigmoid(score)
    powers = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def _logs(p: Floats) -> Shares:
    return np.log(np.maximum(np.asarray(p, dtype=np.float64), TINY))


def _log_odds(p: Floats) -> Shares:
    inside = np.clip(np.asarray(p, dtype=np.float64), TINY, 1 - TINY)
    return np.log(inside / (1 - inside))


def _costs(items: Candidates, student: float, teacher: float, truth: Floats) -> Shares:
    """(n,) cross-entropy of people's answers, in nats."""
    p = pooled(items, student, teacher)
    told = np.asarray(truth, dtype=np.float64)
    each = told * _logs(p)
    if items.multi_label:
        each += (1 - told) * _logs(1 - p)
    return np.asarray(-each.sum(axis=1), dtype=np.float64)
