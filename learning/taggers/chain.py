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

    tags: (N,) the likeliest tags together; marginals: (N, t) how likely each tag is at each word;
    first, last: (s,) the words of the spans that `tags` has, the last one included; column: (s,) their
    columns; probability: (s,) that just this span is there.
    """

    tags: NDArray[np.int64]
    marginals: Table
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    column: NDArray[np.int64]
    probability: Table


def read(scores: Table, starts: Ints) -> Read:
    """Read scores (N, t), larger likelier, of texts that begin at words `starts` (n + 1,)."""
    total = len(scores)
    tags = np.zeros(total, dtype=np.int64)
    marginals = np.zeros(scores.shape, dtype=np.float32)
    odds: list[Table] = []
    spans: list[NDArray[np.int64]] = []
    for place, valid in _batches(starts):
        padded = np.where(valid[:, :, None], scores[place], 0).astype(np.float32)
        tags[place[valid]] = _likeliest(padded, valid)[valid]
        forward, backward = _forward(padded, valid), _backward(padded, valid)
        whole = _logsum(_at_end(forward, valid))  # (b,)
        logs = forward + backward - whole[:, None, None]
        marginals[place[valid]] = np.exp(logs)[valid]
        found = _spans(np.where(valid, tags[place], OUTSIDE))
        spans.append(_in_all(found, place))
        odds.append(
            np.exp(_span_logs(found, padded, valid, forward, backward) - whole[found[:, 0]])
        )
    table = np.concatenate(spans) if spans else np.zeros((0, 3), dtype=np.int64)
    chance = np.concatenate(odds) if odds else np.zeros(0, dtype=np.float32)
    order = np.argsort(table[:, 0], kind="stable")
    first, last, column = table[order].T
    return Read(
        tags=tags,
        marginals=marginals,
        first=first,
        last=last,
        column=column,
        probability=np.clip(chance[order], 0, 1).astype(np.float32),
    )


def _batches(starts: Ints) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Texts of similar length: (b, w) the place of each word in all words, and (b, w) what is real."""
    lengths = np.diff(starts)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    begin = 0
    while begin < len(order):
        longest = int(lengths[order[begin]])
        rows = order[begin : begin + max(1, BATCH_WORDS // longest)]
        steps = np.arange(longest)
        valid = steps < lengths[rows][:, None]
        yield np.where(valid, np.asarray(starts)[rows][:, None] + steps, 0), valid
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


def _spans(tags: NDArray[np.int64]) -> NDArray[np.int64]:
    """(s, 4) row, first word, last word and column of the spans of valid tags (b, w)."""
    rows, firsts = np.nonzero(tags % 2 == 1)
    columns = (tags[rows, firsts] - 1) // 2
    going = np.concatenate([tags, np.zeros((len(tags), 1), dtype=np.int64)], axis=1)
    stops = (going == OUTSIDE) | (going % 2 == 1)
    width = going.shape[1]
    places = np.where(stops, np.arange(width), width)
    # the nearest stop behind each place
    nearest = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    lasts = nearest[rows, firsts + 1] - 1
    return np.stack([rows, firsts, lasts, columns], axis=1)


def _in_all(found: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """(s, 3) first and last word counted in all words, and the column."""
    rows, firsts, lasts, columns = found.T
    return np.stack([place[rows, firsts], place[rows, lasts], columns], axis=1)


def _span_logs(
    found: NDArray[np.int64],
    scores: Table,
    valid: NDArray[np.bool_],
    forward: Table,
    backward: Table,
) -> Table:
    """(s,) logarithm of the weight of all ways that have just this span."""
    rows, firsts, lasts, columns = found.T
    inner = np.cumsum(scores, axis=1, dtype=np.float64)
    inside = 2 + 2 * columns
    within = inner[rows, lasts, inside] - inner[rows, firsts, inside]
    after = scores + backward
    width = scores.shape[1]
    nexts = np.minimum(lasts + 1, width - 1)
    more = (lasts + 1 < width) & valid[rows, nexts]
    ends = np.where(more, _ends(after[rows, nexts]), 0)
    return np.asarray(forward[rows, firsts, 1 + 2 * columns] + within + ends, dtype=np.float32)
