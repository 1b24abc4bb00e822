"""Do new items differ from those that were there, and in what? Letters: n, m items, d dimensions."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from learning.audit.function_words import FUNCTION_WORDS
from learning.audit.intervals import CONFIDENCE
from learning.errors import NotEnoughDataError
from learning.metrics import clopper_pearson, wilson
from learning.types import Floats, Ints, require

Array = NDArray[np.float64]

# Items of each side that are compared, at most and at least.
MOST, FEWEST = 600, 30
PERMUTATIONS = 399
# A difference is told when chance alone would make it at most this often, and only if a linear rule
# tells old from new this much better than a coin: certain but tiny differences help nobody.
ALARM = 0.01
TELLING = 0.6
# A label's share is told as changed by this factor or more, with an interval that excludes 1.
CHANGED = 1.5
WORDS, EXAMPLES = 8, 5
USUAL = 0.1  # of texts
SURE = 0.9973  # three standard deviations
RIDGE = 0.1
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A label the student sees more or less often: `factor` times as often, with its interval.

    before, after: the shares of the compared items that the student gives the label, 0 … 1.
    """

    column: int
    before: float
    after: float
    factor: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Whether new items differ from old ones, and in what.

    differs: the warning. p: how often chance alone would part the two so far. telling: 0.5 … 1,
    how often a linear rule picks the new one of a new and an old item that it has not seen.
    old, new: items compared of each. labels: most changed first. words: more frequent in the new
    texts, most telling first. examples: places among the new rows, least like the old first.
    """

    differs: bool
    p: float
    telling: float
    old: int
    new: int
    labels: list[Changed] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    examples: list[int] = field(default_factory=list)


def difference(
    old: Floats,
    new: Floats,
    rng: np.random.Generator,
    *,
    said: tuple[Ints, Ints] | None = None,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    kinds: int = 0,
) -> Difference:
    """Compare encodings (n, d) of old and (m, d) of new items, drawn at random from each side.

    said: the student's label column of each old and each new item, of `kinds` columns; texts
    likewise. They only explain a difference that the encodings show.

    Energy distance of the encodings with a permutation test, and a ridge rule fitted on one half
    and tried on the other. Source: Székely, Rizzo 2013; two-sample tests by classifiers, Lopez-Paz,
    Oquab 2017. Raises NotEnoughDataError for fewer than FEWEST items on a side.
    """
    require(
        old.ndim == new.ndim == 2 and old.shape[1] == new.shape[1], "Encodings differ in width."
    )
    if min(len(old), len(new)) < FEWEST:
        raise NotEnoughDataError(f"A comparison needs {FEWEST} old and {FEWEST} new items.")
    one, other = _drawn(len(old), rng), _drawn(len(new), rng)
    points = np.concatenate([np.asarray(old[one]), np.asarray(new[other])]).astype(np.float64)
    is_new = np.arange(len(points)) >= len(one)
    p = _permutation_p(_distances(points), is_new, rng)
    scores = _cross_scores(points, is_new, rng)
    telling = _telling(scores, is_new)
    found = Difference(
        differs=p <= ALARM and telling >= TELLING,
        p=p,
        telling=telling,
        old=len(one),
        new=len(other),
    )
    if not found.differs:
        return found
    order = other[np.argsort(-scores[is_new], kind="stable")]
    return Difference(
        **{name: getattr(found, name) for name in ("differs", "p", "telling", "old", "new")},
        labels=[] if said is None else changed_labels(said[0], said[1], kinds),
        words=[] if texts is None else new_words(texts[0], texts[1]),
        examples=[int(row) for row in order[:EXAMPLES]],
    )


def _drawn(rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if rows <= MOST:
        return np.arange(rows)
    return np.sort(rng.choice(rows, MOST, replace=False))


def _distances(points: Array) -> Array:
    """(n, n) Euclidean distances."""
    squares = np.square(points).sum(axis=1)
    gaps = squares[:, None] + squares[None, :] - 2 * points @ points.T
    return np.asarray(np.sqrt(np.maximum(gaps, 0)), dtype=np.float64)


def _permutation_p(distances: Array, is_new: NDArray[np.bool_], rng: np.random.Generator) -> float:
    """Of all ways to call so many of the items new, the share that parts them as far or farther.

    With signs s of 1/m and -1/n the energy distance is -sᵀ D s: all permutations are one product.
    """
    signs = np.where(is_new, 1 / is_new.sum(), -1 / (~is_new).sum())
    shuffled = rng.permuted(np.tile(signs, (PERMUTATIONS, 1)), axis=1)
    table = np.concatenate([signs[None], shuffled]).T
    energy = -np.einsum("ij,ij->j", table, distances @ table)
    return float(np.mean(energy >= energy[0] - 1e-15))


def _cross_scores(points: Array, is_new: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """(n,) how new each item looks to a ridge rule that was fitted on the other half."""
    half = np.zeros(len(points), dtype=np.bool_)
    for side in (is_new, ~is_new):
        rows = np.flatnonzero(side)
        half[rng.permutation(rows)[: len(rows) // 2]] = True
    centred = points - points.mean(axis=0)
    scores = np.empty(len(points))
    for fitted in (half, ~half):
        scores[~fitted] = _ridge(centred[fitted], is_new[fitted], centred[~fitted])
    return scores


def _ridge(x: Array, is_new: NDArray[np.bool_], asked: Array) -> Array:
    """Least squares on +1 and -1, both sides of equal weight, in the smaller of the two spaces."""
    weight = np.sqrt(np.where(is_new, 0.5 / is_new.sum(), 0.5 / (~is_new).sum()))
    target = np.where(is_new, 1.0, -1.0)
    weighed = x * weight[:, None]
    kernel = weighed @ weighed.T
    strength = RIDGE * float(np.trace(kernel)) / len(kernel) + 1e-12
    solved = np.linalg.solve(kernel + strength * np.eye(len(kernel)), weight * target)
    return np.asarray(asked @ (weighed.T @ solved), dtype=np.float64)


def _telling(scores: Array, is_new: NDArray[np.bool_]) -> float:
    """Area under the curve: how often a new item scores above an old one; 0.5 is a coin."""
    order = scores.argsort(kind="stable").argsort(kind="stable") + 1.0
    new = int(is_new.sum())
    old = len(scores) - new
    return float((order[is_new].sum() - new * (new + 1) / 2) / (new * old))


def changed_labels(old: Ints, new: Ints, kinds: int) -> list[Changed]:
    """Labels whose share among the student's words changed by CHANGED or more, surely.

    old, new: (n,), (m,) label columns, -1 for none. The factor's interval is that of a ratio of
    two counts, exact in the share of the new one among both, at a level divided by the number of
    labels, so that none is told by chance alone. Most changed first.
    """
    strict = 1 - (1 - CONFIDENCE) / max(kinds, 1)
    found = []
    for column in range(kinds):
        before, after = int(np.sum(old == column)), int(np.sum(new == column))
        if before + after == 0:
            continue
        per_item = len(old) / len(new)
        low, high = (
            math.inf if share >= 1 else share / (1 - share) * per_item
            for share in clopper_pearson(after, before + after, strict)
        )
        factor = math.inf if before == 0 else after / before * per_item
        if (low > 1 and factor >= CHANGED) or (high < 1 and factor <= 1 / CHANGED):
            found.append(
                Changed(
                    column=column,
                    before=before / len(old),
                    after=after / len(new),
                    factor=factor,
                    low=low,
                    high=high,
                )
            )
    return sorted(found, key=lambda each: (-round(abs(each.after - each.before), 6), -each.factor))


def new_words(old: Sequence[str], new: Sequence[str], most: int = WORDS) -> list[str]:
    """Words that far more of the new texts have than of the old, most telling first.

    By how many times as many it is at least: the lower end of Wilson's interval at three standard
    deviations, CHANGED or more. A word that USUAL of the old texts have is not news, however much more
    frequent it got, nor is one that sentences are made of.
    """
    before, after = (_texts_with(texts) for texts in (old, new))
    scored = []
    for word, count in after.items():
        if before[word] >= USUAL * len(old) or word in FUNCTION_WORDS:
            continue
        share = wilson(count, count + before[word], SURE)[0]
        factor = share / (1 - share) * len(old) / len(new)
        if factor >= CHANGED:
            scored.append((-factor, word))
    return [word for _, word in sorted(scored)[:most]]


def _texts_with(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each word occurs."""
    return Counter(word for text in texts for word in set(_WORD.findall(text.lower())))
