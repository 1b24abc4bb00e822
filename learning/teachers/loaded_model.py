"""Language models of transformers, loaded for the teacher `local`; here is the causal kind.

Importing this imports no torch; loading does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learning.errors import ModelUnavailableError
from learning.teachers.masked_model import LoadedMasked, log_shares

if TYPE_CHECKING:
    from learning.teachers.token_trie import NextTokens, Tokens
    from learning.types import Floats

LONGEST = 8_192  # tokens that are read where the model does not say how many it reads
AT_ONCE = 16  # beginnings of labels in one pass


def load_language_model(source: str, revision: str | None = None) -> LoadedModel | LoadedMasked:
    """Load tokenizer and language model from a folder or by name, causal or masked as its makers
    saved it: safetensors weights only, no code from the model's repository runs, and for a folder no
    network is asked.

    Raises ModelUnavailableError when it cannot be found, read, or named exactly, and for a model that
    has no language model's head.
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer

    from learning.encoders.pooled import quiet_transformers, weights_name

    quiet_transformers()
    local = Path(source).is_dir()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision:
        options["revision"] = revision
    on_gpu = torch.cuda.is_available()
    try:
        config = AutoConfig.from_pretrained(source, **options)
        masked = _is_masked(config, source)
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        kind = torch.bfloat16 if on_gpu else torch.float32
        model = _with_head(source, masked=masked, dtype=kind, **options)
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"The model {source} cannot be loaded: {error}") from error
    weights = weights_name(Path(source)) if local else getattr(model.config, "_commit_hash", None)
    if not weights:
        raise ModelUnavailableError(f"The model {source} does not say which revision it is.")
    model = model.eval().to("cuda" if on_gpu else "cpu")
    identity = f"{Path(source).name if local else source}@{weights[:12]}"
    if masked:
        if tokenizer.mask_token_id is None:
            raise ModelUnavailableError(f"The tokenizer of {source} has no token for a gap.")
        return LoadedMasked(tokenizer, model, identity)
    if tokenizer.eos_token_id is None:
        raise ModelUnavailableError(f"The tokenizer of {source} has no token that ends an answer.")
    return LoadedModel(tokenizer, model, identity)


def _is_masked(config: Any, source: str) -> bool:
    """Whether the model fills gaps; raises for one that neither does that nor goes on with a text.

    What its makers saved decides: transformers would put a new, random head on the body of any model.
    """
    named = list(config.architectures or ())
    if any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in named):
        return True
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in named):
        return False
    told = ", ".join(named) or config.model_type
    raise ModelUnavailableError(
        f"The model {source} ({told}) has no head that gives words probabilities, so it cannot "
        "answer. Take a causal or a masked language model (…ForCausalLM, …ForMaskedLM)."
    )


def _with_head(source: str, *, masked: bool, **options: Any) -> Any:
    """The model; raises where a part of it would be random because its weights are not there."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model, found = kind.from_pretrained(
        source, use_safetensors=True, output_loading_info=True, **options
    )
    if found["missing_keys"]:
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise ModelUnavailableError(
            f"The files of {source} lack weights of its language model ({missing}), so its answers "
            "would be random."
        )
    return model


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
        first: Floats = log_shares(out.logits[:, -1])[0]
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
        return log_shares(out.logits[:, -1])
