"""Texts that people and machines write as answers: what can be kept of one."""

from learning.errors import ShapeError

LONGEST = 20_000  # characters


def kept(text: object) -> str:
    """The text as it is kept. Raises ShapeError for what is no text, an empty one, or one that is too long."""
    if not isinstance(text, str) or not text.replace("\x00", "").strip():
        raise ShapeError("The text is empty: write one, or skip the item.")
    if len(text) > LONGEST:
        raise ShapeError(f"A text has {LONGEST:,} characters at most, not {len(text):,}.")
    return _storable(text).replace("\r\n", "\n").replace("\r", "\n")  # forms send line ends so


def _storable(text: str) -> str:
    """Without NUL and halves of characters, which no database and no file takes."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
