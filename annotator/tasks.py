"""Celery's side of the door: one task, which takes a job id."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.db import InterfaceError, OperationalError

from annotator import jobs

logger = logging.getLogger(__name__)


class JobTask(Task):  # type: ignore[misc]  # Celery ships no types
    def on_failure(
        self, exc: Exception, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """A bug ends the job with its name; a lost database leaves it to the lease and the sweeper."""
        if isinstance(exc, OperationalError | InterfaceError):
            logger.warning("job %s lost the database and will be taken up again", kwargs["job_id"])
            return
        jobs.fail(
            kwargs["job_id"],
            f"Unexpected {type(exc).__name__}: this is a defect of the product. "
            "The worker's log has the details; nothing was half written.",
        )


@shared_task(name="annotator.run_job", base=JobTask, acks_late=False, ignore_result=True)
def run_job(*, job_id: int, **_: Any) -> None:
    jobs.execute(job_id)
