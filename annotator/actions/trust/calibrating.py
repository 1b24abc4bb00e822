"""How likely each of a teacher's answers is right: fitted on audited answers, written beside it.

What people decided of the calibration and seed parts of the audit sample fits it; the evaluation part
shows whether it helped. Both parts are uniform draws, so no answer weighs more than another.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

from django.db import connection, transaction

from annotator import jobs
from annotator.actions.figures import scorecards
from annotator.actions.queue import auditing
from annotator.actions.students import lessons
from annotator.actions.students.tagger_words import Tagger
from annotator.actions.teachers import identity, lending
from annotator.actions.trust import canarying
from annotator.actions.trust.calibrating_marks import MarkPairs, MarkReader, rater
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Calibration, Part, Project, Qualification, Teacher, TeacherAnswer
from learning.errors import NotEnoughDataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.teachers.calibration import Calibration as Fitted
    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherSchema

# A burst of answers, people's or a teacher's, is fitted once.
WAIT_SECONDS = 20.0
FEWEST = 30
CHECKED = Part.EVALUATION
CHUNK = 2_000
# A teacher whose every answer is this sure states nothing; others' agreement tells more.
CERTAIN = 1 - 1e-6

_WRITE = """
UPDATE annotator_teacheranswer t SET p_right = new.p
FROM unnest(%s::bigint[], %s::float8[]) AS new(id, p)
WHERE t.id = new.id AND t.p_right IS DISTINCT FROM new.p
"""


def wish(project: Project, due_in_seconds: float = WAIT_SECONDS) -> None:
    """Ask that the project's teachers be calibrated anew; safe to ask twice."""
    if not Teacher.objects.filter(project=project).exists():
        return
    with transaction.atomic():
        jobs.enqueue(
            "calibrate",
            project=project,
            key=f"calibrate:{project.pk}",
            due_in_seconds=due_in_seconds,
        )


def run_calibrate(run: jobs.Run) -> dict[str, Any]:
    """Fit what has changed, and write how likely each answer is right."""
    project = run.project
    if not project.task.weighed:
        return {
            "calibrated": 0,
            "why": f"How likely {project.task.called} are right is not calibrated.",
        }
    if not project.live_labels().exists():
        return {"calibrated": 0, "why": "The project has no labels."}
    schema, drawn = lending.schema_of(project), scorecards.Drawn(project)
    rows = Teacher.objects.filter(project=project).select_related("endpoint", "voice")
    teachers = list(rows.order_by("pk"))
    tagger = Tagger.unfolded(project) if teachers and schema.quoted else None
    written = 0
    for done, teacher in enumerate(teachers):
        run.progress(done, len(teachers), f"Calibrating {teacher.voice.name}")
        written += _one(run, teacher, schema, drawn, tagger)
    return {"calibrated": len(teachers), "answers": written}


def _one(
    run: jobs.Run,
    teacher: Teacher,
    schema: TeacherSchema,
    drawn: scorecards.Drawn,
    tagger: Tagger | None,
) -> int:
    now = identity.fingerprint(teacher, teacher.params, schema)
    audited = _audited(teacher, schema, now, drawn)
    pairs: Pairs | MarkPairs
    if schema.quoted:
        pairs = MarkPairs.of(teacher, drawn, audited, tagger)
    else:
        pairs = Pairs.of(teacher, schema, drawn, audited)
    basis = _basis(audited, drawn, pairs)
    trust = canarying.trust(teacher, schema, now)
    kept = Calibration.objects.filter(teacher=teacher).first()
    fresh = kept is None or (kept.fingerprint, kept.basis, kept.trust) != (now, basis, trust)
    if fresh:
        numbers = [row.item.number for row in audited]
        held = [checks(teacher, drawn.parts[number], number) for number in numbers]
        made = pairs.fitted(held)
        position = sealed_position(teacher.project)
        with run.fence():
            Calibration.objects.update_or_create(
                teacher=teacher,
                defaults={
                    "project_id": teacher.project_id,
                    "fingerprint": now,
                    "basis": basis,
                    "trust": trust,
                    "position": position,
                    **made,
                },
            )
            if made["fitted"] is not None and not schema.quoted:  # no tagger learns from it
                lessons.wish_with_others(teacher.project)
    known = rater(teacher, now, tagger) if schema.quoted else reader(teacher, schema, now)
    return _write(run, teacher, now, known, only_new=not fresh)


def _audited(
    teacher: Teacher, schema: TeacherSchema, now: str, drawn: scorecards.Drawn
) -> list[TeacherAnswer]:
    """Its standing answers to drawn items as it is set up now, in the order of the items."""
    live, fair = frozenset(schema.ids), auditing.fair_parts(teacher.plugin)
    numbers = [
        number
        for number, meant in drawn.decided.items()
        if meant.labels <= live and drawn.parts[number] in fair
    ]
    rows = standing(teacher, now).filter(item__number__in=numbers)
    return list(rows.select_related("item").order_by("item__number"))


def standing(teacher: Teacher, now: str) -> Any:
    """Its answers that no later one of it replaced, as it is set up under the print `now`."""
    said = TeacherAnswer.objects.filter(annotation__annotator=teacher.voice_id, fingerprint=now)
    return said.filter(annotation__successor=None)


def _basis(
    audited: Iterable[TeacherAnswer], drawn: scorecards.Drawn, pairs: Pairs | MarkPairs
) -> str:
    told = [(row.pk, sorted(drawn.decided[row.item.number].labels)) for row in audited]
    return hashlib.sha256(repr((told, pairs.told)).encode()).hexdigest()


def checks(teacher: Teacher, part: Part, number: int) -> bool:
    """Whether what it says of a drawn item checks and does not fit: of the evaluation part it does, of
    half of that for a teacher to which no other part is fair; of the same half at each fit."""
    alone = auditing.fair_parts(teacher.plugin) == (CHECKED,)
    return part == CHECKED and not (alone and crc32(b"%d" % number) % 2)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Audited answers with their truth, (a, k), the confidence that each states, and the share of
    other voices that agree with it."""

    schema: TeacherSchema
    prior: NDArray[np.float32] | None
    said: list[Said]
    truth: NDArray[np.float32]
    stated: list[float]
    agreements: list[float | None]

    @property
    def told(self) -> tuple[Any, ...]:
        """What else than its answers and the truth a fit rests on."""
        return self.agreements, None if self.prior is None else self.prior.tolist()

    @classmethod
    def of(
        cls,
        teacher: Teacher,
        schema: TeacherSchema,
        drawn: scorecards.Drawn,
        rows: Sequence[TeacherAnswer],
    ) -> Pairs:
        import numpy as np

        stated = [row.confidence or 0.0 for row in rows]
        silent = not schema.multi_label and min(stated, default=0.0) >= CERTAIN
        said, agreements = read(teacher, schema, rows, by_agreement=silent)
        truth = [schema.target(sorted(drawn.decided[row.item.number].labels)) for row in rows]
        table = np.stack(truth) if truth else np.zeros((0, schema.size), dtype=np.float32)
        return cls(
            schema=schema,
            prior=_prior(teacher, schema),
            said=said,
            truth=table,
            stated=stated,
            agreements=agreements,
        )

    def fitted(self, held: Sequence[bool]) -> dict[str, Any]:
        """The row's values: parameters or how many answers are missing, and how well they do on those
        held back."""
        learnt, check = self.where([not one for one in held]), self.where(held)
        found = _fit(self.schema, learnt, self.prior)
        return {
            "fitted": None if found is None else found.to_json(),
            "answers": len(learnt.said),
            "missing": max(FEWEST - len(learnt.said), 0) if found is None else 0,
            "checked": _checked(check, found, self.schema),
        }

    def where(self, kept: Sequence[bool]) -> Pairs:
        """Those that are wanted."""
        rows = [row for row, wanted in enumerate(kept) if wanted]
        return replace(
            self,
            said=[self.said[row] for row in rows],
            truth=self.truth[rows],
            stated=[self.stated[row] for row in rows],
            agreements=[self.agreements[row] for row in rows],
        )


def read(
    teacher: Teacher, schema: TeacherSchema, rows: Sequence[TeacherAnswer], *, by_agreement: bool
) -> tuple[list[Said], list[float | None]]:
    """Rows as the library's answers, each with the share of the other teachers that agree.

    by_agreement: a teacher that states no confidence is read by that share, where others answered.
    """
    from learning.teachers.calibration import agreement

    said = [answer_of(row, schema) for row in rows]
    if not by_agreement:
        return said, [None] * len(rows)
    others = _others(teacher, schema, [row.item_id for row in rows])
    shares = [agreement(one, others[row.item_id]) for one, row in zip(said, rows, strict=True)]
    unstated = [
        one if share is None else replace(one, confidence=None)
        for one, share in zip(said, shares, strict=True)
    ]
    return unstated, shares


def _others(teacher: Teacher, schema: TeacherSchema, items: Sequence[int]) -> dict[int, list[Said]]:
    rows = TeacherAnswer.objects.filter(
        project=teacher.project_id, item__in=items, annotation__successor=None
    ).exclude(annotation=None)
    found: dict[int, list[Said]] = defaultdict(list)
    for row in rows.exclude(run__teacher=teacher):
        found[row.item_id].append(answer_of(row, schema))
    return found


def answer_of(row: TeacherAnswer, schema: TeacherSchema) -> Said:
    """A kept answer as the library reads it; chances too small to be kept are spread evenly."""
    import numpy as np

    from learning.teachers.types import TeacherAnswer as Made

    p = np.zeros(schema.size, dtype=np.float32)
    for label, chance in row.probabilities.items():
        column = schema.column(int(label))
        if column is not None:
            p[column] = chance
    left = 1 - float(p.sum())
    if not schema.multi_label and left > 0:
        empty = p == 0
        p[empty] += left / max(int(empty.sum()), 1)
    return Made(number=row.item_id, probabilities=p, confidence=row.confidence, model=row.model)


def _fit(schema: TeacherSchema, pairs: Pairs, prior: NDArray[np.float32] | None) -> Fitted | None:
    """None while too few answers are audited."""
    from learning.teachers.calibration import calibrate

    try:
        return calibrate(
            pairs.said,
            pairs.truth,
            schema,
            nothing=prior,
            agreements=pairs.agreements,
            fewest=FEWEST,
        )
    except NotEnoughDataError:
        return None


def _prior(teacher: Teacher, schema: TeacherSchema) -> NDArray[np.float32] | None:
    """What the teacher says of texts without content, from its last qualification."""
    import numpy as np

    same = Qualification.objects.filter(
        teacher=teacher, identity=identity.identity(teacher, schema), prior__isnull=False
    )
    kept = same.order_by("-pk").values_list("prior", flat=True).first()
    if kept is None:
        return None
    return np.array([kept.get(str(pk), 0.0) for pk in schema.ids], dtype=np.float32)


def _checked(pairs: Pairs, fitted: Fitted | None, schema: TeacherSchema) -> dict[str, Any] | None:
    """Confidence against outcomes on items that fitted nothing; None for too few of them."""
    import numpy as np

    from learning.audit.reliability import reliability
    from learning.teachers.trial import labels_of

    if len(pairs.said) < FEWEST:
        return None
    right = np.array(
        [
            bool((schema.target(sorted(labels_of(said, schema) or ())) == truth).all())
            for said, truth in zip(pairs.said, pairs.truth, strict=True)
        ]
    )
    found: dict[str, Any] = {
        "before": asdict(reliability(np.array(pairs.stated), right)),
        "after": None,
    }
    if fitted is not None:
        shares = zip(pairs.said, pairs.agreements, strict=True)
        now = np.array([fitted.confidence(said, schema, share) for said, share in shares], float)
        known = np.isfinite(now)  # nan where nothing can be said
        if int(known.sum()) >= FEWEST:
            found["after"] = asdict(reliability(now[known], right[known]))
    return found


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A teacher's kept calibration, for answers under the settings that it is about."""

    fitted: Fitted
    schema: TeacherSchema
    trust: float
    teacher: Teacher

    def right(self, said: Said, agreement: float | None = None) -> float | None:
        """How likely the answer is right, 0…1, what obeying planted items takes from it included."""
        found = self.fitted.confidence(said, self.schema, agreement)
        return None if found is None else round(found * self.trust, 6)

    def rights(self, rows: Sequence[TeacherAnswer]) -> list[float | None]:
        """The same of kept answers, with what others said of their items."""
        by_agreement = self.fitted.agreed is not None
        said, shares = read(self.teacher, self.schema, rows, by_agreement=by_agreement)
        return [self.right(one, share) for one, share in zip(said, shares, strict=True)]

    def rate(self, rows: Iterable[TeacherAnswer]) -> None:
        """Write it into fresh rows; what others' agreement must tell is written later."""
        for row in rows:
            if not row.abstained:
                row.p_right = self.right(answer_of(row, self.schema))


def reader(teacher: Teacher, schema: TeacherSchema, now: str) -> Reader | None:
    """None while it is not calibrated, or only with other settings; of marks a job tells, which asks
    the tagger as well."""
    from learning.teachers.calibration import Calibration as Fitted

    kept = Calibration.objects.filter(teacher=teacher, fingerprint=now).first()
    if kept is None or kept.fitted is None or schema.quoted:
        return None
    fitted = Fitted.from_json(kept.fitted)
    return Reader(fitted=fitted, schema=schema, trust=kept.trust, teacher=teacher)


def _write(
    run: jobs.Run, teacher: Teacher, now: str, known: Reader | MarkReader | None, *, only_new: bool
) -> int:
    """Write `p_right` beside its answers; those that have one are left alone where nothing changed."""
    rows = standing(teacher, now)
    if known is None:
        with run.fence():
            return int(rows.exclude(p_right=None).update(p_right=None))
    if only_new:
        rows = rows.filter(p_right=None)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    written = 0
    for start in range(0, len(ids), CHUNK):
        run.check()
        chunk = list(TeacherAnswer.objects.filter(pk__in=ids[start : start + CHUNK]))
        right = known.rights(chunk)
        with run.fence(), connection.cursor() as cursor:
            cursor.execute(_WRITE, [[row.pk for row in chunk], right])
            written += cursor.rowcount
    return written
