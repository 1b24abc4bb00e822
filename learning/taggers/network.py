"""A transformer with a linear layer on the first piece of each word. Imports torch: only from a fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from learning.encoders.minilm import model_folder
from learning.encoders.pooled import batch_tokens, cut_at, length_batches, load_pooled
from learning.errors import DamagedFileError, ShapeError
from learning.registry import parameters_of
from learning.spans.tags import tags_of
from learning.storage import MANIFEST, finish_folder, read_manifest
from learning.students.classification import Tokens
from learning.students.devices import device, fixed_chance, mixed_precision
from learning.students.training import Outcome, Training
from learning.taggers.chain import Read, read
from learning.taggers.finetune import BUILT_IN, TokenFinetune
from learning.taggers.saying import tagged
from learning.taggers.types import Marked, Tagged, Words

if TYPE_CHECKING:
    from learning.types import Report

SHARED_PART = 3  # neighbouring windows of a long text share one part in so many
HEAD, ENCODER = "head.safetensors", "encoder"
SILENT = -1  # of a piece that begins no word
# Scores the beginning of a span at a word that the tokenizer leaves out, such as a sign without width.
UNREAD = -30.0


class TokenNetwork(torch.nn.Module):
    """encoder -> dropout -> linear, on every token."""

    def __init__(self, encoder: Any, tags: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(int(encoder.config.hidden_size), tags)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, p) -> scores (b, p, t)."""
        scores: torch.Tensor = self.head(self.dropout(self.encoder(**padded).last_hidden_state))
        return scores.float()


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Texts cut into windows of pieces.

    pieces: their ids; text: (m,) whose window it is; words: m arrays, for each piece the place of the
    word that it begins, counted in all words, SILENT for others.
    """

    pieces: Tokens
    text: NDArray[np.int64]
    words: list[NDArray[np.int64]]

    @classmethod
    def of(cls, tokenizer: Any, texts: Sequence[str], words: Words, tokens: int) -> Windows:
        """Cut each text; neighbouring windows of a long one overlap."""
        tokens = cut_at(tokenizer, tokens)
        cut = tokenizer(
            list(texts),
            truncation=True,
            max_length=tokens,
            stride=tokens // SHARED_PART,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        text = np.array(cut["overflow_to_sample_mapping"], dtype=np.int64)
        begun = [
            _begun(offsets, words.of(int(at)), int(words.starts[at]))
            for offsets, at in zip(cut["offset_mapping"], text, strict=True)
        ]
        pieces = Tokens(ids=cut["input_ids"], fill=int(tokenizer.pad_token_id or 0))
        return cls(pieces=pieces, text=text, words=begun)


def _begun(
    offsets: Sequence[tuple[int, int]], edges: NDArray[np.int64], first: int
) -> NDArray[np.int64]:
    """(p,) which word each piece begins: the first piece that touches it."""
    found = np.full(len(offsets), SILENT, dtype=np.int64)
    at = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    if not len(edges):
        return found
    word = np.searchsorted(edges[:, 1], at[:, 0], side="right")
    inner = np.minimum(word, len(edges) - 1)
    real = (at[:, 1] > at[:, 0]) & (word < len(edges)) & (edges[inner, 0] < at[:, 1])
    places = np.flatnonzero(real)
    _, firsts = np.unique(word[places], return_index=True)
    found[places[firsts]] = first + word[places[firsts]]
    return found


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """An `Objective`: windows to scores to the tags of words; a word costs the same in any text."""

    network: TokenNetwork
    windows: Windows
    tags: NDArray[np.int64]
    of_texts: NDArray[np.float32]
    rates: list[dict[str, Any]]
    identity: str

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(m,) pieces of each window."""
        return np.array([len(row) for row in self.windows.pieces.ids], dtype=np.int64)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """(m,) of each window, as its text."""
        return self.of_texts[self.windows.text]

    @cached_property
    def _usual(self) -> float:
        """Words of a window on average."""
        return max(float(np.mean([(words >= 0).sum() for words in self.windows.words])), 1.0)

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their rates."""
        return self.rates

    def outcome(self, rows: NDArray[np.int64], share: float) -> Outcome:
        """Summed cross-entropy of each window's words, by the words that windows have on average."""
        scores = self.network(self.windows.pieces.take(rows))
        truth = np.full(scores.shape[:2], SILENT, dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            words = self.windows.words[row]
            truth[place, : len(words)] = np.where(words >= 0, self.tags[words], SILENT)
        costs = torch.nn.functional.cross_entropy(
            scores.transpose(1, 2),
            torch.from_numpy(truth).to(scores.device),
            ignore_index=SILENT,
            reduction="none",
        )
        return Outcome(costs=costs.sum(dim=1) / self._usual)


def learn(
    plan: TokenFinetune,
    data: Marked,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> FittedTokenNetwork:
    """Make the network, train it, and hand it over."""
    source = str(model_folder()) if plan.model == BUILT_IN else plan.model
    with fixed_chance(0):  # weights that the files lack are drawn, alike each time
        pooled = load_pooled(source, plan.revision, plan.tokens, {})
        network = TokenNetwork(pooled.model, 1 + 2 * data.labels).to(device())
    texts = list(data.texts or [])
    tags = [tags_of(spans, data.words.of(at)) for at, spans in enumerate(data.spans)]
    weights = np.ones(len(texts)) if data.weights is None else data.weights
    objective = Tagging(
        network=network,
        windows=Windows.of(pooled.tokenizer, texts, data.words, plan.tokens),
        tags=np.concatenate(tags),
        of_texts=np.asarray(weights, dtype=np.float32),
        rates=[
            {"params": list(network.encoder.parameters()), "peak": plan.learning_rate},
            {"params": list(network.head.parameters()), "peak": plan.head_rate},
        ],
        identity=_identity(plan, data, str(pooled.parts["weights"])),
    )
    Training.begin(objective, plan, rng, checkpoint).run(report)
    return FittedTokenNetwork(
        network=network, tokenizer=pooled.tokenizer, tokens=plan.tokens, reach=plan.reach
    )


def _identity(plan: TokenFinetune, data: Marked, weights: str) -> str:
    """Names parameters, data and the weights that training begins from, for checkpoints."""
    told = [parameters_of(plan), weights, data.labels, list(data.texts or []), list(data.spans)]
    told.append(None if data.weights is None else np.asarray(data.weights).tolist())
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True)
class FittedTokenNetwork:
    """A trained network with its tokenizer; reach: what is taken off the score of "outside"."""

    network: TokenNetwork
    tokenizer: Any
    tokens: int
    reach: float

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return int(self.network.head.out_features) // 2

    def tag(self, words: Words, texts: Sequence[str] | None = None) -> Tagged:
        """The likeliest valid tags of each text."""
        return tagged(self.read(words, texts), words)

    def read(self, words: Words, texts: Sequence[str] | None = None) -> Read:
        """Scores of the words, averaged over the windows that they are in."""
        if texts is None or len(texts) != words.texts:
            raise ShapeError("A fine-tuned tagger reads texts: give one for each text of words.")
        windows = Windows.of(self.tokenizer, texts, words, self.tokens)
        total = np.zeros((len(words.edges), self.network.head.out_features), dtype=np.float32)
        seen = np.zeros(len(total), dtype=np.float32)
        self.network.eval()
        lengths = [len(row) for row in windows.pieces.ids]
        with torch.inference_mode(), mixed_precision():
            for batch in length_batches(lengths, batch_tokens(device())):
                scores = self.network(windows.pieces.take(batch)).float().cpu().numpy()
                for place, row in enumerate(batch.tolist()):
                    own = windows.words[row]
                    at = np.flatnonzero(own >= 0)
                    np.add.at(total, own[at], scores[place, at])
                    np.add.at(seen, own[at], 1)
        scores = np.asarray(total / np.maximum(seen, 1)[:, None], dtype=np.float32)
        scores[:, 0] -= np.float32(self.reach)
        scores[seen == 0] = np.where(np.arange(scores.shape[1]) % 2 == 1, UNREAD, 0)
        return read(scores, words.starts)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and manifest; `learning.taggers.load` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)  # an older one must not vouch for new files
        self.network.encoder.save_pretrained(folder / ENCODER)
        self.tokenizer.save_pretrained(folder / ENCODER)
        head = self.network.head
        parts = {"weight": head.weight.detach().cpu(), "bias": head.bias.detach().cpu()}
        save_file({name: part.contiguous() for name, part in parts.items()}, folder / HEAD)
        told = {"student": "token-finetune", "tokens": self.tokens, "reach": self.reach}
        finish_folder(folder, told)

    @classmethod
    def load(cls, folder: Path) -> FittedTokenNetwork:
        """What `save` wrote; raises DamagedFileError when a file was changed."""
        manifest = read_manifest(folder)
        if HEAD not in manifest.get("sha256", {}):
            raise DamagedFileError(f"The manifest in {folder} does not vouch for {HEAD}.")
        head = load_file(folder / HEAD)
        pooled = load_pooled(str(folder / ENCODER), None, int(manifest["tokens"]), {})
        network = TokenNetwork(pooled.model, len(head["bias"])).to(device())
        network.head.load_state_dict(head)
        return cls(
            network=network.eval(),
            tokenizer=pooled.tokenizer,
            tokens=int(manifest["tokens"]),
            reach=float(manifest["reach"]),
        )
