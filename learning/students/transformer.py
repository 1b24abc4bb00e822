"""A transformer with a linear layer on its mean token. Imports torch: only reached from a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from learning.encoders.minilm import model_folder
from learning.encoders.pooled import length_batches, load_pooled
from learning.errors import DamagedFileError
from learning.storage import MANIFEST, finish_folder, read_manifest
from learning.students.finetune import BUILT_IN, texts_of
from learning.types import Floats

BATCH_TOKENS = 8192  # padded tokens per batch when predicting
HEAD = "head.safetensors"
ENCODER = "encoder"


class Classifier(torch.nn.Module):
    """encoder -> mean over the real tokens -> dropout -> linear."""

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(int(encoder.config.hidden_size), labels)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> logits (b, k)."""
        hidden = self.encoder(**padded).last_hidden_state  # (b, t, d)
        mask = padded["attention_mask"][:, :, None].to(hidden.dtype)  # (b, t, 1)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)  # (b, d)
        return self.head(self.dropout(mean)).float()


@dataclass(frozen=True, kw_only=True)
class FittedTransformer:
    """A trained classifier with its tokenizer.

    active: (k,) bool, False where no probability goes; tokens: longer texts are cut.
    """

    classifier: Classifier
    tokenizer: Any
    tokens: int
    active: NDArray[np.bool_]
    multi_label: bool

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.active)

    def predict(self, items: Floats | Sequence[str]) -> NDArray[np.float32]:
        """n texts -> (n, k) float32, in their order; batches hold texts of similar length."""
        texts = texts_of(items)
        result = np.empty((len(texts), self.labels), dtype=np.float32)
        if not texts:
            return result
        ids = self.tokenizer(texts, truncation=True, max_length=self.tokens)["input_ids"]
        self.classifier.eval()
        with torch.inference_mode(), mixed_precision():
            for batch in length_batches([len(row) for row in ids], BATCH_TOKENS):
                padded = pad(self.tokenizer, [ids[row] for row in batch], device())
                result[batch] = self._probabilities(self.classifier(padded)).cpu().numpy()
        return result

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        active = torch.from_numpy(self.active).to(logits.device)
        if self.multi_label:
            return torch.sigmoid(logits) * active
        return torch.softmax(logits.masked_fill(~active, float("-inf")), dim=1)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and manifest; `learning.students.load` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)  # an older one must not vouch for new files
        self.classifier.encoder.save_pretrained(folder / ENCODER)
        self.tokenizer.save_pretrained(folder / ENCODER)
        head = {
            "weight": self.classifier.head.weight.detach().cpu().contiguous(),
            "bias": self.classifier.head.bias.detach().cpu().contiguous(),
            "active": torch.from_numpy(self.active.astype(np.uint8)),
        }
        save_file(head, folder / HEAD)
        finish_folder(
            folder,
            {"student": "finetune", "multi_label": self.multi_label, "tokens": self.tokens},
        )

    @classmethod
    def load(cls, folder: Path) -> FittedTransformer:
        """What `save` wrote; raises DamagedFileError when a file was changed."""
        manifest = read_manifest(folder)
        if HEAD not in manifest.get("sha256", {}):
            raise DamagedFileError(f"The manifest in {folder} does not vouch for {HEAD}.")
        head = load_file(folder / HEAD)
        active = head["active"].numpy().astype(np.bool_)
        tokens = int(manifest["tokens"])
        pooled = load_pooled(str(folder / ENCODER), None, tokens, {})
        classifier = Classifier(pooled.model, len(active)).to(device())
        classifier.head.load_state_dict({"weight": head["weight"], "bias": head["bias"]})
        return cls(
            classifier=classifier.eval(),
            tokenizer=pooled.tokenizer,
            tokens=tokens,
            active=active,
            multi_label=bool(manifest["multi_label"]),
        )


def fresh_classifier(
    model: str, revision: str | None, tokens: int, labels: int
) -> tuple[Classifier, Any]:
    """(classifier with a zero linear layer, tokenizer) of a model by name."""
    source = str(model_folder()) if model == BUILT_IN else model
    with torch.random.fork_rng():  # weights that the files lack are drawn, alike each time
        torch.manual_seed(0)
        pooled = load_pooled(source, revision, tokens, {})
        return Classifier(pooled.model, labels).to(device()), pooled.tokenizer


def device() -> torch.device:
    """CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision() -> Any:
    """bfloat16 on CUDA; float32 as it is elsewhere."""
    return torch.autocast("cuda", dtype=torch.bfloat16, enabled=torch.cuda.is_available())


def pad(tokenizer: Any, ids: list[list[int]], where: torch.device) -> dict[str, torch.Tensor]:
    """Token id lists -> padded input_ids and attention_mask (b, t)."""
    padded = tokenizer.pad({"input_ids": ids}, return_tensors="pt")
    return {name: value.to(where) for name, value in padded.items()}
