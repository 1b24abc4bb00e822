"""Hearing a cancel while a network reads: between its layers, on the way up and down.

Imports torch: only reached from a fit, or from what one made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from learning.students.patience import seldom


@contextmanager
def listening(network: Any, beat: Callable[[], None]) -> Iterator[None]:
    """Meanwhile `beat` is called between layers of `network`, about every second; what it raises ends the
    step. It looks on only: no bit of what is computed changes.
    """
    heard = seldom(beat)

    def after(_layer: Any, _given: Any, made: Any) -> None:
        heard()
        made = made[0] if isinstance(made, tuple) else made
        # CUDA computes gradients in a thread of its own, where a cancel would not be heard by us.
        if made.requires_grad and made.device.type == "cpu":
            made.register_hook(lambda _gradient: heard())

    stacks = [each for each in network.modules() if isinstance(each, torch.nn.ModuleList)]
    hooks = [layer.register_forward_hook(after) for stack in stacks for layer in stack]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
