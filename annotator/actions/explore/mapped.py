"""What is on the map: the places, and the regions with their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.explore import areas, mapping
from annotator.models import Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.layouts.stored import StoredMap

OFF = 255  # the code of an item that is not on the map


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of the map: the words that set it apart, and its items as a filter finds them."""

    number: int
    words: list[str]
    items: int
    decided: int
    x: int
    y: int
    area: str

    @property
    def title(self) -> str:
        return title_of(self.number, self.words)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A map as somebody sees it now.

    places: (n, 2) uint16 on the grid; regions: (n,) uint8, OFF where an item is not on it.
    """

    name: str
    places: NDArray[np.uint16]
    regions: NDArray[np.uint8]

    @property
    def rows(self) -> int:
        return len(self.regions)

    @property
    def items(self) -> int:
        """How many items are on it."""
        return int((self.regions != OFF).sum())


def shown(project: Project, known: StoredMap) -> Shown:
    """The map without what was taken away or redacted since it was drawn."""
    import numpy as np

    from learning.layouts.stored import NOWHERE

    places = known.on_grid()
    gone = mapping.hidden_numbers(project)
    places[gone[gone < len(places)]] = NOWHERE
    regions = np.where(known.regions < 0, OFF, known.regions).astype(np.uint8)
    regions[places[:, 0] == NOWHERE] = OFF
    return Shown(name=known.name, places=places, regions=regions)


def regions_of(project: Project, known: StoredMap, seen: Shown) -> list[Region]:
    """The regions that hold items, the largest first."""
    import numpy as np

    from learning.layouts.stored import GRID

    decided = np.zeros(seen.rows, dtype=np.bool_)
    decided[below(decided_of(project)["number"], seen.rows)] = True
    counts = np.bincount(seen.regions, minlength=OFF + 1)
    done = np.bincount(seen.regions[decided], minlength=OFF + 1)
    found = [
        Region(
            number=number,
            words=words,
            items=int(counts[number]),
            decided=int(done[number]),
            x=round(float(known.centres[number, 0]) * GRID),
            y=round(float(known.centres[number, 1]) * GRID),
            area=f"{known.name}.r{number}",
        )
        for number, words in enumerate(known.words)
    ]
    return sorted((each for each in found if each.items), key=lambda each: -each.items)


def words_of(project: Project, area: str) -> str:
    """What an area is called: by the words of its region, or as what somebody drew."""
    found = areas.parse(area)
    known = mapping.current_map(project)
    if found.region is None or known is None or found.region >= len(known.words):
        return "an outline on the map"
    return title_of(found.region, known.words[found.region])


def title_of(number: int, words: list[str]) -> str:
    return " · ".join(words) or f"Region {number + 1}"


def decided_of(project: Project) -> Any:
    """(m,) `number` of each decided item with the first label of its verdict as `value`, or −1."""
    return packed(
        """
        SELECT item_id AS item, coalesce(labels[1], -1) AS value FROM annotator_verdict
        WHERE project_id = %(project)s AND state = 'decided'
        """,
        {"project": project.pk},
    )


def packed(query: str, values: dict[str, Any]) -> Any:
    """Item numbers and values of a query that gives `item` and `value`, as one string of the
    database's: a hundred thousand pairs in one row.
    """
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT string_agg(int4send(i.number) || int8send(found.value::bigint), ''::bytea)
            FROM ({query}) found JOIN annotator_item i ON i.id = found.item
            """,  # noqa: S608 - our own queries; what comes from outside is a parameter
            values,
        )
        (packed,) = cursor.fetchone()
    return np.frombuffer(bytes(packed or b""), dtype=[("number", ">i4"), ("value", ">i8")])


def below(numbers: Any, rows: int) -> Any:
    import numpy as np

    plain = np.asarray(numbers, dtype=np.int64)
    return plain[plain < rows]
