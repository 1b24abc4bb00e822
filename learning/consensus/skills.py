"""What a consensus method has learnt about the voices, in a form that can be stored as JSON.

An answer with one label is one question with k options; an answer with several labels is k questions
with two options, no and yes. Letters: q questions, o options.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.types import require

Table = NDArray[np.float64]
# Counts are kept to this, so that what was stored decides exactly as what was fitted.
DECIMALS = 3


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One annotator as their votes on items with several voices show them.

    right, votes: (q,) the weight of votes that were right, as far as is believed, and of all.
    doubt: (q,) sum over these votes of p (1 - p), p the belief that the vote is right.
    counts: (q, o, o) weight of votes for the column where the row is true; None where a method does
        not tell the options apart.
    ability: (q,) on the scale of GLAD, or None.
    """

    right: Table
    votes: Table
    doubt: Table
    counts: Table | None = None
    ability: Table | None = None

    @property
    def accuracy(self) -> float:
        """0 … 1, the share of the votes that were right; 0 without any."""
        total = float(self.votes.sum())
        return float(self.right.sum()) / total if total else 0.0

    @property
    def telling(self) -> float:
        """How many votes on items whose truth is known would tell as much about the accuracy.

        The complete information less that which is missing with the truth. Source: Louis 1982.
        """
        spread = self.accuracy * (1 - self.accuracy)
        missing = float(self.doubt.sum()) / spread if spread > 1e-9 else 0.0
        return max(float(self.votes.sum()) - missing, 0.0)


@dataclass(frozen=True, kw_only=True)
class Skills:
    """Everything that decides about a new vote without looking at the old ones.

    shares: (q, o) how common each option is.
    typical: all voices together, from which one that is not known yet is taken to be.
    voices: by annotator.
    sharpness: how far to trust a student's probabilities; 1 takes them at their word, 0 ignores them.
    relative_weights: whether the weights of votes count beside each other, the heaviest on a question in
        full; else each as it was given, which is how skills decide that were stored before there was a choice.
    """

    shares: Table
    typical: Voice
    voices: Mapping[int, Voice] = field(default_factory=dict)
    sharpness: float = 0.0
    relative_weights: bool = True

    def of(self, annotator: int) -> Voice | None:
        """The voice's own record, or None for one that is not known."""
        return self.voices.get(annotator)

    def to_json(self) -> dict[str, Any]:
        """Without the voices, whose records are stored one by one."""
        return {
            "shares": self.shares.tolist(),
            "typical": voice_to_json(self.typical),
            "sharpness": self.sharpness,
            "relative_weights": self.relative_weights,
        }


def skills_from_json(stored: Mapping[str, Any], voices: Mapping[int, Any]) -> Skills:
    """What `to_json` and `voice_to_json` wrote. Raises ShapeError when it does not fit together."""
    shares = np.asarray(stored["shares"], dtype=np.float64)
    require(shares.ndim == 2, "Stored shares are a table of questions by options.")
    options = shares.shape[1]
    return Skills(
        shares=shares,
        typical=voice_from_json(stored["typical"], options),
        voices={pk: voice_from_json(each, options) for pk, each in voices.items()},
        sharpness=float(stored["sharpness"]),
        relative_weights=has_relative_weights(stored),
    )


def has_relative_weights(stored: Mapping[str, Any]) -> bool:
    """How weights count for what `to_json` wrote; before it said so they counted as they were given."""
    return bool(stored.get("relative_weights", False))


def voice_to_json(voice: Voice) -> dict[str, Any]:
    """Counts as [question, true, said, weight], those that are not 0: with many labels most are."""
    stored: dict[str, Any] = {
        name: getattr(voice, name).tolist() for name in ("right", "votes", "doubt")
    }
    if voice.counts is not None:
        places = np.argwhere(voice.counts > 0)
        stored["counts"] = [
            [*place.tolist(), float(voice.counts[tuple(place)])] for place in places
        ]
    if voice.ability is not None:
        stored["ability"] = voice.ability.tolist()
    return stored


def voice_from_json(stored: Mapping[str, Any], options: int) -> Voice:
    """The inverse of `voice_to_json`."""
    votes = np.asarray(stored["votes"], dtype=np.float64)
    counts = None
    if "counts" in stored:
        counts = np.zeros((len(votes), options, options))
        for question, true, said, weight in stored["counts"]:
            counts[question, true, said] = weight
    ability = stored.get("ability")
    return Voice(
        right=np.asarray(stored["right"], dtype=np.float64),
        votes=votes,
        doubt=np.asarray(stored["doubt"], dtype=np.float64),
        counts=counts,
        ability=None if ability is None else np.asarray(ability, dtype=np.float64),
    )


def grown(skills: Skills, questions: int, options: int) -> Skills:
    """The same for a schema that has got more labels since: nothing is known of those.

    Raises ShapeError when it has fewer: a column is never taken away.
    """
    q, o = skills.shares.shape
    require(q <= questions and o <= options, "Skills of more labels than there are now.")
    if (q, o) == (questions, options):
        return skills
    shares = np.zeros((questions, options))
    shares[:q, :o] = skills.shares
    # A label that nobody could have chosen yet is taken to be as common as the rarest one; with
    # several labels, as an average one.
    shares[:q, o:] = skills.shares.min(axis=1, initial=1.0, keepdims=True)
    shares[q:, :o] = skills.shares.mean(axis=0)
    return Skills(
        shares=shares / shares.sum(axis=1, keepdims=True),
        typical=_grown(skills.typical, questions, options),
        voices={pk: _grown(voice, questions, options) for pk, voice in skills.voices.items()},
        sharpness=skills.sharpness,
        relative_weights=skills.relative_weights,
    )


def _grown(voice: Voice, questions: int, options: int) -> Voice:
    counts, more = voice.counts, questions - len(voice.votes)
    if counts is not None:
        q, o = counts.shape[:2]
        counts = np.pad(counts, ((0, questions - q), (0, options - o), (0, options - o)))
    ability = voice.ability
    if ability is not None and more:
        ability = np.concatenate([ability, np.full(more, ability.mean())])
    return Voice(
        right=np.pad(voice.right, (0, more)),
        votes=np.pad(voice.votes, (0, more)),
        doubt=np.pad(voice.doubt, (0, more)),
        counts=counts,
        ability=ability,
    )
