"""Consensus: from the votes on an item to one verdict."""

from typing import Protocol

from learning.registry import Entry, Registry
from learning.types import Consensus, Votes


class ConsensusMethod(Protocol):
    """What a consensus method does."""

    def aggregate(self, votes: Votes) -> Consensus: ...


CONSENSUS: Registry[ConsensusMethod] = Registry(
    "consensus method",
    {
        "weighted-majority": Entry(
            "Weighted majority", "learning.consensus.majority:WeightedMajority"
        ),
        "majority": Entry("Majority", "learning.consensus.majority:Majority"),
    },
)
