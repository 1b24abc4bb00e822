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
