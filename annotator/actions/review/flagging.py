"""Put the labels that look wrong before reviewers, and some that chance drew, unmarked among them.

The random ones are drawn from all labels that nobody reviewed, flagged or not: without them nobody
could say how many errors are left that no detector sees.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, students_folder
from annotator.actions.review import (
    flag_events,
    suspecting,
    suspecting_boxes,
    suspecting_circles,
    suspecting_forms,
    suspecting_orders,
    suspecting_spans,
    suspecting_texts,
)
from annotator.actions.verdicts import sealing
from annotator.errors import ConflictError
from annotator.models import (
    Annotation,
    AnnotationKind,
    AnnotatorKind,
    Encoding,
    Flag,
    FlagKind,
    FlagState,
    Job,
    JobState,
    Project,
    ReviewCase,
    Shape,
    Stream,
    User,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.review.suspecting import Suspicion
    from annotator.actions.review.suspecting_boxes import BoxSuspicion
    from annotator.actions.review.suspecting_circles import CircleSuspicion
    from annotator.actions.review.suspecting_forms import FormSuspicion
    from annotator.actions.review.suspecting_orders import OrderSuspicion
    from annotator.actions.review.suspecting_spans import SpanSuspicion
    from annotator.actions.review.suspecting_texts import TextSuspicion
    from learning.audit.detectors.belief import Belief

    AnySuspicion = (
        Suspicion
        | FormSuspicion
        | CircleSuspicion
        | SpanSuspicion
        | OrderSuspicion
        | BoxSuspicion
        | TextSuspicion
    )

# A burst of trainings is followed by one look.
WAIT_SECONDS = 20.0
# New words in the ledger that make another look worth it: so many, or this share of the labels.
FEWEST_NEW, NEW_SHARE = 20, 0.02
# A label is flagged when it is less likely than this to be right, so many at most.
DOUBTED, MOST_FLAGS = 0.7, 300
# Drawn cases that are kept ready, and after how many flagged ones the next of them comes.
DRAWN_READY, EVERY = 60, 5
# Of a look's time, how many hundredths students and neighbours take; then the detectors speak.
GATHERING = 80
# Answers that are compared with each other, whether or not items are encoded.
COMPARED = (Shape.BOXES, Shape.TEXT)
# What another look changes of a flag that is still open.
REPLACED = ("kind", "labels", "suggested", "score", "rank", "evidence", "scores", "probability")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Rows of a population for reviewers, in the order of review.

    drawn: row -> how likely it was to be drawn, of those that chance drew.
    """

    rows: list[int]
    flagged: frozenset[int]
    drawn: dict[int, float]


def wish(project: Project) -> None:
    """Ask for another look when enough was said since the last one; safe to ask twice."""
    if not _due(project):
        return
    with transaction.atomic():
        jobs.enqueue("flag", project=project, key=f"flag:{project.pk}", due_in_seconds=WAIT_SECONDS)


def look_now(project: Project, user: User | None) -> Job:
    """Look for wrong labels now, whatever was said since the last time."""
    with transaction.atomic():
        job = jobs.enqueue(
            "flag",
            project=project,
            key=f"flag:{project.pk}",
            params={"asked": True},
            started_by=user,
        )
    if job is None:
        raise ConflictError("The labels are being looked at already, or will be in a moment.")
    return job


def last_look(project: Project) -> Job | None:
    """The last look that came to its end."""
    done = Job.objects.filter(project=project, kind="flag", state=JobState.DONE)
    return done.filter(result__looked=True).order_by("-id").first()


def _due(project: Project) -> bool:
    last = last_look(project)
    if last is None:
        return project.verdicts.filter(state="decided")[: suspecting.FEWEST].count() > 0
    new = sealing.position(project) - int(last.result["position"])
    return new >= max(FEWEST_NEW, NEW_SHARE * int(last.result["labels"]))


def run_flag(run: jobs.Run) -> dict[str, Any]:
    """Look at every decided label, keep the most doubtful as open flags, and draw some at random."""
    import numpy as np

    project = run.project
    if not has_detector(project):
        return {
            "looked": False,
            "why": "No student learns from such answers, to compare them with.",
        }
    encoding = current_encoding(project)
    if project.shape not in COMPARED and (encoding is None or encoding.rows == 0):
        return {"looked": False, "why": "The items are not encoded yet."}
    position = sealing.position(project)
    rng = np.random.default_rng(secrets.randbits(64))
    found = _looked(run, encoding, rng)
    if found is None:
        return {
            "looked": False,
            "why": f"It takes {suspecting.FEWEST} labelled items with different answers among them.",
        }
    choice = choose(project, found, rng)
    fresh = _flags(project, found, choice)
    saved = _save(project, found)
    with run.fence():
        _unquote(project, fresh)
        _replace(project, fresh)
    _forget(project, saved)
    return {
        "looked": True,
        "position": position,
        "labels": len(found.population.items),
        "flagged": len(choice.flagged),
        "drawn": len(choice.drawn),
        "scores": saved,
    }


def has_detector(project: Project) -> bool:
    """Whether anything tells which answers of such a project look wrong."""
    return bool(project.task.students) or project.shape in COMPARED


def _looked(
    run: jobs.Run, encoding: Encoding | None, rng: np.random.Generator
) -> AnySuspicion | None:
    """What looks wrong, by whatever compares answers of this shape; None when there are too few."""
    if run.project.shape == Shape.TEXT:
        return suspecting_texts.look(run, rng)
    if encoding is None or run.project.shape == Shape.BOXES:
        return suspecting_boxes.look(run.project)
    if run.project.shape == Shape.LABELS:
        return _labelled(run, encoding, rng)
    if run.project.shape == Shape.RANKING:
        return suspecting_orders.look(run, encoding, rng)
    return suspecting_spans.look(run, encoding, rng)


def _labelled(run: jobs.Run, encoding: Encoding, rng: np.random.Generator) -> AnySuspicion | None:
    """What the detectors make of the labels, and what else tells of such answers."""
    found = _suspicion(run, encoding, suspecting.believed(run.project), rng)
    if found is not None and run.project.task.marking:
        return suspecting_forms.checked(run, encoding, found, rng)
    if found is not None and run.project.task.sides:
        return suspecting_circles.checked(run, found)
    return found


def _suspicion(
    run: jobs.Run, encoding: Encoding, belief: Belief, rng: np.random.Generator
) -> Suspicion | None:
    """What the detectors make of the labels; None when there are too few."""
    population = suspecting.read(run.project, encoding, rng)
    if population is None:
        return None
    evidence = suspecting.gather(
        run.project,
        encoding,
        population,
        rng,
        lambda done, total: run.progress(
            GATHERING * done // total, 100, "Comparing labels with the others"
        ),
    )
    rest = 100 - GATHERING
    return suspecting.suspect(
        population,
        evidence,
        belief,
        lambda done, total: run.progress(
            GATHERING + rest * done // total, 100, "Weighing the evidence"
        ),
    )


def choose(project: Project, found: AnySuspicion, rng: np.random.Generator) -> Choice:
    """The most doubtful labels, best first, and drawn ones at every fifth place."""
    import numpy as np

    scores, items = found.scores, found.population.items
    free = ~found.population.reviewed & ~_settled(project, found)
    doubted = np.flatnonzero(free & (scores < DOUBTED))
    flagged = doubted[np.argsort(scores[doubted], kind="stable")][:MOST_FLAGS].tolist()
    place = {item: row for row, item in enumerate(items.tolist())}
    kept = Flag.objects.filter(project=project, state=FlagState.OPEN, probability__isnull=False)
    drawn: dict[int, float] = {
        place[item]: probability
        for item, probability in kept.values_list("item_id", "probability")
        if item in place and free[place[item]] and probability is not None
    }
    undrawn = np.setdiff1d(np.flatnonzero(free), list(drawn))
    more = min(max(DRAWN_READY - len(drawn), 0), len(undrawn))
    fresh = rng.choice(undrawn, more, replace=False).tolist() if more else []
    drawn |= dict.fromkeys(fresh, more / max(1, len(undrawn)))
    return Choice(
        rows=list(_mixed([row for row in flagged if row not in drawn], list(drawn))),
        flagged=frozenset(flagged),
        drawn=drawn,
    )


def _settled(project: Project, found: AnySuspicion) -> NDArray[np.bool_]:
    """(n,) labels that a reviewer settled and that are still the same: they are not asked again."""
    import numpy as np

    # Labels alone do not tell one value from another: a person's answer that came since may have made
    # another one. What a teacher says makes none where a reviewer spoke.
    since = Annotation.objects.filter(
        item=OuterRef("item"),
        created_at__gt=OuterRef("settled_at"),
        annotator__kind=AnnotatorKind.PERSON,
    )
    settled = (
        Flag.objects.filter(project=project, state=FlagState.SETTLED)
        .by_machines()
        .exclude(Exists(since), item__verdict__value__isnull=False)
    )
    known = {(item, tuple(labels)) for item, labels in settled.values_list("item_id", "labels")}
    pairs = zip(found.population.items.tolist(), found.population.labels, strict=True)
    return np.array([(item, tuple(labels)) in known for item, labels in pairs], dtype=np.bool_)


def _mixed(flagged: Sequence[int], drawn: Sequence[int]) -> Iterator[int]:
    """Flagged rows with a drawn one at every EVERY-th place, as long as there are both."""
    first, second = iter(flagged), iter(drawn)
    for place in count(1):
        turn = (second, first) if place % EVERY == 0 else (first, second)
        row = next(turn[0], None)
        if row is None:
            row = next(turn[1], None)
        if row is None:
            return
        yield row


def _flags(project: Project, found: AnySuspicion, choice: Choice) -> list[Flag]:
    """The choice as flags with their evidence, not written yet."""
    population = found.population
    told, suggested = found.told(choice.rows), found.suggested(choice.rows)
    return [
        Flag(
            project=project,
            item_id=int(population.items[row]),
            kind=FlagKind.DETECTOR if row in choice.flagged else FlagKind.RANDOM,
            labels=population.labels[row],
            suggested=instead,
            score=round(float(found.scores[row]), 6),
            rank=rank,
            evidence=evidence,
            scores=found.each(row),
            probability=choice.drawn.get(row),
        )
        for rank, (row, evidence, instead) in enumerate(
            zip(choice.rows, told, suggested, strict=True), start=1
        )
    ]


def _unquote(project: Project, fresh: list[Flag]) -> None:
    """Drop the evidence that quotes an item which was redacted since it was read."""
    about = {
        flag.item_id: {
            other["number"] for said in flag.evidence for other in said.get("others", ())
        }
        for flag in fresh
    }
    if not any(about.values()):
        return
    # Parts us from who redacts an item: what is redacted is seen here, or comes behind us and finds our flags.
    sealing.hold(project.pk)
    quoting = [item for item, others in about.items() if others]
    blank = project.items.filter(text="", text_b="").filter(
        Q(pk__in=quoting) | Q(number__in=set().union(*about.values()))
    )
    gone = dict(blank.values_list("number", "pk"))
    for flag in fresh:
        if about[flag.item_id] and (
            flag.item_id in gone.values() or about[flag.item_id] & set(gone)
        ):
            flag.evidence = []


def _replace(project: Project, fresh: list[Flag]) -> None:
    """Make the open flags of machines these ones; what a reviewer looks at now stays.

    An item that a reviewer settled while the labels were compared is not asked about again.
    """
    items = [flag.item_id for flag in fresh]
    held = ReviewCase.objects.filter(project=project, leased_until__gt=Now()).values("item")
    standing = Flag.objects.filter(project=project, state=FlagState.OPEN).by_machines()
    standing.exclude(item__in=items).exclude(item__in=held).delete()
    known = dict(standing.select_for_update(no_key=True).values_list("item_id", "pk"))
    settled = Annotation.objects.filter(item__in=items, stream=Stream.REVIEW, successor=None)
    spoken = set(settled.exclude(kind=AnnotationKind.RETRACTION).values_list("item_id", flat=True))
    for flag in fresh:
        flag.pk = known.get(flag.item_id)
    Flag.objects.bulk_update([flag for flag in fresh if flag.pk], REPLACED)
    new = [flag for flag in fresh if not flag.pk and flag.item_id not in spoken]
    Flag.objects.bulk_create(new)
    flag_events.opened(project.pk, new)


def scores_folder(project: Project, name: str) -> Path:
    """Where the scores of a look lie, beside the project's students."""
    return students_folder(project.pk) / name


def _save(project: Project, found: AnySuspicion) -> str:
    """Keep every label's score, by which the remaining errors are estimated."""
    import numpy as np

    from learning.storage import save_folder

    name = f"flags-{secrets.token_hex(6)}"
    arrays: dict[str, NDArray[Any]] = {
        "items": found.population.items,
        "scores": found.scores.astype(np.float32),
    }
    save_folder(scores_folder(project, name), arrays, {"kind": "flags"})
    return name


def _forget(project: Project, kept: str) -> None:
    """Remove the scores of earlier looks, but for the one that figures rest on until we are done."""
    last = last_look(project)
    names = {kept, last.result["scores"] if last is not None else ""}
    for folder in students_folder(project.pk).glob("flags-*"):
        if folder.name not in names:
            shutil.rmtree(folder, ignore_errors=True)
