"""Encoders: texts or images to unit vectors, and the on-disk matrix that they live in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.registry import Entry, Registry
from learning.storage import MANIFEST, read_json
from learning.taggers.types import WordVectors

Items = Sequence[str] | Sequence[bytes]


class Ready(Protocol):
    """An encoder that can encode.

    fingerprint: hex name of parameters and weights; equal fingerprints give equal vectors, up to rounding.
    """

    @property
    def dimensions(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def encode(self, items: Items) -> NDArray[np.float32]:
        """(n, d) float32 rows of unit length in the order of `items`; an item without any
        content that the encoder knows is a row of zeros.
        """
        ...

    def save(self, folder: Path) -> None: ...


class Encoder(Protocol):
    """An encoder's parameters. `modality` says whether items are texts or image files' bytes."""

    modality: ClassVar[Literal["text", "image"]]

    def fit(self, sample: Items) -> Ready:
        """Make it ready; only encoders without weights of their own look at the sample."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Ready:
        """What `Ready.save` wrote into `folder`."""
        ...


ENCODERS: Registry[Encoder] = Registry(
    "encoder",
    {
        "minilm": Entry("MiniLM (built in)", "learning.encoders.minilm:MiniLM"),
        "minilm-int8": Entry("MiniLM in 8 bits (built in)", "learning.encoders.minilm:MiniLMInt8"),
        "sentence-transformers": Entry(
            "Sentence-transformers model", "learning.encoders.named:SentenceTransformers"
        ),
        "transformers": Entry("Transformers text model", "learning.encoders.named:Transformers"),
        "tfidf-svd": Entry("TF-IDF + SVD (no weights)", "learning.encoders.tfidf:TfidfSvd"),
        "pixels-pca": Entry("Pixels + PCA (images)", "learning.encoders.pixels:PixelsPca"),
        "vision": Entry("Vision model (images)", "learning.encoders.vision:Vision"),
    },
)


def load(folder: Path | str) -> Ready:
    """The encoder that `save` wrote into `folder`; raises DamagedFileError if it was changed."""
    from learning.encoders.apart import APART, Apart

    folder = Path(folder)
    manifest = read_json(folder / MANIFEST)
    ready = ENCODERS[str(manifest.get("encoder"))].load(folder)
    return Apart(ready=ready) if manifest.get(APART) else ready


class WordReader(Protocol):
    """An encoder that reads word by word."""

    @property
    def dimensions(self) -> int:
        """Length of a word's vector."""
        ...

    def encode(self, texts: Sequence[str]) -> WordVectors:
        """The words of each text in their context; a text without words has none."""
        ...


def by_word(ready: Any) -> WordReader:
    """The same encoder, word by word. Raises ParameterError for one that reads texts as a whole."""
    if not hasattr(ready, "by_word"):
        raise ParameterError(
            "This project's encoder reads texts as a whole. Spans need one that reads words: choose "
            "MiniLM or a transformers text model in the settings."
        )
    found: WordReader = ready.by_word()
    return found


def pair(text: str, text_b: str) -> str:
    """One string for an item of two texts, the same wherever it is encoded."""
    return f"{text}\n{text_b}" if text_b else text
