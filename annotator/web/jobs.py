"""Background work as a page shows it: state, progress, time left, cancel; polled while it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotator import jobs
from annotator.actions.students import turns
from annotator.actions.students.recipes import registry_of
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Can, Job, JobState, Project
from annotator.templatetags.concord import amount, percent
from annotator.web.pages import allowed, person, project_for

NAMES = {
    "import": "Import",
    "record": "Reading answers made elsewhere",
    "undo": "Undoing an import",
    "index": "Search index",
    "encode": "Encoding the items",
    "switch": "Changing the encoder",
    "map": "Drawing the map",
    "bakeoff": "Comparing encoders",
    "settle": "Settling answers",
    "train": "Training the student",
    "refill": "Choosing what comes next",
    "warm": "Starting from another project",
    "finetune": "Training another student",
    "background": "Training in the background",
    "pool": "The student reads the items",
    "predict": "Labelling a file",
    "simulate": "Simulating strategies",
    "teach": "Asking a teacher",
    "teach-local": "Asking a model of this machine",
    "calibrate": "Calibrating teachers",
    "estimate": "Estimating quality",
    "skills": "Learning from double answers",
    "domains": "Class shares by domain",
    "compare": "Comparing an import",
    "route": "Routing",
    "words": "Looking for label words",
    "scoreboard": "Comparing people and teacher",
    "adapt": "Following a changed setting",
    "flag": "Looking for wrong labels",
    "corrections": "Training with and without the corrections",
    "bulk": "Labelling many items",
    "export": "Writing a snapshot",
    "purge": "Removing a deleted project",
}
# Short work that comes after every burst of answers, and pieces of work that has a page of its own:
# shown while it runs or when it failed.
QUICK = (
    *("settle", "refill", "train", "estimate", "skills", "calibrate", "compare", "simulate"),
    *("background", "pool", "predict", "export"),
    *("teach", "teach-local", "route", "scoreboard", "flag"),
)
# Work whose steps are items; of the steps of any other only the share means something to a person.
OF_ITEMS = ("encode", "index", "adapt", "bulk", "switch", "teach", "teach-local", "export")
SHOWN = 8
# What of a job is seen in the list.
SEEN = ("pk", "state", "done", "total", "message", "error", "cancel_requested")
# Pages that list jobs of some kinds only, by the name in the address.
GROUPS: dict[str, tuple[str, ...]] = {
    "all": tuple(NAMES),
    "imports": ("import", "undo", "index", "encode"),
    "exports": ("export",),
    "students": ("finetune", "background", "pool"),
    "predictions": ("predict",),
    "encoders": ("switch", "bakeoff"),
    "bulk": ("bulk",),
    "map": ("encode", "map"),
    "routing": ("teach", "teach-local", "route", "scoreboard"),
    "review": ("flag", "corrections"),
}
# What a list says where nothing is at work; others, which stand beside what was made, say nothing.
NOTHING = {
    "all": "No work in the background. Imports, encoding, training and snapshots appear here with "
    "their progress.",
    "routing": "No teacher is being asked.",
    "review": "No look at the labels is under way.",
}


def listed(project: Project, kinds: Sequence[str]) -> list[Job]:
    """Live jobs, however much that is never listed came and went since, then the latest that are over; one query."""
    is_told = ~Q(state__in=[JobState.DONE, JobState.CANCELLED]) | ~Q(kind__in=QUICK)
    found = list(
        Job.objects.filter(is_told, project=project, kind__in=kinds)
        .select_related("started_by")
        .order_by("-id")[:60]
    )
    live = [job for job in found if not job.is_over]
    over = [job for job in found if job.is_over]
    return live + over[:SHOWN]


def context_for(project: Project, group: str) -> dict[str, Any]:
    """What the list of jobs needs, on a page or polled alone."""
    found = listed(project, GROUPS[group])
    ahead = _at_work(found)
    rows = [_row(job, ahead.get(job.queue)) for job in found]
    live = any(row["live"] for row in rows)
    return {
        "project": project,
        "job_rows": rows,
        "job_group": group,
        "nothing_at_work": NOTHING.get(group, ""),
        "may_cancel": allowed(project, Can.MANAGE),
        "poll_seconds": 2 if live else 15,
    }


def _at_work(jobs_listed: Sequence[Job]) -> dict[str, Job]:
    """By its queue, the oldest of the jobs for whose worker one of these waits, whosever it is."""
    queues = {job.queue for job in jobs_listed if _is_waiting(job)}
    if not queues:
        return {}
    running = Job.objects.filter(
        queue__in=queues, state=JobState.RUNNING, lease_until__gte=timezone.now()
    )
    return {job.queue: job for job in running.order_by("-pk")}


def _is_waiting(job: Job) -> bool:
    return job.state == JobState.QUEUED or _was_left(job)


def _waits_for(job: Job, ahead: Job | None) -> str:
    """In words. Of another project no more is told than what kind of work it is."""
    if ahead is not None:
        where = "" if ahead.project_id == job.project_id else " for another project"
        return (
            f"waits for a worker, which is busy with “{NAMES.get(ahead.kind, ahead.kind)}”{where}"
        )
    if job.state == JobState.QUEUED and job.due_at > timezone.now():
        return f"begins at {timezone.localtime(job.due_at):%H:%M} at the soonest"
    return "waits for a worker"


def _row(job: Job, ahead: Job | None) -> dict[str, Any]:
    waiting = _is_waiting(job)
    return {
        "job": job,
        "name": _name(job),
        "live": not job.is_over,
        "waiting": waiting,
        "waits_for": _waits_for(job, ahead) if waiting else "",
        "so_far": _so_far(job),
        "seconds_left": None if waiting or job.is_over else job.seconds_left,
        "tone": {"done": "success", "failed": "danger", "cancelled": "warn"}.get(job.state, ""),
    }


def _name(job: Job) -> str:
    """What it does; of the trainings of many kinds also which student."""
    name, kind = NAMES.get(job.kind, job.kind), job.params.get("kind", "")
    if job.kind not in turns.TRAININGS or kind not in registry_of(kind):
        return name
    return f"{name}: {registry_of(kind).entry(kind).label}"


def _was_left(job: Job) -> bool:
    """Whether its worker died: the next free one takes it up, and until then nobody is at work."""
    lease = job.lease_until
    return job.state == JobState.RUNNING and lease is not None and lease < timezone.now()


def _so_far(job: Job) -> str:
    """How far a job is, in items or in percent; nothing before its first step."""
    if not job.done or not job.total:
        return ""
    if job.kind in OF_ITEMS:
        return f"{job.done:,} of {amount(job.total, 'item')}"
    return percent(int(100 * job.done / job.total) / 100)


@require_GET
@login_required
def poll(request: HttpRequest, project_id: int, group: str) -> HttpResponse:
    """The list of jobs again, or 304 when nothing in it moved."""
    project = project_for(request, project_id, Can.SEE)
    if group not in GROUPS:
        raise NotFoundError("There is no such list of jobs.")
    context = context_for(project, group)
    tag = _tag(context)
    response: HttpResponse
    if request.headers.get("If-None-Match", "").removeprefix("W/") == tag:
        response = HttpResponseNotModified()
    else:
        response = render(request, "jobs/list.html", context)
    response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
    return response


def _tag(context: dict[str, Any]) -> str:
    """Names what the list shows; the page itself differs each time by its form token."""
    seen = [
        (row["waiting"], row["waits_for"], *(getattr(row["job"], name) for name in SEEN))
        for row in context["job_rows"]
    ]
    shown = repr((seen, context["may_cancel"])).encode()
    return f'"{hashlib.blake2b(shown, digest_size=12).hexdigest()}"'


@require_POST
@login_required
def cancel(request: HttpRequest, project_id: int, job_id: int) -> HttpResponse:
    """Ask a job to stop; whoever started it may, and whoever manages the project."""
    project = project_for(request, project_id, Can.SEE)
    me = person(request)
    job = Job.objects.for_user(me, Can.SEE).filter(pk=job_id, project=project).first()
    if job is None:
        raise NotFoundError("There is no such job in this project.")
    if job.started_by_id != me.pk and not allowed(project, Can.MANAGE):
        raise ForbiddenError("A manager, or whoever started a job, cancels it.")
    jobs.request_cancel(job)
    group = request.POST.get("group", "all")
    if request.headers.get("HX-Request"):
        group = group if group in GROUPS else "all"
        return render(request, "jobs/list.html", context_for(project, group))
    return redirect(f"{reverse('progress', args=[project.pk])}#jobs")
