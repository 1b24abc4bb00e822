"""What the pool and label words add to label names, on real data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.learning.vectors import datasets_folder, part, read_rows
from learning.encoders import ENCODERS
from learning.teachers.label_words import LabelWords
from learning.teachers.types import LabelText, Means, TeacherSchema
from learning.teachers.zero_shot import ZeroShot

pytestmark = [pytest.mark.dataset, pytest.mark.slow]

TREC = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}


@pytest.mark.parametrize(("name", "every"), [("banking77", 4), ("trec6", 2), ("ag_news", 5)])
def test_the_pool_helps_everywhere_and_words_hurt_nowhere(
    name: str, every: int, pytestconfig: pytest.Config
) -> None:
    folder: Path | None = datasets_folder()
    if folder is None:
        pytest.skip("DATASETS names no folder with data sets.")
    encoded = part(folder, name, "train", pytestconfig.cache.mkdir("vectors"), every)
    texts = [str(row["text"]) for row in read_rows(folder, name, "train")[::every]]
    encoder = ENCODERS.create("minilm").fit([])
    names = sorted(set(encoded.labels))
    truth = np.array([names.index(label) for label in encoded.labels])
    bare = TeacherSchema(
        labels=tuple(LabelText(id=n, name=TREC.get(x, x)) for n, x in enumerate(names))
    )
    offered = LabelWords(vocabulary=1500).propose(texts, encoded.vectors, bare, encoder)
    told = replace(
        bare,
        labels=tuple(
            replace(x, words=tuple(word.word for word in offered[x.id])) for x in bare.labels
        ),
    )

    def accuracy(schema: TeacherSchema, weight: float) -> float:
        means = Means(encoder=encoder, encodings=encoded.vectors)
        labels = ZeroShot(pool_weight=weight).ready(means).label_vectors(schema)
        near = np.asarray(encoded.vectors, dtype=np.float32) @ labels.T
        return float((near.argmax(axis=1) == truth).mean())

    plain = accuracy(bare, 0.0)
    assert accuracy(bare, 1.0) > plain + 0.02
    assert accuracy(told, 0.0) > plain - 0.01
    assert accuracy(told, 1.0) > plain
