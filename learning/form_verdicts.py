"""The verdict on a form: each question's own consensus, and only the questions it leads to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learning.consensus import ConsensusMethod
from learning.forms import Form, Question
from learning.tasks import Columns
from learning.tasks.values import Agreed, Given, value_task
from learning.types import Votes


def settle(
    form: Form,
    methods: Mapping[str, ConsensusMethod],
    items: Sequence[Sequence[Given]],
    columns: Mapping[str, Columns],
) -> list[Agreed]:
    """The verdict on each item from the forms that were answered for it, one at least.

    Questions are settled in their order by the voices that were asked them, and one is left out where
    the verdict so far does not lead to it. A verdict is tied where a question is, or where a required
    one has no voice left. methods, columns: of each question, by its key.
    """
    verdicts: list[dict[str, Any]] = [{} for _ in items]
    shares: list[dict[int, float]] = [{} for _ in items]
    tied = np.zeros(len(items), dtype=np.bool_)
    for question in form.questions:
        key = question.key
        rows = [row for row, said in enumerate(verdicts) if question in form.asked(said)]
        voices = {row: _voices(key, items[row]) for row in rows}
        heard = [row for row in rows if voices[row]]
        found = _settle(question, methods[key], [voices[row] for row in heard], columns[key])
        for row, agreed in zip(heard, found, strict=True):
            verdicts[row][key] = agreed.value
            shares[row] |= agreed.shares
            tied[row] |= agreed.tied
        if question.required:
            tied[[row for row in rows if not voices[row]]] = True
    return [
        Agreed(value={"answers": said}, shares=share, tied=bool(is_tied))
        for said, share, is_tied in zip(verdicts, shares, tied, strict=True)
    ]


def _voices(key: str, given: Sequence[Given]) -> list[Given]:
    return [
        one._replace(value=one.value["answers"][key])
        for one in given
        if key in one.value["answers"]
    ]


def _settle(
    question: Question, method: ConsensusMethod, items: Sequence[Sequence[Given]], columns: Columns
) -> list[Agreed]:
    """Of one question; values are canonical answers to it."""
    if not items:
        return []
    if question.task.shape == "labels":
        return _settle_labels(question, method, items, columns)
    bare = [[one._replace(value=one.value["value"]) for one in given] for given in items]
    return [
        Agreed(value={"value": one.value}, shares=one.shares, tied=one.tied)
        for one in value_task(question.task_type).settle(method, bare)
    ]


def _settle_labels(
    question: Question, method: ConsensusMethod, items: Sequence[Sequence[Given]], columns: Columns
) -> list[Agreed]:
    flat = [(row, one) for row, given in enumerate(items) for one in given]
    votes = Votes(
        items=len(items),
        item=np.array([row for row, _ in flat], dtype=np.int64),
        annotator=np.array([one.annotator for _, one in flat], dtype=np.int64),
        answers=question.task.encode([one.value["labels"] for _, one in flat], columns),
        weights=np.array([one.weight for _, one in flat], dtype=np.float64),
        multi_label=question.task.multi_label,
    )
    found = method.aggregate(votes)
    names = np.array(columns.label_ids)
    return [
        Agreed(
            value={"labels": sorted(names[answer].tolist())},
            shares=dict(zip(columns.label_ids, share.tolist(), strict=True)),
            tied=bool(is_tied),
        )
        for answer, share, is_tied in zip(found.answers, found.shares, found.tied, strict=True)
    ]
