"""Label words: terms of the project's own texts that say what a label's name alone does not.

Mined from unlabelled texts, filtered by an encoder, for a person to accept, edit or drop. Source:
You et al. 2024 (SciPrompt), with the project's vocabulary in place of an online thesaurus; the
over-representation is a smoothed log-lift, Monroe et al. 2008.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.halves import single
from learning.teachers.names import plain
from learning.teachers.types import TeacherSchema
from learning.teachers.zero_shot import softmax, text_vectors
from learning.types import Floats, require

if TYPE_CHECKING:
    from learning.encoders import Ready

WORD = re.compile(r"[^\W\d_]+")
FEWEST_TEXTS = 20
SMOOTHING = 5.0  # texts of the average label that are lent to each term

STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "each",
        "few",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "per",
        "same",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "two",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


@dataclass(frozen=True, kw_only=True)
class WordProposal:
    """A term offered for a label.

    similarity: cosine to the label's name and description, -1 … 1.
    lift: how many times as often it occurs in texts that look like the label.
    texts: in how many texts it occurs.
    shared: names of other labels for which it speaks as well; a lead should look at it.
    """

    word: str
    similarity: float
    lift: float
    texts: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelWords:
    """How label words are looked for.

    per_label: words offered for a label at most. similarity, lift: what a word needs at least.
    fewest, widest: texts that a term must occur in, as a number and as the largest share of all.
    vocabulary: terms that are encoded at most, the most frequent ones; this bounds the time.
    """

    per_label: int = 20
    similarity: float = 0.3
    lift: float = 1.5
    fewest: int = 4
    widest: float = 0.2
    vocabulary: int = 4_000
    temperature: float = 0.05

    def __post_init__(self) -> None:
        if min(self.per_label, self.fewest, self.vocabulary) < 1 or self.temperature <= 0:
            raise ParameterError("Label words need counts of at least 1 and a temperature above 0.")
        if self.lift < 1 or not 0 < self.widest <= 1:
            raise ParameterError("A lift is at least 1, a share of texts lies in 0 … 1.")

    def propose(
        self,
        texts: Sequence[str],
        encodings: Floats,
        schema: TeacherSchema,
        encoder: "Ready",
    ) -> dict[int, list[WordProposal]]:
        """Label id -> words, best first, for unlabelled texts with their (n, d) encodings.

        A word is offered to the label whose texts it marks most; with a lift nearly as high for
        another label that label is named in `shared`. Words of the name and words that the label
        has already are left out. Raises NotEnoughDataError under 20 texts.
        """
        require(len(texts) == len(encodings), "There must be one encoding for each text.")
        if len(texts) < FEWEST_TEXTS:
            raise NotEnoughDataError(
                f"Words are looked for in at least {FEWEST_TEXTS} texts; there are {len(texts)}."
            )
        found, counts = self._vocabulary(texts)
        if not found:
            return {label: [] for label in schema.ids}
        labels = text_vectors(schema.labels, encoder)
        likely = softmax(single(np.asarray(encodings)) @ labels.T / self.temperature)
        lift = self._lift(texts, found, counts, likely)  # (w, k) logarithms
        near = encoder.encode(found) @ labels.T  # (w, k)
        return {
            label.id: self._for_label(column, found, counts, lift, near, schema)
            for column, label in enumerate(schema.labels)
        }

    def _vocabulary(self, texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
        """Terms that are neither rare nor everywhere, most frequent first, and their counts."""
        seen = Counter(term for text in texts for term in terms(text))
        most = self.widest * len(texts)
        kept = [(term, n) for term, n in seen.items() if self.fewest <= n <= most]
        kept = sorted(kept, key=lambda pair: (-pair[1], pair[0]))[: self.vocabulary]
        return [term for term, _ in kept], np.array([n for _, n in kept], dtype=np.int64)

    def _lift(
        self,
        texts: Sequence[str],
        found: list[str],
        counts: NDArray[np.int64],
        likely: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """(w, k): log of how many times the average a term occurs in a label's texts."""
        place = {term: row for row, term in enumerate(found)}
        within = np.zeros((len(found), likely.shape[1]))
        for text, row in zip(texts, likely, strict=True):
            hits = [place[term] for term in terms(text) if term in place]
            within[hits] += row
        prior = likely.mean(axis=0, dtype=np.float64)
        share = (within + SMOOTHING * prior) / (counts[:, None] + SMOOTHING)
        return np.asarray(np.log(share) - np.log(np.maximum(prior, 1e-12)))

    def _for_label(
        self,
        column: int,
        found: list[str],
        counts: NDArray[np.int64],
        lift: NDArray[np.float64],
        near: NDArray[np.float32],
        schema: TeacherSchema,
    ) -> list[WordProposal]:
        label = schema.labels[column]
        known = {plain(label.name), *map(plain, label.words)}
        fits = (near[:, column] > self.similarity) & (lift[:, column] > np.log(self.lift))
        mine = fits & (lift.argmax(axis=1) == column)
        weight = lift[:, column] * np.sqrt(counts)
        order = sorted(map(int, np.flatnonzero(mine)), key=lambda row: (-weight[row], found[row]))
        offered = [row for row in order if found[row] not in known][: self.per_label]
        return [
            WordProposal(
                word=found[row],
                similarity=float(near[row, column]),
                lift=float(np.exp(lift[row, column])),
                texts=int(counts[row]),
                shared=self._shared(row, column, lift, schema),
            )
            for row in offered
        ]

    def _shared(
        self, row: int, column: int, lift: NDArray[np.float64], schema: TeacherSchema
    ) -> tuple[str, ...]:
        """Other labels whose texts the term marks at least two thirds as much."""
        enough = max(np.log(self.lift), 2 / 3 * lift[row, column])
        others = np.flatnonzero(lift[row] >= enough)
        return tuple(schema.names[other] for other in others if other != column)


def terms(text: str) -> Iterator[str]:
    """The distinct words, pairs and triples of a text that neither begin nor end with a filler."""
    words = WORD.findall(text.lower())
    seen = set()
    for end, word in enumerate(words):
        if word in STOP:
            continue
        for start in range(max(0, end - 2), end + 1):
            short = start == end and len(word) < 3
            if words[start] not in STOP and not short:
                seen.add(" ".join(words[start : end + 1]))
    yield from sorted(seen)
