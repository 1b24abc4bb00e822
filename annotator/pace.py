"""How fast work goes, by its last minute, and so when it will be done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
# Reports closer together than this tell no more than one of them.
APART_SECONDS = 0.3


@dataclass
class Pace:
    """What was done when, of the present part of the work.

    A part begins where another total is told, or less is done than before. What it begins with may be done
    already, by a worker that was killed or by an earlier job, so that its first step tells nothing.
    """

    _total: int = -1
    _done: int = 0
    _began: bool = False
    _points: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, done: int, total: int, at: float) -> None:
        """Take a report. at: seconds of a clock that only goes forward."""
        if total != self._total or done < self._done:
            self._points.clear()
            self._total, self._done, self._began = total, done, False
            return
        if done == self._done:
            return
        self._done = done
        if not self._began:
            self._began = True
            self._points.append((at, done))
        elif at - self._points[-1][0] >= APART_SECONDS:
            self._points.append((at, done))
        while len(self._points) > 2 and self._points[1][0] < at - WINDOW_SECONDS:
            self._points.popleft()

    def seconds_left(self, at: float) -> float | None:
        """Until this part is done, None while that cannot be told; below 0 where it should be by now."""
        if len(self._points) < 2:
            return None
        (began_at, before), (last_at, done) = self._points[0], self._points[-1]
        each = (last_at - began_at) / (done - before)
        return each * (self._total - done) - (at - last_at)
