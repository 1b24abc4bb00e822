"""The layout that keeps neighbours together: t-SNE of landmarks, the others among their nearest."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.layouts import Drawn
from learning.layouts.places import components, filled, place, some, unit_square
from learning.types import Bools, Floats, Report, no_report

FEWEST = 8  # below this there are no neighbourhoods to keep
EXAGGERATION = 12.0
START_SPREAD = 1e-4
# How much of the whole work one round over the landmarks is, in rows placed: what progress counts in.
ROUND_COSTS = 20_000


@dataclass(frozen=True, kw_only=True)
class LandmarkTsne:
    """Draw some items so that near ones stay near, beginning with their two largest differences, and
    put every other item among the drawn ones it is most like. Source: van der Maaten, Hinton 2008;
    van der Maaten 2014; Kobak, Berens 2019.

    landmarks: items at most that are drawn by t-SNE; components: dimensions in which likeness is
    measured; perplexity: neighbours that each is held to; rounds: of 250 steps each.
    """

    landmarks: int = 5_000
    components: int = 50
    perplexity: float = 30.0
    rounds: int = 3

    def __post_init__(self) -> None:
        if min(self.landmarks, self.components, self.rounds) < 1 or self.perplexity <= 1:
            raise ParameterError(
                "t-SNE needs landmarks, components and rounds above 0, and a perplexity above 1."
            )

    def draw(
        self,
        vectors: Floats,
        eligible: Bools,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> Drawn:
        """(n, 2) places in 0 … 1; see `Layout`."""
        rows = filled(vectors, eligible)
        mean, axes = components(vectors, rows, self.components, rng)
        landmarks = some(rows, self.landmarks, rng)
        points = (np.asarray(vectors[landmarks], dtype=np.float32) - mean) @ axes.T
        total = self.rounds * ROUND_COSTS + len(rows)
        flat = self._flat(points, rng, lambda done: report(done * ROUND_COSTS, total))
        xy = np.full((len(vectors), 2), np.nan, dtype=np.float32)
        xy[landmarks] = unit_square(flat, flat)
        drawn = Drawn(xy=xy, mean=mean, axes=axes, landmarks=landmarks)
        others = np.setdiff1d(rows, landmarks, assume_unique=True)
        begun = total - len(others)
        xy = xy.copy()
        xy[others] = place(drawn, vectors, others, lambda done, _: report(begun + done, total))
        report(total, total)
        return replace(drawn, xy=xy)

    def _flat(
        self, points: Floats, rng: np.random.Generator, told: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """(m, c) points -> (m, 2). Round by round, so that progress is seen and a cancel is heard."""
        flat = np.zeros((len(points), 2), dtype=np.float32)
        flat[:, : min(2, points.shape[1])] = points[:, :2]
        if len(points) < FEWEST:
            return flat
        from sklearn.manifold import TSNE

        flat *= START_SPREAD / max(float(flat[:, 0].std()), 1e-12)
        # Copies of one text would begin at one spot, where nothing parts what is near them.
        flat += rng.normal(scale=START_SPREAD / 100, size=flat.shape).astype(np.float32)
        seed = int(rng.integers(2**31 - 1))
        for done in range(self.rounds):
            told(done)
            first = done == 0
            flat = TSNE(
                init=flat,
                perplexity=min(self.perplexity, (len(points) - 1) / 3),
                early_exaggeration=EXAGGERATION if first else 1.0,
                learning_rate=max(len(points) / EXAGGERATION / 4, 50.0),
                max_iter=250,
                random_state=seed,
                n_jobs=1,
            ).fit_transform(points)
        return np.asarray(flat, dtype=np.float32)
