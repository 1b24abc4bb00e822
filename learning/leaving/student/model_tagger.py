"""A tuned transformer with a linear layer on the first piece of each word: it marks stretches of a text.

`encoder` is a folder that `transformers.AutoModel.from_pretrained` loads by itself, too. Tags: 0 outside,
1 + 2c begins a stretch of column c, 2 + 2c goes on with it; t of them.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from .words import words_of

BATCH = 32
SHARED_PART = 3  # neighbouring windows of a long text share one part in so many
NEVER = -1e9
# Scores the beginning of a stretch at a word that the tokenizer leaves out, such as a sign without width.
UNREAD = -30.0
Table = NDArray[np.float64]
Marks = list[tuple[int, int, int, float]]


class Model:
    """Reads texts."""

    reads_vectors, multi_label, marks, pairs, sees = False, True, True, False, False

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.tokens, self.reach = int(manifest["tokens"]), float(manifest["reach"])
        source = str(folder / "encoder")
        self.tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
        self.encoder = AutoModel.from_pretrained(source, local_files_only=True).eval()
        self.head = load_file(folder / "head.safetensors")
        self.follows = _follows(len(self.head["bias"]))

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts -> (n, k) how likely a stretch of each label is in them."""
        rows = np.zeros((len(texts), len(self.head["bias"]) // 2), dtype=np.float32)
        for at, scores in enumerate(self._scores(texts)):
            if len(scores):
                forward, backward, whole = self._ways(scores)
                begins = np.exp(forward + backward - whole)[:, 1::2]
                rows[at] = 1 - np.exp(np.log1p(-np.clip(begins, 0, 1 - 1e-7)).sum(axis=0))
        return rows

    def mark(self, texts: Sequence[str]) -> list[Marks]:
        """n lists of (first character, end, column, probability), the likeliest ones together."""
        scored = zip(texts, self._scores(texts), strict=True)
        return [self._marks(text, scores) for text, scores in scored]

    def _scores(self, texts: Sequence[str]) -> list[Table]:
        """(w, t) of the words of each text, averaged over the windows that they are in."""
        words = [words_of(text) for text in texts]
        kinds = len(self.head["bias"])
        total = [np.zeros((len(each), kinds)) for each in words]
        seen = [np.zeros(len(each)) for each in words]
        cut = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.tokens,
            stride=self.tokens // SHARED_PART,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        ids, home = cut["input_ids"], cut["overflow_to_sample_mapping"]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            said = self._read([ids[row] for row in rows])
            for row, one in zip(rows, said, strict=True):
                text = home[row]
                pieces, begun = _begun(cut["offset_mapping"][row], words[text])
                np.add.at(total[text], begun, one[pieces])
                np.add.at(seen[text], begun, 1)
        means = [one / np.maximum(n, 1)[:, None] for one, n in zip(total, seen, strict=True)]
        for one, n in zip(means, seen, strict=True):
            one[:, 0] -= self.reach
            one[n == 0] = np.where(np.arange(kinds) % 2 == 1, UNREAD, 0)
        return means

    def _read(self, ids: list[list[int]]) -> Table:
        padded = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        padded.pop("token_type_ids", None)
        with torch.inference_mode():
            hidden = self.encoder(**padded).last_hidden_state
            scores = hidden @ self.head["weight"].T + self.head["bias"]
        found: Table = scores.double().numpy()
        return found

    def _ways(self, scores: Table) -> tuple[Table, Table, float]:
        """Logarithms of the weight of all ways up to each word's tag, and from there on, and of all."""
        forward, backward = np.empty_like(scores), np.zeros_like(scores)
        first = np.where(self._can_begin(), 0.0, NEVER)
        for at, row in enumerate(scores):
            before = first if at == 0 else _logsum(forward[at - 1][:, None] + self.follows)
            forward[at] = row + before
        for at in range(len(scores) - 2, -1, -1):
            backward[at] = _logsum((self.follows + scores[at + 1] + backward[at + 1]).T)
        return forward, backward, float(_logsum(forward[-1][:, None])[0])

    def _can_begin(self) -> NDArray[np.bool_]:
        tags = np.arange(len(self.follows))
        able: NDArray[np.bool_] = (tags % 2 == 1) | (tags == 0)
        return able

    def _marks(self, text: str, scores: Table) -> Marks:
        if not len(scores):
            return []
        tags = self._likeliest(scores)
        forward, backward, whole = self._ways(scores)
        words = words_of(text)
        found: Marks = []
        for first in np.flatnonzero(tags % 2 == 1).tolist():
            column, last = (int(tags[first]) - 1) // 2, first
            while last + 1 < len(tags) and tags[last + 1] == 2 + 2 * column:
                last += 1
            # All ways that have just this stretch: it begins here, and does not go on behind its end.
            weight = (
                forward[first, 1 + 2 * column] + scores[first + 1 : last + 1, 2 + 2 * column].sum()
            )
            if last + 1 < len(tags):
                onward = np.where(self._can_begin(), scores[last + 1] + backward[last + 1], NEVER)
                weight += float(_logsum(onward[:, None])[0])
            probability = float(np.exp(min(weight - whole, 0.0)))
            found.append((int(words[first, 0]), int(words[last, 1]), column, probability))
        return found

    def _likeliest(self, scores: Table) -> NDArray[np.int64]:
        """(w,) the tags that are likeliest together. Source: Viterbi 1967."""
        best = scores[0] + np.where(self._can_begin(), 0.0, NEVER)
        came = np.zeros(scores.shape, dtype=np.int64)
        for at in range(1, len(scores)):
            ways = best[:, None] + self.follows
            came[at] = ways.argmax(axis=0)
            best = scores[at] + ways.max(axis=0)
        tags = np.empty(len(scores), dtype=np.int64)
        tags[-1] = int(best.argmax())
        for at in range(len(scores) - 1, 0, -1):
            tags[at - 1] = came[at, tags[at]]
        return tags


def _follows(kinds: int) -> Table:
    """(t, t) 0 where the second tag may follow the first, else NEVER: a stretch goes on only from itself."""
    tags = np.arange(kinds)
    inside = (tags > 0) & (tags % 2 == 0)
    own = (tags[:, None] == tags[None] - 1) | (tags[:, None] == tags[None])
    return np.where(~inside[None] | own, 0.0, NEVER)


def _begun(
    offsets: Sequence[tuple[int, int]], words: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pieces that begin a word, and that word: the first piece that touches it."""
    at = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    if not len(words):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    word = np.searchsorted(words[:, 1], at[:, 0], side="right")
    inner = np.minimum(word, len(words) - 1)
    real = (at[:, 1] > at[:, 0]) & (word < len(words)) & (words[inner, 0] < at[:, 1])
    places = np.flatnonzero(real)
    begun, firsts = np.unique(word[places], return_index=True)
    return places[firsts], begun


def _logsum(values: Table) -> Table:
    """Of each column."""
    most = values.max(axis=0)
    found: Table = most + np.log(np.exp(values - most).sum(axis=0))
    return found
