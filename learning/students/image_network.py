"""A network of images with a linear layer. Imports torch: only reached from a fit."""

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

from learning.encoders.vision import load_vision
from learning.errors import DamagedFileError, ShapeError
from learning.storage import MANIFEST, finish_folder, read_manifest
from learning.students.classification import Made, probabilities_of
from learning.students.devices import device, fixed_chance, mixed_precision
from learning.students.image_finetune import BUILT_IN, ImageFinetune, images_of
from learning.students.listening import listening
from learning.students.lora import adapt
from learning.students.pictures import Eye, ProcessorEye, seen, small_eye
from learning.students.small_network import SmallNetwork
from learning.types import Floats, row_blocks

HEAD, NETWORK, ENCODER = "head.safetensors", "network.safetensors", "encoder"
BATCH_IMAGES = 16  # that are predicted at once


class ImageClassifier(torch.nn.Module):
    """encoder -> mean over patches -> dropout -> linear."""

    def __init__(self, encoder: Any, dimensions: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(dimensions, labels)
        torch.nn.init.zeros_(self.head.weight)  # the first step moves it away from all equal
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pictures (b, 3, h, w) -> logits (b, k)."""
        return self.head(self.dropout(vectors_of(self.encoder, pixels))).float()

    def train(self, mode: bool = True) -> ImageClassifier:  # noqa: FBT001, FBT002 - as torch has it
        """As any network, but that batch normalisation keeps the figures that a model came with: those of a few
        pictures are worse, and a picture alone has none."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self


def vectors_of(encoder: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (b, 3, h, w) -> (b, d): the mean over all places of the last layer.

    What stands before the patches is left out: a token for the whole, registers. It is told by the size of a
    patch; of a model that does not say it, or merges patches, all tokens count.
    """
    if isinstance(encoder, SmallNetwork):
        found: torch.Tensor = encoder(pixels)
        return found
    hidden: torch.Tensor = encoder(pixel_values=pixels).last_hidden_state
    if hidden.ndim == 4:  # convolutional models: (b, d, h, w)
        return hidden.mean(dim=(2, 3))
    patch = getattr(encoder.config, "patch_size", None)
    high, wide = patch if isinstance(patch, list | tuple) else (patch, patch)
    patches = (pixels.shape[2] // high) * (pixels.shape[3] // wide) if patch else hidden.shape[1]
    return hidden[:, max(0, hidden.shape[1] - patches) :].mean(dim=1)


@dataclass(frozen=True, kw_only=True)
class FittedImages:
    """A trained `ImageClassifier`, and how it sees pictures.

    active: (k,) bool, False where no probability goes.
    margins: (epochs, n) of the rows it learnt from, see `label_margins`.
    """

    network: ImageClassifier
    eye: Eye
    active: NDArray[np.bool_]
    multi_label: bool
    margins: NDArray[np.float32]

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return len(self.active)

    def listening(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Meanwhile `predict` calls `beat` about every second; what it raises passes through."""
        return listening(self.network, beat)

    def predict(self, items: Floats | Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
        """n image files' bytes -> (n, k) float32, in their order; some are decoded at a time.

        Raises UnreadableItemError for bytes that are no image.
        """
        images = images_of(items)
        result = np.empty((len(images), self.labels), dtype=np.float32)
        self.network.eval()
        with torch.inference_mode(), mixed_precision():
            for block in row_blocks(len(images), BATCH_IMAGES):
                pixels = [seen(images, row, self.eye) for row in range(block.start, block.stop)]
                logits = self.network(torch.stack(pixels).to(device()))
                said = probabilities_of(logits, self.active, multi_label=self.multi_label)
                result[block] = said.cpu().numpy()
        return result

    def save(self, folder: Path) -> None:
        """Write weights, how pictures are seen, and manifest; `learning.students.load` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)  # an older one must not vouch for new files
        if isinstance(self.eye, ProcessorEye):
            self.network.encoder.save_pretrained(folder / ENCODER)
            self.eye.processor.save_pretrained(folder / ENCODER)
        else:
            save_file(_on_cpu(self.network.encoder), folder / NETWORK)
        head = _on_cpu(self.network.head)
        head["active"] = torch.from_numpy(self.active.astype(np.uint8))
        head["margins"] = torch.from_numpy(self.margins)
        save_file(head, folder / HEAD)
        finish_folder(folder, {"student": "image-finetune", "multi_label": self.multi_label})

    @classmethod
    def load(cls, folder: Path) -> FittedImages:
        """What `save` wrote; raises DamagedFileError when a file was changed."""
        manifest = read_manifest(folder)
        vouched = manifest.get("sha256", {})
        if HEAD not in vouched:
            raise DamagedFileError(f"The manifest in {folder} does not vouch for {HEAD}.")
        head = load_file(folder / HEAD)
        source = BUILT_IN if NETWORK in vouched else str(folder / ENCODER)
        encoder, eye, _ = _encoder(source, None)
        if source == BUILT_IN:
            encoder.load_state_dict(load_file(folder / NETWORK))
        labels, dimensions = head["weight"].shape
        network = ImageClassifier(encoder, dimensions, labels)
        network.head.load_state_dict({"weight": head["weight"], "bias": head["bias"]})
        return cls(
            network=network.to(device()).eval(),
            eye=eye,
            active=head["active"].numpy().astype(np.bool_),
            multi_label=bool(manifest["multi_label"]),
            margins=head["margins"].numpy(),
        )


def fresh_images(plan: ImageFinetune, labels: int, former: FittedImages | None) -> Made:
    """A network with a zero linear layer, or with the weights of a `former` one of the same model."""
    with fixed_chance(0):  # fresh weights, and those that files lack, are drawn alike each time
        encoder, eye, weights = _encoder(plan.model, plan.revision)
        network = ImageClassifier(encoder, _dimensions(encoder, eye), labels)
        if former is not None:
            _begin_from(former.network, network)
        network = network.to(device())
        if plan.method == "full":
            trained = list(network.encoder.parameters())
        else:
            trained = adapt(network.encoder, plan.rank, plan.alpha, plan.dropout)
    return Made(
        network=network,
        tokenizer=eye,
        rates=[
            {"params": trained, "peak": plan.rate},
            {"params": list(network.head.parameters()), "peak": plan.rate_of_head},
        ],
        weights=weights,
    )


def _encoder(model: str, revision: str | None) -> tuple[Any, Eye, str]:
    """(network, how it sees, what its weights are called)."""
    if model == BUILT_IN:
        return SmallNetwork(), small_eye, BUILT_IN
    processor, encoder, weights = load_vision(model, revision)
    # In float32 however it was saved: steps of training are smaller than bfloat16 can tell.
    return encoder.float(), ProcessorEye(processor=processor), weights


def _dimensions(encoder: Any, eye: Eye) -> int:
    """How long its vectors are, by a look at a white picture: configurations name it in many ways."""
    from PIL import Image

    if isinstance(encoder, SmallNetwork):
        return encoder.dimensions
    where = next(encoder.parameters()).device
    with torch.inference_mode():
        white = eye(Image.new("RGB", (32, 32), "white"))[None].to(where)
        return int(vectors_of(encoder.eval(), white).shape[1])


def _begin_from(source: ImageClassifier, target: ImageClassifier) -> None:
    """Copy another classifier; labels that it does not know keep their zeros."""
    own, other = target.encoder.state_dict(), source.encoder.state_dict()
    if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in other.items()}:
        raise ShapeError("The student to begin from has another network.")
    target.encoder.load_state_dict(other)
    known = min(source.head.out_features, target.head.out_features)
    with torch.no_grad():
        target.head.weight[:known] = source.head.weight[:known].to(target.head.weight.device)
        target.head.bias[:known] = source.head.bias[:known].to(target.head.bias.device)


def _on_cpu(part: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in part.state_dict().items()}
