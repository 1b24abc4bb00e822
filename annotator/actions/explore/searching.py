"""Find items: full text, an allow-list of filters, and the order of the student's doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import Aggregate, BinaryField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.explore import areas
from annotator.actions.imports.indexing import CONFIGURATION
from annotator.errors import InvalidError
from annotator.models import (
    Annotation,
    Flag,
    FlagState,
    Item,
    Part,
    Project,
    Stream,
    VerdictState,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.students.predictions import Predictions

LONGEST_QUERY = 300
MOST_CHOSEN = 1_000
# Beyond this a total is "more than"; counting on would cost more than it says.
COUNTED_TO = 10_000
# A margin below this is doubt: the two likeliest labels are within 20 points.
DOUBTFUL = 0.2
STATUSES = {
    "answered": "Decided",
    "tie": "Tie, waits for review",
    "partial": "Some labels known",
    "none": "No label yet",
    "open": "Wants an answer",
    "flagged": "Flagged",
}
SORTS = {"number": "As imported", "latest": "Last imported first", "doubt": "Most doubtful first"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What items must have; empty fields ask nothing. `items` names chosen item ids, `area` a part of
    the map."""

    query: str = ""
    label: int | None = None
    annotator: int | None = None
    batch: int | None = None
    stream: str = ""
    part: str = ""
    status: str = ""
    doubt: str = ""
    area: str = ""
    items: tuple[int, ...] = ()

    def given(self) -> dict[str, Any]:
        """Only the fields that ask something, as an address or a job keeps them."""
        return {name: value for name, value in asdict(self).items() if value not in {None, "", ()}}

    @property
    def fields(self) -> list[tuple[str, Any]]:
        """Names and values of a form that asks the same; chosen items are one field each.

        Templates need it: to them `given.items` is the chosen items.
        """
        return [
            (name, each)
            for name, value in self.given().items()
            for each in (value if isinstance(value, tuple) else (value,))
        ]


@dataclass(frozen=True, kw_only=True)
class Hits:
    """One page of items, and where the next one begins (an item number, None at the end)."""

    items: list[Item]
    after: int | None


def read_filter(given: Mapping[str, Any]) -> Filter:
    """A filter from an address or a job's parameters. Raises InvalidError for what is not known."""
    allowed: dict[str, set[str]] = {
        "stream": set(Stream.values),
        "part": set(Part.values),
        "status": set(STATUSES),
        "doubt": {"high", "low"},
    }
    values: dict[str, Any] = {}
    for field in fields(Filter):
        raw = given.get(field.name)
        if not raw:
            continue
        if field.name in allowed:
            if raw not in allowed[field.name]:
                raise InvalidError(f"“{raw}” is not a {field.name}.", field=field.name)
            values[field.name] = raw
        elif field.name == "query":
            values["query"] = str(raw).replace("\x00", "").strip()[:LONGEST_QUERY]
        elif field.name == "area":
            areas.parse(str(raw))
            values["area"] = str(raw)
        elif field.name == "items":
            values["items"] = tuple(_number(each) for each in raw)[:MOST_CHOSEN]
        else:
            values[field.name] = _number(raw)
    return Filter(**values)


def _number(raw: Any) -> int:
    text = str(raw)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidError(f"“{text[:40]}” is not a number.")
    return int(text)


def matching(project: Project, wanted: Filter) -> QuerySet[Item]:
    """The project's items that fit, in no order. Unknown labels or voices match nothing."""
    items: QuerySet[Item] = Item.objects.filter(project=project).present()
    if wanted.query:
        items = _by_text(items, wanted.query)
    if wanted.label is not None:
        items = items.filter(
            verdict__labels__contains=[wanted.label], verdict__state=VerdictState.DECIDED
        )
    if wanted.batch is not None:
        items = items.filter(batch_id=wanted.batch)
    if wanted.part:
        items = items.filter(part=wanted.part)
    if wanted.items:
        items = items.filter(pk__in=wanted.items)
    if wanted.annotator is not None or wanted.stream:
        items = items.filter(pk__in=_said(project, wanted).values("item_id"))
    if wanted.doubt:
        items = _numbered(items, _by_doubt(project, wanted.doubt))
    if wanted.area:
        items = _numbered(items, areas.numbers_in(project, wanted.area).tolist())
    return _by_status(items, wanted.status)


def not_audit(project: Project) -> Q:
    """Items outside of the audit sample, drawn or to be drawn, which is answered blind."""
    held_back = [Part.EVALUATION, Part.CALIBRATION]
    return Q(order_key__gt=project.audit_cutoff) & ~Q(part__in=held_back)


def _by_text(items: QuerySet[Item], query: str) -> QuerySet[Item]:
    if query.startswith("#") and len(query) > 1:
        name = query[1:].strip()
        exact = Q(external_id=name)
        if name.isascii() and name.isdigit() and len(name) < 10:
            exact |= Q(number=int(name))
        return items.filter(exact)
    wanted = SearchQuery(query, config=CONFIGURATION, search_type="websearch")
    return items.filter(search__vector=wanted)


def _numbered(items: QuerySet[Item], numbers: list[int]) -> QuerySet[Item]:
    return items.filter(number__in=RawSQL("SELECT unnest(%s::int[])", [numbers]))


def _said(project: Project, wanted: Filter) -> QuerySet[Annotation]:
    said = Annotation.objects.filter(project=project).standing()
    if wanted.annotator is not None:
        said = said.filter(annotator_id=wanted.annotator)
    if wanted.stream:
        said = said.filter(stream=wanted.stream)
    return said


def _by_status(items: QuerySet[Item], status: str) -> QuerySet[Item]:
    if status == "answered":
        return items.filter(verdict__state=VerdictState.DECIDED)
    if status == "tie":
        return items.filter(verdict__state=VerdictState.TIE)
    if status == "partial":
        return items.filter(verdict__state=VerdictState.PARTIAL)
    if status == "none":
        return items.filter(verdict=None)
    if status == "open":
        return items.filter(open=True)
    if status == "flagged":
        return items.filter(Exists(Flag.objects.filter(item=OuterRef("pk"), state=FlagState.OPEN)))
    return items


def predictions_of(project: Project) -> Predictions | None:
    """The current student's word on the pool, mapped from its file; None while there is none."""
    from learning.errors import DamagedFileError
    from learning.students.predictions import read_predictions

    student = project.current_student
    if student is None or not student.folder:
        return None
    try:
        return read_predictions(students_folder(project.pk) / student.folder / "pool")
    except DamagedFileError:
        return None  # the page says that there is no student's word; `doctor` says why


def _by_doubt(project: Project, doubt: str) -> list[int]:
    import numpy as np

    known = predictions_of(project)
    if known is None:
        return []
    margins = np.asarray(known.margins)
    numbers = np.flatnonzero(margins < DOUBTFUL if doubt == "high" else margins >= DOUBTFUL)
    found: list[int] = numbers.tolist()
    return found


def hits(project: Project, wanted: Filter, sort: str, after: int | None, size: int) -> Hits:
    """One page after item number `after`. Raises InvalidError for an unknown sort."""
    if sort not in SORTS:
        raise InvalidError(f"“{sort}” is not an order.", field="sort")
    items = matching(project, wanted)
    if sort == "doubt":
        return _most_doubtful(project, items, after, size)
    if sort == "latest":
        found = items.filter(number__lt=after) if after is not None else items
        ordered = found.order_by("-number")
    else:
        found = items.filter(number__gt=after) if after is not None else items
        ordered = found.order_by("number")
    return _cut(list(ordered.select_related("verdict")[: size + 1]), size)


def _cut(items: list[Item], size: int) -> Hits:
    return Hits(items=items[:size], after=items[size - 1].number if len(items) > size else None)


def count(items: QuerySet[Item]) -> int:
    """How many, COUNTED_TO + 1 standing for more."""
    return items.order_by()[: COUNTED_TO + 1].count()


class _Packed(Aggregate):
    """Item numbers as one string of 4-byte integers: a hundred thousand in one value."""

    function = "string_agg"
    template = "string_agg(int4send(%(expressions)s), ''::bytea)"
    output_field = BinaryField()


def numbers_of(items: QuerySet[Item]) -> NDArray[np.int64]:
    """(n,) the numbers of items, in no order."""
    import numpy as np

    packed = items.order_by().aggregate(packed=_Packed("number"))["packed"] or b""
    return np.frombuffer(bytes(packed), dtype=">i4").astype(np.int64)


def _most_doubtful(project: Project, items: QuerySet[Item], after: int | None, size: int) -> Hits:
    """By margin, then number. Items that the student has not seen yet come last."""
    import numpy as np

    numbers = numbers_of(items)
    margins = _margins(project, int(max(numbers.max(initial=0), after or 0)) + 1)
    if after is not None:
        here = margins[numbers]
        numbers = numbers[(here > margins[after]) | ((here == margins[after]) & (numbers > after))]
    order = np.lexsort((numbers, margins[numbers]))[: size + 1]
    chosen = numbers[order].tolist()
    rows = Item.objects.filter(project=project, number__in=chosen).select_related("verdict")
    by_number = {item.number: item for item in rows}
    return _cut([by_number[number] for number in chosen if number in by_number], size)


def _margins(project: Project, length: int) -> NDArray[np.float32]:
    """(length,): 0 undecided … 1 sure, 2 where the student has said nothing yet."""
    import numpy as np

    margins = np.full(length, 2.0, dtype=np.float32)
    known = predictions_of(project)
    if known is not None:
        rows = min(known.rows, length)
        margins[:rows] = known.margins[:rows]
    return margins
