"""What a student says of the rows of a file: arrays that are kept, and the columns that they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from annotator.actions.encoders.encoding import encoder_of, students_folder
from annotator.actions.students.predicted_rows import Row
from annotator.actions.students.recipes import registry_of
from annotator.errors import ConflictError
from annotator.formats import Field
from annotator.models import Label, PredictedFile, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Said = dict[str, NDArray[Any]]

# Of so many labels each, the likeliest ones, a row's probabilities are kept.
TOP = 64
# What is kept of marks, as a tagger says it.
MARKED = ("starts", "edges", "column", "probability")


class Predictor(Protocol):
    """A loaded student, and the encoder whose vectors it reads."""

    def said(self, rows: list[Row]) -> Said:
        """What is kept of some rows, nothing of labels archived since; of a silent row it means nothing."""
        ...

    def told(self, said: Said, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """What is predicted of each of these rows, by the names of `fields`."""
        ...


def predictor_of(predicted: PredictedFile) -> Predictor:
    """Load what labels a file. Raises ConflictError where it is gone."""
    return (OfSpans if predicted.project.shape == Shape.SPANS else OfLabels)(predicted)


def fields(predicted: PredictedFile) -> list[Field]:
    """The columns that are written; one of the same name in the file is kept under another."""
    if predicted.project.shape == Shape.SPANS:
        ours = [Field("predicted_labels", "texts"), Field("predicted_spans", "json")]
    elif predicted.project.multi_label:
        ours = [Field("predicted_labels", "texts"), Field("predicted_probability", "numbers")]
    else:
        ours = [Field("predicted_label"), Field("predicted_probability", "number")]
    return [*ours, Field("predicted_soft", "json")] if predicted.settings["soft"] else ours


class _Loaded:
    """Labels and encoder of the student that a file names."""

    def __init__(self, predicted: PredictedFile) -> None:
        version = predicted.student
        folder = _folder_of(predicted)
        if version is None or folder is None:
            raise ConflictError("The files of this student were removed meanwhile; begin again.")
        self.folder, self.encoder = folder, None
        if registry_of(version.kind)[version.kind].needs in ("encodings", "words"):
            if version.encoding is None:
                raise ConflictError("The encoding that this student read is gone. Train again.")
            self.encoder = encoder_of(version.encoding)
        labels = Label.objects.filter(project=predicted.project).in_bulk()
        self.names = [labels[pk].name for pk in version.label_ids]
        self.archived = [
            column
            for column, pk in enumerate(version.label_ids)
            if labels[pk].archived_at is not None
        ]

    def soft(self, columns: list[int], shares: list[float]) -> dict[str, float]:
        """Name of a label -> its probability, likeliest first, as far as there is any."""
        named = zip(columns, shares, strict=True)
        return {self.names[column]: round(share, 6) for column, share in named if share > 0}


class OfLabels(_Loaded):
    """Gives rows labels."""

    def __init__(self, predicted: PredictedFile) -> None:
        from learning import students

        super().__init__(predicted)
        self.fitted = students.load(self.folder)
        self.task, self.several = predicted.project.task, predicted.project.multi_label

    def said(self, rows: list[Row]) -> Said:
        """The probabilities of the likeliest labels."""
        given: Any = _given(rows)
        items = given if self.encoder is None else self.encoder.encode(given)
        probabilities = self.fitted.predict(items)
        probabilities[:, self.archived] = 0
        return _likeliest(probabilities)

    def told(self, said: Said, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """The label or the labels of each row, and how likely they are."""
        for columns, shares in _kept(said):
            soft = self.soft(columns, shares)
            if self.several:
                picked = self._picked(columns, shares)
                named = [
                    (self.names[column], round(share, 6))
                    for column, share in zip(columns, shares, strict=True)
                    if column in picked
                ]
                yield {
                    "predicted_labels": [name for name, _ in named],
                    "predicted_probability": [share for _, share in named],
                    "predicted_soft": soft,
                }
            else:
                yield {
                    "predicted_label": self.names[columns[0]],
                    "predicted_probability": round(shares[0], 6),
                    "predicted_soft": soft,
                }

    def _picked(self, columns: list[int], shares: list[float]) -> set[int]:
        """Those that the likeliest columns amount to."""
        import numpy as np

        row = np.zeros((1, len(self.names)), dtype=np.float32)
        row[0, columns] = shares
        return set(np.flatnonzero(self.task.chosen(row)[0]).tolist())


class OfSpans(_Loaded):
    """Marks the texts of rows."""

    def __init__(self, predicted: PredictedFile) -> None:
        from learning import encoders, taggers

        super().__init__(predicted)
        self.fitted = taggers.load(self.folder)
        self.reader = None if self.encoder is None else encoders.by_word(self.encoder)

    def said(self, rows: list[Row]) -> Said:
        """What is marked, and how likely it is that a label is marked somewhere."""
        from learning.taggers.texts import tag_texts

        found = tag_texts(self.fitted, [row.text or "" for row in rows], self.reader)
        found.present[:, self.archived] = 0
        arrays = {name: getattr(found, name) for name in MARKED}
        return arrays | _likeliest(found.present)

    def told(self, said: Said, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """What is marked in each row, in the order of its text, and the labels that occur."""
        starts, edges, column, probability = (said[name].tolist() for name in MARKED)
        for at, (row, (columns, shares)) in enumerate(zip(rows, _kept(said), strict=True)):
            own = range(starts[at], starts[at + 1])
            spans = [
                {
                    "start": edges[one][0],
                    "end": edges[one][1],
                    "label": self.names[column[one]],
                    "text": (row.text or "")[slice(*edges[one])],
                    "probability": round(probability[one], 6),
                }
                for one in own
                if column[one] not in self.archived
            ]
            yield {
                "predicted_labels": list(dict.fromkeys(span["label"] for span in spans)),
                "predicted_spans": spans,
                "predicted_soft": self.soft(columns, shares),
            }


def _likeliest(probabilities: NDArray[np.float32]) -> Said:
    """The likeliest columns of each row, likeliest first, with their probabilities."""
    import numpy as np

    columns = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    shares = np.take_along_axis(probabilities, columns, axis=1)
    return {"columns": columns.astype(np.int32), "shares": shares}


def _kept(said: Said) -> Iterator[tuple[list[int], list[float]]]:
    return zip(said["columns"].tolist(), said["shares"].tolist(), strict=True)


def _given(rows: list[Row]) -> Sequence[str] | Sequence[bytes]:
    """What a student or an encoder is given; of images none is read yet."""
    from learning.image_files import ImageFiles

    if any(row.image for row in rows):
        return ImageFiles(
            paths=tuple(str(row.image) for row in rows),
            names=tuple(str(row.fields["image"]) for row in rows),
        )
    return [row.text or "" for row in rows]


def _folder_of(predicted: PredictedFile) -> Path | None:
    from learning.storage import MANIFEST

    if predicted.student is None or not predicted.student.folder:
        return None
    folder = students_folder(predicted.project_id) / predicted.student.folder
    return folder if (folder / MANIFEST).is_file() else None
