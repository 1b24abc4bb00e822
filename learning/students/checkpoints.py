"""Checkpoints of a fit: weights and optimiser state as safetensors, named by a small JSON file.

The state is written under its step's name and flushed first; then the JSON file is replaced. A
kill at any moment leaves the former checkpoint or this one. Frozen weights are not in it.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from learning.errors import CheckpointMismatchError, DamagedFileError
from learning.storage import read_json, sha256_of, write_json

POINTER = "checkpoint.json"
MODEL = "model."
MOMENTS = ("exp_avg", "exp_avg_sq", "step")

State = dict[str, torch.Tensor]


def trained(network: torch.nn.Module) -> State:
    """The tensors of a network that training changes: trained parameters, and kept buffers."""
    whole = network.state_dict()
    names = [name for name, value in network.named_parameters() if value.requires_grad]
    names += [name for name, _ in network.named_buffers() if name in whole]
    return {name: whole[name] for name in names}


def buffers_of(network: torch.nn.Module) -> State:
    """Copies of the buffers that are kept, which move as the network reads."""
    whole = network.state_dict()
    return {name: whole[name].clone() for name, _ in network.named_buffers() if name in whole}


def put_back(buffers: State, network: torch.nn.Module) -> None:
    """Give the network the buffers again that `buffers_of` copied."""
    whole = network.state_dict()
    for name, value in buffers.items():
        whole[name].copy_(value)


def state_of(network: torch.nn.Module, optimiser: torch.optim.AdamW) -> State:
    """All that a fit needs to go on, beside its position."""
    state = {f"{MODEL}{name}": value for name, value in trained(network).items()}
    for name, parameter in network.named_parameters():
        for moment, value in optimiser.state.get(parameter, {}).items():
            state[f"{moment}.{name}"] = value
    return state


def restore(state: State, network: torch.nn.Module, optimiser: torch.optim.AdamW) -> None:
    """Put what `state_of` gave back into a network and its optimiser, made alike."""
    own = trained(network)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(state[f"{MODEL}{name}"])
    for name, parameter in network.named_parameters():
        found = {m: state[f"{m}.{name}"] for m in MOMENTS if f"{m}.{name}" in state}
        if found:
            optimiser.state[parameter] = {m: v.to(parameter.device) for m, v in found.items()}


def write(folder: Path, identity: str, state: State, position: dict[str, int]) -> None:
    """Keep the state behind `position`, which has a `step`; the one before it is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"state-{position['step']}.safetensors"
    save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, file)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    write_json(
        folder / POINTER,
        {"identity": identity, **position, "file": file.name, "sha256": sha256_of(file)},
    )
    for other in folder.glob("state-*.safetensors"):
        if other != file:
            other.unlink()


def read(folder: Path, identity: str) -> tuple[State, dict[str, int]] | None:
    """The newest state and its position; None when there is none yet.

    Raises CheckpointMismatchError when it belongs to another fit, DamagedFileError when it was
    changed.
    """
    if not (folder / POINTER).exists():
        return None
    pointer = read_json(folder / POINTER)
    if pointer.get("identity") != identity:
        raise CheckpointMismatchError(
            f"The checkpoint in {folder} belongs to other data or other parameters."
        )
    file = folder / str(pointer["file"])
    if not file.is_file() or sha256_of(file) != pointer["sha256"]:
        raise DamagedFileError(f"The checkpoint {file} is missing or was changed.")
    return load_file(file), {name: v for name, v in pointer.items() if isinstance(v, int)}
