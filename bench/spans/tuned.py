"""The fine-tuned tagger beside transformers' Trainer on the same encoder, texts, words and epochs."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT, Figure, code_hash, kept
from bench.spans.curves import f1_of, sets
from bench.spans.sets import MOST, NAMES, Texts
from learning.spans import Span
from learning.spans.scores import counts, micro_f1
from learning.spans.tags import spans_of_tags, tags_of
from learning.taggers.finetune import TokenFinetune
from learning.taggers.head import TokenHead
from learning.types import no_report

CELLS = {
    "quick": (("restaurant8k",), (500,), range(1)),
    "full": (NAMES, (500, MOST["train"]), range(5)),
}
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
WORKER = Path(__file__).with_name("trainer_worker.py")
WAYS = ("token-head", "token-finetune", "trainer")
OURS = ("learning/taggers", "learning/students/training.py", "bench/spans/tuned.py")


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare with Trainer where it is installed."""
    names, sizes, seeds = CELLS[grid]
    return [figure for texts in sizes for figure in _of(names, texts, seeds)]


def _of(names: tuple[str, ...], texts: int, seeds: range) -> list[Figure]:
    print(f"\n| {texts} texts | seeds | " + " | ".join(WAYS) + " |")
    print("| --- " * (len(WAYS) + 2) + "|")
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in names}
    for seed in seeds:  # so that what was measured when it was ended has every set
        for name in names:
            for way in WAYS:
                told = _cell(name, texts, seed, way)
                found[name].setdefault(way, []).extend([told] if told else [])
    made = []
    for name in names:
        print(f"| {name} | {len(seeds)} | " + " | ".join(map(_told, found[name].values())) + " |")
        made += _against(name, texts, found[name])
    return made


def _told(cells: list[dict[str, float]]) -> str:
    if not cells:
        return "not run"
    f1, seconds = (np.mean([cell[key] for cell in cells]) for key in ("f1", "seconds"))
    return f"{100 * f1:.1f} ({seconds:.0f} s)"


def _against(name: str, texts: int, found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    if not found["trainer"]:
        return []
    gaps = [
        100 * (one["f1"] - other["f1"])
        for one, other in zip(found["token-finetune"], found["trainer"], strict=True)
    ]
    value = round(float(np.mean(gaps)), 2)
    about = f"spans {name}, {texts} texts, token-finetune minus Trainer"
    return [Figure(name=about, value=value, unit="points", op=">=", target=-1.0)]


def _cell(name: str, texts: int, seed: int, way: str) -> dict[str, Any] | None:
    """F1 on the test split and processor seconds of training; None for a rival that is not installed."""
    if way == "trainer" and not _installed():
        return None
    code = code_hash(*(("bench/spans/trainer_worker.py",) if way == "trainer" else OURS))
    key = f"spans/{name}-{texts}-{seed}-{way}"
    return kept(key, code, partial(_measure, name, texts, seed, way))


def _measure(name: str, texts: int, seed: int, way: str) -> dict[str, float]:
    train, test = sets(name)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(train.marked.words.texts, texts, replace=False))
    lesson = train.marked.subset(rows)
    if way == "trainer":
        return _rival(lesson, test, seed)
    tagger = TokenHead() if way == "token-head" else TokenFinetune()
    began = time.process_time()
    fitted: Any = tagger.fit(lesson, rng, no_report)
    seconds = time.process_time() - began
    return {"f1": f1_of(fitted, test), "seconds": seconds}


@cache
def _installed() -> bool:
    if not PYTHON.exists():
        return False
    done = subprocess.run(  # noqa: S603 - our own words
        [str(PYTHON), "-c", "import torch, accelerate"], capture_output=True, check=False
    )
    return done.returncode == 0


def _rival(lesson: Any, test: Texts, seed: int) -> dict[str, float]:
    """Words and their tags to learn from, words to tag: none of our reading of pieces is in between."""
    from learning.encoders.minilm import model_folder

    with tempfile.TemporaryDirectory() as folder:
        request = {
            "model": str(model_folder()),
            "words": _words(lesson),
            "tags": [
                tags_of(spans, lesson.words.of(at)).tolist()
                for at, spans in enumerate(lesson.spans)
            ],
            "test_words": _words(test.marked),
            "kinds": 1 + 2 * lesson.labels,
            "epochs": TokenFinetune().epochs,
            "seed": seed,
        }
        (Path(folder) / "request.json").write_text(json.dumps(request))
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), str(WORKER), folder], capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    told: list[list[Span]] = [
        spans_of_tags(tags, test.marked.words.of(at)) for at, tags in enumerate(found["tags"])
    ]
    return {"f1": micro_f1(counts(test.marked.spans, told)), "seconds": found["seconds"]}


def _words(marked: Any) -> list[list[str]]:
    return [
        [text[start:end] for start, end in marked.words.of(at).tolist()]
        for at, text in enumerate(marked.texts)
    ]
