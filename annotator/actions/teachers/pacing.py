"""The pace of calls and how many are under way: both hold for all runs of all workers together.

A teacher's rate is its project's wish, an endpoint's that of whoever runs the instance. Each row
knows until when its rate is used up; who wants to call moves that on and waits for what it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import LiteralString

from django.db import connection

from annotator.actions.teachers.budgets import Through
from learning.teachers.limits import BURST_SECONDS, SLICE_SECONDS, Stopped, wait_for

# clock_timestamp(), for now() stands still in a transaction. Whoever asks for the same row at the
# same moment waits for its lock, so that each gets a place of its own.
_BOOK: LiteralString = """
UPDATE {table}
SET used_until = greatest(coalesce(used_until, clock_timestamp()),
                          clock_timestamp() - %(burst)s * interval '1 second')
                 + interval '1 minute' / coalesce(requests_per_minute, 1e9)
WHERE id = %(id)s
RETURNING extract(epoch FROM used_until - interval '1 minute' / coalesce(requests_per_minute, 1e9)
                             - clock_timestamp())::float8
"""
_HOLD: LiteralString = """
UPDATE annotator_teacher
SET used_until = greatest(coalesce(used_until, clock_timestamp()),
                          clock_timestamp() + %(seconds)s * interval '1 second')
WHERE id = %(id)s
"""
_TEACHER = _BOOK.format(table="annotator_teacher")
_ENDPOINT = _BOOK.format(table="annotator_endpoint")


@dataclass(frozen=True, kw_only=True)
class SharedPace:
    """The place of a teacher's calls among all that go to its endpoint.

    Requests are counted, tokens are not. An endpoint that asks to wait is obeyed by every run of the
    teacher that it asked.
    """

    teacher: int
    endpoint: int
    through: Through[float]

    def take(self, tokens: float, stopped: Stopped) -> None:
        """Wait until one request fits both rates."""
        due = time.monotonic() + self.through(self._book)
        wait_for(due - time.monotonic(), stopped)

    def give_back(self, tokens: float) -> None:
        """Nothing: no token was taken."""

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self.through(lambda: self._hold(seconds))

    def _book(self) -> float:
        with connection.cursor() as cursor:
            cursor.execute(_ENDPOINT, {"id": self.endpoint, "burst": BURST_SECONDS})
            (endpoint,) = cursor.fetchone() or (0.0,)
            cursor.execute(_TEACHER, {"id": self.teacher, "burst": BURST_SECONDS})
            (teacher,) = cursor.fetchone() or (0.0,)
        return float(max(endpoint, teacher, 0.0))

    def _hold(self, seconds: float) -> float:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, {"id": self.teacher, "seconds": seconds})
        return seconds


# Beside a teacher's id and the number of a slot, the key of a lock that one call holds.
CALL_LOCK = 7_007
MOST_SLOTS = 32


@dataclass(frozen=True, kw_only=True)
class SharedSlots:
    """The calls of a teacher that may be under way at once, whoever asks it: a run of its own and the
    committees that it is a member of.

    A slot is a lock of the run's connection, so that a killed worker's are free when it is gone.
    """

    teacher: int
    count: int
    through: Through[bool]
    _own: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, stopped: Stopped) -> Hashable:
        """Wait until a slot is free; its number."""
        while True:
            for slot in range(self.count):
                if self._hold(slot):
                    return slot
            wait_for(SLICE_SECONDS, stopped)

    def free(self, slot: Hashable) -> None:
        """The call is over."""
        number = int(str(slot))
        self.through(lambda: self._ask("pg_advisory_unlock", number))
        with self._lock:
            self._own.discard(number)

    def _hold(self, slot: int) -> bool:
        with self._lock:
            if slot in self._own:  # a connection would get its own lock a second time
                return False
            self._own.add(slot)
        held = False
        try:
            held = self.through(lambda: self._ask("pg_try_advisory_lock", slot))
        finally:
            if not held:
                with self._lock:
                    self._own.discard(slot)
        return held

    def _ask(self, function: LiteralString, slot: int) -> bool:
        key = (self.teacher * MOST_SLOTS + slot) & 0x7FFFFFFF
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s, %s)", [CALL_LOCK, key])
            (found,) = cursor.fetchone() or (False,)
        return bool(found)
