"""How the web process asks the model process: one JSON line each way, and never a long wait."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings

from annotator.errors import InvalidError, UnavailableError
from annotator.runtime import sockets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_ANSWER = 64 * 1024 * 1024  # bytes


class ModelStartingError(UnavailableError):
    """The model is being loaded; ask again in a few seconds."""

    code: ClassVar[str] = "model_starting"


class ModelAwayError(UnavailableError):
    """The model process does not answer; labelling goes on without it."""

    code: ClassVar[str] = "model_away"


def encode(
    texts: Sequence[str],
    *,
    encoder: str,
    params: dict[str, Any] | None = None,
    folder: str | None = None,
    timeout_seconds: float = 3.0,
) -> NDArray[np.float32]:
    """Encode typed texts to unit vectors (n, d).

    `encoder` names a registered encoder with its `params`; `folder`, below the data folder, holds
    a fitted one. Raises ModelStartingError, ModelAwayError, or InvalidError with the reason.
    """
    wish = {"encoder": encoder, "params": params or {}, "folder": folder, "texts": list(texts)}
    return _matrix(_ask({"do": "encode", **wish}, timeout_seconds))


def predict(
    texts: Sequence[str],
    *,
    student: str,
    encoder: str,
    params: dict[str, Any] | None = None,
    folder: str | None = None,
    timeout_seconds: float = 5.0,
) -> NDArray[np.float32]:
    """Ask a saved student for the probabilities (n, k) of typed texts."""
    wish = {"encoder": encoder, "params": params or {}, "folder": folder, "texts": list(texts)}
    return _matrix(_ask({"do": "predict", "student": student, **wish}, timeout_seconds))


def ping() -> None:
    """Return when the model process answers; raises ModelAwayError when it does not."""
    _ask({"do": "ping"}, timeout_seconds=5)


def _ask(request: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(sockets.model(settings.DATA_DIR)))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST_ANSWER)
            answer: dict[str, Any] = json.loads(line)
    except (OSError, ValueError) as error:
        raise ModelAwayError("The model process is not answering; try again shortly.") from error
    if answer["status"] == "starting":
        raise ModelStartingError("The model is starting; try again in a few seconds.")
    if answer["status"] == "refused":
        raise InvalidError(answer["detail"])
    return answer


def _matrix(answer: dict[str, Any]) -> NDArray[np.float32]:
    import numpy as np

    flat = np.frombuffer(base64.b64decode(answer["values"]), dtype="<f4")
    return flat.reshape(answer["rows"], answer["columns"])
