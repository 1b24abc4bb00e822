"""Tokens with a tag each, on one line: how Hugging Face data sets keep marked sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

from annotator.formats.conll import TAG, rows_of, tagged
from annotator.formats.json_lines import rows_of_lines, written_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import names_of
from annotator.formats.writing import Field

_TAGS = ("ner_tags", "tags")
# The same places again, counted in tokens.
_SPANS = "spans"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Lines of `{"tokens": [...], "ner_tags": ["B-PER", "O", ...]}`. Source: the `tokens` and
    `ner_tags` columns of Hugging Face's data sets, with the tags by name.

    The text is the tokens joined by spaces. It holds spans only, none inside another: of two that
    overlap the longer is written.
    """

    shapes: ClassVar[tuple[str, ...]] = ("spans",)
    exact: ClassVar[bool] = False

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line; tokens and tags are taken out of the columns."""
        return rows_of_lines(stream, self.encoding, self.limits, _sentence)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a line for each record that has a verdict; give their number."""
        marked = (record for record in records if record.get("spans") is not None)
        return written_lines(map(_written, marked), stream)


def looks_so(line: Mapping[str, Any]) -> bool:
    """Say whether a line is a sentence of tokens with tags."""
    tags = next((line[name] for name in _TAGS if name in line), None)
    return isinstance(line.get("tokens"), list) and isinstance(tags, list) and "text" not in line


def _sentence(row: int, value: Any, limits: Limits) -> Record:
    return sentence_of(record_of(row, value, limits))


def sentence_of(record: Record) -> Record:
    """The record with its tokens as text and its tags as spans. Raises RowError where they are none."""
    tokens = record.fields.pop("tokens", None)
    column = next((name for name in _TAGS if name in record.fields), _TAGS[0])
    tags = record.fields.pop(column, None)
    record.fields.pop(_SPANS, None)
    if not isinstance(tokens, list) or not all(isinstance(one, str) and one for one in tokens):
        raise RowError([("tokens", "A list of tokens was expected here.")])
    if not isinstance(tags, list) or len(tags) != len(tokens):
        raise RowError([(column, "As many tags as tokens were expected here.")])
    if not all(isinstance(tag, str) and TAG.fullmatch(tag) for tag in tags):
        told = "Tags such as O or B-PER were expected; numbers do not tell which they are."
        raise RowError([(column, told)])
    spans = tuple(tagged(list(zip(tokens, tags, strict=True))))
    record.fields = {"text": " ".join(tokens), **record.fields}
    record.given = (Given(names_of(spans), spans=spans),)
    return record


def _written(record: Mapping[str, Any]) -> dict[str, Any]:
    rows = [row for rows in rows_of(record["text"], record["spans"]) for row in rows]
    name = record.get("id") or record.get("number")
    return ({} if name is None else {"id": name}) | {
        "tokens": [token for token, _ in rows],
        "ner_tags": [tag for _, tag in rows],
    }
