"""Endpoints: the addresses that this server may call for its teachers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import endpoints
from annotator.api.base import Endpoint
from annotator.api.parsing import body
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Endpoint as Address


def rate_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1,
        max_value=endpoints.HIGHEST_RATE,
        required=False,
        allow_null=True,
        help_text="Requests a minute that all projects together may send; null is no limit.",
    )


class EndpointShape(serializers.ModelSerializer[Address]):
    """An address on the instance's list. A closed one is not called."""

    class Meta:
        model = Address
        fields = [
            "id",
            "name",
            "base_url",
            "private",
            "enabled",
            "requests_per_minute",
            "created_at",
        ]


class EndpointWish(serializers.Serializer[Any]):
    """`private`: the name leads into a private network, and nowhere else."""

    name = serializers.CharField(max_length=endpoints.LONGEST_NAME)
    base_url = serializers.CharField(max_length=500)
    private = serializers.BooleanField(default=False)
    requests_per_minute = rate_field()


class EndpointChange(serializers.Serializer[Any]):
    """What is left out stays. The address never changes: keys were entered for it."""

    name = serializers.CharField(max_length=endpoints.LONGEST_NAME, required=False)
    enabled = serializers.BooleanField(required=False)
    requests_per_minute = rate_field()


class Endpoints(Endpoint):
    @extend_schema(responses=EndpointShape(many=True), summary="Addresses that teachers may call")
    def get(self, request: Request) -> Response:
        if not endpoints.may_choose(self.person):
            raise ForbiddenError("Whoever manages a project sees the list of endpoints.")
        rows = Address.objects.all()
        if not endpoints.is_admin(self.person):
            rows = rows.filter(enabled=True)
        return self.page(rows, EndpointShape)

    @extend_schema(
        request=EndpointWish,
        responses={201: EndpointShape},
        summary="Put an address on the list (instance admins)",
    )
    def post(self, request: Request) -> Response:
        endpoints.check_admin(self.person)
        made = endpoints.register(self.person, **body(request, EndpointWish))
        made.refresh_from_db()
        return Response(EndpointShape(made).data, status=201)


class OneEndpoint(Endpoint):
    @extend_schema(
        request=EndpointChange,
        responses=EndpointShape,
        summary="Rename an endpoint, close or open it, set its rate (instance admins)",
    )
    def patch(self, request: Request, endpoint_id: int) -> Response:
        endpoints.check_admin(self.person)
        found = Address.objects.filter(pk=endpoint_id).first()
        if found is None:
            raise NotFoundError("There is no such endpoint.")
        changed = endpoints.change(found, self.person, **body(request, EndpointChange))
        return Response(EndpointShape(changed).data)

    @extend_schema(
        responses={204: None},
        summary="Take an endpoint off the list, with all keys for it (instance admins)",
        description="Teachers that ask there stay, and ask nothing until they have another one.",
    )
    def delete(self, request: Request, endpoint_id: int) -> Response:
        endpoints.check_admin(self.person)
        found = Address.objects.filter(pk=endpoint_id).first()
        if found is None:
            raise NotFoundError("There is no such endpoint.")
        endpoints.delete(found, self.person)
        return Response(status=204)
