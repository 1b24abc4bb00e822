"""A Chromium, people who are signed in, and a page that reports what the browser complained of."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# Playwright's loop runs in this thread; the tests read rows between two of its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000  # a bound on hanging, and no claim about speed
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Errors that pages wrote to the console; a story that expects some empties the list."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def visit(
    browser: Browser, live_server, complaints: list[str]
) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser window for a person who is signed in; `None` is a stranger."""
    contexts: list[BrowserContext] = []

    def open_window(user=None, **options) -> BrowserContext:
        options = {"viewport": {"width": 1280, "height": 800}, **options}
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        if user is not None:
            client = Client()
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
            cookie = client.cookies["concord_session"]
            context.add_cookies(
                [{"name": cookie.key, "value": cookie.value, "url": live_server.url}]
            )
        context.on("page", lambda page: listen(page, complaints))
        contexts.append(context)
        return context

    yield open_window
    for context in contexts:
        for page in context.pages:
            page.goto("about:blank")  # the page gives its leases back
        context.close()
    wait_for_quiet_database()


def wait_for_quiet_database() -> None:
    """Let requests that outlive their page end before the tables are emptied under them."""
    quiet, until = 0, time.monotonic() + 60
    while quiet < 3 and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            (busy,) = cursor.fetchone()
        quiet = 0 if busy else quiet + 1
        time.sleep(0.05)


def listen(page: Page, complaints: list[str]) -> None:
    def on_console(message) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
