"""What a row costs, and how far its label is ahead. Letters: b rows, k labels."""

import math

import torch

from learning.types import FAINT


def cross_entropy(
    logits: torch.Tensor,
    targets: torch.Tensor,
    known: torch.Tensor,
    *,
    multi_label: bool,
    balance: torch.Tensor | None = None,
    younger: torch.Tensor | None = None,
) -> torch.Tensor:
    """(b, k) logits, soft targets and what is known of them (bool) -> (b,) costs, in nats.

    Unknown labels have no part. Several labels: the sum of the binary cross-entropies.
    balance: (k,) what a present label counts, see `label_weights`.
    younger: (b, k) bool, labels added after the answer: FAINT of a no.
    """
    if multi_label:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets, reduction="none", pos_weight=balance
        )
        if younger is not None:
            each = torch.where(younger, FAINT * each, each)
        return (each * known).sum(dim=1)
    if younger is not None:
        logits = logits + math.log(FAINT) * younger
    if balance is not None:
        targets = targets * balance
    logs = torch.log_softmax(logits.masked_fill(~known, float("-inf")), dim=1)
    return -(targets * logs.masked_fill(~known, 0.0)).sum(dim=1)


def label_margins(
    logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor, *, multi_label: bool
) -> torch.Tensor:
    """(b,) margins: the logit of the likeliest target minus the best other known one; with several
    labels the smallest distance, in logits, from the wrong side. NaN where nothing is to compare.
    Source: Pleiss et al. 2020.
    """
    nothing = float("inf")
    if multi_label:
        signed = torch.where(targets >= 0.5, logits, -logits)
        least = signed.masked_fill(~known, nothing).amin(dim=1)
    else:
        given = targets.argmax(dim=1, keepdim=True)  # (b, 1)
        others = logits.masked_fill(~known, -nothing).scatter(1, given, -nothing)
        least = (logits.gather(1, given)[:, 0] - others.amax(dim=1)).float()
    return torch.where(torch.isfinite(least), least, torch.nan)
