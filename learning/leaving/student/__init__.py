"""A student that left Concord. README.md beside this file says what it can do and how good it is.

With the folder that holds this one on the path, and `this` standing for its name:

    from this import load

    student = load()
    student(["Where is my parcel?"])  # ["Delivery"]; lists of names where there are several labels
    student.predict(["Where is my parcel?"])  # (n, k) probabilities, columns as in labels.json

Where items are two texts, give a tuple of both, or one string: the first line and the rest. Where they are images,
give paths of files, or their bytes.
One that marks stretches of a text gives a list of them for each text, as in README.md.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import Model

FOLDER = Path(__file__).parent
Item = str | Sequence[str]  # a text, or two
Picture = str | Path | bytes  # a path, or a file's content


class Student:
    """Texts or images, or the vectors that its encoder makes of them, to labels.

    labels: one entry of labels.json for each column; names: their names.
    """

    def __init__(self, folder: Path = FOLDER, encoder: str = "") -> None:
        """`encoder`: a folder with the encoder, where it is not to be found by its name."""
        check(folder)
        self.folder, self.encoder = folder, encoder
        self.labels: list[dict[str, Any]] = json.loads((folder / "labels.json").read_text("utf-8"))
        self.names = [str(label["name"]) for label in self.labels]
        self.archived = [bool(label["archived"]) for label in self.labels]
        self.model: Any = Model(folder)

    def predict(
        self, items: Sequence[Item] | Sequence[Picture] | NDArray[Any]
    ) -> NDArray[np.float32]:
        """n texts or images, or (n, d) vectors -> (n, k) probabilities, 0 for archived labels."""
        return np.where(self.archived, np.float32(0), self.model.predict(self._read(items)))

    def _read(self, items: Any) -> Any:
        """What the model is given: vectors, images, two texts each, or one."""
        if isinstance(items, np.ndarray):
            return items
        refuse_one(items)
        if self.model.reads_vectors:
            return self.encode(items)
        if self.model.sees:
            return list(items)
        if self.model.pairs:
            return [parted(each) or (each, "") for each in items]
        return [as_one(each) for each in items]

    def encode(self, items: Sequence[Item] | Sequence[Picture]) -> NDArray[np.float32]:
        """(n, d) vectors of n texts or images."""
        refuse_one(items)
        try:
            from .encode import Encoder
        except ModuleNotFoundError as error:
            raise RuntimeError(
                f"This student reads vectors, and its encoder needs {error.name}. See README.md."
            ) from error
        encoder: Any = Encoder(self.folder / "encoder", self.encoder)
        if encoder.sees:
            return np.asarray(encoder.encode(list(items)), dtype=np.float32)
        texts: Any = items
        about = json.loads((self.folder / "encoder.json").read_text("utf-8"))
        if not about.get("apart"):
            return np.asarray(encoder.encode([as_one(each) for each in texts]), dtype=np.float32)
        both = [str(text) for each in texts for text in parted(each) or (each, each)]
        rows = encoder.encode(both).reshape(len(texts), -1)
        return np.asarray(rows / np.float32(np.sqrt(2)), dtype=np.float32)

    def __call__(self, texts: Sequence[Item] | Sequence[Picture] | NDArray[Any]) -> list[Any]:
        """The likeliest label's name of each text; where there are several labels, a list; where
        stretches are marked, a list of them, `end` exclusive."""
        if self.model.marks:
            refuse_one(texts)
            return [self._named(spans) for spans in self.model.mark(list(texts))]
        rows = self.predict(texts)
        if not self.model.multi_label:
            return [self.names[column] for column in rows.argmax(axis=1)]
        chosen = self.model.chosen(rows)
        return [[self.names[column] for column in np.flatnonzero(row)] for row in chosen]

    def _named(self, spans: list[tuple[int, int, int, float]]) -> list[dict[str, Any]]:
        return [
            {"start": start, "end": end, "label": self.names[column], "probability": round(p, 4)}
            for start, end, column, p in spans
            if not self.archived[column]
        ]


def load(folder: str | Path = FOLDER, encoder: str = "") -> Student:
    """The student in this folder."""
    return Student(Path(folder), encoder)


def refuse_one(items: object) -> None:
    """A lone string would be read as one text for each of its characters, and a lone file as one for each byte."""
    if isinstance(items, str | bytes | Path):
        raise TypeError(
            'Give a list, also of a single one: student(["a text"]), or of images student(["one.png"]).'
        )


def as_one(item: Item) -> str:
    """One string, in which the second of two texts begins a line."""
    return item if isinstance(item, str) else "\n".join(item)


def parted(item: Item) -> tuple[str, str] | None:
    """The two texts of an item: two strings, or one whose first line is the first; None for a lone line."""
    if not isinstance(item, str):
        one, other = item
        return one, other
    one, found, other = item.partition("\n")
    return (one, other) if found else None


def check(folder: Path) -> None:
    """Refuse a folder in which a file of the model is missing or was changed."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for name, expected in manifest["sha256"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise ValueError(f"{name} was changed after this student was saved.")
