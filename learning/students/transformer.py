"""A transformer with a linear layer on its mean token. Imports torch: only reached from a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from learning.encoders.minilm import model_folder
from learning.encoders.pooled import batch_tokens, length_batches, load_pooled
from learning.errors import DamagedFileError
from learning.storage import MANIFEST, finish_folder, read_manifest
from learning.students.classification import KINDS, Made, probabilities_of, tokenised
from learning.students.devices import device, fixed_chance, mixed_precision
from learning.students.finetune import BUILT_IN, Finetune, texts_of
from learning.students.listening import listening
from learning.students.lora import adapt
from learning.types import Floats, TrainingData

HEAD = "head.safetensors"
ENCODER = "encoder"
FOCUS_DIGITS = 3  # as the manifest says it


class Classifier(torch.nn.Module):
    """encoder -> mean over the real tokens -> dropout -> linear.

    unit: whether means have unit length, as encodings do; these have no dropout.
    """

    def __init__(self, encoder: Any, labels: int, *, unit: bool = False) -> None:
        super().__init__()
        self.encoder, self.unit = encoder, unit
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(int(encoder.config.hidden_size), labels)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> logits (b, k)."""
        vectors = self.vectors(padded)
        return self.head(vectors if self.unit else self.dropout(vectors)).float()

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.head.in_features)

    @property
    def tells_segments(self) -> bool:
        """Whether the encoder has more than one kind of token; others know segments by separators alone."""
        return int(getattr(self.encoder.config, "type_vocab_size", 0)) > 1

    def vectors(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> (b, d)."""
        if not self.tells_segments:
            padded = {name: table for name, table in padded.items() if name != KINDS}
        hidden = self.encoder(**padded).last_hidden_state  # (b, t, d)
        mask = padded["attention_mask"][:, :, None].to(hidden.dtype)  # (b, t, 1)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(mean.float(), dim=1) if self.unit else mean


class LabelReader(Classifier):
    """A classifier in which each label reads a vector of its own from a text, see `by_label`.

    called: (k, d) vectors of what labels are called, as long as likeness to them counts.
    """

    called: torch.Tensor

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__(encoder, labels, unit=True)
        self.register_buffer("called", torch.zeros_like(self.head.weight))

    @property
    def focus(self) -> float:
        """How long these vectors are; 0 where no label is called anything."""
        return float(self.called.norm(dim=1).max()) if len(self.called) else 0.0

    def forward(self, padded: dict[str, torch.Tensor]) -> torch.Tensor:
        """Padded token ids (b, t) -> logits (b, k)."""
        hidden = self.encoder(**padded).last_hidden_state.float()  # (b, t, d)
        own = by_label(hidden, padded["attention_mask"], self.called)
        return (own * self.head.weight).sum(dim=2) + self.head.bias


def by_label(hidden: torch.Tensor, mask: torch.Tensor, called: torch.Tensor) -> torch.Tensor:
    """Token vectors (b, t, d) -> (b, k, d) unit rows: for each label the mean over the real tokens, a token
    weighing e^(its cosine to what the label is called × the length of that vector).

    A label of zeros reads the mean of all alike. Source: Mullenbach et al. 2018 (attention per label).
    """
    likeness = torch.nn.functional.normalize(hidden, dim=2) @ called.T  # (b, t, k)
    likeness = likeness.masked_fill(mask[:, :, None] == 0, float("-inf"))
    own = torch.einsum("btk,btd->bkd", likeness.softmax(dim=1), hidden)
    return torch.nn.functional.normalize(own, dim=2)


@dataclass(frozen=True, kw_only=True)
class FittedNetwork:
    """A network from padded token ids to logits (b, k), with its tokenizer.

    network: `forward(padded)`; tokens: longer texts are cut.
    pairs: whether it reads two texts as two segments, see `tokenised`.
    active: (k,) bool, False where no probability goes.
    """

    network: Any
    tokenizer: Any
    tokens: int
    active: NDArray[np.bool_]
    multi_label: bool
    pairs: bool = False

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.active)

    def listening(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Meanwhile `predict` calls `beat` about every second; what it raises passes through."""
        return listening(self.network, beat)

    def predict(self, items: Floats | Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
        """n texts -> (n, k) float32, in their order; batches hold texts of similar length."""
        texts = texts_of(items)
        result = np.empty((len(texts), self.labels), dtype=np.float32)
        if not texts:
            return result
        tokens = tokenised(self.tokenizer, texts, self.tokens, lambda: None, pairs=self.pairs)
        self.network.eval()
        with torch.inference_mode(), mixed_precision():
            for batch in length_batches([len(row) for row in tokens.ids], batch_tokens(device())):
                logits = self.network(tokens.take(batch))
                said = probabilities_of(logits.float(), self.active, multi_label=self.multi_label)
                result[batch] = said.cpu().numpy()
        return result


@dataclass(frozen=True, kw_only=True)
class FittedTransformer(FittedNetwork):
    """A trained `Classifier`. margins: (epochs, n) of the rows it learnt from, see `label_margins`.

    student: which plugin made it.
    """

    network: Classifier
    margins: NDArray[np.float32]
    student: str = "finetune"

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and manifest; `learning.students.load` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)  # an older one must not vouch for new files
        self.network.encoder.save_pretrained(folder / ENCODER)
        self.tokenizer.save_pretrained(folder / ENCODER)
        head = {
            "weight": self.network.head.weight.detach().cpu().contiguous(),
            "bias": self.network.head.bias.detach().cpu().contiguous(),
            "active": torch.from_numpy(self.active.astype(np.uint8)),
            "margins": torch.from_numpy(self.margins),
        }
        own = {}
        if isinstance(self.network, LabelReader):
            head["called"] = self.network.called.cpu().contiguous()
            own["focus"] = round(self.network.focus, FOCUS_DIGITS)
        save_file(head, folder / HEAD)
        finish_folder(
            folder,
            {
                "student": self.student,
                "multi_label": self.multi_label,
                "tokens": self.tokens,
                "unit": self.network.unit,
                "pairs": self.pairs,
                **own,
            },
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
        classifier = _empty(pooled.model, head, unit=bool(manifest.get("unit"))).to(device())
        classifier.head.load_state_dict({"weight": head["weight"], "bias": head["bias"]})
        margins = head.get("margins", torch.empty((0, 0)))  # students of earlier versions have none
        return cls(
            network=classifier.eval(),
            tokenizer=pooled.tokenizer,
            tokens=tokens,
            active=active,
            multi_label=bool(manifest["multi_label"]),
            margins=margins.numpy(),
            student=str(manifest["student"]),
            pairs=bool(manifest.get("pairs")),  # those of earlier versions read two texts as one
        )


def _empty(encoder: Any, head: dict[str, torch.Tensor], *, unit: bool) -> Classifier:
    """A network of the kind that was saved; its linear layer is not filled yet."""
    if "called" not in head:
        return Classifier(encoder, len(head["bias"]), unit=unit)
    reader = LabelReader(encoder, len(head["bias"]))
    reader.called.copy_(head["called"])
    return reader


def fresh_classifier(plan: Finetune, data: TrainingData, former: Classifier | None) -> Made:
    """A model by name with a zero linear layer, or with the weights of a `former` one, for these labels;
    of two texts it reads two segments."""
    source = str(model_folder()) if plan.model == BUILT_IN else plan.model
    with fixed_chance(0):  # weights that the files lack are drawn, alike each time
        pooled = load_pooled(source, plan.revision, plan.tokens, {})
        # In float32 however it was saved: steps of training are smaller than bfloat16 can tell.
        network = Classifier(pooled.model.float(), data.labels).to(device())
        if former is not None:
            _begin_from(former, network)
        if plan.method == "full":
            encoder = list(network.encoder.parameters())
        else:
            encoder = adapt(network.encoder, plan.rank, plan.alpha, plan.dropout)
    return Made(
        network=network,
        tokenizer=pooled.tokenizer,
        rates=[
            {"params": encoder, "peak": plan.rate},
            {"params": list(network.head.parameters()), "peak": plan.head_rate},
        ],
        weights=str(pooled.parts["weights"]),
        pairs=data.paired,
    )


def unit_classifier(
    model: str, revision: str | None, tokens: int, labels: int
) -> tuple[Classifier, Any, str]:
    """(network with unit vectors and a zero linear layer that is not trained, tokenizer, what the
    weights are called) of a model by name."""
    source = str(model_folder()) if model == BUILT_IN else model
    with fixed_chance(0):  # weights that the files lack are drawn, alike each time
        pooled = load_pooled(source, revision, tokens, {})
    # In float32 however it was saved, as above.
    network = Classifier(pooled.model.float(), labels, unit=True).to(device())
    network.head.requires_grad_(requires_grad=False)
    return network, pooled.tokenizer, str(pooled.parts["weights"])


def _begin_from(source: Classifier, target: Classifier) -> None:
    """Copy another classifier; labels that it does not know keep their zeros."""
    target.encoder.load_state_dict(source.encoder.state_dict())
    known = min(source.head.out_features, target.head.out_features)
    with torch.no_grad():
        target.head.weight[:known] = source.head.weight[:known].to(target.head.weight.device)
        target.head.bias[:known] = source.head.bias[:known].to(target.head.bias.device)
