"""Which item a reviewer looks at next: nobody else has it, and nobody who was unsure gets it again.

Items wait because their voices disagree evenly, because a person asks, because their label means
something else by now, or because a detector or chance put them there; what people ask comes first,
then what looks most wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import F, Func, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from annotator.errors import InvalidError
from annotator.models import Flag, FlagState, Item, Project, ReviewCase, User

LEASE_SECONDS = 600
# Two reviewers who reach for one item at the same moment: one of them looks again, so many times.
TRIES = 5
# What the screen can be narrowed to.
ONLY = {"": "All", "asked": "Asked by people", "flags": "Looks wrong"}

# What people ask, ties, and labels that mean something else: few, each item once. A tie that a reviewer
# has settled waits no more, even before its verdict is derived anew.
_ASKED = """
SELECT item_id, min(rank) AS rank FROM (
    SELECT v.item_id, 0 AS rank FROM annotator_verdict v
    WHERE v.project_id = %(project)s AND v.state = 'tie' AND NOT EXISTS (
        SELECT 1 FROM annotator_annotation a
        WHERE a.item_id = v.item_id AND a.stream = 'review' AND a.kind <> 'retraction'
          AND NOT EXISTS (
            SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id))
    UNION ALL
    SELECT f.item_id, f.rank
    FROM annotator_flag f LEFT JOIN annotator_verdict v ON v.item_id = f.item_id
    WHERE f.project_id = %(project)s AND f.state = 'open' AND f.kind IN ('person', 'definition')
      AND (f.kind = 'person' OR (v.state = 'decided' AND v.labels @> f.labels))
) each GROUP BY item_id
"""
# What a machine doubts, an item once, and not a label that it no longer has. There may be very many: this
# is read in the order of an index, as far as it takes.
_DOUBTED = """
SELECT f.item_id, f.rank
FROM annotator_flag f JOIN annotator_verdict v ON v.item_id = f.item_id
WHERE f.project_id = %(project)s AND f.state = 'open' AND f.kind NOT IN ('person', 'definition')
  AND v.state = 'decided' AND v.labels = f.labels AND NOT EXISTS (
    SELECT 1 FROM annotator_flag other
    WHERE other.item_id = f.item_id AND other.state = 'open' AND (other.kind = 'person'
        OR (other.kind = 'definition' AND v.labels @> other.labels)))
"""
_TIERS = (_ASKED, _DOUBTED)
_OPEN = f"""
SELECT item_id, 0 AS tier, rank FROM ({_ASKED}) asked
UNION ALL SELECT item_id, 1, rank FROM ({_DOUBTED}) doubted
"""  # noqa: S608 - of our own text
_NEXT = """
SELECT i.id, w.rank
FROM ({waiting}) w JOIN annotator_item i ON i.id = w.item_id
LEFT JOIN annotator_reviewcase c ON c.item_id = i.id
WHERE i.removed_at IS NULL
  AND w.rank {beyond}= %(rank)s AND (w.rank, i.number) {within} (%(rank)s, %(number)s)
  AND (c.item_id IS NULL OR (
      (c.leased_until IS NULL OR c.leased_until < now() OR c.reviewer_id = %(reviewer)s)
      AND NOT %(reviewer)s = ANY(c.unsure)))
ORDER BY w.rank, i.number
LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
"""
# In the order of the index too: a count that ends soon should not begin with all of them.
_COUNT = """
SELECT count(*) FROM (
    SELECT 1 FROM ({waiting}) w JOIN annotator_item i ON i.id = w.item_id
    WHERE i.removed_at IS NULL ORDER BY w.rank LIMIT %(most)s) counted
"""
# The condition looks at the row as it is now: it parts us from whoever took the item meanwhile.
_TAKE = """
INSERT INTO annotator_reviewcase AS held (item_id, project_id, reviewer_id, leased_until, unsure)
VALUES (%(item)s, %(project)s, %(reviewer)s, now() + %(seconds)s * interval '1 second', '{}')
ON CONFLICT (item_id) DO UPDATE
SET reviewer_id = excluded.reviewer_id, leased_until = excluded.leased_until
WHERE (held.leased_until IS NULL OR held.leased_until < now()
       OR held.reviewer_id = excluded.reviewer_id)
  AND NOT excluded.reviewer_id = ANY(held.unsure)
RETURNING item_id
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an item stands among those that wait; a page goes on behind it."""

    tier: int = -1
    rank: int = 0
    number: int = 0

    @classmethod
    def read(cls, text: str) -> Place:
        """The place in an address. Raises InvalidError for one that we did not write."""
        parts = text.split("-") if text else []
        if not parts:
            return cls()
        if len(parts) != 3 or not all(
            part.isascii() and part.isdigit() and len(part) < 10 for part in parts
        ):
            raise InvalidError("This page is too old. Open Review again.")
        tier, rank, number = map(int, parts)
        return cls(tier=tier, rank=rank, number=number)

    def __str__(self) -> str:
        return f"{self.tier}-{self.rank}-{self.number}" if self.tier >= 0 else ""


def waiting(project: Project) -> QuerySet[Item]:
    """Items that wait for a reviewer, whoever holds them."""
    statement = f"SELECT item_id FROM ({_OPEN}) w".replace("%(project)s", "%s")  # noqa: S608
    ids = RawSQL(statement, [project.pk] * statement.count("%s"))  # noqa: S611 - of our own text
    return Item.objects.present().filter(project=project, pk__in=ids).order_by("number")


def count(project: Project, most: int | None = None) -> int:
    """How many items wait, counted no further than `most`."""
    found = 0
    with connection.cursor() as cursor:
        for tier in _TIERS:
            left = None if most is None else most - found
            cursor.execute(_COUNT.format(waiting=tier), {"project": project.pk, "most": left})
            found += int(cursor.fetchone()[0])
    return found


def take_next(
    project: Project, reviewer: User, *, after: Place | None = None, only: str = ""
) -> tuple[Item, Place] | None:
    """Lease the next item behind `after` to this reviewer, from the start again at the end.

    None when nothing is left for them: what others hold, and what they were unsure about themselves,
    is not theirs.
    """
    if only not in ONLY:
        raise InvalidError(f"Review shows {', '.join(filter(None, ONLY))} or everything.")
    tiers = {"": (0, 1), "asked": (0,), "flags": (1,)}[only]
    for _ in range(TRIES):
        with transaction.atomic(), connection.cursor() as cursor:
            found = _first(cursor, project, reviewer, after or Place(), tiers)
            if found is None:
                return None
            item_id, place = found
            held = {"item": item_id, "project": project.pk, "reviewer": reviewer.pk}
            cursor.execute(_TAKE, {**held, "seconds": LEASE_SECONDS})
            if cursor.fetchone() is None:
                continue  # somebody else took it between the two statements
            item = Item.objects.get(pk=item_id)
            return item, replace(place, number=item.number)
    return None


def _first(
    cursor: Any, project: Project, reviewer: User, begun: Place, tiers: tuple[int, ...]
) -> tuple[int, Place] | None:
    """The id of the first free item behind a place, else from the start up to it, and where it stands."""
    values = {"project": project.pk, "reviewer": reviewer.pk}
    behind = [(tier, True) for tier in tiers if tier >= begun.tier]
    for tier, is_behind in behind + [(tier, False) for tier in tiers if tier <= begun.tier]:
        # A whole tier lies behind a place in the one before it, or before a place in the one behind it.
        whole = Place(rank=0 if is_behind else 2**31 - 1, number=-1)
        edge = begun if tier == begun.tier else whole
        beyond, within = (">", ">") if is_behind else ("<", "<=")
        cursor.execute(
            _NEXT.format(waiting=_TIERS[tier], beyond=beyond, within=within),
            {**values, "rank": edge.rank, "number": edge.number},
        )
        if found := cursor.fetchone():
            return found[0], Place(tier=tier, rank=found[1])
    return None


def place_of(project: Project, item: Item) -> Place:
    """Where an item stands; nowhere when it waits no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT tier, rank FROM ({_OPEN}) w WHERE item_id = %(item)s",  # noqa: S608
            {"project": project.pk, "item": item.pk},
        )
        found = cursor.fetchone()
    return Place() if found is None else Place(tier=found[0], rank=found[1], number=item.number)


def give_back(item: Item, reviewer: User) -> None:
    """Let others have an item that this reviewer passes."""
    ReviewCase.objects.filter(item=item, reviewer=reviewer).update(leased_until=None)


def be_unsure(project: Project, item: Item, reviewer: User) -> None:
    """Leave an item to a second reviewer, who is never this one."""
    ReviewCase.objects.get_or_create(item=item, defaults={"project": project})
    mine = ReviewCase.objects.filter(item=item).exclude(unsure__contains=[reviewer.pk])
    mine.update(unsure=_with(reviewer.pk), leased_until=None)


def be_sure_again(item: Item, reviewer: User) -> bool:
    """Take "unsure" back. Returns whether it had been said."""
    mine = ReviewCase.objects.filter(item=item, unsure__contains=[reviewer.pk])
    without = Func(
        F("unsure"),
        Value(reviewer.pk),
        function="array_remove",
        output_field=ArrayField(models.BigIntegerField()),
    )
    return mine.update(unsure=without) > 0


def _with(reviewer: int) -> Func:
    return Func(
        F("unsure"),
        Value(reviewer),
        function="array_append",
        output_field=ArrayField(models.BigIntegerField()),
    )


def held_by_another(item: Item, reviewer: User) -> bool:
    """Whether another reviewer looks at this very item now."""
    held = ReviewCase.objects.filter(item=item, leased_until__gt=Now())
    return held.exclude(reviewer=reviewer).exists()


def left_by(project: Project, reviewer: User) -> int:
    """How many waiting items this reviewer was unsure about: they need somebody else."""
    return waiting(project).filter(case__unsure__contains=[reviewer.pk]).count()


def held_by_others(project: Project, reviewer: User) -> int:
    """How many waiting items other reviewers look at now."""
    held = Q(case__leased_until__gt=Now()) & ~Q(case__reviewer=reviewer)
    return waiting(project).filter(held).count()


def open_flags(item: Item) -> list[Flag]:
    """The questions about an item that wait for an answer."""
    return list(
        Flag.objects.filter(item=item, state=FlagState.OPEN).select_related(
            "raised_by", "change__label", "change__changed_by"
        )
    )
