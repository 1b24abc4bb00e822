"""The records between a project and its machine annotators; checked here, once.

Letters in shapes: n items, k labels of the schema in its order, d dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.spans import Span
from learning.types import Bools, Floats, Report, require

if TYPE_CHECKING:
    from learning.encoders import Ready
    from learning.students import Fitted
    from learning.teachers.language_model import LanguageModel, MaskedModel
    from learning.teachers.line import Line

SUM_TOLERANCE = 1e-4
FAULT = "fault"  # the mark of an item without an answer because of the way to the model

LentT = TypeVar("LentT")
Order = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class TeacherItem:
    """One thing to label.

    number: the item's number in its project; answers come back under it.
    text, text_b: raw, both for a pair; they are data and never an instruction.
    image: the bytes of an image file, or None.
    candidates: what is to be put in order, raw as well, where answers are orders.
    """

    number: int
    text: str
    text_b: str = ""
    image: bytes | None = None
    candidates: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The text, with the second one of a pair on a new line, as encoders read it."""
        return f"{self.text}\n{self.text_b}" if self.text_b else self.text


@dataclass(frozen=True, kw_only=True)
class LabelText:
    """What a teacher reads about a label.

    words: label words that a lead accepted; they say what the name alone does not.
    """

    id: int
    name: str
    description: str = ""
    parent_id: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TeacherQuestion:
    """One question of a form, with labels of its own.

    key: what its answer is called; name: in words. columns: of its labels. several: any number of them
    may be given, else just one. ordered: they are grades, the lowest first. marks: it is answered by
    spans of the text. after: columns of labels of one earlier question; it is asked where one of them was
    given. Empty: always. sided: its first two labels say that the first or the second text is better.
    """

    key: str
    name: str
    columns: tuple[int, ...]
    several: bool = False
    ordered: bool = False
    sided: bool = False
    marks: bool = False
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TeacherSchema:
    """The labels by column (k at least 1, no archived ones), and what people are told to do.

    quoted: an answer marks spans of the text; its labels are those that occur, so that several may.
    ranked: an answer is an order of the item's candidates, and there are no labels: k is 0.
    written: an answer is a text, edited where the item has a second one, and k is 0 as well.
    sided: the first two labels say that the first or the second text of an item is better.
    questions: an answer is a form with these, in their order; it is all labels that were given, and the
        spans of those questions that mark the text.
    """

    labels: tuple[LabelText, ...]
    guidelines: str = ""
    multi_label: bool = False
    quoted: bool = False
    ranked: bool = False
    written: bool = False
    sided: bool = False
    questions: tuple[TeacherQuestion, ...] = ()
    _place: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ranked or self.written:
            require(not self.labels and self.multi_label, "Orders and texts have no labels.")
        else:
            require(len(self.labels) > 0, "A teacher needs at least one label to choose from.")
        require(not self.sided or len(self.labels) > 1, "Two sides need a label each.")
        require(self.multi_label or not self.quoted, "Spans of one text have several labels.")
        require(self.multi_label or not self.questions, "Forms have several labels.")
        place = {label.id: column for column, label in enumerate(self.labels)}
        require(len(place) == len(self.labels), "A label must not have two columns.")
        object.__setattr__(self, "_place", place)

    @property
    def size(self) -> int:
        """k, how many labels there are."""
        return len(self.labels)

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """The two columns of each comparison of an item's texts: the first one is better, the second one."""
        own = ((0, 1),) if self.sided else ()
        return own + tuple((one.columns[0], one.columns[1]) for one in self.questions if one.sided)

    @property
    def marks(self) -> bool:
        """Whether an answer holds spans of the text."""
        return self.quoted or any(one.marks for one in self.questions)

    @property
    def ids(self) -> tuple[int, ...]:
        """(k,) label ids by column."""
        return tuple(label.id for label in self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """(k,) label names by column."""
        return tuple(label.name for label in self.labels)

    def column(self, label_id: int) -> int | None:
        """The column of a label id, or None when the schema does not have it."""
        return self._place.get(label_id)

    def target(self, label_ids: Sequence[int]) -> NDArray[np.float32]:
        """(k,) ones at these labels; raises ShapeError for an id that the schema does not have."""
        target = np.zeros(self.size, dtype=np.float32)
        for label_id in label_ids:
            column = self.column(label_id)
            require(column is not None, f"The schema has no label with the id {label_id}.")
            target[column] = 1
        return target


@dataclass(frozen=True, kw_only=True)
class Example:
    """A solved item to show: its label ids (none is an answer in multi-label projects) and why.

    spans: of the item's text, with label ids, where answers mark spans. text: what was written about the
        item, where answers are texts.
    """

    item: TeacherItem
    labels: tuple[int, ...]
    explanation: str = ""
    spans: tuple[Span, ...] = ()
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class TeacherAnswer:
    """What a teacher says about one item.

    probabilities: (k,) float32 in 0 … 1 by column; they sum to 1 for a single label and are
        independent for several. None is an abstention.
    known: (k,) bool, the labels that the answer speaks about, in several-label answers only; the
        others are 0 there and mean nothing. None means all.
    spans: what is marked, labels are columns, each with 0 … 1 that it is there; None where answers
        are labels alone. dropped: quotes that could not be found in the text.
    order: the candidates from best to worst, numbered from 1 as the item has them, equals in one group;
        None where answers are no orders. Their probabilities are none, (0,).
    text: what was written; None where answers are no texts. Their probabilities are none, (0,).
    steady: -1 … 1, Kendall's tau-b of the orders that it gave to the same candidates in two sequences;
        None where it was asked once.
    confidence: 0 … 1, how sure the teacher says it is of its answer; None when it says nothing.
    reason: a sentence for people; plain text that is never markup.
    abstained: why there is no answer, "" when there is one.
    model: the id that the model gave itself, "" when there is none.
    money: in the currency of the teacher's price; seconds: the time that this answer took.
    flags: short marks such as "repaired", "cached" or "canary".
    """

    number: int
    probabilities: NDArray[np.float32] | None = None
    known: Bools | None = None
    spans: tuple[tuple[Span, float], ...] | None = None
    dropped: int = 0
    order: Order | None = None
    text: str | None = None
    steady: float | None = None
    confidence: float | None = None
    reason: str = ""
    abstained: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    seconds: float = 0.0
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(
            (self.probabilities is None) == bool(self.abstained),
            "An answer has probabilities, or says why it has none.",
        )
        if self.probabilities is not None:
            _check_probabilities(self.probabilities)
        if self.known is not None:
            _check_known(self.known, self.probabilities)
        said = self.order is not None or self.text is not None
        require(not (said and self.abstained), "An abstention has no order and no text.")
        require(
            self.confidence is None or 0 <= self.confidence <= 1,
            f"A confidence lies between 0 and 1, not at {self.confidence}.",
        )
        costs = (self.tokens_in, self.tokens_out, self.money, self.seconds)
        require(
            all(np.isfinite(cost) and cost >= 0 for cost in costs),
            "Tokens, money and seconds must be numbers of at least 0.",
        )


def _check_probabilities(p: NDArray[np.float32]) -> None:
    require(
        p.ndim == 1 and p.dtype == np.float32,
        f"The probabilities of an answer are one float32 per label, not {p.dtype} {p.shape}.",
    )
    require(
        bool(np.all(np.isfinite(p) & (p >= 0) & (p <= 1 + SUM_TOLERANCE))),
        "The probabilities of an answer must lie between 0 and 1.",
    )


def _check_known(known: Bools, p: NDArray[np.float32] | None) -> None:
    require(
        p is not None and known.shape == p.shape and known.dtype == np.bool_,
        "The labels that an answer speaks about are one yes or no for each probability.",
    )
    require(p is None or not np.any(p[~known]), "An answer must be 0 where it says nothing.")


def check_answer(answer: TeacherAnswer, schema: TeacherSchema) -> None:
    """Raise ShapeError when the answer is not one over the labels of this schema."""
    p = answer.probabilities
    if p is None:
        return
    require(
        p.shape == (schema.size,),
        f"An answer over {len(p)} labels does not fit a schema of {schema.size}.",
    )
    require(
        (answer.spans is not None) == schema.marks,
        "An answer has spans where the schema asks for them, and nowhere else.",
    )
    require(
        (answer.order is not None) == schema.ranked,
        "An answer has an order where the schema asks for one, and nowhere else.",
    )
    require(
        (answer.text is not None) == schema.written,
        "An answer has a text where the schema asks for one, and nowhere else.",
    )
    require(
        schema.multi_label or abs(float(p.sum(dtype=np.float64)) - 1) <= SUM_TOLERANCE,
        "The probabilities of a single-label answer must sum to 1.",
    )
    require(
        schema.multi_label or answer.known is None,
        "Only an answer with several labels can speak about some labels alone.",
    )


def check_order(answer: TeacherAnswer, item: TeacherItem) -> None:
    """Raise ShapeError when the answer's order does not name each of the item's candidates once."""
    if answer.order is None:
        return
    named = sorted(one for group in answer.order for one in group)
    require(
        named == list(range(1, len(item.candidates) + 1)) and all(answer.order),
        f"An order names each of the {len(item.candidates)} candidates once, by its number.",
    )


def confidence_of(p: Floats, *, multi_label: bool) -> float:
    """0 … 1: the likeliest label's probability; for several labels that of the least sure yes or no.
    1 where there are no labels to be unsure of.
    """
    if not len(p):
        return 1.0
    if multi_label:
        return float(np.minimum(np.maximum(p, 1 - p).min(), 1))
    return float(min(p.max(), 1))


Show = Callable[[Sequence[TeacherItem]], Sequence[Example]]
OfferLabels = Callable[[Sequence[TeacherItem]], Sequence[int]]


class Teacher(Protocol):
    """A machine annotator that can be asked now."""

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """One answer or abstention for each item exactly once, as they come, in any order.

        items: with distinct numbers; examples: solved items that may be shown, in order.
        report: called now and then with (done, total); what it raises ends the run.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Member:
    """A teacher of a committee.

    confusion: counts of audited items: (k, k), true label by row and its answer by column; for
        several labels (k, 2, 2), for each label truth by row (no, yes) and answer by column.
        None while it was not audited.
    """

    teacher: Teacher
    confusion: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the caller lends a teacher beside its parameters; each takes what it names in `needs`.

    encoder: of texts; encodings: (rows, d) unit rows of the same encoder by item number, so that
        items need not be encoded again; rows may be fewer than the items asked for.
    records: answers that were made elsewhere.
    members: the committee by name. sharpness: how far they err apart (`fit_sharpness`); 1 is one voice.
    student, student_labels, student_encoder: a fitted student, its label names by column, and the
        encoder of the project that it comes from.
    line: to an endpoint, with its rates, its budget and its cache.
    language_model: one that is loaded on this machine.
    show: solved items to show beside these of one prompt, after those that all prompts share.
    offer: the label columns to put before a teacher for these items of one prompt, at least one.
    """

    encoder: Ready | None = None
    encodings: Floats | None = None
    records: Sequence[Mapping[str, Any]] | None = None
    members: Mapping[str, Member] | None = None
    sharpness: float = 1.0
    student: Fitted | None = None
    student_labels: tuple[str, ...] | None = None
    student_encoder: Ready | None = None
    line: Line | None = None
    language_model: LanguageModel | MaskedModel | None = None
    show: Show | None = None
    offer: OfferLabels | None = None


class TeacherPlugin(Protocol):
    """A teacher's parameters: a row of the registry.

    needs: names of fields of `Means` without which it cannot be made ready.
    """

    needs: ClassVar[tuple[str, ...]]

    def ready(self, means: Means) -> Teacher:
        """The teacher, with what it needs; raises NotEnoughDataError when something is missing."""
        ...


def needed(value: LentT | None, what: str, who: str) -> LentT:
    """What was lent; raises a sentence when it was not."""
    if value is None:
        raise NotEnoughDataError(f"The teacher {who} needs {what}.")
    return value
