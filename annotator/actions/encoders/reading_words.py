"""The words of a project's items on disk: what taggers learn from and read."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from annotator import jobs
from annotator.actions.encoders.encoding import encoder_of, matrix_folder, redacted
from annotator.models import Encoding, Item, Project

if TYPE_CHECKING:
    from pathlib import Path

    from learning.taggers.types import Words

# Items that are encoded between two looks for a cancel, and their characters, but for one long text.
CHUNK, CHARACTERS = 128, 100_000


def folder_of(encoding: Encoding) -> Path:
    """Where the words of a project lie under one encoder, beside its matrix."""
    return matrix_folder(encoding.project_id) / f"{encoding.fingerprint}-words"


def read(run: jobs.Run, encoding: Encoding) -> Words:
    """The words of all encoded items; those that are new are read by the encoder first.

    Raises ParameterError for an encoder that has no words.
    """
    from learning.encoders import by_word
    from learning.encoders.word_store import WordStore

    encoder = by_word(encoder_of(encoding))
    store = WordStore(folder_of(encoding), encoder.dimensions)
    while store.items < encoding.rows:
        start = store.items
        run.progress(start, encoding.rows, "Reading the words")
        texts = texts_of(encoding.project, start, min(CHUNK, encoding.rows - start))
        words = encoder.encode(first_of(texts))
        with run.fence():
            blank = redacted(encoding.project, start, len(words.counts))
            store.write(start, words.without(blank))
    return store.view()


def view(encoding: Encoding) -> Words:
    """Those that were read so far. Raises DamagedFileError where none were."""
    from learning.encoders.word_store import WordStore, dimensions_in

    folder = folder_of(encoding)
    return WordStore(folder, dimensions_in(folder)).view()


def first_of(texts: list[str]) -> list[str]:
    """As many as are encoded at once, one at least."""
    ends = list(accumulate(map(len, texts)))
    return texts[: max(bisect_right(ends, CHARACTERS), 1)]


def texts_of(project: Project, start: int, count: int) -> list[str]:
    """The texts of some items that follow each other, by number."""
    items = Item.objects.filter(project=project, number__gte=start, number__lt=start + count)
    return list(items.order_by("number").values_list("text", flat=True))


def forget(item: Item) -> None:
    """Zero what is known of an item's words under every encoder: they tell much of its text."""
    from learning.encoders.word_store import WordStore, dimensions_in

    for encoding in Encoding.objects.filter(project_id=item.project_id):
        folder = folder_of(encoding)
        if folder.is_dir():
            WordStore(folder, dimensions_in(folder)).forget(item.number)
