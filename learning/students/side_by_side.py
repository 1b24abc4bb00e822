"""How the dual encoder is made. Imports torch: only reached from a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from learning.students.classification import (
    Tokens,
    active_columns,
    identity_of,
    targets_of,
    tokenised,
)
from learning.students.comparisons import TEMPERATURE, Called, encoded
from learning.students.devices import fixed_chance
from learning.students.listening import listening
from learning.students.patience import beside, seldom
from learning.students.top_k import top_k_costs
from learning.students.training import Training, steps_of
from learning.students.transformer import Classifier, FittedTransformer, unit_classifier
from learning.types import Bools, Report, TrainingData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.students.dual_encoder import DualEncoder

FIRST = 0.02  # spread of what a label without a text begins with
LABELS_AT_ONCE = 256  # encoded together when all is learnt
THRESHOLDS = np.linspace(0, 1, 101, dtype=np.float32)  # cosines
MOST_ROWS = 2_000  # texts on which a threshold is chosen


@dataclass(frozen=True, kw_only=True)
class SideBySide(Called):
    """Labels are their texts plus a vector of their own, which the linear layer holds meanwhile.

    told: (c,) bool, the labels that have a text; plan: whose loss is meant.
    """

    told: Bools
    plan: DualEncoder

    def label_rows(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        """(m, d) unit rows of the labels at these places in `columns`."""
        own = self.network.head.weight[torch.from_numpy(self.columns[chosen])]
        told = torch.from_numpy(self.told[chosen]).to(own)[:, None]
        vectors = self.network.vectors(self.called.take(chosen)).float() * told
        return torch.nn.functional.normalize(vectors + own, dim=1)

    def costs(
        self, scores: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """The plan's loss."""
        if self.plan.loss == "top-k":
            return top_k_costs(scores, targets, known, self.plan.top)
        return Called.costs(self, scores, targets, known)


def tuned(
    plan: DualEncoder,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> FittedTransformer:
    """Train, then keep every label's vector as a row of the linear layer."""

    def beat() -> None:
        report(0, steps_of(plan, data.rows))

    beat()
    name = (plan.model, plan.revision, plan.tokens)
    network, tokenizer, weights = beside(lambda: unit_classifier(*name, data.labels), beat)
    texts = data.label_texts or ("",) * data.labels
    told = np.array([bool(text.strip()) for text in texts], dtype=np.bool_)
    active = active_columns(data) | told
    _begin(network, told)
    objective = SideBySide(
        network=network,
        inputs=tokenised(tokenizer, data.texts or [], plan.tokens, beat),
        data=data,
        rates=[
            {"params": list(network.encoder.parameters()), "peak": plan.learning_rate},
            {"params": [network.head.weight], "peak": plan.label_rate},
        ],
        identity=identity_of(plan, data, f"{weights} {texts}"),
        called=tokenised(tokenizer, [texts[c] for c in np.flatnonzero(active)], plan.tokens, beat),
        columns=np.flatnonzero(active),
        most=plan.compared,
        told=told[active],
        plan=plan,
    )
    training = Training.begin(objective, plan, rng, checkpoint)
    margins = training.run(report)
    after = seldom(lambda: report(training.steps, training.steps))
    _keep_labels(network, objective, after)
    if data.multi_label:
        _keep_threshold(network, objective, after)
    return FittedTransformer(
        network=network.eval(),
        tokenizer=tokenizer,
        tokens=plan.tokens,
        active=active,
        multi_label=data.multi_label,
        margins=margins,
        student="dual-encoder",
    )


def _begin(network: Classifier, told: Bools) -> None:
    """Labels with a text begin as it; others somewhere, or they would all be the same."""
    weight = network.head.weight
    with fixed_chance(0), torch.no_grad():
        spread = torch.randn(weight.shape) * FIRST
        spread[torch.from_numpy(told)] = 0
        weight.copy_(spread)
    weight.requires_grad_(requires_grad=True)


def _keep_labels(network: Classifier, objective: SideBySide, beat: Callable[[], None]) -> None:
    network.eval()
    places = np.arange(len(objective.columns))
    parts = np.array_split(places, -(-len(places) // LABELS_AT_ONCE))
    with torch.no_grad(), listening(network, beat):
        rows = torch.cat([objective.label_rows(part) for part in parts])
        network.head.weight.zero_()
        network.head.weight[torch.from_numpy(objective.columns)] = rows / TEMPERATURE


def _keep_threshold(network: Classifier, objective: SideBySide, beat: Callable[[], None]) -> None:
    """Several labels: the cosine from which on a label is likely, by cross-entropy on what was learnt.

    The losses only order labels; the bias of the linear layer makes that yes or no.
    """
    rows = np.arange(0, objective.data.rows, -(-objective.data.rows // MOST_ROWS))
    texts = Tokens(ids=[objective.inputs.ids[row] for row in rows], fill=objective.inputs.fill)
    labels = network.head.weight.detach().cpu().numpy()[objective.columns]
    logits = encoded(network, texts, beat) @ labels.T  # (m, c)
    targets, known = (
        table.cpu().numpy()[:, objective.columns]
        for table in targets_of(objective.data, rows, torch.device("cpu"))
    )

    def cost(threshold: np.float32) -> float:
        away = logits - threshold / TEMPERATURE
        each = np.maximum(away, 0) - away * targets + np.log1p(np.exp(-np.abs(away)))
        return float((each * known).sum())

    best = min(THRESHOLDS, key=cost)
    with torch.no_grad():
        network.head.bias.fill_(-float(best) / TEMPERATURE)
