"""What a project's head begins with: learned once from another project's answers about matched labels.

Answers about labels without a counterpart are left out before anything is learned, and so is every item
that is an item here too. What was taken over stands by itself from then on.
"""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.encoders import naming
from annotator.actions.encoders.encoding import current_encoding, students_folder
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons, origins
from annotator.errors import AnnotatorError, ConflictError
from annotator.models import Encoding, Item, Project, StudentVersion, WarmStart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson
    from learning.students.head import FittedHead, Head
    from learning.students.strength import Choice
    from learning.students.warm import Begun
    from learning.types import TrainingData

# Answered items that are learned from at most, by chance from all that there are.
MOST_ROWS = 20_000
PREFIX = "warm."
_DIGEST = 8

# Those of the source's items that are no items of the project, whether or not these are still here.
_ELSEWHERE = """
SELECT i.number, i.content_hash FROM annotator_item i
WHERE i.project_id = %s AND i.number = ANY(%s) AND NOT EXISTS (
    SELECT 1 FROM annotator_item own
    WHERE own.project_id = %s AND own.content_hash = i.content_hash)
ORDER BY i.number
"""


def start_of(project: Project) -> WarmStart | None:
    """What the project's head is to begin with, taken over already or not yet."""
    found = WarmStart.objects.live().filter(project=project)
    return found.select_related("source").defer("contents").first()


def differs(encoding: Encoding | None, other: Encoding | None) -> bool:
    """Whether weights on the vectors of the one say nothing about those of the other."""
    if encoding is None or other is None:
        return True
    return (encoding.fingerprint, encoding.apart) != (other.fingerprint, other.apart)


def run_warm(run: jobs.Run) -> dict[str, Any]:
    """Learn what is taken over, then let the head begin with it."""
    from learning.errors import LearningError
    from learning.storage import note

    project = run.project
    start = start_of(project)
    if start is None or start.folder:
        return {"taken": False}
    folder = students_folder(project.pk) / f"{PREFIX}{start.pk}.{run.job.pk}.{run.job.attempt}"
    try:
        source, encoding = _source(project, start)
        data, contents, items = _lesson_of(run, source, encoding, project, start)
        _learned(run, data, start).save(folder)
    except (AnnotatorError, LearningError) as refusal:
        if not isinstance(refusal, jobs.CancelledError | jobs.FencedError):
            _rows(start).update(trouble=str(refusal))
        raise
    note(folder, {"from": {"project": source.pk, "name": source.name, "items": data.rows}})
    with run.fence():
        kept = _rows(start).update(
            folder=folder.name,
            fingerprint=encoding.fingerprint,
            matches=start.matches,
            rows=data.rows,
            contents=contents,
            items=items,
            trouble="",
        )
        if kept and project.current_student_id and not project.training_paused:
            jobs.enqueue("train", project=project, key=f"train:{project.pk}")
    remove_files(project, but=folder.name if kept else "")
    return {"taken": bool(kept), "items": data.rows, "labels": len(start.columns)}


def _rows(start: WarmStart) -> Any:
    return WarmStart.objects.live().filter(pk=start.pk)


def _source(project: Project, start: WarmStart) -> tuple[Project, Encoding]:
    source, encoding = start.source, None
    if source is not None and source.archived_at is None:
        encoding = current_encoding(source)
    if source is None or encoding is None:
        raise ConflictError(f"“{start.source_name}” is gone. Choose another project.")
    if differs(current_encoding(project), encoding):
        raise ConflictError("The two projects are no longer encoded alike. Choose another one.")
    return source, encoding


def _lesson_of(
    run: jobs.Run, source: Project, encoding: Encoding, project: Project, start: WarmStart
) -> tuple[TrainingData, bytes, int]:
    """What the source's answers say of the matched labels alone, the contents that they are about, and how
    many items were here then. Labels here that none of these answers gives are no longer matched."""
    import numpy as np

    from learning.students.warm import about, only

    lesson = lessons.gather(source, encoding)
    if lesson is None:
        raise ConflictError(f"“{source.name}” has no answers with two different labels.")
    project.refresh_from_db(fields=["item_count"])
    places = _places(lesson, start)
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, [source.pk, lesson.numbers.tolist(), project.pk])
        found = dict(cursor.fetchall())
    if not found:
        raise ConflictError(
            f"All answered items of “{source.name}” are items here too. Import its answers instead."
        )
    rows = about(lesson.data, places)
    rows = rows[np.isin(lesson.numbers[rows], list(found))]
    if len(rows) > MOST_ROWS:
        rng = np.random.default_rng([project.pk, source.pk, lesson.position])
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    run.check()
    part = lesson.data.subset(rows)
    data = only(part, places, len(start.columns))
    used = np.flatnonzero((np.asarray(data.targets) > 0).any(axis=0)).tolist()
    _check_enough(data, len(used))
    if len(used) < len(start.columns):  # never given there says nothing against it here
        kept = {start.columns[at] for at in used}
        start.matches = [each for each in start.matches if each["ours"] in kept]
        data = only(part, _places(lesson, start), len(start.columns))
    contents = b"".join(_digest(found[number]) for number in lesson.numbers[rows].tolist())
    return data, contents, project.item_count


def _places(lesson: Lesson, start: WarmStart) -> NDArray[np.int64]:
    """Which of the labels taken over each of the source's is, -1 for one that stays behind."""
    import numpy as np

    place = {each["theirs"]: start.columns.index(each["ours"]) for each in start.matches}
    return np.array([place.get(pk, -1) for pk in lesson.columns.label_ids], dtype=np.int64)


def _check_enough(data: TrainingData, used: int) -> None:
    if used < (1 if data.multi_label else 2):
        raise ConflictError(
            "Its answers are about one matched label only, which tells nothing apart. "
            "Match more labels, or choose another project."
        )


def _digest(content_hash: Any) -> bytes:
    return hashlib.sha256(bytes(content_hash)).digest()[:_DIGEST]


def _learned(run: jobs.Run, data: TrainingData, start: WarmStart) -> FittedHead:
    import numpy as np

    from learning.students.warm import learnt

    def report(done: int, total: int) -> None:
        run.progress(done, total, f"Learning from “{start.source_name}”")

    project, encoding = start.project, current_encoding(start.project)
    columns = columns_of(project)
    names = None if encoding is None else naming.of(project, encoding, columns)
    if names is not None:
        names = names[[columns.column(label) for label in start.columns]]
    rng = np.random.default_rng([project.pk, data.rows])
    return learnt(data, names, int(columns.active.sum()), rng, report)


def remove_files(project: Project, but: str = "") -> None:
    """Remove what was taken over, or was begun to be, except one folder."""
    for left in students_folder(project.pk).glob(f"{PREFIX}*"):
        if left.name != but:
            shutil.rmtree(left, ignore_errors=True)


def told(start: WarmStart) -> dict[str, Any]:
    """What a version keeps of what it began with, or did not."""
    return {
        "start": start.pk,
        "source": start.source_name,
        "labels": len(start.columns),
        "rows": start.rows,
        "used": False,
    }


def unfit(project: Project, encoding: Encoding, start: WarmStart) -> str:
    """Why it cannot be begun with now: not taken over yet, another encoder since, or items of the sample
    that its source's answers were about; "" where it can."""
    if not start.folder:
        return "waiting"
    if start.fingerprint != encoding.fingerprint:
        return "encoder"
    return "sample" if _met(project, start) else ""


def _met(project: Project, start: WarmStart) -> list[int]:
    """Items of the random sample, drawn or not yet drawn, that came since and were learned from there."""
    sample = Q(order_key__lte=project.audit_cutoff) | ~Q(part="")
    return met(start, Item.objects.filter(sample, project=project))


def met(start: WarmStart, items: Any) -> list[int]:
    """The numbers of those items whose content was learned from before they came."""
    contents = bytes(start.contents)
    known = {contents[at : at + _DIGEST] for at in range(0, len(contents), _DIGEST)}
    late = items.filter(number__gte=start.items).values_list("number", "content_hash")
    return [number for number, content in late.iterator() if _digest(content) in known]


def learnt_by(version: StudentVersion, numbers: list[int]) -> set[int]:
    """Those of these items of which a version that began elsewhere may have learned."""
    used = version.beside.get("warm", {})
    if not used.get("used"):
        return set()
    start = WarmStart.objects.filter(pk=used["start"]).first()
    rows = Item.objects.filter(project=version.project_id, number__in=numbers)
    return set(numbers) if start is None else set(met(start, rows))


def begun(
    run: jobs.Run,
    project: Project,
    lesson: Lesson,
    start: WarmStart,
    head: Head,
    alone: FittedHead | None,
) -> Begun | None:
    """The head that begins with what was taken over; None where no label of it is left, or its files are not.

    alone: what the answers alone make, where the sample tells which of the two is better; without it
    held-out answers do.
    """
    import numpy as np

    from learning.errors import DamagedFileError
    from learning.students.head import FittedHead, Head
    from learning.students.warm import Beginning, Begun

    try:
        taken = Head.load(folder_of(start))
    except DamagedFileError:
        return None
    place = {label: column for column, label in enumerate(lesson.columns.label_ids)}
    active = lesson.columns.active
    kept = [at for at, pk in enumerate(start.columns) if pk in place and bool(active[place[pk]])]
    if not kept or not isinstance(taken, FittedHead):
        return None
    columns: NDArray[np.int64] = np.array([place[start.columns[at]] for at in kept], dtype=np.int64)

    def report(done: int, total: int) -> None:
        run.progress(done, total, f"Beginning with “{start.source_name}”")

    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    plan = Beginning(taken=taken.part(kept), columns=columns)
    if alone is None:
        return plan.fit(head, lesson.data, rng, report)
    made = plan.beside(alone, head, lesson.data, rng, report, _chosen(start))
    return Begun(head=made, cost=None, alone=None)


def _chosen(start: WarmStart) -> Choice | None:
    """How strongly the newest head's answers spoke beside this very start."""
    from learning.students.strength import Choice

    heads = StudentVersion.objects.filter(project=start.project_id, kind="head")
    known = heads.order_by("-number").values_list("beside", flat=True).first() or {}
    told = known.get("warm", {})
    return Choice(**told["choice"]) if told.get("start") == start.pk and "choice" in told else None


def folder_of(start: WarmStart) -> Path:
    """Where the weights lie."""
    return students_folder(start.project_id) / start.folder


def forget(project: Project) -> None:
    """End what is begun with, in the caller's transaction; its files go with the commit."""
    WarmStart.objects.live().filter(project=project).update(withdrawn_at=Now(), folder="")
    transaction.on_commit(partial(remove_files, project))
