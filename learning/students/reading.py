"""How label attention is made: tokens are read once, and each label's weights fitted on its own vectors.

Imports torch: only reached from a fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from learning.encoders.pooled import batch_tokens, length_batches
from learning.students.classification import Tokens, active_columns, tokenised
from learning.students.comparisons import encoded
from learning.students.devices import device
from learning.students.head import Head
from learning.students.lbfgs import minimise
from learning.students.patience import beside
from learning.students.regression import OwnVectors, Problem
from learning.students.strength import TEMPERATURES, Choice, splits
from learning.students.transformer import (
    FittedTransformer,
    LabelReader,
    by_label,
    unit_classifier,
)
from learning.types import Floats, Report, TrainingData

if TYPE_CHECKING:
    from learning.students.label_attention import LabelAttention

FOCI = (0.0, 10.0, 20.0, 40.0)
USUAL_FOCUS = 10.0  # where rows are too few to choose by
EVALUATIONS = 200
TOLERANCE = 1e-3
ALIKE = 0.99  # the least cosine between encodings of one encoder, one of them rounded
STEPS = 3  # texts read, focus chosen, weights fitted

Array = NDArray[np.float32]
Beat = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Read:
    """Token vectors of texts of similar length. rows: which texts; hidden: (b, t, d) float16; mask: (b, t)."""

    rows: NDArray[np.int64]
    hidden: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson whose texts are read. called: (k, d) unit rows of what labels are called, zeros where nothing
    is said; plain: the problem of a head on the mean of all tokens; seed: of the rows held out.
    """

    read: list[Read]
    called: Array
    plain: Problem
    seed: int

    def problem(self, focus: float, beat: Beat) -> OwnVectors:
        """What is left to learn where likeness counts so much."""
        return OwnVectors.beside(self.plain, own_vectors(self.read, focus * self.called, beat))


def fitted(
    plan: LabelAttention, data: TrainingData, rng: np.random.Generator, report: Report
) -> FittedTransformer:
    """See `LabelAttention.fit`."""
    done = 0

    def beat() -> None:
        report(done, STEPS)

    beat()
    name = (plan.model, plan.revision, plan.tokens)
    network, tokenizer, _ = beside(lambda: unit_classifier(*name, data.labels), beat)
    reader = LabelReader(network.encoder, data.labels).to(device()).eval()
    cut = partial(tokenised, tokenizer, longest=plan.tokens, beat=beat)
    read = _read(reader, cut(data.texts or []), beat)
    means = own_vectors(read, np.zeros((1, reader.dimensions), dtype=np.float32))[:, 0]
    texts = cut(data.label_texts or ("",) * data.labels)
    called = _called(reader, texts, data, means, beat)
    done = 1
    beat()
    # A head on the mean of all tokens, of two texts too.
    taught = replace(data, texts=None, encodings=means, label_vectors=called, paired=False)
    choice = Head().fit_one(taught, rng, lambda _done, _total: beat()).choice
    lesson = Lesson(
        read=read, called=called, plain=Problem.of(taught), seed=int(rng.integers(2**62))
    )
    done = 2
    beat()
    focus, choice = _choose(plan.focus, lesson, choice, beat)
    problem = lesson.problem(focus, beat)
    point = _solve(problem.towards(choice.scale or 0.0), choice.strength, TOLERANCE, beat)
    _put(reader, point.reshape(problem.d + 1, problem.k), choice.temperature, focus * called)
    report(STEPS, STEPS)
    return FittedTransformer(
        network=reader,
        tokenizer=tokenizer,
        tokens=plan.tokens,
        active=active_columns(data),
        multi_label=data.multi_label,
        margins=np.empty((0, data.rows), dtype=np.float32),
        student="label-attention",
    )


def _called(
    reader: LabelReader, texts: Tokens, data: TrainingData, means: Array, beat: Beat
) -> Array:
    """(k, d) unit rows of what labels are called, zeros where nothing is said.

    Those of the lesson, which looked at more items than it holds, if they are by this encoder; else
    label texts. means: (n, d) of the lesson's texts by this encoder.
    """
    if data.label_vectors is not None and _alike(data.encodings, means):
        return np.ascontiguousarray(data.label_vectors, dtype=np.float32)
    said = np.array([bool(text.strip()) for text in data.label_texts or ("",) * data.labels])
    return np.where(said[:, None], encoded(reader, texts, beat), np.float32(0))


def _alike(one: Floats | None, other: Array) -> bool:
    """Whether most unit rows are the same but for rounding; long texts may be cut elsewhere."""
    if one is None or one.shape != other.shape:
        return False
    return bool(np.median(np.einsum("nd,nd->n", one, other)) > ALIKE)


def _read(reader: LabelReader, texts: Tokens, beat: Beat) -> list[Read]:
    """Each text once through the encoder."""
    found = []
    with torch.inference_mode():
        for rows in length_batches([len(ids) for ids in texts.ids], batch_tokens(device())):
            beat()
            padded = texts.take(rows)
            hidden = reader.encoder(**padded).last_hidden_state
            mask = padded["attention_mask"].cpu()
            found.append(Read(rows=rows, hidden=hidden.half().cpu(), mask=mask))
    return found


def own_vectors(read: list[Read], called: Array, beat: Beat = lambda: None) -> Array:
    """(n, k, d) what each label reads from each text, see `by_label`."""
    texts = sum(len(part.rows) for part in read)
    result = np.empty((texts, *called.shape), dtype=np.float32)
    for part in read:
        beat()
        own = by_label(part.hidden.float(), part.mask, torch.from_numpy(called))
        result[part.rows] = own.numpy()
    return result


def _choose(
    given: float | None, lesson: Lesson, choice: Choice, beat: Beat
) -> tuple[float, Choice]:
    """The focus that costs least on held-out rows, and what the plain head chose with a temperature to it.

    Too few rows to choose by, or labels that are called nothing, leave no choice.
    """
    foci = FOCI if given is None else (given,)
    if not lesson.called.any():
        foci = (0.0,)
    if choice.cost is None:
        return (foci[0] if len(foci) == 1 else USUAL_FOCUS), choice
    costs = np.stack([_held_out(lesson, focus, choice, beat) for focus in foci])
    best, warm = np.unravel_index(costs.argmin(), costs.shape)
    return foci[best], replace(choice, temperature=float(TEMPERATURES[warm]))


def _held_out(lesson: Lesson, focus: float, choice: Choice, beat: Beat) -> NDArray[np.float64]:
    """(temperatures,) summed cross-entropy of rows that were not learnt from, the same for each focus."""
    problem = lesson.problem(focus, beat)
    whole, costs = problem.towards(choice.scale or 0.0), np.zeros(len(TEMPERATURES))
    for learn, ask in splits(len(problem.x), np.random.default_rng(lesson.seed)):
        point = _solve(whole.subset(learn), choice.strength, 10 * TOLERANCE, beat)
        costs += problem.subset(ask).costs(point, TEMPERATURES)
    return costs


def _solve(problem: Problem, strength: float, tolerance: float, beat: Beat) -> Array:
    return minimise(
        partial(problem.loss, strength),
        problem.begin(None),
        evaluations=EVALUATIONS,
        tolerance=tolerance,
        after_step=lambda _used: beat(),
    ).point


def _put(reader: LabelReader, table: Array, temperature: float, called: Array) -> None:
    """Make a map (d + 1, k) the linear layer, its temperature included."""
    warm = np.float32(temperature)
    with torch.no_grad():
        reader.head.weight.copy_(torch.from_numpy(warm * table[:-1].T))
        reader.head.bias.copy_(torch.from_numpy(warm * table[-1]))
        reader.called.copy_(torch.from_numpy(called))
