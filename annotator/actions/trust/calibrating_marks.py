"""How likely all marks of a teacher's answer are right: what `calibrating` does where answers mark spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Length

from annotator.actions.figures import scorecards
from annotator.actions.students.tagger_words import Tagger
from annotator.models import Calibration, Item, Teacher, TeacherAnswer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.routing.marks import MarkReading
    from learning.routing.types import Candidates

FEWEST = 30
SEED = 0
NOTHING: dict[str, Any] = {"spans": []}


@dataclass(frozen=True, kw_only=True)
class MarkPairs:
    """Audited answers, what is known of each, and (a,) whether all of it is right."""

    items: Candidates
    right: NDArray[np.bool_]
    stated: NDArray[np.float64]
    told: list[Any]

    @classmethod
    def of(
        cls,
        teacher: Teacher,
        drawn: scorecards.Drawn,
        rows: Sequence[TeacherAnswer],
        tagger: Tagger | None,
    ) -> MarkPairs:
        """In the order of the rows."""
        import numpy as np

        truth = [drawn.decided[row.item.number].marks for row in rows]
        said = [drawn.project.task.meaning(row.labels, row.value) for row in rows]
        items = seen(teacher, rows, tagger)
        return cls(
            items=items,
            right=np.array([a == b for a, b in zip(truth, said, strict=True)], dtype=np.bool_),
            stated=_stated(rows),
            told=_told(items, truth, tagger),
        )

    def fitted(self, held: Sequence[bool]) -> dict[str, Any]:
        """The row's values: parameters or how many answers are missing, and how well they do on
        those held back."""
        import numpy as np

        check = np.flatnonzero(np.array(held, dtype=np.bool_))
        learn = np.flatnonzero(~np.array(held, dtype=np.bool_))
        found = self._read(learn)
        return {
            "fitted": None if found is None else found.to_json(),
            "answers": len(learn),
            "missing": max(FEWEST - len(learn), 0) if found is None else 0,
            "checked": self._checked(check, found),
        }

    def _read(self, rows: NDArray[np.int64]) -> MarkReading | None:
        """None while too few answers are audited."""
        import numpy as np

        from learning.errors import NotEnoughDataError
        from learning.routing.marks import read_marks
        from learning.routing.types import Seed

        right = self.right[rows]
        seed = Seed(items=self.items.subset(rows), truth=np.ones((len(rows), 1)), right=right)
        try:
            return read_marks(seed, np.random.default_rng(SEED), FEWEST)
        except NotEnoughDataError:
            return None

    def _checked(self, rows: NDArray[np.int64], found: MarkReading | None) -> dict[str, Any] | None:
        """Confidence against outcomes on answers that fitted nothing; None for too few of them."""
        import numpy as np

        from learning.audit.reliability import reliability

        if len(rows) < FEWEST:
            return None
        right = self.right[rows]
        after = None if found is None else found.right(self.items.subset(rows))
        said = np.isfinite(self.stated[rows])
        before = reliability(self.stated[rows][said], right[said]) if said.any() else None
        return {
            "before": None if before is None else asdict(before),
            "after": None if after is None else asdict(reliability(after, right)),
        }


def _stated(rows: Sequence[TeacherAnswer]) -> NDArray[np.float64]:
    """(n,) the confidence of each answer; not a number where none was stated."""
    import numpy as np

    said = [np.nan if row.confidence is None else row.confidence for row in rows]
    return np.array(said, dtype=np.float64)


def _told(
    items: Candidates, truth: Sequence[frozenset[Any] | None], tagger: Tagger | None
) -> list[Any]:
    """What a fit rests on: another tagger or another answer asks for another one."""
    others = None if items.disagreement is None else items.disagreement.tolist()
    return [[sorted(each or ()) for each in truth], others, tagger and tagger.version]


@dataclass(frozen=True, kw_only=True)
class MarkReader:
    """A teacher's kept calibration, for answers under the settings that it is about."""

    teacher: Teacher
    reading: MarkReading
    tagger: Tagger | None
    trust: float

    def rights(self, rows: Sequence[TeacherAnswer]) -> list[float | None]:
        """How likely all of each answer is right, 0…1, what obeying planted items takes included."""
        if not rows:
            return []
        found = self.reading.right(seen(self.teacher, rows, self.tagger)) * self.trust
        return [round(float(p), 6) for p in found]


def rater(teacher: Teacher, now: str, tagger: Tagger | None) -> MarkReader | None:
    """None while it is not calibrated, or only with other settings."""
    from learning.routing.marks import MarkReading

    kept = Calibration.objects.filter(teacher=teacher, fingerprint=now).first()
    if kept is None or kept.fitted is None:
        return None
    reading = MarkReading.from_json(kept.fitted)
    return MarkReader(teacher=teacher, reading=reading, tagger=tagger, trust=kept.trust)


def seen(teacher: Teacher, rows: Sequence[TeacherAnswer], tagger: Tagger | None) -> Candidates:
    """What is known of each answer without the truth. The tagger has no word on what it learned from."""
    import numpy as np

    from learning.routing.types import Candidates

    ids = [row.item_id for row in rows]
    known = Item.objects.filter(pk__in=ids).annotate(length=Length("text"))
    facts = {
        pk: (number, length) for pk, number, length in known.values_list("pk", "number", "length")
    }
    numbers = np.array([facts[pk][0] for pk in ids], dtype=np.int64)
    met, sure = _heard(tagger, numbers, [row.value for row in rows])
    return Candidates(
        teacher=np.ones((len(rows), 1)),
        answered=np.ones(len(rows), dtype=np.bool_),
        confidence=_stated(rows),
        disagreement=_disagreement(teacher, rows),
        lengths=np.array([facts[pk][1] for pk in ids], dtype=np.int64),
        marks=Tagger.marks([row.value for row in rows], len(rows)),
        met=met,
        sure=sure,
        multi_label=True,
    )


def _heard(
    tagger: Tagger | None, numbers: NDArray[np.int64], values: Sequence[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) how far its marks meet these, and how sure it is; not a number where it may not say."""
    import numpy as np

    unknown = np.full(len(numbers), np.nan)
    if tagger is None:
        return unknown, unknown
    told = tagger.heard(numbers, values)
    fair = tagger.fair(numbers)
    return np.where(fair, told.met, np.nan), np.where(fair, told.sure, np.nan)


def _disagreement(teacher: Teacher, rows: Sequence[TeacherAnswer]) -> NDArray[np.float64]:
    """(n,) how far the marks of other teachers are from these, 1 less their mean F1; not a number where
    no other one spoke."""
    import numpy as np

    from learning.spans import spans_of
    from learning.spans.scores import exact_f1

    others = _others(teacher, [row.item_id for row in rows])
    found = np.full(len(rows), np.nan)
    for place, row in enumerate(rows):
        mine = spans_of(row.value or NOTHING)
        if others[row.item_id]:
            found[place] = 1 - np.mean([exact_f1(mine, spans_of(v)) for v in others[row.item_id]])
    return found


def _others(teacher: Teacher, items: Iterable[int]) -> dict[int, list[Any]]:
    said = TeacherAnswer.objects.filter(
        project=teacher.project_id, item__in=list(items), annotation__successor=None
    ).exclude(annotation=None)
    found: dict[int, list[Any]] = defaultdict(list)
    rows = said.exclude(run__teacher=teacher).exclude(value=None).order_by("pk")
    for item, value in rows.values_list("item", "value"):
        found[item].append(value)
    return found
