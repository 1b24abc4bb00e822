"""From what a teacher says of its confidence to how often it is right, on audited answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.teachers.platt import Pairs, Platt, fit_platt, log_odds
from learning.teachers.types import TeacherAnswer, TeacherItem, TeacherSchema, confidence_of
from learning.types import Floats, require

NOTHING = ("N/A", "[MASK]", "…")
"""Texts without content (Zhao et al. 2021): what is answered to them is the teacher's prior."""

FEWEST = 30


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How a teacher's confidence is to be read. Parts that could not be fitted are None.

    stated: for answers with a confidence (several labels: for each probability).
    agreed: for answers without one, by the share of other voices that agree.
    prior: (k,) probabilities of content-free texts that `stated` was fitted with, or None.
    answers: how many audited answers it rests on.
    """

    stated: Platt | None
    agreed: Platt | None
    prior: tuple[float, ...] | None
    answers: int

    def to_json(self) -> dict[str, Any]:
        """For a row; `from_json` reads it again."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Calibration":
        """What `to_json` gave, also after a way through a file or a database."""

        def platt(found: Mapping[str, Any] | None) -> Platt | None:
            if found is None:
                return None
            weights = tuple((float(a), float(b), float(c)) for a, b, c in found["weights"])
            return Platt(groups=tuple(found["groups"]), weights=weights)

        prior = kept["prior"]
        return cls(
            stated=platt(kept["stated"]),
            agreed=platt(kept["agreed"]),
            prior=None if prior is None else tuple(map(float, prior)),
            answers=int(kept["answers"]),
        )

    def confidence(
        self, answer: TeacherAnswer, schema: TeacherSchema, agreement: float | None = None
    ) -> float | None:
        """How likely the answer is right, 0 … 1; None where nothing can be said.

        agreement: the share of other voices that gave the same label (`agreement`), or None.
        """
        p = self.probabilities(answer, schema, agreement)
        if p is None or answer.probabilities is None:
            return None
        if schema.multi_label:
            spoken = p if answer.known is None else p[answer.known]
            return confidence_of(spoken, multi_label=True)
        return float(p[int(answer.probabilities.argmax())])

    def apply(
        self, answer: TeacherAnswer, schema: TeacherSchema, agreement: float | None = None
    ) -> TeacherAnswer:
        """The answer with calibrated probabilities and confidence, or as it was where nothing can
        be said. A label that is wrong more often than right may lose its place.
        """
        p = self.probabilities(answer, schema, agreement)
        if p is None:
            return answer
        confidence = self.confidence(answer, schema, agreement)
        flags = (*answer.flags, "calibrated")
        return replace(answer, probabilities=p, confidence=confidence, flags=flags)

    def probabilities(
        self, answer: TeacherAnswer, schema: TeacherSchema, agreement: float | None = None
    ) -> NDArray[np.float32] | None:
        """(k,) calibrated, or None for an abstention and where nothing can be said."""
        p = answer.probabilities
        if p is None:
            return None
        if schema.multi_label:
            return self._several(answer, p)
        top = np.array([int(p.argmax())])
        if answer.confidence is not None:
            sure = _read(self.stated, top, answer.confidence, self.prior)
        else:
            sure = None if agreement is None else _read(self.agreed, top, agreement, None)
        return None if sure is None else _moved(p, int(top[0]), sure)

    def _several(self, answer: TeacherAnswer, p: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if self.stated is None:
            return None
        columns = np.arange(len(p))
        prior = None if self.prior is None else log_odds(np.array(self.prior))
        found = self.stated.confidence(columns, log_odds(p), prior).astype(np.float32)
        return found if answer.known is None else np.where(answer.known, found, np.float32(0))


def calibrate(
    answers: Sequence[TeacherAnswer],
    truth: Floats,
    schema: TeacherSchema,
    *,
    nothing: Floats | None = None,
    agreements: Sequence[float | None] | None = None,
    fewest: int = FEWEST,
) -> Calibration:
    """Fit on a teacher's answers to audited items.

    truth: (a, k) ones at the labels of each answered item; abstentions are left out.
    nothing: (k,) what the teacher answers to texts without content (`prior_of`), or None.
    agreements: for each answer the share of other voices that gave the same label, or None.
    Answers with a confidence and answers without one are calibrated apart, each when there are at
    least `fewest`; NotEnoughDataError when neither has as many.
    """
    require(truth.shape == (len(answers), schema.size), "Each answer needs one row of truth.")
    shares = [None] * len(answers) if agreements is None else list(agreements)
    require(len(shares) == len(answers), "Each answer needs one agreement, or None.")
    given = [row for row, answer in enumerate(answers) if answer.probabilities is not None]
    frequency = truth[given].sum(axis=0).round().astype(np.int64)
    stated = _stated(answers, truth, schema, nothing)
    agreed = _agreed(answers, shares, truth, schema)
    fitted = [
        fit_platt(pairs, frequency, fewest=fewest) if count >= fewest else None
        for pairs, count in (stated, agreed)
    ]
    if fitted == [None, None]:
        raise NotEnoughDataError(
            f"Calibration needs at least {fewest} audited answers of one kind; this teacher has "
            f"{stated[1]} with a confidence and {agreed[1]} without one but with other voices."
        )
    return Calibration(
        stated=fitted[0],
        agreed=fitted[1],
        prior=None if nothing is None or fitted[0] is None else tuple(map(float, nothing)),
        answers=(stated[1] if fitted[0] else 0) + (agreed[1] if fitted[1] else 0),
    )


def content_free_items(start: int) -> list[TeacherItem]:
    """Items without content, numbered from `start`, which no real item must have."""
    return [TeacherItem(number=start + n, text=text) for n, text in enumerate(NOTHING)]


def prior_of(answers: Sequence[TeacherAnswer]) -> NDArray[np.float32] | None:
    """(k,) mean of the answers to items without content; None when all of them are abstentions."""
    given = [answer.probabilities for answer in answers if answer.probabilities is not None]
    return np.mean(given, axis=0).astype(np.float32) if given else None


def agreement(answer: TeacherAnswer, others: Sequence[TeacherAnswer]) -> float | None:
    """Smoothed share of other voices with the same likeliest label; None when nobody else spoke.

    One more voice for and one against are lent, so that two of two is not certainty.
    """
    spoke = [other.probabilities for other in others if other.probabilities is not None]
    if answer.probabilities is None or not spoke:
        return None
    top = int(answer.probabilities.argmax())
    return (sum(int(p.argmax()) == top for p in spoke) + 1) / (len(spoke) + 2)


def _stated(
    answers: Sequence[TeacherAnswer], truth: Floats, schema: TeacherSchema, nothing: Floats | None
) -> tuple[Pairs, int]:
    """Pairs of answers that state a confidence, and how many answers those are."""
    label, value, right, count = [], [], [], 0
    for row, answer in enumerate(answers):
        p = answer.probabilities
        if p is None or (answer.confidence is None and not schema.multi_label):
            continue
        count += 1
        if schema.multi_label:
            columns = np.arange(len(p)) if answer.known is None else np.flatnonzero(answer.known)
            label += [int(c) for c in columns]
            value += [float(p[c]) for c in columns]
        else:
            label.append(int(p.argmax()))
            value.append(float(answer.confidence or 0))
            columns = np.array(label[-1:])
        right += [bool(truth[row, c] > 0.5) for c in columns]
    prior = None if nothing is None else log_odds(np.asarray(nothing))[np.array(label, dtype=int)]
    return _pairs(label, value, right, prior), count


def _agreed(
    answers: Sequence[TeacherAnswer],
    shares: Sequence[float | None],
    truth: Floats,
    schema: TeacherSchema,
) -> tuple[Pairs, int]:
    label, value, right = [], [], []
    for row, (answer, share) in enumerate(zip(answers, shares, strict=True)):
        p = answer.probabilities
        if p is None or share is None or answer.confidence is not None or schema.multi_label:
            continue
        label.append(int(p.argmax()))
        value.append(float(share))
        right.append(bool(truth[row, label[-1]] > 0.5))
    return _pairs(label, value, right, None), len(label)


def _pairs(
    label: list[int], value: list[float], right: list[bool], prior: NDArray[np.float64] | None
) -> Pairs:
    return Pairs(
        label=np.array(label, dtype=np.int64),
        score=log_odds(np.array(value)),
        right=np.array(right, dtype=np.bool_),
        prior=prior,
    )


def _read(
    platt: Platt | None, top: NDArray[np.int64], value: float, prior: tuple[float, ...] | None
) -> float | None:
    if platt is None:
        return None
    given = None if prior is None else log_odds(np.array(prior))[top]
    return float(platt.confidence(top, log_odds(np.array([value])), given)[0])


def _moved(p: NDArray[np.float32], top: int, sure: float) -> NDArray[np.float32]:
    """`sure` on the label that was said, the rest on the others as they were among themselves."""
    others = p.astype(np.float64)
    others[top] = 0
    if len(p) == 1:
        return np.ones(1, dtype=np.float32)
    if others.sum() <= 0:
        others[:] = 1
        others[top] = 0
    moved = (1 - sure) * others / others.sum()
    moved[top] = sure
    return np.asarray(moved, dtype=np.float32)
