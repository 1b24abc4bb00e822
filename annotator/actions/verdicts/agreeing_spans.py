"""How far voices agree on spans: what `agreeing` measures on labels, on the marked texts themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.projects.schema import columns_of
from annotator.models import Item, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.consensus.agreement import Agreement
    from learning.consensus.span_agreement import Marked
    from learning.spans import Span

# Common items below which a pair is not told, and pairs at most.
FEWEST_COMMON, MOST_PAIRS = 5, 100

VALUES = """
SELECT a.item_id, a.annotator_id, a.value::text FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind <> 'teacher' AND NOT v.truth
WHERE a.item_id = ANY(%s) AND a.kind = 'answer' AND a.value IS NOT NULL AND a.stream <> 'review'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """An item's words (w, 2), and what each voice marked on it."""

    words: NDArray[np.int64]
    by_voice: dict[int, list[Span]]


def figures(project: Project, items: Sequence[int], rng: np.random.Generator) -> dict[str, Any]:
    """Alpha word by word, and F1 of every two answers: of all, by label, by pair; of items that several
    voices answered.
    """
    from learning.consensus.span_agreement import span_f1, word_alpha

    said = _read(items)
    every = _marked(said, lambda spans: spans)
    columns = columns_of(project)
    live = [pk for pk, active in zip(columns.label_ids, columns.active, strict=True) if active]
    return {
        "distance": "words",
        "alpha": asdict(word_alpha(every, rng)),
        "masi": None,
        "spans": {
            "exact": asdict(span_f1(every, rng)),
            "near": asdict(span_f1(every, rng, near=True)),
        },
        "labels": [
            {"id": pk, **asdict(span_f1(_marked(said, lambda s, pk=pk: _only(s, pk)), rng))}  # type: ignore[misc]
            for pk in live
        ],
        "pairs": _pairs(said, rng),
        "over_time": [],
    }


def of_question(
    asked: Collection[tuple[int, int]], labels: Collection[int], rng: np.random.Generator
) -> Agreement:
    """Alpha word by word of a form's question: its labels, of the (item, voice) that were asked it."""
    from learning.consensus.span_agreement import word_alpha

    said = [
        Said(words=one.words, by_voice=heard)
        for item, one in _by_item(sorted({item for item, _ in asked})).items()
        if len(heard := {v: m for v, m in one.by_voice.items() if (item, v) in asked}) > 1
    ]
    own = _marked(said, lambda spans: [span for span in spans if span.label in labels])
    return word_alpha(own, rng)


def _read(items: Sequence[int]) -> list[Said]:
    return list(_by_item(items).values())


def _by_item(items: Sequence[int]) -> dict[int, Said]:
    from learning.spans import spans_of
    from learning.spans.words import words_of

    with connection.cursor() as cursor:
        cursor.execute(VALUES, [list(items)])
        rows = cursor.fetchall()
    found: dict[int, dict[int, list[Span]]] = {}
    for item, voice, value in rows:
        found.setdefault(item, {})[voice] = spans_of(json.loads(value))
    texts = dict(Item.objects.filter(pk__in=found).values_list("pk", "text"))
    return {
        item: Said(words=words_of(texts[item]), by_voice=by_voice)
        for item, by_voice in found.items()
        if len(by_voice) > 1
    }


def _marked(said: Sequence[Said], part: Callable[[list[Span]], list[Span]]) -> list[Marked]:
    from learning.consensus.span_agreement import Marked

    return [
        Marked(words=one.words, answers=[part(spans) for spans in one.by_voice.values()])
        for one in said
    ]


def _only(spans: list[Span], label: int) -> list[Span]:
    return [span for span in spans if span.label == label]


def _pairs(said: Sequence[Said], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Two voices on the items that both answered, most items first."""
    from learning.consensus.span_agreement import Marked, span_f1

    common: dict[tuple[int, int], list[Marked]] = {}
    for one in said:
        for a, b in combinations(sorted(one.by_voice), 2):
            both = [one.by_voice[a], one.by_voice[b]]
            common.setdefault((a, b), []).append(Marked(words=one.words, answers=both))
    enough = [each for each in common.items() if len(each[1]) >= FEWEST_COMMON]
    ordered = sorted(enough, key=lambda each: (-len(each[1]), each[0]))[:MOST_PAIRS]
    return [{"one": a, "other": b, **asdict(span_f1(items, rng))} for (a, b), items in ordered]
