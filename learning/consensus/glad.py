"""Voices differ in ability and items in difficulty."""

from dataclasses import dataclass, replace

import numpy as np

from learning.consensus.heard import Heard, Table, hear
from learning.consensus.skills import DECIMALS, Skills, Voice, grown
from learning.consensus.verdicts import conclude
from learning.consensus.voices import SETTLED, STEPS, shares_of
from learning.errors import ShapeError
from learning.types import Consensus, Votes

# Before any vote: abilities lie around that of a voice that is right in 73 % of ordinary items, and
# the logarithm of an item's ease around 0, both with a variance of 1.
ABILITY = 1.0
LONGEST_STEP = 1.0
# With abilities given, items are solved until the others among them play no part in the result.
EXACT = 1e-7


@dataclass(frozen=True, kw_only=True)
class Glad:
    """The probability that a voice is right grows with its ability times the item's ease. Source:
    Whitehill et al. 2009.

    Mistakes are even. Ability and ease have the normal priors of the paper; EM with Newton steps.

    decisive: how many times as likely as the next label one must be, else it is a tie.
    """

    decisive: float = 2.0

    def fit(self, votes: Votes) -> Skills:
        """The voices' abilities, from items with several votes."""
        heard = hear(replace(votes, probabilities=None))
        q, _ = heard.shape
        ability = np.full((len(heard.voices), q), ABILITY)
        ability, belief, _ = _solve(heard, ability, None, learn=True)
        right, total, doubt = heard.agreed(belief)
        shares = shares_of(heard, belief)
        voices = [
            Voice(
                right=np.round(right[place], DECIMALS),
                votes=np.round(total[place], DECIMALS),
                doubt=np.round(doubt[place], DECIMALS),
                ability=np.round(ability[place], DECIMALS),
            )
            for place in range(len(heard.voices))
        ]
        return Skills(
            shares=np.round(shares, 6),
            typical=Voice(
                right=right.sum(axis=0),
                votes=total.sum(axis=0),
                doubt=doubt.sum(axis=0),
                ability=np.round(ability.mean(axis=0), DECIMALS) if voices else np.full(q, ABILITY),
            ),
            voices=dict(zip(heard.voices.tolist(), voices, strict=True)),
        )

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Posteriors and verdicts; with skills from an earlier `fit` only the items' ease is found."""
        known = self.fit(votes) if skills is None else skills
        heard = hear(replace(votes, probabilities=None), relative=known.relative_weights)
        known = grown(known, *heard.shape)
        ability = np.empty((len(heard.voices), heard.shape[0]))
        for place, pk in enumerate(heard.voices):
            ability[place] = _ability(known.of(int(pk)) or known.typical)
        _, belief, _ = _solve(heard, ability, known.shares, learn=False)
        return conclude(votes, heard, belief, self.decisive)


def _ability(voice: Voice) -> Table:
    if voice.ability is None:
        raise ShapeError("These skills come from a method that does not rate abilities.")
    return voice.ability


def _solve(
    heard: Heard, ability: Table, shares: Table | None, *, learn: bool
) -> tuple[Table, Table, Table]:
    """Abilities (a, q), beliefs (q, n, o) and the logarithms of the items' ease (q, n)."""
    q, _ = heard.shape
    ease = np.zeros((q, heard.items))
    belief = heard.majority()
    for _ in range(STEPS):
        ability, ease = _newton(heard, belief, ability, ease, learn=learn)
        common = shares_of(heard, belief) if shares is None else shares
        before, belief = belief, _believe(heard, ability, ease, common)
        if np.abs(belief - before).max(initial=0.0) < (SETTLED if learn else EXACT):
            break
    return ability, belief, ease


def _chance(heard: Heard, ability: Table, ease: Table) -> Table:
    """(q, v) how likely each vote is right."""
    exponent = ability.T[:, heard.voice] * np.exp(ease[:, heard.item])
    return np.asarray(1 / (1 + np.exp(-np.clip(exponent, -30, 30))))


def _believe(heard: Heard, ability: Table, ease: Table, shares: Table) -> Table:
    options = heard.shape[1]
    chance = np.clip(_chance(heard, ability, ease), 1e-6, 1 - 1e-6)
    wrong = np.log((1 - chance) / max(options - 1, 1))
    weight = heard.said.sum(axis=2)
    told = heard.said * (np.log(chance) - wrong)[:, :, None] + (weight * wrong)[:, :, None]
    logs = heard.by_item(told) + np.log(np.maximum(shares, 1e-6))[:, None, :]
    powers = np.exp(logs - logs.max(axis=2, keepdims=True))
    return heard.corrected(powers / powers.sum(axis=2, keepdims=True))


def _newton(
    heard: Heard, belief: Table, ability: Table, ease: Table, *, learn: bool
) -> tuple[Table, Table]:
    """One damped step of scoring on the abilities, then one on the ease of the items."""
    weight = heard.said.sum(axis=2)  # (q, v)
    right = (belief[:, heard.item] * heard.said).sum(axis=2)
    if learn:
        taught = heard.shared[:, heard.item]
        chance = _chance(heard, ability, ease)
        easy = np.exp(ease[:, heard.item])
        slope = (right - weight * chance) * easy * taught
        bend = weight * chance * (1 - chance) * easy**2 * taught
        step = (_by_voice(heard, slope) - (ability - ABILITY)) / (_by_voice(heard, bend) + 1)
        ability = ability + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    chance = _chance(heard, ability, ease)
    reach = ability.T[:, heard.voice] * np.exp(ease[:, heard.item])
    slope = (right - weight * chance) * reach
    bend = weight * chance * (1 - chance) * reach**2
    step = (heard.by_item(slope[:, :, None])[:, :, 0] - ease) / (
        heard.by_item(bend[:, :, None])[:, :, 0] + 1
    )
    return ability, ease + np.clip(step, -LONGEST_STEP, LONGEST_STEP)


def _by_voice(heard: Heard, values: Table) -> Table:
    """(q, v) summed to (a, q)."""
    found = np.empty((len(heard.voices), len(values)))
    for place, rows in enumerate(heard.rows):
        found[place] = values[:, rows].sum(axis=1)
    return found
