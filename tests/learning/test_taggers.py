"""Taggers: tags that may follow each other, words in context, and a head that learns from them."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from learning import taggers
from learning.encoders import by_word
from learning.encoders.minilm import MiniLM
from learning.encoders.word_store import WordStore
from learning.encoders.words import WINDOW, WordEncoder
from learning.errors import DamagedFileError, ParameterError, ShapeError
from learning.spans import Span
from learning.spans.scores import metrics
from learning.spans.tags import runs_of
from learning.taggers.chain import read
from learning.taggers.head import FittedTokenHead, Scale, TokenHead, beside, sampled
from learning.taggers.pool import blocks_of
from learning.taggers.saying import margins_of, tagged
from learning.taggers.texts import tag_texts
from learning.taggers.types import Marked, Words, WordVectors
from learning.types import no_report


def allowed(tags: tuple[int, ...]) -> bool:
    """Whether every "inside" goes on with its own label."""
    return all(
        tag == 0 or tag % 2 == 1 or before in (tag - 1, tag)
        for before, tag in zip((0, *tags), tags, strict=False)
    )


class TestChain:
    """Against all ways to tag four words with two labels."""

    @pytest.fixture
    def scores(self) -> np.ndarray:
        return np.random.default_rng(3).normal(0, 2, size=(7, 5)).astype(np.float32)

    def by_hand(self, scores: np.ndarray) -> tuple[list[tuple[int, ...]], np.ndarray]:
        ways = [w for w in product(range(5), repeat=len(scores)) if allowed(w)]
        weights = np.exp([sum(scores[at, tag] for at, tag in enumerate(w)) for w in ways])
        return ways, weights / weights.sum()

    def test_is_exact_for_texts_of_different_lengths(self, scores: np.ndarray) -> None:
        starts = np.array([0, 4, 4, 7])
        found = read(scores, starts)
        runs = found.runs()
        spans = [(*run, p) for run, p in zip(runs.tolist(), found.probability(runs), strict=True)]
        seen = 0
        for begin, end in ((0, 4), (4, 7)):
            ways, chance = self.by_hand(scores[begin:end])
            assert tuple(found.tags[begin:end]) == ways[int(chance.argmax())]
            for at, tag in product(range(end - begin), range(5)):
                by_hand = sum(p for w, p in zip(ways, chance, strict=True) if w[at] == tag)
                assert found.marginals[begin + at, tag] == pytest.approx(by_hand, abs=1e-5)
            for first, last, column, p in spans:
                if begin <= first < end:
                    seen += 1
                    run = Span(first - begin, last + 1 - begin, column)
                    by_hand = sum(q for w, q in zip(ways, chance, strict=True) if run in runs_of(w))
                    assert p == pytest.approx(by_hand, abs=1e-5)
        assert seen == len(spans) > 0

    def test_says_the_same_of_a_text_however_much_was_read_before_it(self) -> None:
        text = np.array([[4.1, -9, -9.7], [-2, 1.3, -9], [-2, -9, 1.7]], dtype=np.float32)
        n = 20_000
        found = read(np.tile(text, (n, 1)), np.arange(n + 1) * 3)
        first, last = found.probability(np.array([[1, 2, 0], [3 * n - 2, 3 * n - 1, 0]]))
        assert last == pytest.approx(first, rel=1e-4)
        alone = read(text, np.array([0, 3])).probability(np.array([[1, 2, 0]]))
        assert first == pytest.approx(alone[0], rel=1e-4)

    def test_a_long_text_is_read_nearly_as_exactly_as_a_short_one(self) -> None:
        text = np.array([[9, -9, -9], [-2, 1, -9], [-2, -9, 1], [9, -9, -9]], dtype=np.float32)
        short = read(text, np.array([0, 4])).marginals[1]
        long = read(np.tile(text, (2_500, 1)), np.array([0, 10_000])).marginals
        assert np.abs(long[1::4] - short).max() < 0.01

    def test_says_spans_presence_and_doubt_of_each_text(self) -> None:
        sure = np.full((3, 3), -5.0, dtype=np.float32)
        sure[0, 1] = sure[1, 2] = sure[2, 0] = 5
        words = Words(
            starts=np.array([0, 3, 3, 4]),
            edges=np.array([[0, 3], [4, 8], [9, 10], [0, 2]]),
            vectors=np.zeros((4, 1)),
        )
        scores = np.concatenate([sure, np.zeros((1, 3), dtype=np.float32)])
        said = tagged(read(scores, words.starts), words)
        assert [span for span, _ in said.spans(0)] == [Span(0, 8, 0)]
        assert said.spans(1) == []
        assert said.present[:, 0].tolist() == pytest.approx([1, 0, 0.5], abs=0.01)
        assert said.margins[0] > 0.99
        assert said.margins[1] == 1
        assert said.margins[2] == pytest.approx(1 / 1.5, abs=1e-6)

    def test_a_text_without_doubt_is_sure_however_long(self) -> None:
        marginals = np.tile(np.array([[0.99, 0.01, 0]], dtype=np.float32), (50, 1))
        assert margins_of(marginals, np.array([0, 50])).tolist() == [1]


def corpus(texts: int, seed: int = 0) -> tuple[list[str], list[list[Span]]]:
    """Sentences in which a name follows "ask" and a city "in"; capitals tell nothing."""
    rng = np.random.default_rng(seed)
    names, cities = ("Ana Costa", "Ben", "Cleo"), ("New York", "Oslo", "Lima")
    found, spans = [], []
    for _ in range(texts):
        name, city = rng.choice(names), rng.choice(cities)
        found.append(f"Please ask {name} whether it rained in {city} today.")
        at, to = found[-1].index(name), found[-1].index(city)
        spans.append([Span(at, at + len(name), 0), Span(to, to + len(city), 1)])
    return found, spans


@pytest.fixture(scope="module")
def encoder() -> WordEncoder:
    return MiniLM().fit().by_word()


def lesson(encoder: WordEncoder, texts: int, seed: int = 0) -> Marked:
    given, spans = corpus(texts, seed)
    return Marked(words=words(encoder, given), spans=spans, labels=2)


def words(encoder: WordEncoder, texts: list[str]) -> Words:
    found = encoder.encode(texts)
    starts = np.concatenate([[0], np.cumsum(found.counts)])
    return Words(starts=starts, edges=found.edges, vectors=found.vectors)


class TestTexts:
    def test_are_tagged_block_by_block_as_all_at_once(
        self, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fitted = TokenHead().fit(lesson(encoder, 30), np.random.default_rng(0), no_report)
        texts = [*corpus(5, seed=1)[0], "", "\u200b", " "]
        wanted = fitted.tag(words(encoder, texts))
        monkeypatch.setattr("learning.taggers.texts.CHARACTERS", 60)
        found = tag_texts(fitted, texts, encoder)
        assert [[span for span, _ in found.spans(at)] for at in range(8)] == [
            [span for span, _ in wanted.spans(at)] for at in range(8)
        ]
        np.testing.assert_allclose(found.present, wanted.present, atol=1e-4)
        assert found.spans(0)
        assert not found.spans(7)
        assert tag_texts(fitted, [], encoder).texts == 0


class TestHead:
    def test_learns_marks_and_survives_a_save(self, encoder: WordEncoder, tmp_path: Path) -> None:
        data, asked = lesson(encoder, 30), lesson(encoder, 20, seed=1)
        rng = np.random.default_rng(0)
        fitted = TokenHead().fit(data, rng, no_report)
        said = fitted.tag(asked.words)
        told = [[span for span, _ in said.spans(at)] for at in range(20)]
        assert metrics(asked.spans, told)["span_f1"] > 0.95
        assert said.present.shape == (20, 2)
        assert (said.probability > 0).all()
        fitted.save(tmp_path)
        again = taggers.load(tmp_path).tag(asked.words)
        np.testing.assert_array_equal(again.edges, said.edges)
        np.testing.assert_array_equal(again.probability, said.probability)
        assert isinstance(taggers.load(tmp_path), FittedTokenHead)

    def test_looks_at_neighbours_of_the_same_text_alone(self) -> None:
        three = Words(
            starts=np.array([0, 2, 2, 3]),
            edges=np.zeros((3, 2), dtype=int),
            vectors=np.array([[1], [2], [3]], dtype=np.float32),
        )
        plain = Scale(centre=np.zeros(1, dtype=np.float32), spread=np.ones(1, dtype=np.float32))
        found = beside(three, np.arange(3), 1, plain)
        assert found.tolist() == [[1, 0, 2], [2, 1, 0], [3, 0, 0]]
        assert beside(three, np.array([1]), 1, plain).tolist() == [[2, 1, 0]]

    def test_of_many_words_a_sample_with_every_span_teaches_the_same(
        self, encoder: WordEncoder
    ) -> None:
        tags = np.array([0, 1, 2, 0, 0, 0, 0, 3, 0, 0])
        rows, times = sampled(tags, 6, np.random.default_rng(0))
        assert set(rows) >= {1, 2, 7}
        assert len(rows) == 6
        assert times.sum() == pytest.approx(10)
        few, _ = sampled(np.ones(10, dtype=int), 4, np.random.default_rng(0))
        assert len(few) == 4
        data, asked = lesson(encoder, 30), lesson(encoder, 20, seed=1)
        fitted = TokenHead(most_words=150).fit(data, np.random.default_rng(0), no_report)
        said = fitted.tag(asked.words)
        told = [[span for span, _ in said.spans(at)] for at in range(20)]
        assert metrics(asked.spans, told)["span_f1"] > 0.9

    def test_blocks_hold_whole_texts(self, encoder: WordEncoder) -> None:
        asked = lesson(encoder, 7).words
        for size in (1, 25, 10_000):
            blocks = [block for block, _ in blocks_of(asked, size)]
            assert [at for block in blocks for at in range(block.start, block.stop)] == list(
                range(7)
            )
        assert len(list(blocks_of(asked, 1))) == 7

    def test_begins_from_a_former_head_and_learns_a_label_more(self, encoder: WordEncoder) -> None:
        data = lesson(encoder, 12)
        head = TokenHead()
        first = head.fit(data, np.random.default_rng(0), no_report)
        wider = Marked(words=data.words, spans=data.spans, labels=3)
        second = head.fit(wider, np.random.default_rng(0), no_report, start=first)
        assert second.labels == 3
        assert second.tag(data.words).column.max() <= 1, "nobody marked the new label"
        cold = head.fit(wider, np.random.default_rng(0), no_report)
        asked = lesson(encoder, 5, seed=2).words
        np.testing.assert_allclose(second.tag(asked).present, cold.tag(asked).present, atol=0.05)

    def test_refuses_what_does_not_fit(self, encoder: WordEncoder) -> None:
        data = lesson(encoder, 12)
        fitted = TokenHead().fit(data, np.random.default_rng(0), no_report)
        with pytest.raises(ShapeError, match="dimensions"):
            fitted.tag(Words(starts=data.words.starts, edges=data.words.edges,
                             vectors=data.words.vectors[:, :5]))  # fmt: skip
        with pytest.raises(ShapeError, match="Columns"):
            Marked(words=data.words, spans=data.spans, labels=1)
        with pytest.raises(ParameterError):
            TokenHead(strength=0.0)


class TestWords:
    def test_a_long_text_is_read_to_its_end_and_alike_wherever_it_is_cut(
        self, encoder: WordEncoder
    ) -> None:
        short = encoder.encode(["the bank of the river"])
        long = encoder.encode([" ".join(["word"] * (2 * WINDOW)) + " the bank of the river"])
        assert long.counts.tolist() == [2 * WINDOW + 5]
        assert np.abs(long.vectors[-5:]).sum(axis=1).min() > 1
        one, other = short.vectors[1, :-71], long.vectors[-4, :-71]
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert cosine > 0.5

    def test_texts_without_words_have_none(self, encoder: WordEncoder) -> None:
        found = encoder.encode(["", "  ", "a"])
        assert found.counts.tolist() == [0, 0, 1]
        assert found.vectors.shape == (1, encoder.dimensions)

    def test_an_encoder_of_whole_texts_is_refused(self) -> None:
        with pytest.raises(ParameterError, match="word"):
            by_word(object())


class TestStore:
    def some(self, counts: list[int]) -> WordVectors:
        total = sum(counts)
        return WordVectors(
            counts=np.array(counts),
            edges=np.arange(2 * total).reshape(-1, 2),
            vectors=np.full((total, 3), 2.0, dtype=np.float32),
        )

    def test_grows_and_shows_what_is_whole(self, tmp_path: Path) -> None:
        store = WordStore(tmp_path, 3)
        store.write(0, self.some([2, 0]))
        with (tmp_path / "vectors.bin").open("ab") as stream:
            stream.write(b"half a write")
        store.write(2, self.some([1]))
        store.write(0, self.some([9]))  # another process came first
        found = WordStore(tmp_path, 3).view()
        assert found.starts.tolist() == [0, 2, 2, 3]
        assert found.of(2).tolist() == [[0, 1]]
        assert np.asarray(found.vectors, dtype=np.float32).tolist() == [[2, 2, 2]] * 3
        assert found.block(slice(1, 3)).starts.tolist() == [0, 0, 1]
        assert found.subset(np.array([2, 0])).edges.tolist() == [[0, 1], [0, 1], [2, 3]]

    def test_forgets_an_item_and_keeps_its_place(self, tmp_path: Path) -> None:
        store = WordStore(tmp_path, 3)
        store.write(0, self.some([2, 1]))
        store.forget(0)
        store.forget(5)
        found = store.view()
        assert found.starts.tolist() == [0, 2, 3]
        assert not found.vectors[:2].any()
        assert not found.edges[:2].any()
        assert found.vectors[2].all()

    def test_refuses_holes_and_damage(self, tmp_path: Path) -> None:
        store = WordStore(tmp_path, 3)
        with pytest.raises(ShapeError, match="follow"):
            store.write(1, self.some([1]))
        store.write(0, self.some([2]))
        with pytest.raises(DamagedFileError, match="dimensions"):
            WordStore(tmp_path, 4)
        (tmp_path / "edges.bin").write_bytes(b"")
        with pytest.raises(DamagedFileError, match="cut short"):
            WordStore(tmp_path, 3)
