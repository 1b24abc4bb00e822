"""A line to one endpoint: every call of every teacher on it passes the same guards.

The library opens no connection: the caller lends `send`, and says what may be spent.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from learning.errors import BudgetSpentError, EndpointError, LearningError, RunStoppedError
from learning.teachers.limits import (
    SLICE_SECONDS,
    Breaker,
    Bucket,
    Budget,
    Cache,
    CappedBudget,
    OwnSlots,
    Pace,
    Retries,
    Slots,
    Stopped,
    Turn,
    check_stopped,
    wait_for,
)

PASSING_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# Whoever stands in front of the model lost its answer: it may have worked, and want its money
LOST_STATUSES = {502, 504}
# What every further call would meet as well
FINAL_STATUSES = {
    401: "The endpoint refuses the key (401).",
    402: "The endpoint wants to be paid first (402).",
    403: "The endpoint refuses the key for this (403).",
    404: "The endpoint knows no such model or address (404).",
    405: "The address is not one to send prompts to (405).",
}
# Of what an endpoint writes about an error, only these words are ever repeated
KNOWN_CODES = {
    "billing_hard_limit_reached", "content_filter", "context_length_exceeded", "insufficient_quota",
    "invalid_api_key", "model_not_found", "rate_limit_exceeded", "string_above_max_length",
    "unsupported_parameter", "unsupported_value",
}  # fmt: skip
SPENT_CODES = {"insufficient_quota", "billing_hard_limit_reached"}


class Reply(Protocol):
    """An answer over HTTP: header names in lower case, the body whole and unpacked."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def seconds(self) -> float: ...


class Send(Protocol):
    """POST a JSON body below the endpoint's address.

    Raises SendError when no whole answer came, and RunStoppedError soon after `stopped()` is true.
    """

    def __call__(self, path: str, body: bytes, stopped: Stopped) -> Reply: ...


class SendError(LearningError):
    """No answer. passing: worth another try; sent: the endpoint may have worked on it all the same."""

    def __init__(self, sentence: str, *, passing: bool, sent: bool) -> None:
        super().__init__(sentence)
        self.passing = passing
        self.sent = sent


def never() -> bool:
    """Stop nothing."""
    return False


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request. tokens: about how many it takes, for the rate.

    worst: the most it can cost. bill: what it did cost, from a good reply; never taken above worst.
    """

    path: str
    body: bytes
    tokens: float
    worst: float
    bill: Callable[[Reply], float]


@dataclass(frozen=True)
class Answered:
    """A good reply, with what it and the failures before it cost."""

    reply: Reply
    money: float
    seconds: float


@dataclass(frozen=True)
class _Failure:
    sentence: str
    money: float = 0.0
    passing: bool = False
    wait_seconds: float = 0.0
    status: int | None = None
    code: str = ""
    parameter: str = ""


@dataclass(kw_only=True)
class Line:
    """An endpoint and its guards; share one among all who use the endpoint in this process.

    concurrency: calls at once; slots: who holds to that, where others call beside this line, None for
    this line alone. longest_body: bytes of a request that are sent at most.
    longest_wait_seconds: of a Retry-After that is waited for; an endpoint that wants longer is given
    up for that time. stopped: the kill switch, asked about ten times a second.
    """

    send: Send
    budget: Budget = field(default_factory=CappedBudget)
    cache: Cache | None = None
    bucket: Pace = field(default_factory=Bucket)
    breaker: Breaker = field(default_factory=Breaker)
    retries: Retries = field(default_factory=Retries)
    concurrency: int = 4
    slots: Slots | None = None
    longest_body: int | None = None
    longest_wait_seconds: float = 60.0
    stopped: Stopped = never

    def __post_init__(self) -> None:
        self._slots = self.slots or OwnSlots(self.concurrency)
        self._settled = threading.Condition()
        self._in_flight = 0

    def ask(self, call: Call, stopped: Stopped = never) -> Answered:
        """The reply with status 200, after some tries.

        Raises EndpointError with the cause and what must be taken to be spent, BudgetSpentError, or
        RunStoppedError.
        """

        def either() -> bool:
            return stopped() or self.stopped()

        if self.longest_body is not None and len(call.body) > self.longest_body:
            raise EndpointError(
                f"The item is too large to be sent: {len(call.body) / 1e6:.1f} MB with its prompt, "
                f"and {self.longest_body / 1e6:.1f} MB is the most.",
                code="request_too_large",
            )
        money, began, attempt = 0.0, time.monotonic(), 0
        try:
            while True:
                got = self._once(call, either)
                money += got.money
                if isinstance(got, Answered):
                    return Answered(got.reply, money, time.monotonic() - began)
                if not got.passing or attempt + 1 >= self.retries.attempts:
                    raise EndpointError(
                        got.sentence, status=got.status, code=got.code, parameter=got.parameter
                    )
                wait_for(got.wait_seconds + self.retries.seconds(attempt), either)
                attempt += 1
        except (EndpointError, BudgetSpentError, RunStoppedError) as error:
            error.money += money
            raise

    def _once(self, call: Call, stopped: Stopped) -> Answered | _Failure:
        self.bucket.take(call.tokens, stopped)
        slot = self._slots.take(stopped)
        try:
            with self.breaker.turn(stopped) as turn:
                return self._paid(call, turn, stopped)
        finally:
            self._slots.free(slot)

    def _paid(self, call: Call, turn: Turn, stopped: Stopped) -> Answered | _Failure:
        """Send with the money held back; a call whose answer was lost counts at its worst."""
        reservation = self._reserve(call.worst, stopped)
        spent = call.worst
        try:
            reply = self.send(call.path, call.body, stopped)
            spent = self._cost(reply, call)
        except SendError as error:
            spent = call.worst if error.sent else 0.0
            turn.failed(str(error), passing=error.passing)
            return _Failure(str(error), money=spent, passing=error.passing)
        except RunStoppedError as error:
            error.money += spent
            raise
        finally:
            with self._settled:
                self._in_flight -= 1
                self.budget.settle(reservation, spent)
                self._settled.notify_all()
        if reply.status == 200:
            turn.passed()
            return Answered(reply, spent, reply.seconds)
        return replace(self._refused(reply, turn), money=spent)

    def _cost(self, reply: Reply, call: Call) -> float:
        """What a whole reply tells of the call's cost; a refusal costs nothing."""
        if reply.status == 200:
            return min(max(call.bill(reply), 0.0), call.worst)
        return call.worst if reply.status in LOST_STATUSES else 0.0

    def _reserve(self, worst: float, stopped: Stopped) -> Any:
        """Hold the worst case back; calls in flight may leave some of theirs, so wait for them."""
        with self._settled:
            while True:
                check_stopped(stopped)
                try:
                    reservation = self.budget.reserve(worst)
                except BudgetSpentError:
                    if self._in_flight == 0:
                        raise
                    self._settled.wait(SLICE_SECONDS)
                else:
                    self._in_flight += 1
                    return reservation

    def _refused(self, reply: Reply, turn: Turn) -> _Failure:
        """What a status other than 200 means for this call and for those after it."""
        code, parameter = error_words(reply.body)
        told = f"{reply.status}, {code}" if code else str(reply.status)
        if reply.status in FINAL_STATUSES or code in SPENT_CODES:
            sentence = FINAL_STATUSES.get(reply.status, f"The account is used up ({told}).")
            self.breaker.give_up(sentence)
            return _Failure(sentence, status=reply.status, code=code)
        if reply.status not in PASSING_STATUSES:
            sentence = f"The endpoint refused the request ({told})."
            return _Failure(sentence, status=reply.status, code=code, parameter=parameter)
        busy = reply.status == 429
        sentence = f"The endpoint is {'too busy' if busy else 'failing'} ({told})."
        wait = retry_after(reply.headers)
        turn.failed(sentence)
        if wait > self.longest_wait_seconds:
            self.breaker.give_up(f"{sentence} It asks to wait {wait:,.0f} seconds.", wait)
            return _Failure(sentence, status=reply.status, code=code)
        self.bucket.pause(wait)
        return _Failure(sentence, passing=True, wait_seconds=wait, status=reply.status, code=code)


def error_words(body: bytes) -> tuple[str, str]:
    """The code and the parameter that an error names, each "" unless it is one that we know.

    Nothing else of an error's text is used: it may repeat the prompt or the key.
    """
    try:
        error = json.loads(body[:20_000])["error"]
        code, parameter = error.get("code"), error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", ""
    known = isinstance(code, str) and code in KNOWN_CODES
    named = isinstance(parameter, str) and parameter.replace("_", "").isalpha()
    return code if known else "", parameter[:60] if named else ""


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date; 0 when there is none."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return 0.0
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        return min(float(value[:20]), 86_400.0)
    try:
        due = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    due = due if due.tzinfo is not None else due.replace(tzinfo=UTC)
    return min(max((due - datetime.now(UTC)).total_seconds(), 0.0), 86_400.0)
