"""Items, labels and voices in the words of a page; shared by Explore and Review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import QueryDict
from django.urls import reverse

from annotator.actions.desk import saying
from annotator.actions.explore.searching import predictions_of
from annotator.actions.projects import finding
from annotator.models import (
    Annotation,
    AnnotationKind,
    Flag,
    Item,
    Label,
    Project,
    Shape,
    VerdictState,
)
from annotator.web import marks, texts
from annotator.web.marks import Part
from learning.tasks.values import spelled_task

if TYPE_CHECKING:
    from learning.students.predictions import Predictions

TOP = 5


@dataclass(frozen=True)
class Guess:
    label: Label
    probability: float


@dataclass(frozen=True)
class Known:
    """A label that is there or not, where nothing is known of others."""

    label: Label
    there: bool


@dataclass(frozen=True)
class Row:
    """An item in a list."""

    item: Item
    labels: list[Label]
    known: list[Known]
    state: str
    guess: Guess | None
    margin: float | None
    image_url: str
    # What is marked in the text, or what was written, where answers are more than labels.
    parts: list[Part]
    told: str
    texts: list[tuple[str, str]]

    @property
    def unmarked(self) -> list[Label]:
        """The labels that no place shows."""
        return beside(self.labels, self.parts)


@dataclass(frozen=True)
class Said:
    """One voice's word on an item."""

    annotation: Annotation
    labels: list[Label]
    stands: bool
    # What was said about one label alone.
    about: Known | None
    parts: list[Part]
    told: str
    texts: list[tuple[str, str]]

    @property
    def unmarked(self) -> list[Label]:
        """The labels that no place shows."""
        return beside(self.labels, self.parts)


class LabelBook(Mapping[int, Label]):
    """A project's labels by number, archived ones too; of very many only those that are asked for.

    A page that knows what it will name says so with `want`, in one query instead of one for each.
    """

    def __init__(self, project: Project) -> None:
        self._every = Label.objects.filter(project=project).order_by("position")
        first = list(self._every[: finding.LISTED_AT_MOST + 1])
        self.is_whole = len(first) <= finding.LISTED_AT_MOST
        self._read: dict[int, Label | None] = {each.pk: each for each in first}

    def want(self, ids: Iterable[int]) -> None:
        """Read these at once, unless they are here."""
        missing = set(ids) - self._read.keys()
        if self.is_whole or not missing:
            return
        self._read |= dict.fromkeys(missing)
        self._read |= self._every.in_bulk(missing)

    def live(self) -> list[Label]:
        """The labels that a page may list: none of very many, which are searched for instead."""
        every = self._read.values() if self.is_whole else ()
        return [each for each in every if each is not None and each.archived_at is None]

    def __getitem__(self, pk: int) -> Label:
        self.want([pk])
        found = self._read.get(pk)
        if found is None:
            raise KeyError(pk)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._every.values_list("pk", flat=True))

    def __len__(self) -> int:
        return self._every.count()


def named(labels: LabelBook, ids: Sequence[int]) -> list[Label]:
    labels.want(ids)
    return [labels[pk] for pk in ids if pk in labels]


def beside(labels: Iterable[Label], parts: Iterable[Part]) -> list[Label]:
    """The labels of an answer that no marked place has."""
    marked = {part.label.pk for part in parts}
    return [label for label in labels if label.pk not in marked]


def verdict_of(item: Item) -> Any:
    """The item's verdict or None; it must have been selected with the item."""
    return getattr(item, "verdict", None)


class StudentWord:
    """What the current student says of items; silent on audit items that nobody decided yet."""

    def __init__(self, project: Project, labels: LabelBook) -> None:
        """Map the predictions once per request."""
        self.project, self.labels = project, labels
        self.known: Predictions | None = predictions_of(project)
        student = project.current_student
        self.label_ids: Sequence[int] = student.label_ids if student else []

    def may_speak(self, item: Item) -> bool:
        """An audit item is answered blind, wherever it is looked at."""
        if self.known is None or item.number >= self.known.rows:
            return False
        kept = item.part or item.order_key <= self.project.audit_cutoff
        verdict = verdict_of(item)
        return not (kept and (verdict is None or verdict.state == VerdictState.PARTIAL))

    def guesses(self, item: Item, count: int = TOP) -> list[Guess]:
        found = self.likeliest(item, count)
        self.labels.want(pk for pk, _ in found)
        return [Guess(self.labels[pk], share) for pk, share in found if pk in self.labels]

    def likeliest(self, item: Item, count: int) -> list[tuple[int, float]]:
        """Label ids with their probabilities, the likeliest first."""
        if self.known is None or not self.may_speak(item):
            return []
        found = self.known.top(item.number, count)
        ids = self.label_ids
        return [(ids[column], share) for column, share in found if column < len(ids)]

    def margin(self, item: Item) -> float | None:
        """0 undecided … 1 sure."""
        if self.known is None or not self.may_speak(item):
            return None
        return float(self.known.margins[item.number])


def rows_of(project: Project, items: Iterable[Item], labels: LabelBook) -> list[Row]:
    """Items selected with their verdicts, as rows; no query but one for very many labels."""
    word = StudentWord(project, labels)
    items = list(items)
    verdicts = [each for each in map(verdict_of, items) if each]
    labels.want(pk for each in verdicts for pk in (*each.labels, *(each.known or ())))
    labels.want(pk for each in items for pk, _ in word.likeliest(each, 1))
    names = texts.names_of(project)
    rows = []
    for item in items:
        verdict = verdict_of(item)
        guesses = word.guesses(item, 1)
        rows.append(
            Row(
                item=item,
                labels=decided(verdict, labels),
                known=known(verdict, labels),
                state=verdict.state if verdict else "",
                guess=guesses[0] if guesses else None,
                margin=word.margin(item),
                image_url=image_url(project, item),
                parts=marked_in(verdict, item, labels),
                told=told_by(project, verdict),
                texts=written_by(names, verdict),
            )
        )
    return rows


def image_url(project: Project, item: Item) -> str:
    return reverse("item_image", args=[project.pk, item.image]) if item.image else ""


def history(project: Project, item: Item, labels: LabelBook) -> list[Said]:
    """Everything said about an item, in order; `stands` marks what counts now."""
    said = list(Annotation.objects.filter(item=item).select_related("annotator").order_by("pk"))
    labels.want(pk for each in said for pk in each.labels)
    replaced = {each.previous_id for each in said}
    names = texts.names_of(project)
    return [
        Said(
            annotation=each,
            labels=named(labels, each.labels),
            stands=each.kind == AnnotationKind.ANSWER and each.pk not in replaced,
            about=about(each, labels),
            parts=marks.parts_of(each.value, item.text, labels),
            told=told(project, each.value),
            texts=texts.of_value(names, each.value),
        )
        for each in said
    ]


def decided(verdict: Any, labels: LabelBook) -> list[Label]:
    """The labels of a verdict; those of a tie are only candidates and are not shown as such."""
    if verdict is None or verdict.state != VerdictState.DECIDED:
        return []
    return named(labels, verdict.labels)


def marked_in(verdict: Any, item: Item, labels: LabelBook) -> list[Part]:
    """What a verdict marks in the item's text; nothing where it is no decision."""
    if verdict is None or verdict.state != VerdictState.DECIDED:
        return []
    return marks.parts_of(verdict.value, item.text, labels)


def told_by(project: Project, verdict: Any) -> str:
    """What a verdict says in writing; nothing where it is no decision."""
    if verdict is None or verdict.state != VerdictState.DECIDED:
        return ""
    return told(project, verdict.value)


def written_by(names: Mapping[str, str], verdict: Any) -> list[tuple[str, str]]:
    """What a verdict writes, by question; nothing where it is no decision."""
    if verdict is None or verdict.state != VerdictState.DECIDED:
        return []
    return texts.of_value(names, verdict.value)


def told(project: Project, value: Any) -> str:
    """A value as a text, where the task writes it as one."""
    if value is None or not project.task.spelled:
        return ""
    return spelled_task(project.task_type).spell(value)


def value_in(project: Project, form: QueryDict) -> Any:
    """The value that a plain form gives; None where labels are the answer."""
    if project.shape == Shape.LABELS:
        return _of_form(project, form) if project.has_questions else None
    if project.task.spelled:
        return saying.spelled(project, form.get("written", ""))
    return marks.value_of(form.getlist("part"), project.shape)


def _of_form(project: Project, form: QueryDict) -> Any:
    task, value = project.task, {}
    if task.marking:
        value = marks.value_of(form.getlist("part"), "spans")
    if task.writing:
        value["texts"] = texts.given(form)
    return value or None


def known(verdict: Any, labels: LabelBook) -> list[Known]:
    """What a partial verdict knows; nothing of any other."""
    if verdict is None or verdict.state != VerdictState.PARTIAL:
        return []
    asked = named(labels, verdict.known or ())
    return [Known(each, each.pk in verdict.labels) for each in asked]


def about(said: Annotation, labels: LabelBook) -> Known | None:
    """The answer to a question about one label; None for a whole answer."""
    if said.question_id is None or said.question_id not in labels:
        return None
    return Known(labels[said.question_id], said.question_id in said.labels)


def named_about(item: Item, flags: list[Flag]) -> list[int]:
    """The labels that are suggested for an item, decided and said."""
    verdict = verdict_of(item)
    said = Annotation.objects.filter(item=item, successor=None).values_list("labels", flat=True)
    named = [each.suggested or [] for each in flags]
    return [pk for ids in (*named, verdict.labels if verdict else [], *said) for pk in ids]


def tied(item: Item) -> bool:
    verdict = verdict_of(item)
    return verdict is not None and verdict.state == VerdictState.TIE
