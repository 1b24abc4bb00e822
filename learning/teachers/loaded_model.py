"""A causal language model of transformers, loaded for the teacher `local`.

Importing this imports no torch; loading does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.errors import ModelUnavailableError

if TYPE_CHECKING:
    from learning.teachers.token_trie import NextTokens, Tokens
    from learning.types import Floats

LONGEST = 8_192  # tokens that are read where the model does not say how many it reads
AT_ONCE = 16  # beginnings of labels in one pass


def load_language_model(source: str, revision: str | None = None) -> LoadedModel:
    """Load tokenizer and causal model from a folder or by name: safetensors weights only, no code
    from the model's repository runs, and for a folder no network is asked.

    Raises ModelUnavailableError when it cannot be found, read, or named exactly.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from learning.encoders.pooled import quiet_transformers, weights_name

    quiet_transformers()
    local = Path(source).is_dir()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision:
        options["revision"] = revision
    on_gpu = torch.cuda.is_available()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        model = AutoModelForCausalLM.from_pretrained(
            source,
            use_safetensors=True,
            dtype=torch.bfloat16 if on_gpu else torch.float32,
            **options,
        )
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"The model {source} cannot be loaded: {error}") from error
    weights = weights_name(Path(source)) if local else getattr(model.config, "_commit_hash", None)
    if not weights:
        raise ModelUnavailableError(f"The model {source} does not say which revision it is.")
    if tokenizer.eos_token_id is None:
        raise ModelUnavailableError(f"The tokenizer of {source} has no token that ends an answer.")
    model = model.eval().to("cuda" if on_gpu else "cpu")
    return LoadedModel(tokenizer, model, f"{Path(source).name if local else source}@{weights[:12]}")


class LoadedModel:
    """A tokenizer and a transformers model. The states of the last prompt are kept, so that the next
    one computes only where it differs: instructions and labels are read once for all items.
    """

    def __init__(self, tokenizer: Any, model: Any, identity: str) -> None:
        self.tokenizer, self.model, self.identity = tokenizer, model, identity
        self.end = int(tokenizer.eos_token_id)
        places = getattr(model.config, "max_position_embeddings", None) or LONGEST
        self.longest = min(int(places), LONGEST)
        self.tokens_read = 0
        self._read: list[int] = []
        self._states: Any = None

    def prompt(self, system: str, user: str) -> list[int]:
        """By the model's own chat template where it has one, else as plain text."""
        if not getattr(self.tokenizer, "chat_template", None):
            return self._tokens(f"{system}\n\n{user}", special=True)
        said = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        text = self.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        return self._tokens(text, special=False)

    def answers(self, words: Sequence[str]) -> list[Tokens]:
        """With the blank that parts them from a colon, where the prompt is plain text."""
        lead = "" if getattr(self.tokenizer, "chat_template", None) else " "
        return [tuple(self._tokens(f"{lead}{word}", special=False)) for word in words]

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        readable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        found: list[int] = self.tokenizer(readable, add_special_tokens=special)["input_ids"]
        if special and found and found[-1] == self.end:  # some tokenizers end every text
            found = found[:-1]
        return found

    def after(self, prompt: Sequence[int]) -> NextTokens:
        """Reads the prompt from where it differs from the one before."""
        first = self._read_prompt(list(prompt))

        def next_tokens(beginnings: Sequence[Tokens]) -> Floats:
            if not any(beginnings):
                return np.repeat(first[None], len(beginnings), axis=0)
            parts = [
                self._follow(beginnings[start : start + AT_ONCE])
                for start in range(0, len(beginnings), AT_ONCE)
            ]
            return np.concatenate(parts)

        return next_tokens

    def _read_prompt(self, prompt: list[int]) -> Floats:
        """(v,) log-probabilities of the first token of an answer."""
        import torch
        from transformers import DynamicCache

        same = 0
        # The last token is read in any case: what follows it is asked for.
        for one, two in zip(prompt[:-1], self._read, strict=False):
            if one != two:
                break
            same += 1
        too_many = len(self._read) - same
        if not same or self._states is None or not self._states.is_croppable:
            self._states, same = DynamicCache(), 0
        elif too_many:
            self._states.crop(-too_many)
        fresh = torch.tensor([prompt[same:]], device=self.model.device)
        with torch.inference_mode():
            out = self.model(input_ids=fresh, past_key_values=self._states, use_cache=True)
        self._read = prompt
        self.tokens_read += len(prompt) - same
        first: Floats = _log_shares(out.logits[:, -1])[0]
        return first

    def _follow(self, beginnings: Sequence[Tokens]) -> Floats:
        """(m, v) after beginnings of the same length, with the prompt's states copied for each."""
        import copy

        import torch

        states = copy.deepcopy(self._states)
        states.batch_repeat_interleave(len(beginnings))
        rows = torch.tensor([list(each) for each in beginnings], device=self.model.device)
        with torch.inference_mode():
            out = self.model(input_ids=rows, past_key_values=states, use_cache=True)
        return _log_shares(out.logits[:, -1])


def _log_shares(logits: Any) -> Floats:
    import torch

    shares: Floats = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
    return shares
