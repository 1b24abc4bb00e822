"""Tuning an encoder by comparing texts with texts, or with what labels are called.

Imports torch: only reached from a fit. Letters: b texts, k labels, m of them compared, d dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.encoders.pooled import batch_tokens, length_batches
from learning.students.classification import (
    Classification,
    Tokens,
    active_columns,
    targets_of,
)
from learning.students.devices import device, mixed_precision
from learning.students.losses import label_margins
from learning.students.training import Outcome
from learning.types import TrainingData

TEMPERATURE = 0.05  # cosines to label texts are divided by it
TOGETHER = 0.1  # cosines between texts are


@dataclass(frozen=True, kw_only=True)
class Called(Classification):
    """Texts come to what their labels are called. The network has `vectors(padded)`.

    called: tokens of the label texts; columns: (c,) which label each of them is.
    most: label texts that a batch is compared with, its own labels first, then others by chance.
    """

    inputs: Tokens
    called: Tokens
    columns: NDArray[np.int64]
    most: int

    def outcome(self, rows: NDArray[np.int64], share: float) -> Outcome:
        """(b,) for each text how far its labels are from being its nearest ones."""
        vectors = self.network.vectors(self.inputs.take(rows)).float()
        return self.beside_labels(vectors, rows)

    def beside_labels(self, vectors: torch.Tensor, rows: NDArray[np.int64]) -> Outcome:
        """(b, d) unit vectors of some rows -> (b,) what their cosines to label texts cost. Margins where each
        text has one label, and every label is compared."""
        targets, known = targets_of(self.data, rows, vectors.device)
        chosen = self._chosen(rows)
        place = torch.from_numpy(self.columns[chosen]).to(vectors.device)
        scores = vectors @ self.label_rows(chosen).T / TEMPERATURE
        targets, known = targets[:, place], known[:, place]
        margins = None
        if self._has_margins and len(chosen) == len(self.columns):
            margins = label_margins(scores.detach(), targets, known, multi_label=False)
        return Outcome(costs=self.costs(scores, targets, known), margins=margins)

    @cached_property
    def _has_margins(self) -> bool:
        """Whether a text has one label, and each label that there is could be compared with it."""
        there = np.flatnonzero(active_columns(self.data))
        return not self.data.multi_label and bool(np.isin(there, self.columns).all())

    def label_rows(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        """(m, d) unit rows of the labels at these places in `columns`."""
        vectors: torch.Tensor = self.network.vectors(self.called.take(chosen)).float()
        return vectors

    def costs(
        self, scores: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """(b, m) scores of the labels, soft targets and what is known of them -> (b,)."""
        return decoupled_softmax(scores, targets, known)

    def _chosen(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,) places in `columns`, ascending."""
        own = np.asarray((self.data.targets[rows][:, self.columns] > 0).any(axis=0))
        chance = torch.rand(len(self.columns)).numpy()  # a function of the seed and the step
        order = np.argsort(chance - own, kind="stable")
        return np.sort(order[: max(self.most, int(own.sum()))])


@dataclass(frozen=True, kw_only=True)
class Together(Called):
    """Texts with a common label come together, others part, and all come to what their labels are
    called, where that is told.
    """

    def outcome(self, rows: NDArray[np.int64], share: float) -> Outcome:
        """(b,) for each text what its pairs with the batch cost, and its distance from its labels."""
        vectors = self.network.vectors(self.inputs.take(rows)).float()
        costs = together_costs(vectors, *targets_of(self.data, rows, vectors.device))
        if not len(self.columns):
            return Outcome(costs=costs)
        called = self.beside_labels(vectors, rows)
        return Outcome(costs=costs + called.costs, margins=called.margins)


def together_costs(
    vectors: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """(b, d) unit rows, (b, k) targets and what is known of them -> (b,) cross-entropy of who in the batch
    is near a text.

    Of all others, those with its labels should be the nearest: each counts by the cosine of the two
    texts' targets. A text that is alone with its labels costs nothing, and of two texts that may share a
    label, since of one it is not known, neither is to be far. Source: Khosla et al. 2020.
    """
    alike, told = _likeness(targets, known)  # (b, b)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    nobody = itself | ~told
    alike = alike.masked_fill(nobody, 0.0)
    scores = (vectors @ vectors.T / TOGETHER).masked_fill(nobody, torch.finfo(vectors.dtype).min)
    logs = torch.log_softmax(scores, dim=1).masked_fill(nobody, 0.0)
    return -(alike * logs).sum(dim=1) / alike.sum(dim=1).clamp(min=1e-6)


def _likeness(targets: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(b, b) cosines of the targets of two texts, by what is known of both, and (b, b) bool, whether that
    tells the two alike or apart: a label of one that is not known of the other tells neither.
    """
    seen = known.to(targets.dtype)
    given = targets * seen
    own = (given**2) @ seen.T  # (b, b) squared length of a row, by what is known of the column
    alike = given @ given.T / (own * own.T).sqrt().clamp(min=1e-6)
    hidden = given @ (1 - seen).T > 0
    return alike, (alike > 0) | ~(hidden | hidden.T)


def decoupled_softmax(
    scores: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """(b, m) scores, soft targets and what is known of them -> (b,) costs, 0 for a row without labels.

    Each label of a text is weighed against those that the text does not have, so that the labels
    of one text do not compete; with one label each this is cross-entropy. Source: Gupta et al. 2024.
    """
    nothing = torch.finfo(scores.dtype).min
    others = scores.masked_fill(~known | (targets > 0), nothing)
    rest = torch.logsumexp(others, dim=1, keepdim=True)  # (b, 1)
    each = torch.logaddexp(scores, rest) - scores
    return (targets * each).sum(dim=1) / targets.sum(dim=1).clamp(min=1)


def label_places(data: TrainingData) -> NDArray[np.int64]:
    """(c,) the labels that have a text and are known of some item; none where texts are not told."""
    told = np.array([bool(text.strip()) for text in data.label_texts or [""] * data.labels])
    if data.known is not None:
        told &= data.known.any(axis=0)
    return np.flatnonzero(told)


def encoded(network: Any, tokens: Tokens, beat: Callable[[], None]) -> NDArray[np.float32]:
    """(n, d) unit rows of texts by a network in its present state, in batches of similar length.

    beat: called before each batch; what it raises passes through.
    """
    network.eval()
    table = np.empty((len(tokens.ids), network.dimensions), dtype=np.float32)
    with torch.inference_mode(), mixed_precision():
        for batch in length_batches([len(row) for row in tokens.ids], batch_tokens(device())):
            beat()
            table[batch] = network.vectors(tokens.take(batch)).float().cpu().numpy()
    return table
