"""Data sets with answers of real models, and sets on which a zero-shot teacher is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.vectors import CHUNK, DIMENSIONS, cache_folder, datasets_folder, read_rows
from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix
from learning.routing.signals import neighbour_agreement
from learning.routing.types import Candidates
from learning.teachers.types import LabelText, Means, TeacherItem, TeacherSchema
from learning.teachers.zero_shot import ZeroShot
from learning.types import no_report

Row = dict[str, Any]

# Set -> split, the teacher, the other voices that may disagree with it. `roberta` of css_emotion was
# trained on that set, so it is no voice here.
RECORDED = {
    "gwsd_gpt": ("train", "gpt", ()),
    "css_emotion": ("test", "flan-ul2", ("chatgpt", "text-davinci-002", "flan-t5-large")),
    "css_politeness": ("test", "flan-ul2", ("chatgpt", "text-davinci-002", "flan-t5-large")),
    "sib200_a": ("test", "gpt-4", ("gpt-3.5-turbo",)),
    "varierr_nli": ("all", "gpt-4-1106-preview", ("gpt-3.5-turbo",)),
    "pandalm_pref": ("test", "gpt-3.5-turbo", ("pandalm-7b",)),
}
ZERO_SHOT = ("banking77", "trec6", "ag_news")
ROWS = 4_000
TREC = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}


@dataclass(frozen=True, kw_only=True)
class RoutingSet:
    """items: what is known of each but the student's word; truth: (n, k); groups: (n,) equal for
    items that must be drawn together, as translations of one sentence."""

    name: str
    items: Candidates
    truth: NDArray[np.float32]
    groups: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many items there are."""
        return len(self.truth)


def load(name: str) -> RoutingSet:
    """A set by name; its vectors are made once and kept."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    return _recorded(folder, name) if name in RECORDED else _zero_shot(folder, name)


def _recorded(folder: Path, name: str) -> RoutingSet:
    split, teacher, _ = RECORDED[name]
    rows = read_rows(folder, name, split)
    multi = name == "varierr_nli"
    labels = sorted({label for row in rows for label in _labels(row)})
    said, confidence = _answers(rows, teacher, labels, multi_label=multi)
    voices = _voices(name, rows, labels, multi_label=multi)
    answered = said.any(axis=1)
    texts = [_text(row) for row in rows]
    items = Candidates(
        teacher=np.where(answered[:, None], said, 0),
        answered=answered,
        confidence=confidence if np.isfinite(confidence).any() else None,
        disagreement=_disagreement(said, voices),
        encodings=_vectors(f"routing-{name}", texts),
        lengths=np.array([len(text) for text in texts]),
        label_names=tuple(labels),
        multi_label=multi,
    )
    sentences = [row.get("meta", {}).get("item", place) for place, row in enumerate(rows)]
    return RoutingSet(
        name=name,
        items=with_neighbours(items),
        truth=_hot([_labels(row) for row in rows], labels),
        groups=np.unique(np.array(sentences), return_inverse=True)[1].astype(np.int64),
    )


def voices_of(name: str) -> list[NDArray[np.float32]]:
    """(n, k) what each of the other voices of a set with single labels said, zeros where nothing."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    rows = read_rows(folder, name, RECORDED[name][0])
    labels = sorted({label for row in rows for label in _labels(row)})
    return _voices(name, rows, labels, multi_label=False)


def _voices(
    name: str, rows: Sequence[Row], labels: list[str], *, multi_label: bool
) -> list[NDArray[np.float32]]:
    others = RECORDED[name][2]
    return [_answers(rows, other, labels, multi_label=multi_label)[0] for other in others]


def _labels(row: Row) -> list[str]:
    return list(row["labels"]) if "labels" in row else [str(row["label"])]


def _text(row: Row) -> str:
    parts = (row.get(name) for name in ("text", "prompt", "text_a", "text_b"))
    return "\n".join(str(part) for part in parts if part)


def _answers(
    rows: Sequence[Row], model: str, labels: list[str], *, multi_label: bool
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(n, k) what a model said, zeros where nothing, and (n,) how sure it said it was."""
    table = np.zeros((len(rows), len(labels)), dtype=np.float32)
    sure = np.full(len(rows), np.nan)
    for place, row in enumerate(rows):
        for said in (x for x in row["llm"] if x["model"] == model and x["label"] in labels):
            column = labels.index(said["label"])
            if multi_label:  # each label has a score of its own
                table[place, column] = said["confidence"]
            else:
                table[place, column] = 1
                sure[place] = np.nan if said["confidence"] is None else said["confidence"]
    return table, sure


def _disagreement(
    said: NDArray[np.float32], voices: list[NDArray[np.float32]]
) -> NDArray[np.float64] | None:
    """(n,) the share of voices that answered something else."""
    if not voices:
        return None
    spoke = np.stack([voice.any(axis=1) for voice in voices])
    differ = np.stack([((voice >= 0.5) != (said >= 0.5)).any(axis=1) for voice in voices])
    count = spoke.sum(axis=0)
    return np.where(count > 0, (differ & spoke).sum(axis=0) / np.maximum(count, 1), np.nan)


def _zero_shot(folder: Path, name: str) -> RoutingSet:
    """4,000 training rows drawn with seed 0, and a teacher that knows the labels' names only."""
    rows = read_rows(folder, name, "train")
    drawn = np.sort(np.random.default_rng(0).choice(len(rows), size=ROWS, replace=False))
    rows = [rows[int(row)] for row in drawn]
    texts = [str(row["text"]) for row in rows]
    labels = sorted({str(row["label"]) for row in rows})
    encodings = _vectors(f"routing-{name}", texts)
    schema = TeacherSchema(
        labels=tuple(LabelText(id=n, name=TREC.get(x, x)) for n, x in enumerate(labels))
    )
    encoder = ENCODERS.create("minilm").fit([])
    teacher = ZeroShot(pool_weight=0.0).ready(Means(encoder=encoder, encodings=encodings))
    asked = [TeacherItem(number=n, text=text) for n, text in enumerate(texts)]
    answers = list(teacher.annotate(asked, schema, (), no_report))
    items = Candidates(
        teacher=np.stack([answer.probabilities for answer in answers]),
        answered=np.ones(ROWS, dtype=np.bool_),
        confidence=np.array([answer.confidence for answer in answers]),
        encodings=encodings,
        lengths=np.array([len(text) for text in texts]),
        label_names=tuple(labels),
    )
    return RoutingSet(
        name=name,
        items=with_neighbours(items),
        truth=_hot([[str(row["label"])] for row in rows], labels),
        groups=np.arange(ROWS),
    )


def with_neighbours(items: Candidates) -> Candidates:
    """The items with how similar ones were answered."""
    return replace(items, neighbours=neighbour_agreement(items, np.random.default_rng(0)))


def _hot(answers: Sequence[Sequence[str]], labels: list[str]) -> NDArray[np.float32]:
    table = np.zeros((len(answers), len(labels)), dtype=np.float32)
    for place, answer in enumerate(answers):
        table[place, [labels.index(label) for label in answer]] = 1
    return table


def _vectors(key: str, texts: Sequence[str]) -> NDArray[np.float32]:
    matrix = Matrix(cache_folder() / f"{key}-minilm.f16", DIMENSIONS)
    if matrix.rows < len(texts):
        encoder = ENCODERS.create("minilm").fit([])
        for start in range(matrix.rows, len(texts), CHUNK):
            matrix.write(start, encoder.encode(list(texts[start : start + CHUNK])))
            print(f"encoded {min(start + CHUNK, len(texts)):,} of {len(texts):,} texts of {key}")
    return np.asarray(matrix.view()[: len(texts)], dtype=np.float32)
