"""The warm model process: encodes what a person typed or chose, over a unix socket, one JSON line each way.

Models are loaded by a thread of their own, so a first question is answered "starting" at once. It
holds no truth and no database connection: killed, it is started again and loads what it is asked.
"""

import base64
import binascii
import contextlib
import json
import logging
import os
import socket
import socketserver
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator import environment
from annotator.runtime import sockets
from learning.errors import LearningError
from learning.taggers.types import Tagged

logger = logging.getLogger(__name__)

MODELS_KEPT = 4
MOST_ITEMS = 64  # texts, or images
LONGEST_REQUEST = 48 * 1024 * 1024  # bytes; an image of 32 MB is a third longer on the wire

Items = list[str] | list[bytes]


class RefusedError(Exception):
    """The question cannot be answered; the message says why."""


class StartingError(Exception):
    """The model is being loaded."""


class LeftError(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Models:
    """Loaded models, least recently used first out; each is loaded once, in the background."""

    keep: int = MODELS_KEPT
    _loaded: OrderedDict[Hashable, Future[Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "loader"))

    def get(self, key: Hashable, load: Callable[[], Any], *, wait_seconds: float = 0.5) -> Any:
        """Return the model, or raise StartingError while it loads; a failed load may be retried."""
        with self._lock:  # parts the threads of two questions for the same new model
            future = self._loaded.get(key)
            if future is None:
                future = self._loaded[key] = self._loader.submit(load)
            self._loaded.move_to_end(key)
            while len(self._loaded) > self.keep:
                self._loaded.popitem(last=False)
        try:
            return future.result(timeout=wait_seconds)
        except TimeoutError as error:
            if not future.done():
                raise StartingError from error
            raise
        except (LearningError, OSError, ValueError, ImportError, RuntimeError) as error:
            with self._lock:
                self._loaded.pop(key, None)
            logger.exception("a model could not be loaded")
            raise RefusedError(f"The model could not be loaded: {error}") from error


class Line:
    """One question at a time is with the models, in the order in which they came."""

    def __init__(self) -> None:
        """Nobody stands in it."""
        self._waiting: deque[object] = deque()
        self._moved = threading.Condition()  # parts the threads of two questions

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn, and have it."""
        me = object()
        with self._moved:
            self._waiting.append(me)
            self._moved.wait_for(lambda: self._waiting[0] is me)
        try:
            yield
        finally:
            with self._moved:
                self._waiting.popleft()
                self._moved.notify_all()


def _somebody() -> bool:
    return True


class Answerer:
    """Turns a request into an answer; knows the library, not the wire."""

    def __init__(self, data_dir: Path) -> None:
        """Serve only what lies below `data_dir`, besides encoders by name."""
        self.data_dir = data_dir.resolve()
        self.models = Models()
        self.line = Line()

    def answer(
        self, request: dict[str, Any], is_awaited: Callable[[], bool] = _somebody
    ) -> dict[str, Any]:
        """Answer one request with its status: ok, starting or refused.

        is_awaited: asked when its turn comes. Raises LeftError where nobody waits for it any more.
        """
        try:
            if request.get("do") == "ping":
                return {"status": "ok"}
            return {"status": "ok", **self._values(request, is_awaited)}
        except StartingError:
            return {"status": "starting"}
        except (RefusedError, LearningError) as error:
            return {"status": "refused", "detail": str(error)}

    def _values(self, request: dict[str, Any], is_awaited: Callable[[], bool]) -> dict[str, Any]:
        items = _items(request)
        ready = self._ready(request)
        with self.line.turn():
            if not is_awaited():
                raise LeftError
            said = ready(items)
        return {"marks": _marks(said)} if isinstance(said, Tagged) else _packed(said)

    def _ready(self, request: dict[str, Any]) -> Callable[[Items], NDArray[np.float32] | Tagged]:
        """What answers, loaded: texts or images -> (n, d) vectors or (n, k) probabilities, or texts -> marks."""
        if request.get("do") == "predict":
            return self._student(request)
        if request.get("do") == "mark":
            return self._tagger(request)
        if request.get("do") == "encode":
            encode: Callable[[Items], NDArray[np.float32]] = self._encoder(request).encode
            return encode
        raise RefusedError("Ask to encode, predict, mark or ping.")

    def _encoder(self, request: dict[str, Any]) -> Any:
        from learning import encoders

        if request.get("folder"):
            folder = self._inside(request["folder"])
            return self.models.get(("folder", str(folder)), lambda: encoders.load(folder))
        name, params = str(request.get("encoder")), dict(request.get("params") or {})
        key = ("name", name, json.dumps(params, sort_keys=True))
        return self.models.get(key, lambda: encoders.ENCODERS.create(name, params).fit([]))

    def _student(self, request: dict[str, Any]) -> Callable[[Items], NDArray[np.float32]]:
        from learning import students
        from learning.storage import MANIFEST, read_json

        folder = self._inside(str(request.get("student")))
        student = self.models.get(("student", str(folder)), lambda: students.load(folder))
        predict: Callable[[Any], NDArray[np.float32]] = student.predict
        if students.STUDENTS[read_json(folder / MANIFEST)["student"]].needs != "encodings":
            return predict
        encoder = self._encoder(request)
        return lambda items: predict(encoder.encode(items))

    def _tagger(self, request: dict[str, Any]) -> Callable[[Any], Tagged]:
        from learning import encoders, taggers
        from learning.storage import MANIFEST, read_json
        from learning.taggers.texts import tag_texts

        folder = self._inside(str(request.get("student")))
        tagger = self.models.get(("student", str(folder)), lambda: taggers.load(folder))
        reader = None
        if taggers.TAGGERS[read_json(folder / MANIFEST)["student"]].needs == "words":
            reader = encoders.by_word(self._encoder(request))
        return lambda texts: tag_texts(tagger, texts, reader)

    def _inside(self, name: str) -> Path:
        folder = (self.data_dir / name).resolve()
        if not folder.is_relative_to(self.data_dir) or not folder.is_dir():
            raise RefusedError("There is no such model in the data folder.")
        return folder


def _items(request: dict[str, Any]) -> Items:
    """The texts of a question, or the bytes of its images, which come in base64."""
    name = "images" if "images" in request and request.get("do") != "mark" else "texts"
    given = request.get(name)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise RefusedError(f"{name} must be a list of strings.")
    if not 0 < len(given) <= MOST_ITEMS:
        raise RefusedError(f"Between 1 and {MOST_ITEMS} {name} at a time; more is a job.")
    if name == "texts":
        return given
    try:
        return [base64.b64decode(each, validate=True) for each in given]
    except binascii.Error as error:
        raise RefusedError("images must be in base64.") from error


def _packed(values: NDArray[np.float32]) -> dict[str, Any]:
    values = np.ascontiguousarray(values, dtype="<f4")
    rows, columns = values.shape
    packed = base64.b64encode(values.tobytes()).decode()
    return {"rows": rows, "columns": columns, "values": packed}


def _marks(said: Tagged) -> list[dict[str, Any]]:
    """Of each text [start, end, column, probability] of what is marked, and (k,) how likely each label is marked."""
    return [
        {
            "spans": [[*span, round(share, 6)] for span, share in said.spans(text)],
            "present": np.round(said.present[text].astype(float), 6).tolist(),
        }
        for text in range(said.texts)
    ]


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests until the other side closes."""

    server: "Server"

    def handle(self) -> None:
        """Answer line after line."""
        try:
            while line := self.rfile.readline(LONGEST_REQUEST):
                self.wfile.write(json.dumps(self._answer(line)).encode() + b"\n")
                if not line.endswith(b"\n"):
                    return  # what comes is the rest of it
        except (LeftError, BrokenPipeError, ConnectionResetError):
            logger.info("somebody left before the answer")

    def _answer(self, line: bytes) -> dict[str, Any]:
        if len(line) == LONGEST_REQUEST and not line.endswith(b"\n"):
            most = LONGEST_REQUEST // (1024 * 1024)
            return {"status": "refused", "detail": f"A question has up to {most} MB."}
        try:
            return self.server.answerer.answer(json.loads(line), self._is_awaited)
        except (ValueError, AttributeError):
            return {"status": "refused", "detail": "One JSON object per line, please."}

    def _is_awaited(self) -> bool:
        """Whether the other side is still there: its end reads as no bytes."""
        try:
            seen: bytes = self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        return seen != b""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens on the socket; every connection has a thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, answerer: Answerer) -> None:
        """Take the place of a socket that a killed process left."""
        self.answerer = answerer
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        super().__init__(str(path), Handler)
        path.chmod(0o600)


def main() -> None:
    """Serve until killed; warm the encoders that MODEL_PRELOAD names."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logging.basicConfig(level=logging.INFO)
    data_dir = environment.data_folder()
    answerer = Answerer(data_dir)
    with Server(sockets.model(data_dir), answerer) as server:
        for name in environment.names("MODEL_PRELOAD"):
            answerer.answer({"do": "encode", "encoder": name, "texts": [name]})
        server.serve_forever(poll_interval=0.2)


if __name__ == "__main__":
    main()
