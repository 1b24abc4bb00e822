"""Preference: which of two texts is better."""

from dataclasses import dataclass
from typing import ClassVar

from learning.tasks.single import Single


@dataclass(frozen=True, kw_only=True)
class Preference(Single):
    """One of four verdicts on two texts: the first, the second, both equally, none of them. Source:
    Bradley, Terry 1952; Davidson 1970 (ties).

    The labels are the verdicts: column 0 says that the first text is better, column 1 the second.
    """

    sided: ClassVar[bool] = True
    item_kinds: ClassVar[frozenset[str]] = frozenset({"pair"})
    begins_with: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("A is better", "a", "1"),
        ("B is better", "b", "2"),
        ("Equally good", "tie", "="),
        ("Both bad", "bad", "0"),
    )
