"""What is done again and again: ring forgotten bells, settle forgotten answers."""

from __future__ import annotations

from annotator import jobs
from annotator.actions import settling


def sweep() -> dict[str, int]:
    """One round. Safe to run twice, and at the same time as another sweeper."""
    return {"unsettled": settling.find_unsettled(), "rung": jobs.sweep()}
