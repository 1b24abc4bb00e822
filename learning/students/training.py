"""The training loop of the fine-tuned transformer: short, resumable, deterministic by step.

Everything random in step s is a function of (seed, s): which rows, their order, the dropout. So a
run that was killed goes on from its last checkpoint to the very weights that it would have had.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.registry import parameters_of
from learning.students import checkpoints
from learning.students.transformer import (
    Classifier,
    FittedTransformer,
    device,
    fresh_classifier,
    mixed_precision,
    pad,
)
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.finetune import Finetune

BUCKET_BATCHES = 8  # texts are sorted by length within so many batches
CLIP = 1.0  # norm of the gradient at most


@dataclass(kw_only=True)
class Training:
    """One fit under way. `step` counts optimiser steps done."""

    plan: Finetune
    data: TrainingData
    classifier: Classifier
    tokenizer: Any
    optimiser: torch.optim.AdamW
    ids: list[list[int]]
    active: NDArray[np.bool_]
    seed: int
    identity: str
    checkpoint: Path | None
    step: int = 0

    @classmethod
    def begin(
        cls,
        plan: Finetune,
        data: TrainingData,
        rng: np.random.Generator,
        start: FittedTransformer | None,
        checkpoint: Path | None,
    ) -> Training:
        """Load the model, begin from `start` if it fits, then take up a checkpoint if there is one."""
        classifier, tokenizer = fresh_classifier(
            plan.model, plan.revision, plan.tokens, data.labels
        )
        if start is not None:
            _copy(start.classifier, classifier)
        active = np.ones(data.labels, dtype=np.bool_)
        if data.known is not None:
            active = np.asarray(data.known.any(axis=0), dtype=np.bool_)
        texts = data.texts or []
        training = cls(
            plan=plan,
            data=data,
            classifier=classifier,
            tokenizer=tokenizer,
            optimiser=_optimiser(plan, classifier),
            ids=tokenizer(texts, truncation=True, max_length=plan.tokens)["input_ids"],
            active=active,
            seed=int(rng.integers(2**62)),
            identity=_identity(plan, data, classifier),
            checkpoint=checkpoint,
        )
        if checkpoint is not None:
            found = checkpoints.read(checkpoint, training.identity, classifier, training.optimiser)
            if found is not None:
                training.step, training.seed = found
        return training

    @property
    def steps(self) -> int:
        """How many steps the whole fit has."""
        return self.plan.epochs * self._epoch_steps

    @property
    def _epoch_steps(self) -> int:
        return -(-self.data.rows // self.plan.batch)

    def run(self, report: Report) -> FittedTransformer:
        """Take the steps that are left."""
        report(self.step, self.steps)
        order: list[NDArray[np.int64]] = []
        epoch = -1
        while self.step < self.steps:
            if self.step // self._epoch_steps != epoch:
                epoch = self.step // self._epoch_steps
                order = self._batches(epoch)
            self._take(order[self.step % self._epoch_steps])
            self.step += 1
            if self.checkpoint is not None and self.step % self.plan.checkpoint_steps == 0:
                checkpoints.write(
                    self.checkpoint,
                    self.identity,
                    self.classifier,
                    self.optimiser,
                    (self.step, self.seed),
                )
            report(self.step, self.steps)
        return FittedTransformer(
            classifier=self.classifier.eval(),
            tokenizer=self.tokenizer,
            tokens=self.plan.tokens,
            active=self.active,
            multi_label=self.data.multi_label,
        )

    def _take(self, rows: NDArray[np.int64]) -> None:
        """One step of AdamW on a batch."""
        share = _rate(self.step, self.steps, self.plan.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * share
        self.classifier.train()
        where = device()
        padded = pad(self.tokenizer, [self.ids[row] for row in rows], where)
        devices = [where] if where.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):  # dropout of this step, nobody else's chance
            torch.manual_seed((self.seed + 1_000_003 * self.step) % 2**62)
            with mixed_precision():
                logits = self.classifier(padded)
        loss = self._loss(logits, rows)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.classifier.parameters(), CLIP)
        self.optimiser.step()

    def _loss(self, logits: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        """Weighted mean of the cross-entropy with soft targets; unknown labels have no part."""
        where = logits.device
        y = torch.from_numpy(np.asarray(self.data.targets[rows], dtype=np.float32)).to(where)
        weights = np.ones(len(rows)) if self.data.weights is None else self.data.weights[rows]
        w = torch.from_numpy(np.asarray(weights, dtype=np.float32)).to(where)  # (b,)
        known = np.ones(y.shape, dtype=np.bool_)
        if self.data.known is not None:
            known = self.data.known[rows]
        mask = torch.from_numpy(known).to(where)  # (b, k)
        if self.data.multi_label:
            each = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
            cost = (each * mask).sum(dim=1)
        else:
            logs = torch.log_softmax(logits.masked_fill(~mask, float("-inf")), dim=1)
            cost = -(y * logs.masked_fill(~mask, 0.0)).sum(dim=1)
        return (cost * w).sum() / w.sum()

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The epoch's batches in order: shuffled, of similar length, a function of the seed."""
        rng = np.random.default_rng([self.seed, epoch])
        rows = rng.permutation(self.data.rows)
        lengths = np.array([len(row) for row in self.ids])
        bucket = self.plan.batch * BUCKET_BATCHES
        batches = []
        for first in range(0, len(rows), bucket):
            near = rows[first : first + bucket]
            near = near[np.argsort(lengths[near], kind="stable")]
            batches += [near[i : i + self.plan.batch] for i in range(0, len(near), self.plan.batch)]
        return [batches[place] for place in rng.permutation(len(batches))]


def _optimiser(plan: Finetune, classifier: Classifier) -> torch.optim.AdamW:
    """AdamW with a faster rate for the linear layer; `peak` is what the schedule scales."""
    groups = [
        {"params": list(classifier.encoder.parameters()), "peak": plan.learning_rate},
        {"params": list(classifier.head.parameters()), "peak": plan.head_rate},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay)


def _rate(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate: rises over the warm-up, then falls in a line to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return (steps - step) / max(1.0, steps - rise)


def _copy(source: Classifier, target: Classifier) -> None:
    """Begin from another classifier; labels that it does not know keep their zeros."""
    target.encoder.load_state_dict(source.encoder.state_dict())
    known = min(source.head.out_features, target.head.out_features)
    with torch.no_grad():
        target.head.weight[:known] = source.head.weight[:known].to(target.head.weight.device)
        target.head.bias[:known] = source.head.bias[:known].to(target.head.bias.device)


def _identity(plan: Finetune, data: TrainingData, classifier: Classifier) -> str:
    """Hash of all that decides the fit but the seed, which the checkpoint carries."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([parameters_of(plan), data.multi_label, data.texts]).encode())
    for array in (data.targets, data.weights, data.known):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    for value in classifier.state_dict().values():
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
