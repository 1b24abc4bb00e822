"""Taggers: students that mark spans. They learn from marked texts and say where spans are."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from learning.errors import DamagedFileError
from learning.registry import Entry, Registry
from learning.storage import MANIFEST, read_json
from learning.taggers.types import Marked, Tagged, Words
from learning.types import Report

__all__ = ["TAGGERS", "FittedTagger", "Marked", "Tagged", "Tagger", "Words", "load"]


class FittedTagger(Protocol):
    """A tagger that has learnt. `labels` is how many columns it knows."""

    @property
    def labels(self) -> int: ...

    def tag(self, words: Words, texts: Any = None) -> Tagged:
        """What it says of texts by their words; `texts` for a tagger that `needs` them."""
        ...

    def save(self, folder: Path) -> None: ...


class Tagger(Protocol):
    """A tagger's parameters, and what it learns from."""

    needs: ClassVar[Literal["words", "texts"]]

    def fit(
        self,
        data: Marked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> FittedTagger:
        """Learn from `data`; arguments as of `learning.students.Student.fit`."""
        ...

    def settle(self, fitted: Any) -> "Tagger":
        """The same tagger with what `fitted` chose from the data as its parameters."""
        ...

    @classmethod
    def load(cls, folder: Path) -> FittedTagger: ...


TAGGERS: Registry[Tagger] = Registry(
    "tagger",
    {
        "token-head": Entry("Head on frozen word vectors", "learning.taggers.head:TokenHead"),
        "token-finetune": Entry(
            "Fine-tuned transformer, word by word", "learning.taggers.finetune:TokenFinetune"
        ),
    },
)


def load(folder: Path | str) -> FittedTagger:
    """The tagger that `save` wrote into `folder`.

    Raises DamagedFileError when a file is missing or was changed since.
    """
    folder = Path(folder)
    name = read_json(folder / MANIFEST).get("student")
    if name not in TAGGERS:
        raise DamagedFileError(f"{folder} does not say which tagger it holds.")
    return TAGGERS[str(name)].load(folder)
