"""A frozen decoder behind a trained prompt. Imports torch: only reached from a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from learning.students.classification import Made
from learning.students.decoder import as_read_by, attention, last_token, load_decoder
from learning.students.devices import device, fixed_chance
from learning.students.prompt import Prompt


class PromptClassifier(torch.nn.Module):
    """(prompt, text) -> frozen decoder -> last real token -> linear. prompt: (s, d) begins so."""

    def __init__(self, decoder: Any, labels: int, prompt: torch.Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.prompt = torch.nn.Parameter(prompt.detach().float().clone())
        self.head = torch.nn.Linear(prompt.shape[1], labels, bias=False)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> logits (b, k)."""
        read = self.decoder.get_input_embeddings()(padded["input_ids"])  # (b, t, d)
        before = self.prompt.to(read).expand(len(read), -1, -1)  # (b, s, d)
        real = padded["attention_mask"].new_ones(before.shape[:2])
        mask = torch.cat([real, padded["attention_mask"]], dim=1)
        hidden = self.decoder(
            inputs_embeds=torch.cat([before, read], dim=1),
            attention_mask=as_read_by(self.decoder, attention(mask, "causal")),
            use_cache=False,
        ).last_hidden_state
        return self.head(last_token(hidden, mask).float())


def fresh_prompt(plan: Prompt, labels: int, label_texts: Sequence[str]) -> Made:
    """A frozen model by name, with a prompt of its own words and a zero linear layer."""
    with fixed_chance(0):
        decoder, tokenizer, weights = load_decoder(plan.model, plan.revision, plan.tokens)
        table = decoder.get_input_embeddings().weight  # (v, d)
        words = first_words(tokenizer, label_texts, plan.length, len(table))
        prompt = table[words.to(table.device)]
        network = PromptClassifier(decoder, labels, prompt).to(device())
    return Made(
        network=network,
        tokenizer=tokenizer,
        rates=[
            {"params": [network.prompt], "peak": plan.learning_rate},
            {"params": list(network.head.parameters()), "peak": plan.head_rate},
        ],
        weights=weights,
    )


def first_words(
    tokenizer: Any, label_texts: Sequence[str], length: int, vocabulary: int
) -> torch.Tensor:
    """(length,) token ids that a prompt begins as: those of what the labels are called, a random
    choice of them when they are too many, and random tokens after them when they are too few.
    """
    told = list(dict.fromkeys(label_texts))
    found = tokenizer(told, add_special_tokens=False)["input_ids"] if told else []
    words = torch.tensor([word for row in found for word in row], dtype=torch.long)
    if len(words) > length:
        kept = torch.randperm(len(words))[:length].sort().values  # in the order of the labels
        return words[kept]
    return torch.cat([words, torch.randint(vocabulary, (length - len(words),))])
