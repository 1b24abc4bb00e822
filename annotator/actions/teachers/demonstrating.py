"""What the prompts of a run show beside the items: solved ones that are like them, and with many
labels only the likely ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotator.actions.encoders import encoding
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons
from annotator.actions.teachers import committees
from annotator.errors import ConflictError
from annotator.models import Encoding, Item, Project
from annotator.runtime import modelclient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.teachers.candidates import Shortlist
    from learning.teachers.demonstrations import Bank
    from learning.teachers.types import Example, TeacherItem, TeacherSchema

# Solved items that are chosen from, evenly spaced over all that there are.
MOST_SOLVED = 3_000
# Fewer audited items tell nothing about candidates.
FEWEST_AUDITED = 10
# So often the right labels have to be among the candidates for them to be enough.
ENOUGH = 0.95


def means_of(
    project: Project, schema: TeacherSchema, params: dict[str, Any], asked: Sequence[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a teacher with these parameters is lent, and what was measured on the way.

    asked: numbers of the items that it will be asked about; none of them is shown as solved.
    Raises ConflictError while the items are not encoded.
    """
    count, candidates = _wanted(schema, params)
    if not (count or candidates):
        return {}, {}
    shelf = _shelf(project, schema, asked)
    facts: dict[str, Any] = {"solved": len(shelf.bank.numbers)}
    if candidates:
        facts["candidates"] = {"count": candidates, **shelf.recall(candidates)}
    return _lent(shelf, count, candidates), facts


def shown_with(
    project: Project, schema: TeacherSchema, params: dict[str, Any], item: TeacherItem
) -> tuple[list[Example], Sequence[int] | None]:
    """The solved items and the label columns of a prompt about this item; None offers all labels.

    Typed labels are encoded by the model process. Raises ConflictError while the items are not
    encoded, UnavailableError while the model process starts.
    """
    count, candidates = _wanted(schema, params)
    if not (count or candidates):
        return [], None
    shelf = _shelf(project, schema, [item.number], encoder=WarmEncoder(project))
    lent = _lent(shelf, count, candidates)
    show, offer = lent.get("show"), lent.get("offer")
    return show([item]) if show else [], offer([item]) if offer else None


def _wanted(schema: TeacherSchema, params: dict[str, Any]) -> tuple[int, int]:
    """How many examples a prompt shows and how many labels it offers, 0 for all of them."""
    if schema.ranked:  # people's orders of other candidates are shown to nobody
        return 0, 0
    candidates = 0 if schema.questions else params.get("candidates") or 0
    return params.get("demonstrations") or 0, candidates if candidates < schema.size else 0


def _shelf(
    project: Project, schema: TeacherSchema, asked: Sequence[int], encoder: Any = None
) -> Shelf:
    known = encoding.current_encoding(project)
    if known is None or not known.rows:
        raise ConflictError("The items are not encoded yet, so no examples can be chosen.")
    return Shelf(
        project=project, schema=schema, known=known, asked=frozenset(asked), encoder=encoder
    )


def _lent(shelf: Shelf, count: int, candidates: int) -> dict[str, Any]:
    lent: dict[str, Any] = {"show": Shower(shelf, count)} if count else {}
    if candidates:
        lent["offer"] = Offerer(shelf, shelf.shortlist, candidates)
    return lent


@dataclass(frozen=True)
class WarmEncoder:
    """A project's encoder in the model process, for what a page shows at once."""

    project: Project

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) unit rows."""
        known = encoding.current_encoding(self.project)
        if known is None:
            raise ConflictError("The items are not encoded yet, so no labels can be chosen.")
        folder = encoding.matrix_folder(self.project.pk) / known.fingerprint
        return modelclient.encode(
            texts,
            encoder=known.encoder,
            params=known.params,
            folder=str(folder.relative_to(settings.DATA_DIR)) if folder.is_dir() else None,
        )


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Solved items of a project, and the vectors of those that are asked about.

    encoder: reads the labels; None takes the project's own into this process.
    """

    project: Project
    schema: TeacherSchema
    known: Encoding
    asked: frozenset[int]
    encoder: Any = None

    @cached_property
    def matrix(self) -> Any:
        return encoding.open_matrix(self.known).view()[: self.known.rows]

    def vectors(self, items: Sequence[TeacherItem]) -> NDArray[np.float32] | None:
        """(n, d) of the items; None where one has no vector yet, or is planted."""
        import numpy as np

        numbers = [item.number for item in items]
        if min(numbers) < 0 or max(numbers) >= self.known.rows:
            return None
        return np.asarray(self.matrix[numbers], dtype=np.float32)

    @cached_property
    def _solved(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers and (b, k) labels of what people decided, in the schema's columns.

        Evaluation and calibration items are never among them, nor what is asked about.
        """
        import numpy as np

        columns = columns_of(self.project)
        learnt = lessons.read(self.project, self.known.rows, columns)
        people = np.array([row[3] > 0 for row in learnt.rows], dtype=np.bool_)
        free = ~np.isin(learnt.numbers, list(self.asked))
        rows = np.flatnonzero(people & free & learnt.whole)
        place = [columns.column(label) for label in self.schema.ids]
        targets = (learnt.targets[rows][:, place] > 0.5).astype(np.float32)
        named = targets.any(axis=1) | self.schema.multi_label
        return learnt.numbers[rows][named], targets[named]

    @cached_property
    def bank(self) -> Bank:
        """At most so many of them, with their vectors."""
        numbers, targets = self._solved
        step = max(-(-len(numbers) // MOST_SOLVED), 1)
        return self._bank(numbers[::step], targets[::step])

    def _bank(self, numbers: NDArray[np.int64], targets: NDArray[np.float32]) -> Bank:
        import numpy as np

        from learning.teachers.demonstrations import Bank

        vectors = np.asarray(self.matrix[numbers], dtype=np.float32)
        return Bank(numbers=numbers, encodings=vectors, targets=targets)

    @cached_property
    def examples(self) -> list[Example]:
        """The solved items by the row of the bank, read before any thread asks for them."""
        import numpy as np

        from learning.spans import spans_of
        from learning.teachers.types import Example, TeacherItem

        numbers = self.bank.numbers.tolist()
        rows = Item.objects.filter(project=self.project, number__in=numbers).present()
        names = ("number", "text", "text_b", "verdict__value")
        told = {number: rest for number, *rest in rows.values_list(*names)}
        ids = self.schema.ids
        found = []
        for number, row in zip(numbers, np.asarray(self.bank.targets), strict=True):
            text, text_b, value = told.get(number, ("", "", None))
            item = TeacherItem(number=number, text=text, text_b=text_b)
            labels = tuple(ids[column] for column in np.flatnonzero(row > 0.5))
            marked = spans_of(value) if self.schema.marks and value else []
            spans = tuple(span for span in marked if span.label in labels)
            said = value["text"] if self.schema.written and value else ""
            found.append(Example(item=item, labels=labels, spans=spans, text=said))
        return found

    @cached_property
    def shortlist(self) -> Shortlist:
        """Ranks labels by their own text and by what people decided."""
        return self._shortlist(self.bank)

    @cached_property
    def _labels(self) -> NDArray[np.float32]:
        from learning.teachers.zero_shot import text_vectors

        reader = self.encoder or encoding.ready_encoder(self.project)
        return text_vectors(self.schema.labels, reader)

    def _shortlist(self, bank: Bank) -> Shortlist:
        from learning.teachers.candidates import Shortlist

        return Shortlist(labels=self._labels, bank=bank if len(bank.numbers) else None)

    def recall(self, count: int) -> dict[str, Any]:
        """How often the right labels are among so many candidates, on audited items of which the
        solved ones know nothing, and how many would do; empty while too few are audited.
        """
        import numpy as np

        from learning.teachers.candidates import recall, smallest_count

        live = set(self.schema.ids)
        truth = committees.truth_of(self.project)
        known = {n: [pk for pk in labels if pk in live] for n, labels in truth.items()}
        told = [n for n, labels in known.items() if labels and n < self.known.rows]
        numbers = np.array(told, dtype=np.int64)
        if len(numbers) < FEWEST_AUDITED:
            return {}
        keep = ~np.isin(self.bank.numbers, numbers)
        solved = np.asarray(self.bank.numbers, dtype=np.int64)[keep]
        others = self._bank(solved, np.asarray(self.bank.targets, dtype=np.float32)[keep])
        ranked = self._shortlist(others).rank(
            np.asarray(self.matrix[numbers], dtype=np.float32), numbers
        )
        right = np.stack([self.schema.target(known[int(n)]) for n in numbers])
        found = recall(ranked, right, count)
        enough, _ = smallest_count(ranked, right, least=ENOUGH)
        return {
            "recall": found.value,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "enough": enough if enough < self.schema.size else None,
        }


class Shower:
    """Solved items that are like those of one prompt; called by several threads."""

    def __init__(self, shelf: Shelf, count: int) -> None:
        from learning.teachers.demonstrations import Demonstrations

        self.shelf, self.choice = shelf, Demonstrations(count=count)
        self.bank, self.examples = shelf.bank, shelf.examples

    def __call__(self, items: Sequence[TeacherItem]) -> list[Example]:
        """The likest last."""
        queries = self.shelf.vectors(items)
        if queries is None:
            return []
        rows = self.choice.choose(self.bank, queries, [item.number for item in items])
        return [self.examples[row] for row in rows if self.examples[row].item.text]


class Offerer:
    """The likely labels for the items of one prompt."""

    def __init__(self, shelf: Shelf, shortlist: Shortlist, count: int) -> None:
        self.shelf, self.shortlist, self.count = shelf, shortlist, count

    def __call__(self, items: Sequence[TeacherItem]) -> Sequence[int]:
        """Columns; all of them where an item has no vector yet."""
        import numpy as np

        from learning.teachers.candidates import together

        queries = self.shelf.vectors(items)
        if queries is None:
            return range(self.shelf.schema.size)
        numbers = np.array([item.number for item in items], dtype=np.int64)
        ranked = self.shortlist.rank(queries, numbers)
        return together(ranked, range(len(items)), self.count)
