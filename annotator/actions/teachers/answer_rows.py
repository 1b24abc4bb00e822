"""A teacher's answers as rows of its run."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from annotator.actions.desk.labeling import clean
from annotator.actions.teachers import budgets
from annotator.models import TeacherAnswer, TeacherRun

if TYPE_CHECKING:
    from learning.spans import Span
    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherSchema

# Below this a label's probability is not worth keeping.
LEAST_PROBABILITY = 0.001


def row_of(
    run: TeacherRun, item_id: int, answer: Said, schema: TeacherSchema, print_: str
) -> TeacherAnswer:
    """What a teacher said of an item, as the run keeps it; `print_` names the teacher's settings."""
    row = TeacherAnswer(
        project_id=run.project_id,
        run=run,
        item_id=item_id,
        abstained=clean(answer.abstained, 300),
        model=clean(answer.model, 200),
        fingerprint=print_,
        flags=[flag[:32] for flag in answer.flags],
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        money=Decimal(repr(answer.money)).quantize(budgets.PLACES),
        seconds=answer.seconds,
        dropped=answer.dropped,
    )
    if answer.probabilities is not None:
        _take_distribution(row, answer, schema)
    return row


def refuse(row: TeacherAnswer, cause: str) -> None:
    """Make an answer one that was not given; what it cost stays, and its item may be asked about again."""
    from learning.teachers.types import FAULT

    row.labels, row.probabilities, row.value, row.confidence = [], {}, None, None
    row.abstained = row.abstained or cause
    row.flags = [*row.flags, FAULT]


def _take_distribution(row: TeacherAnswer, answer: Said, schema: TeacherSchema) -> None:
    """The labels chosen, and no more confidence than both the teacher and its chances show."""
    from learning.teachers.filling import chosen
    from learning.teachers.types import confidence_of

    p = answer.probabilities
    if p is None:
        return
    chances = [float(chance) for chance in p]
    if schema.questions:
        given = chosen(schema, p)
        row.labels = [pk for pk, is_given in zip(schema.ids, given, strict=True) if is_given]
    elif schema.multi_label:
        row.labels = [pk for pk, chance in zip(schema.ids, chances, strict=True) if chance > 0.5]
    else:
        row.labels = [schema.ids[int(p.argmax())]]
    row.probabilities = {
        str(pk): round(chance, 6)
        for pk, chance in zip(schema.ids, chances, strict=True)
        if chance >= LEAST_PROBABILITY
    }
    sure = confidence_of(p, multi_label=schema.multi_label)
    if answer.spans is not None:
        _take_spans(row, answer.spans, schema)
    if schema.questions:
        _take_form(row)
    if answer.order is not None:
        order = [list(group) for group in answer.order]
        row.value = {"order": order, "steady": answer.steady}
    if answer.text is not None:
        row.value = {"text": answer.text}
    if answer.confidence is not None:
        row.confidence = min(sure, answer.confidence)
    else:
        # Who marks nothing and says no more has not said how sure it is.
        row.confidence = None if answer.spans is not None and not answer.spans else sure


def _take_spans(
    row: TeacherAnswer, spans: Sequence[tuple[Span, float]], schema: TeacherSchema
) -> None:
    """What was marked, each span with its probability, as the desk suggests it."""
    row.value = {
        "spans": [
            {"start": one.start, "end": one.end, "label": schema.ids[one.label], "probability": p}
            for one, p in spans
        ]
    }
    if schema.quoted:
        row.labels = sorted({schema.ids[one.label] for one, _ in spans})


def _take_form(row: TeacherAnswer) -> None:
    """Its labels as the desk suggests them; those of marks stand with their places."""
    marked = {one["label"] for one in (row.value or {}).get("spans", [])}
    given = [[pk, row.probabilities.get(str(pk), 0.0)] for pk in row.labels if pk not in marked]
    row.value = (row.value or {}) | {"labels": given}


def value_of(row: TeacherAnswer) -> dict[str, Any] | None:
    """What the ledger keeps of a marked answer, an order or a text; None where labels are all of it."""
    from learning import spans

    for said in ("order", "text"):
        if row.value is not None and said in row.value:
            return {said: row.value[said]}
    if row.value is None or "spans" not in row.value:
        return None
    return spans.value_of(spans.spans_of(row.value))
