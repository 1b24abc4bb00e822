"""Binary tags of items, by which the performance model counts who labels what.

Letters: n items, t tags.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.routing.features import measured
from learning.routing.memory import Memory
from learning.routing.types import Candidates, Seed, Shares
from learning.types import Bools

BINNED = (
    "confidence",
    "margin",
    "entropy",
    "agreement",
    "student",
    "student_margin",
    "neighbours",
    "length",
)
WORDS = ("low", "middle", "high")


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What makes tags of items. All cuts are frozen on the seed: on any other set of items, or a
    part of one, a tag means the same.

    edges: feature -> inner edges of its bins, ascending and distinct; an item is in the bin of the
    last edge that is not above its value, so that each known value is in exactly one bin.
    """

    edges: dict[str, tuple[float, ...]]
    memory: Memory
    label_names: tuple[str, ...]
    groups: int

    @classmethod
    def of(cls, seed: Seed, memory: Memory, bins: int) -> "Tags":
        """Edges at equal shares of the seed's items; features that most items lack are left out."""
        raw = measured(BINNED, seed.items, memory)
        edges = {}
        for place, name in enumerate(BINNED):
            values = raw[np.isfinite(raw[:, place]), place]
            if len(values) >= 0.5 * seed.rows:
                cuts = np.unique(np.quantile(values, np.arange(1, bins) / bins))
                edges[name] = tuple(cuts[cuts > values.min()].tolist())
        k = seed.items.labels
        names = seed.items.label_names or tuple(f"label {column}" for column in range(k))
        groups = 0 if memory.centres is None else len(memory.centres)
        return cls(edges=edges, memory=memory, label_names=names, groups=groups)

    @property
    def names(self) -> tuple[str, ...]:
        """(t,) in the order of the table's columns."""
        binned = [
            f"{name} {_word(place, len(cuts) + 1)}"
            for name, cuts in self.edges.items()
            for place in range(len(cuts) + 1)
        ]
        return (
            *binned,
            *(f"answer {name}" for name in self.label_names),
            *(f"group {place + 1}" for place in range(self.groups)),
        )

    def table(self, items: Candidates) -> Bools:
        """(n, t); where a value is missing the item has none of that feature's tags."""
        raw = measured(tuple(self.edges), items, self.memory)
        parts = [
            _binned(raw[:, place], np.array(cuts)) for place, cuts in enumerate(self.edges.values())
        ]
        parts.append(items.said())
        if self.groups and items.encodings is not None:
            parts.append(np.eye(self.groups, dtype=np.bool_)[self.memory.group_of(items)])
        elif self.groups:
            parts.append(np.zeros((items.rows, self.groups), dtype=np.bool_))
        return np.concatenate(parts, axis=1)


def _binned(values: Shares, cuts: Shares) -> Bools:
    """(n, cuts + 1): bins closed below and open above."""
    known = np.isfinite(values)
    place = np.searchsorted(cuts, np.where(known, values, 0), side="right")
    return np.asarray(np.eye(len(cuts) + 1, dtype=np.bool_)[place] & known[:, None])


def _word(place: int, bins: int) -> str:
    if bins == 1:
        return "any"
    if bins == 2:
        return WORDS[2 * place]
    return WORDS[place] if bins == 3 else f"{place + 1} of {bins}"


def knapsack(tags: Bools, budget: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) who goes to people: tag after tag in random order, with their items in random order,
    until `budget` are in; items without any tag come last.
    """
    chosen = np.zeros(len(tags), dtype=np.bool_)
    left = min(max(budget, 0), len(tags))
    for tag in [*rng.permutation(tags.shape[1]).tolist(), None]:
        waiting = ~chosen if tag is None else tags[:, tag] & ~chosen
        rows = rng.permutation(np.flatnonzero(waiting))[:left]
        chosen[rows] = True
        left -= len(rows)
        if left == 0:
            break
    return chosen


def mixes(tags: Bools, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(count, n) candidate routings: nobody, everybody, and knapsacks of random budgets between."""
    n = len(tags)
    drawn = [knapsack(tags, int(rng.integers(1, n)), rng) for _ in range(max(0, count - 2))]
    return np.stack([np.zeros(n, dtype=np.bool_), np.ones(n, dtype=np.bool_), *drawn])
