"""How the contrastive student is made: two tuned copies, their fusion, and a head on its vectors.

Imports torch: only reached from a fit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.students.classification import (
    Classification,
    Tokens,
    active_columns,
    identity_of,
    tokenised,
)
from learning.students.comparisons import Called, Together, encoded, label_places
from learning.students.fusion import fuse
from learning.students.head import FittedHead, Head
from learning.students.patience import beside
from learning.students.training import Training, steps_of
from learning.students.transformer import Classifier, FittedTransformer, unit_classifier
from learning.types import Report, TrainingData, no_report

if TYPE_CHECKING:
    from learning.students.contrastive import Contrastive

LABELS_AT_ONCE = 32  # label texts that a batch is compared with


@dataclass(kw_only=True)
class Tuning:
    """What both copies are made of: the untouched network, the data as tokens."""

    plan: Contrastive
    data: TrainingData
    network: Classifier
    tokenizer: Any
    weights: str
    texts: Tokens
    called: Tokens
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, plan: Contrastive, data: TrainingData, beat: Callable[[], None]) -> Tuning:
        """Load the model and cut the texts; `beat` is called on the way."""
        beat()
        name = (plan.model, plan.revision, plan.tokens)
        network, tokenizer, weights = beside(lambda: unit_classifier(*name, data.labels), beat)
        columns = label_places(data)
        called = [(data.label_texts or ())[place] for place in columns]
        return cls(
            plan=plan,
            data=data,
            network=network,
            tokenizer=tokenizer,
            weights=weights,
            texts=tokenised(tokenizer, data.texts or [], plan.tokens, beat),
            called=tokenised(tokenizer, called, plan.tokens, beat),
            columns=columns,
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """The copies that are wanted, in order."""
        share = self.plan.fusion if len(self.columns) else 0.0
        return ("texts",) * (share < 1) + ("labels",) * (share > 0)

    def _objective(self, stage: str, network: Classifier) -> Classification:
        """What a copy is trained on."""
        common: dict[str, Any] = {
            "network": network,
            "tokens": self.texts,
            "data": self.data,
            "rates": [
                {"params": list(network.encoder.parameters()), "peak": self.plan.learning_rate}
            ],
            "identity": identity_of(
                self.plan, self.data, f"{self.weights} {stage} {self.data.label_texts}"
            ),
        }
        if stage == "texts":
            return Together(**common)
        return Called(**common, called=self.called, columns=self.columns, most=LABELS_AT_ONCE)

    def copy(
        self, stage: str, rng: np.random.Generator, report: Report, checkpoint: Path | None
    ) -> Classifier:
        """One tuned copy of the network."""
        network = copy.deepcopy(self.network)
        Training.begin(self._objective(stage, network), self.plan, rng, checkpoint).run(report)
        return network

    def finished(self, network: Classifier, rng: np.random.Generator) -> FittedTransformer:
        """A student of a tuned network, with our head as its linear layer."""
        _put_head(network, self._head(network, rng))
        return FittedTransformer(
            network=network.eval(),
            tokenizer=self.tokenizer,
            tokens=self.plan.tokens,
            active=active_columns(self.data),
            multi_label=self.data.multi_label,
            margins=np.empty((0, self.data.rows), dtype=np.float32),
            student="contrastive",
        )

    def _head(self, network: Classifier, rng: np.random.Generator) -> FittedHead:
        """Our head on the tuned vectors, drawn to the tuned vectors of the label texts."""
        names = None
        if len(self.columns):
            names = np.zeros((self.data.labels, network.dimensions), dtype=np.float32)
            names[self.columns] = encoded(network, self.called)
        vectors = encoded(network, self.texts)
        lesson = replace(self.data, texts=None, encodings=vectors, label_vectors=names)
        return Head().fit_one(lesson, rng, no_report)


def tuned(
    plan: Contrastive,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> FittedTransformer:
    """Both copies, their fusion, and the head on its vectors; see `Contrastive.fit`."""
    steps = steps_of(plan, data.rows)
    tuning = Tuning.of(plan, data, lambda: report(0, 2 * steps))
    copies = []
    for place, stage in enumerate(tuning.stages):
        folder = None if checkpoint is None else checkpoint / stage
        told = _told(report, place * steps, len(tuning.stages) * steps)
        copies.append(tuning.copy(stage, rng, told, folder))
    return tuning.finished(_fused(copies, plan.fusion), rng)


def _fused(copies: list[Classifier], share: float) -> Classifier:
    network = copies[0]
    if len(copies) == 2:
        one, other = (each.encoder.state_dict() for each in copies)
        network.encoder.load_state_dict(fuse(one, other, share))
    return network


def _told(report: Report, before: int, total: int) -> Report:
    return lambda done, _of: report(before + done, total)


def _put_head(network: Classifier, head: FittedHead) -> None:
    """Make a head the linear layer of the network, its temperature included."""
    warm = np.float32(head.choice.temperature)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(warm * head.weights.T))
        network.head.bias.copy_(torch.from_numpy(warm * head.bias))
