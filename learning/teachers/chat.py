"""The chat API: what a request looks like, what a reply says, and what both cost.

Compatible endpoints differ in what they take; `Shape` is one way to ask, and `lesser` the next one
to try when an endpoint refuses it.
"""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from learning.teachers.limits import SLICE_SECONDS, Stopped, check_stopped
from learning.teachers.line import Reply
from learning.teachers.types import TeacherItem

PATH = "/chat/completions"
TOP_LOGPROBS = 20
LONGEST_MODEL = 200
HOPELESS = 3

Form = Literal["json_schema", "json_object", "text"]

_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One way to ask. length: the name under which an endpoint takes the most tokens to write."""

    form: Form = "json_schema"
    logprobs: bool = True
    length: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True


def lesser(shape: Shape, parameter: str) -> Shape | None:
    """The next shape to try after a refusal that named this parameter, "" for none; None at the end."""
    other = replace(shape, length="max_completion_tokens")
    plainer = replace(shape, form="json_object" if shape.form == "json_schema" else "text")
    steps = {
        "logprobs": (shape.logprobs, replace(shape, logprobs=False)),
        "response_format": (shape.form != "text", plainer),
        "max_tokens": (shape.length == "max_tokens", other),
        "temperature": (shape.temperature, replace(shape, temperature=False)),
    }
    named = next((name for name in steps if parameter.endswith(name)), "")
    for name in [named] if named else steps:
        possible, step = steps[name]
        if possible:
            return step
    return None


class Offer:
    """The shape that an endpoint takes: found at the first calls, then kept. Safe for threads."""

    def __init__(self, first: Shape) -> None:
        self._lock = threading.Lock()
        self._finding = threading.Lock()
        self._first = first
        self._settled = False
        self._refusals = 0
        self._model = ""
        self.shape = first

    @contextmanager
    def finding(self, stopped: Stopped) -> Iterator[None]:
        """Until the shape is known, let one caller in at a time; the others learn from it."""
        while not self._settled:
            if self._finding.acquire(timeout=SLICE_SECONDS):
                try:
                    yield
                finally:
                    self._finding.release()
                return
            check_stopped(stopped)
        yield

    def taken(self) -> None:
        """The endpoint answered a request of the present shape."""
        self._settled = True

    def refused(self, parameter: str) -> bool:
        """Go on to the next shape; False when it cannot be the shape that was refused."""
        if self._settled:
            return False
        step = lesser(self.shape, parameter)
        self._refusals += step is None
        self.shape = step or self._first
        return step is not None

    @property
    def hopeless(self) -> bool:
        """Every shape was refused, several times, and none was ever taken."""
        return not self._settled and self._refusals >= HOPELESS

    def is_new_model(self, model: str) -> bool:
        """Note the id that a model gave itself; tell whether another one answered before."""
        with self._lock:
            changed = bool(model and self._model) and model != self._model
            self._model = model or self._model
            return changed


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Per million tokens, in any one currency; 0 for an endpoint of one's own."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call; `believed` is False where the reply claims none or impossible ones."""

    tokens_in: int
    tokens_out: int
    believed: bool = True


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a reply says. content: the model's text; refused: why there is none, "" if there is.

    tokens: rows of log-probabilities, empty where none are offered. cut: it ran out of length.
    """

    content: str = ""
    refused: str = ""
    model: str = ""
    tokens: tuple[Any, ...] = ()
    cut: bool = False


def body_of(
    shape: Shape,
    *,
    model: str,
    system: str,
    user: str,
    images: Sequence[TeacherItem],
    answer_format: dict[str, Any],
    most_tokens: int,
    temperature: float,
) -> bytes:
    """The request as JSON. images: the items with an image, in the order of the prompt."""
    content: Any = user
    if images:
        content = [{"type": "text", "text": user}]
        content += [{"type": "image_url", "image_url": {"url": _picture(i)}} for i in images]
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": content}],
        shape.length: most_tokens,
        "stream": False,
    }
    if shape.temperature:
        body["temperature"] = temperature
    if shape.logprobs:
        body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    if shape.form == "json_schema":
        named = {"name": "answers", "strict": True, "schema": answer_format}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    elif shape.form == "json_object":
        body["response_format"] = {"type": "json_object"}
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _picture(item: TeacherItem) -> str:
    image = item.image or b""
    kind = next((kind for start, kind in _IMAGES.items() if image.startswith(start)), "image/png")
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"


def most_tokens_in(system: str, user: str, answer_format: dict[str, Any], images: int) -> int:
    """More tokens than a prompt can have: every tokenizer in use makes at most one of each byte.

    The rest is for the chat template; `images` are tokens that the caller allows for pictures.
    """
    said = len(system.encode("utf-8", "replace")) + len(user.encode("utf-8", "replace"))
    return said + len(json.dumps(answer_format)) + images + 64


def usage_of(reply: Reply, most_in: int, most_out: int) -> Usage:
    """The tokens that a reply claims, or the most that are possible when it claims nonsense.

    None at all is nonsense as well: a reply that says so would be charged for nothing.
    """
    usage = _object(_parsed(reply.body).get("usage"))
    read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if not read or not written or read > most_in or written > most_out:
        return Usage(tokens_in=most_in, tokens_out=most_out, believed=False)
    return Usage(tokens_in=read, tokens_out=written)


def message_of(reply: Reply) -> Message:
    """The first choice of a reply; whatever is missing or of a wrong type counts as not said."""
    whole = _parsed(reply.body)
    named = whole.get("model")
    model = named[:LONGEST_MODEL] if isinstance(named, str) and named.isprintable() else ""
    choices = whole.get("choices")
    if not isinstance(choices, list) or not choices:
        return Message(model=model)
    choice = _object(choices[0])
    message = _object(choice.get("message"))
    finish = choice.get("finish_reason")
    if message.get("refusal") or finish == "content_filter":
        return Message(model=model, refused="The model refused to answer.")
    rows = _object(choice.get("logprobs")).get("content")
    return Message(
        content=_text(message.get("content")),
        model=model,
        tokens=tuple(rows) if isinstance(rows, list) else (),
        cut=finish == "length",
    )


def _text(content: object) -> str:
    if isinstance(content, list):  # parts, as some endpoints write it
        parts = [_object(part).get("text") for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return _object(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e9 else None
