"""The training loop of every student that trains a network: short, resumable, deterministic by step.

Everything random in step s is a function of (seed, s): which rows, their order, the dropout. So a
run that was killed goes on from its last checkpoint to the very weights that it would have had.
Of several processes each runs this loop and takes a share of every batch, see `ranks`.
What is trained and what a row costs is an `Objective`: the loop knows neither texts, images nor labels.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from learning.errors import DivergedError, OutOfMemoryError, PauseError
from learning.students import checkpoints
from learning.students.devices import device, fixed_chance, mixed_precision
from learning.students.listening import listening
from learning.students.ranks import Ranks
from learning.types import Report

BUCKET_BATCHES = 8  # rows are sorted by length within so many batches
CLIP = 1.0  # norm of the gradient at most
LOOK_STEPS = (
    10  # steps between two looks at whether the gradients are finite: a look waits for CUDA
)
# So much work is lost to a kill at most, or so many times what a checkpoint takes, where that is more.
KEEP_SECONDS, KEEP_TIMES = 30.0, 20.0


class Schedule(Protocol):
    """The parameters of a student that the loop reads; a plugin has them as fields."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def warmup(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def checkpoint_steps(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a network made of b rows.

    costs: (b,) float32, differentiable; margins: (b,) how far the label is ahead, or None.
    """

    costs: torch.Tensor
    margins: torch.Tensor | None = None


class Objective(Protocol):
    """What the loop trains, in place, and what each row of the data costs.

    network: its parameters that require a gradient are trained and kept in checkpoints.
    lengths: (n,) of the rows, in tokens, 0 where they have none: batches hold rows of similar length.
    weights: (n,) above 0; a batch costs the weighted mean of its rows.
    identity: names data and parameters; a checkpoint of another one is refused.
    """

    @property
    def network(self) -> torch.nn.Module: ...
    @property
    def lengths(self) -> NDArray[np.int64]: ...
    @property
    def weights(self) -> NDArray[np.float32]: ...
    @property
    def identity(self) -> str: ...

    def groups(self) -> list[dict[str, Any]]:
        """Groups of parameters for the optimiser, each with the rate at its `peak`."""
        ...

    def outcome(self, rows: NDArray[np.int64], share: float) -> Outcome:
        """Costs of some rows when `share` (0 … below 1) of the steps are done."""
        ...


@dataclass(kw_only=True)
class Training:
    """One fit under way. `step` counts optimiser steps done, `parts` how a share of a batch is cut to fit."""

    objective: Objective
    schedule: Schedule
    optimiser: torch.optim.AdamW
    seed: int
    identity: str
    checkpoint: Path | None
    margins: torch.Tensor
    broken: torch.Tensor
    ranks: Ranks
    step: int = 0
    parts: int = 1
    order: list[NDArray[np.int64]] = field(default_factory=list)
    kept: int = -1  # the step behind which a checkpoint was written last
    kept_at: float = 0.0
    keep_after: float = KEEP_SECONDS
    pause: PauseError | None = None
    buffers: checkpoints.State = field(default_factory=dict)  # as they were before the step

    @classmethod
    def begin(
        cls,
        objective: Objective,
        schedule: Schedule,
        rng: np.random.Generator,
        checkpoint: Path | None = None,
    ) -> Training:
        """A fit at its first step, or behind the last checkpoint if the folder holds one."""
        where, rows, ranks = device(), len(objective.weights), Ranks.present()
        seed = ranks.begin_alike(objective.network, int(rng.integers(2**62)))
        training = cls(
            objective=objective,
            schedule=schedule,
            optimiser=_optimiser(objective, schedule),
            seed=seed,
            identity="" if checkpoint is None else _identity(objective),
            checkpoint=checkpoint,
            margins=torch.full((schedule.epochs, rows), torch.nan, device=where),
            broken=torch.zeros((), dtype=torch.bool, device=where),
            ranks=ranks,
            kept_at=time.monotonic(),
        )
        if checkpoint is not None:
            training._resume(checkpoint)
        return training

    @property
    def steps(self) -> int:
        """How many steps the whole fit has."""
        return steps_of(self.schedule, len(self.objective.weights))

    def run(self, report: Report) -> NDArray[np.float32]:
        """Take the steps that are left -> (epochs, n) margins of the rows, NaN where there are none.

        Raises DivergedError when gradients are no numbers, OutOfMemoryError when half a batch does
        not fit; what `report` raises passes through, also inside of a step. Before a PauseError does, the state
        is kept as it was before the step; inside of the first step of this call it waits for the step's end.
        The network is of use only after a return. The last step is kept too: the same fit, asked for once more,
        ends at once.
        """
        self._tell(report, leaves=False)
        begun = self.step
        try:
            with listening(
                self.objective.network, lambda: self._tell(report, leaves=self.step > begun)
            ):
                self._go_on(report)
        except PauseError as pause:
            self.pause = pause
            checkpoints.put_back(self.buffers, self.objective.network)
        if self.pause is not None:
            self._look()
            if self.checkpoint is not None and self.kept != self.step and self.ranks.own == 0:
                self._keep()
            raise self.pause
        self.objective.network.eval()
        margins: NDArray[np.float32] = self.margins.cpu().numpy()
        return margins

    def _go_on(self, report: Report) -> None:
        """Take steps until all are taken or somebody pauses between two."""
        while self.step < self.steps and self.pause is None:
            self.buffers = checkpoints.buffers_of(self.objective.network)
            self._take(self._rows())
            self.step += 1
            due = self._is_due()
            if due or self.step == self.steps or self.step % LOOK_STEPS == 0:
                self._look()
            if due and self.ranks.own == 0:
                self._keep()
            self._tell(report, leaves=False)

    def _tell(self, report: Report, *, leaves: bool) -> None:
        """Report; a pause waits for the end of the step unless it `leaves` it."""
        try:
            report(self.step, self.steps)
        except PauseError as pause:
            if leaves:
                raise
            self.pause = pause

    def _is_due(self) -> bool:
        """Whether a checkpoint is to be written behind this step."""
        if self.checkpoint is None:
            return False
        if self.step == self.steps or self.step % self.schedule.checkpoint_steps == 0:
            return True
        return time.monotonic() - self.kept_at >= self.keep_after

    def _rows(self) -> NDArray[np.int64]:
        """The rows of this step."""
        place = self.step % self._epoch_steps
        if place == 0 or not self.order:
            self.order = self._batches(self._epoch)
        return self.order[place]

    @property
    def _epoch(self) -> int:
        return self.step // self._epoch_steps

    @property
    def _epoch_steps(self) -> int:
        return -(-len(self.objective.weights) // self.schedule.batch)

    def _take(self, rows: NDArray[np.int64]) -> None:
        """One step of AdamW on a batch."""
        share = _rate(self.step, self.steps, self.schedule.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * share
        self.objective.network.train()
        self._fill_gradients(rows)
        norm = torch.nn.utils.clip_grad_norm_(self._trained(), CLIP)
        self.broken |= ~torch.isfinite(norm)
        self.optimiser.step()

    def _trained(self) -> list[torch.nn.Parameter]:
        return [each for group in self.optimiser.param_groups for each in group["params"]]

    def _fill_gradients(self, rows: NDArray[np.int64]) -> None:
        """Gradients of the batch's cost. A batch that does not fit is cut in two, from then on."""
        short: torch.OutOfMemoryError | None = None
        try:
            self._backward(rows)
        except torch.OutOfMemoryError as error:
            short = error.with_traceback(None)  # which holds the tensors
        moved = [each.grad is not None for each in self._trained()]
        anyone_short, *moved = self.ranks.anywhere([short is not None, *moved])
        if not anyone_short:
            return self._unite(rows, moved)
        if self.parts == 2 or len(rows) <= self.ranks.count:
            raise OutOfMemoryError(self._too_large(rows)) from short
        self.parts = 2
        torch.cuda.empty_cache()
        return self._fill_gradients(rows)

    def _backward(self, rows: NDArray[np.int64]) -> None:
        """Gradients of what this process takes of the batch."""
        self.optimiser.zero_grad()
        total = float(self.objective.weights[rows].sum())
        cut = np.array_split(self.ranks.share(rows), self.parts)
        for place, part in enumerate(part for part in cut if len(part)):
            weights = torch.from_numpy(self.objective.weights[part]).to(device())
            # Dropout of this step, another one for each part and each process
            chance = self.seed + 1_000_003 * (2 * self.step + place) + (self.ranks.own << 50)
            with fixed_chance(chance), mixed_precision():
                outcome = self.objective.outcome(part, self.step / self.steps)
            ((outcome.costs * weights).sum() / total).backward()
            if outcome.margins is not None:
                self.margins[self._epoch, torch.from_numpy(part)] = outcome.margins.detach().float()

    def _unite(self, rows: NDArray[np.int64], moved: list[bool]) -> None:
        """Add up what the processes found: gradients where anyone has some, and margins."""
        if self.ranks.count == 1:
            return
        trained = [each for each, there in zip(self._trained(), moved, strict=True) if there]
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in trained]
        margins = self.margins[self._epoch, torch.from_numpy(rows)]
        margins[torch.from_numpy(~np.isin(rows, self.ranks.share(rows)))] = 0
        *gradients, margins = self.ranks.summed([*gradients, margins])
        for each, gradient in zip(trained, gradients, strict=True):
            each.grad = gradient
        self.margins[self._epoch, torch.from_numpy(rows)] = margins

    def _too_large(self, rows: NDArray[np.int64]) -> str:
        longest = int(self.objective.lengths[rows].max())
        at_once = -(-len(rows) // (self.parts * self.ranks.count))
        of_tokens, fewer = (
            (f" of up to {longest} tokens", "fewer tokens, ") if longest else ("", "")
        )
        return (
            f"The memory of the device does not hold {at_once} items{of_tokens} at once. "
            f"Choose {fewer}a smaller batch, or a smaller model."
        )

    def _look(self) -> None:
        if bool(self.broken):
            raise DivergedError(
                f"Training broke down by step {self.step} of {self.steps}: its gradients are no "
                "numbers any more. Choose lower learning rates; no student was kept."
            )

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The epoch's batches in order: shuffled, of similar length, a function of the seed."""
        rng = np.random.default_rng([self.seed, epoch])
        rows = rng.permutation(len(self.objective.weights))
        lengths, size = self.objective.lengths, self.schedule.batch
        batches = []
        for first in range(0, len(rows), size * BUCKET_BATCHES):
            near = rows[first : first + size * BUCKET_BATCHES]
            near = near[np.argsort(lengths[near], kind="stable")]
            batches += [near[i : i + size] for i in range(0, len(near), size)]
        return [batches[place] for place in rng.permutation(len(batches))]

    def _keep(self) -> None:
        assert self.checkpoint is not None  # noqa: S101 - the caller has looked
        began = time.monotonic()
        position = {"step": self.step, "seed": self.seed, "parts": self.parts}
        state = checkpoints.state_of(self.objective.network, self.optimiser)
        state["margins"] = self.margins
        checkpoints.write(self.checkpoint, self.identity, state, position)
        self.kept, self.kept_at = self.step, time.monotonic()
        self.keep_after = max(KEEP_SECONDS, KEEP_TIMES * (self.kept_at - began))

    def _resume(self, folder: Path) -> None:
        found = checkpoints.read(folder, self.identity)
        if found is None:
            return
        state, position = found
        self.margins = state.pop("margins").to(self.margins.device)
        checkpoints.restore(state, self.objective.network, self.optimiser)
        self.step, self.seed, self.parts = (position[name] for name in ("step", "seed", "parts"))
        self.kept = self.step


def steps_of(schedule: Schedule, rows: int) -> int:
    """How many optimiser steps a fit on so many rows takes."""
    return schedule.epochs * -(-rows // schedule.batch)


def _optimiser(objective: Objective, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW in one kernel per step where the device has it, which CPU and CUDA do."""
    groups = objective.groups()
    return torch.optim.AdamW(groups, weight_decay=schedule.weight_decay, fused=True)


def _rate(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate: rises over the warm-up, then falls in a line to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return (steps - step) / max(1.0, steps - rise)


def _identity(objective: Objective) -> str:
    """Hash of all that decides the fit but the seed, which the checkpoint carries."""
    digest = hashlib.blake2b(objective.identity.encode(), digest_size=16)
    for value in checkpoints.trained(objective.network).values():
        digest.update(value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
