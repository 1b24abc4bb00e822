"""How far voices agree on spans: what `agreeing` measures on labels, on the marked texts themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.models import Item

if TYPE_CHECKING:
    import numpy as np

    from learning.consensus.span_agreement import Marked

_VALUES = """
SELECT a.item_id, a.value::text FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind <> 'teacher' AND NOT v.truth
WHERE a.item_id = ANY(%s) AND a.kind = 'answer' AND a.value IS NOT NULL AND a.stream <> 'review'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id
"""


def figures(items: Sequence[int], rng: np.random.Generator) -> dict[str, Any]:
    """Alpha word by word, and the F1 of every two answers, of items that several voices answered."""
    from learning.consensus.span_agreement import span_f1, word_alpha

    marked = _marked(items)
    return {
        "distance": "words",
        "alpha": asdict(word_alpha(marked, rng)),
        "masi": None,
        "spans": {
            "exact": asdict(span_f1(marked, rng)),
            "near": asdict(span_f1(marked, rng, near=True)),
        },
    }


def _marked(items: Sequence[int]) -> list[Marked]:
    from learning.consensus.span_agreement import Marked
    from learning.spans import Span, spans_of
    from learning.spans.words import words_of

    with connection.cursor() as cursor:
        cursor.execute(_VALUES, [list(items)])
        rows = cursor.fetchall()
    said: dict[int, list[list[Span]]] = {}
    for item, value in rows:
        said.setdefault(item, []).append(spans_of(json.loads(value)))
    texts = dict(Item.objects.filter(pk__in=said).values_list("pk", "text"))
    return [
        Marked(words=words_of(texts[item]), answers=answers)
        for item, answers in said.items()
        if len(answers) > 1
    ]
