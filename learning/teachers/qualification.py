"""Is a teacher good enough to label, and how many items may one prompt hold? Found by asking it.

Gold items of the project are asked alone, in batches of growing size and in two orders. Source: Kwan
et al. 2024 (M4LE: short items put together until a length is reached, under random ids).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.trial import Asked, Share, Trial, compare, flips, place_effect, truth_of
from learning.teachers.types import Example, Teacher, TeacherItem, TeacherSchema
from learning.types import Report, no_report, require

TeacherOfSize = Callable[[int], Teacher]
"""`make(size)`: the teacher that puts up to `size` items into one prompt."""

Verdict = Literal["safe", "unsafe", "unsure"]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What happened at one number of items per prompt.

    right: items answered rightly, over both orders; where spans are marked, the mean of their F1. An
    item that was asked twice is one item, right by as much as its answers are in the mean. thirds: the same
    for items that stood in the first, middle and last third of a prompt. rights: right answers in all. missing, invented, twice: answers that broke the rule
    of one for each item. loss: right alone minus right here, -1 … 1, with the interval low … high.
    places: in which third items do worse, "" when that is not clear.
    """

    size: int
    right: Share
    rights: float
    thirds: tuple[Share, Share, Share]
    abstained: Share
    missing: int
    invented: int
    twice: int
    loss: float
    low: float
    high: float
    verdict: Verdict
    money: float
    tokens: int
    seconds: float
    places: str

    @property
    def money_per_right(self) -> float | None:
        """What one right answer cost; None when none was right."""
        return self.money / self.rights if self.rights else None


@dataclass(frozen=True, kw_only=True)
class Qualification:
    """What a teacher may do, and why.

    items_per_prompt: the largest number that was safe, with all smaller ones.
    alone: items answered rightly alone. constant: the share of the commonest label in the gold.
    repeated: items whose answer changed when they were asked again alone; reordered: when their
    prompt was turned around, at the largest safe size; relabelled: when the labels were listed in
    the opposite order. abstained: on gold items; abstained_on_nothing: on items that have no answer, in
        which nothing is marked where answers are spans.
    sentences: what a lead should know, the reasons first.
    """

    qualified: bool
    items_per_prompt: int
    arms: tuple[Arm, ...]
    alone: Share
    constant: float
    repeated: Share
    reordered: Share | None
    relabelled: Share
    abstained: Share
    abstained_on_nothing: Share | None
    sentences: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Qualify:
    """How a teacher is tried.

    sizes: items per prompt, rising, the first is 1. tolerance: the loss of accuracy that a larger
    prompt may have. confidence: of the one-sided bound on that loss, and of all intervals.
    fewest: gold items without which nothing can be told.
    """

    sizes: tuple[int, ...] = (1, 5, 10, 20, 40)
    tolerance: float = 0.02
    confidence: float = 0.9
    fewest: int = 30

    def __post_init__(self) -> None:
        if self.sizes[:1] != (1,) or list(self.sizes) != sorted(set(self.sizes)):
            raise ParameterError("Sizes of prompts rise and begin with 1.")
        if self.tolerance <= 0 or not 0.5 < self.confidence < 1 or self.fewest < 2:
            raise ParameterError(
                "A trial needs a tolerance above 0, a confidence between 0.5 and 1, and gold items."
            )

    def reads(self, gold: int, nothing: int = 0) -> int:
        """How many items are asked at most: what a trial costs before it starts."""
        in_prompts = sum(2 * size * -(-gold // size) for size in self._larger(gold))
        return 3 * gold + nothing + in_prompts

    def run(
        self,
        make: TeacherOfSize,
        gold: Sequence[Example],
        schema: TeacherSchema,
        rng: np.random.Generator,
        *,
        nothing: Sequence[TeacherItem] = (),
        examples: Sequence[Example] = (),
        at_once: int = 1,
        report: Report = no_report,
    ) -> Qualification:
        """Try the teacher on gold items (distinct, at least `fewest`) and on items without an answer.

        Stops at the first size that is not safe. The generator draws the order. at_once: prompts
        under way at a time; `make` is called once for each pass over the items.
        """
        self._check(gold)
        order = [gold[int(row)] for row in rng.permutation(len(gold))]
        total, before = self.reads(len(gold), len(nothing)), 0

        def told(done: int, _: int) -> None:
            report(min(before + done, total), total)

        def trial(size: int, asked: Sequence[Example], over: TeacherSchema = schema) -> Trial:
            nonlocal before
            found = Trial.of(make(size), asked, over, size, examples, at_once=at_once, report=told)
            before += sum(len(part.items) for part in found.asked)
            return found

        first, again = trial(1, order), trial(1, order)
        turned = trial(1, order, _turned(schema))
        arms = [self._arm(1, [first, again], first, again)]
        reordered = flips(first, again)
        for size in self._larger(len(gold)):
            forth, back = trial(size, order), trial(size, _reversed_in_parts(order, size))
            arms.append(self._arm(size, [forth, back], first, again))
            if arms[-1].verdict != "safe":
                break
            reordered = flips(forth, back)
        silent = trial(1, [Example(item=item, labels=()) for item in nothing])
        report(total, total)
        return self._verdict(arms, order, (first, again, turned, silent), reordered, schema)

    def _check(self, gold: Sequence[Example]) -> None:
        if len(gold) < self.fewest:
            raise NotEnoughDataError(
                f"A teacher is tried on at least {self.fewest} items with known answers; there are "
                f"{len(gold)}."
            )
        numbers = {example.item.number for example in gold}
        require(len(numbers) == len(gold), "Two gold items have the same number.")

    def _arm(self, size: int, trials: Sequence[Trial], first: Trial, again: Trial) -> Arm:
        asked: list[Asked] = [part for trial in trials for part in trial.asked]
        loss, spread = compare([first, again], trials)
        reach = NormalDist().inv_cdf(self.confidence) * spread
        low, high = loss - reach, loss + reach
        verdict: Verdict = "unsure"
        if size == 1 or high <= self.tolerance:
            verdict = "safe"
        elif low > self.tolerance:
            verdict = "unsafe"
        return Arm(
            size=size,
            right=self._share(*(trial.right for trial in trials)),
            rights=sum(sum(trial.right.values()) for trial in trials),
            thirds=tuple(self._share(*(t.right_in(third) for t in trials)) for third in range(3)),  # type: ignore[arg-type]
            abstained=self._share(*(trial.abstained() for trial in trials)),
            missing=sum(part.missing for part in asked),
            invented=sum(part.invented for part in asked),
            twice=sum(part.twice for part in asked),
            loss=loss,
            low=low,
            high=high,
            verdict=verdict,
            money=sum(part.money for part in asked),
            tokens=sum(part.tokens for part in asked),
            seconds=sum(part.seconds for part in asked),
            places=place_effect(
                [first, again], trials, max(len(self._larger(len(first.right))), 1)
            ),
        )

    def _larger(self, gold: int) -> list[int]:
        """The numbers of items per prompt, above one, that can be tried on so many gold items."""
        return [size for size in self.sizes[1:] if size <= gold]

    def _share(self, *passes: Mapping[int, float]) -> Share:
        """The mean over items of what they are (0 … 1, by number) in one or several passes. Two
        answers to one item hang together, so it counts once, by their mean."""
        told: dict[int, list[float]] = {}
        for each in passes:
            for number, value in each.items():
                told.setdefault(number, []).append(value)
        means = [sum(values) / len(values) for values in told.values()]
        return Share(count=sum(means), n=len(means), confidence=self.confidence)

    def _verdict(
        self,
        arms: Sequence[Arm],
        gold: Sequence[Example],
        trials: tuple[Trial, Trial, Trial, Trial],
        reordered: Mapping[int, float],
        schema: TeacherSchema,
    ) -> Qualification:
        first, again, turned, silent = trials
        safe = [arm for arm in arms if arm.verdict == "safe"]
        alone, constant = self._share(first.right), _commonest(gold, schema)
        repeated, relabelled = (
            self._share(flips(first, again)),
            self._share(flips(first, turned)),
        )
        shuffled = self._share(reordered) if len(safe) > 1 else None
        spoke = silent.nothing_said() if schema.quoted else silent.abstained()
        on_nothing = self._share(spoke) if silent.asked else None
        qualified = alone.low > constant
        sentences = [_alone_sentence(alone, constant, schema)]
        if not qualified:
            sentences.append("It is not shown to be better than that, so it may not label yet.")
        sentences += _size_sentences(arms, self.tolerance)
        sentences += _order_sentences(repeated, shuffled, relabelled)
        if on_nothing is not None and on_nothing.n:
            did = "marked nothing in" if schema.quoted else "abstained on"
            sentences.append(
                f"It {did} {on_nothing.percent} of {on_nothing.n} items without an answer."
            )
        return Qualification(
            qualified=qualified,
            items_per_prompt=safe[-1].size,
            arms=tuple(arms),
            alone=alone,
            constant=constant,
            repeated=repeated,
            reordered=shuffled,
            relabelled=relabelled,
            abstained=self._share(first.abstained()),
            abstained_on_nothing=on_nothing,
            sentences=tuple(sentences),
        )


def _turned(schema: TeacherSchema) -> TeacherSchema:
    """The same schema with its labels in the opposite order."""
    return replace(schema, labels=schema.labels[::-1])


def _reversed_in_parts(order: Sequence[Example], size: int) -> list[Example]:
    """Each prompt's items the other way round, so that the first becomes the last."""
    return [e for start in range(0, len(order), size) for e in order[start : start + size][::-1]]


def _commonest(gold: Sequence[Example], schema: TeacherSchema) -> float:
    """The share of gold items that the best constant answer gets right; of spans none is the only one."""
    answers = [truth_of(example, schema) for example in gold]
    if schema.quoted:
        return sum(not answer for answer in answers) / len(answers)
    return max(answers.count(answer) for answer in set(answers)) / len(answers)


def _alone_sentence(alone: Share, constant: float, schema: TeacherSchema) -> str:
    if schema.quoted:
        return (
            f"Asked alone, its marks meet those of {alone.n} gold items with an F1 of {alone.percent} in "
            f"the mean; marking nothing would give {100 * constant:.0f} %."
        )
    return (
        f"Asked alone, it is right on {alone.percent} of {alone.n} gold items; always giving the "
        f"commonest answer would be right on {100 * constant:.0f} %."
    )


def _size_sentences(arms: Sequence[Arm], tolerance: float) -> list[str]:
    said = []
    for arm in arms[1:]:
        if arm.missing + arm.invented + arm.twice:
            said.append(
                f"With {arm.size} items in a prompt it left out {arm.missing} answers, gave "
                f"{arm.twice} twice and {arm.invented} to items that nobody asked about."
            )
        if arm.places:
            said.append(f"With {arm.size} items in a prompt {arm.places}")
    last = arms[-1]
    if last.verdict == "unsafe":
        said.append(
            f"With {last.size} items in a prompt it loses {100 * last.loss:.1f} points, more than "
            f"the {100 * tolerance:.0f} that are allowed."
        )
    elif last.verdict == "unsure":
        said.append(
            f"Whether {last.size} items in a prompt are safe cannot be told from so few gold items: "
            f"the loss may reach {100 * last.high:.1f} points."
        )
    return said


def _order_sentences(repeated: Share, reordered: Share | None, relabelled: Share) -> list[str]:
    said = []
    if reordered is not None and reordered.low > repeated.high:
        said.append(
            f"The order of items matters: turned around, {reordered.percent} of the answers change; "
            f"asked twice the same way, {repeated.percent} do."
        )
    if relabelled.low > repeated.high:
        said.append(
            f"The order of labels matters: listed the other way round, {relabelled.percent} of the "
            f"answers change; asked twice the same way, {repeated.percent} do."
        )
    return said
