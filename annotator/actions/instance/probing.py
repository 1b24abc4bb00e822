"""A job that does nothing but take its time: proof that broker, worker and database talk."""

from __future__ import annotations

import time
from typing import Any

from annotator import jobs

STEP_SECONDS = 0.1


def run_probe(run: jobs.Run) -> dict[str, Any]:
    """Wait `steps` tenths of a second, reporting each. Returns the steps and the attempt."""
    steps = int(run.params.get("steps", 0))
    for step in range(steps):
        run.progress(step, steps, "Probing")
        time.sleep(STEP_SECONDS)
    with run.fence():
        run.progress(steps, max(steps, 1), "Probed")
    return {"steps": steps, "attempt": run.job.attempt}
