"""A student's word beside people's votes: what it says of items that it has not learnt from.

Kept in a folder of its own, which never changes: verdicts and snapshots of a day refer to it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.actions.encoders.encoding import students_folder
from annotator.models import ConsensusFit, Item, Project, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIX = "words-"


@dataclass(frozen=True, kw_only=True)
class Words:
    """(n,) item numbers, ascending, and (n, k) what a student said of each, out of fold."""

    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def about(self, items: Sequence[int], labels: int) -> NDArray[np.float32]:
        """(m, k) of these items (ids), NaN where it says nothing.

        It says nothing of any while there are labels that it has not learnt.
        """
        import numpy as np

        found = np.full((len(items), labels), np.nan, dtype=np.float32)
        if labels != self.probabilities.shape[1] or not len(self.numbers):
            return found
        number = dict(Item.objects.filter(pk__in=items).values_list("pk", "number"))
        wanted = np.array([number[pk] for pk in items], dtype=np.int64)
        at = np.minimum(np.searchsorted(self.numbers, wanted), len(self.numbers) - 1)
        there = self.numbers[at] == wanted
        found[there] = self.probabilities[at[there]]
        return found


def keep(project: Project, words: Words) -> str:
    """Write them into a fresh folder. Returns its name."""
    from learning.storage import save_folder

    name = f"{PREFIX}{secrets.token_hex(6)}"
    arrays: dict[str, NDArray[Any]] = {
        "numbers": words.numbers,
        "probabilities": words.probabilities,
    }
    save_folder(students_folder(project.pk) / name, arrays, {"items": len(words.numbers)})
    return name


def read(project: Project, name: str) -> Words:
    """What `keep` wrote. Raises DamagedFileError when it is gone or was changed."""
    from learning.storage import load_folder

    arrays, _ = load_folder(students_folder(project.pk) / name)
    return Words(numbers=arrays["numbers"], probabilities=arrays["probabilities"])


def forget(project: Project) -> None:
    """Remove the folders that neither the present fit nor any snapshot refers to."""
    fits = ConsensusFit.objects.filter(project=project).values_list("model__words", flat=True)
    frozen = Snapshot.objects.filter(project=project).values_list(
        "manifest__frozen__skills__model__words", flat=True
    )
    needed = {*fits, *frozen}
    for folder in students_folder(project.pk).glob(f"{PREFIX}*"):
        if folder.name not in needed:
            shutil.rmtree(folder, ignore_errors=True)
