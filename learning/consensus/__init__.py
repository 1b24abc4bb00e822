"""Consensus: from the votes on an item to one verdict, and what the voices are like."""

from typing import Protocol

from learning.consensus.skills import Skills
from learning.registry import Entry, Registry
from learning.types import Consensus, Votes


class ConsensusMethod(Protocol):
    """What a consensus method does."""

    def fit(self, votes: Votes) -> Skills | None:
        """What all votes together tell about the voices; None where a method learns nothing."""
        ...

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Verdicts on these votes, with skills that were learnt before or else from these votes."""
        ...


CONSENSUS: Registry[ConsensusMethod] = Registry(
    "consensus method",
    {
        "weighted-majority": Entry(
            "Weighted majority", "learning.consensus.majority:WeightedMajority"
        ),
        "majority": Entry("Majority", "learning.consensus.majority:Majority"),
        "median": Entry("Median grade", "learning.consensus.median:Median"),
        "dawid-skene": Entry(
            "Dawid–Skene: by what each voice confuses", "learning.consensus.dawid_skene:DawidSkene"
        ),
        "one-coin": Entry(
            "One coin: by how often each voice is right", "learning.consensus.dawid_skene:OneCoin"
        ),
        "glad": Entry("GLAD: by ability and difficulty", "learning.consensus.glad:Glad"),
        "student-aware": Entry(
            "Student-aware: voices, and the student", "learning.consensus.dawid_skene:StudentAware"
        ),
    },
)

# Which ones weigh voices by skills that are learnt from items with several answers.
LEARNING = frozenset({"dawid-skene", "one-coin", "glad", "student-aware"})
# Which ones know that labels are grades in the order of their columns.
OF_GRADES = frozenset({"median"})
# Which ones hear a student too.
WITH_STUDENT = frozenset({"student-aware"})
