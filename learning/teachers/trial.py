"""One pass of gold items through a teacher, and how two passes differ.

Unlike `asking.ask` this never refuses what a teacher returns: it counts it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.metrics import wilson
from learning.spans.scores import exact_f1
from learning.teachers.limits import Stopped
from learning.teachers.threads import in_threads
from learning.teachers.types import Example, Teacher, TeacherAnswer, TeacherSchema
from learning.types import Floats, Report, no_report

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.teachers.types import TeacherItem

Said = frozenset[Any]
THIRDS = ("first", "middle", "last")
CHANCE = 0.05  # of a sentence on places, in a whole test of a teacher for which they are all alike


@dataclass(frozen=True, kw_only=True)
class Share:
    """`count` of `n`, with a Wilson interval; it is wide enough for a sum of `n` parts in 0 … 1, too."""

    count: float
    n: int
    confidence: float = 0.95

    @property
    def value(self) -> float:
        """0 … 1; 0 of nothing."""
        return self.count / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return wilson(self.count, self.n, self.confidence)[0]

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return wilson(self.count, self.n, self.confidence)[1]

    @property
    def percent(self) -> str:
        """For a sentence: value and interval."""
        return f"{100 * self.value:.0f} % ({100 * self.low:.0f}–{100 * self.high:.0f} %)"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One prompt's worth of items. answers: by number, the first for each item that was asked."""

    items: "tuple[TeacherItem, ...]"
    answers: dict[int, TeacherAnswer]
    missing: int
    invented: int
    twice: int

    @property
    def money(self) -> float:
        """What all answers cost."""
        return sum(answer.money for answer in self.answers.values())

    @property
    def tokens(self) -> int:
        """In and out."""
        return sum(answer.tokens_in + answer.tokens_out for answer in self.answers.values())

    @property
    def seconds(self) -> float:
        """The time of all answers."""
        return sum(answer.seconds for answer in self.answers.values())


@dataclass(frozen=True, kw_only=True)
class Trial:
    """All gold items, asked once. said: number -> what was said (`said_of`), None where nothing was;
    right: number -> 1 or 0, where spans are marked the F1 with the true ones; third: number -> 0 first, 1 middle, 2 last of its prompt.
    """

    asked: tuple[Asked, ...]
    said: dict[int, Said | None]
    right: dict[int, float]
    third: dict[int, int]

    @classmethod
    def of(
        cls,
        teacher: Teacher,
        gold: Sequence[Example],
        schema: TeacherSchema,
        size: int,
        examples: Sequence[Example] = (),
        *,
        at_once: int = 1,
        report: Report = no_report,
    ) -> "Trial":
        """Ask in prompts of `size` items; the last one is filled up from the start, uncounted.

        at_once: prompts under way at a time, in threads of their own when there are several.
        report: called with (items asked, items to ask).
        """
        prompts = [_prompt(gold, start, size) for start in range(0, len(gold), size)]
        asked = _ask_all(teacher, prompts, schema, examples, at_once, report)
        said: dict[int, Said | None] = {}
        third: dict[int, int] = {}
        for start, part in zip(range(0, len(gold), size), asked, strict=True):
            for place, example in enumerate(gold[start : start + size]):
                number = example.item.number
                said[number] = said_of(part.answers.get(number), schema)
                third[number] = min(2, 3 * place // size) if size > 2 else 0
        right = {e.item.number: rightness(said[e.item.number], e, schema) for e in gold}
        return cls(asked=tuple(asked), said=said, right=right, third=third)

    def right_in(self, third: int) -> dict[int, float]:
        """How right it is on the items that stood in one third of a prompt, by number."""
        return {n: right for n, right in self.right.items() if self.third[n] == third}

    def abstained(self) -> dict[int, float]:
        """1 where it abstained, else 0, by number; an answer that is missing is no abstention."""
        said = [part.answers.get(number) for part in self.asked for number in _numbers(part)]
        own = [a for a in said if a is not None and a.number in self.said]
        silent = {a.number for a in own if a.probabilities is None}
        return {number: float(number in silent) for number in self.said}

    def nothing_said(self) -> dict[int, float]:
        """1 where nothing was said, or nothing marked, else 0, by number."""
        return {number: float(not said) for number, said in self.said.items()}


def labels_of(answer: TeacherAnswer | None, schema: TeacherSchema) -> frozenset[int] | None:
    """The label ids that an answer gives, None when there is none."""
    if answer is None or answer.probabilities is None:
        return None
    p = answer.probabilities
    if schema.multi_label:
        return frozenset(schema.ids[int(column)] for column in np.flatnonzero(p > 0.5))
    return frozenset({schema.ids[int(p.argmax())]})


def said_of(answer: TeacherAnswer | None, schema: TeacherSchema) -> Said | None:
    """All that an answer says: its spans with label ids where spans are marked, else its label ids."""
    if not schema.quoted or answer is None or answer.spans is None:
        return labels_of(answer, schema)
    return frozenset(span._replace(label=schema.ids[span.label]) for span, _ in answer.spans)


def truth_of(gold: Example, schema: TeacherSchema) -> Said:
    """What is true of a gold item, as `said_of` has it."""
    return frozenset(gold.spans if schema.quoted else gold.labels)


def rightness(said: Said | None, gold: Example, schema: TeacherSchema) -> float:
    """1 for the true answer, else 0; where spans are marked their F1."""
    if schema.quoted and said is not None:
        return exact_f1(sorted(said), sorted(truth_of(gold, schema)))
    return int(said == truth_of(gold, schema))


def flips(one: Trial, two: Trial) -> dict[int, float]:
    """1 where the labels differ between two trials, else 0, by number."""
    return {n: float(one.said[n] != two.said[n]) for n in one.said}


def compare(base: Sequence[Trial], other: Sequence[Trial]) -> tuple[float, float]:
    """(right in `base` minus right in `other`, its standard error), paired by item."""
    numbers = list(base[0].right)
    before = np.mean([[trial.right[n] for n in numbers] for trial in base], axis=0)
    after = np.mean([[trial.right[n] for n in numbers] for trial in other], axis=0)
    return paired(before - after)


def paired(differences: Floats) -> tuple[float, float]:
    """(mean, standard error) of (n,) differences in -1 … 1 of the same items.

    Two items are lent whose differences are as large as those of half an item lost and half gained,
    so that no difference at all in few items is not taken for proof. Source: Agresti, Min 2005.
    """
    n = len(differences) + 2
    mean = float(differences.sum()) / n
    variance = (float((differences**2).sum()) + 1) / n - mean**2
    return mean, math.sqrt(variance / n)


def place_effect(alone: Sequence[Trial], trials: Sequence[Trial], sizes: int) -> str:
    """The end of a sentence when items do worse in one third of a prompt, "" when that is not clear.

    Each item is held against itself, asked alone; sizes: how many numbers of items per prompt are
    tried, since each might show an effect by chance.
    """
    numbers = list(trials[0].right)
    before = np.mean([[trial.right[n] for n in numbers] for trial in alone], axis=0)
    lost = before - np.array([[trial.right[n] for n in numbers] for trial in trials])
    thirds = np.array([[trial.third[n] for n in numbers] for trial in trials])
    pairs = [(worse, than) for worse in range(3) for than in range(3) if worse != than]
    found = {pair: _between(lost, thirds, *pair) for pair in pairs}
    worse, than = max(found, key=lambda pair: found[pair][0] / found[pair][1])
    more, spread = found[worse, than]
    if more <= NormalDist().inv_cdf(1 - CHANCE / (len(pairs) * sizes)) * spread:
        return ""
    return (
        f"items in the {THIRDS[worse]} third do worse: against what they are alone they lose "
        f"{100 * more:.0f} points more than those in the {THIRDS[than]} third."
    )


def _between(
    lost: Floats, thirds: "NDArray[np.int64]", worse: int, than: int
) -> tuple[float, float]:
    """(how much more is lost in one third than in another, its standard error).

    (t, n) losses and thirds of n items in t trials: an item that stood in both is one observation.
    Each third is lent an item that says nothing, as in `paired`.
    """
    here, there = thirds == worse, thirds == than
    if not here.any() or not there.any():
        return 0.0, 1.0
    weights = here / here.sum() - there / there.sum()
    by_item = ((lost - lost.mean()) * weights).sum(axis=0)
    lent = 1 / here.sum() ** 2 + 1 / there.sum() ** 2
    return float((lost * weights).sum()), math.sqrt(float((by_item**2).sum() + lent))


def _prompt(gold: Sequence[Example], start: int, size: int) -> "list[TeacherItem]":
    own = gold[start : start + size]
    return [example.item for example in (*own, *gold[: size - len(own)])]


def _ask_all(
    teacher: Teacher,
    prompts: "Sequence[Sequence[TeacherItem]]",
    schema: TeacherSchema,
    examples: Sequence[Example],
    at_once: int,
    report: Report,
) -> list[Asked]:
    """One `Asked` for each prompt, in their order."""
    total = sum(map(len, prompts))
    found: dict[int, Asked] = {}

    def note(place: int, part: Asked) -> None:
        found[place] = part
        report(sum(len(one.items) for one in found.values()), total)

    if at_once == 1:
        for place, items in enumerate(prompts):
            note(place, _ask(teacher, items, schema, examples))
    else:

        def work(place: int, stopped: Stopped) -> list[tuple[int, Asked]]:
            return [(place, _ask(teacher, prompts[place], schema, examples))]

        def wait(done: int, of: int) -> None:
            report(sum(len(one.items) for one in found.values()), total)

        for place, part in in_threads(work, range(len(prompts)), at_once, wait, len(prompts)):
            note(place, part)
    return [found[place] for place in range(len(prompts))]


def _ask(
    teacher: Teacher,
    items: "Sequence[TeacherItem]",
    schema: TeacherSchema,
    examples: Sequence[Example],
) -> Asked:
    wanted = {item.number for item in items}
    answers: dict[int, TeacherAnswer] = {}
    invented = twice = 0
    for answer in teacher.annotate(items, schema, examples, no_report):
        if answer.number not in wanted:
            invented += 1
        elif answer.number in answers:
            twice += 1
        else:
            answers[answer.number] = answer
    return Asked(
        items=tuple(items),
        answers=answers,
        missing=len(wanted) - len(answers),
        invented=invented,
        twice=twice,
    )


def _numbers(part: Asked) -> list[int]:
    return [item.number for item in part.items]
