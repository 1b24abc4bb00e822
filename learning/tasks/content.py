"""What an item holds, as far as an answer to it may depend on it."""

from collections.abc import Sequence
from typing import NamedTuple


class Content(NamedTuple):
    """The item's text, its second one where it has two, and the candidates where they are ranked."""

    text: str
    text_b: str = ""
    candidates: Sequence[str] = ()
