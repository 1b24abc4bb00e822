"""What a teacher is lent when it is asked: items, labels, an encoder, a line to its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection

from annotator.actions.encoders import encoding
from annotator.actions.imports.media import read_image
from annotator.actions.teachers import (
    committees,
    demonstrating,
    endpoints,
    forms,
    local_models,
    prompt_versions,
    teachers,
)
from annotator.actions.teachers.answer_cache import ProjectCache
from annotator.actions.teachers.budgets import RunBudget
from annotator.actions.teachers.pacing import SharedPace, SharedSlots
from annotator.errors import ConflictError
from annotator.models import (
    Encoding,
    Item,
    ItemKind,
    Label,
    Project,
    RecordedAnswer,
    StudentVersion,
    Teacher,
    TeacherRun,
)

if TYPE_CHECKING:
    from learning.teachers.limits import Stopped
    from learning.teachers.line import Line
    from learning.teachers.types import Member, TeacherItem, TeacherSchema
    from learning.teachers.types import Teacher as Ready
    from learning.teachers.types import TeacherAnswer as Said

AnyT = TypeVar("AnyT")
Note = Callable[[dict[str, Any]], None]


def schema_of(project: Project) -> TeacherSchema:
    """The labels and guidelines as a teacher reads them; orders and texts have no labels. Raises
    ConflictError where labels are missing.
    """
    from learning.teachers.types import LabelText, TeacherSchema

    task = project.task
    if not task.teachers:
        raise ConflictError("No teacher gives such answers yet.")
    if not task.has_labels:
        return TeacherSchema(
            labels=(),
            guidelines=project.guidelines,
            multi_label=True,
            ranked=task.ranked,
            written=task.written,
        )
    labels = list(project.live_labels())
    if not labels:
        told = forms.nothing_to_ask(project)
        raise ConflictError(
            told or "The project has no labels yet; a teacher could answer nothing."
        )
    live = {label.pk for label in labels}
    return TeacherSchema(
        labels=tuple(
            LabelText(
                id=label.pk,
                name=label.name,
                description=label.description,
                parent_id=label.parent_id if label.parent_id in live else None,
                words=tuple(label.words),
            )
            for label in labels
        ),
        guidelines=project.guidelines,
        multi_label=project.multi_label,
        quoted=project.task.quoted,
        sided=project.task.sided,
        questions=tuple(forms.questions(project.task, [label.pk for label in labels])),
    )


def asks_the_same(schema: TeacherSchema, project_id: int) -> bool:
    """Whether the form is still the one that a teacher was told; more answers to choose, and other names,
    make no other form.
    """
    try:
        now = schema_of(Project.objects.get(pk=project_id))
    except ConflictError:  # nothing is left that a teacher could be asked
        return False
    return forms.meaning_of(now) == forms.meaning_of(schema)


def items_of(project: Project, numbers: list[int]) -> list[TeacherItem]:
    """These items in this order, as far as they are still here."""
    from learning.teachers.types import TeacherItem

    rows = Item.objects.filter(project=project, number__in=numbers).present()
    found = {row.number: row for row in rows}
    images = project.item_kind == ItemKind.IMAGE
    return [
        TeacherItem(
            number=row.number,
            text=row.text,
            text_b=row.text_b,
            image=read_image(project.pk, row.image) if images and row.image else None,
            candidates=tuple(row.candidates),
        )
        for row in (found[number] for number in numbers if number in found)
    ]


def basis_of(teacher: Teacher) -> dict[str, Any]:
    """What decides a teacher's answers beside its parameters, as it is now; kept with each run.

    Raises ConflictError when something of it is missing.
    """
    if teacher.plugin == "student":
        return {"student": _promoted(teacher).pk}
    if teacher.plugin == prompt_versions.KIND:
        prompt = prompt_versions.latest(teacher)
        return {"prompt": prompt.version} if prompt else {}
    if teacher.plugin == "committee":
        members = {str(one.pk): [one.params, basis_of(one)] for one in teacher.members.all()}
        return {"members": members}
    return {}


def _promoted(teacher: Teacher) -> StudentVersion:
    source = teacher.source
    if source is None or source.archived_at is not None:
        raise ConflictError("The project whose student should answer is gone. Choose another one.")
    if source.current_student is None or not source.current_student.folder:
        raise ConflictError(f"“{source.name}” has no student yet, or its files were removed.")
    if told := teachers.unlike(teacher):
        raise ConflictError(told)
    return source.current_student


@contextmanager
def ready(
    teacher: Teacher,
    run: TeacherRun,
    attempt: int,
    stopped: Stopped,
    note: Note = lambda facts: None,
    *,
    anew: str = "",
    instead: Mapping[str, Any] | None = None,
) -> Iterator[Ready]:
    """The run's teacher with all it needs; connections end with the block.

    note: told what was measured on the way, the recall of candidate labels for example. anew: what
    was answered before is asked again, but for what was under this name. instead: parameters other
    than the run's.
    """
    with ExitStack() as stack:
        lender = Lender(
            run=run, attempt=attempt, stopped=stopped, stack=stack, note=note, anew=anew
        )
        yield lender.ready(teacher, {**run.params, **(instead or {})}, run.basis)


@dataclass(kw_only=True)
class Lender:
    """What one run lends its teacher, or the members of its committee."""

    run: TeacherRun
    attempt: int
    stopped: Stopped
    stack: ExitStack
    note: Note
    anew: str

    def ready(self, teacher: Teacher, params: dict[str, Any], basis: dict[str, Any]) -> Ready:
        """A teacher that can be asked, with these parameters."""
        from learning.teachers import TEACHERS
        from learning.teachers.types import Means

        plugin = TEACHERS.create(teacher.plugin, params)
        lent: dict[str, Any] = {}
        for need in plugin.needs:
            if need == "line":
                lent["line"] = self._line(teacher)
                lent |= self._shown(teacher.project, params)
            elif need == "language_model":
                lent["language_model"] = local_models.load(params)
                lent |= self._shown(teacher.project, params)
            elif need == "encoder":
                lent |= _vectors(teacher.project)
            elif need == "records":
                lent["records"] = _records(teacher, params, self.run.numbers)
            elif need == "student":
                lent |= _student(teacher, basis)
            elif need == "members":
                lent |= self._members(teacher, basis)
        return plugin.ready(Means(**lent))

    def _shown(self, project: Project, params: dict[str, Any]) -> dict[str, Any]:
        """Solved items and likely labels for its prompts, where it wants them."""
        schema = schema_of(project)
        lent, facts = demonstrating.means_of(project, schema, params, self.run.numbers)
        if facts:
            self.note(facts)
        return lent

    def _members(self, teacher: Teacher, basis: dict[str, Any]) -> dict[str, Any]:
        """Those that the committee had when the run began, each with what audits say of it; and how
        far audits say that they err apart.
        """
        from learning.teachers.types import Member

        kept = basis["members"]
        schema = schema_of(teacher.project)
        truth = committees.truth_of(teacher.project)
        rows = Teacher.objects.filter(project=teacher.project_id, pk__in=kept)
        members: dict[str, Member] = {}
        said: dict[str, dict[int, Said]] = {}
        for one in rows.select_related("voice", "endpoint", "project"):
            said[one.name] = committees.heard(one, truth, schema)
            members[one.name] = Member(
                teacher=self.ready(one, *kept[str(one.pk)]),
                confusion=committees.confusion(said[one.name], truth, schema),
            )
        return {
            "members": members,
            "sharpness": committees.sharpness(members, said, truth, schema),
        }

    def _line(self, teacher: Teacher) -> Line:
        from annotator.runtime.outbound import CallLimits
        from annotator.runtime.sending import sender
        from learning.teachers.line import Line

        if teacher.endpoint is None:
            raise ConflictError("The endpoint of this teacher is gone. Choose another one.")
        way = self.stack.enter_context(endpoints.gateway())
        through = self._through
        return Line(
            send=sender(way, endpoints.door(way, teacher.project, teacher.endpoint)),
            budget=RunBudget(run=self.run, attempt=self.attempt, through=through),
            cache=ProjectCache(
                project_id=teacher.project_id,
                run=self.run.pk,
                place=" ".join(filter(None, (teacher.endpoint.base_url, self.anew))),
                through=through,
            ),
            bucket=SharedPace(teacher=teacher.pk, endpoint=teacher.endpoint.pk, through=through),
            concurrency=teacher.concurrency,
            slots=SharedSlots(teacher=teacher.pk, count=teacher.concurrency, through=through),
            longest_body=CallLimits().request_bytes,
            stopped=self.stopped,
        )

    @cached_property
    def _through(self) -> Callable[[Callable[[], Any]], Any]:
        return self.stack.enter_context(_database_thread())


def _student(teacher: Teacher, basis: dict[str, Any]) -> dict[str, Any]:
    """The student that was promoted when the run began, its labels' names, and its encoder."""
    from learning import students

    version = StudentVersion.objects.filter(pk=basis["student"]).first()
    if version is None or not version.folder:
        raise ConflictError("The student that this run began with was removed. Start a new run.")
    names = dict(Label.objects.filter(pk__in=version.label_ids).values_list("pk", "name"))
    lent: dict[str, Any] = {
        "student": students.load(encoding.students_folder(version.project_id) / version.folder),
        "student_labels": tuple(names[pk] for pk in version.label_ids),
    }
    if students.STUDENTS[version.kind].needs in ("texts", "images"):
        return lent
    if version.encoding is None:
        raise ConflictError("The encoding that this student read is gone. Train it again.")
    lent["student_encoder"] = encoding.encoder_of(version.encoding)
    own = encoding.current_encoding(teacher.project)
    if own is not None and own.rows and own.fingerprint == version.encoding.fingerprint:
        lent |= {"encoder": lent["student_encoder"], "encodings": _matrix(own)}
    return lent


def _records(teacher: Teacher, params: dict[str, Any], numbers: list[int]) -> list[dict[str, Any]]:
    """What the teacher's file says about these items, as the library reads it."""
    names = {label.pk: label.name for label in teacher.project.labels.all()}
    single = not teacher.project.multi_label
    live = {label.pk for label in teacher.project.live_labels()}
    rows = RecordedAnswer.objects.filter(
        recording=teacher.recording_id,
        model=params.get("model", ""),
        item__in=Item.objects.filter(project=teacher.project, number__in=numbers).values("pk"),
    )
    return [_record(row, names, live, single=single) for row in rows.select_related("item")]


def _record(
    row: RecordedAnswer, names: dict[int, str], live: set[int], *, single: bool
) -> dict[str, Any]:
    """One answer; a label that is archived now goes by its name, so that the refusal shows it."""
    record: dict[str, Any] = {
        "number": row.item.number,
        **{name: getattr(row, name) for name in ("model", "confidence", "reason")},
        **{name: getattr(row, name) for name in ("tokens_in", "tokens_out", "money", "seconds")},
    }

    def told(label: int) -> int | str:
        return label if label in live else names.get(label, str(label))

    if row.unknown:  # whatever else it says, that is why it is no answer
        record["label"] = row.unknown
        return record
    if row.spans is not None:
        record["spans"] = [{**one, "label": told(one["label"])} for one in row.spans]
    if row.order is not None:
        record["order"] = row.order
    elif row.written:
        record["text"] = row.written
    elif row.probabilities:
        said = {told(int(label)): p for label, p in row.probabilities.items()}
        # One label holds: what was left out had nothing.
        record["probabilities"] = dict.fromkeys(live, 0.0) | said if single else said
    elif row.labels is None:
        record["label"] = None
    else:
        record["labels"] = [told(label) for label in row.labels]
    return record


def _vectors(project: Project) -> dict[str, Any]:
    """The project's encoder, and the items that it encoded already."""
    known = encoding.current_encoding(project)
    if known is None or not known.rows:
        raise ConflictError("The items are not encoded yet. Try again when that is done.")
    return {"encoder": encoding.ready_encoder(project), "encodings": _matrix(known)}


def _matrix(known: Encoding) -> Any:
    import numpy as np

    return np.asarray(encoding.open_matrix(known).view()[: known.rows], dtype=np.float32)


@contextmanager
def _database_thread() -> Iterator[Callable[[Callable[[], AnyT]], AnyT]]:
    """A way to the database for the threads that call: one connection for all of them.

    Each would else open one of its own, and leave it open when it ends.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="teacher-database") as pool:

        def through(work: Callable[[], AnyT]) -> AnyT:
            return pool.submit(work).result()

        try:
            yield through
        finally:
            pool.submit(_close_connection).result()


def _close_connection() -> None:
    connection.close()  # that of the thread which runs this
