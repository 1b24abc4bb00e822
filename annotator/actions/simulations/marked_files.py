"""Labelled files whose rows mark places of the text, as they are replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.actions.encoders.reading_words import CHUNK, first_of
from annotator.actions.simulations.labelled import Labelled
from annotator.errors import InvalidError
from learning.errors import ShapeError
from learning.tasks import Content

if TYPE_CHECKING:
    from annotator.formats.spans import Span
    from learning.replayed import TaughtTask
    from learning.taggers.types import Words


def names_in(*parts: Labelled) -> list[str]:
    """The labels of marked places, sorted. Raises InvalidError where no row marks any."""
    names = sorted({name for part in parts for spans in part.spans for *_, name in spans or ()})
    if not names:
        raise InvalidError(
            "No row of the file marks a place of its text. Give a column of spans: a list of "
            "[start, end, label], or of objects with start, end and label.",
            field="file",
        )
    return names


def read(task: TaughtTask, found: Labelled, names: Sequence[str]) -> tuple[Labelled, list[Any]]:
    """The rows that mark places as the task reads them, their labels by name, and their values, in which
    labels go by their place among the names. Other rows count as left out.
    """
    column = {name: place for place, name in enumerate(names)}
    kept, values = Labelled(left_out=found.left_out), list[Any]()
    for item, spans in zip(found.items, found.spans, strict=True):
        value = None if spans is None else _value(task, item, spans, column)
        if value is None:
            kept.left_out += 1
            continue
        kept.items.append(item)
        kept.spans.append(spans)
        kept.labels.append(tuple(names[place] for place in task.labels_of(value)))
        values.append(value)
    return kept, values


def _value(
    task: TaughtTask, text: str, spans: Sequence[Span], column: Mapping[str, int]
) -> Any | None:
    """None for places that are not in the text."""
    given = [{"start": start, "end": end, "label": column[name]} for start, end, name in spans]
    try:
        return task.read({task.shape: given}, Content(text), range(len(column)))
    except ShapeError:
        return None


def read_words(
    folder: Path, ready: Any, texts: Sequence[str], beat: Callable[[int], None]
) -> Words:
    """The words of texts, on disk in `folder`; `beat` is told how many texts are read.

    Raises ParameterError for an encoder that has no words.
    """
    from learning.encoders import by_word
    from learning.encoders.word_store import WordStore

    encoder = by_word(ready)
    store = WordStore(folder, encoder.dimensions)
    while (start := store.items) < len(texts):
        beat(start)
        store.write(start, encoder.encode(first_of(list(texts[start : start + CHUNK]))))
    return store.view()


def opened(folder: Path) -> Words:
    """The words that `read_words` read."""
    from learning.encoders.word_store import WordStore, dimensions_in

    return WordStore(folder, dimensions_in(folder)).view()
