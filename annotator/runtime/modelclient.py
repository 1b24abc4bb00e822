"""How the web process asks the model process: one JSON line each way.

Many texts or images are asked about in turns, between which others get theirs, and have time by how much it is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.conf import settings

from annotator.errors import InvalidError, UnavailableError
from annotator.runtime import sockets
from annotator.runtime.services import WEB_THREADS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.formats.images import CleanImage

    Items = Sequence[str] | Sequence[CleanImage]

Item = TypeVar("Item")

LONGEST_ANSWER = 64 * 1024 * 1024  # bytes
# What is asked in one turn, so that others wait for no more than that; a longer text, or a larger image, is one turn.
TEXTS_A_TURN, BYTES_A_TURN = 32, 8 * 1024
IMAGES_A_TURN, PIXELS_A_TURN = 8, 4_000_000
# How long an answer may take by how much is asked: with others at work, a slow machine or a large model.
SECONDS_A_TURN, MOST_SECONDS = 10.0, 240.0
PING_SECONDS = 5.0
# Half the threads of a web process may wait for the model, half of these for long answers; the others serve
# who labels. Nobody waits for a place, since who waits has a thread as well.
_places = threading.BoundedSemaphore(WEB_THREADS // 2)
_long_places = threading.BoundedSemaphore(WEB_THREADS // 4)


class ModelStartingError(UnavailableError):
    """The model is being loaded; ask again in a few seconds."""

    code: ClassVar[str] = "model_starting"


class ModelBusyError(UnavailableError):
    """The model process lives and has too much to do; ask again in a few seconds."""

    code: ClassVar[str] = "model_busy"


class ModelAwayError(UnavailableError):
    """The model process does not answer; labelling goes on without it."""

    code: ClassVar[str] = "model_away"


def encode(
    items: Items,
    *,
    encoder: str,
    params: dict[str, Any] | None = None,
    folder: str | None = None,
) -> NDArray[np.float32]:
    """Encode typed texts, or images as they were cleaned, to unit vectors (n, d).

    `encoder` names a registered encoder with its `params`; `folder`, below the data folder, holds
    a fitted one. Raises ModelStartingError, ModelBusyError, ModelAwayError, or InvalidError with the
    reason.
    """
    wish = {"encoder": encoder, "params": params or {}, "folder": folder}
    return _matrix(_in_turns({"do": "encode", **wish}, items))


def predict(
    items: Items,
    *,
    student: str,
    encoder: str,
    params: dict[str, Any] | None = None,
    folder: str | None = None,
) -> NDArray[np.float32]:
    """Ask a saved student for the probabilities (n, k) of texts or images. Raises as `encode`."""
    wish = {"encoder": encoder, "params": params or {}, "folder": folder}
    return _matrix(_in_turns({"do": "predict", "student": student, **wish}, items))


def mark(
    texts: Sequence[str],
    *,
    student: str,
    encoder: str,
    params: dict[str, Any] | None = None,
    folder: str | None = None,
) -> list[dict[str, Any]]:
    """Ask a saved tagger what it marks in texts: of each `spans`, as [start, end, column, probability], and
    `present`, (k,) how likely each label is marked. Raises as `encode`."""
    wish = {"encoder": encoder, "params": params or {}, "folder": folder}
    answers = _in_turns({"do": "mark", "student": student, **wish}, texts)
    return [each for answer in answers for each in answer["marks"]]


def ping() -> None:
    """Return when the model process answers; raises ModelAwayError when it does not."""
    try:
        with _Connection(PING_SECONDS) as connection:
            connection.ask({"do": "ping"})
    except TimeoutError as error:
        raise _away() from error


def _in_turns(wish: dict[str, Any], items: Items) -> list[dict[str, Any]]:
    turns = list(_turns(items))
    parts = sum(map(_parts, turns))
    with contextlib.ExitStack() as places:
        if parts > 1:
            places.enter_context(_a_place(_long_places))
        places.enter_context(_a_place(_places))
        try:
            with _Connection(min(SECONDS_A_TURN * parts, MOST_SECONDS)) as connection:
                return [connection.ask({**wish, **_on_the_wire(turn)}) for turn in turns]
        except TimeoutError as error:
            ping()  # raises where nobody is there at all
            raise _busy() from error


def _parts(turn: list[Any]) -> int:
    """As how many usual turns one counts, which may be a single text or image that is larger."""
    largest = PIXELS_A_TURN if _are_images(turn) else BYTES_A_TURN
    return max(1, math.ceil(sum(map(_size, turn)) / largest))


def _size(item: Any) -> int:
    """Bytes of a text, pixels of an image."""
    return len(_bytes(item)) if isinstance(item, str) else item.width * item.height


def _turns(items: Any) -> Iterator[list[Any]]:
    if _are_images(items):
        return _parted(items, IMAGES_A_TURN, PIXELS_A_TURN)
    return _parted(items, TEXTS_A_TURN, BYTES_A_TURN)


def _parted(items: Sequence[Item], most: int, largest: int) -> Iterator[list[Item]]:
    turn: list[Item] = []
    size = 0
    for item in items:
        added = _size(item)
        if turn and (len(turn) == most or size + added > largest):
            yield turn
            turn, size = [], 0
        turn.append(item)
        size += added
    yield turn


def _are_images(items: Sequence[Any]) -> bool:
    return len(items) > 0 and not isinstance(items[0], str)


def _on_the_wire(turn: list[Any]) -> dict[str, list[str]]:
    if not _are_images(turn):
        return {"texts": turn}
    return {"images": [base64.b64encode(each.data).decode() for each in turn]}


@contextlib.contextmanager
def _a_place(among: threading.BoundedSemaphore) -> Iterator[None]:
    """Have one of them meanwhile. Raises ModelBusyError where all are taken."""
    if not among.acquire(blocking=False):
        raise _busy()
    try:
        yield
    finally:
        among.release()


class _Connection:
    """Questions to the model process, one after the other, answered by a common deadline.

    Raises ModelAwayError where it is gone, TimeoutError where it is too late.
    """

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        try:
            self._hurry()
            self.socket.connect(str(sockets.model(settings.DATA_DIR)))
        except OSError as error:
            self.socket.close()
            raise _away() from error
        self.stream = self.socket.makefile("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.socket.close()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer; a model that starts and a refusal are raised."""
        try:
            self._hurry()
            self.socket.sendall(_bytes(json.dumps(request, ensure_ascii=False)) + b"\n")
            answer: dict[str, Any] = json.loads(self.stream.readline(LONGEST_ANSWER))
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise _away() from error
        if answer["status"] == "starting":
            raise ModelStartingError("The model is starting; try again in a few seconds.")
        if answer["status"] == "refused":
            raise InvalidError(answer["detail"])
        return answer

    def _hurry(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)


def _bytes(text: str) -> bytes:
    """UTF-8; half a pair of UTF-16, which JSON allows, goes through as it came."""
    return text.encode("utf-8", "surrogatepass")


def _away() -> ModelAwayError:
    return ModelAwayError("The model process is not answering; try again shortly.")


def _busy() -> ModelBusyError:
    return ModelBusyError("The model is busy; try again in a few seconds, or with less text.")


def _matrix(answers: list[dict[str, Any]]) -> NDArray[np.float32]:
    import numpy as np

    flat = [np.frombuffer(base64.b64decode(each["values"]), dtype="<f4") for each in answers]
    shapes = [(each["rows"], each["columns"]) for each in answers]
    return np.concatenate([one.reshape(shape) for one, shape in zip(flat, shapes, strict=True)])
