"""What every tagger promises."""

from pathlib import Path

import numpy as np
import pytest

from learning import taggers
from learning.errors import DamagedFileError, NotEnoughDataError
from learning.registry import parameters_of
from learning.spans import Span
from learning.spans.scores import metrics
from learning.spans.words import words_of
from learning.taggers import TAGGERS
from learning.taggers.types import Marked, Words
from learning.types import no_report
from tests.contracts.plugins import example_parameters

every = pytest.mark.parametrize("name", TAGGERS)
WORDS = ("refund", "parcel", "please", "today", "again", "money")


def lesson(texts: int, seed: int = 0) -> Marked:
    """Texts in which "refund" and "parcel late" are marked, and vectors that tell words apart."""
    rng = np.random.default_rng(seed)
    said, spans, vectors, edges = [], [], [], []
    for _ in range(texts):
        words = list(rng.choice(WORDS, size=6))
        text = " ".join(words)
        own = words_of(text)
        marks = [Span(*map(int, own[at]), WORDS.index(word)) for at, word in enumerate(words)
                 if word in WORDS[:2]]  # fmt: skip
        said.append(text)
        spans.append(marks)
        edges.append(own)
        vectors.append(np.eye(6)[[WORDS.index(word) for word in words]])
    return Marked(
        words=Words(
            starts=np.arange(0, 6 * texts + 1, 6),
            edges=np.concatenate(edges),
            vectors=np.concatenate(vectors).astype(np.float32),
        ),
        spans=spans,
        labels=3,
        texts=said,
    )


@every
def test_learns_marks_alike_each_time_and_survives_a_save(
    name: str, models: Path, tmp_path: Path
) -> None:
    tagger = TAGGERS.create(name, example_parameters(name, models))
    data, asked = lesson(60), lesson(20, seed=1)
    fitted = tagger.fit(data, np.random.default_rng(0), no_report)
    said = fitted.tag(asked.words, asked.texts)
    told = [[span for span, _ in said.spans(at)] for at in range(20)]
    assert metrics(asked.spans, told)["span_f1"] > 0.9
    assert fitted.labels == 3
    assert said.present.shape == (20, 3)
    assert said.present.dtype == said.margins.dtype == said.probability.dtype == np.float32
    for part in (said.present, said.margins, said.probability):
        assert ((part >= 0) & (part <= 1)).all()
    settled = TAGGERS.create(name, parameters_of(tagger.settle(fitted)))
    again = settled.fit(data, np.random.default_rng(0), no_report)
    np.testing.assert_array_equal(again.tag(asked.words, asked.texts).present, said.present)
    fitted.save(tmp_path)
    read = taggers.load(tmp_path).tag(asked.words, asked.texts)
    np.testing.assert_allclose(read.present, said.present, atol=1e-6)
    np.testing.assert_array_equal(read.edges, said.edges)
    file = next(path for path in tmp_path.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        taggers.load(tmp_path)


@every
def test_texts_without_words_teach_nothing(name: str, models: Path) -> None:
    empty = Words(
        starts=np.zeros(3, dtype=int), edges=np.zeros((0, 2), int), vectors=np.zeros((0, 6))
    )
    data = Marked(words=empty, spans=[[], []], labels=1, texts=["", " "])
    with pytest.raises(NotEnoughDataError):
        TAGGERS.create(name, example_parameters(name, models)).fit(
            data, np.random.default_rng(0), no_report
        )


@every
def test_a_report_that_raises_ends_the_fit(name: str, models: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 1:
            raise KeyboardInterrupt

    tagger = TAGGERS.create(name, example_parameters(name, models))
    with pytest.raises(KeyboardInterrupt):
        tagger.fit(lesson(20), np.random.default_rng(0), stop)


def test_signs_that_the_tokenizer_leaves_out_begin_no_span_and_are_in_no_doubt(
    models: Path,
) -> None:
    tagger = TAGGERS.create("token-finetune", example_parameters("token-finetune", models))
    fitted = tagger.fit(lesson(60), np.random.default_rng(0), no_report)
    texts = ["today money", "today \u200b money", "\u200b \u200b"]
    edges = [words_of(text) for text in texts]
    words = Words(
        starts=np.array([0, 2, 5, 7]),
        edges=np.concatenate(edges),
        vectors=np.zeros((7, 1), dtype=np.float32),
    )
    said = fitted.tag(words, texts)
    assert said.present[2].max() < 0.01, "of nothing that was read nothing is said"
    assert said.margins[2] > 0.99
    np.testing.assert_allclose(said.present[1], said.present[0], atol=0.1)
