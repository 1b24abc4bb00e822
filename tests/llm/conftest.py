"""Lines to a scripted endpoint, and the schema that they are asked about."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from annotator.runtime.destinations import Destination, Key
from annotator.runtime.gateway import Gateway
from annotator.runtime.outbound import CallLimits
from annotator.runtime.sending import sender
from learning.teachers.limits import Breaker, CappedBudget, Retries
from learning.teachers.line import Line
from learning.teachers.openai import OpenAITeacher
from learning.teachers.types import LabelText, Means, Teacher, TeacherItem, TeacherSchema
from tests.llm.loopback import Loopback

KEY = "sk-canary-5d1c"
PRICES = {"price_in": 1000.0, "price_out": 4000.0}  # a thousandth and four for one token
PATIENT = CallLimits(connect_seconds=60, silence_seconds=60, whole_seconds=60, answer_bytes=500_000)
# For answers that never come; whatever does come may take its time on a busy machine.
QUICK = replace(PATIENT, connect_seconds=1, silence_seconds=0.4, whole_seconds=0.8)


@pytest.fixture
def schema() -> TeacherSchema:
    labels = (
        LabelText(id=11, name="refund", description="wants money back"),
        LabelText(id=12, name="delivery"),
        LabelText(id=13, name="other"),
    )
    return TeacherSchema(labels=labels, guidelines="Read the whole text.")


@pytest.fixture
def connect() -> Iterator[Callable[..., Line]]:
    """A line to a server through the real gateway."""
    with ExitStack() as stack:

        def to(
            server: Loopback, *, limits: CallLimits = PATIENT, trust: Any = None, **options: Any
        ) -> Line:
            row = Destination(host="127.0.0.1", port=server.port)
            gateway = stack.enter_context(Gateway([row], limits=limits, trust=trust))
            endpoint = gateway.endpoint(server.base_url, Key(KEY, "127.0.0.1", server.port))
            quick = {
                "budget": CappedBudget(cap=1000.0),
                "retries": Retries(attempts=3, base_seconds=0.02),
                "breaker": Breaker(cool_seconds=0.05, patience_seconds=0.6),
            }
            return Line(send=sender(gateway, endpoint), **{**quick, **options})

        yield to


@pytest.fixture
def teach(connect: Callable[..., Line]) -> Callable[..., Teacher]:
    """A teacher on a line of its own to a server."""

    def ready(server: Loopback, line: Line | None = None, **parameters: Any) -> Teacher:
        plugin = OpenAITeacher(**{"model": "fake", **PRICES, **parameters})
        return plugin.ready(Means(line=line or connect(server)))

    return ready


def texts(count: int) -> list[TeacherItem]:
    return [TeacherItem(number=n, text=f"where is parcel {n}?") for n in range(100, 100 + count)]
