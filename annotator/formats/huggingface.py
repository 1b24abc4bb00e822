"""Parquet that tells Hugging Face's `datasets` which columns hold classes, and what these are called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from annotator.formats.parquet import Value, arrow_type, value_of, write_groups
from annotator.formats.writing import Field

# Where `datasets` looks for the features of a file's columns.
METADATA = "huggingface"
_DTYPES = {"text": "string", "integer": "int64", "number": "float64", "flag": "bool"}
_PLACES = {
    "spans": {"start": "integer", "end": "integer", "text": "text"},
    "boxes": dict.fromkeys(("x", "y", "w", "h"), "number"),
}


@dataclass(frozen=True, kw_only=True)
class HuggingFace:
    """Our columns as `load_dataset("parquet", …)` takes them: labels as `ClassLabel`, spans and boxes as lists
    of objects with one. Parquet of this kind is read by `parquet`. Source: datasets, `Features`.

    labels: the project's, which are the classes; without any, names stay texts.
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "boxes", "text", "ranking")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "pair", "list", "image")
    # Its reader is that of Parquet.
    exact: ClassVar[bool] = False

    labels: list[str] = field(default_factory=list)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write groups of rows with the features in the metadata; give the number of records."""
        import pyarrow as pa

        columns = {each.name: _column(each, self.labels) for each in fields}
        features = {name: feature for name, (_, feature, _) in columns.items()}
        told = json.dumps({"info": {"features": features}}, ensure_ascii=False)
        schema = pa.schema([(name, kind) for name, (kind, _, _) in columns.items()])
        values = {name: value for name, (_, _, value) in columns.items()}
        return write_groups(records, schema, values, stream, {METADATA: told})


def _column(one: Field, labels: Sequence[str]) -> tuple[Any, Any, Value]:
    """(Arrow type, feature, how a value is stored) of a column."""
    import pyarrow as pa

    kind, feature, class_of = _classes(labels)
    if one.name == "label":
        return kind, feature, class_of
    if one.name == "labels":
        each = {"feature": feature, "_type": "Sequence"}
        return pa.list_(kind), each, _listed(class_of)
    if one.name in _PLACES:
        parts = _PLACES[one.name]
        struct = [(name, arrow_type(part)) for name, part in parts.items()]
        whole = {name: _plain(part) for name, part in parts.items()} | {"label": feature}
        return (
            pa.list_(pa.struct([*struct, ("label", kind)])),
            [whole],
            _listed(lambda place: {**place, "label": class_of(place["label"])}),
        )
    return arrow_type(one.kind), _plain(one.kind), value_of(one.kind)


def _classes(labels: Sequence[str]) -> tuple[Any, Any, Value]:
    import pyarrow as pa

    if not labels:
        return pa.string(), _plain("text"), value_of("text")
    number = {name: at for at, name in enumerate(labels)}
    feature = {"names": list(labels), "_type": "ClassLabel"}
    return pa.int64(), feature, lambda name: None if name is None else number[name]


def _listed(each: Value) -> Value:
    return lambda values: None if values is None else [each(one) for one in values]


def _plain(kind: str) -> Any:
    if kind in ("texts", "numbers"):
        return {"feature": _plain(kind.removesuffix("s")), "_type": "Sequence"}
    return {"dtype": _DTYPES.get(kind, "string"), "_type": "Value"}
