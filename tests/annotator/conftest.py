"""What tests of the application share."""

import pytest

from tests.llm import plays
from tests.llm.loopback import Loopback


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
