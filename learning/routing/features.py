"""The features by which a teacher's wrong answers are told from its right ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from learning.routing.memory import Memory
from learning.routing.signals import signal
from learning.routing.types import Candidates, Shares
from learning.scores import entropies, margins
from learning.teachers.platt import log_odds
from learning.types import Floats, Ints

Measure = Callable[[Candidates, Memory], Shares]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A number per item.

    words: how a reason says it, with the value in place of {}; teacher: it needs an answer; usual:
    the slope to expect before any data, in log-odds of an error by a standard deviation [ours];
    measure: (n,) values, not a number where an item has none; scaled: to what the model sees.
    """

    words: str
    teacher: bool
    usual: float
    measure: Measure
    scaled: Callable[[Shares], Shares] = log_odds


def _signal(name: str) -> Measure:
    return lambda items, memory: signal(name, items, missing=np.nan)


def _margin(items: Candidates, memory: Memory) -> Shares:
    found = margins(items.teacher, multi_label=items.multi_label)
    return np.where(items.answered, found, np.nan)


def _entropy(items: Candidates, memory: Memory) -> Shares:
    found = entropies(items.teacher, multi_label=items.multi_label)
    return np.where(items.answered, found, np.nan)


def _neighbours(items: Candidates, memory: Memory) -> Shares:
    return _or_unknown(items, items.neighbours)


def _student_margin(items: Candidates, memory: Memory) -> Shares:
    if items.sure is not None:
        return np.asarray(items.sure, dtype=np.float64)
    if items.student is None:
        return _or_unknown(items, None)
    return margins(items.student, multi_label=items.multi_label).astype(np.float64)


def _set_size(items: Candidates, memory: Memory) -> Shares:
    return _or_unknown(items, items.set_sizes)


def _length(items: Candidates, memory: Memory) -> Shares:
    return _or_unknown(items, items.lengths)


def _marks(items: Candidates, memory: Memory) -> Shares:
    return np.where(items.answered, _or_unknown(items, items.marks), np.nan)


def _or_unknown(items: Candidates, values: Floats | Ints | None) -> Shares:
    return np.full(items.rows, np.nan) if values is None else np.asarray(values, dtype=np.float64)


def _as_is(values: Shares) -> Shares:
    return values


FEATURES = {
    "confidence": Feature(
        words="the teacher states a confidence of {:.2f}",
        teacher=True,
        usual=-1.0,
        measure=_signal("confidence"),
    ),
    "margin": Feature(
        words="the teacher's two likeliest answers lie {:.2f} apart",
        teacher=True,
        usual=-0.2,
        measure=_margin,
    ),
    "entropy": Feature(
        words="the teacher's doubt is {:.2f} nats",
        teacher=True,
        usual=0.2,
        measure=_entropy,
        scaled=_as_is,
    ),
    "agreement": Feature(
        words="{:.0%} of the other voices agree with the teacher",
        teacher=True,
        usual=-1.0,
        measure=_signal("agreement"),
    ),
    "student": Feature(
        words="the student agrees with the teacher by {:.0%}",
        teacher=True,
        usual=-0.5,
        measure=_signal("student"),
    ),
    "neighbours": Feature(
        words="{:.0%} of similar items got the same answer",
        teacher=True,
        usual=-0.2,
        measure=_neighbours,
    ),
    "label": Feature(
        words="the teacher is wrong in {:.0%} of the times it says this",
        teacher=True,
        usual=0.3,
        measure=lambda items, memory: memory.by_label(items),
    ),
    "student_margin": Feature(
        words="the student's two likeliest answers lie {:.2f} apart",
        teacher=False,
        usual=-0.1,
        measure=_student_margin,
    ),
    "set_size": Feature(
        words="the student's answer set leaves {:.0f} labels",
        teacher=False,
        usual=0.1,
        measure=_set_size,
        scaled=np.log1p,
    ),
    "marks": Feature(
        words="{:.0f} places are marked by the teacher",
        teacher=True,
        usual=0.3,
        measure=_marks,
        scaled=np.log1p,
    ),
    "nearby": Feature(
        words="on checked items like it the teacher is wrong in {:.0%}",
        teacher=False,
        usual=0.2,
        measure=lambda items, memory: memory.nearby(items),
    ),
    "group": Feature(
        words="in its group of items the teacher is wrong in {:.0%}",
        teacher=False,
        usual=0.1,
        measure=lambda items, memory: memory.by_group(items),
    ),
    "length": Feature(
        words="it has {:.0f} characters", teacher=False, usual=0.0, measure=_length, scaled=np.log1p
    ),
}
"""By name, in the order in which a table of them has its columns."""


def measured(names: tuple[str, ...], items: Candidates, memory: Memory) -> Shares:
    """(n, f) the raw values of these features."""
    if not names:
        return np.empty((items.rows, 0))
    return np.stack([FEATURES[name].measure(items, memory) for name in names], axis=1)


def scaled(names: tuple[str, ...], raw: Shares, usual: Shares) -> Shares:
    """(n, f) as the model sees them; a missing one counts as the usual value (f,)."""
    filled = np.where(np.isfinite(raw), raw, usual)
    columns = [FEATURES[name].scaled(filled[:, f]) for f, name in enumerate(names)]
    return np.stack(columns, axis=1) if columns else filled
