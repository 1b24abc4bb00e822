"""Seeding: a lead asks that people be given what a search found, or what is like an example, next.

A label of one item in a thousand is not met by waiting. The items go to the front of the queue, by
the active stream: audit items are never among them, so no figure learns what the lead looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Length, Now

from annotator import jobs
from annotator.actions.explore import neighbours
from annotator.actions.explore.searching import Filter, matching
from annotator.actions.imports.indexing import CONFIGURATION
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import Item, Project, Seeding, User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.types import Pool, Selection

MOST = 500
# Wishes that stand at once: every refill of the queue reads all of them.
MOST_STANDING = 20
# Items like an example: this many of the nearest, as far as they want an answer.
NEAREST = 50
SHOWN_QUERY = 80


@dataclass(frozen=True, kw_only=True)
class Wished:
    """(w,) numbers of the waiting items that leads wish for, the newest wish first, each once; and
    whose wish each is."""

    numbers: NDArray[np.int64]
    wishes: dict[int, Seeding]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A wish that stands, and how many of its items still wait."""

    seeding: Seeding
    words: str
    waiting: int

    @property
    def done(self) -> int:
        return len(self.seeding.numbers) - self.waiting


def waiting(project: Project, among: QuerySet[Item] | None = None) -> QuerySet[Item]:
    """Items that the active stream may still ask people about, of all or of those given."""
    items = Item.objects.filter(project=project).present() if among is None else among
    return items.filter(open=True, order_key__gt=project.audit_cutoff)


def ask_hits(project: Project, user: User, wanted: Filter) -> Seeding:
    """Ask people about what a search or filter finds, 500 items at most, the best hits first.

    Raises InvalidError when the filter asks nothing, or finds nothing that wants an answer;
    ConflictError while too many wishes stand.
    """
    if not wanted.given():
        raise InvalidError("Search, filter or choose items first: this would ask about everything.")
    found = waiting(project, matching(project, wanted))
    order = ["number"]
    if wanted.query and not wanted.query.startswith("#"):
        query = SearchQuery(wanted.query, config=CONFIGURATION, search_type="websearch")
        found = found.annotate(rank=SearchRank(F("search__vector"), query))
        order = ["-rank", "number"]
    numbers = list(found.order_by(*order).values_list("number", flat=True)[:MOST])
    return wish(project, user, numbers, query=wanted.query)


def ask_similar(project: Project, user: User, example: Item) -> Seeding:
    """Ask people about the items nearest an example, nearest first.

    Raises ConflictError while the example has no encoding, or too many wishes stand.
    """
    near = neighbours.nearest(project, example, MOST)
    if near is None:
        raise ConflictError("This item is not encoded yet; look at the project's jobs.")
    alike = [number for number, _ in near.pairs]
    open_ones = set(waiting(project).filter(number__in=alike).values_list("number", flat=True))
    numbers = [number for number in alike if number in open_ones][:NEAREST]
    return wish(project, user, numbers, example=example)


def wish(project: Project, user: User, numbers: list[int], **about: object) -> Seeding:
    """Ask about these items first. `about` are further fields of the wish; raises as `ask_hits`."""
    if not numbers:
        raise InvalidError(
            "None of these items waits for an answer: they have one, or are kept for the audit."
        )
    seeding = Seeding(project=project, numbers=numbers, created_by=user, **about)
    with transaction.atomic():
        # Parts two leads who wish at once: neither sees the other's wish yet.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _make_room(project, seeding)
        seeding.save()
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    return seeding


def _make_room(project: Project, fresh: Seeding) -> None:
    """End what is over or asked again by the fresh wish; refuse one too many."""
    left = _left(project)
    over = [wish for wish, numbers in left if not numbers or _again(fresh, wish, numbers)]
    if len(left) - len(over) >= MOST_STANDING:
        raise ConflictError(
            f"People are asked about {MOST_STANDING} searches, choices or lists of hits first already, and "
            "no more can stand at once. Label on until the items of one are answered, or have one taken "
            "back: Explore lists them."
        )
    _end(over)


def _again(fresh: Seeding, wish: Seeding, left: set[int]) -> bool:
    """Whether the fresh wish asks all that waits of an older one with the same words.

    The same words may have been about others: the filters beside a search are not kept.
    """
    if (fresh.query, fresh.example) != (wish.query, wish.example):
        return False
    if fresh.label or wish.label:
        return False  # what was said of stretches is taken back step by step
    return left.issubset(fresh.numbers)


def _end(wishes: list[Seeding]) -> None:
    if wishes:
        ids = [wish.pk for wish in wishes]
        Seeding.objects.filter(pk__in=ids).standing().update(ended_at=Now())


def take_back(project: Project, seeding_id: int) -> Seeding:
    """End a wish; what is not answered yet goes back to where the strategy has it."""
    with transaction.atomic():
        ended = Seeding.objects.filter(project=project, pk=seeding_id)
        now = {"ended_at": Now(), "taken_back_at": Now()}
        if not ended.standing().update(**now) and not ended.exists():
            raise NotFoundError("There is no such wish in this project.")
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    return ended.get()


def standing(project: Project) -> list[Standing]:
    """The wishes of which items still wait, newest first."""
    return [
        Standing(seeding=wish, words=words(wish), waiting=len(left))
        for wish, left in _left(project)
        if left
    ]


def as_standing(seeding: Seeding) -> Standing:
    """A wish by itself, whether or not it stands any more."""
    left = waiting(seeding.project).filter(number__in=seeding.numbers).count()
    return Standing(seeding=seeding, words=words(seeding), waiting=left)


def _left(project: Project) -> list[tuple[Seeding, set[int]]]:
    """The wishes that have not ended, newest first, each with its numbers that still wait."""
    found = Seeding.objects.filter(project=project).standing()
    wishes = list(found.select_related("created_by", "example", "label").order_by("-id"))
    numbers = {number for wish in wishes for number in wish.numbers}
    left = set(waiting(project).filter(number__in=numbers).values_list("number", flat=True))
    return [(wish, left.intersection(wish.numbers)) for wish in wishes]


def words(wish: Seeding) -> str:
    """What the items are: "that match the search “refund”"."""
    if wish.query:
        return f"that match the search “{_shown(wish)}”"
    if wish.label is not None:
        return f"in which “{wish.label.name}” was found"
    return _like(wish) or "that a lead chose"


def _shown(wish: Seeding) -> str:
    return wish.query[:SHOWN_QUERY] + ("…" if len(wish.query) > SHOWN_QUERY else "")


def _like(wish: Seeding) -> str:
    if wish.example is None:
        return ""
    return f"like item #{wish.example.external_id or wish.example.number}"


def suggested(project: Project) -> dict[int, list[dict[str, Any]]]:
    """What people confirmed in a search by type and nobody has answered: item number -> spans as
    suggestions have them."""
    rows = Seeding.objects.filter(project=project, label__archived_at=None).standing()
    found: dict[int, list[dict[str, Any]]] = {}
    for label, kept in rows.exclude(label=None).order_by("id").values_list("label_id", "kept"):
        for number, start, end in kept:
            span = {"start": start, "end": end, "label": label, "probability": 1.0}
            if span not in found.setdefault(number, []):
                found[number].append(span)
    items = Item.objects.filter(project=project, number__in=found)
    lengths = dict(items.values_list("number", Length("text")))  # 0 where it was redacted since
    inside = {
        number: [span for span in spans if span["end"] <= lengths.get(number, 0)]
        for number, spans in found.items()
    }
    return {number: spans for number, spans in inside.items() if spans}


def wished(project: Project, rows: int) -> Wished:
    """What leads wish for now, of items with numbers below `rows`; ends wishes that are over."""
    import numpy as np

    known = _left(project)
    _end([wish for wish, left in known if not left])
    wishes: dict[int, Seeding] = {}
    for wish, left in known:
        for number in wish.numbers:
            if number < rows and number in left:
                wishes.setdefault(number, wish)
    return Wished(numbers=np.fromiter(wishes, dtype=np.int64, count=len(wishes)), wishes=wishes)


def first(pool: Pool, wanted: Wished, rng: np.random.Generator) -> Selection:
    """All wished items: best first, near copies of one another last."""
    from dataclasses import replace

    import numpy as np

    from learning.selection.keyword import Keyword
    from learning.selection.reading import nothing

    if not len(wanted.numbers):
        return nothing()
    asked = np.zeros(pool.rows, dtype=np.bool_)
    asked[wanted.numbers] = True
    of_them = replace(
        pool, eligible=asked, labelled=np.zeros_like(asked), answers=None, wanted=wanted.numbers
    )
    found = Keyword().select(of_them, len(wanted.numbers), rng)
    return replace(
        found, reasons=[_reason(wanted.wishes[int(row)], int(row)) for row in found.rows]
    )


def _reason(wish: Seeding, number: int) -> str:
    place = wish.numbers.index(number) + 1
    who = f", which {wish.created_by} asked people about" if wish.created_by else ""
    why = f"matches the search “{_shown(wish)}”" if wish.query else _like(wish)
    if wish.label is not None:
        why = f"has what was confirmed as “{wish.label.name}”"
    return f"{why or 'among chosen items'}{who} ({place:,} of {len(wish.numbers):,})"
