"""What soft rows of a better voice buy a head: recorded language models, another project's student,
and an encoder tuned on the same few labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, gains, kept
from bench.routing.sets import RoutingSet, voices_of
from bench.routing.sets import load as load_recorded
from bench.students import forms
from bench.students.heads import CODE
from bench.students.sets import CALLED, encode, load
from learning.encoders import ENCODERS
from learning.students import STUDENTS
from learning.students.distillation import Distillation
from learning.students.head import Head
from learning.teachers.calibration import agreement, calibrate
from learning.teachers.types import LabelText, TeacherAnswer, TeacherSchema
from learning.teachers.zero_shot import label_vectors
from learning.types import TrainingData, no_report

# (set, labels of each class that people gave, where the soft rows come from)
Cell = tuple[str, int, str]
MODEL, STUDENT, TUNED = "language model", "another project's head", "contrastive"
QUICK: tuple[Cell, ...] = (
    *(("gwsd_gpt", shots, MODEL) for shots in (8, 16, 32, 64)),
    *(("sib200_a", shots, MODEL) for shots in (4, 8)),
    *(("css_emotion", shots, MODEL) for shots in (8, 16)),
    *(("css_politeness", shots, MODEL) for shots in (8, 16)),
    *((name, shots, STUDENT) for name in ("trec6", "ag_news") for shots in (8, 32)),
    *(("banking77", shots, STUDENT) for shots in (4, 8)),
)
FULL: tuple[Cell, ...] = (("trec6", 8, TUNED), ("ag_news", 8, TUNED), ("banking77", 4, TUNED))
CELLS = {"quick": QUICK, "full": QUICK + FULL}
SEEDS = 5
ROWS = 2_000  # soft rows at most
TEXTS, TESTED = 1_000, 500  # soft rows and tests of a tuned encoder, which reads slowly
HELD = 1_000  # of 4,000, to test heads on
RICH = {"banking77": 20}  # labels of each class that another project's head had; else 64
AUDITED = 60  # answers on which a language model is calibrated
BESIDE = 0.3  # weight where soft rows are learnt together with the lesson
WAYS = ("voice", "alone", "together", "distilled", *forms.FORMS)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A lesson, soft rows, how often the voice is right, and vectors of texts that nobody met with their
    labels."""

    lesson: TrainingData
    soft: TrainingData
    voice: float
    tested: NDArray[np.float32]
    truth: NDArray[np.int64]


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, and tell what distillation buys in the mean and at worst."""
    print("\n| set | labels per class | voice | " + " | ".join(WAYS[1:]) + " |")
    print("| --- " * (len(WAYS) + 2) + "|")
    bought = []
    for cell in CELLS[grid]:
        scores = _cell(cell)
        if not scores:
            print(f"| {cell[0]} | {cell[1]} | {cell[2]}: not run |", flush=True)
            continue
        mean = {way: float(np.mean([one[way] for one in scores])) for way in WAYS}
        told = " | ".join(f"{mean[way]:.3f}" for way in WAYS[1:])
        print(f"| {cell[0]} | {cell[1]} | {cell[2]}: {mean['voice']:.3f} | {told} |", flush=True)
        bought.append(100 * (mean["distilled"] - mean["alone"]))
    return gains("students.distilled", bought, least=-1.0)


def _cell(cell: Cell) -> list[dict[str, float]]:
    """Way -> score, by seed; seeds that a small set has not enough rows for are left out."""
    name, shots, source = cell
    code = code_hash(
        *CODE,
        "learning/students/distillation.py",
        "bench/students/distilled.py",
        "bench/students/forms.py",
    )
    place = f"students/distilled/{name}-{shots}-{source.split()[0]}"
    found = [kept(f"{place}-{seed}", code, partial(_measure, cell, seed)) for seed in range(SEEDS)]
    return [one for one in found if one]


def _measure(cell: Cell, seed: int) -> dict[str, float]:
    name, shots, source = cell
    task = MADE[source](name, shots, seed)
    if task is None:
        return {}
    rng = lambda: np.random.default_rng(seed)  # noqa: E731 - each way has the same chance
    plan = Distillation()
    alone = Head().fit(task.lesson, rng(), no_report)
    heads = {
        "alone": alone,
        "together": Head().settle(alone).fit(_together(task), rng(), no_report),
        "distilled": plan.fit(Head(), task.lesson, task.soft, rng()),
    }
    strength = plan.taught(Head(), task.lesson, task.soft, rng()).choice.strength
    for form in forms.FORMS:
        taught = forms.learn(form, task.soft, strength, plan.prior_scale)
        heads[form] = Head().fit_towards(taught, task.lesson, rng(), no_report)
    scores = {way: _right(head.predict(task.tested), task.truth) for way, head in heads.items()}
    return {"voice": task.voice, **scores}


def _together(task: Task) -> TrainingData:
    """Soft rows as further rows of the lesson, of less weight."""
    lesson, soft = task.lesson, task.soft
    weights = np.ones(soft.rows) if soft.weights is None else soft.weights
    return replace(
        lesson,
        targets=np.vstack([lesson.targets, soft.targets]),
        encodings=np.vstack([np.asarray(lesson.encodings), np.asarray(soft.encodings)]),
        texts=None,
        weights=np.concatenate([np.ones(lesson.rows), BESIDE * weights]).astype(np.float32),
    )


def _tuned(name: str, shots: int, seed: int) -> Task | None:
    """The voice is an encoder tuned on the texts of the lesson."""
    data, rng = load(name, "quick"), np.random.default_rng([seed, 7])
    rows = data.draw(shots, seed)
    rest = np.setdiff1d(np.arange(len(data.texts)), rows)
    texts = [data.texts[row] for row in np.sort(rng.choice(rest, TEXTS, replace=False))]
    lesson, tested = data.lesson(rows), data.test_texts[:TESTED]
    voice = STUDENTS.create("contrastive").fit(lesson, np.random.default_rng(seed), no_report)
    said, truth = voice.predict(texts), data.test_targets[:TESTED].argmax(axis=1)
    lesson = replace(lesson, texts=None, label_texts=None)
    return Task(
        lesson=lesson,
        soft=replace(lesson, targets=_shares(said), encodings=encode(texts), weights=_sure(said)),
        voice=_right(voice.predict(tested), truth),
        tested=encode(tested),
        truth=truth,
    )


def _of_head(name: str, shots: int, seed: int) -> Task | None:
    """The voice is a head of the same vectors that had RICH labels of each class elsewhere."""
    data, rng = load_recorded(name), np.random.default_rng([seed, shots])
    order, truth = rng.permutation(data.rows), data.truth.argmax(axis=1)
    tested, left = order[:HELD], order[HELD:]
    rows, left = _take(left, truth, shots)
    learnt, left = _take(left, truth, RICH.get(name, 64))
    encodings = np.asarray(data.items.encodings, dtype=np.float32)
    lesson = TrainingData(
        targets=data.truth[rows],
        encodings=encodings[rows],
        label_vectors=_names(name, data, encodings[left]),
    )
    theirs = replace(lesson, targets=data.truth[learnt], encodings=encodings[learnt])
    voice = Head().fit(theirs, np.random.default_rng(seed), no_report)
    said = voice.predict(encodings[left[:ROWS]])
    return Task(
        lesson=lesson,
        soft=replace(lesson, targets=said, encodings=encodings[left[:ROWS]], weights=_sure(said)),
        voice=_right(voice.predict(encodings[tested]), truth[tested]),
        tested=encodings[tested],
        truth=truth[tested],
    )


def _take(
    order: NDArray[np.int64], truth: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the first so many rows of each class, the others), in this order."""
    kept = np.zeros(len(order), dtype=np.bool_)
    for label in np.unique(truth):
        kept[np.flatnonzero(truth[order] == label)[:count]] = True
    return order[kept], order[~kept]


def _right(said: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float((said.argmax(axis=1) == truth).mean())


def _recorded(name: str, shots: int, seed: int) -> Task | None:
    """Half of the set to test on, of the other half some answered by people and the rest by the model,
    whose confidence is calibrated on AUDITED items. Translations of a text go together."""
    data, rng = load_recorded(name), np.random.default_rng([seed, shots])
    groups = rng.permutation(np.unique(data.groups))
    held = np.isin(data.groups, groups[: len(groups) // 2])
    pool = rng.permutation(np.flatnonzero(~held))
    audited, rest = pool[:AUDITED], pool[AUDITED:]
    first = np.sort(np.unique(data.groups[rest], return_index=True)[1])
    truth, single = data.truth.argmax(axis=1), rest[first]  # a person reads a text once
    given = [single[truth[single] == label][:shots] for label in range(data.truth.shape[1])]
    if min(map(len, given)) < shots:
        return None
    rows = np.concatenate(given)
    left = rest[~np.isin(data.groups[rest], data.groups[rows])]
    numbers, said = _read(name, data, audited, left[data.items.answered[left]][:ROWS])
    encodings = np.asarray(data.items.encodings, dtype=np.float32)
    lesson = TrainingData(
        targets=data.truth[rows],
        encodings=encodings[rows],
        label_vectors=_names(name, data, encodings[pool]),
    )
    tested = np.flatnonzero(held)
    heard = tested[data.items.answered[tested]]
    return Task(
        lesson=lesson,
        soft=replace(lesson, targets=said, encodings=encodings[numbers], weights=_sure(said)),
        voice=_right(data.items.teacher[heard], truth[heard]),
        tested=encodings[tested],
        truth=truth[tested],
    )


def _read(
    name: str, data: RoutingSet, audited: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(m,) rows and (m, k) calibrated probabilities of what the model said there."""
    schema, others = _schema(name, data), voices_of(name)
    audited = audited[data.items.answered[audited]]
    said = {int(row): _answer(data, int(row)) for row in (*audited, *numbers)}
    shares = {
        row: agreement(one, [_plain(row, voice) for voice in others]) for row, one in said.items()
    }
    fitted = calibrate(
        [said[int(row)] for row in audited],
        data.truth[audited],
        schema,
        agreements=[shares[int(row)] for row in audited],
    )
    found = [
        (row, fitted.probabilities(said[row], schema, shares[row])) for row in numbers.tolist()
    ]
    told = [(row, p) for row, p in found if p is not None]
    return np.array([row for row, _ in told]), _shares(np.stack([p for _, p in told]))


def _answer(data: RoutingSet, row: int) -> TeacherAnswer:
    sure = None if data.items.confidence is None else data.items.confidence[row]
    confidence = None if sure is None or not np.isfinite(sure) else float(sure)
    return replace(_plain(row, data.items.teacher), confidence=confidence)


def _plain(row: int, voice: NDArray[np.float32]) -> TeacherAnswer:
    if not voice[row].any():
        return TeacherAnswer(number=row, probabilities=None, abstained="It said nothing.")
    return TeacherAnswer(number=row, probabilities=voice[row].astype(np.float32))


def _schema(name: str, data: RoutingSet) -> TeacherSchema:
    called = CALLED.get(name, {})
    names = [called.get(label, label.replace("_", " ")) for label in data.items.label_names]
    labels = tuple(LabelText(id=column, name=label) for column, label in enumerate(names))
    return TeacherSchema(labels=labels)


def _names(name: str, data: RoutingSet, pool: NDArray[np.float32]) -> NDArray[np.float32]:
    encoder = ENCODERS.create("minilm").fit([])
    return label_vectors(list(_schema(name, data).labels), encoder, pool)


def _shares(said: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(said / said.sum(axis=1, keepdims=True), dtype=np.float32)


def _sure(said: NDArray[np.float32]) -> NDArray[np.float32]:
    """One weight for all: how sure the voice is on average, which is how right it is if calibrated."""
    return np.full(len(said), said.max(axis=1).mean(), dtype=np.float32)


MADE = {MODEL: _recorded, STUDENT: _of_head, TUNED: _tuned}
