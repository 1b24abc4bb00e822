"""Label names as people and encoders read them, and names from elsewhere matched to a schema's."""

import re
import unicodedata
from collections.abc import Sequence

from learning.teachers.types import TeacherSchema


def readable(name: str) -> str:
    """A name as words: `card_arrival` becomes "card arrival"."""
    return " ".join(re.sub(r"[_\s]+", " ", name).split())


def told(name: str, description: str = "", words: Sequence[str] = ()) -> str:
    """All that is said about a label, as one text: name, description, words."""
    parts = (readable(name), readable(description).rstrip("."), ", ".join(words))
    return ". ".join(part for part in parts if part)


def plain(name: str) -> str:
    """What two spellings of a name share: letters without case, accents kept, signs as spaces."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(re.sub(r"[^\w]+|_+", " ", folded).split())


class NameTable:
    """Finds the column that a name from elsewhere means: the same name, else the same letters.

    A spelling that fits two labels fits none.
    """

    def __init__(self, schema: TeacherSchema) -> None:
        self._exact = _unique([(name, c) for c, name in enumerate(schema.names)])
        self._plain = _unique([(plain(name), c) for c, name in enumerate(schema.names)])

    def column(self, name: str) -> int | None:
        """The label's column, or None when no label or more than one is meant."""
        found = self._exact.get(name.strip())
        if found is None and (letters := plain(name)):
            found = self._plain.get(letters)
        return found


def _unique(pairs: list[tuple[str, int]]) -> dict[str, int]:
    table: dict[str, int] = {}
    twice: set[str] = set()
    for name, column in pairs:
        if name in table:
            twice.add(name)
        table[name] = column
    return {name: column for name, column in table.items() if name not in twice}
