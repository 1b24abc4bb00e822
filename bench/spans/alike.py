"""How many of the first 50 hits of a search by type are right, from the label's name or some examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.spans.sets import NAMES, Texts, texts_of
from learning.encoders.minilm import MiniLM
from learning.spans import Span
from learning.taggers.likeness import Background, of_span, scored, stretches

FIRST = 50
EXAMPLES = (1, 5, 20)
SEEDS = {"quick": 3, "full": 20}


def figures(grid: str) -> list[Figure]:
    """Print a table for each set, and tell the mean over labels for each number of examples."""
    made = []
    for name in NAMES:
        data = texts_of(name, "train")
        background = Background.of(data.marked.words, np.random.default_rng(0))
        words = data.marked.words
        print(
            f"\n| {name}: of the first {FIRST}, overlapping (exact) | marked | by its name | ",
            end="",
        )
        print(" | ".join(f"{e} examples" for e in EXAMPLES) + " |\n" + "| --- " * 6 + "|")
        means: dict[int, list[float]] = {count: [] for count in EXAMPLES}
        for column, label in enumerate(data.labels):
            own = [
                (at, span)
                for at, spans in enumerate(data.marked.spans)
                for span in spans
                if span.label == column
            ]
            told = [_told([_named(data, background, label, column)])]
            for count in EXAMPLES:
                found = []
                for seed in range(SEEDS[grid]):
                    rng = np.random.default_rng([seed, column])
                    chosen = [own[at] for at in rng.choice(len(own), count, replace=False)]
                    vectors = [of_span(words, at, span) for at, span in chosen]
                    known = np.array([each for each in vectors if each is not None])
                    found.append(_precision(data, background, known, column, chosen))
                told.append(_told(found))
                means[count].append(float(np.mean([each for each, _ in found])))
            print(f"| {label} | {len(own)} | " + " | ".join(told) + " |", flush=True)
        for count, each in means.items():
            value = round(100 * float(np.mean(each)), 1)
            made.append(Figure(name=f"spans {name} alike, {count} examples", value=value, unit="%"))
    return made


def _told(found: list[tuple[float, float]]) -> str:
    near, exact = np.mean(found, axis=0)
    return f"{100 * near:.0f} ({100 * exact:.0f})"


def _named(data: Texts, background: Background, label: str, column: int) -> tuple[float, float]:
    """The name's own words, as a sentence of them reads: the shapes of words say nothing there."""
    words = MiniLM().fit().by_word().encode([label.replace("_", " ").replace("-", " ")])
    known = np.asarray(words.vectors.mean(axis=0))
    known[MiniLM().fit().dimensions :] = background.mean[MiniLM().fit().dimensions :]
    return _precision(data, background, known[None], column, [])


def _precision(
    data: Texts,
    background: Background,
    known: NDArray[np.float32],
    column: int,
    taken: list[tuple[int, Span]],
) -> tuple[float, float]:
    """Of the first hits, the share that touch a span of the label, and that are one."""
    words = data.marked.words
    direction = background.direction(known, np.zeros((0, known.shape[1])))
    hits = stretches(words, scored(words, direction, background.mean), FIRST, taken)
    near = exact = 0
    for hit in hits:
        own = [span for span in data.marked.spans[hit.text] if span.label == column]
        near += any(span.start < hit.end and hit.start < span.end for span in own)
        exact += any((span.start, span.end) == (hit.start, hit.end) for span in own)
    return near / FIRST, exact / FIRST
