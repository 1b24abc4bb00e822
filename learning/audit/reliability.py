"""Is somebody who says 80 % right in 80 of 100 cases? Shares by stated confidence."""

from dataclasses import dataclass

import numpy as np

from learning.audit.intervals import Estimate, share
from learning.metrics import calibration_error
from learning.types import Bools, Floats, require

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Answers of about the same confidence. stated: their mean confidence, 0 … 1; right: the share
    that was right."""

    stated: float
    right: Estimate


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """bins: from the least to the most confident, none empty. error: expected calibration error, 0
    best. stated: the mean confidence; right: the share that was right, of all."""

    bins: tuple[Bin, ...]
    error: float
    stated: float
    right: Estimate


def reliability(confidence: Floats, right: Bools, bins: int = BINS) -> Reliability:
    """Of (n,) answers with confidences in 0 … 1, n at least 1. Bins are equally wide.

    Source: Murphy, Winkler 1977 (diagram); Naeini et al. 2015 (error).
    """
    require(confidence.shape == right.shape, "Each confidence needs one outcome.")
    require(
        bool(np.all(np.isfinite(confidence) & (confidence >= 0) & (confidence <= 1))),
        "Confidences lie between 0 and 1.",
    )
    error = calibration_error(confidence, right, bins)  # refuses when there is nothing
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return Reliability(
        bins=tuple(
            Bin(stated=float(confidence[place == one].mean()), right=share(right[place == one]))
            for one in np.unique(place)
        ),
        error=error,
        stated=float(confidence.mean()),
        right=share(right),
    )
