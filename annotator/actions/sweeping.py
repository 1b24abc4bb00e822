"""What is done again and again: ring forgotten bells, settle forgotten answers, end stranded imports and exports."""

from __future__ import annotations

from annotator import jobs
from annotator.actions import exporting, importing, settling


def sweep() -> dict[str, int]:
    """One round. Safe to run twice, and at the same time as another sweeper."""
    return {
        "unsettled": settling.find_unsettled(),
        "stranded": importing.mark_stranded() + exporting.mark_stranded(),
        "rung": jobs.sweep(),
    }
