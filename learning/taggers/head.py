"""The tagger that is there within seconds: a linear head on frozen word vectors."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.bounds import Count, Rate, Weight, Within, refuse_outside
from learning.errors import NotEnoughDataError
from learning.spans.tags import OUTSIDE, tags_of
from learning.storage import load_folder, save_folder
from learning.students.lbfgs import minimise
from learning.students.regression import Problem
from learning.taggers.chain import Read, read
from learning.taggers.saying import tagged
from learning.taggers.types import Marked, Tagged, Words
from learning.types import Floats, Report, require, row_blocks

ARRAYS = ("weights", "bias", "centre", "spread")


@dataclass(frozen=True, kw_only=True)
class TokenHead:
    """Softmax over begin, inside and outside of each label on frozen vectors of a word and its
    neighbours, decoded to valid tags. Source: Ramshaw, Marcus 1995; Viterbi 1967.

    strength: C, the weight of the words against the L2 penalty; larger trusts them more.
    reach: what is taken off the score of "outside": most words are, so a plain fit marks too little.
    neighbours: words on each side that are looked at beside the word itself.
    most_words: of more than these a sample is learnt from, which holds every span if it can; so a fit
        ends within seconds and half a GB however long the texts are.
    evaluations: looks at the data at most; tolerance: ends when the gradient has shrunk to this share.
    """

    needs: ClassVar[Literal["words", "texts"]] = "words"

    strength: Weight = 0.01
    reach: Annotated[float, Within(-100, 100)] = 1.0
    neighbours: Annotated[int, Within(0, 3)] = 1
    most_words: Count = 60_000
    evaluations: Count = 100
    tolerance: Rate = 1e-3

    def __post_init__(self) -> None:
        refuse_outside(self)

    def fit(
        self,
        data: Marked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTokenHead":
        """Minimise C · Σ weight · cross-entropy of the words + |W|² / 2 by L-BFGS in float32.

        Convex: `start` does not change the answer beyond the tolerance; the generator only draws the
        sample of many words. Raises NotEnoughDataError without any words.
        """
        if not len(data.words.vectors):
            raise NotEnoughDataError("A token head needs a text with a word at least.")
        report(0, self.evaluations)
        words, tags = data.words, _tags(data)
        rows, times = sampled(tags, self.most_words, rng)
        own = np.asarray(words.vectors[rows], dtype=np.float32)
        scale = Scale(centre=own.mean(axis=0), spread=own.std(axis=0) + np.float32(1e-3))
        x = beside(words, rows, self.neighbours, scale)
        problem = _problem(data, tags[rows], x, rows, times)
        point = minimise(
            partial(problem.loss, self.strength),
            _begin(problem, start),
            evaluations=self.evaluations,
            tolerance=self.tolerance,
            after_step=lambda used: report(min(used, self.evaluations), self.evaluations),
        ).point.reshape(problem.d + 1, problem.k)
        report(self.evaluations, self.evaluations)
        return FittedTokenHead(
            weights=point[:-1].copy(),
            bias=point[-1].copy(),
            centre=scale.centre,
            spread=scale.spread,
            reach=self.reach,
        )

    def settle(self, fitted: "FittedTokenHead") -> "TokenHead":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedTokenHead":
        """The head that `FittedTokenHead.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        return FittedTokenHead(
            reach=float(manifest["reach"]), **{name: arrays[name] for name in ARRAYS}
        )


@dataclass(frozen=True, kw_only=True)
class FittedTokenHead:
    """A linear map of standardised word vectors to scores of tags.

    weights: (m·d, t) float32, for the word and then for each neighbour; bias: (t,); centre, spread:
    (d,) of the words that it learnt from.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    reach: float

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.bias) // 2

    @property
    def neighbours(self) -> int:
        """Words on each side that it looks at."""
        return (len(self.weights) // len(self.centre) - 1) // 2

    def tag(self, words: Words, texts: Any = None) -> Tagged:
        """The likeliest valid tags of each text; vectors are read once, so give it blocks of texts."""
        return tagged(self.read(words), words)

    def read(self, words: Words) -> Read:
        """All that it says of the words, of which `tag` tells a part."""
        require(
            words.vectors.shape[1] == len(self.centre),
            f"Word vectors must have {len(self.centre)} dimensions, not {words.vectors.shape[1]}.",
        )
        scale = Scale(centre=self.centre, spread=self.spread)
        scores = np.empty((len(words.vectors), len(self.bias)), dtype=np.float32)
        for block in row_blocks(len(scores)):
            rows = np.arange(block.start, block.stop)
            scores[block] = beside(words, rows, self.neighbours, scale) @ self.weights + self.bias
        scores[:, 0] -= np.float32(self.reach)
        return read(scores, words.starts)

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.taggers.load` reads them."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in ARRAYS}
        save_folder(folder, arrays, {"student": "token-head", "reach": self.reach})


@dataclass(frozen=True, kw_only=True)
class Scale:
    """centre, spread: (d,) what is taken off word vectors, and what they are divided by."""

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]

    def of(self, vectors: Floats) -> NDArray[np.float32]:
        """Standardised."""
        return (np.asarray(vectors, dtype=np.float32) - self.centre) / self.spread


def beside(
    words: Words, rows: NDArray[np.int64], neighbours: int, scale: Scale
) -> NDArray[np.float32]:
    """(m, (1 + 2 · neighbours) d) of the words `rows`: each word, then those before and after it in its
    text; zeros where there is none.
    """
    home = np.searchsorted(words.starts, rows, side="right") - 1
    first, end = np.asarray(words.starts)[home], np.asarray(words.starts)[home + 1]
    parts = [scale.of(words.vectors[rows])]
    for step in range(1, neighbours + 1):
        for shift in (-step, step):
            at = rows + shift
            there = (at >= first) & (at < end)
            near = scale.of(words.vectors[np.where(there, at, rows)])
            parts.append(np.where(there[:, None], near, np.float32(0)))
    return np.concatenate(parts, axis=1)


def sampled(
    tags: NDArray[np.int64], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(m,) words to learn from, and for how many each stands: of up to `most` all, of more every word of
    a span, up to half of `most`, and as many others as fit.
    """
    if len(tags) <= most:
        return np.arange(len(tags)), np.ones(len(tags), dtype=np.float32)
    marked, others = np.flatnonzero(tags), np.flatnonzero(tags == OUTSIDE)
    some = min(len(marked), max(most // 2, most - len(others)))
    kept = [(marked, some), (others, min(len(others), most - some))]
    drawn = [np.sort(rng.choice(pool, size, replace=False)) for pool, size in kept]
    times = [np.full(size, len(pool) / max(size, 1)) for pool, size in kept]
    rows = np.concatenate(drawn)
    order = np.argsort(rows)
    return rows[order], np.concatenate(times)[order].astype(np.float32)


def _tags(data: Marked) -> NDArray[np.int64]:
    """(N,) of all words."""
    tags = [tags_of(spans, data.words.of(at)) for at, spans in enumerate(data.spans)]
    return np.concatenate(tags)


def _begin(problem: Problem, former: Any) -> NDArray[np.float32]:
    """The former head's map, with zeros for labels added since; all zeros without one that fits."""
    table = np.zeros((problem.d + 1, problem.k), dtype=np.float32)
    if isinstance(former, FittedTokenHead) and len(former.weights) == problem.d:
        known = min(len(former.bias), problem.k)
        table[:-1, :known] = former.weights[:, :known]
        table[-1, :known] = former.bias[:known]
    return table.ravel()


def _problem(
    data: Marked,
    tags: NDArray[np.int64],
    x: Floats,
    rows: NDArray[np.int64],
    times: NDArray[np.float32],
) -> Problem:
    t = 1 + 2 * data.labels
    weights = np.ones(data.words.texts) if data.weights is None else data.weights
    each = np.repeat(weights, np.diff(data.words.starts))[rows] * times
    return Problem(
        x=np.asarray(x, dtype=np.float32),
        y=np.eye(t, dtype=np.float32)[tags],
        weight=each.astype(np.float32),
        hidden=None,
        active=np.ones(t, dtype=np.bool_),
        multi_label=False,
    )
