"""The tagger that is there within seconds: a linear head on frozen word vectors."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.spans.tags import tags_of
from learning.storage import load_folder, save_folder
from learning.students.lbfgs import minimise
from learning.students.regression import Problem
from learning.taggers.chain import Read, read
from learning.taggers.saying import tagged
from learning.taggers.types import Marked, Tagged, Words
from learning.types import Floats, Ints, Report, require

ARRAYS = ("weights", "bias", "centre", "spread")


@dataclass(frozen=True, kw_only=True)
class TokenHead:
    """Softmax over begin, inside and outside of each label on frozen vectors of a word and its
    neighbours, decoded to valid tags. Source: Ramshaw, Marcus 1995; Viterbi 1967.

    strength: C, the weight of the words against the L2 penalty; larger trusts them more.
    reach: what is taken off the score of "outside": most words are, so a plain fit marks too little.
    neighbours: words on each side that are looked at beside the word itself.
    evaluations: looks at the data at most; tolerance: ends when the gradient has shrunk to this share.
    """

    needs: ClassVar[Literal["words", "texts"]] = "words"

    strength: float = 0.01
    reach: float = 1.0
    neighbours: int = 1
    evaluations: int = 100
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.strength <= 0 or self.evaluations < 1 or self.tolerance <= 0:
            raise ParameterError("A token head needs strength, evaluations and tolerance above 0.")
        if not 0 <= self.neighbours <= 3:
            raise ParameterError("A token head looks at 0 to 3 neighbours on each side.")

    def fit(
        self,
        data: Marked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTokenHead":
        """Minimise C · Σ weight · cross-entropy of the words + |W|² / 2 by L-BFGS in float32.

        Convex: neither the generator nor `start` changes the answer beyond the tolerance. Raises
        NotEnoughDataError without any words.
        """
        if not len(data.words.vectors):
            raise NotEnoughDataError("A token head needs a text with a word at least.")
        report(0, self.evaluations)
        vectors = np.asarray(data.words.vectors, dtype=np.float32)
        centre, spread = vectors.mean(axis=0), vectors.std(axis=0) + np.float32(1e-3)
        x = beside((vectors - centre) / spread, data.words.starts, self.neighbours)
        problem = _problem(data, x)
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
            centre=centre,
            spread=spread,
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
        x = (np.asarray(words.vectors, dtype=np.float32) - self.centre) / self.spread
        scores = beside(x, words.starts, self.neighbours) @ self.weights + self.bias
        scores[:, 0] -= np.float32(self.reach)
        return read(scores, words.starts)

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.taggers.load` reads them."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in ARRAYS}
        save_folder(folder, arrays, {"student": "token-head", "reach": self.reach})


def beside(x: NDArray[np.float32], starts: Ints, neighbours: int) -> NDArray[np.float32]:
    """(N, d) -> (N, (1 + 2 · neighbours) d): each word, then those before and after it in its text;
    zeros where there is none.
    """
    home = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    parts = [x]
    for step in range(1, neighbours + 1):
        for shift in (-step, step):
            at = np.arange(len(x)) + shift
            inner = np.clip(at, 0, max(len(x) - 1, 0))
            there = (at == inner) & (home[inner] == home) if len(x) else np.zeros(0, dtype=np.bool_)
            parts.append(np.where(there[:, None], x[inner], np.float32(0)))
    return np.concatenate(parts, axis=1)


def _begin(problem: Problem, former: Any) -> NDArray[np.float32]:
    """The former head's map, with zeros for labels added since; all zeros without one that fits."""
    table = np.zeros((problem.d + 1, problem.k), dtype=np.float32)
    if isinstance(former, FittedTokenHead) and len(former.weights) == problem.d:
        known = min(len(former.bias), problem.k)
        table[:-1, :known] = former.weights[:, :known]
        table[-1, :known] = former.bias[:known]
    return table.ravel()


def _problem(data: Marked, x: Floats) -> Problem:
    words, t = data.words, 1 + 2 * data.labels
    tags = [tags_of(spans, words.of(at)) for at, spans in enumerate(data.spans)]
    weights = np.ones(words.texts) if data.weights is None else data.weights
    return Problem(
        x=np.asarray(x, dtype=np.float32),
        y=np.eye(t, dtype=np.float32)[np.concatenate(tags)],
        weight=np.repeat(weights, np.diff(words.starts)).astype(np.float32),
        hidden=None,
        active=np.ones(t, dtype=np.bool_),
        multi_label=False,
    )
