"""Tags along the words of a text, where only some may follow others: a span goes on only from itself.

Each word has independent scores; what ties words together is that rule alone, so nothing is learnt
here. Letters: N words of n texts one after another, w words of a text, k columns, t = 1 + 2k tags as in
`learning.spans.tags`, b texts of a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.spans.tags import OUTSIDE
from learning.types import Ints

Table = NDArray[np.float32]
BATCH_WORDS = 16_384  # padded words of a batch
NEVER = np.float32(-1e9)


@dataclass(frozen=True, kw_only=True)
class Read:
    """What scores say when the rule is kept.

    tags: (N,) the likeliest tags together; marginals: (N, t) how likely each tag is at each word.
    scores: (N, t) as given, but for what is common to all tags of a word; forward, ends: (N, t) and (N,) logarithms of the weight of all ways up to a
    word's tag, and of all ways from a word on when no span goes on there; whole: (n,) of all ways.
    """

    starts: NDArray[np.int64]
    tags: NDArray[np.int64]
    marginals: Table
    scores: Table
    forward: Table
    ends: Table
    whole: Table

    def runs(self) -> NDArray[np.int64]:
        """(s, 3) first word, last word (included) and column of the spans that `tags` has."""
        firsts = np.flatnonzero(self.tags % 2 == 1)
        stops = np.append((self.tags == OUTSIDE) | (self.tags % 2 == 1), [True])
        stops[self.starts] = True
        at = np.flatnonzero(stops)
        lasts = at[np.searchsorted(at, firsts, side="right")] - 1
        return np.stack([firsts, lasts, (self.tags[firsts] - 1) // 2], axis=1)

    def probability(self, runs: Ints) -> Table:
        """(s,) how likely just these spans (s, 3) are there, each by itself."""
        first, last, column = np.asarray(runs, dtype=np.int64).reshape(-1, 3).T
        text = np.searchsorted(self.starts, first, side="right") - 1
        inner = np.concatenate(
            [
                np.zeros((1, self.scores.shape[1])),
                np.cumsum(self.scores, axis=0, dtype=np.float64),  # over all texts together
            ]
        )
        inside = 2 + 2 * column
        within = inner[last + 1, inside] - inner[first + 1, inside]
        behind = np.append(self.ends, [0.0])[last + 1]
        after = np.where(last + 1 < self.starts[text + 1], behind, 0.0)
        logs = self.forward[first, 1 + 2 * column] + within + after - self.whole[text]
        return np.asarray(np.exp(np.minimum(logs, 0.0)), dtype=np.float32)


def read(scores: Table, starts: Ints) -> Read:
    """Read scores (N, t), larger likelier, of texts that begin at words `starts` (n + 1,)."""
    places = np.asarray(starts, dtype=np.int64)
    scores = scores - _logsum(scores)[:, None]  # so that sums over a long text stay small
    tags = np.zeros(len(scores), dtype=np.int64)
    marginals, forward = np.zeros((2, *scores.shape), dtype=np.float32)
    ends = np.zeros(len(scores), dtype=np.float32)
    whole = np.zeros(len(places) - 1, dtype=np.float32)
    for texts, place, valid in _batches(places):
        padded = np.where(valid[:, :, None], scores[place], 0).astype(np.float32)
        there, back = _forward(padded, valid), _backward(padded, valid)
        total = _logsum(_at_end(there, valid))  # (b,)
        own = place[valid]
        tags[own] = _likeliest(padded, valid)[valid]
        marginals[own] = np.exp(there + back - total[:, None, None])[valid]
        forward[own] = there[valid]
        ends[own] = _ends(padded[valid] + back[valid])
        whole[texts] = total
    return Read(
        starts=places,
        tags=tags,
        marginals=marginals,
        scores=np.asarray(scores, dtype=np.float32),
        forward=forward,
        ends=ends,
        whole=whole,
    )


def _batches(
    starts: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Texts of similar length: (b,) which, (b, w) the place of each word in all words, and (b, w) what
    of that is real.
    """
    lengths = np.diff(starts)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    begin = 0
    while begin < len(order):
        longest = int(lengths[order[begin]])
        rows = order[begin : begin + max(1, BATCH_WORDS // longest)]
        steps = np.arange(longest)
        valid = steps < lengths[rows][:, None]
        yield rows, np.where(valid, starts[rows][:, None] + steps, 0), valid
        begin += len(rows)


def _likeliest(scores: Table, valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(b, w) the best allowed tags together, by dynamic programming. Source: Viterbi 1967."""
    b, w, t = scores.shape
    came = np.zeros((b, w, t), dtype=np.int64)
    best = scores[:, 0].copy()
    best[:, 2::2] = NEVER
    rows = np.arange(b)
    for at in range(1, w):
        any_tag = best.argmax(axis=1)  # what a tag that may follow everything follows
        came[:, at] = any_tag[:, None]
        top = np.repeat(best[rows, any_tag][:, None], t, axis=1)
        begun, going = best[:, 1::2], best[:, 2::2]
        on = np.arange(2, t, 2)
        came[:, at, 2::2] = np.where(begun >= going, on - 1, on)
        top[:, 2::2] = np.maximum(begun, going)
        best = np.where(valid[:, at, None], top + scores[:, at], best)
    tags = np.zeros((b, w), dtype=np.int64)
    here = best.argmax(axis=1)
    for at in range(w - 1, -1, -1):
        tags[:, at] = here
        here = np.where(valid[:, at], came[rows, at, here], here)
    return tags


def _forward(scores: Table, valid: NDArray[np.bool_]) -> Table:
    """(b, w, t) logarithm of the weight of all ways that end in a tag, its own score included."""
    found = np.empty_like(scores)
    found[:, 0] = scores[:, 0]
    found[:, 0, 2::2] = NEVER
    for at in range(1, scores.shape[1]):
        before = found[:, at - 1]
        here = np.repeat(_logsum(before)[:, None], scores.shape[2], axis=1)
        here[:, 2::2] = np.logaddexp(before[:, 1::2], before[:, 2::2])
        found[:, at] = np.where(valid[:, at, None], here + scores[:, at], before)
    return found


def _backward(scores: Table, valid: NDArray[np.bool_]) -> Table:
    """(b, w, t) logarithm of the weight of all ways on from a tag, its own score left out."""
    found = np.zeros_like(scores)
    for at in range(scores.shape[1] - 2, -1, -1):
        after = scores[:, at + 1] + found[:, at + 1]
        ends = _ends(after)
        here = np.repeat(ends[:, None], scores.shape[2], axis=1)
        here[:, 1::2] = np.logaddexp(ends[:, None], after[:, 2::2])
        here[:, 2::2] = here[:, 1::2]
        found[:, at] = np.where(valid[:, at + 1, None], here, 0)
    return found


def _ends(after: Table) -> Table:
    """(b,) the weight of the tags that go on with nothing: outside, and every beginning."""
    free = np.concatenate([after[:, :1], after[:, 1::2]], axis=1)
    return _logsum(free)


def _logsum(values: Table) -> Table:
    """(b, t) -> (b,)"""
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)), dtype=np.float32)


def _at_end(forward: Table, valid: NDArray[np.bool_]) -> Table:
    return np.asarray(forward[np.arange(len(forward)), valid.sum(axis=1) - 1])
