"""A file's rows on their way in: read, mapped, checked, and copied into temporary tables.

The tables belong to the database session of one attempt. A killed worker takes them with it, and no
other attempt can mix its rows with these, so that an import is all there or not at all.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import connection

from annotator.actions.imports.media import store_image
from annotator.actions.imports.whole_forms import Questions, check
from annotator.actions.projects import paths
from annotator.errors import InvalidError
from annotator.formats import Given, Problem
from annotator.formats.mapping import Mapped, Mapping
from annotator.formats.sides import side_of
from annotator.formats.spans import names_of
from annotator.models import Label, Project, Shape
from learning.tasks import TASKS, Task, form_marks, form_texts
from learning.tasks.content import Content
from learning.tasks.values import spelled_task

FLUSH_ROWS = 5_000
FLUSH_CHARACTERS = 8_000_000
MOST_LABELS = 10_000
KEPT_PROBLEMS = 1_000
REMEMBERED_SETS = 50_000

_JSON = json.JSONEncoder(ensure_ascii=False)

_TABLES = """
CREATE TEMPORARY TABLE staged_item (
    row int, external_id text, text text, text_b text, candidates text[], image text, meta jsonb, content_hash bytea,
    item_id bigint DEFAULT nextval('{ids}'::regclass)
);
CREATE TEMPORARY TABLE staged_answer (
    row int, voice int, prediction bool, labels int, score float8, value jsonb
);
CREATE TEMPORARY TABLE staged_set (id int, labels int[]);
"""
# The last two are made, and mostly dropped, by the transaction that lands the rows.
_DROP = "DROP TABLE IF EXISTS staged_item, staged_answer, staged_set, staged_twin, staged_ids"


def folded(name: str) -> str:
    """A label's name as it is compared: without case and doubled spaces."""
    return " ".join(name.split()).casefold()


def content_hash(
    text: str, text_b: str = "", image: bytes | None = None, candidates: Sequence[str] = ()
) -> bytes:
    """What makes two items the same: their texts but for spelling of accents and white space.

    An image's hash is that of its bytes as we wrote them.
    """
    if image is not None:
        return hashlib.blake2b(image, digest_size=16).digest()
    content = f"{_plain(text)}\0{_plain(text_b)}" if text_b else _plain(text)
    content += "".join(f"\0\0{_plain(one)}" for one in candidates)
    return hashlib.blake2b(content.encode(), digest_size=16).digest()


def _plain(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


class UnknownLabelsError(ValueError):
    """Labels of a row that the project doesn't have."""


class LabelBook:
    """The labels of the file: which the project has, which are new, and how often each comes."""

    def __init__(self, project: Project, *, create: bool, mapping: Mapping | None = None) -> None:
        """mapping: names the columns of two texts, by which a comparison's answer may call them."""
        columns = (mapping.text, mapping.text_b) if mapping else ("", "")
        self._texts = columns
        self._sided = project.task.sided
        self._create, self._nested = create, project.task.nested
        self.questions = Questions(project) if project.has_questions else None
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.ids: list[int | None] = []
        self.counts: list[int] = []
        labels = Label.objects.filter(project=project, archived_at=None)
        self._known = {key: pk for pk, name, key in labels.values_list("pk", "name", "key")}
        self._known |= {folded(name): pk for pk, name, _ in labels.values_list("pk", "name", "key")}

    def numbers(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """This file's numbers of the labels. Raises UnknownLabelsError when one may not be new."""
        if self._nested:
            names = tuple(self._path(name) for name in names)
        if self.questions is not None:
            names = tuple(self._answer(name, self.questions) for name in names)
        if self._sided:
            names = tuple(self._side(name) for name in names)
        unknown = [name for name in names if not self._has(name)]
        if unknown:
            listed = ", ".join(f"“{name[:60]}”" for name in unknown[:5])
            raise UnknownLabelsError(f"The project has no label {listed}.")
        return tuple(dict.fromkeys(self._number(name) for name in names))

    def count(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            self.counts[number] += 1

    def _path(self, name: str) -> str:
        """The path in its one form, unless it is the key of a label."""
        if name in self._known:
            return name
        try:
            return paths.cleaned(name)
        except InvalidError as error:
            raise UnknownLabelsError(str(error)) from error

    def _answer(self, name: str, questions: Questions) -> str:
        """The name of an answer to a question in its one form, unless it is the key of a label."""
        if name in self._known:
            return name
        found = questions.path(name)
        if found is None:
            raise UnknownLabelsError(
                f"“{name[:60]}” answers no question of the form: it is written Question > answer."
            )
        path, question = found
        if question.writes:
            raise UnknownLabelsError(
                f"“{question.name}” is answered with a text, in a column of its own."
            )
        if folded(path) in self._known:
            return path
        part = path.partition(Label.BELOW)[2]
        if question.brings_answers:
            side = questions.side(question, side_of(part, *self._texts))
            if side:
                return side
        is_grade = TASKS[question.kind].ordered
        if is_grade or question.brings_answers:
            what = "grade of" if is_grade else "answer to"
            raise UnknownLabelsError(f"“{path[:60]}” is no {what} “{question.name}”.")
        return path

    def check(self, task: Task, numbers: tuple[int, ...], placed: Collection[int] = ()) -> None:
        """Raise ShapeError for labels of this file that are no whole answer to the task; `placed` are
        those among them that mark places.
        """
        if self.questions is None:
            return
        fresh: dict[str, list[int]] = {}
        ids = {number: self.ids[number] or -1 - number for number in numbers}
        for number in numbers:
            found = self.questions.path(self.names[number])
            if ids[number] < 0 and found is not None:
                fresh.setdefault(found[1].key, []).append(ids[number])
        known = [one for one in ids.values() if one > 0]
        check(task, known, fresh, {ids[number] for number in placed})

    def _side(self, name: str) -> str:
        """The key of the side that is meant, unless a label is called so."""
        known = name in self._known or folded(name) in self._known
        return name if known else side_of(name, *self._texts) or name

    def _has(self, name: str) -> bool:
        short = folded(name)
        return self._create or short in self._numbers or short in self._known or name in self._known

    def _number(self, name: str) -> int:
        short = folded(name)
        number = self._numbers.get(short)
        if number is None:
            if len(self.names) >= MOST_LABELS:
                raise InvalidError(
                    f"The file holds more than {MOST_LABELS:,} different labels. "
                    "Is it the right column?"
                )
            number = self._numbers[short] = len(self.names)
            self.names.append(" ".join(name.split()))
            self.ids.append(self._known.get(short) or self._known.get(name))
            self.counts.append(0)
        return number


@dataclass
class Report:
    """What the importer is told; kept on the batch as JSON."""

    rows: int = 0
    good_rows: int = 0
    bad_rows: int = 0
    problem_count: int = 0
    problems: list[list[Any]] = field(default_factory=list)
    _last_bad: int = -1

    def add(self, problem: Problem) -> None:
        self.problem_count += 1
        if problem.row != self._last_bad:
            self.bad_rows += 1
            self.rows += 1
            self._last_bad = problem.row
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append([problem.row, problem.column, problem.message])

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "good_rows": self.good_rows,
            "bad_rows": self.bad_rows,
            "problem_count": self.problem_count,
            "problems": self.problems,
        }


class Stage:
    """The temporary tables of one import, filled in batches so that memory stays flat.

    columns: of the staged items; makes_items: whether rows become items, or are answers to some;
    suggests: all answers are taken as suggestions, which need not be whole.
    """

    columns: ClassVar[str] = "row, external_id, text, text_b, candidates, image, meta, content_hash"
    makes_items: ClassVar[bool] = True

    def __init__(self, project: Project, book: LabelBook, *, suggests: bool = False) -> None:
        self.book, self.suggests = book, suggests
        self.voices: dict[str, int] = {}
        self.project = project
        self.task = project.task
        self._items: list[tuple[Any, ...]] = []
        self._answers: list[tuple[Any, ...]] = []
        self._sets: list[tuple[int, list[int]]] = []
        self._set_ids: dict[tuple[int, ...], int] = {}
        self._words: dict[Given, tuple[tuple[int, ...], tuple[Any, ...]]] = {}
        self._next_set = 0
        self._characters = 0

    def add(self, item: Mapped) -> bool:
        """Take an item with its labels; True when a batch was written.

        Raises UnknownLabelsError, having taken nothing, for labels that the project lacks, and
        LearningError for marked places that the text does not have.
        """
        self.answer(item)
        image = self._stored(item.image) if item.image is not None else ""
        meta = _JSON.encode(item.meta) if item.meta else "{}"
        digest = content_hash(item.text, item.text_b, item.image, item.candidates)
        characters = len(item.text) + len(item.text_b) + len(meta) + sum(map(len, item.candidates))
        row = (
            *(item.row, item.external_id, item.text, item.text_b, list(item.candidates)),
            *(image, meta, digest),
        )
        return self.took(row, characters)

    def answer(self, item: Mapped) -> None:
        """Take the answers to an item; raises as `add` does."""
        words = [self._told(one, item) for one in _last_words(item.given)]
        for numbers, word, value in words:
            self.book.count(numbers)
            self._answers.append((item.row, *word, value))

    def _told(
        self, given: Given, item: Mapped
    ) -> tuple[tuple[int, ...], tuple[Any, ...], str | None]:
        numbers, word = self._word(given)
        return numbers, word, self._value(given, item, numbers)

    def took(self, row: tuple[Any, ...], characters: int) -> bool:
        """Keep an item's row, and write a batch when there is enough of it."""
        self._items.append(row)
        self._characters += characters
        if len(self._items) < FLUSH_ROWS and self._characters < FLUSH_CHARACTERS:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Copy what waits into the tables."""
        _copy(f"staged_item ({self.columns})", self._items)
        _copy("staged_set (id, labels)", self._sets)
        _copy("staged_answer (row, voice, prediction, labels, score, value)", self._answers)
        self._items, self._answers, self._sets, self._characters = [], [], [], 0

    def _word(self, given: Given) -> tuple[tuple[int, ...], tuple[Any, ...]]:
        """The numbers of an answer's labels, and what the table holds of it beside the row."""
        given = given._replace(words=None, texts=())
        found = self._words.get(given)
        if found is None:
            numbers = self.book.numbers(given.labels)
            if given.kind == "answer" and not self.suggests:
                self.book.check(self.task, numbers, self._placed(given))
            voice = self.voices.setdefault(given.voice, len(self.voices))
            prediction = given.kind == "prediction"
            found = numbers, (voice, prediction, self._set(numbers), given.score)
            if len(self._words) >= REMEMBERED_SETS:
                self._words.clear()
            self._words[given] = found
        return found

    def _placed(self, given: Given) -> set[int]:
        """The labels of an answer's spans."""
        return set(self.book.numbers(names_of(given.spans or ())))

    def _value(self, given: Given, item: Mapped, labels: tuple[int, ...]) -> str | None:
        """The answer's value as JSON, in which labels go by this file's numbers."""
        content = Content(item.text, item.text_b, item.candidates)
        if self.task.valued:
            return self._of_form(given, content, labels)
        if given.words is not None:
            spelled = spelled_task(self.project.task_type)
            return _JSON.encode(spelled.read(spelled.unspell(given.words), content, ()))
        if not given.is_marked or self.task.shape == Shape.LABELS:
            return None  # a list of no places says "no label" where labels are the answer
        names = ("x", "y", "w", "h") if given.spans is None else ("start", "end")
        places: list[dict[str, Any]] = [
            dict(zip(names, edges, strict=True)) | {"label": self.book.numbers((label,))[0]}
            for *edges, label in (given.boxes if given.spans is None else given.spans) or ()
        ]
        numbers = {one["label"] for one in places}
        value = self.task.read({self.task.shape: places}, content, numbers)
        return None if value is None else _JSON.encode(value)

    def _of_form(self, given: Given, content: Content, labels: tuple[int, ...]) -> str | None:
        """What a form's answer has beside its labels; what a model wrote is not suggested."""
        value: dict[str, Any] = {}
        if self.task.marking:
            spans = {"spans": self._spans(given)}
            value |= form_marks.MARKS.read(spans, content, self._placed(given))
        answers = given.kind == "answer" and not self.suggests
        if self.task.writing and self.book.questions and answers:
            texts = self.book.questions.texts(given.texts)
            value["texts"] = form_texts.read(self.task.writing, texts, content)
            known = [pk for pk in map(self.book.ids.__getitem__, labels) if pk is not None]
            self.task.finished(known, value)
        return _JSON.encode(value) if value else None

    def _spans(self, given: Given) -> list[dict[str, Any]]:
        return [
            {"start": start, "end": end, "label": self.book.numbers((label,))[0]}
            for start, end, label in given.spans or ()
        ]

    def _set(self, numbers: tuple[int, ...]) -> int:
        """A number for these labels together; few sets make up most files."""
        found = self._set_ids.get(numbers)
        if found is None:
            if len(self._set_ids) >= REMEMBERED_SETS:
                self._set_ids.clear()  # the same set then gets a second number, which does no harm
            found = self._set_ids[numbers] = self._next_set
            self._next_set += 1
            self._sets.append((found, list(numbers)))
        return found

    def _stored(self, content: bytes) -> str:
        from annotator.formats.images import kind_of

        return store_image(self.project.pk, content, kind_of(content))


def _last_words(given: tuple[Given, ...]) -> list[Given]:
    """One answer and one prediction for each voice: the last that the file holds."""
    if len(given) < 2:
        return list(given)
    return list({(one.voice, one.kind): one for one in given}.values())


@contextmanager
def staging(stage: Stage) -> Iterator[Stage]:
    """Temporary tables for one import, gone at the end whatever happens."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP)  # what an attempt that was cancelled in this session may have left
        cursor.execute("SELECT pg_get_serial_sequence('annotator_item', 'id')")
        cursor.execute(_TABLES.format(ids=cursor.fetchone()[0]))
    try:
        yield stage
    finally:
        if not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(_DROP)


def _copy(target: str, rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
