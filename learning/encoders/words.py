"""Vectors of words in their context: a middle layer of a text encoder's transformer, and their shapes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learning.encoders.pooled import PooledText, batch_tokens, length_batches
from learning.spans.words import words_of
from learning.taggers.types import WordVectors

if TYPE_CHECKING:
    import torch

# Pieces that are read at once; neighbouring windows of a long text share a third of them.
WINDOW = 192
BUCKETS = 32
FLAGS = 7


@dataclass(frozen=True, kw_only=True)
class WordEncoder:
    """Reads texts word by word. A word's vector is the mean over its pieces two thirds up the layers
    (the last ones are made for whole texts and tell words apart less well), then its shape.
    Source: Devlin et al. 2019, 5.3 (which layers); the shapes are textbook.
    """

    ready: PooledText

    @property
    def layer(self) -> int:
        """Which of the model's hidden states, 0 being its word embeddings."""
        return max(1, round(2 / 3 * int(self.ready.model.config.num_hidden_layers)))

    @property
    def window(self) -> int:
        """Pieces that are read at once: fewer where the model knows no more places."""
        return min(WINDOW, int(getattr(self.ready.model.config, "max_position_embeddings", WINDOW)))

    @property
    def dimensions(self) -> int:
        """Length of a word's vector."""
        return self.ready.dimensions + FLAGS + 2 * BUCKETS

    def encode(self, texts: Sequence[str]) -> WordVectors:
        """The words of each text; a text without words has none. Long texts are read in windows."""
        edges = [words_of(text) for text in texts]
        counts = np.array([len(words) for words in edges], dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        hidden = np.zeros((int(begins[-1]), self.ready.dimensions), dtype=np.float32)
        pieces = np.zeros(len(hidden))
        if len(hidden):
            self._read(texts, edges, begins, hidden, pieces)
        hidden /= np.maximum(pieces, 1)[:, None]
        shapes = [
            shape_of(text, a, b) for text, own in zip(texts, edges, strict=True) for a, b in own
        ]
        shaped = np.array(shapes, dtype=np.float32).reshape(len(hidden), FLAGS + 2 * BUCKETS)
        return WordVectors(
            counts=counts,
            edges=np.concatenate([*edges, np.zeros((0, 2), dtype=np.int64)]),
            vectors=np.concatenate([hidden, shaped], axis=1),
        )

    def _read(
        self,
        texts: Sequence[str],
        edges: Sequence[NDArray[np.int64]],
        begins: NDArray[np.int64],
        hidden: NDArray[np.float32],
        pieces: NDArray[np.float64],
    ) -> None:
        """Add up the pieces of each word in `hidden`, and how many there are in `pieces`."""
        import torch

        cut = self.ready.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.window,
            stride=self.window // 3,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        home, ids, offsets = (
            cut["overflow_to_sample_mapping"],
            cut["input_ids"],
            cut["offset_mapping"],
        )
        with torch.inference_mode():
            for batch in length_batches(
                [len(row) for row in ids], batch_tokens(self.ready.model.device)
            ):
                states = self._states([ids[row] for row in batch])
                for place, row in enumerate(batch.tolist()):
                    at, to = _words_of_pieces(offsets[row], edges[home[row]])
                    np.add.at(hidden, begins[home[row]] + to, states[place, at])
                    np.add.at(pieces, begins[home[row]] + to, 1)

    def _states(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """(b, t, d)"""
        padded = self.ready.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        padded = {name: value.to(self.ready.model.device) for name, value in padded.items()}
        states: tuple[torch.Tensor, ...] = self._reader(
            **padded, output_hidden_states=True
        ).hidden_states
        found: NDArray[np.float32] = states[self.layer].float().cpu().numpy()
        return found

    @cached_property
    def _reader(self) -> Any:
        return up_to(self.ready.model, self.layer)


def up_to(model: Any, layer: int) -> Any:
    """`model` without what comes behind a layer, by the same weights, where it keeps its layers as BERT does; all
    of it where it does not, or where its last layer is scaled, which that one would then be.
    """
    import torch

    encoder: Any = getattr(model, "encoder", None)
    if not hasattr(encoder, "layer"):
        return model
    # First: at its first word a model of transformers hooks itself to its layers, and its copy would do so again.
    said = _said(model, layer)
    short = _parted(encoder)
    short.layer = encoder.layer[:layer]
    whole = _parted(model)
    whole.encoder = short
    return whole if torch.allclose(said, _said(whole, layer)) else model


def _said(model: Any, layer: int) -> torch.Tensor:
    """What it says of a few tokens at a layer."""
    import torch

    shown = torch.arange(4, device=model.device)[None]
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=shown, output_hidden_states=True).hidden_states[layer]
    return found


def _parted(module: Any) -> Any:
    """The same module, whose parts can be replaced in this one alone."""
    found = copy(module)
    found._modules = dict(module._modules)
    return found


def _words_of_pieces(
    offsets: Sequence[tuple[int, int]], words: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the pieces that belong to a word, and that word's place."""
    spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    to = np.searchsorted(words[:, 1], spans[:, 0], side="right")
    inner = np.minimum(to, max(len(words) - 1, 0))
    real = (spans[:, 1] > spans[:, 0]) & (to < len(words))
    if len(words):
        real &= words[inner, 0] < spans[:, 1]
    at = np.flatnonzero(real)
    return at, to[at]


def shape_of(text: str, start: int, end: int) -> list[float]:
    """What an encoder without capitals does not see: case, digits, signs, the first and last letters."""
    word = text[start:end]
    found = [0.0] * (FLAGS + 2 * BUCKETS)
    found[:FLAGS] = [
        float(word[0].isupper()),
        float(len(word) > 1 and word.isupper()),
        float(word[0].isdigit()),
        float(word.isalpha()),
        float(not word[0].isalnum()),
        float(any(letter.isupper() for letter in word[1:])),
        float(start > 0 and text[start - 1] in "@#"),
    ]
    for place, letters in enumerate((word[:3], word[-3:])):
        bucket = zlib.crc32(letters.lower().encode(errors="replace")) % BUCKETS
        found[FLAGS + place * BUCKETS + bucket] = 1.0
    return found
