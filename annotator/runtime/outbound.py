"""What one call to another server may take, what can go wrong with it, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from annotator.errors import UnavailableError

SLICE_SECONDS = 0.2  # how often a wait looks whether it was cancelled
HEADER_BYTES = 200_000  # of an answer, headers and framing, beside its body


class GatewayError(UnavailableError):
    """A call did not get a whole answer.

    passing: it may work a little later. sent: the request was on its way, so the other side may
    have worked on it and may charge for it.
    """

    code: ClassVar[str] = "outbound_failed"
    passing: ClassVar[bool] = True
    sent: bool = False


class UnreachableError(GatewayError):
    """No connection, or it broke."""

    code = "outbound_unreachable"


class TooSlowError(GatewayError):
    """The other side took longer than the limits allow."""

    code = "outbound_too_slow"


class TooLargeError(GatewayError):
    """The answer is larger than the limits allow."""

    code = "outbound_too_large"
    passing = False


class UntrustedError(GatewayError):
    """The certificate is not one that this machine trusts for that name."""

    code = "outbound_untrusted"
    passing = False


class UnreadableError(GatewayError):
    """What came back is no answer: a redirect, broken HTTP, or an encoding nobody asked for."""

    code = "outbound_unreadable"
    passing = False


class StoppedError(GatewayError):
    """The caller cancelled while the call was under way."""

    code = "outbound_stopped"
    passing = False


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """What one call may take.

    connect_seconds: for name, connection and TLS together. silence_seconds: between two pieces of
    an answer. whole_seconds: from the beginning to the last byte. answer_bytes: on the wire and
    again unpacked.
    """

    connect_seconds: float = 4.0
    silence_seconds: float = 60.0
    whole_seconds: float = 120.0
    request_bytes: int = 8 * 1024 * 1024
    answer_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """A whole answer: any status but a redirect, a few headers in lower case, the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float


def never() -> bool:
    """Cancel nothing."""
    return False


class Call:
    """One call's deadline and byte count, seen by the connection while this thread works on it."""

    def __init__(self, limits: CallLimits, stop: Callable[[], bool]) -> None:
        self.limits = limits
        self.stop = stop
        self.began = time.monotonic()
        self.ends = self.began + limits.whole_seconds
        self.connect_ends = self.began + min(limits.connect_seconds, limits.whole_seconds)
        self.received = 0
        self.sent = False

    def wait(self, until: float) -> float:
        """Seconds to wait next, at most one slice; raises when cancelled or out of time."""
        if self.stop():
            raise StoppedError("The call was cancelled.")
        left = min(until, self.ends) - time.monotonic()
        if left <= 0:
            raise TooSlowError("The other side did not answer in time.")
        return min(left, SLICE_SECONDS)

    def take(self, size: int) -> None:
        """Count bytes of the answer, headers included."""
        self.received += size
        if self.received > self.limits.answer_bytes + HEADER_BYTES:
            raise TooLargeError("The answer is larger than allowed.")
