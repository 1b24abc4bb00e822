"""Which column is what: from a record to a thing to label."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from annotator.formats.records import LABEL_PATH, Given, Record, RowError, fault_in_text
from annotator.formats.spans import SPAN_COLUMNS, look_like_spans, names_of, spans_of
from annotator.formats.written import RESPONSES, given_of, plain_name, responses_of

LONGEST_LABEL = 200
LONGEST_ID = 500
LABELS_PER_ROW = 1_000
FEWEST_CANDIDATES, MOST_CANDIDATES = 2, 20
# What an export of ours says of an item beside its answer.
DECIDED = "decided"
_LISTS = ("metadata", "candidates", "answers", "voices")


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """The importer's choice: a column's name for each part of an item, '' for none.

    `candidates` are a column for each of an item's candidates, or one that holds a list of them.
    `answers` are columns each of which answers the question of a form that it is named after.
    `voices` are columns each of which holds the answer of one annotator, who is called like it.
    `separator` splits one cell into several labels; '' takes a cell as one label.
    """

    text: str = ""
    text_b: str = ""
    candidates: tuple[str, ...] = ()
    label: str = ""
    id: str = ""
    image: str = ""
    metadata: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    separator: str = ""

    @classmethod
    def from_json(cls, values: AnyMapping[str, Any]) -> Mapping:
        """Make a mapping of a stored one; unknown names are a KeyError."""
        known = {name: values[name] for name in values}
        for name in _LISTS:
            known[name] = tuple(known.get(name) or ())
        try:
            return cls(**known)
        except TypeError as error:
            raise KeyError(str(error)) from error

    def to_json(self) -> dict[str, Any]:
        """Give the mapping as JSON has it."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in _LISTS}}

    @property
    def answer_column(self) -> str:
        """Where a fault of an answer is looked for first."""
        return next((name for name in (self.label, *self.voices, *self.answers) if name), "label")


@dataclass(slots=True)
class Mapped:
    """What becomes an item: its content, its own id, what else is known of it, and its labels."""

    row: int
    text: str
    text_b: str = ""
    external_id: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    given: tuple[Given, ...] = ()
    image: bytes | None = None
    candidates: tuple[str, ...] = ()


def mapped(
    record: Record,
    mapping: Mapping,
    *,
    spelled: bool = False,
    written: Collection[str] = (),
) -> Mapped:
    """Make an item of a record; raise RowError naming every column that stands in the way.

    spelled: the column of labels holds whole answers, written as texts. written: the questions of a form
    that take a text, as `plain_name` has them.
    """
    fields = record.fields
    faults: list[tuple[str, str]] = []
    text = text_b = ""
    if mapping.text:
        text = _text(fields, mapping.text, faults)
    if mapping.text_b:
        text_b = _text(fields, mapping.text_b, faults)
    candidates = _candidates(fields, mapping, faults) if mapping.candidates else ()
    if mapping.image and record.image is None:
        faults.append((mapping.image, "There is no image in this row."))
    identity = _identity(fields, mapping.id, faults) if mapping.id else ""
    read = _written if spelled else _given
    given = brought = record.given
    if mapping.answers:
        given = _of_questions(fields, mapping, written, faults)
    elif mapping.label or mapping.voices:
        given = read(fields, mapping, faults) if mapping.label else ()
        for column in mapping.voices:
            said = read(fields, replace(mapping, label=column), faults)
            given += tuple(one._replace(voice=one.voice or column[:100]) for one in said)
    elif spelled:
        given = tuple(_as_words(one, faults) for one in record.given)
    elif written:
        given = brought = tuple(_with_texts(one, written) for one in record.given)
    for one in () if spelled else brought:
        _check_names(one.labels, mapping.answer_column, faults)
    if faults:
        raise RowError(faults)
    meta = _metadata(fields, mapping.metadata)
    image = record.image if mapping.image else None
    return Mapped(record.row, text, text_b, identity, meta, given, image, candidates)


def _metadata(fields: dict[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """What else the row says; a `meta` that is an object, as exports have it, is taken apart."""
    found: dict[str, Any] = {}
    for name in columns:
        value = fields.get(name)
        if name == "meta":
            value = _object(value)
        if name == "meta" and isinstance(value, dict):
            found |= value
        elif value not in (None, ""):
            found[name] = value
    return found


def _object(cell: Any) -> Any:
    """An object, also where a cell of a table holds it as JSON."""
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def _text(fields: dict[str, Any], column: str, faults: list[tuple[str, str]]) -> str:
    value = fields.get(column)
    if isinstance(value, str):
        if value and not value.isspace():
            return value
        value = None
    if value is None:
        told = "The text is empty." if column in fields else "The row has no such column."
        faults.append((column, told))
        return ""
    if isinstance(value, dict | list):
        faults.append((column, "A text was expected, and a list or an object stands here."))
        return ""
    return _plain(value)


def _candidates(
    fields: dict[str, Any], mapping: Mapping, faults: list[tuple[str, str]]
) -> tuple[str, ...]:
    """The candidates of a row: the filled cells, or the entries of its one list."""
    first = mapping.candidates[0]
    found: list[Any] = [fields.get(column) for column in mapping.candidates]
    if len(found) == 1:
        found = _listed(found[0])
    texts = [_told(one) for one in found if one not in (None, "")]
    if any(one is None for one in texts):
        faults.append((first, "A candidate is a text, or an object with a text or a body."))
    elif not FEWEST_CANDIDATES <= len(texts) <= MOST_CANDIDATES:
        wanted = f"{FEWEST_CANDIDATES} to {MOST_CANDIDATES}"
        faults.append((first, f"The row has {len(texts)} candidates; an item has {wanted}."))
    return tuple(one for one in texts if one is not None)


def _listed(cell: Any) -> list[Any]:
    """A list, also where a cell of a table holds it as JSON."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return [cell]
    return cell if isinstance(cell, list) else [cell]


def _told(candidate: Any) -> str | None:
    """The text of a candidate, None where there is none."""
    if isinstance(candidate, dict):
        parts = [candidate.get(name) for name in ("title", "text", "body")]
        candidate = "\n".join(one for one in parts if isinstance(one, str) and one.strip())
    if isinstance(candidate, list) or candidate is None:
        return None
    text = _plain(candidate)
    return text if text.strip() else None


def _identity(fields: dict[str, Any], column: str, faults: list[tuple[str, str]]) -> str:
    value = fields.get(column)
    if value is None or isinstance(value, dict | list):
        return ""
    identity = _plain(value)
    if len(identity) > LONGEST_ID:
        faults.append((column, f"The id has {len(identity):,} characters; at most {LONGEST_ID}."))
    return identity


def _given(
    fields: dict[str, Any], mapping: Mapping, faults: list[tuple[str, str]]
) -> tuple[Given, ...]:
    """Read the label column: a name, several in one cell, or a list of names."""
    value = listed(fields.get(mapping.label))
    if isinstance(value, list) and mapping.label.endswith(RESPONSES):
        return _responses(fields, mapping, value, faults)
    if isinstance(value, str) and not mapping.separator and len(value) <= LONGEST_LABEL:
        return _one_name(value)
    if isinstance(value, str):
        parts: list[Any] = value.split(mapping.separator) if mapping.separator else [value]
    elif isinstance(value, list):
        parts = value
    else:
        parts = [value]
    if (
        isinstance(value, list)
        and (value or mapping.label in SPAN_COLUMNS)
        and look_like_spans(value)
    ):
        return _spans(value, mapping.label, faults)
    if any(isinstance(part, dict | list) for part in parts):
        told = "Names of labels were expected, or spans: [start, end, label]."
        faults.append((mapping.label, told))
        return ()
    names = (_plain(part).strip() for part in parts if part is not None)
    labels = tuple(dict.fromkeys(name for name in names if name))
    _check_names(labels, mapping.label, faults)
    # An empty list tells by itself not whether anybody looked; an export of ours says so beside it.
    looked = isinstance(value, list) and fields.get("state") == DECIDED
    return (Given(labels=labels),) if labels or looked else ()


def listed(cell: Any) -> Any:
    """The list of names or places that a cell of a table holds as JSON; any other value as it is."""
    if not isinstance(cell, str) or not cell.startswith("[") or not cell.endswith("]"):
        return cell
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    named = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return found if named or look_like_spans(found) else cell


def _responses(
    fields: dict[str, Any], mapping: Mapping, value: list[Any], faults: list[tuple[str, str]]
) -> tuple[Given, ...]:
    """The answers of a column that has one for each voice, as Argilla flattens them."""
    found: list[Given] = []
    inner: list[tuple[str, str]] = []
    for voice, one in responses_of(fields, mapping.label, value):
        answers = _given({SPAN_COLUMNS[0]: one}, Mapping(label=SPAN_COLUMNS[0]), inner)
        found += [answer._replace(voice=voice) for answer in answers]
    faults += [(mapping.label, told) for _, told in inner]
    return tuple(found)


def _of_questions(
    fields: dict[str, Any],
    mapping: Mapping,
    written: Collection[str],
    faults: list[tuple[str, str]],
) -> tuple[Given, ...]:
    """The answer to a form: each column's labels and places, named after the question that it answers,
    and its texts. One more column may hold the labels of all questions.
    """
    labels: list[str] = []
    places: list[tuple[int, int, str]] = []
    looked = False
    for given in _given(fields, mapping, faults) if mapping.label else ():
        labels, places, looked = [*given.labels], [*(given.spans or ())], True
    texts = _texts(fields, [one for one in mapping.answers if plain_name(one) in written], faults)
    for column in mapping.answers:
        if plain_name(column) in written:
            continue
        for given in _given(fields, replace(mapping, label=column), faults):
            looked = True
            labels += [f"{column} > {name}" for name in given.labels]
            places += [(start, end, f"{column} > {name}") for start, end, name in given.spans or ()]
    _check_names(tuple(labels), mapping.answers[0], faults)
    if not labels and not texts and not (looked and fields.get("state") == DECIDED):
        return ()
    return (Given(labels=tuple(labels), spans=tuple(places) or None, texts=texts),)


def _texts(
    fields: dict[str, Any], columns: Sequence[str], faults: list[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """What the columns of written answers hold, but for empty cells."""
    found: list[tuple[str, str]] = []
    for column in columns:
        value = fields.get(column)
        if isinstance(value, dict | list):
            told = "A text was expected, and a list or an object stands here."
            faults.append((column, told))
        elif value is not None and (text := _plain(value)).strip():
            found.append((column, text))
    return tuple(found)


def _with_texts(given: Given, written: Collection[str]) -> Given:
    """An answer whose labels are named after their questions, with those that are texts apart."""
    named = [(one, *one.partition(LABEL_PATH)[::2]) for one in given.labels]
    texts = [(name, text) for _, name, text in named if plain_name(name) in written]
    labels = [one for one, name, _ in named if plain_name(name) not in written]
    return given._replace(labels=tuple(labels), texts=(*given.texts, *texts)) if texts else given


def _as_words(given: Given, faults: list[tuple[str, str]]) -> Given:
    """An answer of a format that has names of labels and texts in the same place."""
    if given.words is not None or given.spans:
        return given
    if len(given.labels) > 1:
        faults.append(("label", f"{len(given.labels)} texts stand here; an answer is one."))
    own = "\n".join(text for _, text in given.texts) if given.texts else None
    return given._replace(
        labels=(), spans=None, texts=(), words=own or next(iter(given.labels), None)
    )


def _written(
    fields: dict[str, Any], mapping: Mapping, faults: list[tuple[str, str]]
) -> tuple[Given, ...]:
    try:
        return given_of(fields, mapping.label, mapping.candidates)
    except RowError as error:
        faults += error.faults
        return ()


def _spans(value: list[Any], column: str, faults: list[tuple[str, str]]) -> tuple[Given, ...]:
    try:
        spans = spans_of(value, column)
    except RowError as error:
        faults += error.faults
        return ()
    _check_names(names_of(spans), column, faults)
    return (Given(names_of(spans), spans=spans),)


@lru_cache(maxsize=4096)
def _one_name(cell: str) -> tuple[Given, ...]:
    """Most files name few labels again and again: each is made once."""
    name = cell.strip()
    return (Given(labels=(name,)),) if name else ()


def _check_names(labels: tuple[str, ...], column: str, faults: list[tuple[str, str]]) -> None:
    if len(labels) > LABELS_PER_ROW:
        faults.append((column, f"The row has {len(labels):,} labels; at most {LABELS_PER_ROW:,}."))
    longest = max((len(label) for label in labels), default=0)
    if longest > LONGEST_LABEL:
        told = f"The label has {longest:,} characters; at most {LONGEST_LABEL}. Is it the right column?"
        faults.append((column, told))
        return
    fault = next((fault for label in labels if (fault := fault_in_text(label))), "")
    if fault:
        faults.append((column, f"A label can't be stored: {fault}"))


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
