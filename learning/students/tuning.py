"""How the contrastive student is made: two tuned copies, their fusion, and a head on its vectors.

Imports torch: only reached from a fit.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.encoders.minilm import model_folder
from learning.encoders.pooled import load_pooled
from learning.students.classification import (
    Classification,
    Tokens,
    active_columns,
    identity_of,
    tokenised,
)
from learning.students.comparisons import Called, Together, encoded, label_places
from learning.students.devices import device, fixed_chance
from learning.students.finetune import BUILT_IN
from learning.students.fusion import fuse
from learning.students.head import FittedHead, Head
from learning.students.patience import beside
from learning.students.training import Training, steps_of
from learning.students.transformer import Classifier, FittedTransformer
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.contrastive import Contrastive

LABELS_AT_ONCE = 32  # label texts that a batch is compared with


@dataclass(kw_only=True)
class Bench:
    """What both copies are made of: the untouched network, the data as tokens."""

    plan: Contrastive
    data: TrainingData
    network: Classifier
    tokenizer: Any
    weights: str
    texts: Tokens
    called: Tokens
    columns: NDArray[np.int64]

    @property
    def stages(self) -> tuple[str, ...]:
        """The copies that are wanted, in order."""
        share = self.plan.fusion if len(self.columns) else 0.0
        return ("texts",) * (share < 1) + ("labels",) * (share > 0)

    def objective(self, stage: str, network: Classifier) -> Classification:
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


def tuned(
    plan: Contrastive,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> FittedTransformer:
    """Both copies, their fusion, and the head on its vectors; see `Contrastive.fit`."""
    steps = steps_of(plan, data.rows)
    bench = _bench(plan, data, lambda: report(0, 2 * steps))
    copies = []
    for place, stage in enumerate(bench.stages):
        network = copy.deepcopy(bench.network)
        folder = None if checkpoint is None else checkpoint / stage
        training = Training.begin(bench.objective(stage, network), plan, rng, folder)
        training.run(_told(report, place * steps, len(bench.stages) * steps))
        copies.append(network)
    network = copies[0]
    if len(copies) == 2:
        one, other = (each.encoder.state_dict() for each in copies)
        network.encoder.load_state_dict(fuse(one, other, plan.fusion))
    _put_head(network, _head(bench, network, rng))
    return FittedTransformer(
        network=network.eval(),
        tokenizer=bench.tokenizer,
        tokens=plan.tokens,
        active=active_columns(data),
        multi_label=data.multi_label,
        margins=np.empty((0, data.rows), dtype=np.float32),
        student="contrastive",
    )


def _told(report: Report, before: int, total: int) -> Report:
    return lambda done, _of: report(before + done, total)


def _bench(plan: Contrastive, data: TrainingData, beat: Any) -> Bench:
    beat()
    source = str(model_folder()) if plan.model == BUILT_IN else plan.model

    def load() -> Any:
        with fixed_chance(0):  # weights that the files lack are drawn, alike each time
            return load_pooled(source, plan.revision, plan.tokens, {})

    pooled = beside(load, beat)
    columns = label_places(data)
    called = [(data.label_texts or ())[place] for place in columns]
    network = Classifier(pooled.model, data.labels, unit=True).to(device())
    network.head.requires_grad_(requires_grad=False)
    return Bench(
        plan=plan,
        data=data,
        network=network,
        tokenizer=pooled.tokenizer,
        weights=str(pooled.parts["weights"]),
        texts=tokenised(pooled.tokenizer, data.texts or [], plan.tokens, beat),
        called=tokenised(pooled.tokenizer, called, plan.tokens, beat),
        columns=columns,
    )


def _head(bench: Bench, network: Classifier, rng: np.random.Generator) -> FittedHead:
    """Our head on the tuned vectors, drawn to the tuned vectors of the label texts."""
    data = bench.data
    names = None
    if len(bench.columns):
        names = np.zeros((data.labels, network.dimensions), dtype=np.float32)
        names[bench.columns] = encoded(network, bench.called)
    vectors = encoded(network, bench.texts)
    lesson = replace(data, texts=None, encodings=vectors, label_vectors=names)
    return Head().fit(lesson, rng, lambda done, of: None)


def _put_head(network: Classifier, head: FittedHead) -> None:
    """Make a head the linear layer of the network, its temperature included."""
    warm = np.float32(head.choice.temperature)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(warm * head.weights.T))
        network.head.bias.copy_(torch.from_numpy(warm * head.bias))
