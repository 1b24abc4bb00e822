"""Which texts of an item's row are read with it, such as what two replies answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_TEXTS = 3
# So many words make a sentence, which is read with the item; dates, names and addresses have fewer.
FEWEST_WORDS = 5
# What is longer is a text from two words on; a fact fits on a line.
LONGEST_FACT = 60


def texts_beside(meta: Mapping[str, Any]) -> dict[str, str]:
    """The first sentences and longer texts, by the names of their columns."""
    texts = [name for name, value in meta.items() if _is_text(value)]
    return {name: meta[name] for name in texts[:MOST_TEXTS]}


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    words = len(value.split())
    return words >= FEWEST_WORDS or (words > 1 and len(value) > LONGEST_FACT)
