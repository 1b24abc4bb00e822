"""Does a teacher still answer as it did? The same gold items, asked again later."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from learning.errors import NotEnoughDataError
from learning.teachers.trial import Share, said_of, truth_of
from learning.teachers.types import Example, TeacherAnswer, TeacherSchema
from learning.types import require

FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Two replays of one gold set.

    before, now: items answered rightly. changed: items with another answer than before.
    lost, gained: items that were right and are not, and the other way round.
    chance: how likely so many more lost than gained would be if nothing had changed, 0 … 1.
    models: the ids that the model gave itself, before and now.
    alarms: what a lead must know; none means that nothing speaks for a change.
    """

    before: Share
    now: Share
    changed: Share
    lost: int
    gained: int
    chance: float
    models: tuple[tuple[str, ...], tuple[str, ...]]
    alarms: tuple[str, ...]


def drift(
    before: Mapping[int, TeacherAnswer],
    now: Mapping[int, TeacherAnswer],
    gold: Sequence[Example],
    schema: TeacherSchema,
    *,
    repeated: Share | None = None,
    confidence: float = 0.95,
) -> Drift:
    """Compare answers by item number on gold items with the same schema (at least 20).

    repeated: answers that changed when nothing had changed (`Qualification.repeated`); an alarm
        about changed answers is given only where more change than that.
    An item without an answer in one of them counts as not right. Raises NotEnoughDataError for too
    few items.
    """
    if len(gold) < FEWEST:
        raise NotEnoughDataError(
            f"Drift is looked for on at least {FEWEST} items with known answers; there are "
            f"{len(gold)}."
        )
    numbers = [example.item.number for example in gold]
    require(len(set(numbers)) == len(numbers), "Two gold items have the same number.")
    pairs = [(said_of(before.get(n), schema), said_of(now.get(n), schema)) for n in numbers]
    truths = [truth_of(example, schema) for example in gold]
    right = [(one == t, two == t) for t, (one, two) in zip(truths, pairs, strict=True)]
    lost = sum(one and not two for one, two in right)
    gained = sum(two and not one for one, two in right)

    def share(count: int) -> Share:
        return Share(count=count, n=len(gold), confidence=confidence)

    changed = share(sum(one != two for one, two in pairs))
    models = (_models(before, numbers), _models(now, numbers))
    found = Drift(
        before=share(sum(one for one, _ in right)),
        now=share(sum(two for _, two in right)),
        changed=changed,
        lost=lost,
        gained=gained,
        chance=at_least(lost, lost + gained),
        models=models,
        alarms=(),
    )
    return _with_alarms(found, repeated, 1 - confidence)


def at_least(hits: int, n: int) -> float:
    """How likely at least `hits` heads are in n throws of a fair coin (one-sided sign test)."""
    return float(sum(math.comb(n, k) for k in range(hits, n + 1)) / 2**n)


def _models(answers: Mapping[int, TeacherAnswer], numbers: Sequence[int]) -> tuple[str, ...]:
    named = {answers[n].model for n in numbers if n in answers and answers[n].model}
    return tuple(sorted(named))


def _with_alarms(found: Drift, repeated: Share | None, level: float) -> Drift:
    alarms = []
    before, now = found.models
    if before and now and before != now:
        alarms.append(
            f"The model now calls itself {', '.join(now)}, before {', '.join(before)}: it must "
            "qualify again."
        )
    if found.chance < level:
        alarms.append(
            f"It got worse: right on {found.before.percent} of the gold items before and on "
            f"{found.now.percent} now; {found.lost} were lost and {found.gained} gained."
        )
    if repeated is not None and found.changed.low > repeated.high:
        alarms.append(
            f"It answers differently: {found.changed.percent} of the answers changed; asked twice in "
            f"a row, {repeated.percent} did."
        )
    return Drift(**{**vars(found), "alarms": tuple(alarms)})
