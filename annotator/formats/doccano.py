"""doccano's JSONL of classified texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from annotator.formats.json_lines import rows_of_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows

_LABEL_COLUMNS = ("label", "labels", "cats")


@dataclass(frozen=True, kw_only=True)
class Doccano:
    """Lines of `{"id", "text", "label": [names]}`. Source: doccano's JSONL export of categories."""

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line; its list of names is taken out of the columns."""
        return rows_of_lines(stream, self.encoding, self.limits, _example)


def _example(row: int, value: Any, limits: Limits) -> Record:
    record = record_of(row, value, limits)
    column = next((name for name in _LABEL_COLUMNS if name in record.fields), "")
    if not column:
        return record
    labels = record.fields.pop(column)
    if isinstance(labels, str):
        labels = [labels]
    if labels is None or labels == []:
        return record
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        told = "Names of labels were expected; spans and relations label no whole item."
        raise RowError([(column, told)])
    record.given = (Given(labels=tuple(dict.fromkeys(labels))),)
    return record
