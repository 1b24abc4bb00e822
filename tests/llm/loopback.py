"""A scripted server on the loopback, speaking real HTTP: it plays every fault of an LLM endpoint.

A play is a function of the request (a dict with `path`, `headers`, `body`) and the connection that
writes the answer by hand, so that it can be as wrong as it likes. `Loopback(play)` repeats one play;
a list plays one after the other, then the last again and again.
"""

import datetime as dt
import gzip
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

Request = dict[str, Any]


class Wire:
    """The server's side of one exchange; `closing` ends waits when the test is over."""

    def __init__(self, handler: BaseHTTPRequestHandler, closing: threading.Event) -> None:
        self.handler = handler
        self.closing = closing

    def send(
        self, body: bytes, status: int = 200, headers: dict[str, str] | None = None, *, declare=True
    ) -> None:
        """A whole answer; `declare=False` leaves its length out, so that its end is the cut."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        if declare:
            self.handler.send_header("Content-Length", str(len(body)))
        else:
            self.handler.close_connection = True
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def raw(self, data: bytes) -> None:
        """Bytes as they are; the connection ends after the play."""
        self.handler.close_connection = True
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def pause(self, seconds: float) -> bool:
        """Wait; False when the test is over and the play should end."""
        return not self.closing.wait(seconds)


Play = Callable[[Request, Wire], None]


class Loopback:
    """The server, in threads of this process; `requests` holds what reached it, in order."""

    def __init__(self, plays: Play | Sequence[Play], tls: ssl.SSLContext | None = None) -> None:
        self.plays = [plays] if callable(plays) else list(plays)
        self.requests: list[Request] = []
        self.times: list[float] = []
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: Request, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            place = len(self.requests)
            self.requests.append(request)
            self.times.append(time.monotonic())
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            self.plays[min(place, len(self.plays) - 1)](request, Wire(handler, self._closing))
        except OSError:
            handler.close_connection = True  # the client went away, which some tests want
        finally:
            with self._lock:
                self.running -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def _handler(owner: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) < size:  # the client was killed while it asked: no request reached us
                self.close_connection = True
                return
            request = {
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
            }
            owner.answer(request, self)

        do_GET = do_POST  # noqa: N815 - the name that the base class calls

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


# Plays that know nothing of LLMs


def text(body: bytes = b"{}", status: int = 200, headers: dict[str, str] | None = None) -> Play:
    return lambda request, wire: wire.send(body, status, headers)


def echo(request: Request, wire: Wire) -> None:
    """Send back what came, the key included."""
    wire.send(json.dumps({**request, "body": request["body"].decode()}).encode())


def redirect(to: str) -> Play:
    return text(b"moved", 302, {"Location": to})


def silent(request: Request, wire: Wire) -> None:
    """Take the request and never answer."""
    wire.pause(120)
    wire.handler.close_connection = True


def slow(seconds: float, then: Play) -> Play:
    def play(request: Request, wire: Wire) -> None:
        if wire.pause(seconds):
            then(request, wire)

    return play


def drip(request: Request, wire: Wire) -> None:
    """A header, then one byte at a time, for ever."""
    wire.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while wire.pause(0.05):
        wire.raw(b" ")


def header_drip(request: Request, wire: Wire) -> None:
    """One byte of a header line at a time, for ever."""
    wire.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while wire.pause(0.05):
        wire.raw(b"a")


def cut(request: Request, wire: Wire) -> None:
    """Promise more than comes, then hang up."""
    wire.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices": [')


def hang_up(request: Request, wire: Wire) -> None:
    """Close without a word."""
    wire.handler.close_connection = True


def not_http(request: Request, wire: Wire) -> None:
    wire.raw(b"SSH-2.0-OpenSSH_9.2\r\n" * 20)


def endless(request: Request, wire: Wire) -> None:
    """Chunks without end, as fast as they are taken."""
    wire.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while wire.pause(0):
        wire.raw(block)


def endless_headers(request: Request, wire: Wire) -> None:
    """Informational answers without end."""
    while wire.pause(0):
        wire.raw(b"HTTP/1.1 102 Processing\r\n\r\n" * 500)


def huge(size: int) -> Play:
    return text(b" " * size)


def bomb(size: int) -> Play:
    """Few bytes that unpack to many."""
    return text(gzip.compress(b"0" * size), 200, {"Content-Encoding": "gzip"})


def certificate(folder: Path, names: Sequence[str], *, days: int = 1) -> Path:
    """A self-signed certificate with its key in one PEM file; negative days have passed already."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    subjects: list[x509.GeneralName] = []
    for name in names:
        try:
            subjects.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            subjects.append(x509.DNSName(name))
    built = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(path: Path) -> ssl.SSLContext:
    """TLS for `Loopback` with the certificate in a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
