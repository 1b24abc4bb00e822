"""Webhooks: addresses that are told what happens in a project, and what became of each message."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import endpoints
from annotator.actions.webhooks import hosts, letters, webhooks
from annotator.api.base import Endpoint
from annotator.api.parsing import body
from annotator.errors import ForbiddenError, NotFoundError
from annotator.event_kinds import EVENTS
from annotator.models import Can, Delivery, Project, Webhook, WebhookHost

EVENT_CHOICES = [(name, kind.says) for name, kind in EVENTS.items()]


class WebhookHostShape(serializers.ModelSerializer[WebhookHost]):
    """A host and port that webhooks of any project may lead to."""

    class Meta:
        model = WebhookHost
        fields = ["id", "host", "port", "private", "created_at"]


class WebhookHostWish(serializers.Serializer[Any]):
    """`private`: the name leads into a private network, and nowhere else."""

    host = serializers.CharField(max_length=253)
    port = serializers.IntegerField(min_value=1, max_value=65535, default=443)
    private = serializers.BooleanField(default=False)


class WebhookShape(serializers.ModelSerializer[Webhook]):
    """`off_reason` says why a webhook went off by itself; it is empty where a person switched it off.
    `retry_at` is set while the first waiting message failed and is to be tried again."""

    waiting = serializers.SerializerMethodField()

    class Meta:
        model = Webhook
        fields = [
            *("id", "name", "url", "events", "enabled", "off_reason", "off_at", "retry_at"),
            *("waiting", "before_until", "created_at"),
        ]

    def get_waiting(self, webhook: Webhook) -> int:
        """How many messages wait to be sent."""
        return Delivery.objects.filter(webhook=webhook).waiting().count()


class WebhookMade(WebhookShape):
    """With the secret that messages are signed with, which is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookShape.Meta):
        fields = [*WebhookShape.Meta.fields, "secret"]


class WebhookWish(serializers.Serializer[Any]):
    """`url`: https, or http to this machine and private networks; its host is on the instance's list."""

    name = serializers.CharField(max_length=Webhook.LONGEST_NAME)
    url = serializers.CharField(max_length=Webhook.LONGEST_URL)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENT_CHOICES), max_length=len(EVENTS)
    )


class WebhookChange(serializers.Serializer[Any]):
    """What is left out stays. Off, it is told nothing, and nothing is kept for it."""

    name = serializers.CharField(max_length=Webhook.LONGEST_NAME, required=False)
    url = serializers.CharField(max_length=Webhook.LONGEST_URL, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENT_CHOICES), max_length=len(EVENTS), required=False
    )
    enabled = serializers.BooleanField(required=False)


class DeliveryShape(serializers.ModelSerializer[Delivery]):
    """One message: how its last try ended. `status` is null where no answer came; `size` is how many
    entries it has, where such events are gathered."""

    message_id = serializers.CharField(read_only=True)

    class Meta:
        model = Delivery
        fields = [
            *("id", "message_id", "type", "size", "state", "tries", "status", "seconds", "error"),
            *("occurred_at", "tried_at"),
        ]


class DeliveryWhole(DeliveryShape):
    """With what the receiver reads."""

    body = serializers.SerializerMethodField()

    class Meta(DeliveryShape.Meta):
        fields = [*DeliveryShape.Meta.fields, "body"]

    def get_body(self, delivery: Delivery) -> dict[str, Any]:
        """What the receiver reads."""
        return letters.message(delivery)


class WebhookHosts(Endpoint):
    @extend_schema(responses=WebhookHostShape(many=True), summary="Hosts that webhooks may lead to")
    def get(self, request: Request) -> Response:
        if not endpoints.may_choose(self.person):
            raise ForbiddenError("Whoever manages a project sees the list of hosts.")
        return self.page(WebhookHost.objects.all(), WebhookHostShape)

    @extend_schema(
        request=WebhookHostWish,
        responses={201: WebhookHostShape},
        summary="Let webhooks lead to a host (instance admins)",
    )
    def post(self, request: Request) -> Response:
        hosts.check_admin(self.person)
        made = hosts.allow(self.person, **body(request, WebhookHostWish))
        made.refresh_from_db()
        return Response(WebhookHostShape(made).data, status=201)


class OneWebhookHost(Endpoint):
    @extend_schema(
        responses={204: None}, summary="Take a host off the list of webhooks (instance admins)"
    )
    def delete(self, request: Request, host_id: int) -> Response:
        hosts.check_admin(self.person)
        hosts.withdraw(self.person, host_id)
        return Response(status=204)


class OfWebhooks(Endpoint):
    """An endpoint about a webhook of a project."""

    def webhook(self, project: Project, webhook_id: int) -> Webhook:
        rows = Webhook.objects.for_user(self.person).filter(project=project)
        found = rows.filter(pk=webhook_id).first()
        if found is None:
            raise NotFoundError("There is no such webhook in this project.")
        return found

    def delivery(self, project: Project, webhook_id: int, delivery_id: int) -> Delivery:
        webhook = self.webhook(project, webhook_id)
        rows = Delivery.objects.for_user(self.person).filter(webhook=webhook)
        found = rows.select_related("webhook").filter(pk=delivery_id).first()
        if found is None:
            raise NotFoundError("There is no such delivery; only the latest are kept.")
        return found


class Webhooks(OfWebhooks):
    @extend_schema(responses=WebhookShape(many=True), summary="Webhooks, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Webhook.objects.for_user(self.person).filter(project=project)
        return self.page(rows, WebhookShape)

    @extend_schema(
        request=WebhookWish,
        responses={201: WebhookMade},
        summary="Add a webhook; its secret is shown this once",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        made, secret = webhooks.register(project, self.person, **body(request, WebhookWish))
        return _with_secret(made, secret, status=201)


class OneWebhook(OfWebhooks):
    @extend_schema(responses=WebhookShape, summary="A webhook and how it stands")
    def get(self, request: Request, project_id: int, webhook_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(WebhookShape(self.webhook(project, webhook_id)).data)

    @extend_schema(
        request=WebhookChange,
        responses=WebhookShape,
        summary="Change a webhook, or switch it off and on",
    )
    def patch(self, request: Request, project_id: int, webhook_id: int) -> Response:
        found = self.webhook(self.project(project_id, Can.MANAGE), webhook_id)
        return Response(WebhookShape(webhooks.change(found, **body(request, WebhookChange))).data)

    @extend_schema(responses={204: None}, summary="Remove a webhook, and what waits for it")
    def delete(self, request: Request, project_id: int, webhook_id: int) -> Response:
        webhooks.remove(self.webhook(self.project(project_id, Can.MANAGE), webhook_id))
        return Response(status=204)


class WebhookSecret(OfWebhooks):
    budget = "secrets"

    @extend_schema(
        request=None,
        responses=WebhookMade,
        summary="Make a new secret, shown this once; the one before signs too for a day",
    )
    def post(self, request: Request, project_id: int, webhook_id: int) -> Response:
        found = self.webhook(self.project(project_id, Can.MANAGE), webhook_id)
        secret = webhooks.rotate(found)
        return _with_secret(found, secret, status=200)


class WebhookTest(OfWebhooks):
    budget = "heavy"

    @extend_schema(
        request=None,
        responses={202: DeliveryShape},
        summary="Send a test, within seconds; how it ended is told by the delivery",
    )
    def post(self, request: Request, project_id: int, webhook_id: int) -> Response:
        found = self.webhook(self.project(project_id, Can.MANAGE), webhook_id)
        return Response(DeliveryShape(webhooks.send_test(found)).data, status=202)


class Deliveries(OfWebhooks):
    @extend_schema(
        responses=DeliveryShape(many=True), summary="What was sent and what waits, latest first"
    )
    def get(self, request: Request, project_id: int, webhook_id: int) -> Response:
        found = self.webhook(self.project(project_id, Can.MANAGE), webhook_id)
        rows = Delivery.objects.for_user(self.person).filter(webhook=found)
        return self.page(rows.defer("data"), DeliveryShape)


class OneDelivery(OfWebhooks):
    @extend_schema(responses=DeliveryWhole, summary="One delivery, with its body")
    def get(self, request: Request, project_id: int, webhook_id: int, delivery_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(DeliveryWhole(self.delivery(project, webhook_id, delivery_id)).data)


class DeliveryAgain(OfWebhooks):
    budget = "heavy"

    @extend_schema(
        request=None,
        responses={202: DeliveryShape},
        summary="Send a delivery again with the same id; one that waits is tried at once",
    )
    def post(
        self, request: Request, project_id: int, webhook_id: int, delivery_id: int
    ) -> Response:
        found = self.delivery(self.project(project_id, Can.MANAGE), webhook_id, delivery_id)
        return Response(DeliveryShape(webhooks.send_again(found)).data, status=202)


def _with_secret(webhook: Webhook, secret: str, *, status: int) -> Response:
    response = Response({**WebhookShape(webhook).data, "secret": secret}, status=status)
    response["Cache-Control"] = "no-store"
    return response
