"""Questions of a form as label columns: which are asked, what is answered, which is in most doubt.

Letters in shapes: n items, k label columns, p questions.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from learning.types import Bools, Floats, Part, require

TINY = np.float32(1e-6)  # a question that is as good as never asked has no shares of its own


def check(parts: Sequence[Part], labels: int) -> None:
    """Raise ShapeError for questions that share columns, or that wait for no earlier one."""
    earlier: list[frozenset[int]] = []
    for part in parts:
        own = frozenset(part.columns)
        require(
            own <= set(range(labels)) and not any(own & other for other in earlier),
            "Each question needs label columns of its own.",
        )
        require(
            not part.after or any(set(part.after) <= other for other in earlier),
            "A question waits for answers to one earlier question.",
        )
        earlier.append(own)


def fitting(parts: Sequence[Part], labels: int) -> tuple[Part, ...]:
    """The questions as far as the first `labels` columns go: what is told of them may be older."""
    return tuple(
        replace(
            part,
            columns=tuple(one for one in part.columns if one < labels),
            after=tuple(one for one in part.after if one < labels),
        )
        for part in parts
    )


def asked(given: Floats | Bools, parts: Sequence[Part]) -> Bools:
    """(n, p): whether each question was asked, by (n, k) answers or shares of them, from 0.5 on."""
    chosen = np.asarray(given, dtype=np.float32) >= 0.5
    found = np.ones((len(chosen), len(parts)), dtype=np.bool_)
    for place, part in enumerate(parts):
        if part.after:
            found[:, place] = chosen[:, list(part.after)].any(axis=1)
    return found


def chances(probabilities: Floats, parts: Sequence[Part]) -> NDArray[np.float32]:
    """(n, p) 0 … 1: how likely each question is asked, by (n, k) chances that a label is given.

    Of a question with one answer these exclude each other; of one with several they are taken as
    independent.
    """
    p = np.asarray(probabilities, dtype=np.float32)
    found = np.ones((len(p), len(parts)), dtype=np.float32)
    for place, part in enumerate(parts):
        if not part.after:
            continue
        said = p[:, list(part.after)]
        if _owner(part, parts).several:
            found[:, place] = 1 - np.prod(1 - said, axis=1)
        else:
            found[:, place] = np.minimum(said.sum(axis=1), 1)
    return found


def shares(probabilities: Floats, parts: Sequence[Part]) -> list[NDArray[np.float32]]:
    """For each question (n, its columns): how likely each label is where the question is asked."""
    p = np.asarray(probabilities, dtype=np.float32)
    reached = chances(p, parts)
    return [
        np.minimum(p[:, list(part.columns)] / np.maximum(reached[:, place, None], TINY), 1)
        for place, part in enumerate(parts)
    ]


def decoded(probabilities: Floats, parts: Sequence[Part]) -> Bools:
    """(n, k): the likeliest whole answer, question by question, of those that it leads to.

    A question about which nothing is known (all 0) is left open.
    """
    chosen = np.zeros(np.shape(probabilities), dtype=np.bool_)
    for part, p in zip(parts, shares(probabilities, parts), strict=True):
        picked: Bools = np.asarray(p >= 0.5, dtype=np.bool_)
        if not part.several and p.shape[1]:
            best = p.argmax(axis=1)[:, None] == np.arange(p.shape[1])
            picked = np.asarray(best & (p > 0), dtype=np.bool_)
        if part.after:
            picked[~chosen[:, list(part.after)].any(axis=1)] = False
        chosen[:, list(part.columns)] = picked
    return chosen


def margins(probabilities: Floats, parts: Sequence[Part]) -> NDArray[np.float32]:
    """(n, p) for each question 0 undecided … 1 sure; one that is hardly asked leaves little doubt."""
    reached = chances(probabilities, parts)
    found = np.ones(reached.shape, dtype=np.float32)
    for place, (part, p) in enumerate(zip(parts, shares(probabilities, parts), strict=True)):
        if part.several:
            sure = np.abs(2 * p - 1).min(axis=1, initial=1.0)
        elif p.shape[1] < 2:
            sure = np.ones(len(p), dtype=np.float32)
        else:
            second, first = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:].T
            sure = first - second
        found[:, place] = 1 - reached[:, place] * (1 - sure)
    return found


def _owner(part: Part, parts: Sequence[Part]) -> Part:
    """The question that another one waits for."""
    return next(one for one in parts if set(part.after) <= set(one.columns))
