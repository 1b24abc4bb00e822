"""Replay a labelled file through the loop: encode, select, label, train; the curve comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.errors import InvalidError
from annotator.formats import FORMATS, FormatError, Problem, Record
from annotator.formats.mapping import Mapped, Mapping, mapped
from annotator.formats.preview import preview
from annotator.formats.records import RowError

if TYPE_CHECKING:
    from learning.simulation import Replay

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to replay and how. `test_share` is used where no `test` file is given.

    `text` and `label` name columns; empty ones are guessed. `rows` limits what is read, 0 not.
    """

    file: Path
    test: Path | None = None
    test_share: float = 0.2
    text: str = ""
    label: str = ""
    rows: int = 0
    encoder: str = "minilm"
    encoder_params: dict[str, Any] = field(default_factory=dict)
    student: str = "head"
    strategy: str = "margin"
    start: int = 50
    batch: int = 50
    labels: int = 1_000
    seeds: int = 1


@dataclass
class _Set:
    """Items with their labels, and how many rows had none or could not be read."""

    items: list[Any] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    left_out: int = 0


def simulate(plan: Plan, report: Report) -> Iterator[dict[str, Any]]:
    """Yield one point of the curve after the other, seed by seed, as JSON has it."""
    import numpy as np

    from learning import simulation
    from learning.metrics import wilson

    replay, loop = _prepared(plan, report)
    schedule = simulation.Schedule(
        start=min(plan.start, plan.labels), batch=plan.batch, budget=plan.labels
    )
    tested = len(replay.test_targets)
    for seed in range(plan.seeds):
        for point in simulation.simulate(replay, loop, schedule, np.random.default_rng(seed)):
            low, high = wilson(round(point.accuracy * tested), tested)
            yield {
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


def _prepared(plan: Plan, report: Report) -> tuple[Replay, Any]:
    from learning import simulation
    from learning.selection import STRATEGIES
    from learning.students import STUDENTS
    from learning.tasks import TASKS

    pool, test = _pool_and_test(plan, report)
    names = sorted({name for labels in pool.labels + test.labels for name in labels})
    multi = any(len(labels) != 1 for labels in pool.labels + test.labels)
    if len(names) < 2:
        raise InvalidError("The file has fewer than two different labels.")
    task = TASKS["multi" if multi else "single"]()
    cold = "random" if plan.strategy == "random" else "representatives"
    loop = simulation.Loop(
        task=task,
        student=STUDENTS.create(plan.student),
        cold_start=STRATEGIES.create(cold),
        strategy=STRATEGIES.create(plan.strategy),
        names=(cold, plan.strategy),
    )
    report(f"{len(pool.items):,} items to label, {len(test.items):,} to test, {len(names)} labels")
    return _replay(plan, pool, test, names, loop, report), loop


def _replay(
    plan: Plan, pool: _Set, test: _Set, names: list[str], loop: Any, report: Report
) -> Replay:
    from learning import simulation
    from learning.encoders import ENCODERS
    from learning.tasks import Columns

    report(f"Encoding with {plan.encoder}")
    encoder = ENCODERS.create(plan.encoder, plan.encoder_params)
    ready = encoder.fit(pool.items)
    columns = Columns(label_ids=tuple(range(len(names))))
    number = {name: column for column, name in enumerate(names)}

    def targets(labels: list[tuple[str, ...]]) -> Any:
        return loop.task.encode([[number[name] for name in each] for each in labels], columns)

    texts = encoder.modality == "text"
    return simulation.Replay(
        encodings=ready.encode(pool.items),
        targets=targets(pool.labels),
        test_encodings=ready.encode(test.items),
        test_targets=targets(test.labels),
        label_names=tuple(names),
        texts=pool.items if texts else None,
        test_texts=test.items if texts else None,
    )


def _pool_and_test(plan: Plan, report: Report) -> tuple[_Set, _Set]:
    whole = _read(plan.file, plan, report)
    if plan.test is not None:
        return whole, _read(plan.test, plan, report)
    if not 0 < plan.test_share < 1:
        raise InvalidError("The test share lies between 0 and 1.")
    pool, test = _Set(), _Set()
    for item, labels in zip(whole.items, whole.labels, strict=True):
        chosen = test if _place(item) < plan.test_share else pool
        chosen.items.append(item)
        chosen.labels.append(labels)
    if not pool.items or not test.items:
        raise InvalidError("The file is too small to be parted; give --test another file.")
    return pool, test


def _place(item: str | bytes) -> float:
    """A number in [0, 1) by the content alone: equal items are on one side, every time."""
    content = item if isinstance(item, bytes) else item.encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) / 2**64


def _read(path: Path, plan: Plan, report: Report) -> _Set:
    try:
        with path.open("rb") as stream:
            seen = preview(stream, path.name)
            chosen = Mapping.from_json(
                seen.mapping.to_json()
                | ({"text": plan.text} if plan.text else {})
                | ({"label": plan.label} if plan.label else {})
            )
            stream.seek(0)
            found = _collect(FORMATS.create(seen.format).read(stream), chosen, plan.rows)
    except FormatError as error:
        raise InvalidError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}.") from error
    if not found.items:
        raise InvalidError(
            f"{path} has no labelled row. Name its columns with --text and --label; it has: "
            f"{', '.join(column.name for column in seen.columns)}."
        )
    told = f", {found.left_out:,} without a label left out" if found.left_out else ""
    report(f"{path.name}: {len(found.items):,} rows{told}")
    return found


def _collect(rows: Any, mapping: Mapping, most: int) -> _Set:
    found = _Set()
    for row in rows:
        item = _item(row, mapping)
        if item is None:
            found.left_out += 1
            continue
        found.items.append(_content(item))
        found.labels.append(tuple(dict.fromkeys(x for one in item.given for x in one.labels)))
        if most and len(found.items) >= most:
            break
    rows.close()
    return found


def _item(row: Record | Problem, mapping: Mapping) -> Mapped | None:
    """What the row holds; None for one that cannot be read or that nobody labelled."""
    if isinstance(row, Problem):
        return None
    try:
        item = mapped(row, mapping)
    except RowError:
        return None
    return item if item.given else None


def _content(item: Mapped) -> str | bytes:
    from learning.encoders import pair

    return item.image if item.image is not None else pair(item.text, item.text_b)
