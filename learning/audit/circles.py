"""Answers about which of two texts is better that go round in a circle: one of them must be wrong.

Letters: n comparisons, p pairs of texts that were compared, t texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.rankers.bradley_terry import chance_of, compare
from learning.types import Bools, Ints, Report, no_report, require

# An answer is accused when all other comparisons find it less likely than this.
LIKELY = 0.5
# Chances that are no farther apart say nothing about which of the answers it is.
ALIKE = 0.01
# Pairs of a text's neighbours that are looked at together.
AT_ONCE = 2_000_000

Edges = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Circle:
    """A comparison that goes round in a circle with others, and is the least likely of them.

    others: the rows that close the circle, in its order: the loser here is better than a third text, which is better than
    the winner here; one row alone where the same two texts were compared the other way round.
    score: how likely this outcome is by all other comparisons, 0 … 1; others_score: that of the less likely one of
    `others`. circles: in how many it is the least likely. triples: of how many three texts that were all
    compared, without ties, these two are part.
    """

    others: tuple[int, ...]
    score: float
    others_score: float
    circles: int
    triples: int

    @property
    def is_even(self) -> bool:
        """Whether another answer of the circle is as unlikely as this one."""
        return self.others_score <= self.score + ALIKE


def circles(
    first: Ints, second: Ints, outcome: Ints, sure: Bools, report: Report = no_report
) -> list[Circle | None]:
    """Of each of n comparisons the circle that speaks most against it; None for most.

    first, second: (n,) whole numbers, equal for equal texts; outcome: (n,) 1 the first is better, -1 the second, 0 none.
    sure: (n,) answers that are beyond doubt and are not accused. A tie closes no circle, but counts
    in how good texts are. Of each circle the answer is accused that is least likely by all other comparisons
    (`bradley_terry.compare`), if it is less likely than not. Only triples and opposite pairs are looked for: every longer circle among
    texts that were all compared has a triple in it. Time grows as p^1.5 at worst. Source: Kendall, Babington
    Smith 1940 (circular triads); Chiba, Nishizeki 1985 (triangles).
    """
    require(
        first.shape == second.shape == outcome.shape == sure.shape, "Each comparison has two texts."
    )
    found: list[Circle | None] = [None] * len(first)
    rows = np.flatnonzero(first != second)
    if not len(rows):
        return found
    graph = _Graph.of(first[rows], second[rows], outcome[rows], sure[rows], report)
    for place, circle in graph.accused(report):
        if sure[rows[place]]:  # another answer says the same of the same two texts, and is in doubt
            continue
        others = tuple(int(rows[other]) for other in circle.others)
        found[int(rows[place])] = Circle(
            others=others,
            score=circle.score,
            others_score=circle.others_score,
            circles=circle.circles,
            triples=circle.triples,
        )
    return found


@dataclass(kw_only=True)
class _Graph:
    """Texts numbered by how often they were compared, the rarest first; a pair has the lower one first.

    low, high: (p,) the texts of pairs, sorted; edge: (n,) 2 · pair, and one more where the higher text is better, -1 for
    ties. Of each edge: row: (2 p,) a row that says so, -1 where none does; chance: (2 p,) how likely it is by all
    others; blame: (2 p,) the same where it can be accused, else infinite.
    """

    low: Edges
    high: Edges
    edge: Edges
    row: Edges
    chance: Doubles
    blame: Doubles

    @classmethod
    def of(cls, first: Ints, second: Ints, outcome: Ints, sure: Bools, report: Report) -> "_Graph":
        _, both = np.unique(np.concatenate([first, second]), return_inverse=True)
        _, rank = np.unique(np.bincount(both), return_inverse=True)
        place = np.empty(len(rank), dtype=np.int64)
        place[np.argsort(rank, kind="stable")] = np.arange(len(rank))
        one, other = place[both[: len(first)]], place[both[len(first) :]]
        low, high = np.minimum(one, other), np.maximum(one, other)
        won = np.where(one == low, outcome, -outcome)
        said = compare(low, high, won, len(place), report)
        likely = np.where(sure, 1.0, chance_of(won, said.without, said.log_tie))
        keys, pair = np.unique(low * len(place) + high, return_inverse=True)
        strict = np.flatnonzero(won)
        edge = np.full(len(won), -1, dtype=np.int64)
        edge[strict] = 2 * pair[strict] + (won[strict] < 0)
        chance, blame = (np.full(2 * len(keys), np.inf) for _ in range(2))
        row = np.full(2 * len(keys), -1, dtype=np.int64)
        # The last one written stays: those in doubt come after those beyond it.
        turn = strict[np.argsort(~sure[strict], kind="stable")]
        row[edge[turn]], chance[edge[turn]] = turn, likely[turn]
        open_ = turn[~sure[turn] & (likely[turn] < LIKELY)]
        blame[edge[open_]] = likely[open_]
        return cls(
            low=keys // len(place), high=keys % len(place), edge=edge, row=row, chance=chance, blame=blame
        )  # fmt: skip

    def accused(self, report: Report) -> list[tuple[int, Circle]]:
        """Rows that can be accused, with the circle that speaks most against each."""
        told = _Told.nothing(len(self.row))
        pairs = np.arange(len(self.low))
        opposed = (self.row.reshape(-1, 2) >= 0).all(axis=1)
        told.take(self, np.stack([2 * pairs[opposed], 2 * pairs[opposed] + 1], axis=1))
        triples = np.zeros(len(pairs), dtype=np.int64)
        for three in self._triangles(report):
            triples += np.bincount(three.ravel(), minlength=len(pairs))
            for round_ in (self._round(three, 0), self._round(three, 1)):
                told.take(self, round_)
        rows = np.flatnonzero(self.edge >= 0)
        rows = rows[told.circles[self.edge[rows]] > 0]
        return [(row, told.of(self, row, triples)) for row in rows.tolist()]

    def _round(self, three: Edges, way: int) -> Edges:
        """(c, 3) edges of the triangles that go round this way, in the circle's order."""
        near, far, over = three.T  # low to middle, low to high, middle to high
        edges = [2 * near + way, 2 * over + way, 2 * far + 1 - way]
        if way:
            edges = [edges[2], edges[1], edges[0]]
        table = np.stack(edges, axis=1)
        return np.asarray(table[(self.row[table] >= 0).all(axis=1)], dtype=np.int64)

    def _triangles(self, report: Report) -> Iterator[Edges]:
        """(c, 3) pairs of three texts that were all compared, block by block."""
        strict = (self.row.reshape(-1, 2) >= 0).any(axis=1)
        kept = np.flatnonzero(strict)
        low, high = self.low[kept], self.high[kept]
        texts = int(high.max(initial=0)) + 1
        keys = low * texts + high
        after = np.searchsorted(low, low, side="right") - np.arange(len(low)) - 1
        reach = np.cumsum(after)
        start = 0
        while start < len(low):
            done = int(reach[start - 1]) if start else 0
            end = max(int(np.searchsorted(reach, done + AT_ONCE)), start + 1)
            report(start, len(low))
            count = after[start:end]
            near = np.repeat(np.arange(start, end), count)
            step = np.arange(len(near)) - np.repeat(np.cumsum(count) - count, count)
            far = near + 1 + step
            wanted = high[near] * texts + high[far]
            over = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            there = keys[over] == wanted
            yield kept[np.stack([near[there], far[there], over[there]], axis=1)]
            start = end


@dataclass(kw_only=True)
class _Told:
    """Of each edge in how many circles it is accused, and the rest of the one that speaks most against it."""

    circles: Edges
    rest: Edges
    others: Doubles

    @classmethod
    def nothing(cls, edges: int) -> "_Told":
        return cls(
            circles=np.zeros(edges, dtype=np.int64),
            rest=np.full((edges, 2), -1, dtype=np.int64),
            others=np.full(edges, -1.0),
        )

    def take(self, graph: _Graph, table: Edges) -> None:
        """(c, 2) or (c, 3) edges of circles, in their order."""
        blame, chance = graph.blame[table], graph.chance[table]
        least = blame.min(axis=1, initial=np.inf)
        for place in range(table.shape[1]):
            hit = np.flatnonzero((blame[:, place] <= least + ALIKE) & np.isfinite(blame[:, place]))
            own = table[hit, place]
            rest = np.roll(table[hit], -place, axis=1)[:, 1:]
            others = np.roll(chance[hit], -place, axis=1)[:, 1:].min(axis=1, initial=1.0)
            self.circles += np.bincount(own, minlength=len(self.circles))
            turn = np.lexsort((others, own))
            last = turn[np.append(own[turn][1:] != own[turn][:-1], True)] if len(turn) else turn
            better = last[others[last] > self.others[own[last]]]
            self.others[own[better]] = others[better]
            self.rest[own[better], : rest.shape[1]] = rest[better]
            if rest.shape[1] < 2:
                self.rest[own[better], 1] = -1

    def of(self, graph: _Graph, row: int, triples: Edges) -> Circle:
        edge = int(graph.edge[row])
        return Circle(
            others=tuple(int(graph.row[each]) for each in self.rest[edge].tolist() if each >= 0),
            score=float(graph.chance[edge]),
            others_score=float(self.others[edge]),
            circles=int(self.circles[edge]),
            triples=int(triples[edge // 2]),
        )
