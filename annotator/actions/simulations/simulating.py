"""Replay a labelled file through the loop: encode, select, label, train; the curves come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from annotator.actions.simulations import labelled, marked_files
from annotator.actions.simulations.labelled import Labelled
from annotator.actions.simulations.simulations import NOT_REPLAYED
from annotator.actions.students.recipes import registry_of
from annotator.errors import InvalidError

if TYPE_CHECKING:
    from learning.comparison import Mean, Run
    from learning.simulation import CurvePoint, Loop, Replay, Replayed

Report = Callable[[str], None]

# The least of each number of a plan.
FEWEST = {"seeds": 1, "start": 1, "batch": 1, "labels": 1, "rows": 0}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to replay and how. `test_share` is used where no `test` file is given.

    `text` and `label` name columns; empty ones are guessed. `rows` limits what is read, 0 not.
    Without a `student` it is the quick one of the file's task.
    `strategies` are compared, all from `cold_start`; without them only `strategy` is replayed.
    """

    file: Path
    test: Path | None = None
    test_share: float = labelled.TEST_SHARE
    text: str = ""
    label: str = ""
    rows: int = 0
    encoder: str = "minilm"
    encoder_params: dict[str, Any] = field(default_factory=dict)
    student: str = ""
    strategy: str = "mixed"
    strategies: tuple[str, ...] = ()
    cold_start: str = ""
    start: int = 50
    batch: int = 50
    labels: int = 1_000
    seeds: int = 1


def simulate(plan: Plan, report: Report) -> Iterator[dict[str, Any]]:
    """Yield one point of the curve after the other, seed by seed, as JSON has it.

    With `strategies`, a point says in `run` whose curve it is on, and at the end there is one
    line for each strategy that compares it with the others.
    """
    _check(plan)
    with TemporaryDirectory() as folder:  # for the words of texts whose places are marked
        replay, task = _prepared(plan, Path(folder), report)
        chosen = replace(plan, student=plan.student or task.students[0])
        _check_fit(chosen, task)
        yield from _curves(chosen, replay, task)


def _check(plan: Plan) -> None:
    """Refuse what no file could make right, before one is read."""
    from learning.selection import STRATEGIES

    known = [name for name in STRATEGIES if name not in NOT_REPLAYED]
    for strategy in plan.strategies or (plan.strategy,):
        if strategy in NOT_REPLAYED:
            raise InvalidError(f"“{strategy}” cannot be replayed: {NOT_REPLAYED[strategy]}.")
        if strategy not in known:
            told = f"There is no strategy “{strategy}”; there are: {', '.join(known)}."
            raise InvalidError(told, field="strategies")
    if len(set(plan.strategies)) != len(plan.strategies):
        raise InvalidError("A strategy is named twice.", field="strategies")
    if plan.student and plan.student not in (students := _students()):
        told = f"There is no student “{plan.student}”; there are: {', '.join(students)}."
        raise InvalidError(told, field="student")
    for name, least in FEWEST.items():
        if getattr(plan, name) < least:
            told = f"--{name} is {least} or more, not {getattr(plan, name)}."
            raise InvalidError(told, field=name)
    if plan.test is None and not 0 < plan.test_share < 1:
        raise InvalidError("The test share lies between 0 and 1.", field="test_share")


def _students() -> list[str]:
    """Who may learn from a file: its items have one label, several, or marked places."""
    from learning.replayed import taught_task
    from learning.tasks import TASKS

    tasks: list[Any] = [TASKS["single"], TASKS["multi"], taught_task("spans")]
    return list(dict.fromkeys(name for task in tasks for name in task.students))


def _check_fit(plan: Plan, task: Any) -> None:
    """Refuse a student or a strategy of other answers than the file's, such as one for grades."""
    if plan.student not in task.students:
        raise InvalidError(f"A student is one of {', '.join(task.students)}.", field="student")
    for strategy in plan.strategies or (plan.strategy,):
        if strategy not in task.strategies:
            fitting = ", ".join(name for name in task.strategies if name not in NOT_REPLAYED)
            raise InvalidError(
                f"“{strategy}” does not fit the answers of the file; these do: {fitting}."
            )


def _curves(plan: Plan, replay: Replayed, task: Any) -> Iterator[dict[str, Any]]:
    import numpy as np

    from learning import simulation

    schedule = simulation.Schedule(
        start=min(plan.start, plan.labels), batch=plan.batch, budget=plan.labels
    )
    runs: list[Run] = []
    for seed in range(plan.seeds):
        for strategy in plan.strategies or (plan.strategy,):
            loop = _loop(plan, task, strategy)
            points = []
            for point in simulation.simulate(replay, loop, schedule, np.random.default_rng(seed)):
                points.append(point)
                told = _told(plan, seed, point, replay.sizes[1])
                more = {"run": strategy, "pick_seconds": round(point.pick_seconds, 4)}
                yield told | more if plan.strategies else told
            runs.append(run_of(strategy, seed, points))
    if plan.strategies:
        full = simulation.full_figures(
            replay, _loop(plan, task, plan.strategies[0]), np.random.default_rng(0)
        )
        simplest = "random" if "random" in plan.strategies else plan.strategies[0]
        yield from comparison_lines(runs, full["score"], simplest)


def run_of(strategy: str, seed: int, points: list[CurvePoint]) -> Run:
    """A replayed curve as it is compared; picks are those of the strategy, not the cold start's."""
    from learning.comparison import Run

    picks = [point.pick_seconds for point in points[1:]]
    return Run(
        strategy=strategy,
        seed=seed,
        labels=[point.labels for point in points],
        scores=[point.score for point in points],
        pick_seconds=sum(picks) / len(picks) if picks else None,
    )


def comparison_lines(
    runs: list[Run], full_score: float | None, current: str
) -> Iterator[dict[str, Any]]:
    """One line for each strategy, best first; `recommended` marks the one to use."""
    from learning.comparison import advise, compare

    advice = advise(runs, current)
    for one in compare(runs, full_score):
        low, high = one.area.low, one.area.high
        yield {
            "comparison": one.strategy,
            "seeds": len(one.seeds),
            "area": round(one.area.value, 6),
            "low": None if low is None else round(low, 6),
            "high": None if high is None else round(high, 6),
            "full": None if full_score is None else round(full_score, 6),
            **{
                f"labels_to_{share * 100:.0f}": None if count is None else round(count, 1)
                for share, count in one.labels_to.items()
            },
            "reached_at_start": [
                f"labels_to_{share * 100:.0f}"
                for share in one.labels_to
                if one.from_the_start(share)
            ],
            "pick_seconds": None if one.pick_seconds is None else round(one.pick_seconds, 4),
            "difference_to_random": mean_as_json(one.difference),
            "recommended": one.strategy == advice.strategy,
        }


def mean_as_json(mean: Mean | None) -> dict[str, Any] | None:
    """A mean with its interval as JSON has it."""
    if mean is None:
        return None
    low, high = mean.low, mean.high
    return {
        "value": round(mean.value, 6),
        "low": None if low is None else round(low, 6),
        "high": None if high is None else round(high, 6),
        "count": mean.count,
    }


def _told(plan: Plan, seed: int, point: CurvePoint, tested: int) -> dict[str, Any]:
    from learning.metrics import wilson

    low, high = wilson(round(point.accuracy * tested), tested)
    return {
        "seed": seed,
        "labels": point.labels,
        "accuracy": round(point.accuracy, 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "tested": tested,
        "strategy": point.strategy,
        "encoder": plan.encoder,
        "student": plan.student,
        "metrics": {name: round(value, 6) for name, value in point.metrics.items()},
        "seconds": round(point.seconds, 4),
    }


def _loop(plan: Plan, task: Any, strategy: str) -> Loop:
    from learning.selection import STRATEGIES
    from learning.simulation import Loop

    alone = "random" if strategy == "random" and not plan.strategies else "representatives"
    cold = plan.cold_start or alone
    return Loop(
        task=task,
        student=registry_of(plan.student).create(plan.student),
        cold_start=STRATEGIES.create(cold),
        strategy=STRATEGIES.create(strategy),
        names=(cold, strategy),
    )


def _prepared(plan: Plan, folder: Path, report: Report) -> tuple[Replayed, Any]:
    from learning.tasks import TASKS

    pool, test = _pool_and_test(plan, report)
    if any(pool.spans):
        return _marked(plan, (pool, test), folder, report)
    names = sorted({name for labels in pool.labels + test.labels for name in labels})
    multi = any(len(labels) != 1 for labels in pool.labels + test.labels)
    if len(names) < 2:
        raise InvalidError("The file has fewer than two different labels.")
    task = TASKS["multi" if multi else "single"]()
    report(f"{len(pool.items):,} items to label, {len(test.items):,} to test, {len(names)} labels")
    return _replay(plan, pool, test, names, task, report), task


def _marked(
    plan: Plan, parts: tuple[Labelled, Labelled], folder: Path, report: Report
) -> tuple[Replayed, Any]:
    """A file whose rows mark places of their texts."""
    import numpy as np

    from learning.encoders import ENCODERS
    from learning.replayed import ValueReplay, taught_task

    task, known = taught_task("spans"), []
    names = marked_files.names_in(*parts)
    report(f"Encoding with {plan.encoder}")
    ready = ENCODERS.create(plan.encoder, plan.encoder_params).fit(parts[0].items)
    for part, place in zip(parts, ("pool", "test"), strict=True):
        kept, values = marked_files.read(task, part, names)
        told = f"{len(values):,} marked texts to {'label' if place == 'pool' else 'test'}"
        report(f"{told}, {kept.left_out:,} rows left out" if kept.left_out else told)
        words = marked_files.read_words(folder / place, ready, kept.items, lambda done: None)
        rows = np.arange(len(values))
        known.append(task.known_of(words, rows, values, len(names), kept.items))
        part.items = kept.items
    pool, test = known
    replay = ValueReplay(
        pool=pool,
        test=test,
        encodings=ready.encode(parts[0].items),
        label_names=tuple(names),
    )
    return replay, task


def _replay(
    plan: Plan, pool: Labelled, test: Labelled, names: list[str], task: Any, report: Report
) -> Replay:
    from learning import simulation
    from learning.encoders import ENCODERS
    from learning.tasks import Columns
    from learning.teachers.types import LabelText
    from learning.teachers.zero_shot import label_vectors

    report(f"Encoding with {plan.encoder}")
    encoder = ENCODERS.create(plan.encoder, plan.encoder_params)
    ready = encoder.fit(pool.items)
    columns = Columns(label_ids=tuple(range(len(names))))
    number = {name: column for column, name in enumerate(names)}

    def targets(labels: list[tuple[str, ...]]) -> Any:
        return task.encode([[number[name] for name in each] for each in labels], columns)

    texts = encoder.modality == "text"
    encodings = ready.encode(pool.items)
    labels = [LabelText(id=column, name=name) for column, name in enumerate(names)]
    return simulation.Replay(
        encodings=encodings,
        label_vectors=label_vectors(labels, ready, encodings) if texts else None,
        targets=targets(pool.labels),
        test_encodings=ready.encode(test.items),
        test_targets=targets(test.labels),
        label_names=tuple(names),
        texts=pool.items if texts else None,
        test_texts=test.items if texts else None,
    )


def _pool_and_test(plan: Plan, report: Report) -> tuple[Labelled, Labelled]:
    whole = _read(plan.file, plan, report)
    if plan.test is not None:
        return whole, _read(plan.test, plan, report)
    pool, test = Labelled(), Labelled()
    for item, labels, spans in zip(whole.items, whole.labels, whole.spans, strict=True):
        held_out = labelled.place_of(labelled.hash_of(item)) < plan.test_share
        chosen = test if held_out else pool
        chosen.items.append(item)
        chosen.labels.append(labels)
        chosen.spans.append(spans)
    if not pool.items or not test.items:
        raise InvalidError("The file is too small to be parted; give --test another file.")
    return pool, test


def _read(path: Path, plan: Plan, report: Report) -> Labelled:
    found = labelled.read(path, text=plan.text, label=plan.label, rows=plan.rows)
    told = f", {found.left_out:,} without a label left out" if found.left_out else ""
    report(f"{path.name}: {len(found.items):,} rows{told}")
    return found
