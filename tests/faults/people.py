"""An annotator at a live system: signs in, answers, and never gives an answer up."""

import http.cookiejar
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

CARD = re.compile(r'data-assignment="(\d+)"\s+data-item="(\d+)"')
PATIENCE_SECONDS = 240


class Person:
    def __init__(self, url, username, password):
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.acknowledged = {}
        self.statuses = set()
        self._sign_in(username, password)

    def _sign_in(self, username, password):
        self.get("/accounts/login/")
        form = {"login": username, "password": password, "next": "/health"}
        status, body = self.post("/accounts/login/", form)
        assert status == 200, body[:500]
        assert any(cookie.name == "concord_session" for cookie in self.cookies), body[:2000]

    @property
    def token(self):
        return next(cookie.value for cookie in self.cookies if cookie.name == "concord_csrf")

    def get(self, path):
        return self._send(urllib.request.Request(self.url + path))

    def post(self, path, form):
        data = urllib.parse.urlencode(form, doseq=True).encode()
        headers = {"X-CSRFToken": self.token, "Referer": self.url}
        return self._send(urllib.request.Request(self.url + path, data=data, headers=headers))

    def _send(self, request):
        """Status and body; 0 when nobody answered."""
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            return 0, ""

    def insist(self, send):
        """Repeat a request, as the page's outbox does, until the server has taken it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status, body = send()
            self.statuses.add(status)
            if status == 200:
                return body
            assert status in {0, 502, 503}, (status, body[:500])
            time.sleep(0.2)
        raise AssertionError("the system did not come back")

    def open_label_page(self, project):
        return CARD.findall(self.insist(lambda: self.get(f"/projects/{project}/label")))

    def answer(self, project, assignment, labels):
        """Answer one item with one UUID, however often it must be sent."""
        key = str(uuid.uuid4())
        label = random.Random(key).choice(labels)
        form = {"kind": "answer", "uuid": key, "assignment": assignment, "labels": label}
        body = self.insist(lambda: self.post(f"/projects/{project}/label/answer", form))
        self.acknowledged[key] = int(assignment)
        return CARD.findall(body)
