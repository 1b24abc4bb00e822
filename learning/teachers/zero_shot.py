"""The teacher that needs nothing but the labels: similarity of items to what labels are called."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.encoders.apart import read_by
from learning.errors import ParameterError
from learning.halves import single
from learning.teachers.asking import check_items
from learning.teachers.likeness import by_likeness
from learning.teachers.names import readable
from learning.teachers.types import (
    Example,
    LabelText,
    Means,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    confidence_of,
    needed,
)
from learning.types import Floats, Report, require, row_blocks

if TYPE_CHECKING:
    from learning.encoders import Ready

BATCH = 256  # items at a time
POOL_ROWS = 4_000  # of the pool that are looked at, evenly spaced
LEAST_WORD = 0.05  # what a word far from its label still counts
THRESHOLD = 0.25  # about right for names and MiniLM; a pool tells better


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """Compare each item with the names, descriptions and accepted words of the labels, moved
    halfway to the items of the pool that look like them. Source: Chang et al. 2008 (dataless
    classification); You et al. 2024 (SciPrompt, label words).

    Where answers are orders, the candidates come by their cosine to what the item asks.

    temperature: cosines are divided by it before the softmax; smaller is surer.
    pool_weight: what the mean of the pool's items that look like a label counts beside the label's
        own text, where encodings of the pool are lent; 0 leaves the pool out.
    threshold: several labels: the cosine at which a label is as likely as not. None takes the one
        above which the pool's items have one label on average, 0.25 without encodings of a pool.
    """

    needs: ClassVar[tuple[str, ...]] = ("encoder",)

    temperature: float = 0.05
    pool_weight: float = 1.0
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.pool_weight < 0:
            raise ParameterError(
                "Zero-shot needs a temperature above 0 and a weight of the pool of at least 0."
            )

    def ready(self, means: Means) -> "ReadyZeroShot":
        """With an encoder of texts and, if there are any, encodings of the pool by the same one."""
        encoder = needed(means.encoder, "an encoder of texts", "zero-shot")
        require(
            means.encodings is None or means.encodings.shape[1] == encoder.dimensions,
            "The encodings of the items are not by the encoder that was lent.",
        )
        return ReadyZeroShot(settings=self, encoder=encoder, encodings=means.encodings)


@dataclass(frozen=True, kw_only=True)
class ReadyZeroShot:
    """Zero-shot with an encoder. The examples are not looked at."""

    settings: ZeroShot
    encoder: "Ready"
    encodings: Floats | None = None
    _labels: dict[TeacherSchema, tuple[NDArray[np.float32], float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """Answers in the order of the items; one without any text is an abstention."""
        check_items(items)
        if not items:
            return
        if schema.ranked:
            yield from by_likeness(items, self.encoder, self.settings.temperature, report)
            return
        labels = self.label_vectors(schema)
        for block in row_blocks(len(items), BATCH):
            report(block.start, len(items))
            began = time.perf_counter()
            part = items[block]
            cosines = self._vectors(part) @ labels.T
            spent = (time.perf_counter() - began) / len(part)
            for item, row in zip(part, cosines, strict=True):
                yield self._answer(item, row, schema, spent)
        report(len(items), len(items))

    def label_vectors(self, schema: TeacherSchema) -> NDArray[np.float32]:
        """(k, d) unit rows; a label whose texts say nothing to the encoder is a row of zeros."""
        return self._known(schema)[0]

    def threshold(self, schema: TeacherSchema) -> float:
        """The cosine from which on a label is likelier than not, where several may hold."""
        return self._known(schema)[1]

    def _known(self, schema: TeacherSchema) -> tuple[NDArray[np.float32], float]:
        if schema not in self._labels:
            pool, settings = sample(self.encodings, self.encoder.dimensions), self.settings
            labels = text_vectors(schema.labels, self.encoder)
            labels = near(labels, pool, settings.temperature, settings.pool_weight)
            self._labels.clear()
            self._labels[schema] = labels, self._threshold(labels, pool)
        return self._labels[schema]

    def _threshold(self, labels: NDArray[np.float32], pool: NDArray[np.float32]) -> float:
        if self.settings.threshold is not None:
            return self.settings.threshold
        if not len(pool) or len(labels) == 1:
            return THRESHOLD
        return float(np.quantile(pool @ labels.T, 1 - 1 / len(labels)))

    def _vectors(self, items: Sequence[TeacherItem]) -> NDArray[np.float32]:
        """(n, d): what is lent where it is there, the rest encoded now."""
        vectors = np.zeros((len(items), self.encoder.dimensions), dtype=np.float32)
        if self.encodings is not None:
            rows = len(self.encodings)
            places = [p for p, item in enumerate(items) if 0 <= item.number < rows]
            numbers = [items[place].number for place in places]
            vectors[places] = self.encodings[numbers]
        blank = [place for place, row in enumerate(vectors) if not row.any()]
        told = [read_by(self.encoder, items[at].text, items[at].text_b) for at in blank]
        vectors[blank] = self.encoder.encode(told)
        return vectors

    def _answer(
        self, item: TeacherItem, cosines: NDArray[np.float32], schema: TeacherSchema, spent: float
    ) -> TeacherAnswer:
        if not item.whole.strip():
            return TeacherAnswer(
                number=item.number, abstained="The item has no text to compare.", seconds=spent
            )
        settings = self.settings
        if schema.multi_label:
            away = cosines.astype(np.float64) - self.threshold(schema)
            odds = away / settings.temperature
            p = (1 / (1 + np.exp(-odds.clip(-60, 60)))).astype(np.float32)
        else:
            p = softmax(cosines[None] / settings.temperature)[0]
        return TeacherAnswer(
            number=item.number,
            probabilities=p,
            confidence=confidence_of(p, multi_label=schema.multi_label),
            reason=_reason(cosines, schema),
            seconds=spent,
        )


def label_vectors(
    labels: Sequence[LabelText], encoder: "Ready", encodings: Floats | None = None
) -> NDArray[np.float32]:
    """(k, d) unit rows: what is said about each label, moved halfway to the items that look like it.

    encodings: (n, d) of the same encoder, without labels; None looks at the words only.
    """
    pool, usual = sample(encodings, encoder.dimensions), ZeroShot()
    return near(text_vectors(labels, encoder), pool, usual.temperature, usual.pool_weight)


def sample(encodings: Floats | None, dimensions: int) -> NDArray[np.float32]:
    """(p, d) evenly spaced items that are encoded; none where nothing is lent."""
    if encodings is None or not len(encodings):
        return np.empty((0, dimensions), dtype=np.float32)
    step = -(-len(encodings) // POOL_ROWS)
    pool = single(np.ascontiguousarray(encodings[::step]))
    return pool[pool.any(axis=1)]


def near(
    labels: NDArray[np.float32], pool: NDArray[np.float32], temperature: float, weight: float
) -> NDArray[np.float32]:
    """(k, d) the labels, moved towards the pool's items that look like them by so much: one step of
    soft k-means.
    """
    if not len(pool) or weight == 0:
        return labels
    likely = softmax(pool @ labels.T / temperature)  # (p, k)
    return unit(labels + weight * unit(likely.T @ pool))


def text_vectors(labels: Sequence[LabelText], encoder: "Ready") -> NDArray[np.float32]:
    """(k, d) unit rows: name, description and words, each a unit vector, in equal parts.

    Words count by their cosine to name and description, at least a little.
    """
    names = encoder.encode([readable(label.name) for label in labels])
    told = encoder.encode([readable(label.description) for label in labels])
    told[[not label.description.strip() for label in labels]] = 0
    base = unit(names + told)
    words = [word for label in labels for word in label.words]
    vectors = encoder.encode(words)
    owner = np.repeat(np.arange(len(labels)), [len(label.words) for label in labels])
    weight = np.einsum("wd,wd->w", vectors, base[owner]).clip(LEAST_WORD, 1)
    together = np.zeros_like(base)
    np.add.at(together, owner, weight[:, None] * vectors)
    return unit(base + unit(together))


def unit(rows: Floats) -> NDArray[np.float32]:
    """(n, d) rows of length 1; rows of zeros stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def softmax(scores: Floats) -> NDArray[np.float32]:
    """(n, k) rows that sum to 1."""
    shifted = np.asarray(scores, dtype=np.float64)
    powers = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _reason(cosines: NDArray[np.float32], schema: TeacherSchema) -> str:
    first, *others = np.argsort(-cosines, kind="stable")[:2]
    said = f"closest to {schema.names[first]} (similarity {cosines[first]:.2f})"
    if others:
        said += f", then {schema.names[others[0]]} ({cosines[others[0]]:.2f})"
    return said
