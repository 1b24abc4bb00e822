"""Ranking: an answer puts the candidates of an item in an order, in which some may be equal."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.consensus import ConsensusMethod
from learning.consensus.orders import settled_order
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.rankers import RANKERS
from learning.rankers.replay import KnownLists
from learning.rankers.types import Lists
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.multi import Multi
from learning.tasks.values import Agreed, Given
from learning.tasks.wordless import Wordless
from learning.types import Ints, Votes

FEWEST, MOST = 2, 20
ABOVE, EQUAL = " > ", " = "
Order = list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Ranking(Wordless):
    """The candidates of an item from best to worst, ties allowed, compared by the order of each two.
    Source: Kendall 1938, 1945 (ties); Kemeny 1959 and Borda 1781 (the verdict).

    A value is {"order": [[2], [1, 3]]}: candidate 2 first, then 1 and 3 as equals; they are numbered
    from 1 in the order in which the item has them.

    tie: voices that are farther than this from the verdict, on average, do not decide.
    """

    shape: ClassVar[str] = "ranking"
    item_kinds: ClassVar[frozenset[str]] = frozenset({"list"})
    measure: ClassVar[str] = "orders"
    headline: ClassVar[str] = "tau"
    figure: ClassVar[str] = "pairs_right"
    students: ClassVar[tuple[str, ...]] = tuple(RANKERS)
    reads: ClassVar[Literal["words", "lists"]] = "lists"
    places: ClassVar[bool] = False
    teachers: ClassVar[tuple[str, ...]] = ("zero-shot", "openai", "recorded")
    ranked: ClassVar[bool] = True
    weighed: ClassVar[bool] = False
    called: ClassVar[str] = "orders"
    # Those that look at how unsure a student is of an item, and at no label. By the margin the items
    # come first whose neighbours in the order are closest to even.
    strategies: ClassVar[tuple[str, ...]] = (
        *("mixed", "margin", "margin-diverse", "density-margin", "k-center"),
        *Wordless.strategies,
    )
    # Votes are on the order of each two candidates.
    consensus: ClassVar[tuple[str, ...]] = tuple(
        name for name in Multi.consensus if name != "student-aware"
    )

    tie: float = 0.25

    @property
    def drawn(self) -> bool:
        """Yes: whoever sees a candidate first may favour it."""
        return True

    def read(self, value: object, content: Content, labels: Collection[int]) -> dict[str, Any]:
        """The canonical value: equals in ascending order.

        Raises ShapeError where candidates are missing, named twice or unknown.
        """
        if not isinstance(value, dict) or not {"order"} <= set(value) <= {"order", "shown"}:
            raise ShapeError('An answer of a ranking is {"order": [[…], …]} and nothing else.')
        order = value["order"]
        if not isinstance(order, list) or not all(
            isinstance(each, list) and each for each in order
        ):
            raise ShapeError("`order` is a list of lists: the best first, equals in one list.")
        named = [one for each in order for one in each]
        if not all(type(one) is int for one in named):
            raise ShapeError("Candidates are named by whole numbers from 1.")
        wanted = set(range(1, len(content.candidates) + 1))
        if len(named) != len(set(named)) or set(named) != wanted:
            raise ShapeError(
                f"The order must name each of the {len(wanted)} candidates once, by its number; "
                f"it names {', '.join(map(str, named[: MOST + 1])) or 'none'}."
            )
        return {"order": [sorted(each) for each in order]}

    def spell(self, value: Any) -> str:
        """Such as "2 > 1 = 3"."""
        return ABOVE.join(EQUAL.join(map(str, each)) for each in value["order"])

    def unspell(self, words: str) -> dict[str, Any]:
        """Of "2 > 1 = 3", of "2, 1, 3" without equals, or of the list of lists as JSON, in which models write
        numbers between quotes."""
        text = words.strip()
        try:
            if text.startswith("["):
                found = json.loads(text)
                groups = [each if isinstance(each, list) else [each] for each in found]
                return {"order": [[_number(one) for one in each] for each in groups]}
            parts = text.replace(",", ">").split(">")
            return {"order": [[int(one) for one in each.split("=")] for each in parts]}
        except (ValueError, RecursionError):
            raise ShapeError(
                f"“{text[:40]}” is no order: write the candidates' numbers, such as 2 > 1 = 3."
            ) from None

    def facets(self, value: Any) -> Mapping[tuple[int, int], int]:
        """Of each two candidates, which is the better one: -1 the first, 0 none, 1 the second."""
        place = _places(value["order"])
        return {
            (a, b): (place[a] > place[b]) - (place[a] < place[b])
            for a, b in combinations(sorted(place), 2)
        }

    def facets_apart(self, a: int, b: int) -> float:
        """0 the same order, 1/2 where one finds a tie, 1 the opposite."""
        return abs(a - b) / 2

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """The share of pairs that stand the other way round; half where one alone finds a tie."""
        return _apart(self.facets(a), self.facets(b))

    def settle(
        self,
        method: ConsensusMethod,
        items: Sequence[Sequence[Given]],
        skills: Skills | None = None,
    ) -> list[Agreed]:
        """The order that contradicts least of what the method believes of each two candidates."""
        found = method.aggregate(self.votes(items), skills)
        agreed, start = [], 0
        for given in items:
            count = len(_places(given[0].value["order"]))
            pairs = list(permutations(range(count), 2))
            above: NDArray[np.float64] = np.zeros((count, count))
            for (a, b), share in zip(
                pairs, found.shares[start : start + len(pairs), 0], strict=True
            ):
                above[a, b] = share
            start += len(pairs)
            value = {"order": [[one + 1 for one in each] for each in settled_order(above)]}
            agreed.append(Agreed(value=value, shares={}, tied=self._undecided(value, given)))
        return agreed

    def _undecided(self, value: Any, given: Sequence[Given]) -> bool:
        own = self.facets(value)
        far = sum(one.weight * _apart(own, self.facets(one.value)) for one in given)
        return far / sum(one.weight for one in given) > self.tie

    def votes(
        self, items: Sequence[Sequence[Given]], truth: Sequence[Any | None] | None = None
    ) -> Votes:
        """Votes on each two candidates, both ways round, "is this one better than that?"."""
        item: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        better: list[NDArray[np.bool_]] = [np.zeros(0, dtype=np.bool_)]
        annotator: list[int] = []
        weights: list[float] = []
        right: list[bool] = []
        settled: list[bool] = []
        for number, given in enumerate(items):
            sure = None if truth is None else truth[number]
            known = None if sure is None else _places(sure["order"])
            places = [_places(one.value["order"]) for one in given]
            pairs = list(permutations(sorted(places[0] if places else known or {}), 2))
            item.append(len(settled) + np.repeat(np.arange(len(pairs)), len(given)))
            said = [place[a] < place[b] for a, b in pairs for place in places]
            better.append(np.array(said, dtype=np.bool_))
            annotator += [one.annotator for one in given] * len(pairs)
            weights += [one.weight for one in given] * len(pairs)
            settled += [known is not None] * len(pairs)
            right += [known is not None and known[a] < known[b] for a, b in pairs]
        return Votes(
            items=len(settled),
            item=np.concatenate(item),
            annotator=np.array(annotator, dtype=np.int64),
            answers=np.concatenate(better).astype(np.float32).reshape(-1, 1),
            weights=np.array(weights, dtype=np.float64),
            multi_label=True,
            truth=np.array(right, dtype=np.bool_).reshape(-1, 1),
            settled=np.array(settled, dtype=np.bool_),
        )

    def credit(self, truth: Any, said: Any, columns: Columns) -> tuple[float, float]:
        """The share of pairs that stand as they should, half where one alone finds a tie; of 1."""
        return 1 - _apart(self.facets(truth), self.facets(said)), 1.0

    def by_label(self, truth: Any, said: Any) -> dict[int, tuple[int, int, int]]:
        """Nothing: candidates have no labels."""
        return {}

    def compare(self, truth: Sequence[Any], said: Sequence[Any]) -> dict[str, float]:
        """tau, 1 the same orders … -1 all the other way round, and exact, the share that are equal."""
        far = [_apart(self.facets(a), self.facets(b)) for a, b in zip(truth, said, strict=True)]
        tau = 1 - 2 * float(np.mean(far)) if far else 0.0
        exact = float(np.mean([one == 0 for one in far])) if far else 0.0
        return {"n": float(len(far)), "tau": tau, "exact": exact}

    def in_columns(self, value: Any, columns: Mapping[int, int]) -> Any:
        """The value as it is: it names no label."""
        return value

    def known_of(
        self,
        read: Lists,
        rows: Ints,
        values: Sequence[Any],
        labels: int,
        texts: Sequence[str] | None = None,
    ) -> KnownLists:
        """Lists beside their orders, for a replay; see `TaughtTask`."""
        return KnownLists(lists=read, rows=rows, values=values)


def _number(one: Any) -> Any:
    return int(one) if isinstance(one, str) and one.isascii() and one.isdigit() else one


def _places(order: Order) -> dict[int, int]:
    return {one: place for place, each in enumerate(order) for one in each}


def _apart(a: Mapping[Any, int], b: Mapping[Any, int]) -> float:
    return sum(abs(order - b[pair]) for pair, order in a.items()) / (2 * len(a)) if a else 0.0
