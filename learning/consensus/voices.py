"""How likely a voice is to say what, given the truth; learnt from votes by expectation maximisation.

All of it is MAP: a voice of which little is known is taken to be like all voices together, and those,
while little is known of them, to be right in 80 % of their votes. Only items with several votes teach
anything about voices. Letters as in `heard`: q questions, n items, a voices, o options.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from learning.consensus.heard import Heard, Table
from learning.consensus.skills import DECIMALS, Skills, Voice
from learning.errors import ShapeError

ASSUMED = 0.8
# Votes that this assumption is worth for each option. Fewer let a label that hardly anybody chooses
# drift: "all say no whatever is true" explains such votes as well as "it is not there".
TYPICAL_LENT = 20.0
SHARES_LENT = 1.0  # items of each option that every question begins with
COIN_LENT = 4.0  # votes of a typical voice that each one is lent for its accuracy
STEPS = 100
SETTLED = 1e-3  # no belief moves further in a step: nothing more to learn
# A student is trusted from not at all to three times the logarithms of the odds that it states: one
# that learns from doubtful votes is far too modest.
SHARPNESSES = np.linspace(0, 3, 31)

Learn = Callable[[Heard, Table], list[Voice]]
Confusion = Callable[[Voice | None, Voice, int], Table]


@dataclass(frozen=True, kw_only=True)
class Model:
    """learn: what the voices are like under a belief (q, n, o), in the order of `heard.voices`.
    confusion: of a voice, the typical one and o: (q, o, o) by truth and answer.
    """

    learn: Learn
    confusion: Confusion


def fit(model: Model, heard: Heard) -> Skills:
    """Skills that explain the votes best; the majority is the first guess at the truth."""
    belief = heard.majority()
    sharpness = 0.0
    for _ in range(STEPS):
        skills = _learn(model, heard, belief, sharpness)
        evidence = evidence_of(model, heard, skills)
        sharpness = _sharpness(heard, skills, evidence)
        skills = replace(skills, sharpness=sharpness)
        before, belief = belief, believe(heard, skills, evidence)
        if np.abs(belief - before).max(initial=0.0) < SETTLED:
            break
    return _rounded(_learn(model, heard, belief, sharpness))


def evidence_of(model: Model, heard: Heard, skills: Skills) -> Table:
    """(q, n, o) logarithms of how likely the votes are under each truth."""
    options = heard.shape[1]
    logs = [
        np.log(np.maximum(model.confusion(skills.of(int(pk)), skills.typical, options), 1e-6))
        for pk in heard.voices
    ]
    return heard.evidence(logs.__getitem__)


def believe(heard: Heard, skills: Skills, evidence: Table) -> Table:
    """(q, n, o) what each item probably is; sums to 1 over the options."""
    return heard.corrected(_normal(_expected(heard, skills, skills.sharpness) + evidence))


def _expected(heard: Heard, skills: Skills, sharpness: float) -> Table:
    """(q, n, o) in logarithms, what to expect before any vote: common labels, and a student's word.

    With sharpness 1 the student is taken at its word, which knows what is common; with less, what is
    common makes up for it.
    """
    common = np.log(np.maximum(skills.shares, 1e-6))[:, None, :]
    if heard.student is None or heard.told is None or not sharpness:
        return np.broadcast_to(common, (len(common), heard.items, common.shape[2]))
    told = heard.told[None, :, None]
    mixed = (1 - sharpness) * common + sharpness * heard.student
    mixed = mixed - np.log(np.exp(mixed).sum(axis=2, keepdims=True))
    return np.where(told, mixed, common)


def _sharpness(heard: Heard, skills: Skills, evidence: Table) -> float:
    """Under which the votes are likeliest: it calibrates the student on what the voices say."""
    if heard.student is None or heard.told is None or not heard.told.any():
        return 0.0

    def surprise(sharpness: float) -> float:
        likely = np.exp(_expected(heard, skills, sharpness) + evidence).sum(axis=2)
        return -float(np.log(np.maximum(likely, 1e-300)).sum())

    return float(min(SHARPNESSES, key=surprise))


def _learn(model: Model, heard: Heard, belief: Table, sharpness: float) -> Skills:
    voices = model.learn(heard, belief)
    q, o = heard.shape
    return Skills(
        shares=shares_of(heard, belief),
        typical=_together(voices, q, o),
        voices=dict(zip(heard.voices.tolist(), voices, strict=True)),
        sharpness=sharpness,
    )


def shares_of(heard: Heard, belief: Table) -> Table:
    """(q, o) how common each option is, where something can be compared."""
    mass = (belief * heard.shared[:, :, None]).sum(axis=1) + SHARES_LENT
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def _together(voices: list[Voice], q: int, o: int) -> Voice:
    counts = [voice.counts for voice in voices if voice.counts is not None]
    abilities = [voice.ability for voice in voices if voice.ability is not None]
    sums = [
        np.sum([getattr(voice, name) for voice in voices], axis=0) if voices else np.zeros(q)
        for name in ("right", "votes", "doubt")
    ]
    return Voice(
        right=sums[0],
        votes=sums[1],
        doubt=sums[2],
        counts=np.sum(counts, axis=0) if counts else (None if voices else np.zeros((q, o, o))),
        ability=np.mean(abilities, axis=0) if abilities else None,
    )


def _rounded(skills: Skills) -> Skills:
    return Skills(
        shares=np.round(skills.shares, 6),
        typical=_rounded_voice(skills.typical),
        voices={pk: _rounded_voice(voice) for pk, voice in skills.voices.items()},
        sharpness=round(skills.sharpness, DECIMALS),
    )


def _rounded_voice(voice: Voice) -> Voice:
    def short(values: Table | None) -> Table | None:
        return None if values is None else np.round(values, DECIMALS)

    return Voice(
        right=np.round(voice.right, DECIMALS),
        votes=np.round(voice.votes, DECIMALS),
        doubt=np.round(voice.doubt, DECIMALS),
        counts=short(voice.counts),
        ability=short(voice.ability),
    )


def _normal(logs: Table) -> Table:
    powers = np.exp(logs - logs.max(axis=2, keepdims=True))
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))


def confusions(smoothing: float) -> Model:
    """Voices mistake some options for others."""
    return Model(
        learn=_learn_counts,
        confusion=lambda voice, typical, options: _full(voice, typical, options, smoothing),
    )


def one_coin(smoothing: float) -> Model:
    """Voices are right with one probability, and their mistakes are even."""
    return Model(
        learn=_learn_accuracy,
        confusion=lambda voice, typical, options: even_confusion(
            accuracy_of(voice, typical, smoothing), options
        ),
    )


def _learn_counts(heard: Heard, belief: Table) -> list[Voice]:
    """Who takes what for what."""
    plain = _learn_accuracy(heard, belief)
    return [
        replace(voice, counts=counts)
        for voice, counts in zip(plain, heard.counts(belief), strict=True)
    ]


def _learn_accuracy(heard: Heard, belief: Table) -> list[Voice]:
    """Who is right how often."""
    return [
        Voice(right=right, votes=votes, doubt=doubt)
        for right, votes, doubt in zip(*heard.agreed(belief), strict=True)
    ]


def accuracy_of(voice: Voice | None, typical: Voice, smoothing: float) -> Table:
    """(q,) how often it is right, in 0 … 1."""
    usual = (typical.right + TYPICAL_LENT * ASSUMED) / (typical.votes + TYPICAL_LENT)
    if voice is None:
        return np.asarray(usual)
    return np.asarray((voice.right + smoothing * usual) / (voice.votes + smoothing))


def even_confusion(accuracy: Table, options: int) -> Table:
    """(q, o, o) right with this probability (q,), and any wrong option is as likely as another."""
    wrong = (1 - accuracy) / max(options - 1, 1)
    found = np.repeat(np.repeat(wrong[:, None, None], options, axis=1), options, axis=2)
    places = np.arange(options)
    found[:, places, places] = accuracy[:, None]
    return found


def _full(voice: Voice | None, typical: Voice, options: int, smoothing: float) -> Table:
    """(q, o, o): its own counts and, for each truth, some votes that are half like those of all voices
    together and half like those of one that is as good as this one and errs evenly.
    """
    start = even_confusion(np.full(len(typical.votes), ASSUMED), options)
    usual = _rows(_counts(typical) + TYPICAL_LENT * start)
    if voice is None:
        return usual
    coin = even_confusion(accuracy_of(voice, typical, COIN_LENT), options)
    return _rows(_counts(voice) + smoothing * options * (usual + coin) / 2)


def _counts(voice: Voice) -> Table:
    if voice.counts is None:
        raise ShapeError("These skills come from a method that does not tell labels apart.")
    return voice.counts


def _rows(table: Table) -> Table:
    return np.asarray(table / table.sum(axis=2, keepdims=True))
