"""The candidates of a project's items on disk, each encoded by itself: what rankers learn from and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator import jobs
from annotator.actions.encoders.encoding import encoder_of, matrix_folder, redacted
from annotator.models import Encoding, Item, Project

if TYPE_CHECKING:
    from pathlib import Path

    from learning.encoders import Ready
    from learning.rankers import Lists
    from learning.taggers.types import WordVectors

# Items that are encoded between two looks for a cancel.
CHUNK = 64


def folder_of(encoding: Encoding) -> Path:
    """Where the candidates of a project lie under one encoder, beside its matrix."""
    return matrix_folder(encoding.project_id) / f"{encoding.fingerprint}-lists"


def read(run: jobs.Run, encoding: Encoding) -> Lists:
    """The texts and candidates of all encoded items; those that are new are encoded first."""
    from learning.encoders.word_store import WordStore

    ready = encoder_of(encoding)
    store = WordStore(folder_of(encoding), ready.dimensions)
    while store.items < encoding.rows:
        start = store.items
        run.progress(start, encoding.rows, "Reading the candidates")
        rows = _encoded(run.project, ready, start, encoding.rows)
        with run.fence():
            blank = redacted(run.project, start, len(rows.counts))
            store.write(start, rows.without(blank))
    return view(encoding)


def view(encoding: Encoding) -> Lists:
    """Those that were read so far. Raises DamagedFileError where none were."""
    from learning.encoders.word_store import WordStore, dimensions_in
    from learning.rankers import Lists

    folder = folder_of(encoding)
    rows = WordStore(folder, dimensions_in(folder)).view()
    return Lists(starts=rows.starts, vectors=rows.vectors)


def _encoded(project: Project, ready: Ready, start: int, end: int) -> WordVectors:
    """Of some items a row for the text and one for each candidate; their places in a text mean nothing."""
    import numpy as np

    from learning.taggers.types import WordVectors

    items = Item.objects.filter(
        project=project, number__gte=start, number__lt=min(start + CHUNK, end)
    )
    lists = [
        [text, *candidates]
        for text, candidates in items.order_by("number").values_list("text", "candidates")
    ]
    vectors = ready.encode([text for each in lists for text in each])
    return WordVectors(
        counts=np.array([len(each) for each in lists], dtype=np.int64),
        edges=np.zeros((len(vectors), 2), dtype=np.int64),
        vectors=vectors,
    )


def forget(item: Item) -> None:
    """Zero what is known of an item's text and candidates under every encoder."""
    from learning.encoders.word_store import WordStore, dimensions_in

    for encoding in Encoding.objects.filter(project_id=item.project_id):
        folder = folder_of(encoding)
        if folder.is_dir():
            WordStore(folder, dimensions_in(folder)).forget(item.number)
