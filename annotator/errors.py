"""One refusal, one shape at every edge."""

from typing import ClassVar


class AnnotatorError(Exception):
    """A refusal with a sentence for a person; pages and the API give it the same code and status."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(self, detail: str, **data: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class NotFoundError(AnnotatorError):
    code = "not_found"
    status = 404


class ForbiddenError(AnnotatorError):
    code = "forbidden"
    status = 403


class ConflictError(AnnotatorError):
    code = "conflict"
    status = 409


class InvalidError(AnnotatorError):
    code = "invalid"
    status = 422


class UnavailableError(AnnotatorError):
    code = "unavailable"
    status = 503
