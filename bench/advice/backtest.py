"""Stand at so many labels, look at a drawn audit sample only, forecast; then look what came."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.advice.replay import Replayed
from learning.audit.advice import MORE, Advice, advise
from learning.audit.curves import Measured, fit
from learning.audit.intervals import Estimate
from learning.errors import NotEnoughDataError

CHECKS = (150, 200, 300, 400, 600, 800, 1_000)
TARGETS = (600, 1_000)
AUDIT_ITEMS = 120


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """at: labels given when we looked; gain: what the next 100 really added; forecasts and truths
    by number of labels."""

    at: int
    advice: Advice
    gain: float
    forecasts: dict[int, Estimate]
    truths: dict[int, float]

    def forecast_holds(self, target: int) -> bool:
        """Whether the interval held what came."""
        found = self.forecasts[target]
        return found.low <= self.truths[target] <= found.high


def outcomes(
    run: Replayed,
    rng: np.random.Generator,
    items: int = AUDIT_ITEMS,
    checks: Sequence[int] = CHECKS,
) -> Iterator[Outcome]:
    """One outcome per check that has enough versions before and a version 100 labels later."""
    right = run.right
    truth = right.mean(axis=1)
    columns = rng.choice(right.shape[1], min(items, right.shape[1]), replace=False)
    kinds = int(run.truth.max()) + 1
    for at in checks:
        seen = run.labels <= at
        drawn = right[seen][:, columns]
        try:
            curve = fit(
                Measured(labels=run.labels[seen], right=drawn, asked=np.ones_like(drawn)),
                kinds,
                rng,
            )
        except NotEnoughDataError:
            continue
        now, later = nearest(run, curve.at), nearest(run, curve.at + MORE)
        more = int(run.labels[later] - run.labels[now])
        if more < 0.9 * MORE:
            continue
        targets = {t: nearest(run, t) for t in TARGETS if curve.at < t <= run.labels[-1] + 25}
        forecasts = curve.forecast(run.labels[list(targets.values())]) if targets else []
        yield Outcome(
            at=at,
            advice=advise(curve, more),
            gain=float(truth[later] - truth[now]),
            forecasts=dict(zip(targets, forecasts, strict=True)),
            truths={target: float(truth[row]) for target, row in targets.items()},
        )


def nearest(run: Replayed, labels: int) -> int:
    """The version that learned from about so many labels."""
    return int(np.argmin(np.abs(run.labels - labels)))
