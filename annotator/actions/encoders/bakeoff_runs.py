"""The work of comparing encoders: each is kept as soon as it is measured.

The labelled items are frozen when the work begins, and the draws follow from them, so a killed
worker's successor goes on with the first encoder that has no score yet.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders import bakeoffs
from annotator.actions.encoders.encoding import SAMPLE, contents, fitted, read
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons
from annotator.errors import ConflictError
from annotator.models import BakeOff, Item, ItemKind, Project
from learning.errors import LearningError

if TYPE_CHECKING:
    import numpy as np

    from learning.encoders import Items
    from learning.encoders.probing import Draw, Probe
    from learning.types import TrainingData

# Of more labelled items so many are looked at: two slow encoders must not take a night.
MOST_ITEMS = 3_000
CHUNK = 256
# Of the work on one encoder, how much is encoding; the rest is the draws.
ENCODING_SHARE = 70


def run_bakeoff(run: jobs.Run) -> dict[str, Any]:
    """Measure every candidate on the same draws; one that cannot be loaded says why."""
    bakeoff = BakeOff.objects.select_related("project").get(pk=run.params["bakeoff"])
    project = run.project
    if not bakeoff.items:
        _freeze(run, bakeoff, project)
    work = _Work(run, bakeoff, project)
    for number, candidate in enumerate(bakeoff.candidates):
        if bakeoff.result(number) is not None:
            continue
        try:
            found = work.measure(number, candidate)
        except LearningError as refusal:
            found = {"error": str(refusal)}
        with run.fence():
            bakeoff.results[str(number)] = found
            bakeoff.save(update_fields=["results"])
    return {"bakeoff": bakeoff.pk, "said": bakeoffs.in_words(bakeoffs.standings(bakeoff))}


def _freeze(run: jobs.Run, bakeoff: BakeOff, project: Project) -> None:
    """The items to compare on: labelled by people as a whole, and none that measures students."""
    import numpy as np

    run.progress(0, 0, "Reading the labels")
    columns = columns_of(project)
    learnt = lessons.read(project, project.item_count, columns)
    rows = np.flatnonzero(learnt.whole & ~learnt.taught)
    if len(rows) < bakeoffs.FEWEST_ITEMS:
        raise ConflictError(
            f"A comparison needs {bakeoffs.FEWEST_ITEMS} items labelled by people, besides the audit "
            f"items; this project has {len(rows)}. Label more first."
        )
    if len(rows) > MOST_ITEMS:
        rng = np.random.default_rng([project.pk, bakeoff.pk])
        rows = np.sort(rng.choice(rows, MOST_ITEMS, replace=False))
    groups: dict[bytes, int] = {}
    bakeoff.items = [
        [
            int(learnt.numbers[row]),
            groups.setdefault(bytes(learnt.rows[row][4]), len(groups)),
            [columns.label_ids[column] for column in np.flatnonzero(learnt.targets[row] > 0.5)],
        ]
        for row in rows.tolist()
    ]
    with run.fence():
        bakeoff.save(update_fields=["items"])


class _Work:
    """The frozen items and their draws, and how progress is told over all encoders."""

    def __init__(self, run: jobs.Run, bakeoff: BakeOff, project: Project) -> None:
        import numpy as np

        from learning.encoders.probing import Probe

        self.run, self.bakeoff, self.project = run, bakeoff, project
        self.task = project.task
        items = [each for each in bakeoff.items if each[2] or project.multi_label]
        self.numbers: list[int] = [number for number, _, _ in items]
        columns = columns_of(project, with_archived=True)
        self.targets = self.task.encode([labels for _, _, labels in items], columns)
        self.known = self.task.known(self.targets, columns)
        self.probe: Probe = Probe()
        groups = np.array([group for _, group, _ in items], dtype=np.int64)
        self.draws: list[Draw] = self.probe.draw(self.targets, groups, self._rng(0))

    def _rng(self, stream: int) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng([self.project.pk, self.bakeoff.pk, stream])

    def measure(self, number: int, candidate: dict[str, Any]) -> dict[str, Any]:
        """One encoder's scores by draw, seconds for 1,000 items, and dimensions."""
        import numpy as np

        from learning.encoders import ENCODERS

        loading = partial(self._tell, number, 0, f"Loading {candidate['label']}")
        loading()
        encoder = ENCODERS.create(candidate["encoder"], candidate["params"])
        ready = fitted(encoder, self.project, contents(self.project, 0, SAMPLE), loading)
        vectors = np.empty((len(self.numbers), ready.dimensions), dtype=np.float16)
        spent = 0.0
        for start in range(0, len(self.numbers), CHUNK):
            items = self._items(self.numbers[start : start + CHUNK])
            began = time.monotonic()
            vectors[start : start + CHUNK] = ready.encode(items)
            spent += time.monotonic() - began
            share = min(start + CHUNK, len(self.numbers)) / len(self.numbers)
            self._tell(number, round(ENCODING_SHARE * share), f"Encoding by {candidate['label']}")
        scores = self._scores(number, candidate["label"], vectors)
        return {
            "scores": [round(score, 6) for score in scores],
            "seconds": round(1_000 * spent / len(self.numbers), 3),
            "dimensions": ready.dimensions,
        }

    def _scores(self, number: int, label: str, vectors: Any) -> list[float]:
        import numpy as np

        from learning.types import TrainingData

        data: TrainingData = TrainingData(
            targets=self.targets,
            encodings=np.asarray(vectors, dtype=np.float32),
            multi_label=self.project.multi_label,
            ordered=self.task.ordered,
            known=self.known,
            parts=self.task.parts,
            paired=self.project.item_kind == ItemKind.PAIR,
            sided=self.task.sided,
        )
        rest = 100 - ENCODING_SHARE

        def told(done: int, total: int) -> None:
            self._tell(number, ENCODING_SHARE + rest * done // total, f"Trying {label}")

        return self.probe.score(data, self.task, self.draws, self._rng(1), told)

    def _tell(self, number: int, percent: int, message: str) -> None:
        self.run.progress(100 * number + percent, 100 * len(self.bakeoff.candidates), message)

    def _items(self, numbers: list[int]) -> Items:
        """Texts or images of these items, in this order."""
        return read(self.project, Item.objects.filter(project=self.project, number__in=numbers))
