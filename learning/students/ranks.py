"""The processes that take one fit together, each on a device of its own, told apart by their rank.

Each takes its share of every batch and adds its gradients to those of the others, so that all hold the same
weights after every step. Imports torch: only reached from a fit; accelerate only where there are several.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from learning.errors import CompanionError

LOOPBACK = "lo0" if platform.system() == "Darwin" else "lo"
LONGEST_WAIT = timedelta(minutes=10)  # for another rank, which may be loading a large model
MESSAGE = 25_000_000  # numbers that are added up at once


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Which of the processes this one is, 0 for the one that leads, and how many there are."""

    own: int = 0
    count: int = 1

    @classmethod
    def present(cls) -> Ranks:
        """Those that have met; this process alone where none have."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return cls()
        return cls(own=torch.distributed.get_rank(), count=torch.distributed.get_world_size())

    def share(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of a batch that this rank takes; none, where there are fewer than ranks."""
        return np.array_split(rows, self.count)[self.own]

    def begin_alike(self, network: torch.nn.Module, seed: int) -> int:
        """Give all the leader's weights, in place, and its seed."""
        if self.count == 1:
            return seed
        from accelerate.utils import broadcast

        with _others():
            for value in network.state_dict().values():
                broadcast(value)
            return int(broadcast(torch.tensor(seed)))

    def anywhere(self, facts: Sequence[bool]) -> list[bool]:
        """Of each fact whether it holds on some rank. It waits for the others, not for the devices."""
        if self.count == 1:
            return list(facts)
        from accelerate.utils import reduce

        with _others():
            found: list[bool] = (reduce(torch.tensor(facts).int(), "sum") > 0).tolist()
        return found

    def summed(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Of each tensor the sum over the ranks, of its shape and type; few messages carry them."""
        from accelerate.utils import reduce

        result: list[torch.Tensor] = []
        for some in _blocks(tensors):
            flat = torch.cat([each.flatten().float() for each in some])
            with _others():
                total = reduce(flat, "sum")
            parts = total.split([each.numel() for each in some])
            result += [
                part.view_as(like).to(like.dtype) for part, like in zip(parts, some, strict=True)
            ]
        return result


def _blocks(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The tensors in their order, about `MESSAGE` numbers together."""
    block: list[torch.Tensor] = []
    for each in tensors:
        if block and sum(one.numel() for one in block) + each.numel() > MESSAGE:
            yield block
            block = []
        block.append(each)
    yield block


def surroundings(rank: int, count: int) -> dict[str, str]:
    """The environment by which accelerate and the libraries below it know a rank. Nothing leaves the machine."""
    from accelerate.utils import check_cuda_p2p_ib_support

    told = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),  # else accelerate sets it for the process
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "NCCL_SOCKET_IFNAME": LOOPBACK,
    }
    if not check_cuda_p2p_ib_support():
        told |= {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    return told


def meet(place: Path, rank: int, count: int) -> None:
    """Find the other ranks by a file that all know. Raises CompanionError when they do not come."""
    from accelerate.state import PartialState

    cuda = torch.cuda.is_available()
    with _others():
        PartialState(
            cpu=not cuda,
            # What is agreed upon between steps is a CPU's tensor, for which no device has to be waited for.
            backend="cuda:nccl,cpu:gloo" if cuda else "gloo",
            init_method=place.absolute().as_uri(),
            rank=rank,
            world_size=count,
            timeout=LONGEST_WAIT,
        )


def leave() -> None:
    """Be alone again."""
    from accelerate.state import PartialState

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    PartialState._reset_state()  # else the next meeting would be taken for this one


@contextmanager
def _others() -> Iterator[None]:
    """What gloo and NCCL raise when another rank is gone, or does not answer, as a sentence."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise CompanionError(
            "One of the processes that trained together ended or did not answer any more, so all of "
            "them ended, and no student was kept. Its reason stands in the log of this worker."
        ) from error
