"""The objective of students that classify texts or images: soft cross-entropy of a network's logits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from learning.encoders.apart import as_one, parted
from learning.encoders.pooled import cut_at
from learning.errors import OutOfMemoryError
from learning.registry import parameters_of
from learning.students.balance import label_weights
from learning.students.devices import device
from learning.students.losses import cross_entropy, label_margins
from learning.students.patience import beside
from learning.students.spread import spread
from learning.students.training import Outcome, Schedule, Training, steps_of
from learning.types import Report, TrainingData, row_blocks

KINDS = "token_type_ids"
AT_ONCE = 1_000  # texts that are cut into tokens between two looks for a cancel


class Inputs(Protocol):
    """The rows of a lesson as a network takes them. lengths: (n,) in tokens, 0 where rows have none."""

    @property
    def lengths(self) -> NDArray[np.int64]: ...

    def take(self, rows: NDArray[np.int64]) -> Any:
        """What the network is given of some rows, on the device."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Texts as token ids; `fill` is the id that padding is made of.

    kinds: of two texts that are read as two segments, 0 for each token of the first and 1 for each of the
    second; None where texts have one segment, or the tokenizer tells the two by separators alone.
    """

    ids: list[list[int]]
    fill: int
    kinds: list[list[int]] | None = None

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each text."""
        return np.array([len(row) for row in self.ids], dtype=np.int64)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[str, torch.Tensor]:
        """input_ids, attention_mask and, of two segments, token_type_ids, (b, t) each, of some rows,
        filled up on the right."""
        padded = pad([self.ids[row] for row in rows], self.fill)
        if self.kinds is not None:
            padded[KINDS] = pad([self.kinds[row] for row in rows], 0)["input_ids"]
        return padded


@dataclass(frozen=True, kw_only=True)
class Made:
    """A network made for a fit.

    network: what `Inputs.take` gives -> logits (b, k); rates: see `Objective.groups`.
    tokenizer: of texts; of images what turns pictures into numbers, see `learning.students.pictures`.
    weights: names what its weights were loaded from; pairs: see `tokenised`.
    """

    network: Any
    tokenizer: Any
    rates: list[dict[str, Any]]
    weights: str
    pairs: bool = False


class Plan(Schedule, Protocol):
    """The parameters of a student that classifies."""

    @property
    def class_weights(self) -> str: ...


class TextPlan(Plan, Protocol):
    """The parameters of a student that classifies texts."""

    @property
    def tokens(self) -> int: ...


def learn(
    plan: TextPlan,
    data: TrainingData,
    make: Callable[[], Made],
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> tuple[Made, NDArray[np.float32]]:
    """Make a network and train it on the texts of `data` -> (network, margins), see `learn_from`."""

    def inputs(made: Made, beat: Callable[[], None]) -> Inputs:
        texts = data.texts or []
        return tokenised(made.tokenizer, texts, plan.tokens, beat, pairs=made.pairs)

    return learn_from(inputs, plan, data, make, rng, report, checkpoint)


def learn_from(
    inputs: Callable[[Made, Callable[[], None]], Inputs],
    plan: Plan,
    data: TrainingData,
    make: Callable[[], Made],
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> tuple[Made, NDArray[np.float32]]:
    """Make a network and train it on what `inputs` makes of the lesson -> (network, margins), see `Training.run`.

    A cancel passes through while models are loaded and `inputs` calls what it is given beside the network, too.
    Raises OutOfMemoryError when the device holds neither the model nor what its steps need.
    """

    def beat() -> None:
        report(0, steps_of(plan, data.rows))

    beat()
    try:
        with spread(plan, data, checkpoint, beat):
            made = beside(make, beat)
            taken = inputs(made, beat)
            return made, _trained(plan, data, made, taken, rng, report, checkpoint)
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            "The memory of the device does not hold the model and what training it needs. Choose a "
            "smaller model, or one of the students that train a small part of it."
        ) from error


def _trained(
    plan: Plan,
    data: TrainingData,
    made: Made,
    inputs: Inputs,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> NDArray[np.float32]:
    objective = Classification(
        network=made.network,
        inputs=inputs,
        data=data,
        rates=made.rates,
        identity=identity_of(plan, data, made.weights),
        balance=_balance(plan, data),
    )
    return Training.begin(objective, plan, rng, checkpoint).run(report)


def _balance(plan: Plan, data: TrainingData) -> torch.Tensor | None:
    if plan.class_weights == "none":
        return None
    return torch.from_numpy(label_weights(data)).to(device())


@dataclass(frozen=True, kw_only=True)
class Classification:
    """An `Objective`: rows to logits to soft labels. balance: (k,) what a present label counts."""

    network: Any
    inputs: Inputs
    data: TrainingData
    rates: list[dict[str, Any]]
    identity: str
    balance: torch.Tensor | None = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) in tokens, 0 where rows have none."""
        return self.inputs.lengths

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """(n,) how much each item counts."""
        if self.data.weights is None:
            return np.ones(self.data.rows, dtype=np.float32)
        return np.asarray(self.data.weights, dtype=np.float32)

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their rates."""
        return self.rates

    def outcome(self, rows: NDArray[np.int64], share: float) -> Outcome:
        """Cross-entropy and margins of some rows."""
        logits = self.network(self.inputs.take(rows)).float()
        targets, known = targets_of(self.data, rows, logits.device)
        several, younger = self.data.multi_label, None
        if self.data.younger is not None:
            younger = torch.from_numpy(self.data.younger[rows]).to(logits.device)
        return Outcome(
            costs=cross_entropy(
                logits,
                targets,
                known,
                multi_label=several,
                balance=self.balance,
                younger=younger,
            ),
            margins=label_margins(logits.detach(), targets, known, multi_label=several),
        )


def targets_of(
    data: TrainingData, rows: NDArray[np.int64], where: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft targets (b, k) float32 of some rows, and (b, k) bool, what is known of them."""
    targets = np.asarray(data.targets[rows], dtype=np.float32)
    known = np.ones(targets.shape, dtype=np.bool_) if data.known is None else data.known[rows]
    return torch.from_numpy(targets).to(where), torch.from_numpy(known).to(where)


def tokenised(
    tokenizer: Any,
    texts: Sequence[str],
    longest: int,
    beat: Callable[[], None],
    *,
    pairs: bool = False,
) -> Tokens:
    """Texts as token ids, each cut after `longest`, or what the model reads, and with one token at least.

    beat: called between blocks of texts; what it raises passes through.
    pairs: each is two texts, see `learning.encoders.apart.parted`, and read as two segments with the
        tokenizer's own separator, the longer one cut first; of a single text the second segment is empty.
        Without it two texts are read as one.
    """
    fill = tokenizer.pad_token_id
    if fill is None:  # decoders often have none; padding is masked, so any token will do
        fill = tokenizer.eos_token_id or 0
    ids: list[list[int]] = []
    kinds: list[list[int]] = []
    for block in row_blocks(len(texts), AT_ONCE):
        beat()
        cut = _cut(tokenizer, texts[block], longest, pairs=pairs)
        ids += cut["input_ids"]
        kinds += cut.get(KINDS, []) if pairs else []
    return Tokens(
        ids=[row or [fill] for row in ids],
        fill=int(fill),
        kinds=[row or [0] for row in kinds] or None,
    )


def _cut(tokenizer: Any, texts: Sequence[str], longest: int, *, pairs: bool) -> Any:
    longest = cut_at(tokenizer, longest)
    if not pairs:
        return tokenizer([as_one(text) for text in texts], truncation=True, max_length=longest)
    both = [parted(text) or (text, "") for text in texts]
    first, second = [one for one, _ in both], [other for _, other in both]
    return tokenizer(first, second, truncation="longest_first", max_length=longest)


def pad(ids: Sequence[Sequence[int]], fill: int) -> dict[str, torch.Tensor]:
    """Token ids of b texts -> input_ids and attention_mask (b, t) on the device."""
    longest = max(len(row) for row in ids)
    table = np.full((len(ids), longest), fill, dtype=np.int64)
    mask = np.zeros((len(ids), longest), dtype=np.int64)
    for place, row in enumerate(ids):
        table[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return {
        "input_ids": torch.from_numpy(table).to(device()),
        "attention_mask": torch.from_numpy(mask).to(device()),
    }


def active_columns(data: TrainingData) -> NDArray[np.bool_]:
    """(k,) bool, False for labels that are not known of any item: they get no probability."""
    if data.known is None:
        return np.ones(data.labels, dtype=np.bool_)
    return np.asarray(data.known.any(axis=0), dtype=np.bool_)


def probabilities_of(
    logits: torch.Tensor, active: NDArray[np.bool_], *, multi_label: bool
) -> torch.Tensor:
    """(b, k) logits -> (b, k) probabilities, 0 where a label is not `active` (k,)."""
    given = torch.from_numpy(active).to(logits.device)
    if multi_label:
        return torch.sigmoid(logits) * given
    return torch.softmax(logits.masked_fill(~given, float("-inf")), dim=1)


def identity_of(plan: object, data: TrainingData, weights: str) -> str:
    """Names parameters, data, and the `weights` that training begins from, for checkpoints."""
    digest = hashlib.blake2b(digest_size=16)
    told = [type(plan).__name__, parameters_of(plan), data.multi_label, data.texts, weights]
    digest.update(json.dumps([*told, data.paired]).encode())
    images = data.images or ()
    # Of a lesson that has images too, who reads texts is told texts alone.
    for place in range(len(images) if getattr(plan, "needs", "") == "images" else 0):
        digest.update(hashlib.blake2b(images[place]).digest())
    for array in (data.targets, data.weights, data.known, data.younger):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
