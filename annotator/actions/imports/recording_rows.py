"""The reading of a file of answers: rows become answers on items, models become teachers.

Answers are written in lots; until all are there no teacher is made of them, and an attempt begins by
taking away what one before it left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.desk.labeling import clean
from annotator.actions.imports import uploads
from annotator.actions.imports.hearing import Hearing
from annotator.actions.imports.staging import Report, content_hash
from annotator.actions.teachers import teachers
from annotator.errors import AnnotatorError, InvalidError
from annotator.formats import FORMATS, FormatError, Problem
from annotator.formats.answers import AnswerMapping
from annotator.formats.guard import guarded
from annotator.formats.reading_answers import ReadAnswer
from annotator.formats.records import RowError
from annotator.models import (
    Item,
    Project,
    RecordedAnswer,
    Recording,
    RecordingState,
    Teacher,
)
from learning.errors import LearningError

LOT = 2_000
MOST_MODELS = 50
TOLD_UNKNOWN = 50


def run_record(run: jobs.Run) -> dict[str, Any]:
    """Read a file of answers and make teachers of it; the record job's work."""
    recording = Recording.objects.select_related("project").get(pk=run.params["recording"])
    if recording.state == RecordingState.DONE:  # a worker died between its commit and its end
        return {"recording": recording.pk}
    try:
        with uploads.sentences_for_full_disks():
            return _take(run, recording)
    except jobs.FencedError:
        raise
    except AnnotatorError as refusal:
        told = refusal.data.get("report")
        report = told if isinstance(told, dict) else {}
        _set_state(run, recording, RecordingState.FAILED, report | {"refused": refusal.detail})
        raise


def _take(run: jobs.Run, recording: Recording) -> dict[str, Any]:
    _set_state(run, recording, RecordingState.READING, {})
    desk = _Desk(run=run, recording=recording, project=run.project)
    desk.read()
    report = desk.told()
    if desk.report.bad_rows and recording.options.get("bad_rows") != "skip":
        _set_state(run, recording, RecordingState.NEEDS_DECISION, report)
        return {"recording": recording.pk, "bad_rows": desk.report.bad_rows}
    if not desk.models:
        raise InvalidError("No row of the file holds an answer on an item here.", report=report)
    with run.fence():
        made = [
            _teacher(recording, model, several=len(desk.models) > 1)
            for model in sorted(desk.models)
        ]
        Recording.objects.filter(pk=recording.pk).update(
            state=RecordingState.DONE, report=report, finished_at=Now()
        )
    uploads.remove(recording.stored_name)
    return {"recording": recording.pk, "teachers": [teacher.pk for teacher in made]}


def _set_state(
    run: jobs.Run, recording: Recording, state: RecordingState, report: dict[str, Any]
) -> None:
    """Write the state; before the end nothing of a file is kept."""
    with run.fence():
        RecordedAnswer.objects.filter(recording=recording).delete()
        Recording.objects.filter(pk=recording.pk).update(state=state, report=report)


def _teacher(recording: Recording, model: str, *, several: bool) -> Teacher:
    name = f"{recording.name} {model}".strip() if several else recording.name
    return teachers.create_teacher(
        recording.project,
        recording.created_by,
        name=teachers.free_name(recording.project, name or model or "Answers made elsewhere"),
        plugin="recorded",
        recording=recording,
        params={"model": model},
    )


@dataclass(kw_only=True)
class _Desk:
    """Where the rows of one file arrive: items found, labels named, doubles refused, lots written."""

    run: jobs.Run
    recording: Recording
    project: Project
    report: Report = field(default_factory=Report)
    models: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    unknown_at: dict[str, tuple[int, str]] = field(default_factory=dict)
    silent: int = 0
    _seen: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mapping = AnswerMapping.from_json(self.recording.mapping)
        self.hearing = Hearing(self.project, self.mapping)

    def told(self) -> dict[str, Any]:
        """What the importer is told; of each unknown name how often, and its first row and column."""
        return self.report.to_json() | {
            "answers": sum(self.models.values()),
            "models": [list(pair) for pair in self.models.most_common()],
            "unknown": [
                [name, count, *self.unknown_at[name]]
                for name, count in self.unknown.most_common(TOLD_UNKNOWN)
            ],
            "unknown_count": sum(self.unknown.values()),
            "silent": self.silent,
        }

    def read(self) -> None:
        """Take every row of the file. Raises InvalidError when it is refused as a whole."""
        size = max(self.recording.size_bytes, 1)
        try:
            for lot, done in self._lots():
                self.run.progress(min(done, size - 1), size, f"Read {self.report.rows:,} rows")
                self._take(lot)
        except (FormatError, LearningError) as error:
            raise InvalidError(str(error), report=self.told()) from error
        self.run.progress(size, size, "Setting up the teachers")

    def _lots(self) -> Iterator[tuple[list[ReadAnswer], int]]:
        """Good rows by the lot, with how far the file is read; bad ones are noted."""
        reader = FORMATS.create(self.recording.format, self.recording.options.get("reader") or {})
        lot: list[ReadAnswer] = []
        with uploads.path_of(self.recording.stored_name).open("rb") as stream:
            for row in guarded(reader.read(stream), self.recording.size_bytes):
                if isinstance(row, Problem):
                    self.report.add(row)
                    continue
                try:
                    lot.append(self.hearing.read(row))
                except RowError as bad:
                    self._refuse(row.row, bad.faults)
                if len(lot) >= LOT:
                    yield lot, stream.tell()
                    lot = []
            yield lot, stream.tell()

    def _refuse(self, row: int, faults: list[tuple[str, str]]) -> None:
        for column, what in faults:
            self.report.add(Problem(row, column, what))

    def _take(self, lot: list[ReadAnswer]) -> None:
        found = _items(self.project, lot)
        rows: list[RecordedAnswer] = []
        for answer in lot:
            items = found(answer)
            fault = self._fault(answer, items)
            if fault:
                self._refuse(answer.row, [fault])
                continue
            self.report.rows += 1
            self.report.good_rows += 1
            rows += [self._row(answer, item) for item in items]
        self.models.update(row.model for row in rows)
        if len(self.models) > MOST_MODELS:
            raise InvalidError(
                f"The file holds answers of more than {MOST_MODELS} models. Is “"
                f"{self.mapping.model}” the right column?",
                report=self.told(),
            )
        with self.run.fence():
            RecordedAnswer.objects.bulk_create(rows)

    def _fault(self, answer: ReadAnswer, items: list[int]) -> tuple[str, str] | None:
        """The column and what is wrong with it, for a row that is about no item or one twice."""
        column = self.mapping.id or self.mapping.number or self.mapping.text
        if not items:
            return column, "The project has no such item."
        if answer.id and len(items) > 1:
            return column, f"{len(items)} items of the project have this id."
        before = self._seen.get((answer.model, items[0]))
        if before is not None:
            return column, f"Row {before:,} answers this item already."
        self._seen |= {(answer.model, item): answer.row for item in items}
        return None

    def _row(self, answer: ReadAnswer, item: int) -> RecordedAnswer:
        unknown, column = self.hearing.unknown(answer) or ("", "")
        if unknown:
            self.unknown[unknown] += 1
            self.unknown_at.setdefault(unknown, (answer.row, column))
        elif answer.is_silent:
            self.silent += 1
        return RecordedAnswer(
            project=self.project,
            recording=self.recording,
            item_id=item,
            model=clean(answer.model, 200),
            labels=self.hearing.labels(answer),
            probabilities=self.hearing.probabilities(answer),
            spans=self.hearing.spans(answer),
            order=answer.order,
            written=answer.written or "",
            unknown=clean(unknown, 200),
            confidence=answer.confidence,
            reason=clean(answer.reason, 1000),
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            money=answer.money,
            seconds=answer.seconds,
        )


def _items(project: Project, lot: list[ReadAnswer]) -> Callable[[ReadAnswer], list[int]]:
    """A look-up from a row to the keys of its items, for all rows of a lot at once."""
    present = Item.objects.filter(project=project).present()
    ids = {each.id for each in lot if each.id}
    numbers = {each.number for each in lot if each.number is not None}
    contents = {_content(each) for each in lot if each.text}
    known: dict[Hashable, list[int]] = defaultdict(list)
    for pk, external_id in present.filter(external_id__in=ids).values_list("pk", "external_id"):
        known[external_id].append(pk)
    for pk, number in present.filter(number__in=numbers).values_list("pk", "number"):
        known[number].append(pk)
    same = present.filter(content_hash__in=contents)
    for pk, digest in same.values_list("pk", "content_hash"):
        known[bytes(digest)].append(pk)

    def found(answer: ReadAnswer) -> list[int]:
        if answer.id:
            return sorted(known[answer.id])
        if answer.number is not None:
            return known[answer.number]
        return sorted(known[_content(answer)])

    return found


def _content(answer: ReadAnswer) -> bytes:
    return content_hash(answer.text, answer.text_b)
