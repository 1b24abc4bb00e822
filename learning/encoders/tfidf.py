"""The text encoder without weights: hashed n-grams, TF-IDF, truncated SVD."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.registry import parameters_of
from learning.storage import load_folder, save_folder
from learning.types import row_blocks

if TYPE_CHECKING:
    from learning.encoders import Items

START = 5  # of the SVD's first guess: a numerical detail, so that equal samples give equal vectors


@dataclass(frozen=True, kw_only=True)
class TfidfSvd:
    """Encode texts in any language by their words and letter groups, weighted by rarity and
    compressed to a few hundred dimensions; needs no weights. Source: Deerwester et al. 1990;
    hashing, Weinberger et al. 2009.

    components: dimensions at most (fewer for a small sample); features: columns of the hash
    table; sample: texts that are looked at when fitting, at most.
    """

    modality: ClassVar[Literal["text", "image"]] = "text"

    components: int = 256
    features: int = 2**17
    sample: int = 20_000

    def __post_init__(self) -> None:
        if min(self.components, self.features, self.sample) < 1:
            raise ParameterError("TF-IDF needs components, features and a sample above 0.")

    def fit(self, sample: "Items") -> "FittedTfidf":
        """Learn rarity and components from evenly spaced texts of `sample`.

        The same sample gives the same vectors. Raises NotEnoughDataError without two texts that
        differ.
        """
        import scipy.sparse.linalg

        texts = [_checked(text) for text in sample]
        if len(set(texts)) < 2:
            raise NotEnoughDataError("TF-IDF needs at least two different texts to learn from.")
        texts = texts[:: -(-len(texts) // self.sample)]
        counts = _counts(texts, self.features)
        seen = np.asarray((counts > 0).sum(axis=0)).ravel()
        idf = (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)
        table = _weighted(counts, idf)
        size = min(self.components, min(table.shape) - 1)
        guess = np.random.default_rng(START).normal(size=min(table.shape))
        _, _, rows = scipy.sparse.linalg.svds(
            table.astype(np.float64), k=size, v0=guess, solver="arpack", tol=1e-3
        )
        signs = np.sign(rows[np.arange(size), np.abs(rows).argmax(axis=1)])
        components = (rows * signs[:, None])[::-1].astype(np.float32)  # largest first
        used = np.flatnonzero(seen)
        return FittedTfidf(
            parameters=parameters_of(self),
            idf=idf,
            used=used.astype(np.int64),
            components=np.ascontiguousarray(components[:, used]),
        )

    @classmethod
    def load(cls, folder: Path) -> "FittedTfidf":
        """What `FittedTfidf.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        return FittedTfidf(
            parameters=dict(manifest["parameters"]),
            idf=arrays["idf"],
            used=arrays["used"],
            components=arrays["components"],
        )


@dataclass(frozen=True, kw_only=True)
class FittedTfidf:
    """idf: (features,); used: (u,) columns seen in the sample; components: (d, u)."""

    parameters: dict[str, Any]
    idf: NDArray[np.float32]
    used: NDArray[np.int64]
    components: NDArray[np.float32]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return len(self.components)

    @property
    def fingerprint(self) -> str:
        """Hex name of parameters and what was learnt."""
        return fingerprint(
            {"encoder": "tfidf-svd", **self.parameters, **digests(self.idf, self.components)}
        )

    def encode(self, items: "Items") -> NDArray[np.float32]:
        """(n, d) unit rows; a text without any n-gram of the sample is a row of zeros."""
        texts = [_checked(text) for text in items]
        result = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for block in row_blocks(len(texts), 2048):
            table = _weighted(_counts(texts[block], len(self.idf)), self.idf)[:, self.used]
            result[block] = unit(np.asarray(table @ self.components.T))
        return result

    def save(self, folder: Path) -> None:
        """Write what was learnt as safetensors with a manifest."""
        arrays: dict[str, NDArray[Any]] = {
            "idf": self.idf,
            "used": self.used,
            "components": self.components,
        }
        save_folder(folder, arrays, {"encoder": "tfidf-svd", "parameters": self.parameters})


def digests(*arrays: NDArray[Any]) -> dict[str, str]:
    """Hashes of arrays, for a fingerprint."""
    import hashlib

    return {
        f"array{place}": hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
        for place, array in enumerate(arrays)
    }


def unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 1e-12, length, 1), dtype=np.float32)


def _checked(text: object) -> str:
    if not isinstance(text, str):
        raise ShapeError("A text encoder encodes strings.")
    return text


def _counts(texts: list[str], features: int) -> Any:
    """(n, features) sparse counts of words, word pairs and groups of 3 to 5 letters."""
    import scipy.sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    options = {"n_features": features, "alternate_sign": False, "norm": None, "dtype": np.float32}
    tokens = {"token_pattern": r"\w+"}  # one-letter words too
    words = HashingVectorizer(analyzer="word", ngram_range=(1, 2), **tokens, **options)
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **options)
    return scipy.sparse.csr_matrix(words.transform(texts) + letters.transform(texts))


def _weighted(counts: Any, idf: NDArray[np.float32]) -> Any:
    """Damped counts times rarity, rows of unit length."""
    from sklearn.preprocessing import normalize

    table = counts.copy()
    table.data = 1 + np.log(table.data)
    table = table.multiply(idf).tocsr()
    return normalize(table, copy=False)
