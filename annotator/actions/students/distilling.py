"""What a better voice says of items that nobody answered, learned by the head before the answers; and
where no voice is better, what the items alone tell it; and what of another project it begins with.

A teacher or a dearer student is listened to only while it is right on more of the answered evaluation
items than what the answers alone teach, by more than chance. Its soft rows stand beside the lesson and
never in it: nothing that is held out, flagged or estimated is computed from them. No item of the random
sample is among them, drawn or not yet drawn, nor one of the same content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.queue import auditing
from annotator.actions.students import origins, recipes, unanswered, voices, warming
from annotator.models import Encoding, Project, StudentVersion, WarmStart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson
    from annotator.actions.students.voices import Voice
    from learning.audit.promotion import Paired
    from learning.students import Fitted
    from learning.students.head import FittedHead, Head
    from learning.types import TrainingData

# The folder in a version's own for what its answers alone made.
PLAIN = "plain"
# Fewer say too little beside the answers to be worth a second fit.
FEWEST_ROWS = 50
# How often a voice that is no better may be taken for better, whichever of all that were measured.
ALPHA = 0.05
# What a voice weighs that is hardly right at all, but more often than the head.
LEAST_WEIGHT = 0.3
# Tables of probabilities are held in memory.
MOST_LABELS = 1_000


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A student, the one that the answers alone make where it learned from more, and what is told of it."""

    fitted: Fitted
    plain: Fitted | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """The student; its manifest tells by what it was taught. Beside it what the answers alone make,
        where others' agreement with it must not be its own echo."""
        from learning.storage import note

        self.fitted.save(folder)
        if self.plain is not None:
            note(folder, {"beside": self.told})
            self.plain.save(folder / PLAIN)

    @property
    def alone(self) -> Fitted:
        """What the answers alone make."""
        return self.fitted if self.plain is None else self.plain

    def is_as(self, told: dict[str, Any]) -> bool:
        """Whether a version of which this is told learned the same beside the same answers."""
        return _beside(self.told) == _beside(told)

    def without_start(self, why: str) -> dict[str, Any]:
        """What is told where something else than the warm start is kept."""
        start = self.told.get("warm")
        return {**self.told, "warm": {**start, "used": False, "why": why}} if start else self.told


def _beside(told: dict[str, Any]) -> list[Any]:
    """What was learned beside the answers: soft rows, unanswered items, and what it began with."""
    start = told.get("warm", {})
    began = (start.get("choice"), start.get("rows"), start.get("labels"), start.get("source"))
    alone = told.get("unanswered", {}).get("digest")
    return [told.get("weight"), told.get("digest"), alone, began if start.get("used") else None]


def plain_folder(version: StudentVersion) -> Path:
    """Where what a version's answers alone made lies: itself, where it learned from nothing else, or
    where nobody asks for it, as of rankers."""
    folder = students_folder(version.project_id) / version.folder
    beside = version.beside
    more = beside.get("rows") or beside.get("unanswered", {}).get("rows")
    more = more or beside.get("warm", {}).get("used")
    return folder / PLAIN if more and version.kind == "head" else folder


def name_of(voice: dict[str, Any]) -> str:
    """The name that a voice had when it taught."""
    return f"student {voice['student']}" if "student" in voice else str(voice["name"])


def learned(version: StudentVersion) -> str:
    """“learned also from 2,000 soft rows of student 7 (weight 0.82)”, or from items alone, or what it began
    with, or nothing."""
    beside = version.beside
    if (start := beside.get("warm", {})).get("used"):
        return (
            f"began with {start['labels']:,} label{'' if start['labels'] == 1 else 's'} of "
            f"“{start['source']}”, learned from {start['rows']:,} answered items there"
        )
    if not beside.get("rows"):
        rows = beside.get("unanswered", {}).get("rows")
        return f"learned also from {rows:,} items that nobody answered" if rows else ""
    return (
        f"learned also from {beside['rows']:,} soft rows of {name_of(beside['voice'])} "
        f"(weight {beside['weight']:.2g})"
    )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The answered evaluation items, with (m, d) vectors, (m, k) truth, and (m,) how right a voice is."""

    numbers: list[int]
    vectors: NDArray[np.float32]
    truth: NDArray[np.bool_]
    right: NDArray[np.float64]
    multi_label: bool

    def part(self, rows: NDArray[np.int64]) -> Sample:
        return replace(
            self,
            numbers=[self.numbers[row] for row in rows],
            vectors=self.vectors[rows],
            truth=self.truth[rows],
            right=self.right[rows],
        )

    def saying(self, said: NDArray[np.float32]) -> Sample:
        """The same with how right these (m, k) probabilities are."""
        import numpy as np

        from learning.audit.promotion import scores

        chosen = said >= 0.5
        if not self.multi_label:
            chosen = np.arange(said.shape[1]) == said.argmax(axis=1)[:, None]
        return replace(self, right=scores(self.truth, chosen))

    def of(self, head: FittedHead) -> Sample:
        return self.saying(head.predict(self.vectors))

    def against(self, other: Sample) -> Paired:
        import numpy as np

        from learning.audit.promotion import compare

        return compare(self.right, other.right, np.random.default_rng(len(self.numbers)))


@dataclass(frozen=True, kw_only=True)
class Best:
    """A voice, how it does beside the head, what its soft rows weigh, and of how many it is the best."""

    voice: Voice
    paired: Paired
    weight: float
    among: int = 1

    @property
    def is_surely_better(self) -> bool:
        """By more than chance, which lifts the best of several by Bonferroni no more than one alone."""
        return self.paired.p_better <= ALPHA / self.among


def teach(
    run: jobs.Run, project: Project, encoding: Encoding, lesson: Lesson, plain: Fitted
) -> Taught:
    """The head that learned from the best voice too; or, where none is better, from how unanswered items
    lie; or `plain` and why it stays. Other students stay as they are.

    It stays as well where it is right on more of the evaluation items than the one that learned more.
    """
    from learning.students.head import FittedHead

    alone = Taught(fitted=plain)
    if not isinstance(plain, FittedHead) or len(lesson.columns) > MOST_LABELS:
        return alone
    start = warming.start_of(project)
    if start is None and not project.soft_rows:
        return alone
    sample = _sample(project, encoding, lesson, plain)
    if start is not None:
        alone = _begun(run, project, encoding, lesson, sample, alone, start)
        if isinstance(alone.fitted, FittedHead):
            sample = sample.of(alone.fitted)
    if not project.soft_rows:
        return alone
    found = voices.of(project, lesson.columns)
    taught = _by_voice(run, project, encoding, lesson, sample, alone, found) if found else alone
    if "rows" in taught.told:
        return taught
    return _by_itself(run, project, encoding, lesson, sample, taught)


def _begun(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    sample: Sample,
    alone: Taught,
    start: WarmStart,
) -> Taught:
    """A warm start is kept where the sample can tell that it does no harm; until there are enough answers in
    it, unless held-out answers of the lesson speak against it."""
    from learning.students.head import FittedHead

    told = warming.told(start)
    if why := warming.unfit(project, encoding, start):
        return replace(alone, told={"warm": {**told, "why": why}})
    measured = len(sample.numbers) >= auditing.FEWEST_TO_SHOW
    plain = alone.fitted if measured and isinstance(alone.fitted, FittedHead) else None
    begun = warming.begun(run, project, lesson, start, _head(project), plain)
    if begun is None:
        return replace(alone, told={"warm": {**told, "why": "labels"}})
    told["choice"] = asdict(begun.head.choice)
    if measured:
        bought = sample.of(begun.head).against(sample)
        told["bought"] = asdict(bought)
        harms = bought.difference < 0
    else:
        told["held_out"] = None if begun.cost is None else not begun.is_refuted
        harms = begun.is_refuted
    if harms:
        return replace(alone, told={"warm": {**told, "why": "harm"}})
    return Taught(
        fitted=begun.head, plain=alone.fitted, told={"warm": {**told, "used": True, "why": ""}}
    )


def _by_voice(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    sample: Sample,
    alone: Taught,
    found: Sequence[Voice],
) -> Taught:
    missing = auditing.FEWEST_TO_SHOW - len(sample.numbers)
    best = None if missing > 0 else _best(sample, found)
    if best is None:
        return replace(alone, told={**alone.told, "missing": max(missing, 0)})
    told = {**alone.told, "voice": best.voice.told, "better": asdict(best.paired)}
    if not best.is_surely_better:
        return replace(alone, told=told)
    numbers, soft = _soft(project, encoding, lesson, best)
    if len(numbers) < FEWEST_ROWS:
        return replace(alone, told={**told, "found": len(numbers)})
    taught = _fit(run, project, lesson, soft)
    bought = sample.of(taught).against(sample)
    if bought.difference < 0:
        return replace(alone, told={**told, "bought": asdict(bought)})
    told |= alone.without_start("voice")
    told |= {
        "rows": len(numbers),
        "weight": round(best.weight, 4),
        "digest": _digest(numbers, soft),
        "cutoff": project.audit_cutoff,
        "bought": asdict(bought),
    }
    return Taught(fitted=taught, plain=alone.alone, told=told)


def _by_itself(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    sample: Sample,
    alone: Taught,
) -> Taught:
    """What unanswered items teach is kept where the sample can tell that it does no harm; in place of a warm
    start where it does better."""
    from learning.students.head import FittedHead

    plain = alone.alone
    if len(sample.numbers) < auditing.FEWEST_TO_SHOW or not isinstance(plain, FittedHead):
        return alone
    made = unanswered.learned(run, encoding, lesson, _head(project), plain)
    if made is None:
        return alone
    numbers, head = made
    bought = sample.of(head).against(sample)
    told: dict[str, Any] = {"bought": asdict(bought)}
    if bought.difference < 0 or (alone.plain is not None and bought.difference == 0):
        return replace(alone, told={**alone.told, "unanswered": told})
    told |= {"rows": len(numbers), "digest": _digest_of(numbers)}
    told = {**alone.without_start("unanswered"), "unanswered": told, "cutoff": project.audit_cutoff}
    return Taught(fitted=head, plain=plain, told=told)


def _sample(project: Project, encoding: Encoding, lesson: Lesson, plain: FittedHead) -> Sample:
    """What the lesson was kept from and people answered, as far as it has vectors."""
    import numpy as np

    from learning.tasks import TASKS

    answered = [(n, labels) for n, labels in lesson.audited if n < encoding.rows]
    task = TASKS[project.task_type]()
    truth = task.encode([labels for _, labels in answered], lesson.columns)
    usable = np.asarray(task.usable(truth))
    numbers = [number for (number, _), kept in zip(answered, usable, strict=True) if kept]
    made = Sample(
        numbers=numbers,
        vectors=unanswered.vectors_of(encoding, numbers),
        truth=truth[usable] > 0.5,
        right=np.zeros(len(numbers)),
        multi_label=project.multi_label,
    )
    return made.of(plain)


def _best(sample: Sample, found: Sequence[Voice]) -> Best | None:
    """The voice that is furthest ahead of the head, of those that surely are if any is; None where none
    was measured on enough items."""
    import numpy as np

    measured: list[Best] = []
    for voice in found:
        fair = set(voice.fair(sample.numbers))
        rows = np.array([r for r, number in enumerate(sample.numbers) if number in fair], np.int64)
        if len(rows) < auditing.FEWEST_TO_SHOW:
            continue
        part = sample.part(rows)
        said = part.saying(voice.words(part.numbers))
        weight = min(max(voice.trust * float(said.right.mean()), LEAST_WEIGHT), 1.0)
        measured.append(Best(voice=voice, paired=said.against(part), weight=weight))
    together = [replace(one, among=len(measured)) for one in measured]
    return max(
        together, key=lambda one: (one.is_surely_better, one.paired.difference), default=None
    )


def _soft(
    project: Project, encoding: Encoding, lesson: Lesson, best: Best
) -> tuple[list[int], TrainingData]:
    """(item numbers, soft rows) of what nobody answered and the voice has a word on."""
    import numpy as np

    from learning.types import TrainingData

    numbers, vectors = unanswered.drawn(project, encoding, lesson, best.voice.spoken)
    known = np.tile(best.voice.known, (len(numbers), 1))
    return numbers, TrainingData(
        targets=np.where(known, best.voice.words(numbers), 0),
        encodings=vectors,
        weights=np.full(len(numbers), best.weight, dtype=np.float32),
        known=known,
        multi_label=project.multi_label,
        ordered=lesson.data.ordered,
        label_vectors=lesson.data.label_vectors,
        paired=lesson.data.paired,
        sided=lesson.data.sided,
    )


def _fit(run: jobs.Run, project: Project, lesson: Lesson, soft: TrainingData) -> FittedHead:
    import numpy as np

    from learning.students.distillation import Distillation

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Learning from a better voice")

    rng = np.random.default_rng([*origins.seed_of(project.pk, lesson), soft.rows])
    return Distillation().fit(_head(project), lesson.data, soft, rng, report)


def _head(project: Project) -> Head:
    from learning.students.head import Head

    return Head(**recipes.ways_of(project))


def _digest(numbers: list[int], soft: TrainingData) -> str:
    """Over which items were learned from and what was said of them."""
    import numpy as np

    said = np.ascontiguousarray(soft.targets, dtype=np.float32).tobytes()
    return _digest_of(numbers, said)


def _digest_of(numbers: list[int], said: bytes = b"") -> str:
    import numpy as np

    return hashlib.sha256(np.array(numbers, dtype=np.int64).tobytes() + said).hexdigest()
