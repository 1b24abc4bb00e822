"""What an export holds, and whether a project can be written so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from annotator.errors import InvalidError
from annotator.formats import WRITERS
from annotator.models import ItemKind, Project

EXTENSIONS = {
    "jsonl": "jsonl",
    "csv": "csv",
    "parquet": "parquet",
    "label-studio": "json",
    "doccano": "jsonl",
    "prodigy": "jsonl",
    "argilla": "json",
    "huggingface": "parquet",
    "spacy": "jsonl",
    "docbin": "spacy",
    "conll": "conll",
    "tokens": "jsonl",
    "coco": "json",
    "yolo": "zip",
}
# These hold any column; the others are other tools' and hold what these know of an item.
OWN = ("jsonl", "csv", "parquet")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What an export holds.

    `contents`: verdicts (a row per item) and annotations (a row per answer, skip or retraction).
    `soft` adds each label's share, `streams` the streams and the audit part. `splits` maps train,
    validation and test to shares; equal contents never part. `formula_safe` concerns CSV only.
    """

    format: str = "jsonl"
    contents: tuple[str, ...] = ("verdicts",)
    only_decided: bool = False
    soft: bool = True
    streams: bool = True
    splits: dict[str, float] = field(default_factory=dict)
    split_seed: str = "concord"
    images: bool = False
    formula_safe: bool = True
    pack: Literal["zip", "file"] = "zip"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Options:
        """Make options of a form's or a stored row's values. Raises InvalidError for a wrong one."""
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise InvalidError(f"There is no export option {', '.join(sorted(unknown))}.")
        splits = values.get("splits") or {}
        ordered = {name: splits[name] for name in sorted(splits, key=_place_of_split)}
        contents = tuple(values.get("contents", ("verdicts",)))
        options = cls(**{**values, "contents": contents, "splits": ordered})
        options._check()
        return options

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "contents": list(self.contents)}

    def _check(self) -> None:
        if self.format not in WRITERS:
            raise InvalidError(f"An export is written as {', '.join(WRITERS)}.", field="format")
        if not self.contents or not set(self.contents) <= {"verdicts", "annotations"}:
            raise InvalidError("Choose verdicts, annotations or both.", field="contents")
        if self.format not in OWN and self.contents != ("verdicts",):
            told = (
                "Other tools' formats hold the verdicts; choose JSONL, CSV or Parquet for the rest."
            )
            raise InvalidError(told, field="contents")
        if self.splits and (
            not set(self.splits) <= set(SPLITS)
            or any(share <= 0 for share in self.splits.values())
            or abs(sum(self.splits.values()) - 1) > 1e-9
        ):
            told = "Splits are shares of train, validation and test that add up to 1."
            raise InvalidError(told, field="splits")
        if self.pack not in ("zip", "file"):
            raise InvalidError("An export is packed as a zip or is a single file.", field="pack")
        if self.pack == "file" and (len(self.contents) > 1 or self.splits or self.images):
            raise InvalidError("Several files need a zip.", field="pack")


def _place_of_split(name: str) -> tuple[int, str]:
    """Order splits as people do; stored JSON forgets the order that they were given in."""
    return (SPLITS.index(name) if name in SPLITS else len(SPLITS)), name


def check_fit(project: Project, format: str) -> None:
    """Refuse a format of another tool that has no place for such items or answers."""
    if format in OWN:
        return
    name = WRITERS.entry(format).label
    if project.item_kind not in getattr(WRITERS[format], "item_kinds", (ItemKind.TEXT,)):
        raise InvalidError(f"{name} is not written of such items.", field="format")
    if project.shape not in getattr(WRITERS[format], "shapes", ("labels", "spans")):
        raise InvalidError(f"{name} has no place for answers of this type.", field="format")


def formats_for(project: Project) -> list[tuple[str, str]]:
    """(name, label) of the formats that have a place for this project's items and answers."""
    return [(name, label) for name, label in WRITERS.choices() if _fits(project, name)]


def _fits(project: Project, format: str) -> bool:
    try:
        check_fit(project, format)
    except InvalidError:
        return False
    return True
