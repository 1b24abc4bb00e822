"""Several teachers as one: their answers combined by what audits say of each."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.asking import ask, check_items
from learning.teachers.skill import Skill, beliefs, knows, shares_of, skill_of
from learning.teachers.types import (
    Example,
    Means,
    Member,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    confidence_of,
    needed,
)
from learning.types import Bools, Floats, Report, require

Heard = Mapping[str, TeacherAnswer]
"""What the members said about one item, by name."""

SHARPNESSES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
LEAST_INFORMATION = 1e-6


@dataclass(frozen=True, kw_only=True)
class Committee:
    """Pool the answers of several teachers in log space, each read through its audited confusion
    and weighted by what it tells. Source: Genest, Zidek 1986 (logarithmic opinion pool); Dawid,
    Skene 1979 (confusion).

    quorum: members that must answer; with fewer the committee abstains.
    smoothing: audited items lent to each row of a member's confusion.
    sharpness: 1 treats the members as one voice that is never surer than they are; larger values
        suit members that err apart (`fit_sharpness`); what it is lent comes on top.
    """

    needs: ClassVar[tuple[str, ...]] = ("members",)

    quorum: int = 2
    smoothing: float = 4.0
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        if self.quorum < 1 or self.smoothing <= 0 or self.sharpness <= 0:
            raise ParameterError(
                "A committee needs a quorum of at least 1, and smoothing and sharpness above 0."
            )

    def ready(self, means: Means) -> "ReadyCommittee":
        """With the members by name. Raises NotEnoughDataError when they are fewer than the quorum."""
        members = needed(means.members, "members", "committee")
        if len(members) < self.quorum:
            raise NotEnoughDataError(
                f"The committee has {len(members)} members, and {self.quorum} must answer."
            )
        settings = replace(self, sharpness=self.sharpness * means.sharpness)
        return ReadyCommittee(settings=settings, members=dict(members))


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The members' skills on one schema. shares: (q, o)."""

    skills: dict[str, Skill]
    shares: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReadyCommittee:
    """A committee with its members. Each member is asked about all items in turn."""

    settings: Committee
    members: Mapping[str, Member]
    _tables: dict[TeacherSchema, _Table] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """In the order of the items. Tokens, money and seconds are those of all members, also of
        those that abstained.
        """
        check_items(items)
        heard: dict[int, dict[str, TeacherAnswer]] = defaultdict(dict)
        total = len(self.members) * len(items)
        for place, name in enumerate(sorted(self.members)):

            def beat(done: int, _total: int, before: int = place * len(items)) -> None:
                report(before + done, total)

            for answer in ask(self.members[name].teacher, items, schema, examples, beat):
                heard[answer.number][name] = answer
        for item in items:
            yield self.combine(item.number, heard[item.number], schema)

    def combine(self, number: int, heard: Heard, schema: TeacherSchema) -> TeacherAnswer:
        """One answer from the members' answers about one item."""
        spoke = {n: heard[n] for n in sorted(heard) if heard[n].probabilities is not None}
        costs = _costs(list(heard.values()))
        if len(spoke) < self.settings.quorum:
            said = f"{len(spoke)} of {len(heard)} members answered, {self.settings.quorum} must."
            said = " ".join([said, *_silences(heard)])
            return TeacherAnswer(number=number, abstained=said, **costs)
        pooled, known = self.pool(spoke, schema, self.settings.sharpness)
        if not known.any():
            said = "No member that answered is known to be better than chance."
            return TeacherAnswer(number=number, abstained=said, **costs)
        p = (pooled[:, 1] * known if schema.multi_label else pooled[0]).astype(np.float32)
        sure = p[known] if schema.multi_label else p
        return TeacherAnswer(
            number=number,
            probabilities=p,
            known=known if schema.multi_label and not known.all() else None,
            confidence=confidence_of(sure, multi_label=schema.multi_label),
            reason=_reason(p, spoke, schema),
            **costs,
        )

    def pool(
        self, spoke: Heard, schema: TeacherSchema, sharpness: float
    ) -> tuple[NDArray[np.float64], Bools]:
        """(q, o) the pooled belief, rows sum to 1, and (q,) whether anybody told anything."""
        prior, told_more, known = self.evidence(spoke, schema)
        return _belief(prior + sharpness * told_more), known

    def evidence(
        self, spoke: Heard, schema: TeacherSchema
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], Bools]:
        """In logarithms: (q, o) how common the options are, (q, o) what the members' mean says
        beyond that; and (q,) whether anybody told anything.
        """
        table = self._table(schema)
        prior = np.log(table.shares)
        total, weights = np.zeros_like(prior), np.zeros(len(prior))
        for name, answer in spoke.items():
            skill = table.skills[name]
            weight = skill.information * knows(answer, schema)
            read = (skill.given @ beliefs(answer, schema)[:, :, None])[:, :, 0] * table.shares
            read /= read.sum(axis=1, keepdims=True)
            total += weight[:, None] * (np.log(np.maximum(read, 1e-12)) - prior)
            weights += weight
        known = weights > LEAST_INFORMATION
        return prior, total / np.where(known, weights, 1)[:, None], known

    def _table(self, schema: TeacherSchema) -> _Table:
        if schema not in self._tables:
            self._tables.clear()
            confusions = {name: member.confusion for name, member in self.members.items()}
            self._tables[schema] = _Table(
                skills={
                    name: skill_of(confusion, schema, self.settings.smoothing)
                    for name, confusion in confusions.items()
                },
                shares=shares_of(list(confusions.values()), schema),
            )
        return self._tables[schema]


def fit_sharpness(
    committee: ReadyCommittee, heard: Sequence[Heard], truth: Floats, schema: TeacherSchema
) -> float:
    """The sharpness under which what people said is likeliest, from a grid of 0.5 … 8.

    heard: what the members said about each of n audited items; truth: (n, k). Items on which
    nobody answered are left out; with none left the sharpness stays as it is.
    """
    require(truth.shape == (len(heard), schema.size), "Each item needs one row of truth.")
    spoken = [
        ({name: a for name, a in item.items() if a.probabilities is not None}, row)
        for item, row in zip(heard, truth, strict=True)
    ]
    spoken = [(item, row) for item, row in spoken if item]
    if not spoken:
        return committee.settings.sharpness

    evidences = [committee.evidence(item, schema) for item, _ in spoken]
    prior, told_more, known = (np.stack(parts) for parts in zip(*evidences, strict=True))
    rows = np.stack([row for _, row in spoken])
    true = (rows > 0.5).astype(np.int64) if schema.multi_label else rows.argmax(axis=1)[:, None]

    def surprise(sharpness: float) -> float:
        pooled = _belief(prior + sharpness * told_more)  # (n, q, o)
        likely = np.take_along_axis(pooled, true[:, :, None], axis=2)[:, :, 0]
        return -float(np.log(np.maximum(likely, 1e-12))[known].sum())

    return min(SHARPNESSES, key=lambda sharpness: (surprise(sharpness), sharpness))


def _belief(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms to shares that sum to 1 over the last axis."""
    powers = np.exp(score - score.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _silences(heard: Heard) -> list[str]:
    """Why members said nothing, each cause once and the first of those who share it named."""
    causes: dict[str, str] = {}
    for name in sorted(heard):
        if heard[name].abstained:
            causes.setdefault(heard[name].abstained, name)
    return [f"{name}: {cause}" for cause, name in causes.items()]


def _costs(answers: list[TeacherAnswer]) -> dict[str, Any]:
    return {
        "model": " + ".join(dict.fromkeys(answer.model for answer in answers if answer.model)),
        "tokens_in": sum(answer.tokens_in for answer in answers),
        "tokens_out": sum(answer.tokens_out for answer in answers),
        "money": sum(answer.money for answer in answers),
        "seconds": sum(answer.seconds for answer in answers),
        "flags": tuple(dict.fromkeys(flag for answer in answers for flag in answer.flags)),
    }


def _reason(p: NDArray[np.float32], spoke: Heard, schema: TeacherSchema) -> str:
    """Who says the same and who does not."""
    if schema.multi_label:
        chosen = p > 0.5
        same = [name for name, a in spoke.items() if np.array_equal(_yes(a) > 0.5, chosen)]
        named = ", ".join(np.array(schema.names)[chosen]) or "no label"
        return f"{len(same)} of {len(spoke)} say exactly {named}"
    top = int(p.argmax())
    said = {name: schema.names[int(_yes(answer).argmax())] for name, answer in spoke.items()}
    others = [f"{name} says {label}" for name, label in said.items() if label != schema.names[top]]
    agree = len(said) - len(others)
    return "; ".join([f"{agree} of {len(said)} say {schema.names[top]}", *others])


def _yes(answer: TeacherAnswer) -> NDArray[np.float32]:
    require(answer.probabilities is not None, "An abstention holds no belief.")
    return np.asarray(answer.probabilities)
