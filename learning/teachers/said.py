"""What a teacher said of one item, and the parts that it is read from: labels, confidence, quotes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.spans import Span
from learning.teachers.quoting import Candidate, Located
from learning.teachers.types import Order, TeacherSchema

LONGEST_REASON = 1_000
LEAST_LEAD = 0.1
"""A named label is taken to be likelier than chance by at least this share of the rest."""


@dataclass(frozen=True)
class Said:
    """A valid answer to one item.

    columns: of the labels, none where several may fit and none does; None where the model says that
        it cannot tell.
    distribution: (k,) float32 that sums to 1, from log-probabilities; None where there are none. Where
        spans or forms were asked for: how likely each label occurs.
    spans, dropped, order, text: as in `TeacherAnswer`; candidates are numbered as the prompt showed them.
    """

    columns: tuple[int, ...] | None
    confidence: float | None = None
    reason: str = ""
    distribution: NDArray[np.float32] | None = None
    spans: tuple[tuple[Span, float], ...] | None = None
    dropped: int = 0
    order: Order | None = None
    text: str | None = None


def column_in(value: object, ids: Mapping[str, int]) -> int | None:
    """The column of a label that is written as its id or its name; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    written = str(value).strip()
    return ids.get(written, ids.get(written.casefold()))


def candidate_in(given: object, ids: Mapping[str, int]) -> Candidate | None:
    """A quote with its label and verdict; None for anything else."""
    if not isinstance(given, dict):
        return None
    column, quote, holds = (
        column_in(given.get("label"), ids),
        given.get("quote"),
        given.get("verdict"),
    )
    before = given.get("before")
    if column is None or not isinstance(quote, str) or not isinstance(holds, bool):
        return None
    return Candidate(
        quote=quote,
        before=before if isinstance(before, str) else "",
        column=column,
        holds=holds,
        confidence=confidence_in(given.get("confidence")),
    )


def said_spans(found: Located, schema: TeacherSchema, reason: str = "") -> Said:
    """What was found, with how likely each label occurs; the least sure span is the confidence.

    A span that was marked is likelier than not, however unsure the teacher says it is; without a
    stated confidence its probability is 1. Where every quote was lost, nobody knows what was meant.
    """
    if found.dropped and not found.spans:
        return Said(None, reason=reason, dropped=found.dropped)
    spans = tuple((span, likely(p)) for span, p in found.spans)
    present = np.zeros(schema.size, dtype=np.float32)
    for span, p in spans:
        present[span.label] = max(present[span.label], p)
    stated = [p for _, p in found.spans if p is not None]
    columns = tuple(dict.fromkeys(span.label for span, _ in spans))
    return Said(columns, min(stated, default=None), reason, present, spans, found.dropped)


def likely(stated: float | None) -> float:
    """How likely something is that was named: more than not, and 1 where no confidence was stated."""
    return 1.0 if stated is None else max(stated, 0.5 + LEAST_LEAD / 2)


def confidence_in(value: object) -> float | None:
    """0 … 1, or None for anything else: a wrong number does not make the label wrong."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def reason_in(value: object) -> str:
    """A sentence for people, "" for anything else."""
    if not isinstance(value, str):
        return ""
    kept = "".join(letter for letter in value if letter.isprintable() or letter in "\n\t")
    return kept[:LONGEST_REASON].strip()


def spread(
    columns: Sequence[int], confidence: float | None, schema: TeacherSchema
) -> NDArray[np.float32]:
    """(k,) the stated confidence on what was named, the rest evenly elsewhere.

    What was named stays the likeliest, however unsure the teacher says it is. Without a stated
    confidence all lies on what was named; whoever wants a confidence has to measure one.
    """
    k = schema.size
    share = 0.5 if schema.multi_label else 1 / k
    sure = 1.0 if confidence is None else max(confidence, share + LEAST_LEAD * (1 - share))
    p = np.full(k, (1 - sure) / (k if schema.multi_label else max(1, k - 1)), dtype=np.float32)
    p[list(columns)] = 1 if k == 1 and not schema.multi_label else sure
    return p
