"""What comes in: JSON of bounded size, fields that PostgreSQL can hold, allow-listed queries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from annotator.errors import InvalidError
from annotator.models import Label, Project

LARGEST_ID = 2**63 - 1
DEEPEST = 32
PAGING = {"cursor", "limit"}

SerializerT = TypeVar("SerializerT", bound="serializers.Serializer[Any]")


class BoundedJson(BaseParser):
    """JSON up to the size that settings allow, without NaN and without nests that never end."""

    media_type = "application/json"

    @property
    def most(self) -> int:
        """Bytes of a body."""
        return settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Decode the body. Raises ParseError with what is wrong."""
        body = stream.read(self.most + 1)
        if len(body) > self.most:
            raise RequestDataTooBig("The body is too large.")
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from error


class RoomyJson(BoundedJson):
    """With as much room as some images in base64 need."""

    @property
    def most(self) -> int:
        """Bytes of a body."""
        return 16 * 1024 * 1024


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


class AlwaysJson(BaseContentNegotiation):
    """The API speaks JSON whatever is asked for; downloads name their own type."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The parser of the body's type."""
        from rest_framework.negotiation import DefaultContentNegotiation

        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The first renderer, always."""
        return renderers[0], renderers[0].media_type


class IdField(serializers.IntegerField):
    """The number of a row: positive, and within what the database counts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_ID, **kwargs)


class ObjectField(serializers.DictField):
    """A JSON object that PostgreSQL can hold: no NUL, no half surrogates, not too deep."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Check the whole tree once."""
        value: dict[str, Any] = super().to_internal_value(data)
        problem = _unstorable(value, 0)
        if problem:
            raise serializers.ValidationError(problem)
        return value


class Strict(serializers.Serializer[Any]):
    """A JSON object whose every key is known: a misspelt one would be left out without a word."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse keys that there are not, with those that there are."""
        unknown = (
            [name for name in data if name not in self.fields] if isinstance(data, dict) else []
        )
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {str(unknown[0])[:100]: [f"There is no such key; there are: {known}."]}
            )
        return super().to_internal_value(data)


def _unstorable(value: Any, depth: int) -> str:
    if depth > DEEPEST:
        return f"The object is nested more than {DEEPEST} deep."
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            return "A text holds a NUL or half a surrogate pair, which cannot be stored."
        return ""
    parts: list[Any] = []
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list):
        parts = value
    return next((found for part in parts if (found := _unstorable(part, depth + 1))), "")


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class LabelField(serializers.Field[Any, Any, Any, Any]):
    """A label by its id (a number) or by its key (a string)."""

    def to_internal_value(self, data: Any) -> int | str:
        """Keep the reference; `label_ids` looks it up in the project."""
        if isinstance(data, bool) or not isinstance(data, int | str):
            raise serializers.ValidationError("Give a label's id or its key.")
        if isinstance(data, int) and not 0 < data <= LARGEST_ID:
            raise serializers.ValidationError("There is no such label.")
        if isinstance(data, str) and _unstorable(data, 0):
            raise serializers.ValidationError("There is no such label.")
        return data

    def to_representation(self, value: Any) -> Any:
        """As it is."""
        return value


class PluginField(serializers.ChoiceField):
    """One name of a registry, which is imported when a value or the schema is asked for."""

    def __init__(self, names: Callable[[], list[tuple[str, str]]], **kwargs: Any) -> None:
        self._names = names
        super().__init__(choices=[], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Check against the registry."""
        self.choices = self._names()
        return super().to_internal_value(data)

    def named(self) -> list[str]:
        """Every name, for the schema."""
        return [""] * self.allow_blank + [name for name, _ in self._names()]


class PluginFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """How the schema lists a registry's names."""

    target_class = PluginField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """A string out of the registry's names."""
        return {"type": "string", "enum": self.target.named()}


def label_ids(project: Project, references: list[int | str]) -> list[int]:
    """The ids of live labels given by id or key. Raises InvalidError for a key nobody knows."""
    keys = {each for each in references if isinstance(each, str)}
    if not keys:
        return [each for each in references if isinstance(each, int)]
    labels = Label.objects.filter(project=project, archived_at=None, key__in=keys)
    found = dict(labels.values_list("key", "pk"))
    unknown = sorted(keys - set(found))
    if unknown:
        raise InvalidError(f"There is no label with the key “{unknown[0]}”.", field="labels")
    return [found[each] if isinstance(each, str) else each for each in references]


def label_of_query(project: Project, reference: str) -> int:
    """The label that a query names: by its key, or by its id, which has digits only."""
    label = Label.objects.filter(project=project, key=reference).first()
    if label is None and reference.isascii() and reference.isdigit() and len(reference) <= 18:
        label = Label.objects.filter(project=project, pk=int(reference)).first()
    if label is None:
        raise InvalidError(f"There is no label “{reference}” in this project.", field="label")
    return label.pk


def body(request: Request, shape: type[SerializerT]) -> dict[str, Any]:
    """The checked body. A name that the shape does not have is refused, not ignored."""
    if not isinstance(request.data, Mapping):
        raise InvalidError("Send a JSON object.")
    return _checked(request.data, shape, set())


def query(request: Request, shape: type[SerializerT]) -> dict[str, Any]:
    """The checked query string: only the filters that the shape lists, and paging."""
    return _checked(request.query_params, shape, PAGING)


def _checked(data: Any, shape: type[SerializerT], besides: set[str]) -> dict[str, Any]:
    form = shape(data=data)
    writable = {name for name, field in form.fields.items() if not field.read_only}
    unknown = sorted(set(data) - writable - besides)
    if unknown:
        listed = ", ".join(sorted(writable)) or "none"
        raise InvalidError(
            f"“{unknown[0][:80]}” is not known here; known are: {listed}.", field=unknown[0][:80]
        )
    form.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(form.validated_data)
    return values
