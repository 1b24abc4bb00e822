"""Which of several prompts is better: on audited items, or before there are any by agreement.

Letters: p prompts, n items.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.trial import Share, labels_of, paired
from learning.teachers.types import TeacherAnswer, TeacherSchema

Answers = Mapping[int, TeacherAnswer]
Standing = Literal["best", "as good", "worse"]

FEWEST = 20
AGREEING = 2 / 3  # of the other voices, for a pseudo-label to be called reliable


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How one prompt did.

    right: items on which it gave the known label, or the one that other voices agree on; an
    abstention is not right. behind: how far it is behind the best, in shares of the items that
    tell of both, with the interval low … high. money: per item.
    """

    name: str
    right: Share
    abstained: Share
    behind: float
    low: float
    high: float
    standing: Standing
    money: float


def compare_on_truth(
    answers: Mapping[str, Answers],
    truth: Mapping[int, frozenset[int]],
    schema: TeacherSchema,
    *,
    confidence: float = 0.95,
) -> list[Compared]:
    """Prompts by name, best first, on audited items: item number -> its label ids.

    All prompts must have answered all items (an item without an answer counts as an abstention).
    "worse" is said with the confidence shared among the prompts (Bonferroni).
    Raises NotEnoughDataError under 20 items, ParameterError for fewer than two prompts.
    """
    numbers = sorted(truth)
    table = np.array(
        [
            [float(labels_of(said.get(n), schema) == truth[n]) for n in numbers]
            for said in answers.values()
        ]
    )
    return _compared(answers, table, numbers, confidence)


def compare_on_agreement(
    answers: Mapping[str, Answers],
    schema: TeacherSchema,
    *,
    others: Sequence[Answers] = (),
    confidence: float = 0.95,
) -> list[Compared]:
    """The same before anything was audited: right is what at least two thirds of the other voices
    agree on, two of them at least. Source: own, after the idea of learning prompts from reliable
    pseudo-labels.

    A prompt's own answer never makes its pseudo-labels. others: further voices, a student's for
    example. A prompt that errs as all others do looks good here: check it on audited items.
    """
    voices = [*answers.values(), *others]
    numbers = sorted({n for said in answers.values() for n in said})
    given = [[labels_of(said.get(n), schema) for n in numbers] for said in voices]
    table = np.full((len(answers), len(numbers)), np.nan)
    for own in range(len(answers)):
        for place in range(len(numbers)):
            spoken = [given[v][place] for v in range(len(voices)) if v != own]
            label = _agreed([labels for labels in spoken if labels is not None])
            if label is not None:
                table[own, place] = float(given[own][place] == label)
    return _compared(answers, table, numbers, confidence)


def _agreed(spoken: Sequence[frozenset[int]]) -> frozenset[int] | None:
    if len(spoken) < 2:
        return None
    label, count = Counter(spoken).most_common(1)[0]
    return label if count >= AGREEING * len(spoken) else None


def _compared(
    answers: Mapping[str, Answers],
    table: NDArray[np.float64],
    numbers: Sequence[int],
    confidence: float,
) -> list[Compared]:
    if len(answers) < 2:
        raise ParameterError("Prompts are compared from two on.")
    told = np.isfinite(table)
    if not len(numbers) or int(told.sum(axis=1).min()) < FEWEST:
        raise NotEnoughDataError(
            f"Prompts are compared on at least {FEWEST} items with an answer to compare with; there "
            f"are {int(told.sum(axis=1).min()) if len(numbers) else 0}."
        )
    shares = np.nanmean(table, axis=1)
    best = int(shares.argmax())
    reach = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * max(1, len(answers) - 1)))
    found = []
    for row, (name, said) in enumerate(answers.items()):
        both = told[best] & told[row]
        behind, spread = paired(table[best, both] - table[row, both])
        behind, spread = (0.0, 0.0) if row == best else (behind, spread)
        low, high = behind - reach * spread, behind + reach * spread
        standing: Standing = "best" if row == best else ("worse" if low > 0 else "as good")
        mine = [said[n] for n in numbers if n in said]
        silent = sum(a.probabilities is None for a in mine) + len(numbers) - len(mine)
        found.append(
            Compared(
                name=name,
                right=Share(count=int(np.nansum(table[row])), n=int(told[row].sum())),
                abstained=Share(count=silent, n=len(numbers)),
                behind=behind,
                low=low,
                high=high,
                standing=standing,
                money=sum(a.money for a in mine) / len(numbers),
            )
        )
    return sorted(found, key=lambda c: (c.standing != "best", -c.right.value, c.name))
