"""Lends a teacher the gateway, bound to one endpoint: the library itself opens no connection."""

from annotator.runtime.destinations import NotAllowedError
from annotator.runtime.gateway import Endpoint, Gateway
from annotator.runtime.outbound import GatewayError, Reply, StoppedError
from learning.errors import RunStoppedError
from learning.teachers.limits import Stopped
from learning.teachers.line import Send, SendError


def sender(gateway: Gateway, endpoint: Endpoint) -> Send:
    """The function that a `Line` sends with: POST to this endpoint and nowhere else."""

    def send(path: str, body: bytes, stopped: Stopped) -> Reply:
        try:
            return gateway.call(endpoint, "POST", path, body, stop=stopped)
        except StoppedError as error:
            raise RunStoppedError(error.detail) from None
        except NotAllowedError as error:
            raise SendError(error.detail, passing=False, sent=False) from None
        except GatewayError as error:
            raise SendError(error.detail, passing=error.passing, sent=error.sent) from None

    return send
