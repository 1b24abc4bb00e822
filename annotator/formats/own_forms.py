"""The questions of a form, found again in our own export of its answers.

An export has a column for each question, and in `labels` all labels by their whole names. Which answers a
question waits for it does not say; that follows from the items at which its column is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotator.formats.mapping import DECIDED, listed
from annotator.formats.plain import words_in
from annotator.formats.records import LABEL_PATH, Record
from annotator.formats.spans import look_like_spans
from annotator.formats.written import COLUMN, EDITS

_LABELS = "labels"
FEWEST_GRADES, MOST_GRADES = 3, 20


@dataclass(frozen=True, kw_only=True)
class AskedQuestion:
    """A question as its column tells it; optional, edits: see `learning.tasks.Question`.

    after: (column of an earlier question, its answers) of which one must have been given; None where it is
    always asked.
    """

    column: str
    name: str
    kind: str
    answers: tuple[str, ...] = ()
    after: tuple[str, tuple[str, ...]] | None = None
    optional: bool = False
    edits: bool = False

    @property
    def key(self) -> str:
        """What the question's columns are called after."""
        return self.column.removeprefix(COLUMN)


def answer_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Those of an export's columns that answer a question."""
    return tuple(name for name in names if name.startswith(COLUMN) and name != COLUMN)


def questions_in(names: Sequence[str], records: Sequence[Record]) -> list[AskedQuestion]:
    """The questions of an export with these columns, in their order, as the decided rows tell them."""
    decided = [one.fields for one in records if one.fields.get("state") == DECIDED]
    # Tables have no null: there an empty cell says nothing, elsewhere that a text was left empty.
    typed = any(value is None for one in records for value in one.fields.values())
    answers = [_Answers(name, decided, typed=typed) for name in answer_columns(names)]
    return [_question(one, answers[:place], names) for place, one in enumerate(answers)]


class _Answers:
    """What the decided rows answer to one question."""

    def __init__(self, column: str, rows: Sequence[dict[str, Any]], *, typed: bool) -> None:
        self.column = column
        self.cells = [listed(row.get(column)) for row in rows]
        empty = (None,) if typed else (None, "")
        self.asked = [cell not in empty for cell in self.cells]
        self.kind = self._kind(rows)
        self.given = [self._given(cell) for cell in self.cells]
        self.name = self._name(rows)

    def _kind(self, rows: Sequence[dict[str, Any]]) -> str:
        filled = [cell for cell in self.cells if cell not in (None, "")]
        if not filled and any(self.asked):
            return "text"
        lists = [cell for cell in filled if isinstance(cell, list)]
        if lists and len(lists) == len(filled):
            return "spans" if any(lists) and all(map(look_like_spans, lists)) else "multi"
        if all(
            _ends(row, words_in(cell))
            for row, cell in zip(rows, self.cells, strict=True)
            if cell not in (None, "")
        ):
            return "rating" if _grades({words_in(cell) for cell in filled}) else "single"
        return "text"

    def _given(self, cell: Any) -> frozenset[str]:
        """The answers in a cell by name, each once."""
        if self.kind == "text" or cell in (None, ""):
            return frozenset()
        parts = cell if isinstance(cell, list) else [cell]
        return frozenset(words_in(one["label"] if isinstance(one, dict) else one) for one in parts)

    def _name(self, rows: Sequence[dict[str, Any]]) -> str:
        """What the labels beside call the question; after its column where they leave that open."""
        called = self.column.removeprefix(COLUMN).replace("-", " ")
        found: set[str] | None = None
        for row, given in zip(rows, self.given, strict=True):
            if given:
                fitting = _questions_with(row, given)
                found = fitting if found is None else found & fitting
        alike = [name for name in sorted(found or ()) if _letters(name) == _letters(called)]
        if len(found or ()) == 1 or alike:
            return (alike or sorted(found or ()))[0]
        return called[:1].upper() + called[1:]

    @property
    def answers(self) -> tuple[str, ...]:
        """All that occur, the commonest first; grades from the lowest, with those between them."""
        counts = Counter(name for given in self.given for name in given)
        if self.kind == "rating":
            return _grades(set(counts))
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def _question(
    answers: _Answers, earlier: Sequence[_Answers], names: Sequence[str]
) -> AskedQuestion:
    always = all(answers.asked)
    after = None if always else _condition(answers, earlier)
    left_empty = any(
        cell == "" for cell, on in zip(answers.cells, answers.asked, strict=True) if on
    )
    writes = answers.kind == "text"
    return AskedQuestion(
        column=answers.column,
        name=answers.name,
        kind=answers.kind,
        answers=answers.answers,
        after=after,
        optional=writes and (left_empty or (after is None and not always)),
        edits=writes and f"{EDITS}{answers.column.removeprefix(COLUMN)}" in names,
    )


def _condition(
    answers: _Answers, earlier: Sequence[_Answers]
) -> tuple[str, tuple[str, ...]] | None:
    """After which answers a question was asked in every row, and in no other: the fewest that tell so."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for other in earlier:
        pairs = list(zip(other.given, answers.asked, strict=True))
        elsewhere = frozenset().union(*(given for given, asked in pairs if not asked))
        leading = tuple(name for name in other.answers if name not in elsewhere)
        if all(not given.isdisjoint(leading) for given, asked in pairs if asked):
            found.append((other.column, leading))
    return min((one for one in found if one[1]), key=lambda one: len(one[1]), default=None)


def _labels(row: dict[str, Any]) -> list[str]:
    cell = listed(row.get(_LABELS))
    return [words_in(one) for one in cell] if isinstance(cell, list) else [words_in(cell)]


def _ends(row: dict[str, Any], answer: str) -> bool:
    """Whether some label of the row is this answer to a question."""
    return any(label.partition(LABEL_PATH)[2] == answer for label in _labels(row))


def _questions_with(row: dict[str, Any], given: frozenset[str]) -> set[str]:
    """The names of the questions that a row's labels answer just so."""
    found: dict[str, set[str]] = {}
    for label in _labels(row):
        name, _, part = label.partition(LABEL_PATH)
        found.setdefault(name, set()).add(part)
    return {name for name, parts in found.items() if parts == given}


def _letters(name: str) -> str:
    return "".join(one for one in name.casefold() if one.isalnum())


def _grades(names: set[str]) -> tuple[str, ...]:
    """The whole scale from 1, or 0, where these are grades of one; nothing else."""
    if len(names) < FEWEST_GRADES or not all(name.isascii() and name.isdigit() for name in names):
        return ()
    lowest, highest = min(map(int, names)), max(map(int, names))
    scale = tuple(str(grade) for grade in range(min(lowest, 1), highest + 1))
    return scale if len(scale) <= MOST_GRADES and names <= set(scale) else ()
