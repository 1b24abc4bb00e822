"""Checkpoints of a fit: weights and optimiser state as safetensors, named by a small JSON file.

The state is written under its step's name and flushed first; then the JSON file is replaced. A
kill at any moment leaves the former checkpoint or this one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from learning.errors import CheckpointMismatchError, DamagedFileError
from learning.storage import read_json, sha256_of, write_json

if TYPE_CHECKING:
    from learning.students.transformer import Classifier

POINTER = "checkpoint.json"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def write(
    folder: Path,
    identity: str,
    classifier: Classifier,
    optimiser: torch.optim.AdamW,
    position: tuple[int, int],
) -> None:
    """Keep the state after `position` = (step, seed); the one before it is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    step, seed = position
    tensors = {f"model.{name}": value for name, value in classifier.state_dict().items()}
    for name, parameter in classifier.named_parameters():
        for moment in MOMENTS:
            if parameter in optimiser.state:
                tensors[f"{moment}.{name}"] = optimiser.state[parameter][moment]
    file = folder / f"state-{step}.safetensors"
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, file)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    write_json(
        folder / POINTER,
        {
            "identity": identity,
            "step": step,
            "seed": seed,
            "file": file.name,
            "sha256": sha256_of(file),
        },
    )
    for other in folder.glob("state-*.safetensors"):
        if other != file:
            other.unlink()


def read(
    folder: Path, identity: str, classifier: Classifier, optimiser: torch.optim.AdamW
) -> tuple[int, int] | None:
    """Load the newest state and return its (step, seed); None when there is none yet.

    Raises CheckpointMismatchError when it belongs to another fit, DamagedFileError when it was
    changed.
    """
    if not (folder / POINTER).exists():
        return None
    pointer = read_json(folder / POINTER)
    if pointer["identity"] != identity:
        raise CheckpointMismatchError(
            f"The checkpoint in {folder} belongs to other data or other parameters."
        )
    file = folder / str(pointer["file"])
    if not file.is_file() or sha256_of(file) != pointer["sha256"]:
        raise DamagedFileError(f"The checkpoint {file} is missing or was changed.")
    tensors = load_file(file)
    prefix = "model."
    classifier.load_state_dict(
        {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    )
    for name, parameter in classifier.named_parameters():
        state: dict[str, Any] = {
            moment: tensors[f"{moment}.{name}"].to("cpu" if moment == "step" else parameter.device)
            for moment in MOMENTS
            if f"{moment}.{name}" in tensors
        }
        if state:
            optimiser.state[parameter] = state
    return int(pointer["step"]), int(pointer["seed"])
