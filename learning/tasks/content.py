"""What an item holds, as far as an answer to it may depend on it."""

from typing import NamedTuple


class Content(NamedTuple):
    """The item's text, and its second one where it has two."""

    text: str
    text_b: str = ""
