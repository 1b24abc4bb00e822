"""Selection by disagreement: students that learnt from other samples of the answers."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.scores import entropies
from learning.selection.margin import smallest
from learning.selection.reading import (
    Matrix,
    Rows,
    answers_of,
    encodings_of,
    label_name,
    nothing,
    points_of,
    wanted,
)
from learning.selection.thinning import most_doubtful, sample
from learning.students.lbfgs import minimise
from learning.students.regression import Problem, sigmoid, softmax
from learning.types import Floats, Pool, Selection, TrainingData, row_blocks

MOST_LEARNT = 1_000  # answers that the members learn from, a uniform sample of more
FIRST_LOOKS, LOOKS = 40, 20  # at the data: the common beginning, then each member


@dataclass(frozen=True, kw_only=True)
class Committee:
    """Pick the items on which heads fitted to bootstrap samples of the answers disagree most.
    Source: Seung et al. 1992; bagging, Abe, Mamitsuka 1998; McCallum, Nigam 1998.

    disagreement: "votes", the entropy of the members' guesses, or "jensen-shannon", the entropy of
        the mean prediction less the mean entropy; votes were better on all sets that we tried.
        Multi-label: summed over the labels.
    members: how many heads; each begins from one that learnt from all answers.
    strength: C of the heads.
    keep: candidates looked at: the most doubtful ones of larger pools, or a uniform sample while
        there is no student.
    """

    disagreement: Literal["votes", "jensen-shannon"] = "votes"
    members: int = 5
    strength: float = 30.0
    keep: int = 10_000

    def __post_init__(self) -> None:
        if self.members < 2 or self.strength <= 0 or self.keep < 1:
            raise ParameterError("A committee needs two members, strength and keep above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, most disagreement first; the generator breaks ties.

        Raises NotEnoughDataError without encodings or answers, ShapeError when they are not
        numbers.
        """
        encodings = encodings_of(pool, "A committee")
        labelled, answers = answers_of(pool, "A committee")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        heads = self._heads(pool, encodings, labelled, answers, rng)
        keep = max(self.keep, take)
        if pool.probabilities is None:
            kept = sample(candidates, keep, rng)
        else:
            kept = most_doubtful(pool, pool.probabilities, candidates, keep, rng)
        score = np.empty(len(kept), dtype=np.float32)
        for block in row_blocks(len(kept), 2048):
            said = _predict(heads, points_of(encodings, kept[block]), multi_label=pool.multi_label)
            score[block] = self._score(said, multi_label=pool.multi_label)
        chosen, probability = smallest(-score, take, rng)
        rows = kept[chosen]
        said = _predict(heads, points_of(encodings, rows), multi_label=pool.multi_label)
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[
                _reason(pool, said[:, i], float(score[place])) for i, place in enumerate(chosen)
            ],
        )

    def _heads(
        self,
        pool: Pool,
        encodings: Floats,
        labelled: Rows,
        answers: Matrix,
        rng: np.random.Generator,
    ) -> Matrix:
        """(members, d + 1, k) maps, the last row of each is the bias."""
        usable = np.arange(len(labelled))
        if not pool.multi_label:  # an answer whose label is gone says nothing
            usable = np.flatnonzero(np.abs(answers.sum(axis=1) - 1) < 1e-3)
        if not len(usable):
            raise NotEnoughDataError("A committee needs answers with labels that still exist.")
        drawn = sample(usable, MOST_LEARNT, rng)
        data = TrainingData(
            encodings=points_of(encodings, labelled[drawn]),
            targets=answers[drawn],
            multi_label=pool.multi_label,
        )
        problem = Problem.of(data)
        start = self._fit(problem, problem.begin(None), FIRST_LOOKS)
        heads = []
        for _ in range(self.members):
            times = rng.multinomial(data.rows, np.full(data.rows, 1 / data.rows))
            used = np.flatnonzero(times)
            bag = replace(problem.subset(used), weight=times[used].astype(np.float32))
            heads.append(self._fit(bag, start, LOOKS).reshape(problem.d + 1, problem.k))
        return np.stack(heads)

    def _fit(self, problem: Problem, begin: NDArray[np.float32], looks: int) -> NDArray[np.float32]:
        return minimise(
            partial(problem.loss, self.strength),
            begin,
            evaluations=looks,
            tolerance=1e-2,
            after_step=lambda _: None,
        ).point

    def _score(self, said: Matrix, *, multi_label: bool) -> Matrix:
        """(members, b, k) -> (b,) how much they disagree, in nats."""
        if self.disagreement == "votes":
            said = _votes(said, multi_label=multi_label)
        mixed = entropies(said.mean(axis=0), multi_label=multi_label)
        alone = np.mean([entropies(p, multi_label=multi_label) for p in said], axis=0)
        scale = said.shape[2] if multi_label else 1  # entropies are means over the labels
        return np.asarray(scale * (mixed - alone), dtype=np.float32)


def _predict(heads: Matrix, points: Matrix, *, multi_label: bool) -> Matrix:
    """(members, b, k) probabilities."""
    each = sigmoid if multi_label else softmax
    return np.stack([each(points @ head[:-1] + head[-1]) for head in heads])


def _votes(said: Matrix, *, multi_label: bool) -> Matrix:
    """The members' guesses as ones and zeros."""
    if multi_label:
        return (said >= 0.5).astype(np.float32)
    votes: Matrix = np.eye(said.shape[2], dtype=np.float32)[said.argmax(axis=2)]
    return votes


def _reason(pool: Pool, said: Matrix, score: float) -> str:
    """said: (members, k), what they say of one item."""
    votes = _votes(said[:, None], multi_label=pool.multi_label)[:, 0].sum(axis=0)
    if pool.multi_label:
        column = int(np.abs(said.mean(axis=0) - 0.5).argmin())
        told = f"{votes[column]:.0f} of {len(said)} say that {label_name(pool, column)} applies"
    else:
        named = [c for c in np.argsort(-votes, kind="stable")[:3] if votes[c] > 0]
        told = ", ".join(f"{votes[c]:.0f} say {label_name(pool, int(c))}" for c in named)
    return (
        f"{len(said)} students that learnt from other samples of the answers disagree "
        f"by {score:.2f}: {told}"
    )
