"""What a tagger says of the whole pool: predictions as every student has them, and spans beside them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.storage import load_folder, save_folder
from learning.students.predictions import Doubted, Predictions, write_probabilities
from learning.taggers import FittedTagger
from learning.taggers.types import Tagged, Words
from learning.types import Ints, Report

SPANS = "spans"
ARRAYS = ("starts", "edges", "column", "probability", "present", "margins")
BLOCK_WORDS = 50_000


def text_blocks(starts: Ints, size: int = BLOCK_WORDS) -> Iterator[slice]:
    """Texts that follow each other and have about `size` words together; one longer text is a block."""
    start, texts = 0, len(starts) - 1
    while start < texts:
        full = int(np.searchsorted(starts, int(starts[start]) + size, side="right")) - 1
        block = slice(start, min(max(full, start + 1), texts))
        yield block
        start = block.stop


def blocks_of(words: Words, size: int = BLOCK_WORDS) -> Iterator[tuple[slice, Words]]:
    """The words block by block of texts, so that what is said of them is never held whole."""
    for block in text_blocks(words.starts, size):
        yield block, words.block(block)


def tag_pool(fitted: FittedTagger, words: Words, report: Report) -> Tagged:
    """Tag every text block by block."""
    kept = []
    for block, part in blocks_of(words):
        kept.append(fitted.tag(part))
        report(block.stop, words.texts)
    return joined(kept, fitted.labels)


def save_tagged(folder: Path, said: Tagged) -> None:
    """Write all that is said of the texts; `load_tagged` reads it."""
    save_folder(folder, {name: getattr(said, name) for name in ARRAYS}, {"spans": len(said.column)})


def load_tagged(folder: Path) -> Tagged:
    """What `save_tagged` wrote. Raises DamagedFileError when it is gone or was changed."""
    arrays, _ = load_folder(folder)
    return Tagged(**{name: arrays[name] for name in ARRAYS})


def write_tagged(
    folder: Path,
    fitted: FittedTagger,
    words: Words,
    report: Report,
    texts: Sequence[str] | None = None,
) -> tuple[Predictions, Tagged]:
    """Tag every text block by block, and write what that amounts to into `folder`; `texts` are read by
    slices, for a tagger that `needs` them.

    Predictions: (n, k), how likely a span of each label is there, with the tagger's own margins.
    """
    kept: list[Tagged] = []

    def blocks() -> Iterable[Doubted]:
        for block, part in blocks_of(words):
            said = fitted.tag(part, None if texts is None else texts[block])
            kept.append(said)
            yield Doubted(probabilities=said.present, margins=said.margins)
            report(block.stop, words.texts)

    predictions = write_probabilities(folder, blocks(), fitted.labels, multi_label=True)
    said = joined(kept, fitted.labels)
    arrays: dict[str, NDArray[np.generic]] = {
        "starts": said.starts,
        "edges": said.edges,
        "column": said.column,
        "probability": said.probability,
    }
    save_folder(folder / SPANS, arrays, {"spans": len(said.column)})
    return predictions, said


def read_tagged(folder: Path, predictions: Predictions) -> Tagged:
    """What `write_tagged` wrote. Raises DamagedFileError when it is gone or was changed."""
    arrays, _ = load_folder(folder / SPANS)
    return Tagged(
        starts=arrays["starts"],
        edges=arrays["edges"],
        column=arrays["column"],
        probability=arrays["probability"],
        present=predictions.probabilities,
        margins=predictions.margins,
    )


def joined(parts: list[Tagged], labels: int) -> Tagged:
    """Blocks of texts one after another."""
    counts = [np.diff(part.starts) for part in parts]
    starts = np.concatenate([[0], np.cumsum(np.concatenate([*counts, np.zeros(0)]))])
    return Tagged(
        starts=starts.astype(np.int64),
        edges=np.concatenate([*(part.edges for part in parts), np.zeros((0, 2), np.int64)]),
        column=np.concatenate([*(part.column for part in parts), np.zeros(0, np.int64)]),
        probability=np.concatenate(
            [*(part.probability for part in parts), np.zeros(0, np.float32)]
        ),
        present=np.concatenate(
            [*(part.present for part in parts), np.zeros((0, labels), np.float32)]
        ),
        margins=np.concatenate([*(part.margins for part in parts), np.zeros(0, np.float32)]),
    )
