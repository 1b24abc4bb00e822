"""What is done again and again: what was forgotten is rung, settled, ended or let go."""

from __future__ import annotations

from annotator import jobs
from annotator.actions.exports import exporting
from annotator.actions.imports import importing, recordings
from annotator.actions.simulations import simulations
from annotator.actions.students import predictions
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import drifting
from annotator.actions.verdicts import settling


def sweep() -> dict[str, int]:
    """One round. Safe to run twice, and at the same time as another sweeper."""
    return {
        "unsettled": settling.find_unsettled(),
        "stranded": importing.mark_stranded()
        + exporting.mark_stranded()
        + predictions.mark_stranded()
        + recordings.mark_stranded()
        + simulations.mark_stranded()
        + teacher_runs.mark_stranded(),
        "replays": drifting.start_due(),
        "forgotten": importing.let_old_uploads_go()
        + recordings.let_old_uploads_go()
        + predictions.let_old_ones_go(),
        "rung": jobs.sweep(),
    }
