"""An area of the map as a filter: an outline that somebody drew, or a region with its name.

`1a2b3c4d.r7` is region 7 of the map with that name, `1a2b3c4d.100-200_100-900_800-900` an outline on
its grid. A map that is drawn anew has another name, and an area of the old one finds nothing: it is
refused, since the same outline would enclose other items.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator.actions.explore.mapping import current_map, hidden_numbers
from annotator.errors import ConflictError, InvalidError
from annotator.models import Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CORNERS = 100
LONGEST = 1_400
_AREA = re.compile(r"([0-9a-f]{8})\.(?:r(\d{1,3})|(\d{1,5}-\d{1,5}(?:_\d{1,5}-\d{1,5}){2,99}))\Z")


@dataclass(frozen=True, kw_only=True)
class Area:
    """A region, or an outline of three corners at least."""

    map_name: str
    region: int | None
    outline: tuple[tuple[int, int], ...]


def parse(text: str) -> Area:
    """Raises InvalidError for what is not written like an area."""
    found = _AREA.match(text) if len(text) <= LONGEST else None
    if found is None:
        raise InvalidError(
            f"“{text[:40]}” is not an area of the map. It is written name.r7 for a region, or "
            f"name.x-y_x-y_x-y for an outline of 3 to {MOST_CORNERS} corners.",
            field="area",
        )
    corners = [corner.split("-") for corner in (found[3] or "").split("_") if corner]
    return Area(
        map_name=found[1],
        region=int(found[2]) if found[2] else None,
        outline=tuple((int(x), int(y)) for x, y in corners),
    )


def numbers_in(project: Project, text: str) -> NDArray[np.int64]:
    """The numbers of the items in an area, ascending.

    Raises ConflictError when the map is not the one that the area was chosen on.
    """
    import numpy as np

    from learning.layouts.areas import inside

    area = parse(text)
    known = current_map(project)
    if known is None or known.name != area.map_name:
        raise ConflictError(
            "The map was drawn anew since this area was chosen, so it would hold other items. "
            "Choose the area again on the map."
        )
    if area.region is not None:
        chosen = known.regions == area.region
    else:
        chosen = inside(known.on_grid(), area.outline)
    return np.setdiff1d(np.flatnonzero(chosen), hidden_numbers(project))
