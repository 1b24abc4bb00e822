"""One order from several prompts: the candidates in two sequences, and in windows where they are many.

Source: Sun et al. 2023 (a language model orders lists, by windows from the end of the list to its
beginning); Tang et al. 2024 (several sequences, whose orders are settled together).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from learning.rankers.scores import right_pairs, tau_b
from learning.rankers.types import places_of
from learning.teachers.types import Order, TeacherAnswer, TeacherItem

Ask = Callable[[TeacherItem], TeacherAnswer]


class _SilentError(Exception):
    """A prompt got no order, so that its list gets none."""


@dataclass(frozen=True, kw_only=True)
class Listwise:
    """How the candidates of one item are put to a model.

    passes: sequences of the candidates that are asked about, the second the reverse of the first, so that
    whoever gains by a place loses by the other. window: candidates in one prompt at most, 2 or more.
    """

    passes: int
    window: int

    def answer(self, item: TeacherItem, ask: Ask) -> TeacherAnswer:
        """The order in which all passes agree most, with what all of them took.

        ask: answers an item whose candidates are all to be shown, numbered as shown. The confidence is
        the share of pairs on which two passes agree; of one pass it is what the model says. One prompt
        without an order is an abstention of the whole, with the cause.
        """
        asked = _Asked(item, ask)
        try:
            orders = [self._one(sequence, asked) for sequence in sequences(item, self.passes)]
        except _SilentError:
            return asked.together(None)
        return asked.together(orders)

    def _one(self, sequence: Sequence[int], asked: "_Asked") -> Order:
        """The order by one sequence of the candidates, which are numbered from 1."""
        if len(sequence) <= self.window:
            return asked.about(sequence)
        flat = windowed(sequence, self.window, lambda part: _flat(asked.about(part)))
        return tuple((one,) for one in flat)


def sequences(item: TeacherItem, passes: int) -> Iterator[list[int]]:
    """So many sequences of the numbers of the item's candidates, each second one the reverse of the one
    before; the same for the same texts, so that an answer may be kept.
    """
    said = "\x00".join([item.text, *item.candidates]).encode("utf-8", "surrogatepass")
    rng = np.random.default_rng(list(hashlib.sha256(said).digest()))
    last: list[int] = []
    for number in range(passes):
        if number % 2:
            last = last[::-1]
        else:
            last = [int(one) + 1 for one in rng.permutation(len(item.candidates))]
        yield last


def windowed(
    items: Sequence[int], window: int, rank: Callable[[Sequence[int]], Sequence[int]]
) -> list[int]:
    """All items from best to worst, where `rank` orders `window` of them at most.

    The window goes from the tail to the head by half its length and carries the best ones forward; what
    then stands in the first half is settled, and the rest is gone through again. Exact where `rank` is,
    which is called `reads(n, window)` times.
    """
    step = max(window // 2, 1)
    left, settled = list(items), list[int]()
    while left:
        end = len(left)
        while True:
            start = max(end - window, 0)
            left[start:end] = rank(left[start:end])
            if start == 0:
                break
            end -= step
        done = len(left) if len(left) <= window else step
        settled += left[:done]
        left = left[done:]
    return settled


def reads(count: int, window: int) -> int:
    """Windows that `windowed` takes for so many items: 1 + ⌈(n - window) / step⌉ in a round over n, with
    step = window // 2 fewer items each round.
    """
    step, found = max(window // 2, 1), 1
    while count > window:
        found += 1 + -(-(count - window) // step)
        count -= step
    return found


def settle(orders: Sequence[Order]) -> Order:
    """By how many others each candidate beats less those that beat it, over all orders; equal where that
    is. Source: Borda 1781.
    """
    if len(orders) == 1:
        return orders[0]
    points = sum(_points(order) for order in orders)
    return tuple(
        tuple(int(one) + 1 for one in np.flatnonzero(points == worth))
        for worth in np.unique(points)[::-1]
    )


@dataclass
class _Asked:
    """What the prompts about one item's candidates said and took."""

    item: TeacherItem
    ask: Ask
    answers: list[TeacherAnswer] = field(default_factory=list)

    def about(self, shown: Sequence[int]) -> Order:
        """The order of these candidates, by their numbers in the item. Raises _SilentError."""
        texts = tuple(self.item.candidates[one - 1] for one in shown)
        answer = self.ask(replace(self.item, candidates=texts))
        self.answers.append(answer)
        if answer.order is None:
            raise _SilentError
        return tuple(tuple(sorted(shown[one - 1] for one in group)) for group in answer.order)

    def together(self, orders: Sequence[Order] | None) -> TeacherAnswer:
        """One answer with the sums of what all took; without orders an abstention for the last cause."""
        last = self.answers[-1]
        flags = {flag for answer in self.answers for flag in answer.flags}
        if not all("cached" in answer.flags for answer in self.answers):
            flags.discard("cached")
        whole = replace(
            last,
            flags=tuple(sorted(flags)),
            tokens_in=sum(answer.tokens_in for answer in self.answers),
            tokens_out=sum(answer.tokens_out for answer in self.answers),
            money=sum(answer.money for answer in self.answers),
            seconds=sum(answer.seconds for answer in self.answers),
        )
        if orders is None:
            return whole
        stated = [answer.confidence for answer in self.answers if answer.confidence is not None]
        said = replace(whole, order=settle(orders), confidence=min(stated, default=None))
        if len(orders) == 1:
            return said
        steady, confidence = agreement(orders)
        return replace(said, steady=steady, confidence=confidence)


def agreement(orders: Sequence[Order]) -> tuple[float, float]:
    """How far passes agree, each two that show the candidates in reverse: -1 … 1 the mean tau-b, and
    0 … 1 the share of pairs that stand the same way round, half where one alone finds a tie.
    """
    values = [{"order": [list(group) for group in order]} for order in orders]
    first, second = values[:-1:2], values[1::2]
    right = right_pairs(first, second)
    taus = [tau_b(one, other) for one, other in zip(first, second, strict=True)]
    return float(np.mean(taus)), float(right[:, 0].sum() / max(right[:, 1].sum(), 1))


def _flat(order: Order) -> list[int]:
    return [one for group in order for one in group]


def _points(order: Order) -> NDArray[np.int64]:
    """(m,) of each candidate: the others below it less those above it."""
    places = places_of(order)
    apart: NDArray[np.int64] = np.sign(places[None, :] - places[:, None]).sum(axis=1)
    return apart
