"""Spans: an answer marks stretches of the text, each with a label; none at all is an answer too."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from learning.consensus import WITH_STUDENT, ConsensusMethod
from learning.consensus.candidates import SpanAnswer, settle, votes_of
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.selection import (
    ASKED,
    GRADED,
    HEARD,
    LABELWISE,
    MEASURED,
    SETWISE,
    STRATEGIES,
    TAUGHT,
)
from learning.spans import Span, Value, spans_of, value_of
from learning.spans.scores import exact_f1, metrics, near_f1
from learning.taggers import TAGGERS
from learning.taggers.replay import KnownTexts
from learning.taggers.types import Words
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.multi import Multi
from learning.tasks.values import Agreed, Given
from learning.types import Ints, Votes

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
    item_kinds: ClassVar[frozenset[str]] = frozenset({"text"})
    headline: ClassVar[str] = "span_f1"
    figure: ClassVar[str] = "span_f1"
    teachers: ClassVar[tuple[str, ...]] = ("openai", "recorded")
    quoted: ClassVar[bool] = True
    students: ClassVar[tuple[str, ...]] = tuple(TAGGERS)
    reads: ClassVar[Literal["words", "lists"]] = "words"
    places: ClassVar[bool] = True
    strategies: ClassVar[tuple[str, ...]] = tuple(
        name
        for name in STRATEGIES
        if name not in ASKED | GRADED | HEARD | LABELWISE | MEASURED | SETWISE | TAUGHT
    )
    # Students' words are on labels, and no votes on spans.
    consensus: ClassVar[tuple[str, ...]] = tuple(
        name for name in Multi.consensus if name not in WITH_STUDENT
    )
    conformal: ClassVar[tuple[str, ...]] = ()

    edges: Literal["exact", "near"] = "exact"

    def read(self, value: object, content: Content, labels: Collection[int]) -> dict[str, Any]:
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
            _read(f"Span {number}", one, len(content.text), labels)
            for number, one in enumerate(given, 1)
        )

    def labels_of(self, value: Value) -> list[int]:
        """The label ids that occur, ascending, each once."""
        return sorted({span.label for span in spans_of(value)})

    def meaning(self, labels: Collection[int], value: Value) -> frozenset[Span]:
        """The spans, both edges and the label of each."""
        return frozenset(spans_of(value))

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """Disagreement of two values: 1 - F1 of their spans; two without any agree (0)."""
        f1 = exact_f1 if self.edges == "exact" else near_f1
        return 1 - f1(spans_of(a), spans_of(b))

    def settle(
        self,
        method: ConsensusMethod,
        items: Sequence[Sequence[Given]],
        skills: Skills | None = None,
    ) -> list[Agreed]:
        """Span by span, whether it is there, then its label and its edges; see `candidates`."""
        found = settle(method, [list(map(_answer, given)) for given in items], skills)
        agreed = []
        for one in found:
            shares: dict[int, float] = {}
            there = zip(one.spans, one.probabilities, strict=True)
            for span, share in [*there, *one.doubtful]:
                shares[span.label] = max(shares.get(span.label, 0.0), share)
            ordered = dict(sorted(shares.items()))
            agreed.append(Agreed(value=value_of(one.spans), shares=ordered, tied=one.tied))
        return agreed

    def votes(
        self, items: Sequence[Sequence[Given]], truth: Sequence[Any | None] | None = None
    ) -> Votes:
        """Votes on every stretch that somebody marked, "is there a span?"; see `candidates`."""
        sure = None
        if truth is not None:
            sure = [None if value is None else spans_of(value) for value in truth]
        return votes_of([list(map(_answer, given)) for given in items], sure)[0]

    def credit(self, truth: Value, said: Value, columns: Columns) -> tuple[float, float]:
        """Twice the spans that are in both, and the spans of either: sums of these make the F1 of all
        spans. Spans whose label is archived count in neither.
        """
        one, other = (
            {span for span in spans_of(value) if span.label not in columns.archived}
            for value in (truth, said)
        )
        return 2.0 * len(one & other), float(len(one) + len(other))

    def by_label(self, truth: Value, said: Value) -> dict[int, tuple[int, int, int]]:
        """Spans of each label that are in both, said, true."""
        one, other = set(spans_of(truth)), set(spans_of(said))
        both, told, true = (
            Counter(span.label for span in spans) for spans in (one & other, other, one)
        )
        return {label: (both[label], told[label], true[label]) for label in told | true}

    def compare(self, truth: Sequence[Value], said: Sequence[Value]) -> dict[str, float]:
        """What `learning.spans.scores.metrics` tells of the spans said against the true ones."""
        return metrics(list(map(spans_of, truth)), list(map(spans_of, said)))

    def in_columns(self, value: Value, columns: Mapping[int, int]) -> Value:
        """The spans whose labels have a column, with it for the label."""
        return value_of(
            (span.start, span.end, columns[span.label])
            for span in spans_of(value)
            if span.label in columns
        )

    def known_of(
        self,
        read: Words,
        rows: Ints,
        values: Sequence[Value],
        labels: int,
        texts: Sequence[str] | None = None,
    ) -> KnownTexts:
        """Texts beside their spans, for a replay; see `TaughtTask`."""
        return KnownTexts(words=read, rows=rows, values=values, labels=labels, texts=texts)


def _answer(given: Given) -> SpanAnswer:
    return SpanAnswer(annotator=given.annotator, spans=spans_of(given.value), weight=given.weight)


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
