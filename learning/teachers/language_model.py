"""Language models as the teacher `local` needs them; `loaded_model` and `masked_model` have those of
transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from learning.teachers.token_trie import NextTokens, Tokens
    from learning.types import Floats


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


@runtime_checkable
class MaskedModel(Protocol):
    """What is asked for the tokens of a gap in a text.

    identity: the name and the weights. longest: tokens of text and gap that it reads at most.
    """

    @property
    def identity(self) -> str: ...
    @property
    def longest(self) -> int: ...

    def tokens(self, text: str) -> list[int]:
        """The tokens of a part of a text, without marks of beginning and end."""
        ...

    def words(self, words: Sequence[str]) -> list[Tokens]:
        """The tokens of words as they stand in a gap; none for one that the model cannot spell."""
        ...

    def filled(self, left: Sequence[int], right: Sequence[int], words: Sequence[Tokens]) -> Floats:
        """(w,) log-probability of each word in a gap of its own length, from its first token to its
        last: each token given what stands around the gap and the tokens before it.
        """
        ...
