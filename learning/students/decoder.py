"""A causal language model that classifies. Imports torch: only reached from a fit.

Texts come filled up on the right (`classification.pad`); padding is masked as a key in every layer
and left out of the pooling, so a text means the same alone and in a batch.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from learning.encoders.pooled import load_pooled
from learning.students.classification import Made
from learning.students.decoder_lora import DecoderLora
from learning.students.devices import device, fixed_chance
from learning.students.lora import adapt


class DecoderClassifier(torch.nn.Module):
    """decoder -> last real token, or mean over the real ones -> linear without bias."""

    def __init__(
        self,
        decoder: Any,
        labels: int,
        direction: Literal["causal", "both"],
        pooling: Literal["last", "mean"],
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.head = torch.nn.Linear(int(decoder.config.hidden_size), labels, bias=False)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal
        self.direction, self.pooling = direction, pooling

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> logits (b, k)."""
        hidden = self.states(padded)
        pool = mean_token if self.pooling == "mean" else last_token
        return self.head(pool(hidden, padded["attention_mask"]).float())

    def states(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """The last layer, (b, t, d)."""
        seen = attention(padded["attention_mask"], self.direction)
        return self.decoder(
            input_ids=padded["input_ids"],
            attention_mask=as_read_by(self.decoder, seen),
            use_cache=False,
        ).last_hidden_state


def attention(mask: torch.Tensor, direction: Literal["causal", "both"]) -> torch.Tensor:
    """(b, t) with 1 at real tokens -> (b, 1, t, t) bool: may the query (third) see the key (last)?

    Each token sees itself, padding too, because a row of nothing has no softmax.
    """
    length = mask.shape[1]
    seen = mask.bool()[:, None, None, :].expand(-1, 1, length, -1)
    if direction == "causal":
        seen = seen & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
    return seen | torch.eye(length, dtype=torch.bool, device=mask.device)


def as_read_by(decoder: Any, seen: torch.Tensor) -> torch.Tensor:
    """The mask as the model's attention takes it. transformers hands one of four dimensions on to
    every layer as it is: yes and no for torch's attention, numbers to be added for its own.
    """
    if decoder.config._attn_implementation == "sdpa":
        return seen
    added = torch.zeros(seen.shape, dtype=decoder.dtype, device=seen.device)
    return added.masked_fill(~seen, torch.finfo(decoder.dtype).min)


def last_token(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(b, t, d) -> (b, d): the state of the last real token, on whichever side padding is."""
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (mask * places).argmax(dim=1)
    return hidden[torch.arange(len(hidden), device=mask.device), last]


def mean_token(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(b, t, d) -> (b, d): the mean over the real tokens."""
    real = mask[:, :, None].to(hidden.dtype)  # (b, t, 1)
    return (hidden * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def load_decoder(model: str, revision: str | None, tokens: int) -> tuple[Any, Any, str]:
    """(frozen decoder without its language head, tokenizer, name of its weights).

    bfloat16 on CUDA, where it halves the memory; float32 elsewhere.
    """
    pooled = load_pooled(model, revision, tokens, {})
    exact = torch.bfloat16 if device().type == "cuda" else torch.float32
    decoder = pooled.model.to(exact).requires_grad_(requires_grad=False)
    return decoder, pooled.tokenizer, str(pooled.parts["weights"])


def fresh_decoder(plan: DecoderLora, labels: int) -> Made:
    """A model by name with adapters that do nothing yet, and a zero linear layer."""
    with fixed_chance(0):  # what is drawn, is drawn alike each time
        decoder, tokenizer, weights = load_decoder(plan.model, plan.revision, plan.tokens)
        adapters = adapt(decoder, plan.rank, plan.alpha, plan.dropout)
        network = DecoderClassifier(decoder, labels, plan.direction, plan.pooling).to(device())
    return Made(
        network=network,
        tokenizer=tokenizer,
        rates=[
            {"params": adapters, "peak": plan.learning_rate},
            {"params": list(network.head.parameters()), "peak": plan.head_rate},
        ],
        weights=weights,
    )
