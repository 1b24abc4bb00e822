"""The records that pass between parts; shapes and ranges are checked here, once.

Letters in shapes: n items, k label columns, d dimensions, m picks, v votes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.image_files import of_rows
from learning.spans import Span

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]

Report = Callable[[int, int], None]
"""`report(done, total)`: called now and then; what it raises (a cancel) passes through."""

BLOCK_ROWS = 8192
FAINT = 0.1  # how much of a no an answer is to a label that could not be given yet


def no_report(done: int, total: int) -> None:
    """Takes progress and drops it, for callers that show none."""


def row_blocks(rows: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices that cover 0 … rows - 1 in order, `size` rows each, so that nothing is copied whole."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def require(met: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise ShapeError with `sentence` unless the condition is met."""
    if not met:
        raise ShapeError(sentence)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One question of a form: the label columns that answer it.

    several: any number may be given, else just one. ordered: they are grades, the lowest first. sided: the
    first two are sides. after: of one earlier question; it is asked where one is given. Empty: always.
    """

    columns: tuple[int, ...]
    several: bool = False
    ordered: bool = False
    sided: bool = False
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What a strategy may look at. Row i is the item with number i; memmaps are fine everywhere.

    eligible: (n,) bool, the item may be picked now.
    labelled: (n,) bool, the item has a label already; such rows are never picked.
    probabilities: (n, k) float32 of the student, or None before there is one; (n, t) with
        `columns` when only the t most likely labels of each item are kept.
    columns: (n, t) int32, the label column behind each entry of `probabilities`.
    encodings: (n, d) unit rows, float16 or float32, or None.
    margins: (n,) float32, 0 undecided … 1 sure, or None to derive them from `probabilities`.
    label_names: names by column, used in reasons.
    answers: (l, k) float32 in 0 … 1, targets of the labelled rows, ascending by row; None: not told.
    teacher_error: 0 … 1, the upper bound of the share of items the teacher would get wrong.
    wanted: (w,) int64, rows that a lead asked for by a search or an example, best first.
    set_sizes: (n,) int, labels that the promised answer set leaves to decide between, or None while
        nothing is promised.
    lengths: (n,) int, characters of the item's texts, or None when the caller does not tell them.
    apart: (n,) float32 in 0 … 1, how far what teachers wrote lies apart; NaN below two texts. None: not told.
    doubted: what is in doubt within an item ("the spans"), where the margins are of that and do not
        follow from probabilities of whole labels; "" where they do.
    parts: the questions that the labels answer, where answers are forms; else none.
    marked: (n,) float32 margins of what a tagger marks, 0 undecided … 1 sure, by the place of the question
        among `parts` that asks to mark the text.
    """

    eligible: Bools
    labelled: Bools
    probabilities: Floats | None = None
    columns: Ints | None = None
    encodings: Floats | None = None
    margins: Floats | None = None
    label_names: tuple[str, ...] = ()
    multi_label: bool = False
    answers: Floats | None = None
    teacher_error: float | None = None
    wanted: Ints | None = None
    set_sizes: Ints | None = None
    lengths: Ints | None = None
    apart: Floats | None = None
    doubted: str = ""
    parts: tuple[Part, ...] = ()
    marked: Mapping[int, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.eligible)
        for name in ("eligible", "labelled"):
            mask = getattr(self, name)
            require(
                mask.shape == (n,) and mask.dtype == np.bool_,
                f"{name} must be a boolean array of shape ({n},), not {mask.dtype} {mask.shape}.",
            )
        for name in ("probabilities", "columns", "encodings"):
            _check_rows(name, getattr(self, name), n, 2)
        for name in ("margins", "set_sizes", "lengths", "apart"):
            _check_rows(name, getattr(self, name), n, 1)
        for margins in self.marked.values():
            _check_rows("marked", margins, n, 1)
        _check_rows("answers", self.answers, int(self.labelled.sum()), 2)
        self._check_extras(n)
        if self.columns is not None:
            require(
                self.probabilities is not None and self.columns.shape == self.probabilities.shape,
                "columns must have the shape of probabilities.",
            )
        elif self.probabilities is not None and self.label_names:
            require(
                self.probabilities.shape[1] == len(self.label_names),
                "There must be one label name for each column of probabilities.",
            )

    def _check_extras(self, n: int) -> None:
        if self.teacher_error is not None:
            require(0 <= self.teacher_error <= 1, "The teacher's error must lie between 0 and 1.")
        if self.wanted is not None and len(self.wanted):
            require(
                self.wanted.ndim == 1 and self.wanted.min() >= 0 and self.wanted.max() < n,
                f"Wanted rows must lie between 0 and {n - 1}.",
            )

    @property
    def rows(self) -> int:
        """How many items the pool has."""
        return len(self.eligible)

    def candidates(self) -> NDArray[np.int64]:
        """(c,) row numbers that may be picked: eligible and not labelled, ascending."""
        return np.flatnonzero(self.eligible & ~self.labelled).astype(np.int64)


def _check_rows(name: str, values: NDArray[Any] | None, rows: int, dimensions: int) -> None:
    if values is None:
        return
    require(
        values.ndim == dimensions and len(values) == rows,
        f"{name} must have {rows} rows and {dimensions} dimensions, not shape {values.shape}.",
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a strategy picked, best first.

    rows: (m,) int64, distinct.
    probabilities: (m,) float64 in (0, 1], how likely the row was to be drawn from this pool;
        1 where the strategy chose it outright and chance had no part.
    reasons: m sentences for the annotator, with their numbers.
    questions: (m,) int64, the label column that a pick asks about ("is it a refund?"), -1 where the
        whole answer is asked; None when no pick asks about one label only.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    reasons: list[str]
    questions: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        m = len(self.rows)
        require(self.rows.shape == (m,), "Picked rows must be one flat array.")
        require(len(np.unique(self.rows)) == m, "A selection must not pick a row twice.")
        require(self.probabilities.shape == (m,), "Each pick needs one draw probability.")
        require(
            bool(np.all((self.probabilities > 0) & (self.probabilities <= 1))),
            "Draw probabilities must lie above 0 and not above 1.",
        )
        require(len(self.reasons) == m, "Each pick needs one reason.")
        require(
            self.questions is None or self.questions.shape == (m,),
            "Each pick needs one question, or none has one.",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a student learns from.

    encodings: (n, d); texts: n strings; images: n image files' bytes, read one by one; or None, but not all three.
    targets: (n, k) in 0 … 1, soft or hard; single-label rows sum to 1.
    weights: (n,) above 0, or None for all 1.
    known: (n, k) bool, False where nothing is known about that label on that item: one that was not
        asked about, or one that is archived. None means all known.
    younger: (n, k) bool, True where the label was added after the item was answered, so that it
        could not be given: it counts as FAINT of a no. None where no label is.
    label_vectors: (k, d) what the labels are called, by the encoder of the items; a row of zeros
        where that is not known. None without encodings, or where labels have no meaning in words.
    label_texts: k strings that say the same in words, "" where nothing is known.
    ordered: the labels are grades of a scale, the lowest in column 0.
    parts: the questions that the labels answer, where answers are forms (several labels); else none.
    paired: items are two texts: encodings side by side, texts `together`, see `learning.encoders.apart`.
    sided: columns 0 and 1 say that the first or the second of two texts is better, so that texts which change
        places exchange them, and the other columns stay.
    """

    targets: Floats
    encodings: Floats | None = None
    texts: list[str] | None = None
    images: Sequence[bytes] | None = None
    weights: Floats | None = None
    known: Bools | None = None
    younger: Bools | None = None
    multi_label: bool = False
    label_vectors: Floats | None = None
    label_texts: tuple[str, ...] | None = None
    ordered: bool = False
    parts: tuple[Part, ...] = ()
    paired: bool = False
    sided: bool = False

    def __post_init__(self) -> None:
        require(self.targets.ndim == 2, "targets must be a table of items by labels.")
        n = len(self.targets)
        given = (self.encodings, self.texts, self.images)
        require(
            any(x is not None for x in given), "Training data needs encodings, texts or images."
        )
        _check_rows("encodings", self.encodings, n, 2)
        _check_rows("weights", self.weights, n, 1)
        for name, read in (("texts", self.texts), ("images", self.images)):
            require(read is None or len(read) == n, f"There must be {n} {name}, one per item.")
        for name in ("known", "younger"):
            table = getattr(self, name)
            require(
                table is None or (table.shape == self.targets.shape and table.dtype == np.bool_),
                f"{name} must be a boolean table of the shape of targets.",
            )
        self._check_labels()
        self._check_values()

    def _check_labels(self) -> None:
        k = self.targets.shape[1]
        if self.label_vectors is not None:
            require(
                self.encodings is not None
                and self.label_vectors.shape == (k, self.encodings.shape[1]),
                f"label_vectors must be {k} rows beside encodings of the same length, "
                f"not {self.label_vectors.shape}.",
            )
        require(
            self.label_texts is None or len(self.label_texts) == k,
            f"There must be {k} label texts, one per column.",
        )
        require(not self.sided or k >= 2, "Two sides need a label column each.")

    def _check_values(self) -> None:
        targets = np.asarray(self.targets, dtype=np.float64)
        require(
            bool(np.all(np.isfinite(targets) & (targets >= 0) & (targets <= 1 + 1e-4))),
            "targets must lie between 0 and 1.",
        )
        if self.weights is not None:
            require(bool(np.all(self.weights > 0)), "weights must be above 0.")
        if self.known is not None:
            require(
                not np.any(targets[~self.known]), "A target must be 0 where the label is not known."
            )
        if self.younger is not None:
            require(
                not np.any(targets[self.younger]), "A target must be 0 where the label is younger."
            )
        if not self.multi_label and len(targets):
            wrong = np.flatnonzero(np.abs(targets.sum(axis=1) - 1) > 1e-3)
            require(
                len(wrong) == 0,
                f"Single-label targets must sum to 1 in each row; row {wrong[:1]} does not.",
            )

    @property
    def rows(self) -> int:
        """How many items there are."""
        return len(self.targets)

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return int(self.targets.shape[1])

    def subset(self, rows: NDArray[np.int64]) -> "TrainingData":
        """The same data with these rows only, in this order."""
        return replace(
            self,
            targets=self.targets[rows],
            encodings=None if self.encodings is None else self.encodings[rows],
            texts=None if self.texts is None else [self.texts[row] for row in rows],
            images=None if self.images is None else of_rows(self.images, rows),
            weights=None if self.weights is None else self.weights[rows],
            known=None if self.known is None else self.known[rows],
            younger=None if self.younger is None else self.younger[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Answers of several annotators on items 0 … items - 1.

    item: (v,) int64; annotator: (v,) int64, any numbers.
    answers: (v, k), one-hot for a single label, several or no ones for multi-label.
    weights: (v,) above 0, how much each vote counts, or None for all 1.
    known: (v, k) bool, the labels that a vote speaks about; None where all speak about all. Only in
        multi-label votes, whose answers are 0 where nothing is said.
    probabilities: (n, k) in 0 … 1, what a student that has not seen the item says of it; a row of NaN
        where it says nothing. None without a student.
    truth: (n, k) bool, the label or labels of items that are known for sure (a reviewer decided, the
        file said so), beside `settled`, (n,) bool, which those are; None where none are. Methods learn
        the voices' skills from them.
    """

    items: int
    item: Ints
    annotator: Ints
    answers: Floats | Bools
    weights: Floats | None = None
    known: Bools | None = None
    multi_label: bool = False
    probabilities: Floats | None = None
    truth: Bools | None = None
    settled: Bools | None = None
    marks: Sequence[Sequence[Span]] | None = None
    texts: Sequence[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        v = len(self.item)
        require(self.item.shape == (v,), "item must be one flat array.")
        require(self.annotator.shape == (v,), "Each vote needs one annotator.")
        require(
            self.answers.ndim == 2 and len(self.answers) == v,
            "answers must be a table with one row per vote.",
        )
        if v:
            require(
                int(self.item.min()) >= 0 and int(self.item.max()) < self.items,
                f"Items of votes must lie between 0 and {self.items - 1}.",
            )
        if self.weights is not None:
            require(
                self.weights.shape == (v,) and bool(np.all(self.weights > 0)),
                "weights must be above 0, one per vote.",
            )
        if self.known is not None:
            require(self.multi_label, "Only multi-label votes speak about some labels alone.")
            require(
                self.known.shape == self.answers.shape and self.known.dtype == np.bool_,
                "known must be a boolean table of the shape of answers.",
            )
            require(
                not np.any(self.answers[~self.known]), "A vote must be 0 where it says nothing."
            )
        for name in ("probabilities", "truth"):
            table = getattr(self, name)
            require(
                table is None or table.shape == (self.items, self.answers.shape[1]),
                f"{name} must be a table of items by labels.",
            )
        require(
            (self.truth is None) == (self.settled is None)
            and (self.settled is None or self.settled.shape == (self.items,)),
            "truth needs settled, which says of which items it is known.",
        )
        for told in (self.marks, self.texts):
            require(told is None or len(told) == v, "Each vote needs its marks, and its texts.")


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """What the votes say about each item.

    answers: (n, k) bool, the verdict; all False where there is no vote.
    shares: (n, k) float32 in 0 … 1, how far to believe in each label: its share of the weight of the
        votes about it, or the posterior of a method that learns the voices' skills.
    tied: (n,) bool, the votes do not decide: a reviewer should.
    votes: (n,) int64, how many votes the item has.
    skill: annotator -> share of their votes that equal an untied verdict, 0 … 1, as far as each
        vote speaks.
    marks, texts: of each item what is marked in the end, sorted, and written, by key; None without.
    """

    answers: Bools
    shares: NDArray[np.float32]
    tied: Bools
    votes: NDArray[np.int64]
    skill: dict[int, float]
    marks: Sequence[Sequence[Span]] | None = None
    texts: Sequence[Mapping[str, Any]] | None = None
