"""The rows of a file that a student labels: of a table as it is read, of a zip of images as they were kept.

Reading a table again takes moments. Images are decoded once, and lie beside the work until it is done.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.actions.imports import uploads
from annotator.actions.students import predictions
from annotator.actions.students.recipes import registry_of
from annotator.formats import FORMATS, OF_IMAGES, Problem, Record
from annotator.formats.guard import guarded
from annotator.formats.mapping import Mapping, mapped
from annotator.formats.records import RowError
from annotator.models import PredictedFile, StudentVersion

LISTED = "rows.jsonl"  # written last


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the file: its fields, and its text or where its image lies; neither where it has none."""

    fields: dict[str, Any]
    text: str | None = None
    image: Path | None = None

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to label."""
        return self.text is None and self.image is None


def of_images(predicted: PredictedFile) -> bool:
    return predicted.settings["reader"] in OF_IMAGES


def is_read(predicted: PredictedFile) -> bool:
    """Whether the file was read through, and what that left is there."""
    listed = _images_of(predicted) / LISTED
    return predicted.rows is not None and (not of_images(predicted) or listed.is_file())


def first_time(predicted: PredictedFile) -> Iterator[Row | Problem]:
    """The rows, and what is wrong with others; images are kept for the times that follow."""
    return _kept(predicted) if of_images(predicted) else _of_table(predicted)


def again(predicted: PredictedFile) -> Iterator[Row]:
    """The rows, as often as they are needed, in the order of the file."""
    if of_images(predicted):
        return _listed(predicted)
    return (row for row in _of_table(predicted) if isinstance(row, Row))


def _records(predicted: PredictedFile) -> Iterator[Record | Problem]:
    path = uploads.path_of(predicted.stored_name)
    with path.open("rb") as stream:
        reader = FORMATS.create(predicted.settings["reader"])
        yield from guarded(reader.read(stream), path.stat().st_size)


def _kept(predicted: PredictedFile) -> Iterator[Row | Problem]:
    folder, number = _images_of(predicted), 0
    folder.mkdir(parents=True, exist_ok=True)
    # Of this worker alone: one that lost the job may write the same images for a moment yet.
    fresh = folder / f".fresh-{secrets.token_hex(4)}"
    fresh.mkdir()
    with (fresh / LISTED).open("w", encoding="utf-8") as listing:
        for record in _records(predicted):
            if isinstance(record, Problem):
                yield record
                continue
            image = _place(fresh, number)
            image.write_bytes(record.image or b"")
            image = image.replace(_place(folder, number))
            listing.write(json.dumps(record.fields, ensure_ascii=False) + "\n")
            yield Row(fields=record.fields, image=image)
            number += 1
    (fresh / LISTED).replace(folder / LISTED)
    fresh.rmdir()


def _listed(predicted: PredictedFile) -> Iterator[Row]:
    folder = _images_of(predicted)
    with (folder / LISTED).open(encoding="utf-8") as listing:
        for number, line in enumerate(listing):
            yield Row(fields=json.loads(line), image=_place(folder, number))


def _images_of(predicted: PredictedFile) -> Path:
    return predictions.parts_of(predicted) / "images"


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:07d}"


def _of_table(predicted: PredictedFile) -> Iterator[Row | Problem]:
    chosen = predicted.settings
    mapping = Mapping(text=chosen["text"], text_b=chosen["text_b"])
    joined = _joined_for(predicted.student)
    for record in _records(predicted):
        if isinstance(record, Problem):
            yield record
        else:
            yield Row(fields=record.fields, text=_text(record, mapping, joined))


def _joined_for(version: StudentVersion | None) -> Callable[[str, str], str]:
    """How the two texts of a row are given to a student."""
    from learning.encoders import pair
    from learning.encoders.apart import kept_apart, together

    if version is not None and registry_of(version.kind)[version.kind].needs == "texts":
        return kept_apart
    apart = version is not None and version.encoding is not None and version.encoding.apart
    return together if apart else pair


def _text(record: Record, mapping: Mapping, joined: Callable[[str, str], str]) -> str | None:
    try:
        item = mapped(record, mapping)
    except RowError:
        return None
    return joined(item.text, item.text_b)
