"""The one guarded way out: every request that this server makes to another one goes through here.

A host:port must be on the instance's list; its name is resolved once per connection, each address
is checked, and the checked address itself is dialled, so no second look-up can lead elsewhere. No
redirect is followed, no proxy of the environment used, TLS always verified; time and size are
limited. A key goes to its own host only; no error, log line or answer repeats it or a remote body.
"""

from __future__ import annotations

import ipaddress
import logging
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import httpcore2 as httpcore

from annotator import __version__
from annotator.errors import InvalidError
from annotator.runtime.destinations import (
    PATH,
    PORTS,
    QUERY,
    Address,
    BaseUrl,
    Destination,
    Key,
    NotAllowedError,
    kind_in_words,
    may_lead_to,
    parse_base_url,
    plain,
)
from annotator.runtime.outbound import (
    Call,
    CallLimits,
    GatewayError,
    Reply,
    TooLargeError,
    TooSlowError,
    UnreachableError,
    UnreadableError,
    UntrustedError,
    never,
)

log = logging.getLogger(__name__)

WRITE_BYTES = 16 * 1024
KEPT_HEADERS = ("content-type", "retry-after", "date")
OWN_HEADER = re.compile(r"webhook-[a-z-]{1,40}")
HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,1000}")
NONE: Mapping[str, str] = {}
Resolve = Callable[[str, int], list[Address]]


@dataclass(frozen=True)
class Endpoint:
    """An address that was found on the list, with the key that belongs to it."""

    url: BaseUrl
    destination: Destination
    key: Key | None = None


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]


class _Current(threading.local):
    """The call that this thread is making; kept connections outlive calls and change threads."""

    call: Call


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is short, so that deadlines and cancelling hold on a drip."""

    def __init__(self, inner: httpcore.NetworkStream, current: _Current) -> None:
        self._inner = inner
        self._current = current

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        call = self._current.call
        until = time.monotonic() + call.limits.silence_seconds
        while True:
            try:
                data = self._inner.read(max_bytes, timeout=call.wait(until))
            except httpcore.ReadTimeout:
                continue
            call.take(len(data))
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        call = self._current.call
        call.sent = True
        for start in range(0, len(buffer), WRITE_BYTES):
            call.wait(call.ends)
            patience = min(call.limits.connect_seconds, call.ends - time.monotonic())
            self._inner.write(buffer[start : start + WRITE_BYTES], timeout=max(patience, 0.001))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Stream:
        left = self._current.call.connect_ends - time.monotonic()
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, timeout=max(left, 0.001))
        except httpcore.ConnectError as error:
            cause = error.__cause__
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise UntrustedError(
                    f"The certificate of {server_hostname} is not trusted: {cause.verify_message}."
                ) from None
            raise UnreachableError(f"{server_hostname} does not speak TLS on this port.") from None
        return _Stream(inner, self._current)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections only to addresses that the list covers."""

    def __init__(self, gateway: Gateway, current: _Current) -> None:
        self._gateway = gateway
        self._current = current
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> _Stream:
        call = self._current.call
        addresses = self._gateway.addresses(host, port, call)
        for place, address in enumerate(addresses):
            call.wait(call.connect_ends)
            share = (call.connect_ends - time.monotonic()) / (len(addresses) - place)
            try:
                inner = self._plain.connect_tcp(str(address), port, timeout=max(share, 0.001))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            return _Stream(inner, self._current)
        raise UnreachableError(f"Nothing answers at {Destination(host=host, port=port)}.")


@cache
def _system_trust() -> ssl.SSLContext:
    """The system's certificates; reading them takes longer than most calls."""
    return ssl.create_default_context()


class Gateway:
    """Calls to the destinations of one list; safe for threads, keeps connections between calls."""

    def __init__(
        self,
        destinations: Iterable[Destination],
        *,
        limits: CallLimits | None = None,
        resolve: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = {(row.host, row.port): row for row in destinations}
        self._resolve = resolve
        self._limits = limits or CallLimits()
        self._current = _Current()
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust or _system_trust(),
            max_connections=None,  # whoever calls limits how many at once
            max_keepalive_connections=16,
            keepalive_expiry=20,
            network_backend=_Backend(self, self._current),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def endpoint(self, base_url: str, key: Key | None = None) -> Endpoint:
        """Find an address on the list, and check that the key belongs there.

        Raises NotAllowedError when it is not listed, when the key was entered for another host or
        port, or when a key would travel unencrypted over the public internet.
        """
        url = parse_base_url(base_url)
        destination = self._allowed.get((url.host, url.port))
        if destination is None:
            raise NotAllowedError(
                f"{url.place} is not on this server's list of addresses it may call; an "
                "administrator can add it."
            )
        if key is not None:
            if (key.host, key.port) != (url.host, url.port):
                raise NotAllowedError(
                    f"This key was entered for {key.host}:{key.port} and is not sent to "
                    f"{url.place}; enter the key again."
                )
            if url.scheme == "http" and not destination.local:
                raise NotAllowedError(f"A key is not sent to {url.place} without https.")
        return Endpoint(url, destination, key)

    def call(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] = NONE,
        query: str = "",
        limits: CallLimits | None = None,
        stop: Callable[[], bool] = never,
    ) -> Reply:
        """One request and its whole answer, whatever its status; raises GatewayError when none came.

        path: appended to that of the endpoint. query: what follows the `?`; like the path it is in no log
        and no error. headers: of the caller's own, beside ours; their names
        begin with `webhook-`, so that none takes the place of one that decides where a call goes. stop:
        asked about five times a second; True ends the call with StoppedError.
        """
        limits = limits or self._limits
        if not path.startswith("/") or ".." in path or not PATH.fullmatch(path):
            raise InvalidError(f"{path[:100]!r} is not the path of a call.")
        if not QUERY.fullmatch(query):
            raise InvalidError("What follows the ? of a call is written in plain ASCII, with %.")
        if len(body) > limits.request_bytes:
            raise TooLargeError(f"A request is at most {limits.request_bytes:,} bytes.")
        request = _request(
            endpoint,
            method,
            path + ("?" + query if query else ""),
            body,
            _headers(endpoint, body, content_type, headers),
        )
        call = self._current.call = Call(limits, stop)
        with _sentences(endpoint.url.place, call):
            response = self._pool.handle_request(request)
            try:
                reply = _read(response, call)
            finally:
                response.close()
        if endpoint.key is not None and endpoint.key.value.encode() in reply.body:
            repeated = UnreadableError("The answer repeats the key, so it was dropped unread.")
            repeated.sent = True
            raise repeated
        log.info(
            "outbound call to %s: %d, %d bytes, %.2f s",
            endpoint.url.place, reply.status, len(reply.body), reply.seconds,
        )  # fmt: skip
        return reply

    def addresses(self, host: str, port: int, call: Call) -> list[Address]:
        """The addresses of a listed host, all of them allowed; raises when one is not."""
        destination = self._allowed.get((host, port))
        if destination is None:
            raise NotAllowedError(f"{host}:{port} is not on the list.")
        found = [plain(address) for address in self._look_up(destination, call)]
        if not found:
            raise UnreachableError(f"The name {host} has no address.")
        for address in found:
            if not may_lead_to(destination, address):
                raise NotAllowedError(
                    f"{destination} leads to {address}, a {kind_in_words(address)}, which this "
                    "server may not call under that name."
                )
        return list(dict.fromkeys(found))

    def _look_up(self, destination: Destination, call: Call) -> list[Address]:
        """Resolve in a thread of its own: the system's resolver knows no deadline."""
        literal = destination.address
        if literal is not None:
            return [literal]
        found: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()

        def look() -> None:
            try:
                found.put(self._resolve(destination.host, destination.port))
            except OSError:
                found.put([])

        threading.Thread(target=look, name="resolve", daemon=True).start()
        while True:
            with suppress(queue.Empty):
                return found.get(timeout=call.wait(call.connect_ends))


def _headers(
    endpoint: Endpoint, body: bytes, content_type: str, own: Mapping[str, str]
) -> list[tuple[str, str]]:
    for name, value in own.items():
        if not OWN_HEADER.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise InvalidError(f"{name[:100]!r} is not a header that a call may bring.")
    url = endpoint.url
    usual = PORTS[url.scheme] == url.port
    headers = [
        ("Host", url.place.removesuffix(f":{url.port}") if usual else url.place),
        ("User-Agent", f"concord/{__version__}"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        *own.items(),
    ]
    if endpoint.key is not None:
        headers.append(("Authorization", f"Bearer {endpoint.key.value}"))
    return headers


def _request(
    endpoint: Endpoint, method: str, path: str, body: bytes, headers: list[tuple[str, str]]
) -> httpcore.Request:
    url = endpoint.url
    address = httpcore.URL(
        scheme=url.scheme.encode(),
        host=url.host.encode(),
        port=url.port,
        target=(url.path + path).encode(),
    )
    return httpcore.Request(method=method, url=address, headers=headers, content=body)


def _read(response: httpcore.Response, call: Call) -> Reply:
    if 300 <= response.status < 400:
        raise UnreadableError(
            "The server sent a redirect, which is not followed; enter the address it moved to."
        )
    headers = {name.decode("latin-1").lower(): value for name, value in response.headers}
    unpack = _unpacker(headers.get("content-encoding", b"identity").decode("latin-1").lower())
    body = bytearray()
    for piece in response.iter_stream():
        body += unpack(piece, call.limits.answer_bytes - len(body) + 1)
        if len(body) > call.limits.answer_bytes:
            raise TooLargeError(f"The answer is larger than {call.limits.answer_bytes:,} bytes.")
    kept = {name: headers[name].decode("latin-1") for name in KEPT_HEADERS if name in headers}
    return Reply(response.status, kept, bytes(body), time.monotonic() - call.began)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """A function that unpacks the next piece to at most so many bytes."""
    if encoding in {"", "identity"}:
        return lambda piece, room: piece
    if encoding not in {"gzip", "x-gzip"}:
        raise UnreadableError("The answer has an encoding that was not asked for.")
    unzip = zlib.decompressobj(wbits=31)

    def unpack(piece: bytes, room: int) -> bytes:
        try:
            return unzip.decompress(piece, room)
        except zlib.error:
            raise UnreadableError("The answer says it is gzip and is not.") from None

    return unpack


@contextmanager
def _sentences(place: str, call: Call) -> Iterator[None]:
    """Turn the client's errors into ours; they may quote the answer, so they go no further."""
    try:
        try:
            yield
        except (httpcore.TimeoutException, TimeoutError):
            raise TooSlowError(f"{place} did not answer in time.") from None
        except httpcore.NetworkError:
            raise UnreachableError(f"The connection to {place} broke.") from None
        except httpcore.RemoteProtocolError:
            raise UnreachableError(f"{place} cut its answer short or speaks no HTTP.") from None
    except GatewayError as error:
        error.sent = call.sent
        raise
