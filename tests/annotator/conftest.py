"""What tests of the application share."""

from collections.abc import Iterator
from typing import Any

import pytest

from learning.encoders.pooled import PooledText
from learning.encoders.words import WordEncoder
from tests.annotator.pages import Client
from tests.llm import plays
from tests.llm.loopback import Loopback


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    """Let the built-in model read each batch of texts once per file: tests of a file make the same
    items, and what it says of them never changes. tests/learning holds the model itself to account.
    """
    kept: dict[tuple[object, ...], Any] = {}
    vectors, states = PooledText._vectors, WordEncoder._states

    def vectors_once(ready: PooledText, padded: Any) -> Any:
        if ready.parts.get("encoder") != "minilm":
            return vectors(ready, padded)
        key = tuple(padded[name].numpy().tobytes() for name in ("input_ids", "attention_mask"))
        if key not in kept:
            kept[key] = vectors(ready, padded)
        return kept[key]

    def states_once(words: WordEncoder, ids: list[list[int]]) -> Any:
        if words.ready.parts.get("encoder") != "minilm":
            return states(words, ids)
        key = ("words", *map(tuple, ids))
        if key not in kept:
            kept[key] = states(words, ids)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PooledText, "_vectors", vectors_once)
        patch.setattr(WordEncoder, "_states", states_once)
        yield


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def good():
    """The endpoint of a model that answers as it should."""
    with Loopback(plays.good) as server:
        yield server


@pytest.fixture
def sound():
    """A receiver of webhooks that takes everything."""
    from tests.annotator.hooked import SOUND, allow

    with Loopback(SOUND) as server:
        allow(server)
        yield server


@pytest.fixture
def long_pauses(monkeypatch):
    """What is tried again or gathered waits ten minutes: a busy machine may lose the usual seconds."""
    from annotator import outbox
    from annotator.actions.webhooks import packing

    monkeypatch.setattr(packing, "pause_seconds", lambda tries: 600.0)
    monkeypatch.setattr(outbox, "GATHER_SECONDS", 600)
