"""A causal language model as the teacher `local` needs it; `loaded_model` has one of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from learning.teachers.token_trie import NextTokens, Tokens


class LanguageModel(Protocol):
    """What is asked for the tokens that follow a prompt.

    identity: the name and the weights. end: the token that says that an answer is complete.
    longest: tokens that it reads at most.
    """

    @property
    def identity(self) -> str: ...
    @property
    def end(self) -> int: ...
    @property
    def longest(self) -> int: ...

    def prompt(self, system: str, user: str) -> list[int]:
        """The tokens of a prompt, up to where the answer begins."""
        ...

    def answers(self, words: Sequence[str]) -> list[Tokens]:
        """The tokens of answers as they follow a prompt."""
        ...

    def after(self, prompt: Sequence[int]) -> NextTokens:
        """Log-probabilities of what follows the prompt and a beginning of an answer.

        It holds until the next call: the states of the prompt are kept for one prompt only.
        """
        ...
