"""What a teacher says of lists that nobody ordered, learned by the ranker beside people's orders.

A teacher is listened to only while its orders meet more of the answered evaluation items than those of the
ranker that people's orders alone make, by more than chance, and kept only where what they teach does so too. Its
orders stand beside the lesson and never in it: nothing that is held out, flagged or estimated is computed
from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.queue import auditing
from annotator.actions.students import distilling, origins, unanswered
from annotator.actions.teachers import identity, lending
from annotator.models import Annotation, Encoding, Teacher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.ordering import OrderLesson
    from learning.audit.promotion import Paired
    from learning.rankers import Lists, Ranked, Ranker


# How often orders that teach nothing may be kept. A ranker reads two vectors, and what a teacher knows may
# not be in them: orders that it cannot learn cost more than a head's labels do (`docs/students.md`).
BOUGHT_ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A teacher with its standing orders as it is set up now, by item number."""

    teacher: Teacher
    words: dict[int, Any]

    @property
    def told(self) -> dict[str, Any]:
        return {"teacher": self.teacher.pk, "name": self.teacher.name}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A voice beside the ranker on the items of the sample that it ordered; its orders' weight."""

    voice: Voice
    paired: Paired
    weight: float


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What people decided on the evaluation items, and a ranker's lesson and pool."""

    run: jobs.Run
    lists: Lists
    lesson: OrderLesson
    ranker: Ranker
    truth: dict[int, Any]

    def fitted(self, data: Ranked) -> dict[int, Any]:
        """The orders of the sample by a ranker that learned from `data`, as the version will."""
        import numpy as np

        rng = np.random.default_rng(origins.seed_of(self.run.project.pk, self.lesson))
        numbers = np.array(sorted(self.truth), dtype=np.int64)
        fitted = self.ranker.fit(data, rng, lambda at, of: self.run.check())
        said = fitted.order(self.lists.subset(numbers))
        return {int(number): {"order": said.order(at)} for at, number in enumerate(numbers)}

    def right(self, words: dict[int, Any], numbers: Sequence[int]) -> NDArray[np.float64]:
        """(n,) the share of pairs that stand as people decided."""
        from learning.rankers.scores import right_pairs

        found = right_pairs([self.truth[n] for n in numbers], [words[n] for n in numbers])
        shares: NDArray[np.float64] = found[:, 0] / found[:, 1]
        return shares

    def paired(
        self, words: dict[int, Any], others: dict[int, Any], numbers: Sequence[int]
    ) -> Paired:
        import numpy as np

        from learning.audit.promotion import compare

        rng = np.random.default_rng(len(numbers))
        return compare(self.right(words, numbers), self.right(others, numbers), rng)


def beside(
    run: jobs.Run, encoding: Encoding, lists: Lists, lesson: OrderLesson, ranker: Ranker
) -> tuple[Ranked, dict[str, Any]]:
    """What the ranker is to learn from, and what a version tells of it; people's orders alone where no
    teacher is better than what these make."""
    voices = _voices(run) if run.project.soft_rows else []
    if not voices:
        return lesson.data, {}
    truth = {number: value for number, value in lesson.audited if number < lists.lists}
    missing = auditing.FEWEST_TO_SHOW - len(truth)
    if missing > 0:
        return lesson.data, {"missing": missing}
    bench = _Bench(run=run, lists=lists, lesson=lesson, ranker=ranker, truth=truth)
    alone = bench.fitted(lesson.data)
    measured = _measured(bench, voices, alone)
    if not measured:
        return lesson.data, {"missing": 0}
    best = max(measured, key=lambda one: (one.paired.difference, -one.voice.teacher.pk))
    told: dict[str, Any] = {"voice": best.voice.told, "better": asdict(best.paired)}
    if best.paired.p_better > distilling.ALPHA / len(measured):
        return lesson.data, told
    numbers, _ = unanswered.drawn(
        run.project,
        encoding,
        lesson,
        lambda free: [n for n in free if n < lists.lists and n in best.voice.words],
    )
    if len(numbers) < distilling.FEWEST_ROWS:
        return lesson.data, {**told, "found": len(numbers)}
    data = _together(lists, lesson, best, numbers)
    bought = bench.paired(bench.fitted(data), alone, sorted(truth))
    told["bought"] = asdict(bought)
    if bought.p_better > BOUGHT_ALPHA:
        return lesson.data, told
    return data, told | {
        "rows": len(numbers),
        "weight": round(best.weight, 4),
        "digest": _digest(best.voice, numbers),
        "cutoff": run.project.audit_cutoff,
    }


def _voices(run: jobs.Run) -> list[Voice]:
    """The teachers that are on, with what stands of their orders."""
    project = run.project
    rows = Teacher.objects.filter(project=project, enabled=True).select_related("voice", "endpoint")
    found = []
    for teacher in rows.order_by("pk"):
        now = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
        said = Annotation.objects.filter(annotator=teacher.voice_id, value__isnull=False)
        said = said.standing().filter(teacher_answer__fingerprint=now)
        words = dict(said.values_list("item__number", "value"))
        if words:
            found.append(Voice(teacher=teacher, words=words))
    return found


def _measured(bench: _Bench, voices: Sequence[Voice], alone: dict[int, Any]) -> list[Measured]:
    """Those that ordered enough of the sample."""
    found = []
    for voice in voices:
        numbers = sorted(set(bench.truth) & set(voice.words))
        if len(numbers) < auditing.FEWEST_TO_SHOW:
            continue
        weight = max(float(bench.right(voice.words, numbers).mean()), distilling.LEAST_WEIGHT)
        paired = bench.paired(voice.words, alone, numbers)
        found.append(Measured(voice=voice, paired=paired, weight=weight))
    return found


def _together(lists: Lists, lesson: OrderLesson, best: Measured, numbers: list[int]) -> Ranked:
    """People's orders, and the teacher's, which weigh less."""
    import numpy as np

    from learning.rankers.types import places_of

    own = np.ones(len(lesson.numbers)) if lesson.data.weights is None else lesson.data.weights
    return replace(
        lesson.data,
        lists=lists.subset(np.concatenate([lesson.numbers, np.array(numbers, dtype=np.int64)])),
        places=[
            *lesson.data.places,
            *(places_of(best.voice.words[number]["order"]) for number in numbers),
        ],
        weights=np.concatenate([own, np.full(len(numbers), best.weight)]),
    )


def _digest(voice: Voice, numbers: list[int]) -> str:
    """Over which items were learned from and what was said of them."""
    said = [[number, voice.words[number]["order"]] for number in numbers]
    return hashlib.sha256(repr(said).encode()).hexdigest()
