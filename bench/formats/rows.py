"""Rows as an export has them, of every task type: what goes out, and what has to come back."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.formats import FORMATS, WRITERS, Field, Record
from annotator.formats.guessing import columns_of, guess
from annotator.formats.mapping import mapped

Row = dict[str, Any]
NAMES = ("Refund", "Late delivery", "Größe & Passform", "PERSON", "other: 100 %")
GRADES = ("1", "2", "3", "4", "5")
PATHS = ("Animals", "Animals > Cats", "Animals > Cats > Lions", "Plants", "Plants > Trees")
VERDICTS = ("A is better", "B is better", "Equally good", "Both bad")
# Emoji of several code points, combining marks, right to left: where offsets go wrong.
WORDS = (
    "Ada",
    "met",
    "👩‍💻",
    "é",
    "e\u0301t\u00e9",
    "שלום",
    "in",
    "Rome,",
    "case",
    "DATE",
    "“no”",
    "5",
)
# What does not belong to a word in any tool.
GAPS = (" ", " ", " ", "  ", "\n")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A task type as the formats see it.

    answer: a random answer to a row, whose column is `column`; spelled: it is written as a text.
    """

    task: str
    shape: str
    item_kind: str
    column: str
    labels: Sequence[str]
    answer: Callable[[random.Random, Row], Any]
    spelled: bool = False

    @property
    def fields(self) -> list[Field]:
        """The columns of the export."""
        texts = {
            "pair": ["text", "text_b"],
            "list": ["text", "candidates"],
            "image": ["image", "width", "height"],
        }.get(self.item_kind, ["text"])
        kinds: dict[str, Any] = {"candidates": "texts", "width": "integer", "height": "integer"}
        kinds |= {"labels": "texts", "spans": "json", "boxes": "json"}
        named = ["labels", self.column] if self.shape in ("spans", "boxes") else [self.column]
        names = ["id", *texts, *named, "state", "voices", "content_hash", "meta"]
        kinds |= {"voices": "integer", "meta": "json"}
        return [Field(name, kinds.get(name, "text")) for name in names]


def _one(labels: Sequence[str]) -> Callable[[random.Random, Row], Any]:
    return lambda rng, row: rng.choice(labels)


def _several(rng: random.Random, row: Row) -> list[str]:
    return rng.sample(NAMES, rng.randrange(0, 4))


def _spans(rng: random.Random, row: Row) -> list[Row]:
    """Stretches of whole words that lie apart, since not every tool holds others."""
    text, found, at = row["text"], [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        if rng.random() < 0.4:
            label = rng.choice(NAMES)
            found.append({"start": start, "end": at, "label": label, "text": text[start:at]})
    return found


def _boxes(rng: random.Random, row: Row) -> list[Row]:
    """Boxes at whole pixels, since some tools round to them."""
    found = []
    for _ in range(rng.randrange(0, 4)):
        x, y = rng.randrange(0, row["width"] - 20), rng.randrange(0, row["height"] - 20)
        w, h = rng.randrange(5, row["width"] - x), rng.randrange(5, row["height"] - y)
        sides = {
            "x": x / row["width"],
            "y": y / row["height"],
            "w": w / row["width"],
            "h": h / row["height"],
        }
        found.append({"label": rng.choice(NAMES), **sides})
    return found


def _order(rng: random.Random, row: Row) -> str:
    numbers = [str(at + 1) for at in range(len(row["candidates"]))]
    rng.shuffle(numbers)
    told = numbers[0]
    for number in numbers[1:]:
        told += rng.choice((" > ", " > ", " = ")) + number
    return told


def _written(rng: random.Random, row: Row) -> str:
    return _text(rng)


KINDS = {
    "single": Kind(
        task="single", shape="labels", item_kind="text", column="label", labels=NAMES, answer=_one(NAMES)
    ),
    "multi": Kind(
        task="multi", shape="labels", item_kind="text", column="labels", labels=NAMES, answer=_several
    ),
    "rating": Kind(
        task="rating", shape="labels", item_kind="text", column="label", labels=GRADES, answer=_one(GRADES)
    ),
    "hierarchy": Kind(
        task="hierarchy", shape="labels", item_kind="text", column="label", labels=PATHS, answer=_one(PATHS)
    ),
    "pair": Kind(
        task="single", shape="labels", item_kind="pair", column="label", labels=NAMES, answer=_one(NAMES)
    ),
    "preference": Kind(
        task="preference",
        shape="labels",
        item_kind="pair",
        column="label",
        labels=VERDICTS,
        answer=_one(VERDICTS),
    ),
    "spans": Kind(
        task="spans", shape="spans", item_kind="text", column="spans", labels=NAMES, answer=_spans
    ),
    "ranking": Kind(
        task="ranking",
        shape="ranking",
        item_kind="list",
        column="answer",
        labels=(),
        answer=_order,
        spelled=True,
    ),
    "text": Kind(
        task="text",
        shape="text",
        item_kind="text",
        column="answer",
        labels=(),
        answer=_written,
        spelled=True,
    ),
    "image": Kind(
        task="single", shape="labels", item_kind="image", column="label", labels=NAMES, answer=_one(NAMES)
    ),
    "boxes": Kind(
        task="boxes", shape="boxes", item_kind="image", column="boxes", labels=NAMES, answer=_boxes
    ),
}  # fmt: skip


def _text(rng: random.Random) -> str:
    words = [rng.choice(WORDS) for _ in range(rng.randrange(3, 12))]
    return "".join(word + rng.choice(GAPS) for word in words[:-1]) + words[-1]


def rows_of(kind: Kind, count: int, seed: int = 0) -> list[Row]:
    """Random rows of a kind; every tenth has no verdict."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        row: Row = {"id": f"r{number}", "text": "", "text_b": "", "candidates": [], "image": ""}
        row |= {"meta": {"source": rng.choice(("mail", "chat"))}}
        if kind.item_kind == "image":
            row |= {
                "image": f"{number:05}.png",
                "width": rng.choice((100, 200, 400)),
                "height": 100,
            }
        else:
            row["text"] = f"{number} {_text(rng)}"
        if kind.item_kind == "pair":
            row["text_b"] = _text(rng)
        if kind.item_kind == "list":
            row["candidates"] = [f"{at} {_text(rng)}" for at in range(rng.randrange(2, 6))]
        answer = None if number % 10 == 9 else kind.answer(rng, row)
        if kind.shape in ("spans", "boxes"):
            named = None if answer is None else list(dict.fromkeys(one["label"] for one in answer))
            row["labels"] = named
        state = "unlabelled" if answer is None else "decided"
        found.append(
            row
            | {kind.column: answer, "state": state, "voices": 1, "content_hash": f"{number:032x}"}
        )
    return found


def fits(format: str, kind: Kind) -> bool:
    """Whether a format has a place for such items and answers."""
    writer = WRITERS[format]
    own = format in ("jsonl", "csv", "parquet")
    return own or (
        kind.item_kind in getattr(writer, "item_kinds", ("text",))
        and kind.shape in getattr(writer, "shapes", ("labels", "spans"))
    )


def written(format: str, kind: Kind, rows: Sequence[Row]) -> bytes:
    """What the export of these rows is in a format."""
    wishes: Row = {"labels": list(kind.labels), "task": kind.task, "formula_safe": False}
    known = {name: wishes[name] for name in wishes if name in WRITERS[format].__dataclass_fields__}
    out = io.BytesIO()
    WRITERS.create(format, known).write(iter(rows), kind.fields, out)
    return out.getvalue()


def read(format: str, data: bytes) -> list[Record]:
    """The records of some bytes. Raises ValueError where one is bad."""
    found = list(FORMATS.create(format).read(io.BytesIO(data)))
    records = [one for one in found if isinstance(one, Record)]
    if len(records) < len(found):
        raise ValueError(f"{next(one for one in found if not isinstance(one, Record))}")
    return records


def understood(kind: Kind, records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """What an import makes of records with the mapping that it guesses: (item, answer) of each."""
    mapping = guess(columns_of(records), records)
    found = []
    for record in records:
        item = mapped(record, mapping, spelled=kind.spelled)
        given = [one for one in item.given if one.kind == "answer"]
        content = (item.text, item.text_b, tuple(item.candidates), record.fields.get("name", ""))
        found.append((*content, plain(kind, given[0]) if given else None))
    return found


def plain(kind: Kind, given: Any) -> Any:
    """An answer that was read, as `expected` has it."""
    if kind.spelled:
        return given.words
    if kind.shape == "spans":
        return sorted(given.spans or ())
    if kind.shape == "boxes":
        return sorted((*(round(side, 4) for side in sides), name) for *sides, name in given.boxes)
    return sorted(given.labels)


def expected(kind: Kind, row: Row) -> tuple[Any, ...]:
    """(item, answer) as it has to come back."""
    answer = row[kind.column]
    if answer is None or kind.spelled:
        told = answer
    elif kind.shape == "spans":
        told = sorted((one["start"], one["end"], one["label"]) for one in answer)
    elif kind.shape == "boxes":
        sides = ("x", "y", "w", "h")
        told = sorted((*(round(one[side], 4) for side in sides), one["label"]) for one in answer)
    else:
        told = sorted(answer if isinstance(answer, list) else [answer])
    return (row["text"], row["text_b"], tuple(row["candidates"]), row["image"], told)
