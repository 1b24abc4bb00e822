"""Let a teacher answer a project's items, here or by a worker, and say what it cost."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import jobs
from annotator.actions.teachers import foretelling, teacher_runs, teachers
from annotator.actions.trust import drifting, qualifying, teacher_figures
from annotator.errors import ConflictError
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import LOOK_EVERY_SECONDS
from annotator.models import JobState, Qualification, Replay, TeacherRun, TeacherRunState


class Command(Base):
    help = "Ask a teacher about items of a project. Ctrl-C stops it and keeps what was answered."
    example = """
Examples:
  manage.py teach --project 1 --teacher "GPT" --items 50 --estimate
  manage.py teach --project 1 --teacher "GPT" --items 5 --try
  manage.py teach --project 1 --teacher "GPT" --items 50
  manage.py teach --project 1 --teacher "GPT" --items 400 --pool audited
  manage.py teach --project 1 --teacher "GPT" --qualify
  manage.py teach --project 1 --teacher "GPT" --replay

Prints one JSON line: answered, abstained and why, money, tokens. A trial writes no annotation.
--estimate asks nothing and prints what the run would cost, from … to …
--qualify finds out on items that people answered whether the teacher may label, and --replay whether
it still answers as it did then; the line has what was found.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--project", required=True, help="number or name")
        add("--teacher", required=True, help="name or number")
        add("--items", type=int, default=50, help="ask about so many items (50)")
        add("--pool", choices=teacher_runs.POOLS, default=teacher_runs.OPEN, help="of which items")
        add("--cap", help="the most that this run may cost, below the teacher's own cap")
        add("--try", action="store_true", dest="trial", help="write no annotations")
        add("--qualify", action="store_true", help="test whether it may label")
        add("--replay", action="store_true", help="ask the items of its test again")
        add("--estimate", action="store_true", help="only say what it would cost")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        teacher = teachers.named(project, options["teacher"])
        count, pool = options["items"], options["pool"]
        if options["estimate"] and options["qualify"]:
            self.say(json.dumps(asdict(qualifying.plan(project, teacher))))
            return
        if options["estimate"]:
            numbers = teacher_runs.drawn(project, teacher, count, pool)
            self.say(json.dumps(foretelling.estimate(teacher, numbers).to_json()))
            return
        if options["qualify"]:
            run = qualifying.start(project, teacher, None)
        elif options["replay"]:
            run = drifting.start(teacher, None)
        elif options["trial"]:
            run = teacher_runs.try_on(project, teacher, None, count)
        else:
            cap = options["cap"]
            run = teacher_runs.start_run(project, teacher, None, count, pool=pool, cap=cap)
        try:
            self._work_off(run)
        except BaseException:  # Ctrl-C: nobody waits for it any more
            self._stop(run)
            raise
        self.say(json.dumps(_told(run) | _found(run), ensure_ascii=False))
        if run.state != TeacherRunState.DONE:
            raise CommandError(run.error or f"The run was {run.state} before its end.")

    def _work_off(self, run: TeacherRun) -> None:
        """Do the pieces here unless a worker was quicker."""
        while run.is_live:
            job = run.job
            if job is not None and job.state == JobState.QUEUED:
                jobs.execute(job.pk)
            teacher_runs.mark_stranded()
            run.refresh_from_db()
            if run.is_live:
                self.note(f"{run.asked} of {run.wanted} items, {run.spent:.4f} spent")
                time.sleep(LOOK_EVERY_SECONDS)

    def _stop(self, run: TeacherRun) -> None:
        try:
            teacher_runs.cancel(run)
        except ConflictError:
            return  # it had just come to its end


def _found(run: TeacherRun) -> dict[str, Any]:
    """What a test or a replay found."""
    made = Qualification.objects.filter(run=run).first()
    if made is not None:
        safe = {"qualified": made.qualified, "items_per_prompt": made.items_per_prompt}
        return {**safe, "report": made.report}
    replay = Replay.objects.filter(run=run).first()
    return {} if replay is None else {"alarms": replay.alarms, **replay.found}


def _told(run: TeacherRun) -> dict[str, Any]:
    return {
        "run": run.pk,
        "state": str(run.state),
        "items": run.wanted,
        "answered": run.answered,
        "abstained": run.abstained,
        "causes": dict(teacher_figures.causes(run)),
        "money": float(run.spent),
        "tokens_in": run.tokens_in,
        "tokens_out": run.tokens_out,
        "error": run.error,
    }
