"""Spans: an answer marks stretches of the text, each with a label; none at all is an answer too."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from learning.errors import ShapeError
from learning.selection import LABELWISE, STRATEGIES
from learning.spans import Span, Value, spans_of, value_of
from learning.spans.scores import exact_f1, metrics, near_f1
from learning.tasks.multi import Multi

KEYS = {"start", "end", "label"}
MOST_SPANS = 10_000


@dataclass(frozen=True, kw_only=True)
class Spans(Multi):
    """Stretches of text with a label each, compared by the F1 of their spans. Source: Tjong Kim Sang,
    De Meulder 2003.

    Seen by its labels alone, an answer says which labels occur: what `Multi` does with arrays holds.

    edges: "exact" compares spans by equality; with "near" a pair of equal label counts by its overlap.
    """

    shape: ClassVar[str] = "spans"
    headline: ClassVar[str] = "span_f1"
    strategies: ClassVar[tuple[str, ...]] = tuple(
        name for name in STRATEGIES if name not in LABELWISE
    )
    conformal: ClassVar[tuple[str, ...]] = ()

    edges: Literal["exact", "near"] = "exact"

    def read(self, value: object, text: str, labels: Collection[int]) -> dict[str, Any]:
        """The canonical value: spans sorted by start, end and label, each once.

        labels: ids that may be given. Raises ShapeError with a sentence that names the span (the
        first is 1) and its fault.
        """
        if not isinstance(value, dict) or set(value) != {"spans"}:
            raise ShapeError('An answer of spans is {"spans": […]} and nothing else.')
        given = value["spans"]
        if not isinstance(given, list):
            raise ShapeError("`spans` is a list, which may be empty.")
        if len(given) > MOST_SPANS:
            raise ShapeError(f"An answer has {MOST_SPANS:,} spans at most, not {len(given):,}.")
        return value_of(
            _read(f"Span {number}", one, len(text), labels) for number, one in enumerate(given, 1)
        )

    def labels_of(self, value: Value) -> list[int]:
        """The label ids that occur, ascending, each once."""
        return sorted({span.label for span in spans_of(value)})

    def distance(self, a: Any, b: Any) -> float:
        """Disagreement of two values: 1 - F1 of their spans; two without any agree (0)."""
        f1 = exact_f1 if self.edges == "exact" else near_f1
        return 1 - f1(spans_of(a), spans_of(b))

    def compare(self, truth: list[Value], said: list[Value]) -> dict[str, float]:
        """What `learning.spans.scores.metrics` tells of the spans said against the true ones."""
        return metrics(list(map(spans_of, truth)), list(map(spans_of, said)))


def _read(name: str, given: object, length: int, labels: Collection[int]) -> Span:
    if not isinstance(given, dict) or set(given) != KEYS:
        raise ShapeError(f"{name} must have start, end and label, and nothing else.")
    for key in sorted(KEYS):
        if isinstance(given[key], bool) or not isinstance(given[key], int):
            raise ShapeError(f"{name}: {key} must be a whole number, not {given[key]!r:.40}.")
    span = Span(**given)
    if span.start < 0 or span.end > length:
        raise ShapeError(
            f"{name} goes from {span.start} to {span.end}; the text has {length} characters."
        )
    if span.start >= span.end:
        raise ShapeError(f"{name} is empty: it starts at {span.start} and ends at {span.end}.")
    if span.label not in labels:
        raise ShapeError(f"{name} has the label {span.label}, which is not in the schema.")
    return span
