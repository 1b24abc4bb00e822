"""What the points of a map are coloured by.

Nothing here tells which items are kept for the audit. Where the student must be silent about them,
they are in one group with those that it hesitates over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.explore.mapped import OFF, Shown, below, decided_of, packed
from annotator.actions.explore.searching import DOUBTFUL, predictions_of
from annotator.errors import InvalidError
from annotator.models import ImportBatch, Item, Label, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_GROUPS = 250
# Values of a column that get a colour of their own.
MOST_VALUES = 12
LOOKED_AT = 200
MOST_COLUMNS = 20
LONGEST_NAME = 60
SURE = 0.8
IN_DOUBT = "In doubt, or not told"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Points of one colour. `tone` is a hue of a label (`hue-3`) or a token of the stylesheet."""

    name: str
    tone: str
    items: int


@dataclass(frozen=True, kw_only=True)
class Colouring:
    """codes: (n,) uint8 which group each item is in, OFF where it is not on the map."""

    groups: list[Group]
    codes: NDArray[np.uint8]


def colourings(project: Project) -> list[tuple[str, str]]:
    """What points may be coloured by, as (value, title) pairs."""
    choices = [("label", "Label")] if project.task.has_labels else []
    choices.append(("state", "State"))
    if _student_may_speak(project):
        choices += [("student", "What the student says"), ("doubt", "Student's doubt")]
    choices.append(("batch", "Import"))
    items = Item.objects.filter(project=project).present().order_by("number")
    columns = [key for meta in items.values_list("meta", flat=True)[:LOOKED_AT] for key in meta]
    return choices + [(f"meta:{key}", key) for key in list(dict.fromkeys(columns))[:MOST_COLUMNS]]


def _student_may_speak(project: Project) -> bool:
    return not project.blind and project.task.has_labels and project.current_student_id is not None


def colouring(project: Project, seen: Shown, by: str) -> Colouring:
    """Which group each item is in. Raises InvalidError for what nothing is coloured by."""
    if by.startswith("meta:"):
        return _by_column(project, seen, by.removeprefix("meta:"))
    if by not in _WAYS or by not in {value for value, _ in colourings(project)}:
        raise InvalidError(f"Points cannot be coloured by “{by[:40]}”.", field="by")
    return _WAYS[by](project, seen)


def _by_label(project: Project, seen: Shown) -> Colouring:
    import numpy as np

    decided = decided_of(project)
    known = np.zeros(seen.rows, dtype=np.int64)
    within = decided["number"] < seen.rows
    known[decided["number"][within]] = decided["value"][within]
    known[known == -1] = 0  # decided, and no label fits or none is named
    return _of_labels(project, seen, known, "Without a label")


def _by_student(project: Project, seen: Shown) -> Colouring:
    import numpy as np

    known = predictions_of(project)
    likeliest = np.zeros(seen.rows, dtype=np.int64)
    student = project.current_student
    if known is not None and student is not None:
        rows = min(known.rows, seen.rows)
        ids = np.asarray([*student.label_ids, 0], dtype=np.int64)
        best = np.asarray(known.probabilities[:rows]).argmax(axis=1)
        if known.columns is not None:
            best = np.take_along_axis(known.columns[:rows], best[:, None], axis=1)[:, 0]
        told = ids[np.minimum(best, len(ids) - 1)]
        sure = np.asarray(known.margins[:rows]) >= DOUBTFUL
        likeliest[:rows] = np.where(sure, told, 0)
        likeliest[below(_silent(project), seen.rows)] = 0
    return _of_labels(project, seen, likeliest, IN_DOUBT)


def _by_doubt(project: Project, seen: Shown) -> Colouring:
    import numpy as np

    margins = np.zeros(seen.rows, dtype=np.float32)
    known = predictions_of(project)
    if known is not None:
        rows = min(known.rows, seen.rows)
        margins[:rows] = known.margins[:rows]
        margins[below(_silent(project), seen.rows)] = 0
    codes = np.digitize(margins, [DOUBTFUL, SURE])
    return _grouped(seen, codes, [(IN_DOUBT, "warn"), ("Fairly sure", "hue-6"), ("Sure", "hue-0")])


def _by_state(project: Project, seen: Shown) -> Colouring:
    import numpy as np

    states = ["", "decided", "tie", "partial", "bad"]
    named = [
        *(("No label yet", "line-strong"), ("Decided", "hue-0"), ("Tie, waits for review", "warn")),
        *(("Some labels known", "hue-6"), ("Bad item", "hue-8"), ("Flagged", "danger")),
    ]
    rows = packed(
        """
        SELECT v.item_id AS item, array_position(%(states)s::text[], v.state::text) - 1 AS value
        FROM annotator_verdict v WHERE v.project_id = %(project)s
        UNION ALL
        SELECT f.item_id, 5 FROM annotator_flag f
        WHERE f.project_id = %(project)s AND f.state = 'open'
        """,
        {"project": project.pk, "states": states},
    )
    codes = np.zeros(seen.rows, dtype=np.int64)
    rows = rows[rows["number"] < seen.rows]
    np.maximum.at(codes, rows["number"], rows["value"])
    return _grouped(seen, codes, named)


def _by_batch(project: Project, seen: Shown) -> Colouring:
    import numpy as np

    rows = packed(
        "SELECT id AS item, coalesce(batch_id, 0) AS value FROM annotator_item"
        " WHERE project_id = %(project)s",
        {"project": project.pk},
    )
    batches = ImportBatch.objects.filter(project=project)
    files = dict(batches.values_list("pk", "file_name"))
    known = np.zeros(seen.rows, dtype=np.int64)
    rows = rows[rows["number"] < seen.rows]
    known[rows["number"]] = rows["value"]
    return _of_values(seen, known, files, "Without an import")


def _by_column(project: Project, seen: Shown, key: str) -> Colouring:
    """By the commonest values of a column of the metadata."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT left(meta ->> %(key)s, %(longest)s) AS said, count(*),
                   string_agg(int4send(number), ''::bytea)
            FROM annotator_item WHERE project_id = %(project)s AND removed_at IS NULL AND jsonb_exists(meta, %(key)s)
            GROUP BY said ORDER BY count(*) DESC, said LIMIT %(most)s
            """,
            {"project": project.pk, "key": key, "longest": LONGEST_NAME, "most": MOST_VALUES},
        )
        values = cursor.fetchall()
    codes = np.zeros(seen.rows, dtype=np.int64)
    named = [("Other values, or none", "line-strong")]
    for place, (said, _, numbers) in enumerate(values, start=1):
        codes[below(np.frombuffer(bytes(numbers), dtype=">i4"), seen.rows)] = place
        named.append((said or "empty", f"hue-{(place - 1) % 12}"))
    return _grouped(seen, codes, named)


_WAYS = {
    "label": _by_label,
    "state": _by_state,
    "student": _by_student,
    "doubt": _by_doubt,
    "batch": _by_batch,
}


def _of_labels(project: Project, seen: Shown, known: NDArray[np.int64], nothing: str) -> Colouring:
    """(n,) label ids, 0 for none; the commonest get a group each, others share one."""
    kept, codes = _commonest(seen, known, MOST_GROUPS)
    labels = Label.objects.filter(project=project).in_bulk(kept)
    named = [(nothing, "line-strong")]
    for pk in kept:
        label = labels.get(pk)
        named.append((label.name, f"hue-{label.colour}") if label else ("Removed", "line-strong"))
    if (codes > len(kept)).any():
        named.append(("Other labels", "line-strong"))
    return _grouped(seen, codes, named)


def _of_values(
    seen: Shown, known: NDArray[np.int64], names: dict[int, str], nothing: str
) -> Colouring:
    kept, codes = _commonest(seen, known, MOST_VALUES)
    named = [(nothing, "line-strong")]
    named += [(names.get(pk, "Removed"), f"hue-{place % 12}") for place, pk in enumerate(kept)]
    if (codes > len(kept)).any():
        named.append(("Others", "line-strong"))
    return _grouped(seen, codes, named)


def _commonest(
    seen: Shown, known: NDArray[np.int64], most: int
) -> tuple[list[int], NDArray[np.int64]]:
    """The ids that most items on the map have, and (n,) 1 + each item's place among them; 0 for id
    0, one more than there are for any other id.
    """
    import numpy as np

    ids, counts = np.unique(known[seen.regions != OFF], return_counts=True)
    order = np.lexsort((ids, -counts))
    kept = [int(each) for each in ids[order] if each][:most]
    codes = np.where(known == 0, 0, len(kept) + 1)
    places = np.sort(kept)
    if kept:
        at = np.minimum(np.searchsorted(places, known), len(kept) - 1)
        rank = np.argsort(np.argsort(kept))  # of each kept id in the sorted ones
        back = np.empty(len(kept), dtype=np.int64)
        back[rank] = np.arange(1, len(kept) + 1)
        codes = np.where(places[at] == known, back[at], codes)
    return kept, codes


def _grouped(seen: Shown, codes: NDArray[np.int64], named: Sequence[tuple[str, str]]) -> Colouring:
    import numpy as np

    there = seen.regions != OFF
    counts = np.bincount(codes[there], minlength=len(named))
    groups = [
        Group(name=name[:LONGEST_NAME], tone=tone, items=int(counts[place]))
        for place, (name, tone) in enumerate(named)
    ]
    return Colouring(groups=groups, codes=np.where(there, codes, OFF).astype(np.uint8))


def _silent(project: Project) -> Any:
    """Numbers of items about which the student says nothing yet: they are answered blind."""
    return packed(
        """
        SELECT i.id AS item, 0 AS value FROM annotator_item i
        LEFT JOIN annotator_verdict v ON v.item_id = i.id
        WHERE i.project_id = %(project)s AND (i.part <> '' OR i.order_key <= %(cutoff)s)
          AND (v.item_id IS NULL OR v.state = 'partial')
        """,
        {"project": project.pk, "cutoff": project.audit_cutoff},
    )["number"]
