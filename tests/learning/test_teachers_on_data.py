"""Recorded answers of real models: what committee and calibration are worth on real errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.learning.vectors import datasets_folder, read_rows
from learning.metrics import calibration_error
from learning.teachers.calibration import agreement, calibrate
from learning.teachers.committee import Committee, fit_sharpness
from learning.teachers.recorded import Recorded
from learning.teachers.skill import confusion_of
from learning.teachers.types import (
    LabelText,
    Means,
    Member,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
)
from learning.types import no_report

pytestmark = [pytest.mark.dataset]

SEEDS = 8


class Answered:
    """A data set whose items carry the answers of several models."""

    def __init__(self, folder: Path, name: str, split: str) -> None:
        rows: list[dict[str, Any]] = read_rows(folder, name, split)
        names = sorted({str(row["label"]) for row in rows})
        self.schema = TeacherSchema(
            labels=tuple(LabelText(id=n, name=label) for n, label in enumerate(names))
        )
        self.truth = np.array([names.index(str(row["label"])) for row in rows])
        self.records = [
            {"number": n, **said} for n, row in enumerate(rows) for said in row.get("llm", [])
        ]
        items = [TeacherItem(number=n, text=str(row["text"])) for n, row in enumerate(rows)]
        self.answers = {
            model: list(self.teacher(model).annotate(items, self.schema, (), no_report))
            for model in sorted({str(record["model"]) for record in self.records})
        }

    def teacher(self, model: str) -> Any:
        return Recorded(model=model).ready(Means(records=self.records))

    def target(self, rows: Any) -> np.ndarray:
        return np.eye(self.schema.size)[self.truth[rows]]

    def right(self, answers: list[TeacherAnswer], rows: Any) -> np.ndarray:
        said = [-1 if a.probabilities is None else int(a.probabilities.argmax()) for a in answers]
        return np.array(said) == self.truth[rows]


def answered(name: str, split: str) -> Answered:
    folder = datasets_folder()
    if folder is None:
        pytest.skip("DATASETS names no folder with data sets.")
    return Answered(folder, name, split)


def test_a_stated_confidence_is_twice_as_honest_after_two_hundred_audited_answers() -> None:
    data = answered("gwsd_gpt", "train")
    spoke = [n for n, a in enumerate(data.answers["gpt"]) if a.probabilities is not None]
    raw, mended = [], []
    for seed in range(SEEDS):
        rows = np.random.default_rng(seed).permutation(spoke)
        audit, rest = ([data.answers["gpt"][n] for n in part] for part in (rows[:200], rows[200:]))
        calibration = calibrate(audit, data.target(rows[:200]), data.schema)
        right = data.right(rest, rows[200:])
        stated = np.array([a.confidence for a in rest])
        read = np.array([calibration.confidence(a, data.schema) for a in rest])
        raw.append(calibration_error(stated, right))
        mended.append(calibration_error(read, right))
    assert np.mean(mended) < 0.65 * np.mean(raw)


@pytest.mark.parametrize("name", ["css_emotion", "css_politeness"])
def test_a_committee_beats_its_best_member_and_the_majority(name: str) -> None:
    data = answered(name, "test")
    models = [model for model in data.answers if model != "roberta"]  # it was trained on the set
    gains = []
    for seed in range(SEEDS):
        rows = np.random.default_rng(seed).permutation(len(data.truth))
        audit, rest = rows[:100], rows[100:]
        members = {
            model: Member(
                teacher=data.teacher(model),
                confusion=confusion_of(
                    [data.answers[model][n] for n in audit], data.target(audit), data.schema
                ),
            )
            for model in models
        }
        heard = [{model: data.answers[model][n] for model in models} for n in range(len(rows))]
        ready = Committee().ready(Means(members=members))
        sharp = fit_sharpness(ready, [heard[n] for n in audit], data.target(audit), data.schema)
        committee = Committee(sharpness=sharp).ready(Means(members=members))
        pooled = [committee.combine(int(n), heard[n], data.schema) for n in rest]
        best = max(models, key=lambda m: np.trace(members[m].confusion))
        alone = [data.answers[best][n] for n in rest]
        votes = np.zeros((len(rest), data.schema.size))
        for model in models:
            said = [data.answers[model][n].probabilities for n in rest]
            votes += np.stack([np.zeros(data.schema.size) if p is None else p for p in said])
        gains.append(
            (
                data.right(pooled, rest).mean() - data.right(alone, rest).mean(),
                data.right(pooled, rest).mean() - (votes.argmax(axis=1) == data.truth[rest]).mean(),
            )
        )
    over_best, over_majority = np.mean(gains, axis=0)
    assert over_best > 0
    assert over_majority > 0.05


def test_agreement_of_others_tells_right_from_wrong_where_no_confidence_was_stated() -> None:
    data = answered("css_emotion", "test")
    others = [model for model in data.answers if model not in {"roberta", "chatgpt"}]
    mine = data.answers["chatgpt"]
    spoke = [n for n, a in enumerate(mine) if a.probabilities is not None]
    rows = np.random.default_rng(0).permutation(spoke)
    shares = {n: agreement(mine[n], [data.answers[m][n] for m in others]) for n in rows}
    audit, rest = rows[:100], rows[100:]
    calibration = calibrate(
        [mine[n] for n in audit],
        data.target(audit),
        data.schema,
        agreements=[shares[n] for n in audit],
    )
    read = np.array([calibration.confidence(mine[n], data.schema, shares[n]) for n in rest])
    right = data.right([mine[n] for n in rest], rest)
    above = (read[right][:, None] > read[~right][None]).mean()
    equal = (read[right][:, None] == read[~right][None]).mean()
    assert above + equal / 2 > 0.8
