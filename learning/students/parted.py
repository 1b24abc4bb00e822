"""A head for each question of a form: each learns from the items that were asked it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learning.parts import asked, chances, check
from learning.storage import save_folder
from learning.students.strength import USUAL_OWN, Choice
from learning.types import Floats, Part, Report, TrainingData, require

if TYPE_CHECKING:
    from learning.students.head import FittedHead

Fit = Callable[[TrainingData, Any, Report], "FittedHead"]


def fit_parts(fit: Fit, data: TrainingData, report: Report, start: Any = None) -> "PartedHead":
    """A head by `fit` for each question; one that nobody answered yet has none.

    start: an earlier student with the same questions, whose heads the new ones begin from.
    """
    check(data.parts, data.labels)
    former = start if isinstance(start, PartedHead) and start.alike(data.parts) else None
    heads: list[FittedHead | None] = []
    for place in range(len(data.parts)):
        lesson = lesson_of(data, place)
        before = None if former is None else former.heads[place]
        if lesson is not None and is_unanimous(lesson):
            heads.append(expecting(lesson))
        else:
            heads.append(None if lesson is None else fit(lesson, before, report))
    return PartedHead(labels=data.labels, parts=data.parts, heads=tuple(heads))


def lesson_of(data: TrainingData, place: int) -> TrainingData | None:
    """What one question is learnt from: the rows that answer it, by its own columns; None without any."""
    part = data.parts[place]
    columns = list(part.columns)
    targets = np.asarray(data.targets, dtype=np.float32)
    known = np.ones(targets.shape, dtype=np.bool_) if data.known is None else data.known
    told = asked(targets, data.parts)[:, place] & known[:, columns].any(axis=1)
    if not part.several:
        told &= targets[:, columns].sum(axis=1) > 0
    rows = np.flatnonzero(told)
    if not len(rows):
        return None
    own = targets[rows][:, columns]
    if not part.several:
        own = own / own.sum(axis=1, keepdims=True)
    kept = data.subset(rows)
    return replace(
        kept,
        targets=own,
        known=known[rows][:, columns],
        younger=None if kept.younger is None else kept.younger[:, columns],
        multi_label=part.several,
        ordered=part.ordered,
        sided=part.sided,
        label_vectors=None if kept.label_vectors is None else kept.label_vectors[columns],
        label_texts=None
        if kept.label_texts is None
        else tuple(kept.label_texts[column] for column in columns),
        parts=(),
    )


def is_unanimous(lesson: TrainingData) -> bool:
    """Whether all rows give one and the same answer where others could be given."""
    if lesson.multi_label:
        return False
    could = lesson.labels if lesson.known is None else int(lesson.known.any(axis=0).sum())
    return int((np.asarray(lesson.targets) > 0).any(axis=0).sum()) < min(2, could)


def expecting(lesson: TrainingData) -> "FittedHead":
    """A head that expects of every item what all rows say, the surer the more they are.

    Source: Laplace's rule of succession: (count + 1) / (rows + answers).
    """
    from learning.students.head import FittedHead

    counts = 1 + np.asarray(lesson.targets, dtype=np.float32).sum(axis=0)
    if lesson.sided and lesson.paired:  # a side is no reason, as in a head that is fitted
        counts[:2] = counts[:2].mean()
    active = np.ones(lesson.labels, dtype=np.bool_)
    if lesson.known is not None:
        active = np.asarray(lesson.known.any(axis=0), dtype=np.bool_)
    assert lesson.encodings is not None  # noqa: S101 - a head that is fitted has refused that
    width = lesson.encodings.shape[1] * (2 if lesson.paired else 1)
    return FittedHead(
        weights=np.zeros((width, lesson.labels), dtype=np.float32),
        bias=np.log(counts, dtype=np.float32),
        active=active,
        multi_label=False,
        choice=Choice(),
        own=USUAL_OWN if lesson.paired else None,
    )


@dataclass(frozen=True, kw_only=True)
class PartedHead:
    """One head for each question, in the order of `parts`; None where a question was never answered."""

    labels: int
    parts: tuple[Part, ...]
    heads: tuple["FittedHead | None", ...]
    multi_label: bool = True

    def alike(self, parts: Sequence[Part]) -> bool:
        """Whether each question is here too, perhaps with fewer labels."""
        return len(parts) == len(self.parts) and all(
            now.columns[: len(then.columns)] == then.columns and now.several == then.several
            for now, then in zip(parts, self.parts, strict=True)
        )

    def predict(self, items: Floats | Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
        """(n, d) encodings -> (n, k) how likely each label is given.

        That is the chance that its question is asked, by the answers before, times the label's share there.
        """
        result = np.zeros((len(items), self.labels), dtype=np.float32)
        for place, (part, head) in enumerate(zip(self.parts, self.heads, strict=True)):
            if head is None:
                continue
            reached = chances(result, self.parts[: place + 1])[:, -1:]
            result[:, list(part.columns)] = reached * head.predict(items)
        return result

    def save(self, folder: Path) -> None:
        """Write weights and manifest; `learning.students.load` reads them."""
        arrays: dict[str, NDArray[Any]] = {}
        for place, head in enumerate(self.heads):
            if head is not None:
                arrays[f"weights-{place}"], arrays[f"bias-{place}"] = head.weights, head.bias
                arrays[f"active-{place}"] = head.active.astype(np.uint8)
        manifest = {
            "student": "head",
            "multi_label": True,
            "labels": self.labels,
            "parts": [asdict(part) for part in self.parts],
            "choices": [None if head is None else asdict(head.choice) for head in self.heads],
            "owns": [None if head is None else head.own for head in self.heads],
        }
        save_folder(folder, arrays, manifest)


def opened(arrays: dict[str, NDArray[Any]], manifest: dict[str, Any]) -> PartedHead:
    """What `PartedHead.save` wrote."""
    from learning.students.head import FittedHead

    parts = tuple(
        Part(
            columns=tuple(one["columns"]),
            several=bool(one["several"]),
            ordered=bool(one["ordered"]),
            sided=bool(one.get("sided")),
            after=tuple(one["after"]),
        )
        for one in manifest["parts"]
    )
    owns = manifest.get("owns", [None] * len(parts))
    require(len(parts) == len(manifest["choices"]), "Each question needs its head.")
    heads = [
        None
        if choice is None
        else FittedHead(
            weights=arrays[f"weights-{place}"],
            bias=arrays[f"bias-{place}"],
            active=arrays[f"active-{place}"].astype(np.bool_),
            multi_label=parts[place].several,
            choice=Choice(**choice),
            own=owns[place],
        )
        for place, choice in enumerate(manifest["choices"])
    ]
    return PartedHead(labels=int(manifest["labels"]), parts=parts, heads=tuple(heads))
