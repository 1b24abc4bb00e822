"""How well wrong spans are found: one in ten is spoilt, and taggers that have not seen the text judge it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learning.audit.span_doubts import doubts, score_of
from learning.spans import Span
from learning.spans.tags import tags_of, touched
from learning.students.folds import assign_folds
from learning.taggers.head import TokenHead
from learning.taggers.types import Marked
from learning.types import no_report

SHARE, FOLDS = 0.1, 5


def planted(data: Marked, rng: np.random.Generator) -> tuple[list[list[Span]], NDArray[np.bool_]]:
    """Answers in which SHARE of the spans have another label, a moved edge, or are gone; and which."""
    answers, wrong = [], np.zeros(data.words.texts, dtype=np.bool_)
    for at, spans in enumerate(data.spans):
        kept: list[Span] = []
        for span in spans:
            spoilt = _spoilt(span, data.words.of(at), data.labels, rng)
            if rng.random() >= SHARE or spoilt == span:
                kept.append(span)
                continue
            wrong[at] = True
            kept += [spoilt] if spoilt is not None else []
        answers.append(sorted(kept))
    return answers, wrong


def _spoilt(
    span: Span, words: NDArray[np.int64], labels: int, rng: np.random.Generator
) -> Span | None:
    kind = rng.integers(3)
    if kind == 0:
        return span._replace(label=int((span.label + rng.integers(1, labels)) % labels))
    if kind == 1:
        first, last = touched(span, words)
        moves = [(first - 1, last), (first, last + 1), (first + 1, last), (first, last - 1)]
        fitting = [(a, b) for a, b in moves if 0 <= a < b <= len(words)]
        a, b = fitting[rng.integers(len(fitting))] if fitting else (first, last)
        return Span(int(words[a, 0]), int(words[b - 1, 1]), span.label)
    return None


def precision(data: Marked, seed: int) -> dict[str, float]:
    """Average precision of our scores, and of the least self-confidence of a text's tokens, which is
    what cleanlab's token scores are by default (Wang, Mueller 2022); and the share of wrong texts.
    """
    rng = np.random.default_rng(seed)
    answers, wrong = planted(data, rng)
    spoilt = Marked(words=data.words, spans=answers, labels=data.labels)
    fold = assign_folds(np.arange(data.words.texts), FOLDS, rng)
    ours, tokens = np.ones((2, data.words.texts))
    for number in range(FOLDS):
        ask = np.flatnonzero(fold == number)
        learn = spoilt.subset(np.flatnonzero(fold != number))
        part = spoilt.subset(ask)
        found = TokenHead(reach=0.0).fit(learn, rng, no_report).read(part.words)
        ours[ask] = [score_of(places) for places in doubts(found, part.words, part.spans)]
        plain = np.exp(found.scores - found.scores.max(axis=1, keepdims=True))
        plain /= plain.sum(axis=1, keepdims=True)
        for at, row in enumerate(ask.tolist()):
            own = slice(int(part.words.starts[at]), int(part.words.starts[at + 1]))
            tags = tags_of(part.spans[at], part.words.of(at))
            told = plain[own][np.arange(len(tags)), tags]
            tokens[row] = told.min(initial=1.0)
    return {
        "ours": average_precision(ours, wrong),
        "tokens": average_precision(tokens, wrong),
        "wrong": float(wrong.mean()),
    }


def average_precision(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Mean precision at each wrong text, the lowest scores first."""
    found = wrong[np.argsort(scores, kind="stable")]
    return float((np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean())
