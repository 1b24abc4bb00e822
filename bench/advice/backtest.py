"""Stand at so many labels, look at a drawn audit sample only, forecast; then look what came."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learning.audit.advice import MORE, Advice, advise
from learning.audit.curves import Measured, fit
from learning.audit.intervals import Estimate
from learning.errors import NotEnoughDataError

CHECKS = (150, 200, 300, 400, 600, 800, 1_000)
TARGETS = (600, 1_000)
AUDIT_ITEMS = 120


class Run(Protocol):
    """A replay. labels: (v,) given to each version; right, whole: (v, t) of the test items, as `Measured`
    has them; kinds: how many labels there are."""

    @property
    def labels(self) -> NDArray[np.int64]: ...

    @property
    def right(self) -> NDArray[np.bool_] | NDArray[np.float64]: ...

    @property
    def whole(self) -> NDArray[np.float64] | None: ...

    @property
    def kinds(self) -> int: ...


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
    run: Run,
    rng: np.random.Generator,
    items: int = AUDIT_ITEMS,
    checks: Sequence[int] = CHECKS,
) -> Iterator[Outcome]:
    """One outcome per check that has enough versions before and a version 100 labels later."""
    tested = run.right.shape[1]
    truth = measured(run, np.arange(len(run.labels)), np.arange(tested)).accuracy()
    columns = rng.choice(tested, min(items, tested), replace=False)
    for at in checks:
        try:
            curve = fit(measured(run, np.flatnonzero(run.labels <= at), columns), run.kinds, rng)
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


def measured(run: Run, versions: NDArray[np.int64], items: NDArray[np.int64]) -> Measured:
    """Some versions on some of the test items."""
    cells = np.ix_(versions, items)
    return Measured(
        labels=run.labels[versions],
        right=run.right[cells],
        asked=np.ones((len(versions), len(items)), dtype=np.bool_),
        whole=None if run.whole is None else run.whole[cells],
    )


def nearest(run: Run, labels: int) -> int:
    """The version that learned from about so many labels."""
    return int(np.argmin(np.abs(run.labels - labels)))
