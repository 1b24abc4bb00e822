"""The label page in a real browser: weight, requests, first use, key to next item."""

from __future__ import annotations

import shutil
import statistics
from typing import Any

from bench.figures import Figure
from bench.loop.system import System

KEYS = 20
COLD_STARTS = 3
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Time from the key's event to the frame in which the next item takes keys.
_WATCH = """
() => {
  window.__spent = [];
  let pressed = 0, shown = '';
  const now = () => document.querySelector('article.item:not([hidden])')?.dataset.assignment || '';
  shown = now();
  addEventListener('keydown', () => { pressed = performance.now(); }, {capture: true});
  new MutationObserver(() => {
    if (pressed && now() && now() !== shown) {
      shown = now();
      const began = pressed;
      pressed = 0;
      requestAnimationFrame(() => window.__spent.push(performance.now() - began));
    }
  }).observe(document.body, {attributes: true, childList: true, subtree: true});
}
"""


def measure(system: System, setting: dict[str, Any]) -> dict[str, Any]:
    """Open the page cold, three times without a cache, then answer by keys; every time in ms."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        opened = [_open(browser, system, setting) for _ in range(COLD_STARTS)]
        page = opened[-1]["page"]
        page.evaluate(_WATCH)
        for _ in range(KEYS):
            page.keyboard.press("1")
            page.wait_for_timeout(350)
        spent = page.evaluate("window.__spent")
        browser.close()
    return {
        "kilobytes": max(one["bytes"] for one in opened) / 1000,
        "requests": max(one["requests"] for one in opened),
        "usable_ms": statistics.median(one["usable_ms"] for one in opened),
        "key_to_next_ms": statistics.median(spent),
        "keys_answered": len(spent),
    }


def _open(browser: Any, system: System, setting: dict[str, Any]) -> dict[str, Any]:
    """The page in a window of its own, which has no cache yet."""
    address = f"http://127.0.0.1:{system.port}"
    context = browser.new_context()
    context.add_cookies(
        [{"name": "concord_session", "value": setting["people"][-1], "url": address}]
    )
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{address}/projects/{setting['project']}/label")
    page.wait_for_selector("article.item:not([hidden])")
    usable = page.evaluate("performance.now()")
    page.wait_for_load_state("networkidle")
    return {"page": page, "usable_ms": usable, "bytes": sum(sizes), "requests": len(sizes)}


def figures(k: str, result: dict[str, Any]) -> list[Figure]:
    """The page's figures with their targets."""
    rows = [
        ("page_cold_weight", result["kilobytes"], "kB", 100),
        ("page_cold_requests", result["requests"], "requests", 10),
        ("page_usable", result["usable_ms"], "ms", 700),
        ("key_to_next_item", result["key_to_next_ms"], "ms", 50),
    ]
    return [
        Figure(name=f"{name}_{k}", value=value, unit=unit, op="<=", target=target)
        for name, value, unit, target in rows
    ]
