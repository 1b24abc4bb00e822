"""Selection by the gradients that items would give: large where the student doubts, and diverse."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.scores import BLOCK_ENTRIES
from learning.selection.margin import hesitation
from learning.selection.reading import (
    Matrix,
    Rows,
    dense,
    encodings_of,
    finite,
    nothing,
    points_of,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection, row_blocks

PROPOSALS = 256  # drawn at a time; when none of them is kept, the bounds are brought up to date
LEAST_LENGTH = np.float32(1e-12)  # an encoding that is not longer is zero
SAME = 1e-6  # squared distance over squared lengths: what float32 cannot tell from 0

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Badge:
    """Pick by k-means++ seeding on the gradients that items would give the last layer.
    Source: Ash et al. 2020 (BADGE); drawn by rejection, Cohen-Addad et al. 2020.

    The gradient of an item labelled as the student guesses is g = r ⊗ x with its encoding x, scaled
    to length 1, and the residual r = p - guess, so |g_i - g_j|² = |r_i|² + |r_j|² - 2 (r_i · r_j)
    (x_i · x_j): no gradient is ever built. The first item is drawn in proportion to |g|², each next
    one to the squared distance D² to the nearest pick. (|g_i| + the least |g| of the picks)² is
    never below D²: drawing by that bound and keeping a draw with probability D² / bound is drawing
    by D² itself, but looks at a few encodings only. No candidate is left out.
    Multi-label: r = p - [p >= 0.5] for each label.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows in the order of the draw.

        The draw probability is about that of being among the picks, 1 - (1 - D² / Σ D²)^n, with
        Σ D² estimated from the draws that were not kept. Raises NeedsStudentError without
        probabilities, NotEnoughDataError without encodings, ShapeError when they are not numbers.
        """
        source = _Source(pool)
        take = wanted(n, source.candidates)
        if take == 0:
            return nothing()
        seeding = _Seeding(source, rng)
        while len(seeding.places) < take:
            seeding.draw(take)
        rows = source.candidates[seeding.places]
        shares = np.clip(seeding.shares, 1e-12, 1 - 1e-12)
        return Selection(
            rows=rows,
            probabilities=-np.expm1(take * np.log1p(-shares)),
            reasons=[
                f"{hesitation(pool, source.probabilities[row], int(row))}; {_contrast(distance)}"
                for row, distance in zip(rows, seeding.distances, strict=True)
            ],
        )


@dataclass(frozen=True)
class Gradients:
    """Some gradients r ⊗ x: residuals (m, k), unit encodings (m, d), squared lengths (m,)."""

    residuals: Matrix
    directions: Matrix  # a row of zeros where the encoding is one, and its square is 0 then
    squares: Doubles

    def __getitem__(self, rows: slice) -> "Gradients":
        return Gradients(self.residuals[rows], self.directions[rows], self.squares[rows])

    def apart(self, others: "Gradients") -> Doubles:
        """(m, o) squared distances; 0 where float32 cannot tell two from each other."""
        both = self.squares[:, None] + others.squares
        inner = (self.residuals @ others.residuals.T) * (self.directions @ others.directions.T)
        apart = both - 2 * inner
        apart[apart < SAME * both] = 0
        return np.asarray(apart)


class _Source:
    """The gradients of a pool's candidates, built when asked for.

    candidates: (c,) rows; squares: (c,) float64, squared lengths, or more where encodings are zero:
        that is known of the rows whose encodings were read.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.probabilities = probabilities_of(pool, "BADGE")
        self.encodings = encodings_of(pool, "BADGE")
        self.candidates = pool.candidates()
        self.squares = np.empty(len(self.candidates))
        for block in self.blocks(self.probabilities.shape[1]):
            r = self._residuals(self.probabilities[self.candidates[block]])
            self.squares[block] = np.einsum("nk,nk->n", r, r)
        finite(self.squares, "student's probabilities")

    def blocks(self, width: int) -> Iterator[slice]:
        """Slices of the candidates for tables of `width` columns that stay in the cache."""
        return row_blocks(len(self.candidates), max(1, BLOCK_ENTRIES // max(1, width)))

    def gradients(self, places: Rows | slice) -> Gradients:
        """Those of some candidates."""
        rows = self.candidates[places]
        residuals = dense(self.pool, self._residuals(self.probabilities[rows]), rows)
        x = points_of(self.encodings, rows)
        lengths = np.sqrt(np.einsum("nd,nd->n", x, x))
        there = lengths > LEAST_LENGTH
        x = x / np.maximum(lengths, LEAST_LENGTH)[:, None]
        return Gradients(residuals, x, self.squares[places] * there)

    def measure(self) -> None:
        """Read every encoding, so that all squares are right."""
        for block in self.blocks(self.encodings.shape[1]):
            self.squares[block] = self.gradients(block).squares

    def _residuals(self, p: Floats) -> Matrix:
        if self.pool.multi_label:
            return np.asarray(p - (p >= 0.5), dtype=np.float32)
        r = np.array(p, dtype=np.float32)
        r[np.arange(len(r)), r.argmax(axis=1)] -= 1
        return r


class _Seeding:
    """The picks so far, and a bound on every candidate's D².

    places: picks as places among the candidates; distances: D of each pick when it was drawn (its
    length for the first); shares: how likely that draw was, D² / Σ D².
    """

    def __init__(self, source: _Source, rng: np.random.Generator) -> None:
        self.source, self.rng = source, rng
        self.lengths = np.sqrt(source.squares)
        self.places: list[int] = []
        self.distances: list[float] = []
        self.shares: list[float] = []
        self.picks: list[Gradients] = []
        self.seen = 0  # picks that are in `measured`
        self.measured = np.full(len(self.lengths), np.inf)  # D² to the picks seen
        self._bound(source.squares)

    def draw(self, take: int) -> None:
        """Propose some candidates, keep each or not; what is kept changes the chance of the rest."""
        if self.total <= 0:
            self._fill(take)
            return
        count = PROPOSALS if self.places else 1
        ends = self.rng.random(count) * self.total
        places = np.minimum(np.searchsorted(self.sums, ends, "right"), len(self.sums) - 1)
        proposed = self.source.gradients(places)
        bounds = np.maximum(self.bounds[places], np.finfo(np.float64).tiny)
        away = self._nearest(proposed, self.picks) if self.picks else proposed.squares.copy()
        luck, had = self.rng.random(count) * bounds, len(self.places)
        for i in range(count):
            if luck[i] < away[i] and len(self.places) < take:
                kept = np.mean(away[i:] / bounds[i:])  # of the proposals, as of now
                self._add(
                    int(places[i]), away[i], away[i] / (kept * self.total), proposed[i : i + 1]
                )
                away[i:] = np.minimum(away[i:], self._nearest(proposed[i:], self.picks[-1:]))
        if len(self.places) == had:
            self._measure()
        if not self.picks:
            return
        least = min(float(pick.squares[0]) for pick in self.picks) ** 0.5
        self._bound(np.minimum(self.measured, (self.lengths + least) ** 2))

    def _nearest(self, gradients: Gradients, picks: list[Gradients]) -> Doubles:
        together = Gradients(
            np.concatenate([pick.residuals for pick in picks]),
            np.concatenate([pick.directions for pick in picks]),
            np.concatenate([pick.squares for pick in picks]),
        )
        return np.asarray(gradients.apart(together).min(axis=1))

    def _measure(self) -> None:
        """One pass over the pool: the picks that no pass has seen yet bring the bounds down to D²."""
        if not self.picks:  # the first proposal has a zero for its encoding
            self.source.measure()
            self._bound(self.source.squares)
            return
        fresh, self.seen = self.picks[self.seen :], len(self.picks)
        width = max(fresh[0].residuals.shape[1], fresh[0].directions.shape[1], len(fresh))
        for block in self.source.blocks(width):
            nearest = self._nearest(self.source.gradients(block), fresh)
            np.minimum(self.measured[block], nearest, out=self.measured[block])
        self.measured[self.places] = 0

    def _bound(self, bounds: Doubles) -> None:
        self.bounds = bounds
        self.sums = np.cumsum(bounds)
        self.total = float(self.sums[-1])

    def _add(self, place: int, squared: float, share: float, gradient: Gradients) -> None:
        self.places.append(place)
        self.distances.append(float(np.sqrt(squared)))
        self.shares.append(share)
        self.picks.append(gradient)

    def _fill(self, take: int) -> None:
        """Every gradient left is 0 or a copy of a pick's: the rest is drawn evenly."""
        rest = np.delete(np.arange(len(self.lengths)), self.places)
        drawn = self.rng.choice(rest, size=take - len(self.places), replace=False)
        for place in drawn:
            self._add(
                int(place), 0.0, 1 / len(rest), self.source.gradients(slice(place, place + 1))
            )


def _contrast(distance: float) -> str:
    return f"its correction would be {distance:.2f} away from those of the other picks"
