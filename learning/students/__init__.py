"""Students: small models that learn from soft or hard labels."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from learning.errors import DamagedFileError
from learning.registry import Entry, Registry
from learning.storage import MANIFEST, read_json
from learning.types import Floats, Report, TrainingData


class Fitted(Protocol):
    """A student that has learnt. `labels` is how many columns it predicts."""

    @property
    def labels(self) -> int: ...

    @property
    def multi_label(self) -> bool: ...

    def predict(self, items: Floats | Sequence[str] | Sequence[bytes]) -> NDArray[np.float32]:
        """(n, d) encodings, n texts or n image files' bytes, as `Student.needs` says -> (n, k) probabilities.

        Single-label rows sum to 1. A column that was never known has probability 0, unless the
        student reads label texts and this one has one.
        """
        ...

    def save(self, folder: Path) -> None: ...


@runtime_checkable
class Patient(Protocol):
    """A fitted student that reads for long, and can be interrupted."""

    def listening(self, beat: Callable[[], None]) -> AbstractContextManager[None]:
        """Meanwhile `predict` calls `beat` about every second; what it raises passes through."""
        ...


class Student(Protocol):
    """A student's parameters, and what it learns from."""

    needs: ClassVar[Literal["encodings", "texts", "images"]]

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> Fitted:
        """Learn from `data`.

        start: an earlier fitted student of the same kind to begin from; it may know fewer labels.
        checkpoint: a folder in which a long fit keeps its state, so that the same call after a
            kill goes on where it stopped; short fits leave it alone.
        report: called now and then with (done, total); what it raises ends the fit.
        """
        ...

    def settle(self, fitted: Any) -> "Student":
        """The same student with what `fitted` chose from the data as its parameters, so that
        further fits on parts of the data need not choose again.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Fitted: ...


@runtime_checkable
class Choosy(Protocol):
    """A student that knows of lessons on which it was found not to pay."""

    def unpaid(self, rows: int, labels: int) -> str:
        """Why it is not worth a try of its own accord on `rows` answered items with `labels` labels, as a
        sentence; "" where it may be.
        """
        ...


def unpaid(student: object, rows: int, labels: int) -> str:
    """What a student says of such a lesson, see `Choosy.unpaid`; "" of one that knows of no such lesson."""
    return student.unpaid(rows, labels) if isinstance(student, Choosy) else ""


STUDENTS: Registry[Student] = Registry(
    "student",
    {
        "head": Entry("Head on frozen encodings", "learning.students.head:Head"),
        "finetune": Entry("Fine-tuned transformer", "learning.students.finetune:Finetune"),
        "image-finetune": Entry(
            "Fine-tuned image network", "learning.students.image_finetune:ImageFinetune"
        ),
        "contrastive": Entry(
            "Encoder tuned on pairs, with a head", "learning.students.contrastive:Contrastive"
        ),
        "dual-encoder": Entry(
            "Texts beside label texts", "learning.students.dual_encoder:DualEncoder"
        ),
        "label-attention": Entry(
            "Each label reads the words like it",
            "learning.students.label_attention:LabelAttention",
        ),
        "decoder-lora": Entry(
            "Language model with adapters", "learning.students.decoder_lora:DecoderLora"
        ),
        "prompt": Entry(
            "Language model behind a trained prompt", "learning.students.prompt:Prompt"
        ),
    },
)


def load(folder: Path | str) -> Fitted:
    """The student that `save` wrote into `folder`.

    Raises DamagedFileError when a file is missing or was changed since.
    """
    folder = Path(folder)
    name = read_json(folder / MANIFEST).get("student")
    if name not in STUDENTS:
        raise DamagedFileError(f"{folder} does not say which student it holds.")
    return STUDENTS[str(name)].load(folder)
