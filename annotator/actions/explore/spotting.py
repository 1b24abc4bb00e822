"""Search by type: stretches of the texts that look like a label, and what a person says of them.

A stretch that is confirmed is no answer, since nobody read the rest of its item. It waits there as a
suggestion, and the item comes first; the answer is given at the item, whole. No student learns from it
before. Items of the audit sample are neither searched nor learnt from.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding
from annotator.actions.explore import seeding
from annotator.actions.explore.spot_examples import Known, Place, known_of
from annotator.actions.students.tagged import said_by
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import Item, Label, Project, Seeding, Shape, User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.taggers.likeness import Background
    from learning.taggers.types import Words

SHOWN = 50
LONGEST_SECONDS = 2.0
# The student's spans that it holds for likelier than this come before what is only alike.
LIKELY = 0.5


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A stretch that looks like the label: `probability` (0 … 1) where the student says so, else None;
    `like` is the example that it is most like, "" where the student found it."""

    place: Place
    item: Item
    probability: float | None = None
    like: str = ""

    @property
    def parts(self) -> tuple[str, str, str]:
        """The text before it, it, and the text behind it."""
        text, place = self.item.text, self.place
        return text[: place.start], text[place.start : place.end], text[place.end :]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Hits, best first; from how many examples; out of the first `seen` of `texts`."""

    hits: list[Hit]
    examples: int
    seen: int
    texts: int

    @property
    def whole(self) -> bool:
        return self.seen >= self.texts


def search(
    project: Project, label: Label, *, such_as: str = "", like: Place | None = None
) -> Found:
    """The stretches that look most like a label, of items that wait for an answer, 50 at most.

    Examples are what is marked with the label, what was confirmed in such a list, the words accepted for
    the label and those in `such_as` (with commas between them) wherever they occur, and the place `like`.
    Raises ConflictError while words are not read yet, or where nothing is known of the label.
    """
    import numpy as np

    words = _words(project)
    waiting = seeding.waiting(project).filter(number__lt=words.texts)
    numbers = np.fromiter(waiting.values_list("number", flat=True).iterator(), dtype=np.int64)
    looked = np.zeros(words.texts, dtype=np.bool_)
    looked[numbers] = True
    known = known_of(project, label, words, such_as, like)
    said = _said(project, label, looked)
    if not len(known.examples) and said is None:
        raise ConflictError(
            f"Nothing is known of “{label.name}” yet. Name some words that are such, or mark one first."
        )
    judged_in: dict[int, list[Place]] = {}
    for place in known.judged:
        judged_in.setdefault(place.number, []).append(place)
    free = (
        (place, p)
        for place, p in said or ()
        if not any(place.touches(other) for other in judged_in.get(place.number, ()))
    )
    sure = list(islice(free, SHOWN))
    taken = [*known.judged, *(place for place, _ in sure)]
    alike, seen = _alike(words, known, looked, taken, SHOWN - len(sure))
    told: list[tuple[Place, dict[str, Any]]] = [
        *((at, {"probability": p}) for at, p in sure),
        *((at, {"like": quote}) for at, quote in alike),
    ]
    items = Item.objects.filter(project=project, number__in={at.number for at, _ in told})
    by_number = {item.number: item for item in items.present()}
    hits = [
        Hit(place=at, item=item, **why)
        for at, why in told
        if (item := by_number.get(at.number)) and at.end <= len(item.text)  # not redacted since
    ]
    return Found(hits=hits, examples=len(known.examples), seen=seen, texts=words.texts)


def _words(project: Project) -> Words:
    _check_spans(project)
    encoding = current_encoding(project)
    if encoding is None or not reading_words.folder_of(encoding).is_dir():
        raise ConflictError(
            "The words of the texts are not read yet. That is done in the background, by encoders that "
            "have words, such as MiniLM."
        )
    words = reading_words.view(encoding)
    if not len(words.vectors):
        raise ConflictError("The words of the texts are being read; look again shortly.")
    return words


def _check_spans(project: Project) -> None:
    if project.shape != Shape.SPANS:
        raise InvalidError("Stretches are searched in projects of spans.")


def _said(
    project: Project, label: Label, looked: NDArray[np.bool_]
) -> Iterator[tuple[Place, float]] | None:
    """What the student that serves marks with the label and holds for likely, likeliest first, in texts
    that are looked at; None where it marks nothing with it there."""
    import numpy as np

    current = project.current_student
    if current is None or label.pk not in current.label_ids:
        return None
    tagged = said_by(project, current)
    if tagged is None:
        return None
    rows = np.flatnonzero(tagged.column == current.label_ids.index(label.pk))
    texts = np.searchsorted(tagged.starts, rows, side="right") - 1
    open_ones = texts < len(looked)
    open_ones[open_ones] = looked[texts[open_ones]]
    if not open_ones.any():
        return None
    rows, texts = rows[open_ones], texts[open_ones]
    order = np.argsort(-tagged.probability[rows], kind="stable")
    order = order[tagged.probability[rows[order]] >= LIKELY]
    return (
        (
            Place(
                number=int(texts[at]),
                start=int(tagged.edges[rows[at], 0]),
                end=int(tagged.edges[rows[at], 1]),
            ),
            float(tagged.probability[rows[at]]),
        )
        for at in order
    )


def _alike(
    words: Words, known: Known, looked: NDArray[np.bool_], taken: Sequence[Place], most: int
) -> tuple[list[tuple[Place, str]], int]:
    """Stretches like the examples with what each is like, and how many texts there was time for."""
    import numpy as np

    from learning.spans import Span
    from learning.taggers.likeness import Background, stretches

    if not len(known.examples) or most <= 0:
        return [], words.texts
    background = Background.of(words, np.random.default_rng(0))
    scores, seen = _scored(words, background, known, looked)
    spans = [(place.number, Span(place.start, place.end, 0)) for place in taken]
    spans = [(text, span) for text, span in spans if text < words.texts]
    found = stretches(words, scores, most, spans)
    if not found:
        return [], seen
    vectors = np.array(
        [
            np.asarray(words.vectors[one.first : one.last], dtype=np.float32).mean(axis=0)
            for one in found
        ]
    )
    likest = background.likest(vectors, known.examples).tolist()
    return [
        (Place(number=one.text, start=one.start, end=one.end), known.quotes[at])
        for one, at in zip(found, likest, strict=True)
    ], seen


def _scored(
    words: Words, background: Background, known: Known, looked: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], int]:
    """(N,) scores of words, -inf where a text is not looked at, block by block while there is time."""
    import numpy as np

    from learning.taggers.likeness import scored
    from learning.taggers.pool import blocks_of

    direction = background.direction(known.examples, known.refused)
    scores = np.full(len(words.vectors), -np.inf, dtype=np.float32)
    ends_at = time.monotonic() + LONGEST_SECONDS
    seen = 0
    for block, part in blocks_of(words):
        if seen and time.monotonic() > ends_at:
            break
        first, last = int(words.starts[block.start]), int(words.starts[block.stop])
        told = scored(part, direction, background.mean)
        kept = np.repeat(looked[block], np.diff(part.starts))
        scores[first:last] = np.where(kept, told, -np.inf)
        seen = block.stop
    return scores, seen


def judge(
    project: Project, user: User, label: Label, kept: Sequence[Place], refused: Sequence[Place]
) -> Seeding:
    """Keep what a person says of hits, as one step: confirmed places wait on their items as suggestions,
    and those items come first; refused ones are not shown again.

    Raises InvalidError where nothing is said, or of a place that is not in its text; ConflictError
    where an item has its answer by now, or too many wishes stand. Then nothing is kept.
    """
    _check_spans(project)
    if not kept and not refused:
        raise InvalidError("Say of one place at least whether it is one.", field="kept")
    if len(kept) + len(refused) > seeding.MOST:
        raise InvalidError(f"At most {seeding.MOST} places at a time.", field="kept")
    _check(project, [*kept, *refused])
    about: dict[str, Any] = {
        "label": label,
        "kept": [[at.number, at.start, at.end] for at in dict.fromkeys(kept)],
        "refused": [[at.number, at.start, at.end] for at in dict.fromkeys(refused)],
    }
    if not kept:
        return Seeding.objects.create(project=project, created_by=user, ended_at=Now(), **about)
    return seeding.wish(project, user, list(dict.fromkeys(at.number for at in kept)), **about)


def _check(project: Project, places: Sequence[Place]) -> None:
    numbers = {place.number for place in places}
    rows = seeding.waiting(project).filter(number__in=numbers).values_list("number", "text")
    lengths = {number: len(text) for number, text in rows}
    for place in places:
        if place.number not in lengths:
            raise ConflictError(
                f"Item {place.number} has its answer by now, or is not here. Search again."
            )
        if not 0 <= place.start < place.end <= lengths[place.number]:
            raise InvalidError(
                f"There is no place {place.start} to {place.end} in item {place.number}.",
                field="kept",
            )


def take_back(project: Project, seeding_id: int) -> Seeding:
    """Forget what was said of some hits: their suggestions go, their items wait where they were, and
    they are found again. Answers that were given stay."""
    found = Seeding.objects.filter(project=project, pk=seeding_id).exclude(label=None)
    with transaction.atomic():
        if not found.update(taken_back_at=Now()):
            raise NotFoundError("There is no such list of hits in this project.")
        found.standing().update(ended_at=Now())
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    return found.get()


def latest(project: Project, count: int = 10) -> list[Seeding]:
    """What people said of hits, the newest first, without what was taken back."""
    rows = Seeding.objects.filter(project=project, taken_back_at=None).exclude(label=None)
    return list(rows.select_related("label", "created_by").order_by("-id")[:count])
