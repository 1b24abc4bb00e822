"""Transformer encoders of text: mean over the real tokens, unit length."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.errors import ModelUnavailableError, ShapeError
from learning.storage import finish_folder, sha256_of

if TYPE_CHECKING:
    import torch

    from learning.encoders import Items
    from learning.encoders.words import WordEncoder

# Padded tokens in a batch, which keep the memory flat whatever the lengths: few on a processor, where
# short batches stay in its cache and pad less; many on a GPU, which wants to be kept busy.
BATCH_TOKENS = {"cpu": 1_024, "cuda": 16_384}
# Held while a model is loaded: transformers imports its parts when they are first asked for, and of two threads that
# do so at once either may find a part half made. A load that was cancelled goes on unheard in a thread of its own.
LOADING = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class PooledText:
    """A loaded tokenizer and transformer. `parts` is what the fingerprint is made of."""

    tokenizer: Any
    model: Any
    tokens: int
    parts: dict[str, Any]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.model.config.hidden_size)

    @property
    def fingerprint(self) -> str:
        """Hex name of parameters and weights."""
        return fingerprint(self.parts)

    def encode(self, items: Items) -> NDArray[np.float32]:
        """(n, d) unit rows in the order of the texts; batches hold texts of similar length."""
        import torch

        texts = list(items)
        if any(not isinstance(text, str) for text in texts):
            raise ShapeError("A text encoder encodes strings.")
        result = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return result
        ids = self.tokenizer(texts, truncation=True, max_length=self.tokens)["input_ids"]
        with torch.inference_mode():
            for batch in length_batches([len(row) for row in ids], batch_tokens(self.model.device)):
                padded = self.tokenizer.pad(
                    {"input_ids": [ids[row] for row in batch]}, return_tensors="pt"
                )
                result[batch] = self._vectors(padded).cpu().numpy()
        return result

    def _vectors(self, padded: Any) -> torch.Tensor:
        import torch

        padded = {name: value.to(self.model.device) for name, value in padded.items()}
        hidden = self.model(**padded).last_hidden_state.float()  # (b, t, d)
        mask = padded["attention_mask"][:, :, None].float()  # (b, t, 1)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)  # (b, d)
        return torch.nn.functional.normalize(mean, dim=1)

    def by_word(self) -> WordEncoder:
        """The same model, read word by word."""
        from learning.encoders.words import WordEncoder

        return WordEncoder(ready=self)

    def save(self, folder: Path) -> None:
        """Write which model this is; the weights stay where they came from."""
        folder.mkdir(parents=True, exist_ok=True)
        finish_folder(folder, {**self.parts, "fingerprint": self.fingerprint})


def batch_tokens(device: torch.device) -> int:
    """How many padded tokens a batch has on a device."""
    return BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"])


def length_batches(lengths: list[int], budget: int) -> list[NDArray[np.int64]]:
    """Row numbers in batches of similar length, longest first, at most `budget` padded tokens each.

    One item longer than the budget is a batch of its own.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches


def load_pooled(
    source: str, revision: str | None, tokens: int, parts: dict[str, Any]
) -> PooledText:
    """Load tokenizer and model from a folder or by name; no code from the model's repository runs,
    and for a folder no network is asked.

    Raises ModelUnavailableError when it cannot be found, read or named exactly.
    """
    import torch

    tokenizer, model, weights = load_named("AutoTokenizer", source, revision)
    model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer.places = _table_of(model)  # who cuts texts for the model looks at them
    return PooledText(
        tokenizer=tokenizer,
        model=model,
        tokens=cut_at(tokenizer, tokens),
        parts={**parts, "weights": weights},
    )


def load_named(reader: str, source: str, revision: str | None) -> tuple[Any, Any, str]:
    """(what `reader`, the name of a transformers class, loads; the model without a head; the name of its weights)
    from a folder or by name: safetensors weights only, no code from the model's repository, and for a folder no
    network is asked. One thread at a time, see `LOADING`.

    Raises ModelUnavailableError when it cannot be found, read or named exactly.
    """
    with LOADING:
        return _loaded(reader, source, revision)


def _loaded(reader: str, source: str, revision: str | None) -> tuple[Any, Any, str]:
    import transformers

    quiet_transformers()
    local = Path(source).is_dir()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    if revision is not None:
        options["revision"] = revision
    try:
        read_by = getattr(transformers, reader).from_pretrained(source, **options)
        model = transformers.AutoModel.from_pretrained(source, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"The model {source} cannot be loaded: {error}") from error
    weights = weights_name(Path(source)) if local else getattr(model.config, "_commit_hash", None)
    if not weights:
        raise ModelUnavailableError(
            f"The model {source} does not say which revision it is; name one."
        )
    return read_by, model, weights


def cut_at(tokenizer: Any, tokens: int) -> int:
    """How many tokens of a text are read, of those that are wanted: more would fall out of the table of places
    that the model may have.
    """
    places = getattr(tokenizer, "places", None)
    return tokens if places is None else min(tokens, int(places))


def _table_of(model: Any) -> int | None:
    tables = ("position_embeddings", "embed_positions", "wpe")
    has_table = any(name.endswith(tables) for name, _ in model.named_modules())
    return places_of(model) if has_table else None


def places_of(model: Any) -> int | None:
    """How many tokens a model has places for, those that it adds itself included; None where it does not say."""
    places = getattr(model.config, "max_position_embeddings", None)
    if not places:
        return None
    # RoBERTa's places begin after the one of its padding.
    tables = (part for name, part in model.named_modules() if name.endswith("position_embeddings"))
    skips = any(getattr(table, "padding_idx", None) is not None for table in tables)
    return int(places) - (int(model.config.pad_token_id) + 1 if skips else 0)


def quiet_transformers() -> None:
    """No progress bars on the error stream: progress goes through `report`."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def weights_name(folder: Path) -> str:
    """sha256 over the safetensors files of a model folder."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelUnavailableError(f"{folder} holds no safetensors weights.")
    return "+".join(sha256_of(path) for path in files)
