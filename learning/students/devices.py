"""Where tensors live and how exact they are. Imports torch: only reached from a fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def device() -> torch.device:
    """CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision() -> Any:
    """bfloat16 on CUDA; float32 as it is elsewhere."""
    return torch.autocast("cuda", dtype=torch.bfloat16, enabled=torch.cuda.is_available())


@contextmanager
def fixed_chance(seed: int) -> Iterator[None]:
    """torch's chance is a function of `seed` in here; outside it goes on as if nothing had been."""
    places = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=places):
        torch.manual_seed(seed % 2**62)
        yield
