"""What each column probably is, by its name first and by its values where the name says nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotator.formats.families import LONGEST_NAME, texts_in, values_of, voices_in
from annotator.formats.mapping import MOST_CANDIDATES, Mapping, listed
from annotator.formats.own_forms import answer_columns
from annotator.formats.records import LABEL_PATH, LIMITS, Record, RowError
from annotator.formats.spans import look_like_spans, spans_of
from annotator.formats.writing import OWN
from annotator.formats.written import RESPONSES

TEXT_NAMES = (
    "text", "text_a", "texta", "sentence", "sentence1", "sentence_a", "premise", "content", "body",
    "message", "utterance", "comment", "review", "document", "description", "question", "query",
    "tweet", "prompt", "input", "left",
)  # fmt: skip
_SECOND_NAMES = (
    "text_b", "textb", "text2", "sentence2", "sentence_b", "hypothesis", "response", "answer",
    "reply", "doc", "passage", "right",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "category", "categories", "class", "intent", "sentiment", "topic", "target",
    "tag", "tags", "gold", "gold_label", "emotion", "winner", "preferred", "preference",
)  # fmt: skip
_LIST_NAMES = ("candidates", "completions", "passages", "items")
_ID_NAMES = ("id", "_id", "uid", "uuid", "guid", "external_id", "item_id", "key", "index", "ref")
# Words that end so and are no id: what was paid may differ in every row, too.
_NO_IDS = ("paid", "bid", "valid", "void", "said", "grid")
# What comes again and again beside an item without being an answer.
_FACT_NAMES = frozenset(
    ("source", "channel", "split", "subset", "partition", "lang", "locale", "date", "time", "timestamp",
     "year", "month", "author", "user", "username", "url", "file", "filename")
)  # fmt: skip
_FIRST_OF_PAIRS = {
    "text_b": ("text_a", "text"), "textb": ("texta", "text"), "text2": ("text1", "text"),
    "sentence2": ("sentence1",), "sentence_b": ("sentence_a",), "hypothesis": ("premise",),
    "response": ("prompt",), "right": ("left",), "answer": ("question",),
    "reply": ("message",), "doc": ("query",), "passage": ("query",),
}  # fmt: skip
# What holds the answers of an export of ours.
_OWN_ANSWERS = ("spans", "labels", "label", "answer")
_SEPARATORS = ("|", ";", "#", ",")
MOST_GUESSED_LABELS = 200
PAIR = 2


@dataclass(frozen=True)
class Column:
    """A column as the preview shows it."""

    name: str
    examples: tuple[str, ...]
    filled: int
    distinct: int
    mean_characters: float


def columns_of(records: Sequence[Record], examples: int = 3) -> list[Column]:
    """Describe every column that occurs, in the order of first sight."""
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(record.fields))
        if len(names) > LIMITS.columns:
            break
    return [_column(name, records, examples) for name in list(names)[: LIMITS.columns]]


def _column(name: str, records: Sequence[Record], examples: int) -> Column:
    values = [shown(record.fields.get(name)) for record in records]
    filled = [value for value in values if value]
    distinct = dict.fromkeys(filled)
    return Column(
        name=name,
        examples=tuple(value[:200] for value in list(distinct)[:examples]),
        filled=len(filled),
        distinct=len(distinct),
        mean_characters=sum(map(len, filled)) / len(filled) if filled else 0.0,
    )


def shown(value: Any) -> str:
    """Give a value as a short text for a person."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if value and look_like_spans(value):
        try:
            return ", ".join(f"{label} {start}–{end}" for start, end, label in spans_of(value, ""))
        except RowError:
            return _written(value)
    return _written(value)


def _written(value: Any) -> str:
    """Give lists and objects as JSON, as their file has them."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def is_own(columns: Sequence[Column]) -> bool:
    """Whether a file is an export of ours."""
    return set(OWN) <= {column.name.strip().casefold() for column in columns}


def guess(
    columns: Sequence[Column], records: Sequence[Record], *, makes_form: bool = False
) -> Mapping:
    """Propose a mapping; what it leaves over becomes metadata.

    makes_form: the columns of an export of ours that answer questions may make a form.
    """
    if any(record.image is not None for record in records):
        return _image_mapping(records)
    names = {column.name.strip().casefold(): column.name for column in columns}
    if is_own(columns):
        return _own_mapping(names, answer_columns(list(names.values())) if makes_form else ())
    second = next((names[name] for name in _SECOND_NAMES if name in names), "")
    text = _first_text(names, second)
    if not text or text == second:
        second = ""
        text = text or _longest(columns)
    candidates = _candidates(names, records)
    if not candidates and not second:
        text, second, candidates = _alike(columns, text)
    label = (
        _marking(columns, records)
        or next((names[n] for n in _LABEL_NAMES if n in names and names[n] != text), "")
        or next((column.name for column in columns if column.name.endswith(RESPONSES)), "")
    )
    voices = voices_in(columns, records)
    if not label and not voices and not any(record.given for record in records):
        label = _repeating(columns, {text, second}, len(records))
    identity = next((names[name] for name in _ID_NAMES if name in names), "") or _numbering(
        columns, {text, second, label, *candidates, *voices}, len(records)
    )
    used = {text, second, label, identity, *candidates, *voices}
    used |= _telling(columns, records, {label, *voices} - {""}, used)
    return Mapping(
        text=text,
        text_b="" if candidates else second,
        candidates=candidates,
        label=label,
        voices=tuple(name for name in voices if name != label),
        id=identity,
        metadata=tuple(column.name for column in columns if column.name not in used),
        separator=separator_in(label or next(iter(voices), ""), records),
    )


def _alike(columns: Sequence[Column], text: str) -> tuple[str, str, tuple[str, ...]]:
    """(text, second text, candidates) where two long columns or more are called alike."""
    found = texts_in(columns)
    if len(found) == PAIR:
        return found[0], found[1], ()
    if not found or len(found) > MOST_CANDIDATES:
        return text, "", ()
    # What they answer stands above them: the text is no candidate.
    others = [
        one for one in columns if one.name not in found and one.mean_characters > LONGEST_NAME
    ]
    text = text if text not in found else _longest(others)
    return (text, "", found) if text else (_longest(columns), "", ())


def _telling(
    columns: Sequence[Column], records: Sequence[Record], answers: set[str], used: set[str]
) -> set[str]:
    """Name the columns that would tell people the answer if they stood beside the item.

    They speak in the labels' names, or are lists of objects, as other people's and models' answers are.
    """
    labels = set().union(*(values_of(name, records) for name in answers))
    found: set[str] = set()
    for column in columns:
        if column.name in used:
            continue
        said = values_of(column.name, records)
        cells = [record.fields.get(column.name) for record in records]
        lists = [cell for cell in cells if isinstance(cell, list) and cell]
        objects = any(isinstance(part, dict) for cell in lists for part in cell)
        if objects or (len(said) > 1 and 2 * len(said & labels) > len(said)):
            found.add(column.name)
    return found


def _own_mapping(names: dict[str, str], answers: tuple[str, ...]) -> Mapping:
    """The columns of an export of ours; what it says of the verdicts is no metadata of the items."""
    id, text, text_b = (name if name in names else "" for name in ("id", "text", "text_b"))
    return Mapping(
        id=id,
        text=text,
        text_b=text_b,
        candidates=("candidates",) if "candidates" in names else (),
        label="" if answers else next((name for name in _OWN_ANSWERS if name in names), ""),
        answers=answers,
        metadata=("meta",) if "meta" in names else (),
    )


def _marking(columns: Sequence[Column], records: Sequence[Record]) -> str:
    """Name the column whose lists mark places of the text, if one does."""
    for column in columns:
        cells = [listed(one.fields.get(column.name)) for one in records]
        lists = [found for found in cells if isinstance(found, list)]
        if any(lists) and all(map(look_like_spans, lists)):
            return column.name
    return ""


def _candidates(names: dict[str, str], records: Sequence[Record]) -> tuple[str, ...]:
    """Name the column that holds what is to be ranked: lists of two entries or more."""
    for name in _LIST_NAMES:
        cells = [one.fields.get(names.get(name, "")) for one in records]
        lists = [cell for cell in cells if isinstance(cell, list) and len(cell) > 1]
        if lists and len(lists) == len([cell for cell in cells if cell]):
            return (names[name],)
    return ()


def _image_mapping(records: Sequence[Record]) -> Mapping:
    """Take folders for labels when there are at least two, each with several images."""
    folders = Counter(str(record.fields.get("folder") or "") for record in records)
    folders.pop("", None)
    telling = (
        not any(record.given for record in records)
        and len(folders) > 1
        and len(records) >= 2 * len(folders)
    )
    return Mapping(
        image="image",
        id="image",
        label="folder" if telling else "",
        metadata=("name",) if telling else ("name", "folder"),
    )


def _first_text(names: dict[str, str], second: str) -> str:
    """Name the text column; beside a second text only its natural partner counts first."""
    for name in _FIRST_OF_PAIRS.get(second.strip().casefold(), ()):
        if name in names:
            return names[name]
    return next((names[name] for name in TEXT_NAMES if name in names), "")


def _longest(columns: Sequence[Column]) -> str:
    return max(columns, key=lambda column: column.mean_characters).name if columns else ""


def _repeating(columns: Sequence[Column], used: set[str], rows: int) -> str:
    """Name the column of short values that come again and again, if one does."""
    likely = [
        column
        for column in columns
        if column.name not in used
        and column.name.strip().casefold() not in _FACT_NAMES
        and 1 < column.distinct <= min(MOST_GUESSED_LABELS, rows / 4)
        and column.mean_characters <= 40
        and not all(example.replace(".", "").isdigit() for example in column.examples)
    ]
    return min(likely, key=lambda column: column.distinct).name if likely else ""


def _numbering(columns: Sequence[Column], used: set[str], rows: int) -> str:
    """Name the column that is called some id and holds another one in each row, if one does."""
    own = (
        column.name
        for column in columns
        if column.name not in used
        and column.name.strip().casefold().endswith("id")
        and not column.name.strip().casefold().endswith(_NO_IDS)
        and column.distinct == column.filled == rows > 1
        and column.mean_characters <= 64
    )
    return next(own, "")


def separator_in(label: str, records: Sequence[Record]) -> str:
    """Name the mark that splits cells into labels which also stand alone in other cells, or into labels
    each of which is named after what it stands below.
    """
    cells = Counter(
        value
        for record in records
        if isinstance(value := listed(record.fields.get(label)), str) and value
    )
    for mark in _SEPARATORS:
        joined = [cell for cell in cells if mark in cell]
        if not joined:
            continue
        parts = [part.strip() for cell in joined for part in cell.split(mark)]
        alone = sum(part in cells for part in parts)
        below = sum(part.count(LABEL_PATH) == 1 for part in parts)
        if alone >= 0.5 * len(parts) or below == len(parts):
            return mark
    return ""
