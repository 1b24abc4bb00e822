"""People without pause: one request in flight each, an answer and the next item per request."""

from __future__ import annotations

import http.client
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode

_CARD = re.compile(rb'data-assignment="(\d+)"\s+data-item="(\d+)"')


@dataclass
class Window:
    """What all clients saw in one measuring window."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def quantile(self, share: float) -> float:
        ordered = sorted(self.times)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass
class Client:
    """One annotator's browser, as far as the server can tell."""

    port: int
    project: int
    cookie: str
    csrf: str
    labels: list[int]
    held: list[tuple[int, int]] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def open_page(self) -> bytes:
        self.connection = None  # one that idled since the last window may have been closed
        body = self._request("GET", f"/projects/{self.project}/label")
        self.held = [(int(a), int(i)) for a, i in _CARD.findall(body)]
        return body

    def answer(self, window: Window) -> None:
        """Answer the oldest held item; the answer brings one more."""
        if not self.held:
            self._refill()
            if not self.held:
                window.errors.append("no item although some are left")
                return
        assignment, item = self.held.pop(0)
        key = str(uuid.uuid4())
        began = time.perf_counter()
        form = {
            "kind": "answer",
            "uuid": key,
            "assignment": assignment,
            "labels": self.labels[item % len(self.labels)],
            "seconds": "1.5",
            "held": ",".join(str(a) for a, _ in self.held),
        }
        body = self._request("POST", f"/projects/{self.project}/label/answer", form)
        window.times.append(time.perf_counter() - began)
        window.items.append(item)
        window.acknowledged.append(key)
        self.held += [(int(a), int(i)) for a, i in _CARD.findall(body)]

    def _refill(self) -> None:
        body = self._request("POST", f"/projects/{self.project}/label/renew", {"held": ""})
        self.held = [(int(a), int(i)) for a, i in _CARD.findall(body)]

    def _request(self, method: str, path: str, form: dict[str, object] | None = None) -> bytes:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {
            "Cookie": f"concord_session={self.cookie}; concord_csrf={self.csrf}",
            "X-CSRFToken": self.csrf,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept-Encoding": "gzip" if method == "GET" else "identity",
        }
        self.connection.request(method, path, urlencode(form) if form else None, headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise http.client.HTTPException(f"HTTP {response.status} on {path}")
        if response.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        return body


def run_window(clients: list[Client], seconds: float, most: int) -> Window:
    """All clients answer without pause for `seconds`, or until they gave `most` answers."""
    windows = [Window() for _ in clients]
    gate = threading.Barrier(len(clients) + 1)
    end = [0.0]

    def work(client: Client, window: Window) -> None:
        gate.wait()
        while time.monotonic() < end[0] and sum(len(each.times) for each in windows) < most:
            try:
                client.answer(window)
            except (http.client.HTTPException, OSError) as error:
                window.errors.append(str(error))
                client.connection = None

    threads = [
        threading.Thread(target=work, args=pair, daemon=True)
        for pair in zip(clients, windows, strict=True)
    ]
    for thread in threads:
        thread.start()
    end[0] = time.monotonic() + seconds
    began = time.monotonic()
    gate.wait()
    for thread in threads:
        thread.join()
    whole = Window(seconds=time.monotonic() - began)
    for window in windows:
        whole.times += window.times
        whole.items += window.items
        whole.errors += window.errors
        whole.acknowledged += window.acknowledged
    return whole
