"""How the contrastive student is made: an encoder tuned by comparisons, and a head on its vectors.

Imports torch: only reached from a fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from learning.students.classification import active_columns, identity_of, tokenised
from learning.students.comparisons import Together, encoded, label_places
from learning.students.head import FittedHead, Head
from learning.students.patience import beside, seldom
from learning.students.strength import USUAL
from learning.students.training import Training, steps_of
from learning.students.transformer import Classifier, FittedTransformer, unit_classifier
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.contrastive import Contrastive

LABELS_AT_ONCE = 32  # label texts that a batch is compared with
# How far the head is drawn to what labels are called, with the head's usual strength and no temperature. None of
# them is chosen by rows held out: the encoder has learnt these by heart, so that a head is never wrong on them.
NAMES_SCALE = 5.0


def tuned(
    plan: Contrastive,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    checkpoint: Path | None,
) -> FittedTransformer:
    """Tune the encoder and fit the head on its vectors; see `Contrastive.fit`."""

    def beat() -> None:
        report(0, steps_of(plan, data.rows))

    beat()
    name = (plan.model, plan.revision, plan.tokens)
    network, tokenizer, weights = beside(lambda: unit_classifier(*name, data.labels), beat)
    # Few texts hold few words, whose vectors would move alone. They are also half of all weights.
    network.encoder.get_input_embeddings().requires_grad_(requires_grad=False)
    columns = label_places(data)
    called = [(data.label_texts or ())[place] for place in columns]
    objective = Together(
        network=network,
        inputs=tokenised(tokenizer, data.texts or [], plan.tokens, beat),
        data=data,
        rates=[{"params": _moving(network), "peak": plan.learning_rate}],
        identity=identity_of(plan, data, f"{weights} {data.label_texts}"),
        called=tokenised(tokenizer, called, plan.tokens, beat),
        columns=columns,
        most=LABELS_AT_ONCE,
    )
    training = Training.begin(objective, plan, rng, checkpoint)
    margins = training.run(report)
    after = seldom(lambda: report(training.steps, training.steps))
    _put_head(network, _head(objective, rng, after))
    return FittedTransformer(
        network=network.eval(),
        tokenizer=tokenizer,
        tokens=plan.tokens,
        active=active_columns(data),
        multi_label=data.multi_label,
        margins=margins,
        student="contrastive",
    )


def _moving(network: Classifier) -> list[torch.nn.Parameter]:
    return [weight for weight in network.encoder.parameters() if weight.requires_grad]


def _head(made: Together, rng: np.random.Generator, beat: Callable[[], None]) -> FittedHead:
    """Our head on the tuned vectors, drawn to the tuned vectors of the label texts."""
    names = None
    if len(made.columns):
        names = np.zeros((made.data.labels, made.network.dimensions), dtype=np.float32)
        names[made.columns] = encoded(made.network, made.called, beat)
    vectors = encoded(made.network, made.inputs, beat)
    lesson = replace(made.data, texts=None, encodings=vectors, label_vectors=names, paired=False)
    head = Head(strength=USUAL, prior_scale=NAMES_SCALE)
    return head.fit_one(lesson, rng, lambda _done, _total: beat())


def _put_head(network: Classifier, head: FittedHead) -> None:
    """Make a head the linear layer of the network."""
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(head.weights.T))
        network.head.bias.copy_(torch.from_numpy(head.bias))
