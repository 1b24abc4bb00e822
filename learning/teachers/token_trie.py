"""Labels as paths of tokens that share their beginnings: what a language model may answer, and how
likely it is to answer each, exactly.

Source: Cao et al. 2021 (constrained beam search over a trie of names); here every label is scored,
so that nothing is left to a beam.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.types import Floats, require

Tokens = tuple[int, ...]

NextTokens = Callable[[Sequence[Tokens]], Floats]
"""`next_tokens(beginnings)`: (m, v) log-probabilities of the token that follows the prompt and each
beginning, over the whole vocabulary. The prompt's own states can be computed once and kept."""


@dataclass(frozen=True, kw_only=True)
class TokenTrie:
    """k labels by their tokens. One trie is shared by all items and never changed.

    children: for each node, token -> node; node 0 is the beginning. ends: for each node the label
    that is complete there, -1 for none.
    paths: (k,) the tokens of each label.
    """

    children: tuple[dict[int, int], ...]
    ends: tuple[int, ...]
    paths: tuple[Tokens, ...]
    end: int
    _beginnings: tuple[Tokens, ...] = field(repr=False, compare=False, default=())

    @classmethod
    def of(cls, paths: Sequence[Sequence[int]], end: int) -> "TokenTrie":
        """From the tokens of each label, none empty, none twice, and without `end`, the token that
        says that an answer is complete; it lets one label be the beginning of another.
        """
        children: list[dict[int, int]] = [{}]
        ends = [-1]
        beginnings: list[Tokens] = [()]
        for label, path in enumerate(paths):
            if not path or end in path:
                raise ParameterError("A label needs tokens, and none that ends an answer.")
            node = 0
            for place, token in enumerate(path):
                if token not in children[node]:
                    children[node][token] = len(children)
                    children.append({})
                    ends.append(-1)
                    beginnings.append(tuple(path[: place + 1]))
                node = children[node][token]
            if ends[node] >= 0:
                raise ParameterError(f"Labels {ends[node]} and {label} have the same tokens.")
            ends[node] = label
        require(len(paths) > 0, "A trie needs at least one label.")
        return cls(
            children=tuple(children),
            ends=tuple(ends),
            paths=tuple(tuple(path) for path in paths),
            end=end,
            _beginnings=tuple(beginnings),
        )

    @property
    def size(self) -> int:
        """How many labels there are."""
        return len(self.paths)

    @property
    def depth(self) -> int:
        """Tokens of the longest label."""
        return max(len(path) for path in self.paths)

    def levels(self) -> list[list[int]]:
        """Nodes by how many tokens lead to them: one call of the model for each level."""
        levels, now = [], [0]
        while now:
            levels.append(now)
            now = [node for parent in now for node in self.children[parent].values()]
        return levels

    def beginning(self, node: int) -> Tokens:
        """The tokens that lead to a node."""
        return self._beginnings[node]


def label_log_likelihoods(trie: TokenTrie, next_tokens: NextTokens) -> NDArray[np.float64]:
    """(k,) log-probability that the model writes each label's tokens and then ends.

    Every beginning that labels share is computed once: as many rows as the trie has nodes, in as
    many calls as the longest label has tokens, and one.
    """
    reached = np.zeros(len(trie.children))
    found = np.full(trie.size, -np.inf)
    for level in trie.levels():
        rows = np.asarray(next_tokens([trie.beginning(node) for node in level]), dtype=np.float64)
        require(
            rows.ndim == 2 and len(rows) == len(level),
            "The model must give one row of log-probabilities for each beginning.",
        )
        for node, row in zip(level, rows, strict=True):
            for token, child in trie.children[node].items():
                reached[child] = reached[node] + row[token]
            if trie.ends[node] >= 0:
                found[trie.ends[node]] = reached[node] + row[trie.end]
    return found


def label_distribution(log_likelihoods: Floats) -> tuple[NDArray[np.float32], float]:
    """((k,) probabilities that sum to 1, 0 … 1 the share of the model's belief on labels at all).

    A share near 0 says that the model would rather write something else: a reason to abstain.
    Raises ShapeError when no label has any likelihood.
    """
    given = np.asarray(log_likelihoods, dtype=np.float64)
    require(bool(np.isfinite(given).any()) and not np.isnan(given).any(), "No label is likely.")
    top = given.max()
    powers = np.exp(given - top)
    share = min(1.0, float(powers.sum() * np.exp(top)))
    return (powers / powers.sum()).astype(np.float32), share
