"""Every kind of event that a project's webhooks are told of. The names are promised: they stay."""

from __future__ import annotations

from dataclasses import dataclass

# Entries of one call at most, where events are gathered, and how long the first of them waits for others.
MOST_ENTRIES = 500
GATHER_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class EventKind:
    """A kind of event. `gathers` names the list in its data where one call tells of several."""

    says: str
    gathers: str = ""


EVENTS: dict[str, EventKind] = {
    "import.finished": EventKind(says="A file came in: how many items and answers."),
    "verdict.decided": EventKind(
        says="Items got, changed or lost their label.", gathers="verdicts"
    ),
    "student.promoted": EventKind(says="Another version of the student serves."),
    "flag.opened": EventKind(says="Labels were put in question.", gathers="flags"),
    "review.settled": EventKind(says="A reviewer decided.", gathers="reviews"),
    "teacher_run.finished": EventKind(says="A teacher's run has ended, well or not."),
    "snapshot.ready": EventKind(says="An export can be downloaded."),
    "job.failed": EventKind(says="Background work failed."),
}
# Sent when a person asks for it, to webhooks of any choice.
TEST = "webhook.test"
