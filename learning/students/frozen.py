"""Students of which a small part is trained, on a frozen model that stays where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from learning.errors import DamagedFileError
from learning.registry import parameters_of
from learning.storage import load_folder, save_folder
from learning.students import STUDENTS
from learning.students.checkpoints import trained
from learning.students.classification import Made, active_columns, learn
from learning.students.transformer import FittedNetwork
from learning.types import Report, TrainingData

PART = "part."


@dataclass(frozen=True, kw_only=True)
class FittedPart(FittedNetwork):
    """A trained part beside its frozen model.

    student: its name in the registry; parameters: its plan's, with the revision that was loaded.
    weights: names the frozen model's; margins: (epochs, n), see `label_margins`.
    """

    student: str
    parameters: dict[str, Any]
    weights: str
    margins: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write the trained part and which model it belongs to."""
        arrays: dict[str, NDArray[Any]] = {
            f"{PART}{name}": value.detach().cpu().numpy()
            for name, value in trained(self.network).items()
        }
        arrays |= {"active": self.active.astype(np.uint8), "margins": self.margins}
        manifest = {
            "student": self.student,
            "parameters": self.parameters,
            "weights": self.weights,
            "multi_label": self.multi_label,
        }
        save_folder(folder, arrays, manifest)

    @classmethod
    def load(cls, folder: Path) -> FittedPart:
        """What `save` wrote. Raises DamagedFileError when the model has other weights than then,
        ModelUnavailableError when it is not to be had any more.
        """
        arrays, manifest = load_folder(folder)
        active = arrays["active"].astype(np.bool_)
        plan: Any = STUDENTS.create(str(manifest["student"]), manifest["parameters"])
        nothing = np.zeros((0, len(active)), dtype=np.float32)
        made = plan.make(TrainingData(targets=nothing, texts=[]))
        if made.weights != manifest["weights"]:
            raise DamagedFileError(
                f"The model {plan.model} has other weights than those the student in {folder} "
                "was trained on."
            )
        put({name: torch.from_numpy(value) for name, value in arrays.items()}, made.network)
        return cls(
            network=made.network.eval(),
            tokenizer=made.tokenizer,
            tokens=plan.tokens,
            active=active,
            multi_label=bool(manifest["multi_label"]),
            student=str(manifest["student"]),
            parameters=manifest["parameters"],
            weights=made.weights,
            margins=arrays["margins"],
        )


def put(arrays: dict[str, torch.Tensor], network: torch.nn.Module) -> None:
    """Copy a trained part into a network made alike; a linear layer may have fewer labels there."""
    with torch.no_grad():
        for name, value in trained(network).items():
            value[: len(arrays[f"{PART}{name}"])] = arrays[f"{PART}{name}"].to(value)


def _alike(start: FittedPart, student: str, plan: Any, made: Made) -> bool:
    """Whether what another fit trained fits into this network."""
    now = parameters_of(plan)
    same = all(start.parameters.get(name) == now[name] for name in now if name != "revision")
    return start.student == student and start.weights == made.weights and same


def fit_part(
    student: str,
    plan: Any,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    start: Any,
    checkpoint: Path | None,
) -> FittedPart:
    """Make the network of a plan, begin from `start` if it is of the same plan, and train it."""

    def make() -> Made:
        made: Made = plan.make(data)
        if isinstance(start, FittedPart) and _alike(start, student, plan, made):
            put({f"{PART}{n}": v for n, v in trained(start.network).items()}, made.network)
        return made

    made, margins = learn(plan, data, make, rng, report, checkpoint)
    if not Path(plan.model).is_dir():
        plan = replace(plan, revision=made.weights)  # a name alone may mean another model tomorrow
    return FittedPart(
        network=made.network,
        tokenizer=made.tokenizer,
        tokens=plan.tokens,
        active=active_columns(data),
        multi_label=data.multi_label,
        student=student,
        parameters=parameters_of(plan),
        weights=made.weights,
        margins=margins,
    )
