"""Voices are right more or less often, and mistake some labels for others."""

from dataclasses import dataclass, replace

from learning.consensus import voices
from learning.consensus.heard import hear
from learning.consensus.skills import Skills, grown
from learning.consensus.verdicts import conclude
from learning.types import Consensus, Votes

# With more labels nobody gives enough votes to tell their mistakes apart.
MOST_LABELS = 200


@dataclass(frozen=True, kw_only=True)
class DawidSkene:
    """Each voice has its own confusion of the labels, found together with what the items are, so that
    a careful voice outweighs careless ones and a systematic mistake is seen through. Source: Dawid,
    Skene 1979; shrinking: Kim, Ghahramani 2012.

    smoothing: how many votes, times the number of labels, a voice is lent for each true label: half of
        them as all voices give them, half as one that is as good and errs evenly. Beyond 200 labels mistakes are not told apart.
    decisive: how many times as likely as the next label one must be, else it is a tie.
    """

    smoothing: float = 1.0
    decisive: float = 2.0

    def fit(self, votes: Votes) -> Skills:
        """What the votes on items with several of them tell about the voices."""
        heard = hear(replace(votes, probabilities=None))
        return voices.fit(_confusions(votes, self.smoothing), heard)

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Posteriors and verdicts; with skills from an earlier `fit` nothing is learnt."""
        given = replace(votes, probabilities=None)
        known = self.fit(given) if skills is None else skills
        return _decide(_confusions(votes, self.smoothing), given, known, self.decisive)


@dataclass(frozen=True, kw_only=True)
class OneCoin:
    """Each voice is right with a probability of its own, and its mistakes are even. Source: Dawid,
    Skene 1979 with one parameter; Zhang et al. 2014.

    smoothing: votes of a typical voice that each one is lent.
    decisive: how many times as likely as the next label one must be, else it is a tie.
    """

    smoothing: float = 4.0
    decisive: float = 2.0

    def fit(self, votes: Votes) -> Skills:
        """How often each voice is right, from items with several votes."""
        heard = hear(replace(votes, probabilities=None))
        return voices.fit(voices.one_coin(self.smoothing), heard)

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Posteriors and verdicts; with skills from an earlier `fit` nothing is learnt."""
        given = replace(votes, probabilities=None)
        known = self.fit(given) if skills is None else skills
        return _decide(voices.one_coin(self.smoothing), given, known, self.decisive)


@dataclass(frozen=True, kw_only=True)
class StudentAware:
    """The voices' confusions, and a student's out-of-sample probabilities as what to expect before
    any vote; what no voice said is never decided, but a question for a reviewer. Source: Raykar et al.
    2010 (votes and a classifier in one model); the aim of Goh et al. 2022 (CROWDLAB).

    smoothing, decisive: as for dawid-skene.
    """

    smoothing: float = 1.0
    decisive: float = 2.0

    def fit(self, votes: Votes) -> Skills:
        """Skills of the voices, and how far the student can be trusted."""
        return voices.fit(_confusions(votes, self.smoothing), hear(votes))

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Posteriors and verdicts; items without a student's word rest on their votes."""
        known = self.fit(votes) if skills is None else skills
        return _decide(_confusions(votes, self.smoothing), votes, known, self.decisive)


def _confusions(votes: Votes, smoothing: float) -> voices.Model:
    if not votes.multi_label and votes.answers.shape[1] > MOST_LABELS:
        return voices.one_coin(smoothing)
    return voices.confusions(smoothing)


def _decide(model: voices.Model, votes: Votes, skills: Skills, decisive: float) -> Consensus:
    heard = hear(votes, relative=skills.relative_weights)
    known = grown(skills, *heard.shape)
    belief = voices.believe(heard, known, voices.evidence_of(model, heard, known))
    return conclude(votes, heard, belief, decisive)
