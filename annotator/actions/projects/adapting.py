"""What follows from a changed setting for every item: too much for a request, so a job does it."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from annotator import jobs
from annotator.actions.desk import reasking
from annotator.actions.verdicts import verdicts
from annotator.models import Item, Project, Verdict, VerdictState

CHUNK = 5_000
# Settings whose change reaches back to items that were answered before.
SETTINGS = ("overlap", "consensus", "sure_at", "voices_at_most")


def wish(project: Project, setting: str) -> None:
    """Ask that the items follow a setting which the caller's transaction changes."""
    jobs.enqueue(
        "adapt",
        project=project,
        params={"setting": setting},
        key=f"adapt-{setting}:{project.pk}",
    )


def run_adapt(run: jobs.Run) -> dict[str, Any]:
    """Bring the items along batch by batch, then let what depends on them be done anew."""
    setting, total = run.params["setting"], run.project.item_count
    for start in range(0, total, CHUNK):
        run.progress(start, total, "Bringing the items along")
        with run.fence():
            _STEPS[setting](run.project, start, start + CHUNK)
    after = "train" if setting == "consensus" else "refill"
    if after == "refill" or not run.project.training_paused:
        jobs.enqueue(after, project=run.project, key=f"{after}:{run.project.pk}")
    return {"items": total}


def _reopen(project: Project, start: int, end: int) -> None:
    """Items with fewer answers than are wanted now are open again, but for bad ones; the others are
    closed."""
    items = Item.objects.filter(
        project=project, number__gte=start, number__lt=end, answers__gt=0
    ).present()
    wanted = project.overlap + F("extra_voices")
    closed = items.filter(open=False, answers__lt=wanted)
    closed.exclude(verdict__state=VerdictState.BAD).update(open=True)
    items.filter(open=True, answers__gte=wanted).update(open=False)


def _decide(project: Project, start: int, end: int) -> None:
    """Verdicts by the consensus method that the project names now."""
    decided = Verdict.objects.filter(project=project, item__number__gte=start)
    verdicts.decide(project, decided.filter(item__number__lt=end).values_list("pk", flat=True))


def _ask_again(project: Project, start: int, end: int) -> None:
    """Items in doubt by the policy of now are asked about once more."""
    items = Item.objects.filter(project=project, number__gte=start, number__lt=end, answers__gt=0)
    reasking.ask_again(project, items.values_list("pk", flat=True))


_STEPS = {
    "overlap": _reopen,
    "consensus": _decide,
    "sure_at": _ask_again,
    "voices_at_most": _ask_again,
}
