"""Items of two texts as the vectors of both, side by side: what the two have in common can be learnt."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.storage import note
from learning.types import Floats

if TYPE_CHECKING:
    from learning.encoders import Items, Ready

APART = "apart"
# Parts the two texts of an item in the one string that encoders are given.
BETWEEN = "\n\x1f"


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A `Ready` of pairs by a `Ready` of texts: (n, 2 d) unit rows, the first text's half and the second's.

    A text that is no pair, such as a label's name, has the same vector in both halves.
    """

    ready: "Ready"

    @property
    def dimensions(self) -> int:
        """Twice those of the encoder of texts."""
        return 2 * self.ready.dimensions

    @property
    def fingerprint(self) -> str:
        """Names the encoder of texts, and that pairs are read apart."""
        return fingerprint({APART: self.ready.fingerprint})

    def encode(self, items: "Items") -> NDArray[np.float32]:
        """(n, 2 d); see `sides` for how a string says two texts."""
        texts = [sides(str(item)) for item in items]
        found = self.ready.encode([text for both in texts for text in both])
        return found.reshape(len(texts), self.dimensions) / np.float32(np.sqrt(2))

    def save(self, folder: Path) -> None:
        """What the encoder of texts saves, and that it reads pairs."""
        self.ready.save(folder)
        note(folder, {APART: True})


def together(text: str, text_b: str) -> str:
    """One string for two texts that are read apart."""
    return f"{text}{BETWEEN}{text_b}"


def read_by(ready: "Ready", text: str, text_b: str) -> str:
    """One string for an item as this encoder reads it, so that an item whose first text has several lines
    is parted where its texts are.
    """
    if text_b and isinstance(ready, Apart):
        return together(text, text_b)
    return f"{text}\n{text_b}" if text_b else text


def kept_apart(text: str, text_b: str) -> str:
    """One string for an item as students of texts are given it: those that read two texts as one take its
    mark for a line break, see `as_one`.
    """
    return together(text, text_b) if text_b else text


def sides(text: str) -> tuple[str, str]:
    """The two texts of a string as `parted` tells them; else the text twice."""
    return parted(text) or (text, text)


def parted(text: str) -> tuple[str, str] | None:
    """The two texts of a string: what `together` made of them; else the first line and the rest, as people
    type them; else None.
    """
    for mark in (BETWEEN, "\n"):
        first, found, second = text.partition(mark)
        if found:
            return first, second
    return None


def as_one(text: str) -> str:
    """The same for who reads two texts as one: a line break between them, as `learning.encoders.pair` has it."""
    return text.replace(BETWEEN, "\n")


def meeting(vectors: Floats, own: float) -> NDArray[np.float32]:
    """(n, 2 d) rows of two unit vectors side by side -> (n, 4 d) float32 to learn from: `own` times both,
    their difference without its sign, and √d times their product, which is of the size of the others.

    own: above 0; small where labels are about what two texts have in common, since what each of them
    is about would be learnt by heart first; large where that is what is asked.
    Source: Conneau et al. 2017 (the four parts); Reimers, Gurevych 2019.
    """
    both = np.asarray(vectors, dtype=np.float32) * np.float32(np.sqrt(2))
    half = both.shape[1] // 2
    one, other = both[:, :half], both[:, half:]
    root = np.float32(np.sqrt(half))
    return np.concatenate([np.float32(own) * both, np.abs(one - other), root * one * other], axis=1)


def widened(maps: Floats, own: float) -> NDArray[np.float32]:
    """(2 d, k) directions of rows of two vectors -> (4 d, k) the same directions of `meeting`."""
    rows = np.asarray(maps, dtype=np.float32)
    return np.concatenate([rows / np.float32(np.sqrt(2) * own), np.zeros_like(rows)], axis=0)


def evened(table: Floats) -> NDArray[np.float32]:
    """The (4 d + 1, k) map of `meeting`, its last row the bias, that is nearest to `table` among those by which
    two texts that change places exchange columns 0 and 1 and leave the others as they are.
    """
    given = np.asarray(table, dtype=np.float32)
    half = (len(given) - 1) // 4
    turned = given.copy()
    turned[:half], turned[half : 2 * half] = given[half : 2 * half], given[:half]
    turned[:, :2] = turned[:, 1::-1].copy()
    return (given + turned) / np.float32(2)
