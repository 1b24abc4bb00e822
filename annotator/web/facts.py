"""What else an item's row says: short facts in one line, and texts that the item is read with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotator.actions.desk.beside import LONGEST_FACT, texts_beside

# Longer ones are folded: the item itself should stay in sight.
LONGEST_OPEN = 400
LONGEST_BEGINNING = 120
# Dates and long numbers are known without the name of their column.
DIGITS_OF_A_DATE = 6


@dataclass(frozen=True)
class Beside:
    """A text beside the item, such as what two replies answer; `beginning` where it is folded."""

    name: str
    text: str

    @property
    def beginning(self) -> str:
        """What stands for a folded text; empty for one that is not."""
        if len(self.text) <= LONGEST_OPEN:
            return ""
        return f"{' '.join(self.text[:LONGEST_BEGINNING].split())}…"


def shown(meta: Mapping[str, Any], most: int) -> dict[str, Any]:
    """`facts`, at most so many, and `beside`: the first sentences and longer texts."""
    texts = texts_beside(meta)
    others = [(name, value) for name, value in meta.items() if name not in texts]
    return {
        "facts": [_fact(name, value) for name, value in others[:most]],
        "beside": [Beside(name, text) for name, text in texts.items()],
    }


def _fact(name: str, value: object) -> tuple[str, str]:
    """The column's name where it goes without saying, and what is shown; a number alone says nothing."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= LONGEST_FACT else f"{text[: LONGEST_FACT - 1]}…"
    speaks = any(map(str.isalpha, text)) and not isinstance(value, bool | None)
    is_date = sum(map(str.isdigit, text)) >= DIGITS_OF_A_DATE
    return (name, text) if speaks or is_date else ("", f"{name} {text}")
