"""What keeps calls to an endpoint within its rates, our budget, and reason. Safe for threads.

Waits are short slices, each of which asks `stopped()`; so whatever a call waits for, a stop ends it
within a second.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from learning.errors import BudgetSpentError, EndpointError, ParameterError, RunStoppedError

SLICE_SECONDS = 0.1
BURST_SECONDS = 1.0  # of a rate that may be used at once after a pause

Clock = Callable[[], float]
Stopped = Callable[[], bool]

_chance = random.SystemRandom()  # spreads waits; nothing that is computed depends on it


def check_stopped(stopped: Stopped) -> None:
    """Raise RunStoppedError when somebody stopped the run."""
    if stopped():
        raise RunStoppedError("The run was stopped.")


def wait_until(due: Callable[[], float], stopped: Stopped, clock: Clock = time.monotonic) -> None:
    """Return when the clock reaches `due()`, which may move meanwhile."""
    while (left := due() - clock()) > 0:
        check_stopped(stopped)
        time.sleep(min(left, SLICE_SECONDS))
    check_stopped(stopped)


def wait_for(seconds: float, stopped: Stopped, clock: Clock = time.monotonic) -> None:
    """Wait so long."""
    due = clock() + seconds
    wait_until(lambda: due, stopped, clock)


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Exponential back-off with full jitter: attempt i waits a uniform 0 … base * 2^i seconds.

    Source: Brooker 2015, Exponential backoff and jitter (AWS architecture blog).
    """

    attempts: int = 4
    base_seconds: float = 0.5
    longest_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_seconds < 0 or self.longest_seconds < 0:
            raise ParameterError("There is at least one attempt, and no wait is negative.")

    def seconds(self, attempt: int) -> float:
        """How long to wait after the attempt with this number, from 0."""
        most = min(self.longest_seconds, self.base_seconds * 2.0 ** min(attempt, 30))
        return _chance.uniform(0, most)


class _Meter:
    """One rate: `book` gives the time from which an amount may be used, and moves it on."""

    def __init__(self, per_minute: float | None, now: float) -> None:
        if per_minute is not None and not per_minute > 0:
            raise ParameterError("A rate must be above 0; leave it out where there is none.")
        self.seconds_each = 60.0 / per_minute if per_minute else 0.0
        self.used_until = now - BURST_SECONDS

    def book(self, now: float, amount: float) -> float:
        start = max(self.used_until, now - BURST_SECONDS)
        self.used_until = start + amount * self.seconds_each
        return start

    def give_back(self, amount: float) -> None:
        self.used_until -= amount * self.seconds_each


class Pace(Protocol):
    """What spreads calls over time."""

    def take(self, tokens: float, stopped: Stopped) -> None:
        """Wait until one request of so many tokens fits the rates."""
        ...

    def give_back(self, tokens: float) -> None:
        """Tokens that were taken and not used."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long: the endpoint asked for it."""
        ...


class Bucket:
    """A token bucket for requests and one for tokens a minute, None where there is no rate."""

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests = _Meter(requests_per_minute, clock())
        self._tokens = _Meter(tokens_per_minute, clock())
        self._paused_until = clock()

    def take(self, tokens: float, stopped: Stopped) -> None:
        """Wait until one request of so many tokens fits the rates."""
        with self._lock:
            now = self._clock()
            due = max(self._requests.book(now, 1), self._tokens.book(now, tokens))
        wait_until(lambda: max(due, self._paused_until), stopped, self._clock)

    def give_back(self, tokens: float) -> None:
        """Tokens that were taken and not used."""
        with self._lock:
            self._tokens.give_back(tokens)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long: the endpoint asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)


@dataclass
class Turn:
    """One call's way through a breaker; who makes it says how it went."""

    verdict: bool | None = None
    cause: str = ""
    passing: bool = True

    def passed(self) -> None:
        """The endpoint answered as it should."""
        self.verdict = True

    def failed(self, cause: str, *, passing: bool = True) -> None:
        """It did not; `passing` means that it may do so a little later."""
        self.verdict, self.cause, self.passing = False, cause, passing


class Breaker:
    """Holds calls back from an endpoint that fails, and lets one at a time try whether it is well.

    It opens after `failures` in a row, or 20 among the last 50. Calls then wait while one probes
    after `cool_seconds`, doubling up to `longest_cool_seconds`; when nothing has worked for
    `patience_seconds`, or what failed does not pass by itself, calls are refused at once.
    Source: Nygard 2018, Release It!, chapter 5.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        cool_seconds: float = 1.0,
        longest_cool_seconds: float = 30.0,
        patience_seconds: float = 60.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._failures = failures
        self._first_cool = cool_seconds
        self._longest_cool = longest_cool_seconds
        self._patience = patience_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: deque[bool] = deque(maxlen=50)
        self._cause = ""
        self._probing = False
        self._given_up = False
        self._in_a_row = 0
        self._cool = cool_seconds
        self._open_until: float | None = None
        self._down_since = clock()

    @property
    def cause(self) -> str:
        """Why calls are held back, "" when they are not."""
        return self._cause if self._open_until is not None else ""

    @contextmanager
    def turn(self, stopped: Stopped) -> Iterator[Turn]:
        """Wait for a turn; raises EndpointError while there is none to be had."""
        probe = self._enter(stopped)
        turn = Turn()
        try:
            yield turn
        finally:
            with self._lock:
                self._probing = self._probing and not probe
                if turn.verdict is True:
                    self._recent.append(False)
                    self._close()
                elif turn.verdict is False:
                    self._note_failure(turn, probe=probe)

    def give_up(self, cause: str, seconds: float | None = None) -> None:
        """Refuse calls from now on, for this cause; after so many seconds one may probe."""
        with self._lock:
            self._cause = cause
            self._given_up = True
            self._open_until = self._clock() + (self._longest_cool if seconds is None else seconds)

    def _enter(self, stopped: Stopped) -> bool:
        while True:
            check_stopped(stopped)
            with self._lock:
                now = self._clock()
                if self._open_until is None:
                    return False
                if now >= self._open_until and not self._probing:
                    self._probing = True
                    return True
                if self._given_up or now - self._down_since >= self._patience:
                    self._given_up = True
                    raise EndpointError(self._cause)
            time.sleep(SLICE_SECONDS)

    def _close(self) -> None:
        if self._open_until is not None:
            self._recent.clear()
        self._in_a_row = 0
        self._cool = self._first_cool
        self._open_until = None
        self._given_up = False

    def _enough(self, now: float) -> bool:
        """Tell whether what failed is enough to open; slow failures take few to fill the patience."""
        too_long = self._in_a_row > 1 and now - self._down_since >= self._patience
        return too_long or self._in_a_row >= self._failures or sum(self._recent) >= 20

    def _note_failure(self, turn: Turn, *, probe: bool) -> None:
        now = self._clock()
        self._recent.append(True)
        if self._in_a_row == 0:
            self._down_since = now
        self._in_a_row += 1
        if self._open_until is not None and self._open_until > now:
            return  # open already: this call was under way, or has just given up
        if probe:
            self._cool = min(self._cool * 2, self._longest_cool)
        elif self._open_until is not None:
            return  # the probe decides
        elif not self._enough(now):
            return
        self._cause = turn.cause
        self._open_until = now + self._cool
        self._given_up = self._given_up or not turn.passing


class Slots(Protocol):
    """How many calls may be under way at once."""

    def take(self, stopped: Stopped) -> Hashable:
        """Wait until one more may; a token for it."""
        ...

    def free(self, slot: Hashable) -> None:
        """The call of this token is over."""
        ...


class OwnSlots:
    """So many calls of whoever shares this object."""

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)

    def take(self, stopped: Stopped) -> Hashable:
        """Wait until one more may."""
        while not self._free.acquire(timeout=SLICE_SECONDS):
            check_stopped(stopped)
        return None

    def free(self, slot: Hashable) -> None:
        """The call is over."""
        self._free.release()


class Budget(Protocol):
    """Money for calls: reserved at its worst before each, settled at its real cost after it."""

    def reserve(self, amount: float) -> Hashable:
        """A token for the amount; raises BudgetSpentError when it is not there any more."""
        ...

    def settle(self, reservation: Hashable, spent: float) -> None:
        """End a reservation with what the call cost, 0 … the amount."""
        ...


@dataclass
class CappedBudget:
    """A budget in memory. `spent` plus `reserved` never passes `cap`; None is no cap."""

    cap: float | None = None
    spent: float = 0.0
    _held: dict[int, float] = field(default_factory=dict)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def reserved(self) -> float:
        """What calls in flight may cost at most."""
        return sum(self._held.values())

    def reserve(self, amount: float) -> int:
        """Hold the amount back; raises BudgetSpentError when it is not there any more."""
        with self._lock:
            if self.cap is not None and self.spent + self.reserved + amount > self.cap:
                raise BudgetSpentError("The budget is spent.")
            self._next += 1
            self._held[self._next] = amount
            return self._next

    def settle(self, reservation: Hashable, spent: float) -> None:
        """Replace a reservation by what was spent."""
        with self._lock:
            if not isinstance(reservation, int):
                raise ParameterError("This reservation is not one of this budget.")
            self.spent += min(spent, self._held.pop(reservation))


@dataclass(frozen=True)
class Kept:
    """An answer that was given before, as a JSON-able dict."""

    answer: dict[str, Any]


class Cache(Protocol):
    """Answers by key, and who is asking for which now, so that nothing is asked twice at once.

    A key stands for the model, its settings, the prompt and the item (64 hexadecimal digits).
    """

    def begin(self, key: str) -> Kept | bool:
        """The kept answer; or True when the caller shall ask, who then must `finish` the key; or
        False while another asks. A claim that was never finished must end by itself some day.
        """
        ...

    def finish(self, key: str, answer: dict[str, Any] | None) -> None:
        """End a claim with an answer to keep, or with None when there is none."""
        ...


class MemoryCache:
    """A cache for the life of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = {}
        self._asking: set[str] = set()

    def begin(self, key: str) -> Kept | bool:
        """What is kept, True to whoever is first, False to everybody else meanwhile."""
        with self._lock:
            if key in self._answers:
                return Kept(self._answers[key])
            if key in self._asking:
                return False
            self._asking.add(key)
            return True

    def finish(self, key: str, answer: dict[str, Any] | None) -> None:
        """Keep an answer, or let the next caller ask."""
        with self._lock:
            self._asking.discard(key)
            if answer is not None:
                self._answers[key] = answer
