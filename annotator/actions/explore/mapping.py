"""Draw the map of the corpus, keep it beside the matrix, and place what is imported later.

A map belongs to a matrix: the file has its fingerprint for a name. The one of an encoder that no
longer serves stays until its project is purged, as the matrix does.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, matrix_folder, open_matrix
from annotator.actions.verdicts import sealing
from annotator.errors import ConflictError
from annotator.models import Encoding, Item, Job, JobState, Project, User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.layouts.stored import StoredMap

logger = logging.getLogger(__name__)

LAYOUT = "tsne"
SEED = 1
# A pool this many times as large as when the map was drawn is drawn anew: its landmarks know little
# of what came since.
GROWN = 2
# Texts that regions get their names from.
NAMED_FROM = 20_000


def wish(project: Project, user: User | None = None, *, again: bool = False) -> Job:
    """Ask for the map: drawn where there is none, what is new placed on it, or all drawn `again`.

    Raises ConflictError while no item is encoded.
    """
    if rows_encoded(project) == 0:
        raise ConflictError(
            "No item is encoded yet, so there is nothing to draw. Look at the project's jobs."
        )
    return _enqueue(project, user, again=again)


def follow(project: Project) -> None:
    """Ask that a map which somebody looks at goes on to fit; of one that nobody asked for, nothing.

    Called in the transaction after which there are more encoded items, or another encoder's.
    """
    if next(matrix_folder(project.pk).glob("*.map"), None) is not None:
        _enqueue(project, None, again=False)


def _enqueue(project: Project, user: User | None, *, again: bool) -> Job:
    key = f"map:{project.pk}"
    with transaction.atomic():
        job = jobs.enqueue(
            "map", project=project, params={"again": again}, key=key, started_by=user
        )
        if job is None:
            job = Job.objects.get(key=key, state=JobState.QUEUED)
            if again:  # it waits for a smaller wish
                Job.objects.filter(pk=job.pk).update(params={"again": True})
    return job


def rows_encoded(project: Project) -> int:
    encoding = current_encoding(project)
    return encoding.rows if encoding else 0


def under_way(project: Project) -> Job | None:
    """The drawing that waits or runs, if there is one."""
    return Job.objects.live().filter(project=project, kind="map").order_by("id").first()


def map_path(encoding: Encoding) -> Path:
    return matrix_folder(encoding.project_id) / f"{encoding.fingerprint}.map"


def current_map(project: Project) -> StoredMap | None:
    """The map by the encoder that serves; None where none was drawn, or its file is damaged."""
    encoding = current_encoding(project)
    return None if encoding is None else _read(map_path(encoding))


def _read(path: Path) -> StoredMap | None:
    from learning.errors import DamagedFileError
    from learning.layouts.stored import load

    try:
        return load(path)
    except FileNotFoundError:
        return None
    except DamagedFileError as error:
        logger.warning("%s It will be drawn anew.", error)
        return None


def fits(project: Project, known: StoredMap | None) -> bool:
    """Whether every encoded item is on the map, as far as it can be."""
    return (
        known is not None
        and not _outgrown(known, rows := rows_encoded(project))
        and (known.rows >= rows)
    )


def _outgrown(known: StoredMap, rows: int) -> bool:
    return rows >= GROWN * max(known.drawn_rows, 1)


def run_map(run: jobs.Run) -> dict[str, Any]:
    """Draw, or place what is new. Nothing of the former map changes before the new one is whole."""
    project = run.project
    encoding = current_encoding(project)
    if encoding is None or encoding.rows == 0:
        raise ConflictError("No item is encoded yet, so there is nothing to draw.")
    run.progress(0, encoding.rows, "Reading the vectors")
    vectors = open_matrix(encoding).view()
    if len(vectors) < encoding.rows:
        # Said once: a map of fewer items would be asked for again by every page that shows it.
        raise ConflictError(
            f"The matrix has {len(vectors):,} rows and should have {encoding.rows:,}. The command "
            "“doctor” says what to do."
        )
    gone = hidden_numbers(project)
    known = _read(map_path(encoding))
    if known is None or run.params.get("again") or _outgrown(known, len(vectors)):
        made = _drawn(run, project, vectors)
    else:
        made = _extended(run, known, vectors)
    with run.fence():
        # Parts us from who redacts an item: what is redacted is seen here, or comes behind us.
        sealing.hold(project.pk)
        with locked(map_path(encoding)):
            made = _keep(project, encoding, made, gone)
    return {"items": made.rows, "regions": len(made.centres), "name": made.name}


def _keep(
    project: Project, encoding: Encoding, made: StoredMap, before: NDArray[np.int64]
) -> StoredMap:
    """Write the map without what is gone by now; `before` was gone when its making began."""
    import numpy as np

    from learning.layouts.stored import save

    gone = hidden_numbers(project)
    own = gone[gone < made.rows]
    xy, regions = made.drawn.xy.copy(), made.regions.copy()
    xy[own], regions[own] = float("nan"), -1
    made = replace(made, drawn=replace(made.drawn, xy=xy), regions=regions)
    if len(np.setdiff1d(gone, before)):  # texts that are gone may have given words to names
        made = replace(made, words=_words_by_now(project, encoding, made))
    save(map_path(encoding), made)
    return made


def _words_by_now(project: Project, encoding: Encoding, made: StoredMap) -> list[list[str]]:
    import numpy as np

    former = _read(map_path(encoding))
    if former is not None and former.name == made.name:
        return former.words  # who redacts took the words out there
    return _named(project, made.regions, len(made.centres), np.random.default_rng(SEED))


def _drawn(run: jobs.Run, project: Project, vectors: Any) -> StoredMap:
    import numpy as np

    from learning.layouts import LAYOUTS
    from learning.layouts.regions import count_for, part, region_of
    from learning.layouts.stored import StoredMap

    eligible = np.ones(len(vectors), dtype=np.bool_)
    gone = hidden_numbers(project)
    eligible[gone[gone < len(vectors)]] = False
    rng = np.random.default_rng(SEED)
    drawn = LAYOUTS.create(LAYOUT).draw(
        vectors, eligible, rng, lambda done, total: run.progress(done, total, "Drawing the map")
    )
    landmarks = drawn.xy[drawn.landmarks]
    centres = part(landmarks, count_for(int(eligible.sum())), rng)
    regions = region_of(drawn.xy, centres)
    run.progress(1, 2, "Naming the regions")
    return StoredMap(
        name=secrets.token_hex(4),
        drawn=drawn,
        regions=regions,
        centres=centres,
        words=_named(project, regions, len(centres), rng),
        drawn_rows=len(vectors),
        facts={"layout": LAYOUT, "seed": SEED},
    )


def _extended(run: jobs.Run, known: StoredMap, vectors: Any) -> StoredMap:
    """What is new, among what stands: no item that is on the map moves."""
    import numpy as np

    from learning.layouts.places import place
    from learning.layouts.regions import region_of

    fresh = np.arange(known.rows, len(vectors))
    places = place(
        known.drawn,
        vectors,
        fresh,
        lambda done, total: run.progress(done, total, "Placing new items"),
    )
    return replace(
        known,
        drawn=replace(known.drawn, xy=np.concatenate([known.drawn.xy, places])),
        regions=np.concatenate([known.regions, region_of(places, known.centres)]),
    )


def _named(
    project: Project, regions: NDArray[np.int16], count: int, rng: np.random.Generator
) -> list[list[str]]:
    """Words for each region, from items drawn at random; none where items have no texts."""
    import numpy as np

    from learning.layouts.places import some
    from learning.layouts.regions import name

    chosen = some(np.flatnonzero(regions >= 0), NAMED_FROM, rng)
    numbers = RawSQL("SELECT unnest(%s::int[])", [chosen.tolist()])
    items = Item.objects.filter(project=project, number__in=numbers).present()
    told = list(items.values_list("number", "text", "text_b", "candidates"))
    texts = ["\n".join((text, text_b, *candidates)) for _, text, text_b, candidates in told]
    return name(texts, regions[[number for number, *_ in told]], count)


def hidden_numbers(project: Project) -> NDArray[np.int64]:
    """Items that no map shows: their import was undone, or they were redacted."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT number FROM annotator_item
            WHERE project_id = %(project)s AND %(removed)s AND removed_at IS NOT NULL
            UNION
            SELECT i.number FROM annotator_ledgerdoor d JOIN annotator_item i ON i.id = d.subject
            WHERE d.deed = 'redact item' AND i.project_id = %(project)s
            """,
            {"project": project.pk, "removed": project.removed_count > 0},
        )
        return np.array([number for (number,) in cursor.fetchall()], dtype=np.int64)


def forget(item: Item) -> None:
    """Take a redacted item off every map of its project, and its words out of its region's name."""
    from learning.layouts.regions import words_of
    from learning.layouts.stored import save

    words = words_of("\n".join((item.text, item.text_b, *item.candidates)))
    for path in matrix_folder(item.project_id).glob("*.map"):
        with locked(path):
            known = _read(path)
            if known is not None and item.number < known.rows:
                save(path, known.without(item.number, words))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Parts a drawing that is being kept from an item that is being forgotten."""
    with path.with_name(f"{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
